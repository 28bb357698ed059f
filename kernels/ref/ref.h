/* SPDX-License-Identifier: MIT */
/* The reference backend: every op as the obvious loop over plain NHWC arrays. It is the oracle of
 * the tests and runs everywhere; it is not meant to be fast, only fast enough to train the full
 * network for a few steps.
 *
 * One set of sources is compiled twice: fn_real is float, or double where FN_REF_DOUBLE is defined
 * (names64.h then gives every external name another spelling). Sums are kept in double in both.
 * The functions here are the slots of the table; kernels/op.h says what each of them does.
 *
 * Layouts: activations (n, h, w, ctotal); convolution weights as they come, (cout, cin, kh, kw). */
#ifndef FN_KERNELS_REF_REF_H
#define FN_KERNELS_REF_REF_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/op.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifdef FN_REF_DOUBLE
#include "kernels/ref/names64.h"
typedef double fn_real;
#else
typedef float fn_real;
#endif

enum {
    FN_REF_LOSS_SLOTS = 4,
    FN_REF_CHUNK = 64 /* channels whose sums are gathered together, on the stack */
};

struct fn_dev {
    struct fn_dev_info info;
    int threads;
    void *workspace;
    size_t workspace_bytes;
    struct fn_step step;
    double losses[FN_LOSS_COUNT];
    double posted[FN_REF_LOSS_SLOTS][FN_LOSS_COUNT];
    int bad; /* check_finite met a bad value since step_begin */
};

struct fn_conv {
    struct fn_conv_shape s;
    int oh, ow;       /* size of the output */
    int pad_h, pad_w; /* rows above and columns to the left */
    int threads;
    size_t row;       /* doubles of one worker's row of sums */
    size_t workspace; /* bytes: the kernel in double, then a row for each worker */
};

/* Pixels of all images; the channels of one of them. */
static inline size_t fn_ref_pixels(const struct fn_tensor *t)
{
    return (size_t)t->n * (size_t)t->h * (size_t)t->w;
}

static inline fn_real *fn_ref_pixel(const struct fn_tensor *t, size_t pixel)
{
    return (fn_real *)t->data + pixel * (size_t)t->ctotal + (size_t)t->c0;
}

static inline int fn_ref_same_shape(const struct fn_tensor *a, const struct fn_tensor *b)
{
    return a->n == b->n && a->h == b->h && a->w == b->w && a->c == b->c;
}

/* ReLU keeps NaN; its gradient is 0 at 0, as TensorFlow's. */
static inline double fn_ref_relu(double v)
{
    return v < 0 ? 0 : v;
}

/* dev.c */
int fn_ref_open(struct fn_dev **dev, const struct fn_dev_options *options);
void fn_ref_close(struct fn_dev **dev);
const struct fn_dev_info *fn_ref_info(const struct fn_dev *dev);
int fn_ref_sync(struct fn_dev *dev);
void fn_ref_workspace(struct fn_dev *dev, void *data, size_t bytes);
int fn_ref_step_begin(struct fn_dev *dev, const struct fn_step *step);
int fn_ref_batch_upload(struct fn_dev *dev, int slot, const uint8_t *images, size_t image_bytes,
                        const int32_t *labels, size_t label_count, const uint8_t **dev_images,
                        const int32_t **dev_labels);
int fn_ref_batch_use(struct fn_dev *dev, int slot);
int fn_ref_batch_release(struct fn_dev *dev, int slot, int wait);
int fn_ref_losses_post(struct fn_dev *dev, int slot);
int fn_ref_losses_wait(struct fn_dev *dev, int slot, double losses[FN_LOSS_COUNT]);

/* memory.c */
int fn_ref_alloc(struct fn_dev *dev, size_t bytes, int kind, void **out);
void fn_ref_free(struct fn_dev *dev, int kind, void *data);
int fn_ref_zero(struct fn_dev *dev, void *data, size_t bytes);
int fn_ref_write(struct fn_dev *dev, void *device, const void *host, size_t bytes);
int fn_ref_read(struct fn_dev *dev, const void *device, void *host, size_t bytes);

/* tensor.c */
size_t fn_ref_tensor_bytes(const struct fn_dev *dev, int n, int h, int w, int ctotal);
int fn_ref_tensor_import(struct fn_dev *dev, const void *host, int type, const struct fn_tensor *t);
int fn_ref_tensor_export(struct fn_dev *dev, const struct fn_tensor *t, void *host, int type);
int fn_ref_vector_import(struct fn_dev *dev, const void *host, int type, size_t count, void *data);
int fn_ref_vector_export(struct fn_dev *dev, const void *data, size_t count, void *host, int type);

/* standardize.c */
int fn_ref_standardize(struct fn_dev *dev, const uint8_t *images, int per_image, int mirror,
                       const struct fn_tensor *y);

/* conv_plan.c */
int fn_ref_conv_plan(struct fn_dev *dev, const struct fn_conv_shape *shape, int passes,
                     struct fn_conv **plan, size_t *workspace);
void fn_ref_conv_free(struct fn_conv **plan);
size_t fn_ref_conv_weights(const struct fn_conv *plan);
int fn_ref_conv_import(struct fn_dev *dev, const struct fn_conv *plan, const void *oihw, int type,
                       void *w);
