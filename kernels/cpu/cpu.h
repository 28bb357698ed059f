/* SPDX-License-Identifier: MIT */
/* The cpu backend, inside: the device, and what its files share.
 *
 * Threads are OpenMP's, the same pool that oneDNN uses. Work is divided statically; sums over
 * threads are added in the order of the threads. So the same device, threads, instruction set and
 * library version give the same bits.
 *
 * Denormal numbers are taken and written as zero in all compute threads, and from its first op on
 * in the thread that calls them: gradients and optimizer slots of channels that have died decay
 * into them, where some processors are a hundred times slower. */
#ifndef FN_KERNELS_CPU_CPU_H
#define FN_KERNELS_CPU_CPU_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/cpu/loops.h"
#include "kernels/cpu/onednn.h"
#include "kernels/cpu/planes.h"
#include "kernels/cpu/winograd.h"
#include "kernels/op.h"

enum { FN_CPU_POSTS = 4 }; /* slots of losses_post */

struct fn_dev {
    struct fn_dev_info info;
    int threads;
    int narrow; /* maps are bf16; rows, images of one pixel among them, are floats as all else */
    const struct fn_cpu_loops *loops;
    const struct fn_cpu_plane_loops *maps, *rows;
    const struct fn_winograd_loops *winograd;
    struct fn_dnn *dnn;
    struct fn_step step;
    int stopped; /* check_finite met a bad value in this step */
    double losses[FN_LOSS_COUNT], posted[FN_CPU_POSTS][FN_LOSS_COUNT];
    void *workspace;
    size_t workspace_bytes;
    void *scratch; /* for sums over threads; grows while planning, or with the first steps */
    size_t scratch_bytes;
};

/* Ready this thread and its OpenMP pool: number of threads, denormals. The first call of each op.
 */
void fn_cpu_enter(struct fn_dev *dev);

/* Inside a parallel region: this thread's part of [0, total), static, in ascending order. */
void fn_cpu_share(size_t total, size_t *begin, size_t *end);
size_t fn_cpu_thread(void); /* this thread's number in it */

/* The device's scratch with room for `bytes`; contents undefined. FN_ENOMEM with a sentence. */
int fn_cpu_scratch(struct fn_dev *dev, size_t bytes, void **out);

/* A tensor as planes (planes.h): images x blocks of them, each of `pixels` vectors. */
struct fn_planes {
    const struct fn_cpu_plane_loops *loops;
    size_t images, blocks, pixels;
    size_t stride; /* scalars from one image to the next */
    char *first;
};
struct fn_planes fn_cpu_planes(const struct fn_dev *dev, const struct fn_tensor *t);

static inline void *fn_cpu_plane(const struct fn_planes *p, size_t image, size_t block)
{
    const size_t at = image * p->stride + block * p->pixels * p->loops->block;
    return p->first + at * p->loops->scalar_bytes;
}

/* Bytes of a scalar of a map (h, w). */
static inline size_t fn_cpu_scalar(const struct fn_dev *dev, int h, int w)
{
    return h == 1 && w == 1 ? sizeof(float) : dev->info.scalar_bytes;
}

/* Row i of an (n, 1, 1, c) tensor. */
static inline float *fn_cpu_row(const struct fn_tensor *t, size_t i)
{
    assert(t->h == 1 && t->w == 1);
    return (float *)t->data + i * (size_t)t->ctotal + (size_t)t->c0;
}

static inline int fn_cpu_alike(const struct fn_tensor *a, const struct fn_tensor *b)
{
    return a->n == b->n && a->h == b->h && a->w == b->w && a->c == b->c;
}

/* Sums over all planes: `each` doubles for a channel, gathered by every thread for itself and then
 * added in the order of the threads. Sum k of channel i lies at fn_cpu_sum(). */
