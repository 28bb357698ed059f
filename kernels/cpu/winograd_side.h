/* SPDX-License-Identifier: MIT */
/* One side of a window: the transformations along it, by kind. Only winograd.c includes this; there
 * the kind is a constant, so that each compiles to straight code. */
#ifndef FN_KERNELS_CPU_WINOGRAD_SIDE_H
#define FN_KERNELS_CPU_WINOGRAD_SIDE_H

#include <stddef.h>

#include "kernels/cpu/scalar.h"
#include "kernels/cpu/winograd.h"

#define INLINE static inline __attribute__((always_inline))

/* ---- minimal filtering: s, z: floats from one element to the next of what is read and written -
 */

static const float A = 0.625F, C = 1.5F;           /* the points of F(4, 3): 0, +-A, +-C */
static const float A2 = 0.390625F, C2 = 2.25F;     /* squares */
static const float A3 = 0.244140625F, C3 = 3.375F; /* cubes */
static const float H = 0.5F;                       /* those of F(4, 2): 0, 1, -1, H */

/* 6 elements -> 6 positions: x^5 ... x^0 of the products of (x - point), one point left out. */
INLINE void spread_4_3(const float *x, size_t s, float *t, size_t z)
{
    vec d0 = AT(x, 0), d1 = AT(x + s, 0), d2 = AT(x + 2 * s, 0), d3 = AT(x + 3 * s, 0),
        d4 = AT(x + 4 * s, 0), d5 = AT(x + 5 * s, 0);
    vec even_a = d4 - C2 * d2, odd_a = A * (d3 - C2 * d1);
    vec even_c = d4 - A2 * d2, odd_c = C * (d3 - A2 * d1);
    PUT(t, 0) = d4 - (A2 + C2) * d2 + A2 * C2 * d0;
    PUT(t + z, 0) = even_a + odd_a;
    PUT(t + 2 * z, 0) = even_a - odd_a;
    PUT(t + 3 * z, 0) = even_c + odd_c;
    PUT(t + 4 * z, 0) = even_c - odd_c;
    PUT(t + 5 * z, 0) = d5 - (A2 + C2) * d3 + A2 * C2 * d1;
}

/* 6 positions -> 4 outputs: powers of the points. */
INLINE void gather_4_3(const float *m, size_t s, float *y, size_t z)
{
    vec m1 = AT(m + s, 0), m2 = AT(m + 2 * s, 0), m3 = AT(m + 3 * s, 0), m4 = AT(m + 4 * s, 0);
    vec sum_a = m1 + m2, sum_c = m3 + m4, diff_a = m1 - m2, diff_c = m3 - m4;
    PUT(y, 0) = AT(m, 0) + sum_a + sum_c;
    PUT(y + z, 0) = A * diff_a + C * diff_c;
    PUT(y + 2 * z, 0) = A2 * sum_a + C2 * sum_c;
    PUT(y + 3 * z, 0) = A3 * diff_a + C3 * diff_c + AT(m + 5 * s, 0);
}

/* 4 output gradients -> 6 positions: gather_4_3 the other way. */
INLINE void unfold_4_3(const float *y, size_t s, float *m, size_t z)
{
    vec y0 = AT(y, 0), y1 = AT(y + s, 0), y2 = AT(y + 2 * s, 0), y3 = AT(y + 3 * s, 0);
    vec even_a = y0 + A2 * y2, odd_a = A * y1 + A3 * y3;
    vec even_c = y0 + C2 * y2, odd_c = C * y1 + C3 * y3;
    PUT(m, 0) = y0;
    PUT(m + z, 0) = even_a + odd_a;
    PUT(m + 2 * z, 0) = even_a - odd_a;
    PUT(m + 3 * z, 0) = even_c + odd_c;
    PUT(m + 4 * z, 0) = even_c - odd_c;
    PUT(m + 5 * z, 0) = y3;
}

/* The same for F(4, 2): 5 elements, s apart -> 5 positions; 5 positions -> 4 outputs. */
INLINE void spread_4_2(const float *x, size_t s, float *t, size_t z)
{
    vec d1 = AT(x + s, 0), d2 = AT(x + 2 * s, 0), d3 = AT(x + 3 * s, 0);
    PUT(t, 0) = d3 - d1 + H * (AT(x, 0) - d2);
    PUT(t + z, 0) = d3 + (1 - H) * d2 - H * d1;
    PUT(t + 2 * z, 0) = d3 - (1 + H) * d2 + H * d1;
    PUT(t + 3 * z, 0) = d3 - d1;
    PUT(t + 4 * z, 0) = AT(x + 4 * s, 0) - d2 + H * (d1 - d3);
}

