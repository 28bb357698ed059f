/* SPDX-License-Identifier: MIT */
/* Sums of blocks, and of all of them, with one mistake at a time. */
#include "tests/cuda/seeded.h"

#include "kernels/cuda/device.h"

enum { THREADS = FN_SEEDED_THREADS, BLOCKS = FN_SEEDED_BLOCKS };

/* Mistakes of barriers and of shared memory. The sum, in thread 0. */
__device__ static float sum_of_block(int mistake, float v)
{
    FN_SHARED(float, memory, [THREADS]);
    float *volatile hidden = memory; /* so that the compiler does not see where it ends */
    float *part = hidden;
    const unsigned me = threadIdx.x;
    if (mistake == FN_SEEDED_EARLY_EXIT && me == 70)
        return 0.0f;
    if (mistake != FN_SEEDED_SHARED_UNSET || me != 3)
        part[me] = v;
    if (mistake == FN_SEEDED_SHARED_OVERRUN && me == THREADS - 1)
        part[me + 1] = v;
    if (mistake == FN_SEEDED_DIVERGENT_BARRIER) {
        if (me < 32)
            __syncthreads();
    } else if (mistake == FN_SEEDED_TWO_BARRIERS && me < 32) {
        __syncthreads();
    } else if (mistake != FN_SEEDED_NO_BARRIER) {
        __syncthreads();
    }
    float sum = 0.0f;
    for (unsigned i = 0; i < THREADS;
         i++) /* from the next thread on: all read, in orders of their own */
        sum += part[(me + i) % THREADS];
    if (mistake != FN_SEEDED_NO_SECOND_BARRIER)
        __syncthreads();
    part[(me + 1) % THREADS] = sum;
    __syncthreads();
    return part[1];
}

/* Mistakes of shuffles. The sum of a warp, in all lanes. */
__device__ static float sum_of_warp(int mistake, float v)
{
    if (mistake == FN_SEEDED_MISSING_LANE) {
        if (threadIdx.x % 32 < 31)
            v += __shfl_xor_sync(FN_ALL_LANES, v, 1);
        return v;
    }
    if (mistake == FN_SEEDED_OUTSIDE_MASK)
        return v + __shfl_xor_sync(0xffffu, v, 1);
    return fn_warp_sum(v);
}

/* Mistakes of addresses. */
__device__ static void touch(int mistake, const float *in, float *out)
{
    const unsigned me = threadIdx.x;
    if (mistake == FN_SEEDED_OVERRUN && me == 5)
        out[BLOCKS + 1] = 1.0f;
    if (mistake == FN_SEEDED_FAR_READ && me == 5)
        out[0] = in[BLOCKS * THREADS + 1024];
    if (mistake == FN_SEEDED_UNDERRUN && me == 5)
        out[-1024] = 1.0f;
    if (mistake == FN_SEEDED_MISALIGNED)
        out[0] = fn_load<4>(in + 1).v[0];
    if (mistake == FN_SEEDED_SHARED_TOO_MUCH) {
        FN_SHARED(double, large, [6200]);
        large[me] = 1;
    }
}

__global__ void sums_kernel(int mistake, const float *in, float *out, unsigned *counter)
{
    const float v = in[blockIdx.x * THREADS + threadIdx.x];
    const float whole = sum_of_block(mistake, v), part = sum_of_warp(mistake, v);
    touch(mistake, in, out);
    if (threadIdx.x == 0)
        out[blockIdx.x] = part == part ? whole : part;
    if (mistake == FN_SEEDED_BLOCK_ORDER || mistake == FN_SEEDED_LAST_BLOCK) {
        if (threadIdx.x == 0) {
            const bool first = mistake == FN_SEEDED_BLOCK_ORDER ? blockIdx.x == 0 : *counter == 0;
            out[BLOCKS] = first ? whole : out[BLOCKS] + whole;
            ++*counter;
        }
    } else if (fn_is_last_block(counter, gridDim.x) && threadIdx.x == 0) {
        float all = 0.0f;
        for (int b = 0; b < BLOCKS; b++)
            all += __ldcg(out + b);
        out[BLOCKS] = all;
    }
}

int fn_seeded(int mistake, const float *in, float *out, unsigned *counter)
{
    return fn_launch(sums_kernel, dim3(BLOCKS), dim3(THREADS), nullptr, mistake, in, out, counter);
}

int fn_seeded_empty(const float *in, float *out)
{
    return fn_launch(sums_kernel, dim3(0), dim3(THREADS), nullptr, 0, in, out, nullptr);
}
