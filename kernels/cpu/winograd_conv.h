/* SPDX-License-Identifier: MIT */
/* Winograd convolutions on all threads: which there are, their workspace, and running them. */
#ifndef FN_KERNELS_CPU_WINOGRAD_CONV_H
#define FN_KERNELS_CPU_WINOGRAD_CONV_H

#include "kernels/cpu/cpu.h"

/* The walk of a pass (one of enum fn_pass) over any number of images of this shape; 0: this
 * convolution is none that Winograd's algorithm serves here. The weight gradient's is that of the
 * forward pass. */
int fn_winograd_walk(const struct fn_dev *dev, const struct fn_conv_shape *shape, int pass,
                     struct fn_winograd_walk *walk);

/* Bytes of workspace for so many images. */
size_t fn_winograd_workspace(const struct fn_dev *dev, const struct fn_winograd_walk *walk,
                             int pass, size_t images);

/* y = or += the convolution of x. The input gradient is one, too: of dy, with the kernel turned. */
void fn_winograd_conv(struct fn_dev *dev, const struct fn_winograd_walk *walk, size_t images,
                      const float *x, const float *w, int turned, int add, float *y);

/* dw = the weight gradient. */
void fn_winograd_gradient(struct fn_dev *dev, const struct fn_winograd_walk *walk, size_t images,
                          const float *x, const float *dy, float *dw);

#endif
