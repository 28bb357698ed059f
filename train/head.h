/* SPDX-License-Identifier: MIT */
/* The softmax head of an exec: from prelogits to logits and their loss, and back.
 *
 *   no margin   logits = prelogits W^T + b
 *   margin      cosines = e d^T with e = prelogits / |prelogits|, d = W / |W| by row; the margin
 * and the scale are the loss's (struct fn_margin). b gets no gradient: it stays what it is
 *
 * Calls return when the work is queued. Only execs of FN_HEAD_SOFTMAX; with a margin, only of
 * models opened with `normalized`. */
#ifndef FN_TRAIN_HEAD_H
#define FN_TRAIN_HEAD_H

#include <stdint.h>

#include "kernels/op.h"
#include "train/exec.h"

#ifdef __cplusplus
extern "C" {
#endif

/* FN_ROWS_LOGITS of the prelogits. */
int fn_head_forward(struct fn_exec *exec, const struct fn_margin *margin);
/* FN_LOSS_XENT, FN_LOSS_CORRECT of the first `count` rows; with `backward` the logits become their
 * gradient. Without, they may be anything afterwards. labels: on the device. */
int fn_head_loss(struct fn_exec *exec, const int32_t *labels, int count,
                 const struct fn_margin *margin, int backward);
/* From there to the gradients of the head and of the prelogits (overwritten). */
int fn_head_backward(struct fn_exec *exec, const struct fn_margin *margin);

#ifdef __cplusplus
}
#endif
#endif
