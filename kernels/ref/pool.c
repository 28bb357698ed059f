/* SPDX-License-Identifier: MIT */
/* Max pool 3 x 3 with stride 2, VALID; global average pool. */
#include <math.h>
#include <string.h>

#include "kernels/ref/ref.h"

/* Pixel of the input that element `tap` of the window of output pixel (n, oh, ow) covers. */
static size_t window(const struct fn_tensor *x, int n, int oh, int ow, int tap)
{
    size_t row = (size_t)(2 * oh + tap / 3), col = (size_t)(2 * ow + tap % 3);
    return ((size_t)n * (size_t)x->h + row) * (size_t)x->w + col;
}

static void max_of_window(const struct fn_tensor *x, int n, int oh, int ow, fn_real *y,
                          uint8_t *index)
{
    for (int c = 0; c < x->c; c++) {
        fn_real best = fn_ref_pixel(x, window(x, n, oh, ow, 0))[c];
        int taken = 0;
        for (int tap = 1; tap < 9; tap++) {
            fn_real v = fn_ref_pixel(x, window(x, n, oh, ow, tap))[c];
            if (v > best || (isnan(v) && !isnan(best))) {
                best = v;
                taken = tap;
            }
        }
        y[c] = best;
        if (index)
            index[c] = (uint8_t)taken;
    }
}

int fn_ref_maxpool_forward(struct fn_dev *dev, const struct fn_tensor *x, const struct fn_tensor *y,
                           uint8_t *index)
{
    (void)dev;
    assert(y->n == x->n && y->c == x->c);
    assert(y->h == fn_pool_out(x->h) && y->w == fn_pool_out(x->w));
    size_t p = 0;
    for (int n = 0; n < y->n; n++)
        for (int oh = 0; oh < y->h; oh++)
            for (int ow = 0; ow < y->w; ow++, p++)
                max_of_window(x, n, oh, ow, fn_ref_pixel(y, p),
                              index ? index + p * (size_t)y->c : NULL);
    return FN_OK;
}

int fn_ref_maxpool_backward(struct fn_dev *dev, const struct fn_tensor *dy, const uint8_t *index,
                            const struct fn_tensor *dx, int accumulate)
{
    (void)dev;
    assert(dy->n == dx->n && dy->c == dx->c);
    assert(dy->h == fn_pool_out(dx->h) && dy->w == fn_pool_out(dx->w));
    const size_t channels = (size_t)dx->c;
    if (!accumulate)
        for (size_t p = 0; p < fn_ref_pixels(dx); p++)
            memset(fn_ref_pixel(dx, p), 0, channels * sizeof(fn_real));
    size_t p = 0;
    for (int n = 0; n < dy->n; n++) {
        for (int oh = 0; oh < dy->h; oh++) {
            for (int ow = 0; ow < dy->w; ow++, p++) {
                const fn_real *dy_p = fn_ref_pixel(dy, p);
                const uint8_t *taken = index + p * channels;
                for (size_t c = 0; c < channels; c++)
                    fn_ref_pixel(dx, window(dx, n, oh, ow, taken[c]))[c] += dy_p[c];
            }
        }
    }
    return FN_OK;
}

/* The view of image n alone. */
static struct fn_tensor image_of(const struct fn_tensor *t, int n)
{
    struct fn_tensor one = *t;
    size_t image = (size_t)t->h * (size_t)t->w * (size_t)t->ctotal;
    one.n = 1;
    one.data = (fn_real *)t->data + (size_t)n * image;
    return one;
}

int fn_ref_avgpool_forward(struct fn_dev *dev, const struct fn_tensor *x, const struct fn_tensor *y)
{
    (void)dev;
    assert(y->n == x->n && y->c == x->c && y->h == 1 && y->w == 1);
    for (int n = 0; n < x->n; n++) {
        const struct fn_tensor image = image_of(x, n);
        const size_t pixels = fn_ref_pixels(&image);
        fn_real *y_n = fn_ref_pixel(y, (size_t)n);
        for (int c = 0; c < x->c; c++) {
            double sum = 0;
            for (size_t p = 0; p < pixels; p++)
                sum += fn_ref_pixel(&image, p)[c];
            y_n[c] = (fn_real)(sum / (double)pixels);
        }
    }
    return FN_OK;
}

int fn_ref_avgpool_backward(struct fn_dev *dev, const struct fn_tensor *dy,
                            const struct fn_tensor *dx)
{
    (void)dev;
    assert(dy->n == dx->n && dy->c == dx->c && dy->h == 1 && dy->w == 1);
    for (int n = 0; n < dx->n; n++) {
        const struct fn_tensor image = image_of(dx, n);
        const size_t pixels = fn_ref_pixels(&image);
        const fn_real *dy_n = fn_ref_pixel(dy, (size_t)n);
        for (size_t p = 0; p < pixels; p++) {
            fn_real *dx_p = fn_ref_pixel(&image, p);
            for (int c = 0; c < dx->c; c++)
                dx_p[c] = (fn_real)(dy_n[c] / (double)pixels);
        }
    }
    return FN_OK;
}
