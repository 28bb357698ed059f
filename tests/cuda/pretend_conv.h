/* SPDX-License-Identifier: MIT */
/* The three passes of a convolution in plain C: what the pretend cuDNN computes. Sums are fp32, as
 * the library's; results are rounded to the tensors' type. One thread. */
#ifndef FN_TESTS_CUDA_PRETEND_CONV_H
#define FN_TESTS_CUDA_PRETEND_CONV_H

#include <stddef.h>
#include <stdint.h>

struct fn_pretend_conv {
    int pass; /* enum fn_pass of kernels/op.h: 1 forward, 2 data gradient, 4 weight gradient */
    int bf16;
    int accumulate;                             /* data gradient: x += */
    int64_t n, h, w, cin;                       /* x (n, h, w, cin) */
    int64_t kh, kw, stride, pad_h, pad_w, cout; /* w (cout, kh, kw, cin) */
    int64_t oh, ow;                             /* y (n, oh, ow, cout) */
};

/* Bytes of x, w and y. */
void fn_pretend_conv_bytes(const struct fn_pretend_conv *c, size_t bytes[3]);
/* Writes the one that the pass computes, or adds to it; reads the other two. */
void fn_pretend_conv_run(const struct fn_pretend_conv *c, void *const data[3]);

/* ---- pretend_gemm.c, compiled for several instruction sets ---- */

enum { FN_GEMM_ROWS = 6, FN_GEMM_OUTER = 4, FN_GEMM_WIDE = 16 };

struct fn_gemm {
    /* sums[m][j] += sum over i < count of a[m][i] b[16 i + j] */
    void (*rows)(const float *const a[FN_GEMM_ROWS], const float *b, size_t count,
                 float sums[FN_GEMM_ROWS][FN_GEMM_WIDE]);
    /* sums[m][j] += sum over i < count of a[i][m] b[i][j] */
    void (*outer)(const float *const *a, const float *const *b, size_t a_at, size_t b_at,
                  size_t count, float sums[FN_GEMM_OUTER][FN_GEMM_WIDE]);
};
extern const struct fn_gemm fn_gemm_base, fn_gemm_avx2;

#endif
