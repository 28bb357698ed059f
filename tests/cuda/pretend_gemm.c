/* SPDX-License-Identifier: MIT */
/* The inner loops of the pretend convolutions: vectors of the compiler's, as wide as the
 * instruction set that this is compiled for (FN_GEMM names the table). */
#include <string.h>

#include "tests/cuda/pretend_conv.h"

enum { LANES = 8, VECTORS = FN_GEMM_WIDE / LANES };

typedef float vector __attribute__((vector_size(LANES * sizeof(float))));

static void rows(const float *const a[FN_GEMM_ROWS], const float *b, size_t count,
                 float sums[FN_GEMM_ROWS][FN_GEMM_WIDE])
{
    vector sum[FN_GEMM_ROWS][VECTORS];
    memcpy(sum, sums, sizeof sum);
    for (size_t i = 0; i < count; i++, b += FN_GEMM_WIDE) {
        vector low, high;
        memcpy(&low, b, sizeof low);
        memcpy(&high, b + LANES, sizeof high);
#pragma GCC unroll 6
        for (int m = 0; m < FN_GEMM_ROWS; m++) {
            const float x = a[m][i];
            sum[m][0] += x * low;
            sum[m][1] += x * high;
        }
    }
    memcpy(sums, sum, sizeof sum);
}

static void outer(const float *const *a, const float *const *b, size_t a_at, size_t b_at,
                  size_t count, float sums[FN_GEMM_OUTER][FN_GEMM_WIDE])
{
    vector sum[FN_GEMM_OUTER][VECTORS];
    memcpy(sum, sums, sizeof sum);
    for (size_t i = 0; i < count; i++) {
        const float *x = a[i] + a_at;
        vector low, high;
        memcpy(&low, b[i] + b_at, sizeof low);
        memcpy(&high, b[i] + b_at + LANES, sizeof high);
#pragma GCC unroll 4
        for (int m = 0; m < FN_GEMM_OUTER; m++) {
            sum[m][0] += x[m] * low;
            sum[m][1] += x[m] * high;
        }
    }
    memcpy(sums, sum, sizeof sum);
}

const struct fn_gemm FN_GEMM = {rows, outer};
