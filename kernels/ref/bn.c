/* SPDX-License-Identifier: MIT */
/* Batch normalization without gamma: with s = 1 / sqrt(var + eps) and x = (y - mean) s,
 *
 *     z = relu(x + beta)
 *     g = dz where x + beta > 0     (all of it without relu)
 *     dbeta = sum g
 *     dy = s (g - mean of g - x * mean of (g x))
 *
 * the means over all pixels of the batch. Without relu the same with g = dz. Where the statistics
 * are constants, dy = s g. */
#include <math.h>

#include "kernels/ref/ref.h"

/* Some channels of a layer, at most FN_REF_CHUNK. */
struct chunk {
    size_t c, count; /* first channel, number of them */
    double mean[FN_REF_CHUNK], s[FN_REF_CHUNK], beta[FN_REF_CHUNK];
};

static void chunk_load(struct chunk *k, size_t c, size_t channels, const fn_real *stats,
                       const fn_real *beta)
{
    k->c = c;
    k->count = channels - c < FN_REF_CHUNK ? channels - c : FN_REF_CHUNK;
    for (size_t i = 0; i < k->count; i++) {
        k->mean[i] = stats[c + i];
        k->s[i] = 1 / sqrt(stats[channels + c + i] + FN_BN_EPSILON);
        k->beta[i] = beta[c + i];
    }
}

int fn_ref_bn_forward(struct fn_dev *dev, const struct fn_tensor *y, const void *stats,
                      const void *beta, int relu, const struct fn_tensor *z)
{
    (void)dev;
    assert(fn_ref_same_shape(y, z));
    const size_t pixels = fn_ref_pixels(y), channels = (size_t)y->c;
    struct chunk k;
    for (size_t c = 0; c < channels; c += FN_REF_CHUNK) {
        chunk_load(&k, c, channels, stats, beta);
        for (size_t p = 0; p < pixels; p++) {
            const fn_real *from = fn_ref_pixel(y, p) + c;
            fn_real *to = fn_ref_pixel(z, p) + c;
            for (size_t i = 0; i < k.count; i++) {
                double v = (from[i] - k.mean[i]) * k.s[i] + k.beta[i];
                to[i] = (fn_real)(relu ? fn_ref_relu(v) : v);
            }
        }
    }
    return FN_OK;
}

static void chunk_backward(const struct chunk *k, const struct fn_tensor *dz,
                           const struct fn_tensor *y, int mode, const struct fn_tensor *dy,
                           fn_real *dbeta)
{
    const size_t pixels = fn_ref_pixels(y);
    const int relu = mode & FN_BN_RELU, fixed = mode & FN_BN_FIXED;
    double sum_g[FN_REF_CHUNK] = {0}, sum_gx[FN_REF_CHUNK] = {0};
    for (size_t p = 0; p < pixels; p++) {
        const fn_real *y_p = fn_ref_pixel(y, p) + k->c, *dz_p = fn_ref_pixel(dz, p) + k->c;
        for (size_t i = 0; i < k->count; i++) {
            double x = (y_p[i] - k->mean[i]) * k->s[i];
            double g = relu && x + k->beta[i] <= 0 ? 0 : dz_p[i];
            sum_g[i] += g;
            sum_gx[i] += g * x;
        }
    }
    for (size_t i = 0; i < k->count; i++)
        dbeta[k->c + i] = (fn_real)sum_g[i];
    for (size_t p = 0; p < pixels; p++) {
        const fn_real *y_p = fn_ref_pixel(y, p) + k->c, *dz_p = fn_ref_pixel(dz, p) + k->c;
        fn_real *dy_p = fn_ref_pixel(dy, p) + k->c;
        for (size_t i = 0; i < k->count; i++) {
            double x = (y_p[i] - k->mean[i]) * k->s[i];
            double g = relu && x + k->beta[i] <= 0 ? 0 : dz_p[i];
            double means = fixed ? 0 : (sum_g[i] + x * sum_gx[i]) / (double)pixels;
            dy_p[i] = (fn_real)(k->s[i] * (g - means));
        }
    }
}

int fn_ref_bn_backward(struct fn_dev *dev, const struct fn_tensor *dz, const struct fn_tensor *y,
                       const void *stats, const void *beta, int mode, const struct fn_tensor *dy,
                       void *dbeta)
{
    (void)dev;
    assert(fn_ref_same_shape(y, dz) && fn_ref_same_shape(y, dy));
    const size_t channels = (size_t)y->c;
    struct chunk k;
    for (size_t c = 0; c < channels; c += FN_REF_CHUNK) {
        chunk_load(&k, c, channels, stats, beta);
        chunk_backward(&k, dz, y, mode, dy, dbeta);
    }
    return FN_OK;
}
