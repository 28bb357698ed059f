/* SPDX-License-Identifier: MIT */
/* Counts the numbers of a gradient that are not finite, and the losses that are not, into
 * FN_LOSS_BAD, and raises the flag that makes the updates of this step do nothing. One read of the
 * gradient; no wait. A number is not finite when all bits of its exponent are set. */
#include "kernels/cuda/device.h"

__device__ static inline unsigned is_bad(float x)
{
    return (__float_as_uint(x) & 0x7f800000u) == 0x7f800000u;
}

template <class T, int V>
__global__ void __launch_bounds__(FN_THREADS)
    finite_kernel(const T *__restrict__ grad, size_t count, fn_k_scratch scratch, fn_k_state *state)
{
    const size_t whole = count / V * V, first = (size_t)blockIdx.x * FN_THREADS + threadIdx.x;
    const size_t step = (size_t)gridDim.x * FN_THREADS;
    unsigned bad = 0;
#pragma unroll 4
    for (size_t i = first * V; i < whole; i += step * V) {
        const fn_vector<V> v = fn_load<V>(grad + i);
#pragma unroll
        for (int j = 0; j < V; j++)
            bad += is_bad(v.v[j]);
    }
    for (size_t i = whole + first; i < count; i += step)
        bad += is_bad(fn_widen(grad[i]));
    double value[1] = {(double)fn_block_sum(bad)};
    if (fn_grid_sum<1>(value, scratch) && threadIdx.x == 0) {
        for (int i = 0; i < FN_LOSS_COUNT; i++)
            value[0] += !isfinite(state->losses[i]);
        state->losses[FN_LOSS_BAD] += value[0];
        if (value[0] > 0)
            state->step.bad = 1;
    }
}

template <class T, int V> static int start(const fn_k_queue *q, const void *grad, size_t count)
{
    const dim3 grid(fn_blocks(count, FN_THREADS * V * 4, FN_K_BLOCKS));
    return fn_launch(finite_kernel<T, V>, grid, dim3(FN_THREADS), q->stream, (const T *)grad, count,
                     q->scratch, q->state);
}

int fn_k_check_finite(const fn_k_queue *q, int type, const void *grad, size_t count)
{
    if (type == FN_K_BF16)
        return start<fn_bf16, 8>(q, grad, count);
    return start<float, 4>(q, grad, count);
}