int fn_ref_conv_export(struct fn_dev *dev, const struct fn_conv *plan, const void *w, void *oihw,
                       int type);

/* conv.c */
int fn_ref_conv_forward(struct fn_dev *dev, const struct fn_conv *plan, const struct fn_tensor *x,
                        const void *w, const struct fn_tensor *y, void *stats);
int fn_ref_conv_backward(struct fn_dev *dev, const struct fn_conv *plan, const struct fn_tensor *x,
                         const void *w, const struct fn_tensor *dy, const struct fn_tensor *dx,
                         int accumulate, void *dw);

/* stats.c: mean[c], then biased var[c], of every channel of y over all pixels. */
void fn_ref_stats(const struct fn_tensor *y, fn_real *stats);

/* bn.c */
int fn_ref_bn_forward(struct fn_dev *dev, const struct fn_tensor *y, const void *stats,
                      const void *beta, int relu, const struct fn_tensor *z);
int fn_ref_bn_backward(struct fn_dev *dev, const struct fn_tensor *dz, const struct fn_tensor *y,
                       const void *stats, const void *beta, int mode, const struct fn_tensor *dy,
                       void *dbeta);

/* residual.c */
int fn_ref_residual_forward(struct fn_dev *dev, const struct fn_tensor *x,
                            const struct fn_tensor *up, const void *bias, double scale, int relu,
                            const struct fn_tensor *out);
int fn_ref_residual_backward(struct fn_dev *dev, const struct fn_tensor *dout,
                             const struct fn_tensor *out, double scale, int relu,
                             const struct fn_tensor *dx, const struct fn_tensor *dup, void *dbias);

/* pool.c */
int fn_ref_maxpool_forward(struct fn_dev *dev, const struct fn_tensor *x, const struct fn_tensor *y,
                           uint8_t *index);
int fn_ref_maxpool_backward(struct fn_dev *dev, const struct fn_tensor *dy, const uint8_t *index,
                            const struct fn_tensor *dx, int accumulate);
int fn_ref_avgpool_forward(struct fn_dev *dev, const struct fn_tensor *x,
                           const struct fn_tensor *y);
int fn_ref_avgpool_backward(struct fn_dev *dev, const struct fn_tensor *dy,
                            const struct fn_tensor *dx);

/* dropout.c */
int fn_ref_dropout(struct fn_dev *dev, const struct fn_tensor *x, double keep,
                   const struct fn_tensor *y);

/* fc.c */
int fn_ref_fc_plan(struct fn_dev *dev, int n, int k, int d, size_t *workspace);
int fn_ref_fc_forward(struct fn_dev *dev, const struct fn_tensor *x, const void *w, const void *b,
                      const struct fn_tensor *y, void *stats);
int fn_ref_fc_backward(struct fn_dev *dev, const struct fn_tensor *x, const void *w,
                       const struct fn_tensor *dy, const struct fn_tensor *dx, int accumulate,
                       void *dw, void *db);

/* l2norm.c */
int fn_ref_l2norm_forward(struct fn_dev *dev, const struct fn_tensor *x, const struct fn_tensor *e);
int fn_ref_l2norm_backward(struct fn_dev *dev, const struct fn_tensor *x,
                           const struct fn_tensor *de, const struct fn_tensor *dx, int accumulate);

/* softmax.c */
int fn_ref_softmax_xent(struct fn_dev *dev, const struct fn_tensor *logits, const int32_t *labels,
                        int count, int backward);

/* margin.c */
int fn_ref_margin_xent(struct fn_dev *dev, const struct fn_tensor *x, const int32_t *labels,
                       int count, const struct fn_margin *rule, int backward);

/* center.c */
int fn_ref_center_loss(struct fn_dev *dev, const struct fn_tensor *x, const int32_t *labels,
                       int count, const void *centers, double factor, const struct fn_tensor *dx);
int fn_ref_center_update(struct fn_dev *dev, const struct fn_tensor *x, const int32_t *labels,
                         int count, void *centers, double alfa);

/* norm_loss.c */
int fn_ref_norm_loss(struct fn_dev *dev, const struct fn_tensor *x, int count, double p,
                     double factor, const struct fn_tensor *dx);

/* triplet.c */
int fn_ref_triplet_loss(struct fn_dev *dev, const struct fn_tensor *e, int count, double alpha,
                        const struct fn_tensor *de);
int fn_ref_distances(struct fn_dev *dev, const struct fn_tensor *e, int count, float *d2);

/* optim.c */
int fn_ref_check_finite(struct fn_dev *dev, const void *grad, size_t count);
int fn_ref_update(struct fn_dev *dev, const struct fn_params *params, const struct fn_update *rule);
int fn_ref_update_init(struct fn_dev *dev, const struct fn_params *params, int optimizer);

/* gradient.c */
int fn_ref_combine(struct fn_dev *dev, void *y, double a, const void *x, double b, size_t count);
int fn_ref_clip(struct fn_dev *dev, const struct fn_params *params, double most);

/* moving.c */
int fn_ref_update_moving(struct fn_dev *dev, const struct fn_params *params,
                         const struct fn_moving_group *groups, size_t count, double decay);

#ifdef __cplusplus
}
#endif
#endif
