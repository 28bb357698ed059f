/* SPDX-License-Identifier: MIT */
/* A convolution's plan: for each pass either Winograd's algorithm or a oneDNN primitive.
 *
 * Large ones run a few images at a time. What a piece leaves in the cache is then used there, by
 * the statistics of the output or by a gradient that is added to another; and the workspace is that
 * of a piece.
 *
 * In bf16 primitives read copies of the kernel, made from the arena's floats at every call: some
 * 1 % of a step of 32 images. Winograd's algorithm transforms the floats themselves. What either
 * writes is rounded once; what it adds to a gradient may be rounded before. */
#ifndef FN_KERNELS_CPU_CONV_H
#define FN_KERNELS_CPU_CONV_H

#include "kernels/cpu/winograd_conv.h"

enum fn_conv_way {
    FN_CONV_UNPLANNED = 0,
    FN_CONV_WINOGRAD,
    FN_CONV_PRIMITIVE, /* the library's primitive for the pass */
    FN_CONV_TURNED     /* input gradient: its forward primitive of dy, with the kernel turned */
};

struct fn_conv_pass {
    enum fn_conv_way way;
    struct fn_winograd_walk walk;
    struct fn_dnn_conv *conv[2];   /* for `least` images, and for one more */
    struct fn_dnn_conv *adding[2]; /* TURNED: those that add */
    size_t kernel_bytes; /* of its copy of the kernel: turned, or in bf16; 0: it reads the arena */
    size_t h, w;         /* PRIMITIVE, input gradient: what it computes of (h, w); zeros beyond */
};

/* The batch is in `pieces` pieces of `least` images, the first `longer` of them one longer. */
struct fn_conv {
    struct fn_conv_shape shape;
    struct fn_dnn *dnn;
    size_t pieces, least, longer;
    size_t x_image, y_image; /* scalars */
    size_t scalar;           /* bytes of one */
    struct fn_conv_pass forward, backward_data, backward_weights;
    size_t pass_bytes; /* of workspace, for a pass; behind it its copy of the kernel, and behind
                          that a gradient to be added */
    size_t workspace_bytes;
};

#endif
