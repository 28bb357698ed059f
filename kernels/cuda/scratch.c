/* SPDX-License-Identifier: MIT */
/* The scratch memory of the kernels: three arrays in one block, each on a 256-byte boundary. */
#include "kernels/cuda/kernels.h"

enum { FLOATS = FN_K_BLOCKS * 32 * FN_K_SUMS };

size_t fn_k_scratch_bytes(void)
{
    return (FLOATS + FN_K_CHANNELS) * sizeof(float) + FN_K_BLOCKS * sizeof(unsigned);
}

struct fn_k_scratch fn_k_scratch_of(void *memory)
{
    float *partial = memory, *channel = partial + FLOATS;
    return (struct fn_k_scratch){.partial = partial,
                                 .channel = channel,
                                 .counter = (unsigned *)(void *)(channel + FN_K_CHANNELS)};
}