INLINE void gather_4_2(const float *m, size_t s, float *y, size_t z)
{
    vec m1 = AT(m + s, 0), m2 = AT(m + 2 * s, 0), m3 = AT(m + 3 * s, 0);
    vec sum = m1 + m2, diff = m1 - m2;
    PUT(y, 0) = AT(m, 0) + sum + m3;
    PUT(y + z, 0) = diff + H * m3;
    PUT(y + 2 * z, 0) = sum + H * H * m3;
    PUT(y + 3 * z, 0) = diff + H * H * H * m3 + AT(m + 4 * s, 0);
}

INLINE void unfold_4_2(const float *y, size_t s, float *m, size_t z)
{
    vec y0 = AT(y, 0), y1 = AT(y + s, 0), y2 = AT(y + 2 * s, 0), y3 = AT(y + 3 * s, 0);
    vec even = y0 + y2, odd = y1 + y3;
    PUT(m, 0) = y0;
    PUT(m + z, 0) = even + odd;
    PUT(m + 2 * z, 0) = even - odd;
    PUT(m + 3 * z, 0) = y0 + H * y1 + H * H * y2 + H * H * H * y3;
    PUT(m + 4 * z, 0) = y3;
}

/* F(3, 2), points 0, 1, -1. */
INLINE void spread_3_2(const float *x, size_t s, float *t, size_t z)
{
    vec d1 = AT(x + s, 0), d2 = AT(x + 2 * s, 0);
    PUT(t, 0) = d2 - AT(x, 0);
    PUT(t + z, 0) = d2 + d1;
    PUT(t + 2 * z, 0) = d2 - d1;
    PUT(t + 3 * z, 0) = AT(x + 3 * s, 0) - d1;
}

INLINE void gather_3_2(const float *m, size_t s, float *y, size_t z)
{
    vec m1 = AT(m + s, 0), m2 = AT(m + 2 * s, 0);
    PUT(y, 0) = AT(m, 0) + m1 + m2;
    PUT(y + z, 0) = m1 - m2;
    PUT(y + 2 * z, 0) = m1 + m2 + AT(m + 3 * s, 0);
}

INLINE void unfold_3_2(const float *y, size_t s, float *m, size_t z)
{
    vec y0 = AT(y, 0), y1 = AT(y + s, 0), y2 = AT(y + 2 * s, 0);
    PUT(m, 0) = y0;
    PUT(m + z, 0) = y0 + y1 + y2;
    PUT(m + 2 * z, 0) = y0 - y1 + y2;
    PUT(m + 3 * z, 0) = y2;
}

INLINE void copy(size_t count, const float *x, size_t s, float *t, size_t z)
{
    for (size_t i = 0; i < count; i++)
        PUT(t + i * z, 0) = AT(x + i * s, 0);
}

/* ---- the kinds ------------------------------------------------------------------------------ */

INLINE int is_whole(int kind) /* stride 1 */
{
    return kind == FN_WINOGRAD_WHOLE_4;
}

INLINE int is_back(int kind)
{
    return kind == FN_WINOGRAD_BACK_3 || kind == FN_WINOGRAD_BACK_4;
}

INLINE size_t tile(int kind) /* m */
{
    return kind == FN_WINOGRAD_HALF_3 || kind == FN_WINOGRAD_BACK_3 ? 3 : 4;
}

/* Along a side: positions of F(m, 3 or 2); and with the odd ones of stride 2. */
INLINE size_t even(int kind)
{
    return tile(kind) + (is_whole(kind) ? 2 : 1);
}

INLINE size_t positions(int kind)
{
    return even(kind) + (is_whole(kind) ? 0 : tile(kind));
}

INLINE size_t kernel(int kind) /* elements of a transformed kernel: the odd ones share theirs */
{
    return even(kind) + (is_whole(kind) ? 0 : 1);
}

INLINE size_t window(int kind) /* elements read */
{
    return is_whole(kind) ? 6 : is_back(kind) ? tile(kind) + 1 : 2 * tile(kind) + 1;
}

INLINE size_t step(int kind) /* from one window to the next */
{
    return is_whole(kind) || is_back(kind) ? tile(kind) : 2 * tile(kind);
}

INLINE size_t outputs(int kind)
{
    return is_back(kind) ? 2 * tile(kind) : tile(kind);
}

INLINE void spread_side(int kind, const float *x, size_t s, float *t, size_t z)
{
    size_t apart = is_back(kind) ? s : 2 * s; /* of even elements */
    if (is_whole(kind))
        spread_4_3(x, s, t, z);
    else if (tile(kind) == 4)
        spread_4_2(x, apart, t, z);
    else
        spread_3_2(x, apart, t, z);
    if (!is_whole(kind))
        copy(tile(kind), x + s, apart, t + even(kind) * z, z);
}

