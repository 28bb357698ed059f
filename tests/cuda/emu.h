/* SPDX-License-Identifier: MIT */
/* CUDA for g++: what a .cu file of kernels/cuda needs, on the host's processor. Included before the
 * file's first line (-include), with FN_EMULATOR defined, so that kernels/cuda/launch.h leaves
 * these things to us. No part of NVIDIA's toolkit is used.
 *
 * A kernel starts like any other; emu.c runs its blocks one after the other and a block's threads
 * as fibers, so that every barrier, shuffle and vote is a real meeting. It stops the program with a
 * sentence where a GPU would hang or compute something undefined:
 *   - threads of a block at different barriers, or a thread that left before the others' barrier
 *   - a shuffle or vote that a lane of its mask does not come to, or reads a lane outside
 *   - a vector load or store at an address that is no multiple of its size
 *   - more than 48 KiB of shared memory, or a write behind it
 * A grid or block that no device takes is refused by the launch.
 * Shared memory is new for every block and filled with NaN; under AddressSanitizer its ends, too,
 * are watched. Several orders of blocks and threads (emu_run.h) show what depends on the order. */
#ifndef FN_TESTS_CUDA_EMU_H
#define FN_TESTS_CUDA_EMU_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tests/cuda/emu_run.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)

using std::isfinite;
using std::isinf;
using std::isnan;

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_)
    {
    }
};

#define threadIdx (fn_emu.thread)
#define blockIdx (fn_emu.block)
#define blockDim (fn_emu.threads)
#define gridDim (fn_emu.blocks)

/* ---- memory --------------------------------------------------------------------------------- */

/* Each place that declares shared memory has a key: the address of a variable of its own. */
#define FN_SHARED(type, name, dimensions)                                                          \
    typedef type name##_shared dimensions;                                                         \
    static char name##_key;                                                                        \
    name##_shared &name =                                                                          \
        *static_cast<name##_shared *>(fn_emu_shared(&name##_key, sizeof(name##_shared)))

template <int BYTES> static inline void fn_raw_load(void *to, const void *from)
{
    fn_emu_aligned(from, BYTES);
    memcpy(to, from, BYTES);
}

template <int BYTES> static inline void fn_raw_store(void *to, const void *from)
{
    fn_emu_aligned(to, BYTES);
    memcpy(to, from, BYTES);
}

template <class T> static inline T __ldcg(const T *from)
{
    return *from;
}

static inline void __threadfence(void)
{
}

/* One thread of the host runs them all: a plain read and write is atomic. Kernels count with it the
 * blocks that are done. */
static inline unsigned atomicInc(unsigned *at, unsigned most)
{
    const unsigned old = *at;
    *at = old >= most ? 0 : old + 1;
    fn_emu_count_block();
    return old;
}

static inline unsigned __float_as_uint(float x)
{
    unsigned bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float __uint_as_float(unsigned bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* ---- meetings of threads -------------------------------------------------------------------- */

static inline void __syncthreads(int line = __builtin_LINE())
{
    fn_emu_barrier(line);
}

template <class T>
static inline T __shfl_xor_sync(unsigned mask, T v, int apart, int line = __builtin_LINE())
{
    static_assert(sizeof v <= sizeof(uint64_t), "a shuffle moves 8 bytes at most");
    uint64_t bits = 0;
    memcpy(&bits, &v, sizeof v);
    bits = fn_emu_shuffle(mask, bits, fn_emu_lane() ^ apart, line);
    memcpy(&v, &bits, sizeof v);
    return v;
}

static inline int __any_sync(unsigned mask, int predicate, int line = __builtin_LINE())
{
    return fn_emu_vote(mask, predicate, line) != 0;
}

/* ---- launching ------------------------------------------------------------------------------ */

template <class T> struct fn_same {
    typedef T type;
};

template <int... I> struct fn_emu_list {
};
template <int N, int... I> struct fn_emu_count : fn_emu_count<N - 1, N - 1, I...> {
};
template <int... I> struct fn_emu_count<0, I...> {
    typedef fn_emu_list<I...> type;
};

/* Calls a kernel of these parameters with arguments from an array of pointers. */
template <class... P> struct fn_emu_caller {
    typedef void kernel(P...);

    template <int... I> static void spread(kernel *k, void **argument, fn_emu_list<I...>)
    {
        k(*static_cast<P *>(argument[I])...);
    }

    static void call(void (*k)(void), void **argument)
    {
        spread(reinterpret_cast<kernel *>(k), argument,
               typename fn_emu_count<(int)sizeof...(P)>::type());
    }
};

#define fn_launch(...) fn_launch_from(__FILE__, #__VA_ARGS__, __VA_ARGS__)

template <class... P>
static inline int fn_launch_from(const char *file, const char *text, void (*kernel)(P...),
                                 dim3 grid, dim3 block, struct CUstream_st *stream,
                                 typename fn_same<P>::type... argument)
{
    void *arguments[] = {const_cast<void *>(static_cast<const void *>(&argument))...};
    const size_t bytes[] = {sizeof argument...};
    const fn_emu_job job = {fn_emu_caller<P...>::call,
                            reinterpret_cast<void (*)(void)>(kernel),
                            arguments,
                            bytes,
                            (int)sizeof...(P),
                            {grid.x, grid.y, grid.z},
                            {block.x, block.y, block.z},
                            stream,
                            file,
                            text};
    return fn_emu_launch(&job);
}
#endif
