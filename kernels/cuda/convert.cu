/* SPDX-License-Identifier: MIT */
/* Arrays from fp32 to bf16 and back, and one value everywhere. A thread takes eight
 * numbers; the last block takes what is left one by one. */
#include "kernels/cuda/device.h"

enum { EACH = 8 };

template <class TO, class FROM>
__global__ void __launch_bounds__(FN_THREADS)
    convert_kernel(const FROM *__restrict__ from, TO *__restrict__ to, size_t count)
{
    constexpr int V = 4;
    const size_t i = ((size_t)blockIdx.x * FN_THREADS + threadIdx.x) * EACH;
    if (i + EACH <= count) {
#pragma unroll
        for (int k = 0; k < EACH; k += V)
            fn_store<V>(to + i + k, fn_load<V>(from + i + k));
    } else {
        for (size_t k = i; k < count; k++)
            to[k] = fn_narrow<TO>(fn_widen(from[k]));
    }
}

__global__ void __launch_bounds__(FN_THREADS) fill_kernel(float *to, size_t count, float value)
{
    const size_t i = (size_t)blockIdx.x * FN_THREADS + threadIdx.x;
    if (i < count)
        to[i] = value;
}

template <class TO, class FROM>
static int start(const fn_k_queue *q, const void *from, void *to, size_t count)
{
    return fn_launch(convert_kernel<TO, FROM>, dim3(fn_blocks(count, FN_THREADS * EACH, INT32_MAX)),
                     dim3(FN_THREADS), q->stream, (const FROM *)from, (TO *)to, count);
}

int fn_k_narrow(const fn_k_queue *q, const float *from, uint16_t *to, size_t count)
{
    return start<fn_bf16, float>(q, from, to, count);
}

int fn_k_widen(const fn_k_queue *q, const uint16_t *from, float *to, size_t count)
{
    return start<float, fn_bf16>(q, from, to, count);
}

int fn_k_fill(const fn_k_queue *q, float *to, size_t count, double value)
{
    return fn_launch(fill_kernel, dim3(fn_blocks(count, FN_THREADS, INT32_MAX)), dim3(FN_THREADS),
                     q->stream, to, count, (float)value);
}
