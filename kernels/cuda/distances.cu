/* SPDX-License-Identifier: MIT */
/* Squared Euclidean distances of all pairs of rows: e (n, d) -> d2 (n, n), as sums of (a - b)^2, so
 * that near pairs keep their digits and the diagonal is 0.
 *
 * A block of 16 x 16 threads makes a square of 64 x 64 pairs on or below the diagonal, and its
 * mirror image; a thread 4 x 4 of them in registers. 16 numbers of 64 + 64 rows at a time lie in
 * shared memory, one column beyond for stores without bank conflicts. 1,800 x 512: 1.7 G
 * differences, 435 blocks. */
#include "kernels/cuda/device.h"

enum { SIDE = 16, EACH = 4, ROWS = SIDE * EACH, DEEP = 16 };

/* Rows [first, first + ROWS), columns [k, k + DEEP) of e; zeros where there are none: the same on
 * both sides, so they add nothing. */
__device__ static inline void fetch(const float *e, unsigned n, unsigned d, unsigned first,
                                    unsigned k, float (*to)[ROWS + 1])
{
    for (unsigned i = threadIdx.x; i < ROWS * DEEP; i += SIDE * SIDE) {
        const unsigned row = first + i / DEEP, column = k + i % DEEP;
        to[i % DEEP][i / DEEP] = row < n && column < d ? e[(size_t)row * d + column] : 0.0f;
    }
}

__global__ void __launch_bounds__(SIDE *SIDE, 2)
    distances_kernel(const float *__restrict__ e, unsigned n, unsigned d, float *__restrict__ d2)
{
    FN_SHARED(float, a, [DEEP][ROWS + 1]);
    FN_SHARED(float, b, [DEEP][ROWS + 1]);
    const unsigned x = threadIdx.x % SIDE, y = threadIdx.x / SIDE;
    if (blockIdx.x > blockIdx.y)
        return;
    float sum[EACH][EACH] = {};
    for (unsigned k = 0; k < d; k += DEEP) {
        fetch(e, n, d, blockIdx.y * ROWS, k, a);
        fetch(e, n, d, blockIdx.x * ROWS, k, b);
        __syncthreads();
#pragma unroll
        for (int i = 0; i < DEEP; i++)
#pragma unroll
            for (int r = 0; r < EACH; r++)
#pragma unroll
                for (int s = 0; s < EACH; s++) {
                    const float difference =
                        a[i][y + (unsigned)r * SIDE] - b[i][x + (unsigned)s * SIDE];
                    sum[r][s] = fmaf(difference, difference, sum[r][s]);
                }
        __syncthreads();
    }
#pragma unroll
    for (int r = 0; r < EACH; r++)
#pragma unroll
        for (int s = 0; s < EACH; s++) {
            const unsigned row = blockIdx.y * ROWS + y + (unsigned)r * SIDE;
            const unsigned column = blockIdx.x * ROWS + x + (unsigned)s * SIDE;
            if (row >= n || column >= n)
                continue;
            d2[(size_t)row * n + column] = sum[r][s];
            if (blockIdx.x != blockIdx.y)
                d2[(size_t)column * n + row] = sum[r][s];
        }
}

int fn_k_distances(const fn_k_queue *q, const fn_tensor *e, int count, float *d2)
{
    const unsigned squares = fn_blocks((size_t)count, ROWS, INT32_MAX);
    return fn_launch(distances_kernel, dim3(squares, squares), dim3(SIDE * SIDE), q->stream,
                     fn_first<const float>(e), (unsigned)count, (unsigned)e->c, d2);
}
