/* SPDX-License-Identifier: MIT */
/* Convolutions as products of matrices whose rows are found by pointers: a pixel's channels are
 * neighbours, and a tap of the kernel is a product of its own. Channels are padded to 16. */
#include "tests/cuda/pretend_conv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/op.h"

enum { WIDE = FN_GEMM_WIDE, ROWS = FN_GEMM_ROWS, OUTER = FN_GEMM_OUTER };

static const struct fn_gemm *gemm(void)
{
#if defined(FN_GEMM_AVX2)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return &fn_gemm_avx2;
#endif
    return &fn_gemm_base;
}

static void *memory(size_t bytes)
{
    void *data = calloc(bytes ? bytes : 1, 1);
    if (!data) {
        fprintf(stderr, "pretend: no memory for a convolution\n");
        abort();
    }
    return data;
}

static size_t padded(size_t channels)
{
    return (channels + WIDE - 1) / WIDE * WIDE;
}

/* ---- numbers ---- */

static float widen(uint16_t bits)
{
    const uint32_t u = (uint32_t)bits << 16;
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

static uint16_t narrow(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    if ((u & 0x7fffffff) > 0x7f800000)
        return 0x7fff;
    return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

static float get(const void *from, int bf16, size_t i)
{
    return bf16 ? widen(((const uint16_t *)from)[i]) : ((const float *)from)[i];
}

static void put(void *to, int bf16, size_t i, float x)
{
    if (bf16)
        ((uint16_t *)to)[i] = narrow(x);
    else
        ((float *)to)[i] = x;
}

/* (rows, channels) -> fp32 (rows, padded channels). */
static float *rows_of(const void *from, int bf16, size_t rows, size_t channels)
{
    const size_t pitch = padded(channels);
    float *to = memory(rows * pitch * sizeof *to);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < channels; c++)
            to[r * pitch + c] = get(from, bf16, r * channels + c);
    return to;
}

/* Weights (cout, taps, cin) -> (blocks of 16 `out`, taps, padded `in`, 16): in is what a pass sums
 * over, cin or, for the data gradient, cout. */
static float *weights_of(const struct fn_pretend_conv *c, const void *w)
{
    const int data = c->pass == FN_BACKWARD_DATA;
    const size_t taps = (size_t)(c->kh * c->kw), cin = (size_t)c->cin, cout = (size_t)c->cout;
    const size_t in = padded(data ? cout : cin), out = padded(data ? cin : cout);
    float *to = memory(taps * in * out * sizeof *to);
    for (size_t o = 0; o < cout; o++)
        for (size_t t = 0; t < taps; t++)
            for (size_t i = 0; i < cin; i++) {
                const size_t row = data ? o : i, column = data ? i : o;
                to[((column / WIDE * taps + t) * in + row) * WIDE + column % WIDE] =
                    get(w, c->bf16, (o * taps + t) * cin + i);
            }
    return to;
}

/* ---- forward and data gradient ---- */

/* Pixels of one image: what a pass writes, and what it reads. */
struct map {
    int64_t h, w;
};

/* The pixel that tap (i, j) reads for the pixel (row, column) that is written; -1: none. */
static int64_t source(const struct fn_pretend_conv *c, struct map in, int64_t row, int64_t column,
                      int64_t i, int64_t j)
{
    if (c->pass == FN_FORWARD) {
        row = row * c->stride + i - c->pad_h;
        column = column * c->stride + j - c->pad_w;
    } else {
        row += c->pad_h - i;
        column += c->pad_w - j;
        if (row < 0 || column < 0 || row % c->stride || column % c->stride)
            return -1;
        row /= c->stride;
        column /= c->stride;
    }
    return row < 0 || column < 0 || row >= in.h || column >= in.w ? -1 : row * in.w + column;
}

struct product {
    const struct fn_pretend_conv *c;
    struct map in, out;
    size_t in_channels, out_channels;
    const float *from, *weights, *zeros;
    void *to;
};

/* Up to six pixels of a row of image n, `step` apart from the first: all channels. */
static void tile(const struct product *p, int64_t n, int64_t row, const int64_t *columns, int count)
{
    const struct fn_pretend_conv *c = p->c;
    const size_t pitch = padded(p->in_channels), taps = (size_t)(c->kh * c->kw);
    const float *const image = p->from + (size_t)(n * p->in.h * p->in.w) * pitch;
    for (size_t block = 0; block < padded(p->out_channels) / WIDE; block++) {
        float sums[ROWS][WIDE] = {{0}};
        for (size_t t = 0; t < taps; t++) {
            const float *a[ROWS];
            int used = 0;
            for (int m = 0; m < ROWS; m++) {
                const int64_t at = m < count ? source(c, p->in, row, columns[m], (int64_t)t / c->kw,
                                                      (int64_t)t % c->kw)
                                             : -1;
                a[m] = at < 0 ? p->zeros : image + (size_t)at * pitch;
                used |= at >= 0;
            }
            if (used)
                gemm()->rows(a, p->weights + (block * taps + t) * pitch * WIDE, pitch, sums);
        }
        for (int m = 0; m < count; m++)
            for (size_t k = 0; k < WIDE && block * WIDE + k < p->out_channels; k++) {
                const size_t pixel = (size_t)((n * p->out.h + row) * p->out.w + columns[m]);
                const size_t at = pixel * p->out_channels + block * WIDE + k;
                put(p->to, c->bf16, at, sums[m][k] + (c->accumulate ? get(p->to, c->bf16, at) : 0));
            }
    }
}

static void forward_or_data(const struct fn_pretend_conv *c, const void *from, const void *w,
                            void *to)
{
    const int data = c->pass == FN_BACKWARD_DATA;
    const struct map x = {c->h, c->w}, y = {c->oh, c->ow};
    struct product p = {.c = c,
                        .in = data ? y : x,
                        .out = data ? x : y,
                        .in_channels = (size_t)(data ? c->cout : c->cin),
                        .out_channels = (size_t)(data ? c->cin : c->cout),
                        .to = to};
    /* Pixels of one tile are read by the same taps. */
    const int64_t step = data ? c->stride : 1;
    float *rows = rows_of(from, c->bf16, (size_t)(c->n * p.in.h * p.in.w), p.in_channels);
    float *weights = weights_of(c, w), *zeros = memory(padded(p.in_channels) * sizeof *zeros);
    p.from = rows;
    p.weights = weights;
    p.zeros = zeros;
    for (int64_t n = 0; n < c->n; n++)
        for (int64_t row = 0; row < p.out.h; row++)
            for (int64_t first = 0; first < step; first++)
                for (int64_t column = first; column < p.out.w;) {
                    int64_t columns[ROWS];
                    int count = 0;
                    for (; count < ROWS && column < p.out.w; column += step)
                        columns[count++] = column;
                    tile(&p, n, row, columns, count);
                }
    free(rows);
    free(weights);
    free(zeros);
}

/* ---- weight gradient ---- */

/* The pairs of pixels of image n that meet at a tap. */
static size_t pairs(const struct fn_pretend_conv *c, const float *x, const float *y, int64_t n,
                    int64_t i, int64_t j, const float **xs, const float **ys)
{
    const size_t x_pitch = padded((size_t)c->cin), y_pitch = padded((size_t)c->cout);
    size_t count = 0;
    for (int64_t row = 0; row < c->oh; row++)
        for (int64_t column = 0; column < c->ow; column++) {
            const int64_t h = row * c->stride + i - c->pad_h, w = column * c->stride + j - c->pad_w;
            if (h < 0 || w < 0 || h >= c->h || w >= c->w)
                continue;
            xs[count] = x + (size_t)((n * c->h + h) * c->w + w) * x_pitch;
            ys[count++] = y + (size_t)((n * c->oh + row) * c->ow + column) * y_pitch;
        }
    return count;
}

/* dw[o][t][i], fp32 (cout, taps, padded cin), += what image n adds at tap t. */
static void add_tap(const struct fn_pretend_conv *c, size_t t, const float *const *xs,
                    const float *const *ys, size_t count, float *dw)
{
    const size_t pitch = padded((size_t)c->cin), taps = (size_t)(c->kh * c->kw);
    for (size_t o = 0; o < (size_t)c->cout; o += OUTER)
        for (size_t i = 0; i < pitch; i += WIDE) {
            float sums[OUTER][WIDE] = {{0}};
            gemm()->outer(ys, xs, o, i, count, sums);
            for (size_t m = 0; m < OUTER && o + m < (size_t)c->cout; m++)
                for (size_t k = 0; k < WIDE; k++)
                    dw[((o + m) * taps + t) * pitch + i + k] += sums[m][k];
        }
}

static void weight_gradient(const struct fn_pretend_conv *c, const void *x, void *w, const void *y)
{
    const size_t pitch = padded((size_t)c->cin), rows = (size_t)(c->cout * c->kh * c->kw);
    float *xf = rows_of(x, c->bf16, (size_t)(c->n * c->h * c->w), (size_t)c->cin);
    float *yf = rows_of(y, c->bf16, (size_t)(c->n * c->oh * c->ow), (size_t)c->cout);
    float *dw = memory(rows * pitch * sizeof *dw);
    const float **xs = memory((size_t)(c->oh * c->ow) * sizeof *xs);
    const float **ys = memory((size_t)(c->oh * c->ow) * sizeof *ys);
    for (int64_t n = 0; n < c->n; n++)
        for (int64_t t = 0; t < c->kh * c->kw; t++)
            add_tap(c, (size_t)t, xs, ys, pairs(c, xf, yf, n, t / c->kw, t % c->kw, xs, ys), dw);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < (size_t)c->cin; i++)
            put(w, c->bf16, r * (size_t)c->cin + i, dw[r * pitch + i]);
    free(xf);
    free(yf);
    free(dw);
    free(xs);
    free(ys);
}

/* ---- public ---- */

void fn_pretend_conv_bytes(const struct fn_pretend_conv *c, size_t bytes[3])
{
    const size_t size = c->bf16 ? sizeof(uint16_t) : sizeof(float);
    bytes[0] = (size_t)(c->n * c->h * c->w * c->cin) * size;
    bytes[1] = (size_t)(c->cout * c->kh * c->kw * c->cin) * size;
    bytes[2] = (size_t)(c->n * c->oh * c->ow * c->cout) * size;
}

void fn_pretend_conv_run(const struct fn_pretend_conv *c, void *const data[3])
{
    if (c->pass == FN_FORWARD)
        forward_or_data(c, data[0], data[1], data[2]);
    else if (c->pass == FN_BACKWARD_DATA)
        forward_or_data(c, data[2], data[1], data[0]);
    else
        weight_gradient(c, data[0], data[1], data[2]);
}
