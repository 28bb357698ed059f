/* SPDX-License-Identifier: MIT */
/* The inner loops over activations, compiled once for each instruction set and each of their
 * scalars, and chosen when a device is opened. They run on one thread; the ops divide the work.
 *
 * A plane is what one image has in one block of channels: `pixels` vectors of `block` scalars, one
 * after the other. All is computed in floats. A vector of parameters or sums has `block` elements,
 * one a lane. Pointers are aligned to a scalar only. Outputs may be the very inputs, but may not
 * overlap them otherwise. */
#ifndef FN_KERNELS_CPU_PLANES_H
#define FN_KERNELS_CPU_PLANES_H

#include <stddef.h>
#include <stdint.h>

struct fn_cpu_plane_loops {
    size_t block;        /* channels in a block: scalars in a vector */
    size_t scalar_bytes; /* of an activation, the void pointers' */

    /* sums[0]: += sum of x; sums[1]: += sum of x^2, of every lane, as if in double. */
    void (*moments)(const void *x, size_t pixels, double *sums);
    /* z = (y - mean) * rstd + beta, then max(z, 0) where relu */
    void (*bn)(const void *y, const float *mean, const float *rstd, const float *beta, int relu,
               size_t pixels, void *z);
    /* d = dz where bn's z > 0 (all of it without relu); sums[0] += sum of d, sums[1] += sum of
     * d (y - mean) */
    void (*bn_sums)(const void *dz, const void *y, const float *mean, const float *rstd,
                    const float *beta, int relu, size_t pixels, double *sums);
    /* dy = rstd * (d - a - (y - mean) * b) */
    void (*bn_back)(const void *dz, const void *y, const float *mean, const float *rstd,
                    const float *beta, const float *a, const float *b, int relu, size_t pixels,
                    void *dy);
    /* out = x + scale * (up + bias), then max(out, 0) where relu */
    void (*residual)(const void *x, const void *up, const float *bias, float scale, int relu,
                     size_t pixels, void *out);
    /* d = dout where out > 0 (all of it without relu); dx = d; dup = scale d; sums += sum of dup */
    void (*residual_back)(const void *dout, const void *out, float scale, int relu, size_t pixels,
                          void *dx, void *dup, double *sums);
    /* Max pool 3 x 3, stride 2: plane (h, w) -> plane (oh, ow). index: as y, or NULL. */
    void (*maxpool)(const void *x, size_t w, size_t oh, size_t ow, void *y, uint8_t *index);
    /* dx (h, w) = or += the gradients of the outputs that took it */
    void (*maxpool_back)(const void *dy, const uint8_t *index, size_t h, size_t w, size_t oh,
                         size_t ow, int accumulate, void *dx);
    /* y = mean over the pixels: floats, as all rows */
    void (*avgpool)(const void *x, size_t pixels, float *y);
    /* dx = dy / pixels, everywhere */
    void (*avgpool_back)(const float *dy, size_t pixels, void *dx);
    /* y += x, `count` vectors */
    void (*add)(const void *x, size_t count, void *y);
    /* A block of a kernel, (block inputs, block outputs) floats, as bf16's products want it:
     * (inputs / 2, outputs, 2); or `turned`, (outputs / 2, inputs, 2). NULL where scalars are
     * floats. */
    void (*narrow)(const float *w, int turned, void *to);
};

/* Those that were built; one: block 1, for rows whose length is no multiple of the block. */
extern const struct fn_cpu_plane_loops fn_cpu_planes_one;
extern const struct fn_cpu_plane_loops fn_cpu_planes_base;
#if defined(__x86_64__)
extern const struct fn_cpu_plane_loops fn_cpu_planes_avx2;
extern const struct fn_cpu_plane_loops fn_cpu_planes_avx512;
extern const struct fn_cpu_plane_loops fn_cpu_planes_bf16; /* AVX-512 and its bf16 */
#endif

#endif
