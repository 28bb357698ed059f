/* SPDX-License-Identifier: MIT */
/* Center loss over prelogits x (n, d) and centers (classes, d): mean of (x - c_label)^2, its
 * gradient added to dx; and the rule that moves the centers,
 *
 *     c_label -= (1 - alfa) sum of (c_label - x_i) over the rows i of that label, with c as before.
 *
 * A warp a row. Only the warp of a label's first row moves that center, for all rows of the label,
 * in their order: no two warps write the same center and the sum has one order. */
#include "kernels/cuda/device.h"

__global__ void __launch_bounds__(FN_THREADS)
    loss_kernel(const float *__restrict__ x, const int32_t *__restrict__ labels, unsigned count,
                unsigned d, const float *__restrict__ centers, float factor, float *dx,
                fn_k_scratch scratch, fn_k_state *state)
{
    const unsigned lane = threadIdx.x % 32;
    const double all = (double)count * (double)d;
    const float slope = (float)(2.0 * (double)factor / all);
    float sum = 0.0f;
    for (size_t row = blockIdx.x * FN_WARPS + threadIdx.x / 32; row < count;
         row += gridDim.x * FN_WARPS) {
        const float *center = centers + (size_t)labels[row] * d;
        for (unsigned k = lane; k < d; k += 32) {
            const float difference = x[row * d + k] - center[k];
            sum = fmaf(difference, difference, sum);
            if (dx)
                dx[row * d + k] = fmaf(slope, difference, dx[row * d + k]);
        }
    }
    double value[1] = {fn_block_sum((double)sum)};
    if (fn_grid_sum<1>(value, scratch) && threadIdx.x == 0)
        state->losses[FN_LOSS_CENTER] += value[0] / all;
}

__device__ static inline bool is_first(const int32_t *labels, unsigned row, int32_t label)
{
    bool before = false;
    for (unsigned i = threadIdx.x % 32; i < row; i += 32)
        before |= labels[i] == label;
    return !__any_sync(FN_ALL_LANES, before);
}

__global__ void __launch_bounds__(FN_THREADS)
    update_kernel(const float *__restrict__ x, const int32_t *__restrict__ labels, unsigned count,
                  unsigned d, float *centers, float share, const fn_k_state *state)
{
    const unsigned row = blockIdx.x * FN_WARPS + threadIdx.x / 32;
    if (row >= count || state->step.bad)
        return;
    const int32_t label = labels[row];
    if (!is_first(labels, row, label))
        return;
    float *center = centers + (size_t)label * d;
    for (unsigned k = threadIdx.x % 32; k < d; k += 32) {
        const float before = center[k];
        float sum = 0.0f;
        for (unsigned i = row; i < count; i++)
            if (labels[i] == label)
                sum += before - x[(size_t)i * d + k];
        center[k] = fmaf(-share, sum, before);
    }
}

int fn_k_center_loss(const fn_k_queue *q, const fn_tensor *x, const int32_t *labels, int count,
                     const float *centers, double factor, const fn_tensor *dx)
{
    const dim3 grid(fn_blocks((size_t)count, FN_WARPS, FN_K_BLOCKS));
    return fn_launch(loss_kernel, grid, dim3(FN_THREADS), q->stream, fn_first<const float>(x),
                     labels, (unsigned)count, (unsigned)x->c, centers, (float)factor,
                     dx ? fn_first<float>(dx) : nullptr, q->scratch, q->state);
}

int fn_k_center_update(const fn_k_queue *q, const fn_tensor *x, const int32_t *labels, int count,
                       float *centers, double alfa)
{
    const dim3 grid(fn_blocks((size_t)count, FN_WARPS, INT32_MAX));
    return fn_launch(update_kernel, grid, dim3(FN_THREADS), q->stream, fn_first<const float>(x),
                     labels, (unsigned)count, (unsigned)x->c, centers, (float)(1 - alfa), q->state);
}
