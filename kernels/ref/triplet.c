/* SPDX-License-Identifier: MIT */
/* Triplet loss: with T triplets (a, p, n), loss = mean of h = max(|a-p|^2 - |a-n|^2 + alpha, 0);
 * where h > 0 the gradients are 2 (n - p) / T, 2 (p - a) / T and 2 (a - n) / T. Distances of all
 * rows. */
#include <string.h>

#include "kernels/ref/ref.h"

static double squared_distance(const fn_real *a, const fn_real *b, size_t count)
{
    double sum = 0;
    for (size_t k = 0; k < count; k++)
        sum += ((double)a[k] - b[k]) * ((double)a[k] - b[k]);
    return sum;
}

/* Mean squared distance of two of the first `count` rows: with s their sum,
 * (count sum of |e|^2 - |s|^2) / (count (count - 1) / 2). */
static double spread(const struct fn_tensor *e, size_t count)
{
    double squares = 0, of_sum = 0;
    for (size_t k = 0; k < (size_t)e->c; k++) {
        double sum = 0;
        for (size_t n = 0; n < count; n++) {
            double v = fn_ref_pixel(e, n)[k];
            sum += v;
            squares += v * v;
        }
        of_sum += sum * sum;
    }
    return ((double)count * squares - of_sum) / ((double)count * (double)(count - 1) / 2);
}

int fn_ref_triplet_loss(struct fn_dev *dev, const struct fn_tensor *e, int count, double alpha,
                        const struct fn_tensor *de)
{
    assert(count >= 3 && count % 3 == 0 && count <= e->n && fn_ref_same_shape(e, de));
    const size_t d = (size_t)e->c;
    const double triplets = count / 3;
    double loss = 0;
    for (size_t n = 0; n < (size_t)e->n; n++)
        memset(fn_ref_pixel(de, n), 0, d * sizeof(fn_real));
    for (size_t i = 0; i < (size_t)count; i += 3) {
        const fn_real *a = fn_ref_pixel(e, i), *p = fn_ref_pixel(e, i + 1),
                      *n = fn_ref_pixel(e, i + 2);
        const double hinge = squared_distance(a, p, d) - squared_distance(a, n, d) + alpha;
        if (hinge <= 0)
            continue;
        loss += hinge; /* NaN comes here too and shows */
        dev->losses[FN_LOSS_ACTIVE] += 1;
        fn_real *da = fn_ref_pixel(de, i), *dp = fn_ref_pixel(de, i + 1),
                *dn = fn_ref_pixel(de, i + 2);
        for (size_t k = 0; k < d; k++) {
            da[k] = (fn_real)(2 * ((double)n[k] - p[k]) / triplets);
            dp[k] = (fn_real)(2 * ((double)p[k] - a[k]) / triplets);
            dn[k] = (fn_real)(2 * ((double)a[k] - n[k]) / triplets);
        }
    }
    dev->losses[FN_LOSS_TRIPLET] += loss / triplets;
    dev->losses[FN_LOSS_SPREAD] += spread(e, (size_t)count);
    return FN_OK;
}

int fn_ref_distances(struct fn_dev *dev, const struct fn_tensor *e, int count, float *d2)
{
    (void)dev;
    assert(count >= 0 && count <= e->n);
    const size_t rows = (size_t)count;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j <= i; j++) {
            double d = squared_distance(fn_ref_pixel(e, i), fn_ref_pixel(e, j), (size_t)e->c);
            d2[i * rows + j] = d2[j * rows + i] = (float)d;
        }
    return FN_OK;
}
