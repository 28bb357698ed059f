/* SPDX-License-Identifier: MIT */
/* A network planned for one batch size: convolution plans, one memory plan for all activations and
 * their gradients, and the walks over the nodes. Training and evaluation are execs of one model:
 * they share parameters, activations and workspace, so only one of them is between forward and
 * backward at a time.
 *
 *     fn_exec_images(x, images, ...);      u8 -> standardized
 *     fn_exec_forward(x, keep);            -> prelogits
 *     fn_exec_embed(x);                    -> embeddings
 *     fn_loss_...(x, ...)                  step.h: fills the gradient of the prelogits
 *     fn_exec_backward(x, keep);           -> gradients of all parameters
 *
 * Calls return when the work is queued on the device. One thread. */
#ifndef FN_TRAIN_EXEC_H
#define FN_TRAIN_EXEC_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/op.h"
#include "train/model.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fn_exec;

enum fn_head { FN_HEAD_NONE = 0 /* prelogits, embeddings */, FN_HEAD_SOFTMAX, FN_HEAD_TRIPLET };

struct fn_exec_options {
    int n;        /* images in a batch, >= 1 */
    int training; /* batch statistics, saved activations and gradients */
    int head;     /* enum fn_head; SOFTMAX wants a net with classes */
};

/* The exec belongs to the model and goes with it. Before fn_model_commit; or after it, if it wants
 * no more activations than were allocated (FN_ELIMIT); a larger workspace is allocated then: a
 * small batch can want another algorithm. */
int fn_exec_open(struct fn_exec **exec, struct fn_model *model,
                 const struct fn_exec_options *options);
/* Closes the exec that was opened last, if it is not the model's only one: for the odd batch size
 * that comes once. Its device must be done with it (sync). NULL is fine. */
void fn_exec_release(struct fn_exec **exec);
const struct fn_exec_options *fn_exec_get_options(const struct fn_exec *exec);

/* Activation bytes that an exec of these options would want, without planning convolutions. */
int fn_exec_activation_bytes(const struct fn_model *model, const struct fn_exec_options *options,
                             size_t *bytes);

/* Standardize n u8 images (n, h, w, 3) on the device (as batch_upload gave them). */
int fn_exec_images(struct fn_exec *exec, const uint8_t *dev_images, int per_image, int mirror);

/* All nodes. keep: dropout's keep probability, 1 in evaluation. Training: fn_step's seed and step
 * address the mask, so step_begin comes first. */
int fn_exec_forward(struct fn_exec *exec, double keep);
int fn_exec_embed(struct fn_exec *exec); /* embeddings = l2norm(prelogits) */

/* From the gradient of the prelogits to those of all parameters. keep as in forward. The saved
 * activations are used up. */
int fn_exec_backward(struct fn_exec *exec, double keep);

/* moving = decay moving + (1 - decay) statistics of the last forward. */
int fn_exec_update_moving(struct fn_exec *exec, double decay);

/* Rows on the device, (n, 1, 1, d). LOGITS: SOFTMAX heads; the gradients: training. */
enum fn_exec_rows {
    FN_ROWS_PRELOGITS = 0,
    FN_ROWS_EMBEDDINGS,
    FN_ROWS_LOGITS,
    FN_ROWS_D_PRELOGITS,
    FN_ROWS_D_EMBEDDINGS,
    FN_ROWS_COUNT
};
const struct fn_tensor *fn_exec_rows(const struct fn_exec *exec, int which);
struct fn_model *fn_exec_model(const struct fn_exec *exec);

/* Time of each kind of op, with a sync after every op: slower, but says where the time goes. NULL
 * ends it. The struct is the caller's and must live until then. */
enum fn_profile_row {
    FN_PROFILE_INPUT = 0,
    FN_PROFILE_CONV_FORWARD,
    FN_PROFILE_CONV_BACKWARD,
    FN_PROFILE_BN_FORWARD,
    FN_PROFILE_BN_BACKWARD,
    FN_PROFILE_RESIDUAL,
    FN_PROFILE_POOL,
    FN_PROFILE_FC,
    FN_PROFILE_LOSS,
    FN_PROFILE_UPDATE,
    FN_PROFILE_COUNT
};
struct fn_profile {
    double seconds[FN_PROFILE_COUNT];
    uint64_t calls[FN_PROFILE_COUNT];
    /* The same of every node, [net->node_count][FN_PROFILE_COUNT]; NULL where not wanted. */
    double (*node_seconds)[FN_PROFILE_COUNT];
    int node; /* being run, -1: none; the walks set it */
};
const char *fn_profile_name(int row);
void fn_exec_profile(struct fn_exec *exec, struct fn_profile *profile);
/* Kernels, copies and fills of the step that fn_step_train recorded; 0: there is none. */
size_t fn_exec_recorded(const struct fn_exec *exec);
/* Around a call that is not one of the walks': begin returns the time, end adds to `row`. */
double fn_profile_begin(struct fn_exec *exec);
int fn_profile_end(struct fn_exec *exec, int row, double begin, int rc);

#ifdef __cplusplus
}
#endif
#endif
