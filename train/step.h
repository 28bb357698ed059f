/* SPDX-License-Identifier: MIT */
/* Losses on an exec, and one training step made of them.
 *
 *   softmax  logits = prelogits W + b;
 *            total = cross entropy + decay + norm_factor * norm + center_factor * center
 *   triplet  embeddings; total = mean hinge + decay
 *
 * Weight decay stands in the optimizer's pass (FN_LOSS_DECAY comes from there): gradients are
 * clipped without it.
 *
 * A batch in parts: the exec is planned for a part; the parts are computed one after the other, and
 * gradients, losses and dropout's masks are those of the whole batch. Batch norm is not: each part
 * is normalized by its own statistics, and the moving ones are fed the mean of the parts' (the mean
 * of all images, but a variance without what lies between the parts). Where no batch norm is
 * trained (fn_model_options.trainable) the step is that of the whole batch, up to rounding. */
#ifndef FN_TRAIN_STEP_H
#define FN_TRAIN_STEP_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/op.h"
#include "train/exec.h"
#include "train/triplet_online.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fn_step_options {
    int per_image; /* standardization: 0 fixed, 1 per image */
    double keep;   /* dropout's keep probability */
    /* softmax */
    double norm_factor, norm_p;
    double center_factor, center_alfa;
    struct fn_margin margin; /* its smoothing counts without a margin too */
    int parts;               /* of a batch: fn_model_options.parts; 0 as 1 */
    /* triplet */
    double alpha;
    struct fn_online
        *online; /* a batch's triplets are chosen from itself; NULL: rows are triplets */
    /* update */
    double clip; /* the gradient's global norm at most; 0: as it is */
    double bn_decay;
    struct fn_update update;
    int record; /* fn_step_train may replay a recorded step where the device can: the same bits */
};

/* From the prelogits: adds to the device's losses; with `backward` (training execs) also the
 * gradients of the head and of the prelogits. labels: on the device; only the first `count` rows
 * count. */
int fn_loss_softmax(struct fn_exec *exec, const int32_t *labels, int count,
                    const struct fn_step_options *options, int backward);
/* Rows are anchor, positive, negative; count a multiple of 3. Embeds first. */
int fn_loss_triplet(struct fn_exec *exec, int count, const struct fn_step_options *options,
                    int backward);

/* After the gradients: look for values that are not finite (then nothing below changes anything),
 * move the centers (labels NULL: no centers), the moving statistics, the weights, the EMA. */
int fn_step_update(struct fn_exec *exec, const int32_t *labels, int count,
                   const struct fn_step_options *options);

/* The whole step on an uploaded batch: step_begin to update. The loss is that of the exec's head.
 * With parts: images and labels are those of all parts (softmax only; op by op).
 * With `record`, on a device that can: the first step runs op by op, the second is recorded, and
 * from then on the recording is replayed, until addresses, options or the groups of parameters
 * change; then it begins anew. Not while the exec is profiled. */
int fn_step_train(struct fn_exec *exec, const struct fn_step *step, const uint8_t *images,
                  const int32_t *labels, const struct fn_step_options *options);

/* What a step gathered -> its losses: means of parts become the mean of them. Once, before the
 * functions below. */
void fn_step_losses(double losses[FN_LOSS_COUNT], const struct fn_step_options *options);
/* The prelogits of the last step's whole batch, until the next step. */
struct fn_tensor fn_step_prelogits(const struct fn_exec *exec,
                                   const struct fn_step_options *options);
/* From gathered losses: what is minimized. */
double fn_step_total(const double losses[FN_LOSS_COUNT], const struct fn_step_options *options);
/* RegLoss as the original prints it: decay and both factor terms. */
double fn_step_regularization(const double losses[FN_LOSS_COUNT],
                              const struct fn_step_options *options);

#ifdef __cplusplus
}
#endif
#endif
