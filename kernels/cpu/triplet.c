/* SPDX-License-Identifier: MIT */
/* Triplet loss, and the distances of all embeddings that triplets are selected by. */
#include "kernels/cpu/cpu.h"

#include <string.h>

/* hinge = |a-p|^2 - |a-n|^2 + alpha; where it is > 0, the gradients are 2 (n - p), 2 (p - a) and
 * 2 (a - n), over the number of triplets. Returns it, or 0. */
static double triplet(const struct fn_dev *dev, const struct fn_tensor *e, size_t first,
                      double alpha, double triplets, const struct fn_tensor *de)
{
    const float *a = fn_cpu_row(e, first), *p = fn_cpu_row(e, first + 1),
                *n = fn_cpu_row(e, first + 2);
    float *da = fn_cpu_row(de, first), *dp = fn_cpu_row(de, first + 1),
          *dn = fn_cpu_row(de, first + 2);
    size_t d = (size_t)e->c;
    double hinge = dev->loops->distance(a, p, d) - dev->loops->distance(a, n, d) + alpha;
    double factor = hinge <= 0 ? 0 : 2 / triplets; /* NaN goes on, and shows */
    for (size_t i = 0; i < d; i++) {
        da[i] = (float)(factor * ((double)n[i] - (double)p[i]));
        dp[i] = (float)(factor * ((double)p[i] - (double)a[i]));
        dn[i] = (float)(factor * ((double)a[i] - (double)n[i]));
    }
    return hinge <= 0 ? 0 : hinge;
}

/* Mean squared distance of two of the first `count` rows. With s their sum it is
 * (count sum of |e|^2 - |s|^2) / (count (count - 1) / 2): columns are divided among the threads,
 * each with what it adds at its own place of `terms`. */
static double spread(const struct fn_dev *dev, const struct fn_tensor *e, size_t count,
                     double *terms)
{
    size_t d = (size_t)e->c;
    double sum = 0;
#pragma omp parallel num_threads(dev->threads)
    {
        size_t begin, end;
        fn_cpu_share(d, &begin, &end);
        for (size_t k = begin; k < end; k++) {
            double of_column = 0, squares = 0;
            for (size_t n = 0; n < count; n++) {
                double v = (double)fn_cpu_row(e, n)[k];
                of_column += v;
                squares += v * v;
            }
            terms[k] = (double)count * squares - of_column * of_column;
        }
    }
    for (size_t k = 0; k < d; k++)
        sum += terms[k];
    return sum / ((double)count * (double)(count - 1) / 2);
}

int fn_cpu_triplet_loss(struct fn_dev *dev, const struct fn_tensor *e, int count, double alpha,
                        const struct fn_tensor *de)
{
    assert(count >= 3 && count % 3 == 0 && count <= e->n && fn_cpu_alike(e, de));
    fn_cpu_enter(dev);
    size_t triplets = (size_t)count / 3, d = (size_t)e->c;
    void *scratch;
    int rc = fn_cpu_scratch(dev, (triplets > d ? triplets : d) * sizeof(double), &scratch);
    if (rc != FN_OK)
        return rc;
    double *hinges = scratch, sum = 0;
#pragma omp parallel num_threads(dev->threads)
    {
        size_t begin, end;
        fn_cpu_share(triplets, &begin, &end);
        for (size_t i = begin; i < end; i++)
            hinges[i] = triplet(dev, e, 3 * i, alpha, (double)triplets, de);
    }
    for (size_t i = (size_t)count; i < (size_t)e->n; i++)
        memset(fn_cpu_row(de, i), 0, (size_t)e->c * sizeof(float));
    for (size_t i = 0; i < triplets; i++) {
        sum += hinges[i];
        dev->losses[FN_LOSS_ACTIVE] += hinges[i] != 0;
    }
    dev->losses[FN_LOSS_TRIPLET] += sum / (double)triplets;
    dev->losses[FN_LOSS_SPREAD] += spread(dev, e, (size_t)count, hinges);
    return FN_OK;
}

int fn_cpu_distances(struct fn_dev *dev, const struct fn_tensor *e, int count, float *d2)
{
    assert(count >= 0 && count <= e->n);
    fn_cpu_enter(dev);
    const size_t rows = (size_t)count;
    /* Row i has i + 1 distances: rows i and rows - 1 - i together have the same for every i. */
#pragma omp parallel num_threads(dev->threads)
    {
        size_t begin, end;
        fn_cpu_share((rows + 1) / 2, &begin, &end);
        for (size_t pair = begin; pair < end; pair++)
            for (size_t k = 0; k < 2; k++) {
                size_t i = k ? rows - 1 - pair : pair;
                for (size_t j = 0; j <= i; j++)
                    d2[i * rows + j] = d2[j * rows + i] = (float)dev->loops->distance(
                        fn_cpu_row(e, i), fn_cpu_row(e, j), (size_t)e->c);
                if (rows - 1 - pair == pair)
                    break;
            }
    }
    return FN_OK;
}
