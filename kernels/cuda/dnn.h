/* SPDX-License-Identifier: MIT */
/* The plans of a device: one for each different request, made once, kept until the device is
 * closed; convolutions of one shape share them (401 passes of the network are 88 plans). Inside
 * kernels/cuda only. One thread. */
#ifndef FN_KERNELS_CUDA_DNN_H
#define FN_KERNELS_CUDA_DNN_H

#include "kernels/cuda/cuda.h"
#include "kernels/cuda/plan.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The plan of this pass; borrowed. passes: one of enum fn_pass; with FN_ACCUMULATE a data gradient
 * that is added to. What else a request holds (TF32, repeatable bits, engines that are not trusted)
 * is the device's. */
int fn_cuda_plan_get(struct fn_dev *dev, const struct fn_conv_shape *shape, int passes, int bf16,
                     const struct fn_plan **plan);

/* Starts it; the device's workspace is at least as large as it wants. */
int fn_cuda_plan_run(struct fn_dev *dev, const struct fn_plan *plan, const void *x, const void *w,
                     const void *y);

/* Scratch behind what a plan wants: where it begins, on a boundary that every kernel likes. */
static inline size_t fn_cuda_after(size_t bytes)
{
    return (bytes + 255) / 256 * 256;
}

#ifdef __cplusplus
}
#endif
#endif
