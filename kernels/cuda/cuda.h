/* SPDX-License-Identifier: MIT */
/* The CUDA backend's host side: which file fills which slots of the table (kernels/op.h says what
 * they do), and the device they share. Inside kernels/cuda only; no header of NVIDIA's is needed
 * here, so that tests can put an emulated device in the place of the real one.
 *
 * Layouts: activations (n, h, w, ctotal), fp32 or bf16; rows (n, 1, 1, d), parameters and all else
 * fp32. Convolution weights (cout, kh, kw, cin). */
#ifndef FN_KERNELS_CUDA_CUDA_H
#define FN_KERNELS_CUDA_CUDA_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/cuda/kernels.h"
#include "kernels/op.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    FN_CUDA_LOSS_SLOTS = 4,
    FN_CUDA_MOVING = 4 /* tables of moving statistics: batch sizes in use at a time */
};

/* A table on the device, and the host's array that it was made from. */
struct fn_cuda_table {
    void *key; /* malloc'd copy */
    size_t key_bytes;
    void *data; /* device memory; NULL: not made yet */
    size_t count;
};

struct fn_cuda_runtime; /* streams, events, pinned memory: the device's own */
struct fn_cuda_dnn;     /* the convolution library's handle, and all plans */

/* bf16 beside the arenas of the bound model, element by element; the parts of convolutions' weights
 * are in use, the rest is 0. */
struct fn_cuda_shadow {
    const float *w, *grad; /* the arenas; grad NULL: no training */
    size_t trained;        /* elements */
    uint16_t *w16, *grad16;
};

struct fn_dev {
    struct fn_dev_info info;
    int bf16; /* activations are */
    int allow_tf32, deterministic;
    struct fn_k_queue queue;
    void *workspace; /* the caller's, for convolutions */
    size_t workspace_bytes;
    struct fn_cuda_table chunks, moving[FN_CUDA_MOVING];
    unsigned moving_next;
    struct fn_cuda_shadow shadow; /* w NULL: none */
    float *distances;             /* device memory, grows */
    size_t distances_bytes;
    uint64_t moves; /* changes of addresses that a recording may hold */
    struct fn_cuda_runtime *runtime;
    struct fn_cuda_dnn *dnn;
};

/* Type of the numbers of t: enum fn_k_type. Rows are fp32 always. */
static inline int fn_cuda_type(const struct fn_dev *dev, const struct fn_tensor *t)
{
    return dev->bf16 && (t->h > 1 || t->w > 1) ? FN_K_BF16 : FN_K_F32;
}

static inline int fn_cuda_same_shape(const struct fn_tensor *a, const struct fn_tensor *b)
{
    return a->n == b->n && a->h == b->h && a->w == b->w && a->c == b->c;
}

static inline int fn_cuda_is_row(const struct fn_tensor *t)
{
    return t->h == 1 && t->w == 1;
}

/* Rows without a gap between them. */
static inline int fn_cuda_is_rows(const struct fn_tensor *t)
{
    return fn_cuda_is_row(t) && t->c0 == 0 && t->ctotal == t->c;
}

/* Of the device: 0 -> FN_OK; a cudaError_t -> FN_EDEVICE, and the sentence says what failed and
 * what CUDA calls it. */
int fn_cuda_result(int error, const char *what);

/* Of the device: its slots of the table. */
int fn_cuda_open(struct fn_dev **dev, const struct fn_dev_options *options);
void fn_cuda_close(struct fn_dev **dev);
const struct fn_dev_info *fn_cuda_info(const struct fn_dev *dev);
int fn_cuda_sync(struct fn_dev *dev);
int fn_cuda_alloc(struct fn_dev *dev, size_t bytes, int kind, void **out);
void fn_cuda_free(struct fn_dev *dev, int kind, void *data);
int fn_cuda_zero(struct fn_dev *dev, void *data, size_t bytes);
int fn_cuda_write(struct fn_dev *dev, void *device, const void *host, size_t bytes);
int fn_cuda_read(struct fn_dev *dev, const void *device, void *host, size_t bytes);
void fn_cuda_workspace(struct fn_dev *dev, void *data, size_t bytes);
int fn_cuda_step_begin(struct fn_dev *dev, const struct fn_step *step);
int fn_cuda_batch_upload(struct fn_dev *dev, int slot, const uint8_t *images, size_t image_bytes,
                         const int32_t *labels, size_t label_count, const uint8_t **dev_images,
                         const int32_t **dev_labels);
