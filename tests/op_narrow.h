/* SPDX-License-Identifier: MIT */
/* Ops with bf16 activations against ref64 on the same rounded numbers: cases and how they are
 * compared, for every backend that has bf16. A result is stored with 8 bits: 2^-9 of its own size
 * is the nearest it can be. */
#ifndef FN_TESTS_OP_NARROW_H
#define FN_TESTS_OP_NARROW_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/op_check.h"
#include "tests/test.h"

#define NEAREST (1.0 / 256)
static const struct fn_tolerance stored = {2e-6, NEAREST * 1.01, 0}; /* rounded once */
static const struct fn_tolerance summed = {2e-5, 1e-4, 0};           /* fp32 sums of many */
static const struct fn_tolerance added = {NEAREST, NEAREST, 0};      /* rounded, added, rounded */

static inline float narrow_rounded(double x)
{
    float f = (float)x;
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    u = (u + 0x7fff + (u >> 16 & 1)) & 0xffff0000;
    memcpy(&f, &u, sizeof f);
    return f;
}

/* A slice of a buffer filled from a stream; on ref64, too, with numbers that bf16 has. */
static inline struct fn_tensor narrow_slice(struct fn_check *k, int n, int h, int w, int c, int c0,
                                            int ctotal, int stream)
{
    struct fn_tensor t = {n, h, w, ctotal, 0, ctotal, NULL};
    const size_t count = (size_t)n * (size_t)h * (size_t)w * (size_t)ctotal;
    double *host = fn_check_host(count, stream, 1, 0);
    for (size_t i = 0; i < count; i++)
        host[i] = narrow_rounded(host[i]);
    t.data = fn_check_alloc(k, k->backend->tensor_bytes(k->dev, n, h, w, ctotal), FN_MEM_DEVICE);
    assert_ok(k->backend->tensor_import(k->dev, host, FN_F64, &t));
    free(host);
    t.c = c;
    t.c0 = c0;
    return t;
}

/* The kept arrays whose names begin with '=' must be near as fp32 sums are, with '+' as sums of
 * rounded ones, the others as stored. */
static inline void narrow_compare(const char *what, struct fn_check *got, struct fn_check *want)
{
    assert_int_equal(got->kept_count, want->kept_count);
    for (int i = 0; i < want->kept_count; i++) {
        struct fn_check one = {.kept_count = 1}, other = {.kept_count = 1};
        one.kept[0] = got->kept[i];
        other.kept[0] = want->kept[i];
        const char kind = want->kept[i].name[0];
        fn_check_same(what, &one, &other, kind == '=' ? summed : kind == '+' ? added : stored);
    }
}

/* Opened in bf16; 0: it cannot be here (the sentence is fn_err_text's). */
static inline int narrow_open(struct fn_check *k, const char *name, int threads)
{
    const struct fn_dev_options options = {.threads = threads, .precision = FN_BF16};
    memset(k, 0, sizeof *k);
    if (fn_backend_open(name, &options, &k->backend, &k->dev, NULL))
        return 0;
    assert_int_equal(k->backend->info(k->dev)->scalar_bytes, 2);
    assert_int_equal(k->backend->info(k->dev)->param_bytes, 4);
    return 1;
}

/* ref64 once, bf16 twice (a pretend GPU: in two orders). */
static inline void narrow_check(const char *name, const char *what, fn_check_run *run,
                                const void *the_case)
{
    struct fn_check want, got, again;
    char title[160];
    snprintf(title, sizeof title, "%s, bf16: %s", name, what);
    assert_true(fn_check_open(&want, "ref64", 1));
    assert_true(narrow_open(&got, name, 2));
    assert_true(narrow_open(&again, name, 2));
    run(&want, the_case);
    run(&got, the_case);
    run(&again, the_case);
    narrow_compare(title, &got, &want);
    fn_check_same(title, &again, &got, (struct fn_tolerance){0, 0, 0});
    fn_check_close(&want);
    fn_check_close(&got);
    fn_check_close(&again);
}

