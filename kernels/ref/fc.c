/* SPDX-License-Identifier: MIT */
/* Fully connected layer: y (n,d) = x (n,k) W^T + b, W (d,k).
 *
 *     dx = dy W     dw = dy^T x     db = sum of dy over n */
#include "kernels/ref/ref.h"

int fn_ref_fc_plan(struct fn_dev *dev, int n, int k, int d, size_t *workspace)
{
    (void)dev, (void)n, (void)k, (void)d;
    *workspace = 0;
    return FN_OK;
}

/* Four sums side by side: one alone waits for each addition to end. */
static double dot(const fn_real *a, const fn_real *b, size_t count)
{
    double sum[4] = {0};
    size_t i = 0;
    for (; i + 4 <= count; i += 4)
        for (size_t k = 0; k < 4; k++)
            sum[k] += (double)a[i + k] * b[i + k];
    for (; i < count; i++)
        sum[0] += (double)a[i] * b[i];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

int fn_ref_fc_forward(struct fn_dev *dev, const struct fn_tensor *x, const void *w, const void *b,
                      const struct fn_tensor *y, void *stats)
{
    (void)dev;
    assert(x->n == y->n && fn_ref_pixels(x) == (size_t)x->n && fn_ref_pixels(y) == (size_t)y->n);
    const size_t k = (size_t)x->c, d = (size_t)y->c;
    const fn_real *weights = w, *bias = b;
    for (size_t n = 0; n < (size_t)x->n; n++) {
        const fn_real *x_n = fn_ref_pixel(x, n);
        fn_real *y_n = fn_ref_pixel(y, n);
        for (size_t i = 0; i < d; i++)
            y_n[i] = (fn_real)(dot(x_n, weights + i * k, k) + (bias ? bias[i] : 0));
    }
    if (stats)
        fn_ref_stats(y, stats);
    return FN_OK;
}

static size_t chunk(size_t first, size_t end)
{
    return end - first < FN_REF_CHUNK ? end - first : FN_REF_CHUNK;
}

static void backward_data(const fn_real *w, const struct fn_tensor *dy, const struct fn_tensor *dx,
                          int accumulate)
{
    const size_t k = (size_t)dx->c, d = (size_t)dy->c;
    for (size_t n = 0; n < (size_t)dx->n; n++) {
        const fn_real *dy_n = fn_ref_pixel(dy, n);
        fn_real *dx_n = fn_ref_pixel(dx, n);
        for (size_t c = 0; c < k; c += FN_REF_CHUNK) {
            const size_t count = chunk(c, k);
            double sum[FN_REF_CHUNK] = {0};
            for (size_t i = 0; i < d; i++)
                for (size_t j = 0; j < count; j++)
                    sum[j] += (double)dy_n[i] * w[i * k + c + j];
            for (size_t j = 0; j < count; j++)
                dx_n[c + j] = (fn_real)(accumulate ? dx_n[c + j] + sum[j] : sum[j]);
        }
    }
}

static void backward_weights(const struct fn_tensor *x, const struct fn_tensor *dy, fn_real *dw)
{
    const size_t k = (size_t)x->c, d = (size_t)dy->c;
    for (size_t i = 0; i < d; i++) {
        for (size_t c = 0; c < k; c += FN_REF_CHUNK) {
            const size_t count = chunk(c, k);
            double sum[FN_REF_CHUNK] = {0};
            for (size_t n = 0; n < (size_t)x->n; n++) {
                const double g = fn_ref_pixel(dy, n)[i];
                const fn_real *x_n = fn_ref_pixel(x, n) + c;
                for (size_t j = 0; j < count; j++)
                    sum[j] += g * x_n[j];
            }
            for (size_t j = 0; j < count; j++)
                dw[i * k + c + j] = (fn_real)sum[j];
        }
    }
}

int fn_ref_fc_backward(struct fn_dev *dev, const struct fn_tensor *x, const void *w,
                       const struct fn_tensor *dy, const struct fn_tensor *dx, int accumulate,
                       void *dw, void *db)
{
    (void)dev;
    assert(x->n == dy->n && (!dx || fn_ref_same_shape(x, dx)));
    if (dw)
        backward_weights(x, dy, dw);
    if (dx)
        backward_data(w, dy, dx, accumulate);
    if (db) {
        fn_real *to = db;
        for (size_t i = 0; i < (size_t)dy->c; i++) {
            double sum = 0;
            for (size_t n = 0; n < (size_t)dy->n; n++)
                sum += fn_ref_pixel(dy, n)[i];
            to[i] = (fn_real)sum;
        }
    }
    return FN_OK;
}