int fn_cuda_batch_use(struct fn_dev *dev, int slot);
int fn_cuda_batch_release(struct fn_dev *dev, int slot, int wait);
int fn_cuda_losses_post(struct fn_dev *dev, int slot);
int fn_cuda_losses_wait(struct fn_dev *dev, int slot, double losses[FN_LOSS_COUNT]);
int fn_cuda_idle(struct fn_dev *dev, int slot, double *seconds);
int fn_cuda_record_begin(struct fn_dev *dev);
int fn_cuda_record_end(struct fn_dev *dev, struct fn_recording **out);
int fn_cuda_replay(struct fn_dev *dev, const struct fn_recording *recording);
void fn_cuda_record_free(struct fn_recording **recording);
size_t fn_cuda_record_nodes(const struct fn_recording *recording);

/* Of the convolution library: convolutions (conv.c) and matrix products (fc.c). */
int fn_cuda_conv_plan(struct fn_dev *dev, const struct fn_conv_shape *shape, int passes,
                      struct fn_conv **plan, size_t *workspace);
void fn_cuda_conv_free(struct fn_conv **plan);
size_t fn_cuda_conv_weights(const struct fn_conv *plan);
int fn_cuda_conv_import(struct fn_dev *dev, const struct fn_conv *plan, const void *oihw, int type,
                        void *w);
int fn_cuda_conv_export(struct fn_dev *dev, const struct fn_conv *plan, const void *w, void *oihw,
                        int type);
int fn_cuda_conv_forward(struct fn_dev *dev, const struct fn_conv *plan, const struct fn_tensor *x,
                         const void *w, const struct fn_tensor *y, void *stats);
int fn_cuda_conv_backward(struct fn_dev *dev, const struct fn_conv *plan, const struct fn_tensor *x,
                          const void *w, const struct fn_tensor *dy, const struct fn_tensor *dx,
                          int accumulate, void *dw);
int fn_cuda_fc_plan(struct fn_dev *dev, int n, int k, int d, size_t *workspace);
int fn_cuda_fc_forward(struct fn_dev *dev, const struct fn_tensor *x, const void *w, const void *b,
                       const struct fn_tensor *y, void *stats);
int fn_cuda_fc_backward(struct fn_dev *dev, const struct fn_tensor *x, const void *w,
                        const struct fn_tensor *dy, const struct fn_tensor *dx, int accumulate,
                        void *dw, void *db);
int fn_cuda_distrust(struct fn_dev *dev, int wrong);

/* shadow.c */
size_t fn_cuda_shadow_bytes(const struct fn_dev *dev, const struct fn_params *params, int training);
int fn_cuda_shadow_bind(struct fn_dev *dev, const struct fn_params *params, void *data);
/* These `bytes` at `data` were written: the copies of what is a weight there follow. */
int fn_cuda_shadow_refresh(struct fn_dev *dev, const void *data, size_t bytes);
/* The bf16 copy of weights, the bf16 gradient of an address in the gradient's arena; NULL: none. */
uint16_t *fn_cuda_shadow_w(const struct fn_dev *dev, const void *w);
uint16_t *fn_cuda_shadow_grad(const struct fn_dev *dev, const void *dw);

/* tensor.c */
size_t fn_cuda_tensor_bytes(const struct fn_dev *dev, int n, int h, int w, int ctotal);
int fn_cuda_tensor_import(struct fn_dev *dev, const void *host, int type,
                          const struct fn_tensor *t);
int fn_cuda_tensor_export(struct fn_dev *dev, const struct fn_tensor *t, void *host, int type);
int fn_cuda_vector_import(struct fn_dev *dev, const void *host, int type, size_t count, void *data);
int fn_cuda_vector_export(struct fn_dev *dev, const void *data, size_t count, void *host, int type);

/* layers.c */
int fn_cuda_standardize(struct fn_dev *dev, const uint8_t *images, int per_image, int mirror,
                        const struct fn_tensor *y);
