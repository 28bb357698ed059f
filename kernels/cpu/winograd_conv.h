/* SPDX-License-Identifier: MIT */
/* Winograd convolutions on all threads: which there are, their workspace, and running them. */
#ifndef FN_KERNELS_CPU_WINOGRAD_CONV_H
#define FN_KERNELS_CPU_WINOGRAD_CONV_H

#include "kernels/cpu/cpu.h"

/* The walk of a pass (one of enum fn_pass) over images of this shape. The weight gradient's is that
 * of the forward pass. NO: it is none that the algorithm knows. PAYS: with so many images it is
 * faster than the direct one. */
enum fn_winograd_use { FN_WINOGRAD_NO = 0, FN_WINOGRAD_POSSIBLE, FN_WINOGRAD_PAYS };
enum fn_winograd_use fn_winograd_walk(const struct fn_dev *dev, const struct fn_conv_shape *shape,
                                      int pass, struct fn_winograd_walk *walk);

/* Bytes of workspace for so many images. */
size_t fn_winograd_workspace(const struct fn_dev *dev, const struct fn_winograd_walk *walk,
                             int pass, size_t images);

/* y = or += the convolution of x. The input gradient is one, too: of dy, with the kernel turned. */
void fn_winograd_conv(struct fn_dev *dev, const struct fn_winograd_walk *walk, size_t images,
                      const void *x, const float *w, int turned, int add, void *y);

/* dw = the weight gradient. */
void fn_winograd_gradient(struct fn_dev *dev, const struct fn_winograd_walk *walk, size_t images,
                          const void *x, const void *dy, float *dw);

#endif