struct narrow_layer {
    int n, h, w, c, c0, ctotal, relu;
    double scale;
};
static const struct narrow_layer narrow_list[] = {
    {1, 1, 2, 16, 0, 16, 1, 1.0},     {3, 5, 7, 16, 16, 48, 1, 0.17},
    {1, 17, 17, 32, 32, 96, 1, 0.1},  {5, 3, 3, 192, 0, 384, 1, 0.2},
    {2, 1, 13, 64, 0, 64, 0, 1.0},    {3, 3, 1, 80, 80, 160, 0, 0.17},
    {1, 8, 7, 896, 0, 896, 1, 0.1},   {13, 2, 3, 112, 16, 128, 1, 0.2},
    {7, 31, 29, 48, 16, 80, 1, 0.17},
};

/* Mean and variance of what y holds. */
static inline void *narrow_stats(struct fn_check *k, const struct fn_tensor *y)
{
    const size_t c = (size_t)y->c, pixels = (size_t)y->n * (size_t)y->h * (size_t)y->w;
    void *stats = fn_check_vector(k, 2 * c, 9, 1, 0);
    double *host = fn_check_read(k, y), *sums = calloc(2 * c, sizeof *sums);
    assert_non_null(sums);
    for (size_t i = 0; i < pixels * c; i++)
        sums[i % c] += host[i] / (double)pixels;
    for (size_t i = 0; i < pixels * c; i++)
        sums[c + i % c] += pow(host[i] - sums[i % c], 2) / (double)pixels;
    assert_ok(k->backend->vector_import(k->dev, sums, FN_F64, 2 * c, stats));
    free(host);
    free(sums);
    return stats;
}

typedef void *narrow_stats_of(struct fn_check *k, const struct fn_tensor *y);

static inline void narrow_bn(struct fn_check *k, const void *the_case, narrow_stats_of *stats_of)
{
    const struct narrow_layer *l = the_case;
    const size_t c = (size_t)l->c;
    const struct fn_tensor y = narrow_slice(k, l->n, l->h, l->w, l->c, 0, l->c, 1);
    const struct fn_tensor z = narrow_slice(k, l->n, l->h, l->w, l->c, l->c0, l->ctotal, 2);
    const struct fn_tensor dz = narrow_slice(k, l->n, l->h, l->w, l->c, l->c0, l->ctotal, 3);
    const struct fn_tensor dy = narrow_slice(k, l->n, l->h, l->w, l->c, 0, l->c, 4);
    void *stats = stats_of(k, &y), *beta = fn_check_vector(k, c, 5, 0.5, 0);
    void *dbeta = fn_check_vector(k, c, 6, 1, 0);
    assert_ok(k->backend->bn_forward(k->dev, &y, stats, beta, l->relu, &z));
    assert_ok(k->backend->bn_backward(k->dev, &dz, &y, stats, beta, l->relu, &dy, dbeta));
    fn_check_keep_vector(k, "=stats", stats, 2 * c);
    fn_check_keep_vector(k, "=dbeta", dbeta, c);
    fn_check_keep_tensor(k, "z", &z);
    fn_check_keep_tensor(k, "dy", &dy);
    fn_check_keep_tensor(k, "dz unchanged", &dz);
}

static inline void narrow_residual(struct fn_check *k, const void *the_case)
{
    const struct narrow_layer *l = the_case;
    const size_t c = (size_t)l->c;
    const struct fn_backend *b = k->backend;
    const struct fn_tensor x = narrow_slice(k, l->n, l->h, l->w, l->c, 0, l->c, 1);
    const struct fn_tensor up = narrow_slice(k, l->n, l->h, l->w, l->c, 0, l->c, 2);
    const struct fn_tensor out = narrow_slice(k, l->n, l->h, l->w, l->c, l->c0, l->ctotal, 3);
    const struct fn_tensor dout = narrow_slice(k, l->n, l->h, l->w, l->c, l->c0, l->ctotal, 4);
    const struct fn_tensor dup = narrow_slice(k, l->n, l->h, l->w, l->c, 0, l->c, 6);
    void *bias = fn_check_vector(k, c, 7, 0.3, 0), *dbias = fn_check_vector(k, c, 8, 1, 0);
    assert_ok(b->residual_forward(k->dev, &x, &up, bias, l->scale, l->relu, &out));
    assert_ok(b->residual_backward(k->dev, &dout, &out, l->scale, l->relu, &dout, &dup, dbias));
    fn_check_keep_tensor(k, "out", &out);
    fn_check_keep_tensor(k, "dx over dout", &dout);
    fn_check_keep_tensor(k, "dup", &dup);
    fn_check_keep_vector(k, "=dbias", dbias, c);
}

