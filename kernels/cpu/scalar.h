/* SPDX-License-Identifier: MIT */
/* What activations keep of vectors of floats. Only files that are compiled for each instruction set
 * and scalar include this. An activation is a float; or, where FN_NARROW, in bf16: the upper half
 * of one, rounded to the nearest, ties to even, by the processor's own conversion (vcvtneps2bf16):
 * denormals become zeros, NaN stays NaN. */
#ifndef FN_KERNELS_CPU_SCALAR_H
#define FN_KERNELS_CPU_SCALAR_H

#include "kernels/cpu/vector.h"

/* Vector i of activations. */
#if FN_NARROW
#include <immintrin.h>

typedef uint16_t scalar;
typedef uint16_t svec __attribute__((vector_size(FN_BLOCK * 2), aligned(2), may_alias));

static inline vec load(const void *p, size_t i)
{
    return (vec)(__builtin_convertvector(((const svec *)p)[i], ivec) << 16);
}

static inline void store(void *p, size_t i, vec v)
{
    ((svec *)p)[i] = (svec)_mm512_cvtneps_pbh((__m512)v);
}
#else
typedef float scalar;

static inline vec load(const void *p, size_t i)
{
    return AT(p, i);
}

static inline void store(void *p, size_t i, vec v)
{
    PUT(p, i) = v;
}
#endif

#endif
