/* SPDX-License-Identifier: MIT */
/* The inner loops over arrays of floats (rows, parameters, gradients), compiled once for each
 * instruction set and chosen when a device is opened. They run on one thread; the ops divide the
 * work. Arrays have any length and are aligned to a float only. Outputs may be the very inputs, but
 * may not overlap them otherwise. Those over activations: planes.h. */
#ifndef FN_KERNELS_CPU_LOOPS_H
#define FN_KERNELS_CPU_LOOPS_H

#include <stddef.h>

/* The constants of one update, made from fn_step and fn_update by the optimizer. */
struct fn_cpu_rule {
    float lr;    /* for ADAM with its bias correction */
    float decay; /* weight decay of these parameters */
    float keep;  /* EMA: ema += keep (w - ema) */
};

struct fn_cpu_loops {
    const char *isa; /* "AVX2" */
    size_t block;    /* channels in a block: floats in a vector */

    void (*add)(const float *x, size_t count, float *y); /* y += x */
    size_t (*bad)(const float *x, size_t count);         /* how many are not finite */
    float (*max)(const float *x, size_t count);          /* of numbers; count >= 1 */
    /* Sum of exp(x - max); the summands are stored to e unless it is NULL. e may be x. */
    double (*exp_sum)(const float *x, float max, size_t count, float *e);
    void (*scale)(float factor, size_t count, float *x);              /* x *= factor */
    double (*distance)(const float *a, const float *b, size_t count); /* sum of (a - b)^2 */
    double (*square_sum)(const float *x, size_t count);
    /* ema += keep (w - ema) */
    void (*ema)(const float *w, float keep, size_t count, float *ema);
    /* One optimizer's rule, in the order of enum fn_optimizer; slots that it has none of are
     * NULL. g = grad + decay w. */
    void (*update[5])(const struct fn_cpu_rule *rule, size_t count, float *w, const float *grad,
                      float *slot1, float *slot2);
};

/* Those that were built. */
extern const struct fn_cpu_loops fn_cpu_loops_base;
#if defined(__x86_64__)
extern const struct fn_cpu_loops fn_cpu_loops_avx2;
extern const struct fn_cpu_loops fn_cpu_loops_avx512;
#endif

#endif