static inline void narrow_pools(struct fn_check *k, const void *the_case)
{
    const struct narrow_layer *l = the_case;
    const struct fn_backend *b = k->backend;
    const int h = l->h + 4, w = l->w + 4, oh = fn_pool_out(h), ow = fn_pool_out(w);
    const struct fn_tensor x = narrow_slice(k, l->n, h, w, l->c, l->c0, l->ctotal, 1);
    const struct fn_tensor y = narrow_slice(k, l->n, oh, ow, l->c, l->c0, l->ctotal, 2);
    const struct fn_tensor dy = narrow_slice(k, l->n, oh, ow, l->c, 0, l->c, 3);
    const struct fn_tensor dx = narrow_slice(k, l->n, h, w, l->c, 0, l->c, 4);
    const struct fn_tensor rows = fn_check_rows(k, l->n, l->c, 5, 1);
    uint8_t *index = fn_check_alloc(k, (size_t)(l->n * oh * ow) * (size_t)l->c, FN_MEM_DEVICE);
    assert_ok(b->maxpool_forward(k->dev, &x, &y, index));
    assert_ok(b->maxpool_backward(k->dev, &dy, index, &dx, 0));
    fn_check_keep_tensor(k, "y", &y);
    fn_check_keep_tensor(k, "dx", &dx);
    assert_ok(b->avgpool_forward(k->dev, &x, &rows));
    fn_check_keep_rows(k, "=rows", &rows);
    assert_ok(b->avgpool_backward(k->dev, &rows, &dx));
    fn_check_keep_tensor(k, "dx of average", &dx);
}

struct narrow_images {
    int n, h, w, per_image, mirror;
};

static inline void narrow_standardize(struct fn_check *k, const void *the_case)
{
    const struct narrow_images *s = the_case;
    const size_t count = (size_t)(s->n * s->h * s->w) * 3;
    uint8_t *images = fn_check_alloc(k, count, FN_MEM_DEVICE), *host = malloc(count);
    assert_non_null(host);
    for (size_t i = 0; i < count; i++)
        host[i] = (uint8_t)(fn_check_random(11, i) * 100 + 128);
    assert_ok(k->backend->write(k->dev, images, host, count));
    free(host);
    const struct fn_tensor y = narrow_slice(k, s->n, s->h, s->w, 3, 0, 3, 1);
    assert_ok(k->backend->standardize(k->dev, images, s->per_image, s->mirror, &y));
    fn_check_keep_tensor(k, "y", &y);
}

/* All layers, batch norm by `bn`. */
static inline void narrow_layers(const char *name, fn_check_run *bn)
{
    static const struct narrow_images images[] = {
        {1, 1, 2, 0, 0}, {2, 3, 5, 1, 1}, {3, 16, 16, 0, 1}, {2, 40, 36, 1, 0}, {1, 7, 160, 0, 0}};
    for (size_t i = 0; i < sizeof narrow_list / sizeof narrow_list[0]; i++) {
        narrow_check(name, "batch norm", bn, &narrow_list[i]);
        narrow_check(name, "residual", narrow_residual, &narrow_list[i]);
        narrow_check(name, "pools", narrow_pools, &narrow_list[i]);
    }
    for (size_t i = 0; i < sizeof images / sizeof images[0]; i++)
        narrow_check(name, "standardize", narrow_standardize, &images[i]);
}

#endif