int fn_cuda_stats(struct fn_dev *dev, const struct fn_tensor *y, void *stats);
int fn_cuda_bn_forward(struct fn_dev *dev, const struct fn_tensor *y, const void *stats,
                       const void *beta, int relu, const struct fn_tensor *z);
int fn_cuda_bn_backward(struct fn_dev *dev, const struct fn_tensor *dz, const struct fn_tensor *y,
                        const void *stats, const void *beta, int mode, const struct fn_tensor *dy,
                        void *dbeta);
int fn_cuda_residual_forward(struct fn_dev *dev, const struct fn_tensor *x,
                             const struct fn_tensor *up, const void *bias, double scale, int relu,
                             const struct fn_tensor *out);
int fn_cuda_residual_backward(struct fn_dev *dev, const struct fn_tensor *dout,
                              const struct fn_tensor *out, double scale, int relu,
                              const struct fn_tensor *dx, const struct fn_tensor *dup, void *dbias);
int fn_cuda_maxpool_forward(struct fn_dev *dev, const struct fn_tensor *x,
                            const struct fn_tensor *y, uint8_t *index);
int fn_cuda_maxpool_backward(struct fn_dev *dev, const struct fn_tensor *dy, const uint8_t *index,
                             const struct fn_tensor *dx, int accumulate);
int fn_cuda_avgpool_forward(struct fn_dev *dev, const struct fn_tensor *x,
                            const struct fn_tensor *y);
int fn_cuda_avgpool_backward(struct fn_dev *dev, const struct fn_tensor *dy,
                             const struct fn_tensor *dx);
int fn_cuda_dropout(struct fn_dev *dev, const struct fn_tensor *x, double keep,
                    const struct fn_tensor *y);

/* losses.c */
int fn_cuda_l2norm_forward(struct fn_dev *dev, const struct fn_tensor *x,
                           const struct fn_tensor *e);
int fn_cuda_l2norm_backward(struct fn_dev *dev, const struct fn_tensor *x,
                            const struct fn_tensor *de, const struct fn_tensor *dx, int accumulate);
int fn_cuda_softmax_xent(struct fn_dev *dev, const struct fn_tensor *logits, const int32_t *labels,
                         int count, int backward);
int fn_cuda_margin_xent(struct fn_dev *dev, const struct fn_tensor *x, const int32_t *labels,
                        int count, const struct fn_margin *rule, int backward);
int fn_cuda_center_loss(struct fn_dev *dev, const struct fn_tensor *x, const int32_t *labels,
                        int count, const void *centers, double factor, const struct fn_tensor *dx);
int fn_cuda_center_update(struct fn_dev *dev, const struct fn_tensor *x, const int32_t *labels,
                          int count, void *centers, double alfa);
int fn_cuda_norm_loss(struct fn_dev *dev, const struct fn_tensor *x, int count, double p,
                      double factor, const struct fn_tensor *dx);
int fn_cuda_triplet_loss(struct fn_dev *dev, const struct fn_tensor *e, int count, double alpha,
                         const struct fn_tensor *de);
int fn_cuda_distances(struct fn_dev *dev, const struct fn_tensor *e, int count, float *d2);

/* update.c */
int fn_cuda_check_finite(struct fn_dev *dev, const void *grad, size_t count);
int fn_cuda_combine(struct fn_dev *dev, void *y, double a, const void *x, double b, size_t count);
int fn_cuda_clip(struct fn_dev *dev, const struct fn_params *params, double most);
int fn_cuda_update(struct fn_dev *dev, const struct fn_params *params,
                   const struct fn_update *rule);
int fn_cuda_update_init(struct fn_dev *dev, const struct fn_params *params, int optimizer);
int fn_cuda_update_moving(struct fn_dev *dev, const struct fn_params *params,
                          const struct fn_moving_group *groups, size_t count, double decay);
/* The table of these groups' chunks, made anew where they have changed. */
int fn_cuda_tables_plan(struct fn_dev *dev, const struct fn_params *params);
/* The tables' memory; before the device is closed. */
void fn_cuda_tables_free(struct fn_dev *dev);
/* What a step's scalars are made of, for fn_cuda_step_begin. */
struct fn_k_step fn_cuda_step_of(const struct fn_step *step);

extern const struct fn_backend fn_backend_cuda;

#ifdef __cplusplus
}
#endif
#endif
