/* SPDX-License-Identifier: MIT */
/* Tensors: where their elements lie, and copies from and to plain arrays.
 *
 * Blocked: (n, ctotal / B, h, w, B). The image's three channels: (n, 3, h, w), as oneDNN's first
 * convolutions want it. Rows (h = w = 1): (n, ctotal), which is the blocked layout, too. */
#include "kernels/cpu/cpu.h"

#include <math.h>

#include "kernels/host.h"

size_t fn_cpu_tensor_bytes(const struct fn_dev *dev, int n, int h, int w, int ctotal)
{
    return (size_t)n * (size_t)h * (size_t)w * (size_t)ctotal * fn_cpu_scalar(dev, h, w);
}

struct fn_planes fn_cpu_planes(const struct fn_dev *dev, const struct fn_tensor *t)
{
    struct fn_planes p;
    size_t pixels = (size_t)t->h * (size_t)t->w;
    p.loops = pixels > 1                             ? dev->maps
              : (size_t)t->c % dev->rows->block == 0 ? dev->rows
                                                     : &fn_cpu_planes_one;
    assert(pixels == 1 || (size_t)(t->c | t->c0 | t->ctotal) % p.loops->block == 0);
    assert(t->n >= 1 && t->c >= 1 && t->c0 >= 0 && t->c0 + t->c <= t->ctotal);
    p.images = (size_t)t->n;
    p.blocks = (size_t)t->c / p.loops->block;
    p.pixels = pixels;
    p.stride = pixels * (size_t)t->ctotal;
    p.first = (char *)t->data + pixels * (size_t)t->c0 * p.loops->scalar_bytes;
    return p;
}

/* Element (n, pixel, c) of a slice of any layout: c in blocks of `block`, 1 for the image. */
static size_t block_of(const struct fn_dev *dev, const struct fn_tensor *t)
{
    size_t b = dev->loops->block;
    return (size_t)t->ctotal % b == 0 && (size_t)t->c0 % b == 0 ? b : 1;
}

static size_t element(const struct fn_tensor *t, size_t block, size_t n, size_t pixel, size_t c)
{
    size_t pixels = (size_t)t->h * (size_t)t->w;
    c += (size_t)t->c0;
    return n * (size_t)t->ctotal * pixels + (c / block * pixels + pixel) * block + c % block;
}

int fn_cpu_tensor_import(struct fn_dev *dev, const void *host, int type, const struct fn_tensor *t)
{
    const int narrow = fn_cpu_scalar(dev, t->h, t->w) < sizeof(float);
    size_t pixels = (size_t)t->h * (size_t)t->w, c = (size_t)t->c, block = block_of(dev, t), i = 0;
    for (size_t n = 0; n < (size_t)t->n; n++)
        for (size_t p = 0; p < pixels; p++)
            for (size_t k = 0; k < c; k++, i++) {
                const size_t at = element(t, block, n, p, k);
                const float x = (float)fn_host_get(host, type, i);
                if (narrow)
                    ((uint16_t *)t->data)[at] = fn_host_narrow(x);
                else
                    ((float *)t->data)[at] = x;
            }
    return FN_OK;
}

int fn_cpu_tensor_export(struct fn_dev *dev, const struct fn_tensor *t, void *host, int type)
{
    const int narrow = fn_cpu_scalar(dev, t->h, t->w) < sizeof(float);
    size_t pixels = (size_t)t->h * (size_t)t->w, c = (size_t)t->c, block = block_of(dev, t), i = 0;
    for (size_t n = 0; n < (size_t)t->n; n++)
        for (size_t p = 0; p < pixels; p++)
            for (size_t k = 0; k < c; k++, i++) {
                const size_t at = element(t, block, n, p, k);
                fn_host_set(host, type, i,
                            (double)(narrow ? fn_host_widen(((const uint16_t *)t->data)[at])
                                            : ((const float *)t->data)[at]));
            }
    return FN_OK;
}

int fn_cpu_vector_import(struct fn_dev *dev, const void *host, int type, size_t count, void *data)
{
    (void)dev;
    for (size_t i = 0; i < count; i++)
        ((float *)data)[i] = (float)fn_host_get(host, type, i);
    return FN_OK;
}

int fn_cpu_vector_export(struct fn_dev *dev, const void *data, size_t count, void *host, int type)
{
    (void)dev;
    for (size_t i = 0; i < count; i++)
        fn_host_set(host, type, i, (double)((const float *)data)[i]);
    return FN_OK;
}

/* ---- images --------------------------------------------------------------------------------- */

static void image_scale(const uint8_t *image, size_t count, double *mean, double *divisor)
{
    uint64_t sum = 0, squares = 0; /* exact up to 2^48 bytes */
    for (size_t i = 0; i < count; i++) {
        uint32_t v = image[i];
        sum += v;
        squares += v * v;
    }
    double n = (double)count;
    *mean = (double)sum / n;
    /* n sum x^2 - (sum x)^2 is exact in double up to 2^53: some 137,000 pixels, and no worse than
     * 1e-16 of its terms above. */
    double variance = (n * (double)squares - (double)sum * (double)sum) / (n * n);
    double stddev = sqrt(variance > 0 ? variance : 0), least = 1 / sqrt(n);
    *divisor = stddev > least ? stddev : least;
}

/* A byte has 256 values. */
static void standardize_image(const uint8_t *from, size_t h, size_t w, int per_image, int mirror,
                              int narrow, void *to)
{
    double mean = 127.5, divisor = 128;
    float table[256];
    uint16_t halves[256];
    if (per_image)
        image_scale(from, h * w * 3, &mean, &divisor);
    for (int v = 0; v < 256; v++) {
        table[v] = (float)((v - mean) / divisor);
        halves[v] = fn_host_narrow(table[v]);
    }
    for (size_t y = 0; y < h; y++)
        for (size_t x = 0; x < w; x++) {
            const uint8_t *pixel = from + (y * w + (mirror ? w - 1 - x : x)) * 3;
            for (size_t c = 0; c < 3; c++)
                if (narrow)
                    ((uint16_t *)to)[(c * h + y) * w + x] = halves[pixel[c]];
                else
                    ((float *)to)[(c * h + y) * w + x] = table[pixel[c]];
        }
}

int fn_cpu_standardize(struct fn_dev *dev, const uint8_t *images, int per_image, int mirror,
                       const struct fn_tensor *y)
{
    const size_t h = (size_t)y->h, w = (size_t)y->w, bytes = fn_cpu_scalar(dev, y->h, y->w);
    assert(y->c == 3 && y->ctotal == 3);
    fn_cpu_enter(dev);
#pragma omp parallel num_threads(dev->threads)
    {
        size_t begin, end;
        fn_cpu_share((size_t)y->n, &begin, &end);
        for (size_t n = begin; n < end; n++)
            standardize_image(images + n * h * w * 3, h, w, per_image, mirror,
                              bytes < sizeof(float), (char *)y->data + n * h * w * 3 * bytes);
    }
    return FN_OK;
}