static inline size_t fn_cpu_sums_bytes(const struct fn_dev *dev, int c, size_t each)
{
    return (size_t)dev->threads * (size_t)c * each * sizeof(double);
}
static inline size_t fn_cpu_sum(const struct fn_planes *p, size_t each, size_t k, size_t i)
{
    size_t b = p->loops->block;
    return i / b * each * b + k * b + i % b;
}
/* Inside a parallel region: this thread's sums, zeroed if wanted. A block's lie side by side. */
double *fn_cpu_sums_mine(double *sums, const struct fn_planes *p, size_t each, int zero);
/* Inside one, by all threads, when all sums are there (after a barrier): those of the channels
 * [*begin, *end), this thread's part, are added to the first thread's. */
void fn_cpu_sums_join(double *sums, const struct fn_planes *p, size_t each, int threads,
                      size_t *begin, size_t *end);

/* mean[c] and biased var[c] of a tensor -> stats; or of one that comes in pieces (some of its
 * images each). Nothing else may use the scratch in between. */
int fn_cpu_stats(struct fn_dev *dev, const struct fn_tensor *t, float *stats);
int fn_cpu_stats_begin(struct fn_dev *dev, int c);
void fn_cpu_stats_add(struct fn_dev *dev, const struct fn_tensor *piece, int first);
void fn_cpu_stats_end(struct fn_dev *dev, const struct fn_tensor *whole, float *stats);

/* ---- the ops, as in op.h -------------------------------------------------------------------- */
int fn_cpu_alloc(struct fn_dev *dev, size_t bytes, int kind, void **out);
void fn_cpu_free(struct fn_dev *dev, int kind, void *data);
int fn_cpu_zero(struct fn_dev *dev, void *data, size_t bytes);
int fn_cpu_copy_in(struct fn_dev *dev, void *device, const void *host, size_t bytes);
int fn_cpu_copy_out(struct fn_dev *dev, const void *device, void *host, size_t bytes);
size_t fn_cpu_tensor_bytes(const struct fn_dev *dev, int n, int h, int w, int ctotal);
int fn_cpu_tensor_import(struct fn_dev *dev, const void *host, int type, const struct fn_tensor *t);
int fn_cpu_tensor_export(struct fn_dev *dev, const struct fn_tensor *t, void *host, int type);
int fn_cpu_vector_import(struct fn_dev *dev, const void *host, int type, size_t count, void *data);
int fn_cpu_vector_export(struct fn_dev *dev, const void *data, size_t count, void *host, int type);
int fn_cpu_standardize(struct fn_dev *dev, const uint8_t *images, int per_image, int mirror,
                       const struct fn_tensor *y);

int fn_cpu_conv_plan(struct fn_dev *dev, const struct fn_conv_shape *shape, int passes,
                     struct fn_conv **plan, size_t *workspace);
void fn_cpu_conv_free(struct fn_conv **plan);
size_t fn_cpu_conv_weights(const struct fn_conv *plan);
int fn_cpu_conv_import(struct fn_dev *dev, const struct fn_conv *plan, const void *oihw, int type,
                       void *w);
int fn_cpu_conv_export(struct fn_dev *dev, const struct fn_conv *plan, const void *w, void *oihw,
                       int type);
int fn_cpu_conv_forward(struct fn_dev *dev, const struct fn_conv *plan, const struct fn_tensor *x,
                        const void *w, const struct fn_tensor *y, void *stats);
int fn_cpu_conv_backward(struct fn_dev *dev, const struct fn_conv *plan, const struct fn_tensor *x,
                         const void *w, const struct fn_tensor *dy, const struct fn_tensor *dx,
                         int accumulate, void *dw);

int fn_cpu_bn_forward(struct fn_dev *dev, const struct fn_tensor *y, const void *stats,
                      const void *beta, int relu, const struct fn_tensor *z);
int fn_cpu_bn_backward(struct fn_dev *dev, const struct fn_tensor *dz, const struct fn_tensor *y,
                       const void *stats, const void *beta, int mode, const struct fn_tensor *dy,
                       void *dbeta);
