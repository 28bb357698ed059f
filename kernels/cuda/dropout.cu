/* SPDX-License-Identifier: MIT */
/* Dropout of rows (n, c): y = x / keep where fn_rng_unit(fn_rng(seed, step, i, FN_RNG_DROPOUT)) <
 * keep, else 0; i = element, from the step's first row on. The mask is made anew in the backward
 * pass, which is the same function of the gradients. Seed and step are read from device memory. One
 * element a thread: the work is the hash. */
#include "base/rng.h"
#include "kernels/cuda/device.h"

/* fn_rng of base/rng.c; the words before the element give one state for the whole launch. */
__device__ static inline uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

__device__ static inline uint64_t add_word(uint64_t state, uint64_t word)
{
    return mix(state + (word + 1) * UINT64_C(0x9e3779b97f4a7c15));
}

/* x may be y. */
__global__ void __launch_bounds__(FN_THREADS)
    dropout_kernel(const float *x, float keep, uint64_t least, size_t count, unsigned channels,
                   const fn_k_state *__restrict__ state, float *y)
{
    const size_t i = (size_t)blockIdx.x * FN_THREADS + threadIdx.x;
    if (i >= count)
        return;
    const uint64_t first = add_word(add_word(0, state->step.seed), state->step.step);
    const uint64_t at = i + state->step.first * channels;
    const uint64_t bits = add_word(add_word(first, at), FN_RNG_DROPOUT);
    y[i] = bits >> 11 < least ? x[i] / keep : 0.0f;
}

int fn_k_dropout(const fn_k_queue *q, const fn_tensor *x, double keep, const fn_tensor *y)
{
    const size_t count = (size_t)x->n * (size_t)x->c;
    /* fn_rng_unit is the upper 53 bits / 2^53: u < keep as whole numbers. */
    const uint64_t least = (uint64_t)ceil(keep * 0x1p53);
    return fn_launch(dropout_kernel, dim3(fn_blocks(count, FN_THREADS, INT32_MAX)),
                     dim3(FN_THREADS), q->stream, fn_first<const float>(x), (float)keep, least,
                     count, (unsigned)x->c, q->state, fn_first<float>(y));
}
