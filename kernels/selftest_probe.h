/* SPDX-License-Identifier: MIT */
/* One case of the self-test on one device: what it makes, runs and leaves. Errors stick: after the
 * first, nothing more happens, and p->rc says what it was. */
#ifndef FN_KERNELS_SELFTEST_PROBE_H
#define FN_KERNELS_SELFTEST_PROBE_H

#include "kernels/op.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { FN_PROBE_BLOCKS = 24, FN_PROBE_OUTS = 8 };

struct fn_probe {
    const struct fn_backend *be;
    struct fn_dev *dev;
    int rc;
    int narrow; /* maps and convolutions' weights get numbers that bf16 has */
    int large;  /* the shape that is timed: nothing is kept */
    double begin, seconds, bytes, flops;
    struct {
        void *data;
        int kind;
    } block[FN_PROBE_BLOCKS];
    int blocks;
    struct {
        double *value;
        size_t count;
    } out[FN_PROBE_OUTS];
    int outs;
};

struct fn_probe_case {
    const char *op;
    void (*run)(struct fn_probe *p, int variant);
    int variant;
    int products; /* sums of products: what tensor cores round applies */
};
/* selftest_layers.c, selftest_losses.c; both end with a row of zeros. */
extern const struct fn_probe_case fn_probe_layers[], fn_probe_losses[];

/* Makers: memory on the device, filled with uniform numbers of [-1, 1) times `scale` from a stream
 * that is the same on every device. */
void *fn_probe_memory(struct fn_probe *p, size_t bytes, int kind);
struct fn_tensor fn_probe_map(struct fn_probe *p, int n, int h, int w, int c, int stream);
struct fn_tensor fn_probe_rows(struct fn_probe *p, int n, int d, int stream, double scale);
float *fn_probe_vector(struct fn_probe *p, size_t count, int stream, double scale, double shift);
double fn_probe_random(int stream, size_t i);
/* The nearest number that bf16 has, where the probe is narrow. */
double fn_probe_rounded(const struct fn_probe *p, double x);
void fn_probe_workspace(struct fn_probe *p, size_t bytes);
/* 0, 1, .. count - 1 modulo `classes`, uploaded; on the device. */
const int32_t *fn_probe_labels(struct fn_probe *p, int count, int classes);
void fn_probe_step(struct fn_probe *p); /* step_begin */

/* Keepers, and the end: frees all. */
void fn_probe_keep(struct fn_probe *p, const struct fn_tensor *t);
void fn_probe_keep_vector(struct fn_probe *p, const void *data, size_t count);
void fn_probe_keep_host(struct fn_probe *p, const double *value, size_t count);
void fn_probe_keep_losses(struct fn_probe *p);
void fn_probe_clear(struct fn_probe *p);

/* The op: run once. For the large shape that call, or where it is quick some more, are measured.
 * bytes, flops: of one call. */
void fn_probe_begin(struct fn_probe *p);
void fn_probe_end(struct fn_probe *p, int calls, double bytes, double flops);
#define FN_PROBE_CALLS 5
#define FN_PROBE_SLOW 0.05 /* seconds: once is enough */
#define FN_PROBE_RUN(p, bytes, flops, call)                                                        \
    do {                                                                                           \
        fn_probe_begin(p);                                                                         \
        if (!(p)->rc)                                                                              \
            (p)->rc = (call);                                                                      \
        fn_probe_end(p, 1, bytes, flops);                                                          \
        if ((p)->large && (p)->seconds < FN_PROBE_SLOW) {                                          \
            fn_probe_begin(p);                                                                     \
            for (int probe_i_ = 0; probe_i_ < FN_PROBE_CALLS && !(p)->rc; probe_i_++)              \
                (p)->rc = (call);                                                                  \
            fn_probe_end(p, FN_PROBE_CALLS, bytes, flops);                                         \
        }                                                                                          \
    } while (0)

/* Elements and bytes of a view. */
static inline double fn_probe_count(const struct fn_tensor *t)
{
    return (double)t->n * t->h * t->w * t->c;
}
double fn_probe_bytes(const struct fn_probe *p, const struct fn_tensor *t);

#ifdef __cplusplus
}
#endif
#endif