INLINE void gather_side(int kind, const float *m, size_t s, float *y, size_t z)
{
    size_t apart = is_back(kind) ? 2 * z : z;
    if (is_whole(kind))
        gather_4_3(m, s, y, z);
    else if (tile(kind) == 4)
        gather_4_2(m, s, y, apart);
    else
        gather_3_2(m, s, y, apart);
    if (is_back(kind))
        copy(tile(kind), m + even(kind) * s, s, y + z, apart);
    else if (!is_whole(kind))
        for (size_t i = 0; i < tile(kind); i++)
            PUT(y + i * z, 0) += AT(m + (even(kind) + i) * s, 0);
}

INLINE void unfold_side(int kind, const float *y, size_t s, float *m, size_t z)
{
    if (is_whole(kind))
        unfold_4_3(y, s, m, z);
    else if (tile(kind) == 4)
        unfold_4_2(y, s, m, z);
    else
        unfold_3_2(y, s, m, z);
    if (!is_whole(kind))
        copy(tile(kind), y, s, m + even(kind) * z, z);
}

/* Positions that element k of a transformed kernel meets: k, or the odd ones. */
INLINE size_t last_position(int kind, size_t k)
{
    return k == even(kind) ? positions(kind) - 1 : k;
}

/* ---- kernels -------------------------------------------------------------------------------- */

/* Powers of a point over its distances to the others: those of F(4, 3) at +-A and +-C, F(4, 2). */
#define NA (1 / (2 * A2 * (A2 - C2)))
#define NC (1 / (2 * C2 * (C2 - A2)))
#define N1 (1 / (2 * (1 - H)))
#define N2 (-1 / (2 * (1 + H)))
#define N3 (1 / (H * (H * H - 1)))

/* 3 elements of a kernel -> its transformed ones. */
INLINE void kernel_side(int kind, const float *g, size_t s, float *u, size_t z)
{
    vec g0 = AT(g, 0), g1 = AT(g + s, 0), g2 = AT(g + 2 * s, 0);
    if (is_whole(kind)) {
        PUT(u, 0) = g0 * (1 / (A2 * C2));
        PUT(u + z, 0) = (g0 + A2 * g2 + A * g1) * NA;
        PUT(u + 2 * z, 0) = (g0 + A2 * g2 - A * g1) * NA;
        PUT(u + 3 * z, 0) = (g0 + C2 * g2 + C * g1) * NC;
        PUT(u + 4 * z, 0) = (g0 + C2 * g2 - C * g1) * NC;
        PUT(u + 5 * z, 0) = g2;
    } else if (tile(kind) == 4) {
        PUT(u, 0) = g0 * (1 / H);
        PUT(u + z, 0) = (g0 + g2) * N1;
        PUT(u + 2 * z, 0) = (g0 - g2) * N2;
        PUT(u + 3 * z, 0) = (g0 + H * g2) * N3;
        PUT(u + 4 * z, 0) = g2;
        PUT(u + 5 * z, 0) = g1;
    } else {
        PUT(u, 0) = -g0;
        PUT(u + z, 0) = (g0 + g2) * 0.5F;
        PUT(u + 2 * z, 0) = (g0 - g2) * 0.5F;
        PUT(u + 3 * z, 0) = g2;
        PUT(u + 4 * z, 0) = g1;
    }
}

/* The other way, for gradients. */
INLINE void kernel_side_back(int kind, const float *u, size_t s, float *g, size_t z)
{
    vec u0 = AT(u, 0), u1 = AT(u + s, 0), u2 = AT(u + 2 * s, 0), u3 = AT(u + 3 * s, 0),
        u4 = AT(u + 4 * s, 0);
    if (is_whole(kind)) {
        vec sum_a = (u1 + u2) * NA, diff_a = (u1 - u2) * NA;
        vec sum_c = (u3 + u4) * NC, diff_c = (u3 - u4) * NC;
        PUT(g, 0) = u0 * (1 / (A2 * C2)) + sum_a + sum_c;
        PUT(g + z, 0) = A * diff_a + C * diff_c;
        PUT(g + 2 * z, 0) = A2 * sum_a + C2 * sum_c + AT(u + 5 * s, 0);
    } else if (tile(kind) == 4) {
        vec v1 = u1 * N1, v2 = u2 * N2, v3 = u3 * N3;
        PUT(g, 0) = u0 * (1 / H) + v1 + v2 + v3;
        PUT(g + z, 0) = AT(u + 5 * s, 0);
        PUT(g + 2 * z, 0) = v1 - v2 + H * v3 + u4;
    } else {
        PUT(g, 0) = (u1 + u2) * 0.5F - u0;
        PUT(g + z, 0) = u4;
        PUT(g + 2 * z, 0) = (u1 - u2) * 0.5F + u3;
    }
}

#endif
