/* SPDX-License-Identifier: MIT */
/* All that is asked of oneDNN, and the only place that knows its types (onednn.c; the v2
 * interface).
 *
 * Layouts, with B channels in a block: activations nChwBc, the image (3 channels) nchw; kernels
 * OIhwBiBo, those of the image Ohwi Bo. They depend on the channel counts alone, so that every
 * plan, whatever its batch, reads the same weights, and kernels that lie side by side in the arena
 * and differ only in cout are one kernel of their sum. A pass that wants its weights in another
 * layout gets a copy in the workspace when it runs.
 *
 * In bf16 (`narrow`) activations and the weights that are read are bf16, sums and weight gradients
 * floats. Kernels are read as blocks of (I/2)O2I for forward, (O/2)I2O for the input gradient: the
 * caller makes them. Only those of the image are read as floats, from the arena. */
#ifndef FN_KERNELS_CPU_ONEDNN_H
#define FN_KERNELS_CPU_ONEDNN_H

#include <stddef.h>

#include "kernels/op.h"

struct fn_dnn;      /* engine and stream */
struct fn_dnn_conv; /* one pass of one convolution */

/* The library's instruction sets, as far as the layouts and our own loops care. */
enum fn_dnn_isa { FN_DNN_BASE = 0, FN_DNN_AVX2, FN_DNN_AVX512 };

int fn_dnn_open(struct fn_dnn **dnn);
void fn_dnn_close(struct fn_dnn **dnn);
int fn_dnn_block(const struct fn_dnn *dnn); /* B: 8 or 16 */
enum fn_dnn_isa fn_dnn_isa(void);           /* ONEDNN_MAX_CPU_ISA counted */
const char *fn_dnn_isa_name(void);          /* "avx512_core_bf16": all that the library may use */
int fn_dnn_bf16(void);                      /* AVX-512 and products of bf16 */
const char *fn_dnn_version(void);           /* "2.6.3" */

/* Elements of a kernel in the arena, and copies from and to plain OIHW floats. */
size_t fn_dnn_weights(const struct fn_dnn *dnn, const struct fn_conv_shape *shape);
int fn_dnn_weights_import(struct fn_dnn *dnn, const struct fn_conv_shape *shape, const float *oihw,
                          float *w);
int fn_dnn_weights_export(struct fn_dnn *dnn, const struct fn_conv_shape *shape, const float *w,
                          float *oihw);

/* pass: one of enum fn_pass. how: or of these. Threads: those of OpenMP, now and when it runs. */
enum fn_dnn_how {
    FN_DNN_ADD = 1, /* FORWARD only: the result is added to what y holds */
    FN_DNN_NARROW = 2
};
int fn_dnn_conv_open(struct fn_dnn *dnn, const struct fn_conv_shape *shape, int pass, int how,
                     struct fn_dnn_conv **conv);
void fn_dnn_conv_close(struct fn_dnn_conv **conv);
size_t fn_dnn_conv_workspace(const struct fn_dnn_conv *conv); /* bytes */
const char *fn_dnn_conv_kind(const struct fn_dnn_conv *conv); /* "jit:avx2": the library's name */
/* x, w, y: two are read and one is written, as the pass says (gradients in their places). */
int fn_dnn_conv_run(struct fn_dnn *dnn, const struct fn_dnn_conv *conv, const void *x,
                    const void *w, const void *y, void *workspace);

/* Row-major C (m, n) = op(A) op(B) + keep C; op transposes where asked. lda, ldb, ldc: elements
 * from one row to the next as the matrices are stored. */
struct fn_dnn_matmul {
    int transpose_a, transpose_b;
    size_t m, n, k;
    size_t lda, ldb, ldc;
    float keep; /* 0 or 1 */
};
int fn_dnn_sgemm(const struct fn_dnn_matmul *shape, const float *a, const float *b, float *c);

#endif
