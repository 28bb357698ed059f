/* SPDX-License-Identifier: MIT */
/* One convolution pass as cuDNN's backend graph API executes it: a plan. Making one needs no
 * device, only a description of the chip; running one does. Inside kernels/cuda only.
 *
 * Tensors are packed NHWC, weights (cout, kh, kw, cin); fp32, or bf16 with fp32 sums. In fp32 only
 * engines that compute in fp32 are taken (a tensor core would round the inputs to 10 bits) unless
 * that is allowed; on request only those whose results repeat bit for bit. A fully connected layer
 * is a convolution 1 x 1 over maps of one pixel; its sizes need not be multiples of anything (cuDNN
 * pads them in the workspace where an engine wants that). */
#ifndef FN_KERNELS_CUDA_PLAN_H
#define FN_KERNELS_CUDA_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/op.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cudnnContext; /* cudnnHandle_t points at it */
struct fn_plan;

/* What is to be computed. passes: one of enum fn_pass.
 * FORWARD: y from x, w. BACKWARD_DATA: x from w, y. BACKWARD_WEIGHTS: w from x, y. */
struct fn_plan_request {
    struct fn_conv_shape shape;
    int pass;
    int bf16;
    int accumulate;    /* BACKWARD_DATA only: x += */
    int allow_tf32;    /* fp32 only */
    int deterministic; /* only engines that are not noted as nondeterministic */
    const struct fn_plan_ban
        *banned; /* engines that must not be taken; used by fn_plan_open only */
    int banned_count;
};

/* An engine that gave wrong results. */
struct fn_plan_ban {
    int pass, bf16;
    int64_t engine;
};

/* A chip that is not there, described as cuDNN's JSON of device properties. NULL after close. */
int fn_plan_chip_open(void **chip, const char *json);
void fn_plan_chip_close(void **chip);

/* With a handle: for its device. With NULL: for the chip. FN_EUNSUPPORTED: cuDNN has no such plan,
 * and the sentence says for what and why. */
int fn_plan_open(struct fn_plan **plan, struct cudnnContext *handle, void *chip,
                 const struct fn_plan_request *request);
void fn_plan_close(struct fn_plan **plan);

/* Scratch it wants, bytes. */
size_t fn_plan_workspace(const struct fn_plan *plan);
/* "engine 34, heuristics, tensor cores": for a person. */
const char *fn_plan_engine(const struct fn_plan *plan);
int64_t fn_plan_engine_number(const struct fn_plan *plan);

/* Starts it on the handle's stream. Device memory, aligned to 16 bytes; the one that the pass
 * computes is written. workspace: at least the bytes it wants. */
int fn_plan_run(const struct fn_plan *plan, struct cudnnContext *handle, void *x, void *w, void *y,
                void *workspace);

#ifdef __cplusplus
}
#endif
#endif
