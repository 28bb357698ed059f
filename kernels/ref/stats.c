/* SPDX-License-Identifier: MIT */
/* Batch statistics: two passes, mean first, so that nothing cancels. */
#include "kernels/ref/ref.h"

/* The channels [c, c + count) of y; count <= FN_REF_CHUNK. */
static void chunk_stats(const struct fn_tensor *y, size_t c, size_t count, fn_real *mean,
                        fn_real *var)
{
    const size_t pixels = fn_ref_pixels(y);
    double sum[FN_REF_CHUNK] = {0}, squares[FN_REF_CHUNK] = {0};
    for (size_t p = 0; p < pixels; p++) {
        const fn_real *from = fn_ref_pixel(y, p) + c;
        for (size_t k = 0; k < count; k++)
            sum[k] += from[k];
    }
    for (size_t k = 0; k < count; k++)
        sum[k] /= (double)pixels;
    for (size_t p = 0; p < pixels; p++) {
        const fn_real *from = fn_ref_pixel(y, p) + c;
        for (size_t k = 0; k < count; k++)
            squares[k] += (from[k] - sum[k]) * (from[k] - sum[k]);
    }
    for (size_t k = 0; k < count; k++) {
        mean[k] = (fn_real)sum[k];
        var[k] = (fn_real)(squares[k] / (double)pixels);
    }
}

void fn_ref_stats(const struct fn_tensor *y, fn_real *stats)
{
    const size_t channels = (size_t)y->c;
    for (size_t c = 0; c < channels; c += FN_REF_CHUNK) {
        size_t count = channels - c < FN_REF_CHUNK ? channels - c : FN_REF_CHUNK;
        chunk_stats(y, c, count, stats + c, stats + channels + c);
    }
}
