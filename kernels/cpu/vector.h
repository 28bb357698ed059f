/* SPDX-License-Identifier: MIT */
/* Vectors of FN_BLOCK floats: the compiler's own. Only files that are compiled for each instruction
 * set include this. */
#ifndef FN_KERNELS_CPU_VECTOR_H
#define FN_KERNELS_CPU_VECTOR_H

#include <stddef.h>
#include <stdint.h>

typedef float vec __attribute__((vector_size(FN_BLOCK * 4), aligned(4), may_alias));
typedef int32_t ivec __attribute__((vector_size(FN_BLOCK * 4), aligned(4), may_alias));
typedef double dvec __attribute__((vector_size(FN_BLOCK * 8), aligned(8), may_alias));

/* Vector i of floats, to read and to write. */
#define AT(p, i) (((const vec *)(p))[i])
#define PUT(p, i) (((vec *)(p))[i])

#define PICK(condition, a, b) ((vec)(((condition) & (ivec)(a)) | (~(condition) & (ivec)(b))))
#define DOUBLES(v) __builtin_convertvector(v, dvec)
#define MIN(a, b) ((a) < (b) ? (a) : (b))

#endif
