/* SPDX-License-Identifier: MIT */
/* The inner loops of our own, compiled once for each instruction set and chosen when a device is
 * opened. They run on one thread; the ops divide the work.
 *
 * A plane is what one image has in one block of channels: `pixels` vectors of `block` floats, one
 * after the other. A vector of parameters or sums has `block` elements, one a lane. Pointers are
 * aligned to a float only. Outputs may be the very inputs, but may not overlap them otherwise. */
#ifndef FN_KERNELS_CPU_LOOPS_H
#define FN_KERNELS_CPU_LOOPS_H

#include <stddef.h>
#include <stdint.h>

/* The constants of one update, made from fn_step and fn_update by the optimizer. */
struct fn_cpu_rule {
    float lr;    /* for ADAM with its bias correction */
    float decay; /* weight decay of these parameters */
    float keep;  /* EMA: ema += keep (w - ema) */
};

struct fn_cpu_loops {
    const char *isa; /* "AVX2" */
    size_t block;    /* channels in a block: floats in a vector */

    /* sums[0]: += sum of x; sums[1]: += sum of x^2, of every lane, as if in double. */
    void (*moments)(const float *x, size_t pixels, double *sums);
    /* z = (y - mean) * rstd + beta, then max(z, 0) where relu */
    void (*bn)(const float *y, const float *mean, const float *rstd, const float *beta, int relu,
               size_t pixels, float *z);
    /* d = dz where bn's z > 0 (all of it without relu); sums[0] += sum of d, sums[1] += sum of
     * d (y - mean) */
    void (*bn_sums)(const float *dz, const float *y, const float *mean, const float *rstd,
                    const float *beta, int relu, size_t pixels, double *sums);
    /* dy = rstd * (d - a - (y - mean) * b) */
    void (*bn_back)(const float *dz, const float *y, const float *mean, const float *rstd,
                    const float *beta, const float *a, const float *b, int relu, size_t pixels,
                    float *dy);
    /* out = x + scale * (up + bias), then max(out, 0) where relu */
    void (*residual)(const float *x, const float *up, const float *bias, float scale, int relu,
                     size_t pixels, float *out);
    /* d = dout where out > 0 (all of it without relu); dx = d; dup = scale d; sums += sum of dup */
    void (*residual_back)(const float *dout, const float *out, float scale, int relu, size_t pixels,
                          float *dx, float *dup, double *sums);
    /* Max pool 3 x 3, stride 2: plane (h, w) -> plane (oh, ow). index: as y, or NULL. */
    void (*maxpool)(const float *x, size_t w, size_t oh, size_t ow, float *y, uint8_t *index);
    /* dx (h, w) = or += the gradients of the outputs that took it */
    void (*maxpool_back)(const float *dy, const uint8_t *index, size_t h, size_t w, size_t oh,
                         size_t ow, int accumulate, float *dx);
    /* y = mean over the pixels */
    void (*avgpool)(const float *x, size_t pixels, float *y);
    /* dx = dy / pixels, everywhere */
    void (*avgpool_back)(const float *dy, size_t pixels, float *dx);

    /* Arrays of any length. */
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

/* Those that were built; one: block 1, for rows whose length is no multiple of the block. */
extern const struct fn_cpu_loops fn_cpu_loops_one;
extern const struct fn_cpu_loops fn_cpu_loops_base;
#if defined(__x86_64__)
extern const struct fn_cpu_loops fn_cpu_loops_avx2;
extern const struct fn_cpu_loops fn_cpu_loops_avx512;
#endif

#endif
