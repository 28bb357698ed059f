/* SPDX-License-Identifier: MIT */
/* The end of a residual block: out = relu(x + scale (up + bias)). */
#include "kernels/ref/ref.h"

int fn_ref_residual_forward(struct fn_dev *dev, const struct fn_tensor *x,
                            const struct fn_tensor *up, const void *bias, double scale, int relu,
                            const struct fn_tensor *out)
{
    (void)dev;
    assert(fn_ref_same_shape(x, up) && fn_ref_same_shape(x, out));
    const size_t pixels = fn_ref_pixels(x), channels = (size_t)x->c;
    const fn_real *b = bias;
    for (size_t p = 0; p < pixels; p++) {
        const fn_real *x_p = fn_ref_pixel(x, p), *up_p = fn_ref_pixel(up, p);
        fn_real *out_p = fn_ref_pixel(out, p);
        for (size_t c = 0; c < channels; c++) {
            double v = x_p[c] + scale * ((double)up_p[c] + b[c]);
            out_p[c] = (fn_real)(relu ? fn_ref_relu(v) : v);
        }
    }
    return FN_OK;
}

/* The channels [c, c + count); count <= FN_REF_CHUNK. */
static void chunk_backward(const struct fn_tensor *dout, const struct fn_tensor *out, double scale,
                           int relu, const struct fn_tensor *dx, const struct fn_tensor *dup,
                           size_t c, size_t count, fn_real *dbias)
{
    const size_t pixels = fn_ref_pixels(dout);
    double sum[FN_REF_CHUNK] = {0};
    for (size_t p = 0; p < pixels; p++) {
        const fn_real *dout_p = fn_ref_pixel(dout, p) + c, *out_p = fn_ref_pixel(out, p) + c;
        fn_real *dx_p = fn_ref_pixel(dx, p) + c, *dup_p = fn_ref_pixel(dup, p) + c;
        for (size_t k = 0; k < count; k++) {
            double d = relu && out_p[k] <= 0 ? 0 : dout_p[k];
            dx_p[k] = (fn_real)d;
            dup_p[k] = (fn_real)(scale * d);
            sum[k] += scale * d;
        }
    }
    for (size_t k = 0; k < count; k++)
        dbias[c + k] = (fn_real)sum[k];
}

int fn_ref_residual_backward(struct fn_dev *dev, const struct fn_tensor *dout,
                             const struct fn_tensor *out, double scale, int relu,
                             const struct fn_tensor *dx, const struct fn_tensor *dup, void *dbias)
{
    (void)dev;
    assert(fn_ref_same_shape(dout, out) && fn_ref_same_shape(dout, dx));
    assert(fn_ref_same_shape(dout, dup));
    const size_t channels = (size_t)dout->c;
    for (size_t c = 0; c < channels; c += FN_REF_CHUNK) {
        size_t count = channels - c < FN_REF_CHUNK ? channels - c : FN_REF_CHUNK;
        chunk_backward(dout, out, scale, relu, dx, dup, c, count, dbias);
    }
    return FN_OK;
}
