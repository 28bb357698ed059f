/* SPDX-License-Identifier: MIT */
/* Gradients between the backward pass and the update: y = a y + b x over whole arenas, and clipping
 * by the global norm. The norm takes one read of what trains, in the optimizer's chunks; its root
 * stays on the device, where the second kernel finds it: a norm that is small enough costs no write
 * and no wait. Neither does anything when check_finite met a bad value in this step. Gradients that
 * are kept in bf16 are read and written there, each rounded once a kernel. */
#include "kernels/cuda/device.h"

__global__ void __launch_bounds__(FN_THREADS)
    combine_kernel(fn_k_runs runs, fn_k_numbers y, float a, fn_k_numbers x, float b)
{
    for (size_t k = blockIdx.x; k < runs.chunk_count; k += gridDim.x) {
        const fn_k_chunk chunk = fn_run(runs, k);
        const fn_part to = fn_part_of(y, chunk), from = fn_part_of(x, chunk);
#pragma unroll 4
        for (uint32_t i = threadIdx.x; i < chunk.count; i += FN_THREADS) {
            const float more = b * fn_part_load<1>(from, i).v[0];
            const float old = a == 0.0f ? 0.0f : fn_part_load<1>(to, i).v[0];
            fn_part_store(to, i, a == 0.0f ? more : fmaf(a, old, more));
        }
    }
}

__global__ void __launch_bounds__(FN_THREADS)
    norm_kernel(fn_k_runs runs, fn_k_numbers grad, fn_k_scratch scratch, fn_k_state *state)
{
    if (state->step.bad)
        return;
    double sum = 0;
    for (size_t k = blockIdx.x; k < runs.chunk_count; k += gridDim.x) {
        const fn_k_chunk chunk = fn_run(runs, k);
        const fn_part part = fn_part_of(grad, chunk);
        float squares = 0.0f;
        if (!(chunk.flags & FN_K_TRAIN))
            continue;
        for (uint32_t i = threadIdx.x; i < chunk.count; i += FN_THREADS) {
            const float g = fn_part_load<1>(part, i).v[0];
            squares = fmaf(g, g, squares);
        }
        sum += squares;
    }
    double value[1] = {fn_block_sum(sum)};
    if (fn_grid_sum<1>(value, scratch) && threadIdx.x == 0) {
        state->gradient = sqrt(value[0]);
        state->losses[FN_LOSS_GRADIENT] += state->gradient;
    }
}

__global__ void __launch_bounds__(FN_THREADS)
    scale_kernel(fn_k_runs runs, fn_k_numbers grad, double most,
                 const fn_k_state *__restrict__ state)
{
    if (state->step.bad || !(state->gradient > most))
        return;
    const float factor = (float)(most / state->gradient);
    for (size_t k = blockIdx.x; k < runs.chunk_count; k += gridDim.x) {
        const fn_k_chunk chunk = fn_run(runs, k);
        const fn_part part = fn_part_of(grad, chunk);
        if (!(chunk.flags & FN_K_TRAIN))
            continue;
        for (uint32_t i = threadIdx.x; i < chunk.count; i += FN_THREADS)
            fn_part_store(part, i, factor * fn_part_load<1>(part, i).v[0]);
    }
}

static dim3 grid_of(const fn_k_runs *runs)
{
    return dim3(fn_blocks(runs->chunk_count, 1, FN_K_BLOCKS));
}

int fn_k_combine(const fn_k_queue *q, const fn_k_runs *runs, fn_k_numbers y, double a,
                 fn_k_numbers x, double b)
{
    return fn_launch(combine_kernel, grid_of(runs), dim3(FN_THREADS), q->stream, *runs, y, (float)a,
                     x, (float)b);
}

int fn_k_clip(const fn_k_queue *q, const fn_k_runs *runs, fn_k_numbers grad, double most)
{
    int rc = fn_launch(norm_kernel, grid_of(runs), dim3(FN_THREADS), q->stream, *runs, grad,
                       q->scratch, q->state);
    return rc ? rc
              : fn_launch(scale_kernel, grid_of(runs), dim3(FN_THREADS), q->stream, *runs, grad,
                          most, (const fn_k_state *)q->state);
}