int fn_cpu_residual_forward(struct fn_dev *dev, const struct fn_tensor *x,
                            const struct fn_tensor *up, const void *bias, double scale, int relu,
                            const struct fn_tensor *out);
int fn_cpu_residual_backward(struct fn_dev *dev, const struct fn_tensor *dout,
                             const struct fn_tensor *out, double scale, int relu,
                             const struct fn_tensor *dx, const struct fn_tensor *dup, void *dbias);

int fn_cpu_maxpool_forward(struct fn_dev *dev, const struct fn_tensor *x, const struct fn_tensor *y,
                           uint8_t *index);
int fn_cpu_maxpool_backward(struct fn_dev *dev, const struct fn_tensor *dy, const uint8_t *index,
                            const struct fn_tensor *dx, int accumulate);
int fn_cpu_avgpool_forward(struct fn_dev *dev, const struct fn_tensor *x,
                           const struct fn_tensor *y);
int fn_cpu_avgpool_backward(struct fn_dev *dev, const struct fn_tensor *dy,
                            const struct fn_tensor *dx);
int fn_cpu_dropout(struct fn_dev *dev, const struct fn_tensor *x, double keep,
                   const struct fn_tensor *y);

int fn_cpu_fc_plan(struct fn_dev *dev, int n, int k, int d, size_t *workspace);
int fn_cpu_fc_forward(struct fn_dev *dev, const struct fn_tensor *x, const void *w, const void *b,
                      const struct fn_tensor *y, void *stats);
int fn_cpu_fc_backward(struct fn_dev *dev, const struct fn_tensor *x, const void *w,
                       const struct fn_tensor *dy, const struct fn_tensor *dx, int accumulate,
                       void *dw, void *db);
int fn_cpu_l2norm_forward(struct fn_dev *dev, const struct fn_tensor *x, const struct fn_tensor *e);
int fn_cpu_l2norm_backward(struct fn_dev *dev, const struct fn_tensor *x,
                           const struct fn_tensor *de, const struct fn_tensor *dx, int accumulate);

int fn_cpu_softmax_xent(struct fn_dev *dev, const struct fn_tensor *logits, const int32_t *labels,
                        int count, int backward);
int fn_cpu_margin_xent(struct fn_dev *dev, const struct fn_tensor *x, const int32_t *labels,
                       int count, const struct fn_margin *rule, int backward);
int fn_cpu_center_loss(struct fn_dev *dev, const struct fn_tensor *x, const int32_t *labels,
                       int count, const void *centers, double factor, const struct fn_tensor *dx);
int fn_cpu_center_update(struct fn_dev *dev, const struct fn_tensor *x, const int32_t *labels,
                         int count, void *centers, double alfa);
int fn_cpu_norm_loss(struct fn_dev *dev, const struct fn_tensor *x, int count, double p,
                     double factor, const struct fn_tensor *dx);
int fn_cpu_triplet_loss(struct fn_dev *dev, const struct fn_tensor *e, int count, double alpha,
                        const struct fn_tensor *de);
int fn_cpu_distances(struct fn_dev *dev, const struct fn_tensor *e, int count, float *d2);

int fn_cpu_check_finite(struct fn_dev *dev, const void *grad, size_t count);
int fn_cpu_combine(struct fn_dev *dev, void *y, double a, const void *x, double b, size_t count);
int fn_cpu_clip(struct fn_dev *dev, const struct fn_params *params, double most);
int fn_cpu_update(struct fn_dev *dev, const struct fn_params *params, const struct fn_update *rule);
int fn_cpu_update_init(struct fn_dev *dev, const struct fn_params *params, int optimizer);
int fn_cpu_update_moving(struct fn_dev *dev, const struct fn_params *params,
                         const struct fn_moving_group *groups, size_t count, double decay);

#endif
