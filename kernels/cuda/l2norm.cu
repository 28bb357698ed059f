/* SPDX-License-Identifier: MIT */
/* Rows of length 1: e = x r, r = 1 / sqrt(max(sum of x^2, 1e-10)), x (n, d); backward
 *
 *     dx = r (de - e (e . de)),   or r de where the 1e-10 was taken (r is then a constant)
 *
 * A warp a row (d is 128 or 512): sums by shuffles, the row read again from the cache. */
#include "kernels/cuda/device.h"

#define LEAST 1e-10f /* epsilon of tf.nn.l2_normalize in the original network */

__device__ static inline size_t row_here(void)
{
    return (size_t)blockIdx.x * FN_WARPS + threadIdx.x / 32;
}

__device__ static inline float sum_of_squares(const float *x, unsigned d)
{
    float sum = 0.0f;
    for (unsigned k = threadIdx.x % 32; k < d; k += 32)
        sum = fmaf(x[k], x[k], sum);
    return fn_warp_sum(sum);
}

/* x may be e. */
__global__ void __launch_bounds__(FN_THREADS)
    forward_kernel(const float *x, unsigned n, unsigned d, float *e)
{
    const size_t row = row_here();
    if (row >= n)
        return;
    x += row * d;
    e += row * d;
    const float sum = sum_of_squares(x, d);
    const float r = 1.0f / sqrtf(sum < LEAST ? LEAST : sum);
    for (unsigned k = threadIdx.x % 32; k < d; k += 32)
        e[k] = x[k] * r;
}

/* dx may be de. */
__global__ void __launch_bounds__(FN_THREADS)
    backward_kernel(const float *__restrict__ x, const float *de, unsigned n, unsigned d, float *dx,
                    int accumulate)
{
    const size_t row = row_here();
    if (row >= n)
        return;
    x += row * d;
    de += row * d;
    dx += row * d;
    const float sum = sum_of_squares(x, d);
    const float r = 1.0f / sqrtf(sum < LEAST ? LEAST : sum);
    float dot = 0.0f;
    for (unsigned k = threadIdx.x % 32; k < d; k += 32)
        dot = fmaf(x[k] * r, de[k], dot);
    dot = fn_warp_sum(dot);
    if (sum < LEAST)
        dot = 0.0f;
    for (unsigned k = threadIdx.x % 32; k < d; k += 32) {
        const float g = r * (de[k] - x[k] * r * dot);
        dx[k] = accumulate ? dx[k] + g : g;
    }
}

static dim3 grid_of(const fn_tensor *x)
{
    return dim3(fn_blocks((size_t)x->n, FN_WARPS, INT32_MAX));
}

int fn_k_l2norm_forward(const fn_k_queue *q, const fn_tensor *x, const fn_tensor *e)
{
    return fn_launch(forward_kernel, grid_of(x), dim3(FN_THREADS), q->stream,
                     fn_first<const float>(x), (unsigned)x->n, (unsigned)x->c, fn_first<float>(e));
}

int fn_k_l2norm_backward(const fn_k_queue *q, const fn_tensor *x, const fn_tensor *de,
                         const fn_tensor *dx, int accumulate)
{
    return fn_launch(backward_kernel, grid_of(x), dim3(FN_THREADS), q->stream,
                     fn_first<const float>(x), fn_first<const float>(de), (unsigned)x->n,
                     (unsigned)x->c, fn_first<float>(dx), accumulate);
}
