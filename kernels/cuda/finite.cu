/* SPDX-License-Identifier: MIT */
/* Counts the numbers of a gradient that are not finite, and the losses that are not, into
 * FN_LOSS_BAD, and raises the flag that makes the updates of this step do nothing. One launch, one
 * read of the gradient, fp32 and bf16 by chunks; no wait. A number is not finite when all bits of
 * its exponent are set. */
#include "kernels/cuda/device.h"

__device__ static inline unsigned is_bad(float x)
{
    return (__float_as_uint(x) & 0x7f800000u) == 0x7f800000u;
}

__global__ void __launch_bounds__(FN_THREADS)
    finite_kernel(fn_k_runs runs, fn_k_numbers grad, fn_k_scratch scratch, fn_k_state *state)
{
    unsigned bad = 0;
    for (size_t k = blockIdx.x; k < runs.chunk_count; k += gridDim.x) {
        const fn_k_chunk chunk = fn_run(runs, k);
        const fn_part part = fn_part_of(grad, chunk);
        const uint32_t whole = chunk.begin % 4 ? 0 : chunk.count / 4 * 4;
#pragma unroll 4
        for (uint32_t i = threadIdx.x * 4; i < whole; i += FN_THREADS * 4) {
            const fn_vector<4> v = fn_part_load<4>(part, i);
#pragma unroll
            for (int j = 0; j < 4; j++)
                bad += is_bad(v.v[j]);
        }
        for (uint32_t i = whole + threadIdx.x; i < chunk.count; i += FN_THREADS)
            bad += is_bad(fn_part_load<1>(part, i).v[0]);
    }
    double value[1] = {(double)fn_block_sum(bad)};
    if (fn_grid_sum<1>(value, scratch) && threadIdx.x == 0) {
        for (int i = 0; i < FN_LOSS_COUNT; i++)
            value[0] += !isfinite(state->losses[i]);
        state->losses[FN_LOSS_BAD] += value[0];
        if (value[0] > 0)
            state->step.bad = 1;
    }
}

int fn_k_check_finite(const fn_k_queue *q, const fn_k_runs *runs, fn_k_numbers grad)
{
    return fn_launch(finite_kernel, dim3(fn_blocks(runs->chunk_count, 1, FN_K_BLOCKS)),
                     dim3(FN_THREADS), q->stream, *runs, grad, q->scratch, q->state);
}
