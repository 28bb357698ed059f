/* SPDX-License-Identifier: MIT */
/* A convolution's plan: for each pass either Winograd's algorithm or a oneDNN primitive.
 *
 * Large ones run a few images at a time. What a piece leaves in the cache is then used there, by
 * the statistics of the output or by a gradient that is added to another; and the workspace is that
 * of a piece. */
#ifndef FN_KERNELS_CPU_CONV_H
#define FN_KERNELS_CPU_CONV_H

#include "kernels/cpu/winograd_conv.h"

struct fn_conv_pass {
    int planned, winograd;
    struct fn_winograd_walk walk; /* with Winograd; else */
    struct fn_dnn_conv *conv[2];  /* primitives for `least` images, and for one more */
    int trimmed; /* the primitive's x has only the rows and columns that windows reach */
};

/* The batch is in `pieces` pieces of `least` images, the first `longer` of them one longer. */
struct fn_conv {
    struct fn_conv_shape shape;
    struct fn_dnn *dnn;
    size_t pieces, least, longer;
    size_t x_image, y_image; /* floats */
    struct fn_conv_pass forward, backward_data, backward_weights;
    size_t pass_bytes; /* of workspace, for a pass; behind it a gradient to be added */
    size_t workspace_bytes;
};

/* Rows or columns that windows reach, of `in`. */
static inline int fn_conv_reached(int in, int k, int stride, int same)
{
    return same ? in : (in - k) / stride * stride + k;
}

#endif
