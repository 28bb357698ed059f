/* SPDX-License-Identifier: MIT */
/* What a file of kernels needs from its compiler, so that one source is compiled by nvcc for GPUs
 * and by g++, with the emulator of tests/cuda before it (FN_EMULATOR), for tests on any processor.
 *
 *   - Kernels start with fn_launch(kernel, grid, block, stream, arguments...), never with <<<>>>.
 * It returns cudaLaunchKernel's error, 0 if the launch was taken. Arguments are converted to the
 *     parameters' types.
 *   - Shared memory is FN_SHARED(type, name, dimensions): FN_SHARED(float, sum, [8][32]);
 *   - Vectors of 2, 4, 8 or 16 bytes are read and written by fn_raw_load and fn_raw_store, which
 *     promise one instruction and want an aligned address. */
#ifndef FN_KERNELS_CUDA_LAUNCH_H
#define FN_KERNELS_CUDA_LAUNCH_H

#ifndef FN_EMULATOR
#include <cuda_runtime.h>
#include <stddef.h>
#include <stdint.h>

#define FN_SHARED(type, name, dimensions) __shared__ type name dimensions

/* Keeps a parameter from taking part in the deduction of template arguments. */
template <class T> struct fn_same {
    typedef T type;
};

template <class... P>
static inline int fn_launch(void (*kernel)(P...), dim3 grid, dim3 block, struct CUstream_st *stream,
                            typename fn_same<P>::type... argument)
{
    void *arguments[] = {(void *)&argument...};
    return (int)cudaLaunchKernel((const void *)kernel, grid, block, arguments, 0, stream);
}

template <int BYTES> struct fn_raw;
template <> struct fn_raw<2> {
    typedef unsigned short type;
};
template <> struct fn_raw<4> {
    typedef unsigned type;
};
template <> struct fn_raw<8> {
    typedef uint2 type;
};
template <> struct fn_raw<16> {
    typedef uint4 type;
};

template <int BYTES> __device__ static inline void fn_raw_load(void *to, const void *from)
{
    typedef typename fn_raw<BYTES>::type raw;
    *reinterpret_cast<raw *>(to) = *reinterpret_cast<const raw *>(from);
}

template <int BYTES> __device__ static inline void fn_raw_store(void *to, const void *from)
{
    typedef typename fn_raw<BYTES>::type raw;
    *reinterpret_cast<raw *>(to) = *reinterpret_cast<const raw *>(from);
}
#endif
#endif
