/* SPDX-License-Identifier: MIT */
/* Gradients between the backward pass and the update: y = a y + b x over whole arenas, and clipping
 * by the global norm. The norm takes one read of what trains, in the optimizer's chunks; its root
 * stays on the device, where the second kernel finds it: a norm that is small enough costs no write
 * and no wait. Neither does anything when check_finite met a bad value in this step. */
#include "kernels/cuda/device.h"

__global__ void __launch_bounds__(FN_THREADS)
    combine_kernel(float *y, float a, const float *x, float b, size_t count)
{
    const size_t i = (size_t)blockIdx.x * FN_THREADS + threadIdx.x;
    if (i < count)
        y[i] = a == 0.0f ? b * x[i] : fmaf(a, y[i], b * x[i]);
}

__global__ void __launch_bounds__(FN_THREADS)
    norm_kernel(const fn_k_chunk *__restrict__ chunks, size_t chunk_count,
                const float *__restrict__ grad, fn_k_scratch scratch, fn_k_state *state)
{
    if (state->step.bad)
        return;
    double sum = 0;
    for (size_t k = blockIdx.x; k < chunk_count; k += gridDim.x) {
        const fn_k_chunk chunk = chunks[k];
        float squares = 0.0f;
        if (!(chunk.flags & FN_K_TRAIN))
            continue;
        for (uint32_t i = threadIdx.x; i < chunk.count; i += FN_THREADS)
            squares = fmaf(grad[chunk.begin + i], grad[chunk.begin + i], squares);
        sum += squares;
    }
    double value[1] = {fn_block_sum(sum)};
    if (fn_grid_sum<1>(value, scratch) && threadIdx.x == 0) {
        state->gradient = sqrt(value[0]);
        state->losses[FN_LOSS_GRADIENT] += state->gradient;
    }
}

__global__ void __launch_bounds__(FN_THREADS)
    scale_kernel(const fn_k_chunk *__restrict__ chunks, size_t chunk_count, float *grad,
                 double most, const fn_k_state *__restrict__ state)
{
    if (state->step.bad || !(state->gradient > most))
        return;
    const float factor = (float)(most / state->gradient);
    for (size_t k = blockIdx.x; k < chunk_count; k += gridDim.x) {
        const fn_k_chunk chunk = chunks[k];
        if (!(chunk.flags & FN_K_TRAIN))
            continue;
        for (uint32_t i = threadIdx.x; i < chunk.count; i += FN_THREADS)
            grad[chunk.begin + i] *= factor;
    }
}

int fn_k_combine(const fn_k_queue *q, float *y, double a, const float *x, double b, size_t count)
{
    return fn_launch(combine_kernel, dim3(fn_blocks(count, FN_THREADS, INT32_MAX)),
                     dim3(FN_THREADS), q->stream, y, (float)a, x, (float)b, count);
}

int fn_k_clip(const fn_k_queue *q, const fn_k_chunk *chunks, size_t chunk_count, float *grad,
              double most)
{
    const dim3 grid(fn_blocks(chunk_count, 1, FN_K_BLOCKS));
    int rc = fn_launch(norm_kernel, grid, dim3(FN_THREADS), q->stream, chunks, chunk_count,
                       (const float *)grad, q->scratch, q->state);
    return rc ? rc
              : fn_launch(scale_kernel, grid, dim3(FN_THREADS), q->stream, chunks, chunk_count,
                          grad, most, (const fn_k_state *)q->state);
}
