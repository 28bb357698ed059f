/* SPDX-License-Identifier: MIT */
/* Compiled for each instruction set and scalar, as planes.c is; here products and sums may be
 * fused. */
#include "kernels/cpu/winograd.h"

#include <string.h>

#include "kernels/cpu/winograd_side.h"

enum {
    B = FN_BLOCK,
    ROWS =
        FN_BLOCK == 16 ? 12 : 4, /* x 2 vectors of sums: fit into AVX-512's 32 registers, or 16 */
    SIDE = 9,                    /* most positions, elements or outputs along a side */
    PAD = 32                     /* floats between planes, which else lie powers of two apart */
};

static void about(int kind, size_t *outputs_, size_t *positions_, size_t *kernels_)
{
    *outputs_ = outputs(kind);
    *positions_ = positions(kind);
    *kernels_ = kernel(kind);
}

INLINE size_t plane_floats(size_t tiles, size_t c) /* of one position */
{
    return tiles * c + PAD;
}

static size_t spread_floats(int kind, size_t tiles, size_t c)
{
    return positions(kind) * positions(kind) * plane_floats(tiles, c);
}

/* ---- kernels -------------------------------------------------------------------------------- */

/* Where kernel k of input channel c begins in U for a block of outputs, and how many floats lie
 * between two input channels: blocks go in pairs. */
INLINE size_t kernel_place(const struct fn_winograd_walk *a, size_t k, size_t block, size_t *width)
{
    size_t blocks = a->o / B, pair = block / 2 * 2;
    *width = pair + 1 < blocks ? 2 * B : B;
    return k * a->c * a->o + pair * B * a->c + block % 2 * B;
}

/* Element k of the kernel between input channel c and a block of outputs. */
INLINE vec kernel_element(const struct fn_winograd_walk *a, const float *w, int turned, size_t k,
                          size_t c, size_t block)
{
    if (!turned)
        return AT(w + ((block * (a->c / B) + c / B) * 9 + k) * B * B + c % B * B, 0);
    vec v;
    const float *from = w + ((c / B * (a->o / B) + block) * 9 + 8 - k) * B * B + c % B;
    for (int l = 0; l < B; l++)
        v[l] = from[l * B];
    return v;
}

INLINE void kernels_of(int kind, const struct fn_winograd_walk *a, const float *w, int turned,
                       size_t begin, size_t end, float *u)
{
    const size_t n = kernel(kind);
    for (size_t block = begin / B; block < end / B; block++)
        for (size_t c = 0; c < a->c; c++) {
            float g[9 * B], half[18 * B], whole[36 * B];
            size_t width;
            for (size_t k = 0; k < 9; k++)
                PUT(g, k) = kernel_element(a, w, turned, k, c, block);
            for (size_t j = 0; j < 3; j++)
                kernel_side(kind, g + j * B, 3 * B, half + j * B, 3 * B);
            for (size_t i = 0; i < n; i++)
                kernel_side(kind, half + 3 * i * B, B, whole + n * i * B, B);
            for (size_t k = 0; k < n * n; k++) {
                float *to = u + kernel_place(a, k, block, &width);
                PUT(to + c * width, 0) = AT(whole, k);
            }
        }
}

INLINE void gather_of(int kind, const struct fn_winograd_walk *a, const float *du, size_t begin,
                      size_t end, float *dw)
{
    const size_t n = kernel(kind);
    for (size_t block = begin / B; block < end / B; block++)
        for (size_t c = 0; c < a->c; c++) {
            float whole[36 * B], half[18 * B], g[9 * B];
            size_t width;
            for (size_t k = 0; k < n * n; k++) {
                const float *from = du + kernel_place(a, k, block, &width);
                PUT(whole, k) = AT(from + c * width, 0);
            }
            for (size_t i = 0; i < n; i++)
                kernel_side_back(kind, whole + n * i * B, B, half + 3 * i * B, B);
            for (size_t j = 0; j < 3; j++)
                kernel_side_back(kind, half + j * B, 3 * B, g + j * B, 3 * B);
            for (size_t k = 0; k < 9; k++)
                PUT(dw + ((block * (a->c / B) + c / B) * 9 + k) * B * B + c % B * B, 0) = AT(g, k);
        }
}

/* ---- tiles ---------------------------------------------------------------------------------- */

struct place {
    size_t image, row, column;
};

INLINE struct place place_of(const struct fn_winograd_walk *a, size_t tile)
{
    return (struct place){tile / (a->down * a->across), tile / a->across % a->down,
                          tile % a->across};
}

INLINE void advance(const struct fn_winograd_walk *a, struct place *q)
{
    if (++q->column < a->across)
        return;
    q->column = 0;
    if (++q->row < a->down)
        return;
    q->row = 0;
    q->image++;
}

/* The part of a window [begin, begin + count) that lies inside [0, size): [*from, *to). begin is
 * given with `before` added. */
INLINE void inside(size_t begin, size_t before, size_t count, size_t size, size_t *from, size_t *to)
{
    *from = begin < before ? before - begin : 0;
    *to = begin + count > size + before ? size + before - begin : count;
    if (*to > count || begin > size + before)
        *to = 0;
}

/* One block of a tile's window of x, transformed: to v, positions `plane` floats apart. */
INLINE void spread_tile(int kind, const struct fn_winograd_walk *a, const scalar *x, struct place q,
                        size_t plane, float *v)
{
    const size_t n = window(kind), p = positions(kind);
    size_t top = q.row * step(kind), left = q.column * step(kind), y0, y1, x0, x1;
    float d[SIDE * SIDE * B], half[SIDE * SIDE * B];
    inside(top, a->top, n, a->h, &y0, &y1);
    inside(left, a->left, n, a->w, &x0, &x1);
    x += q.image * a->c * a->h * a->w;
    const int whole = y0 == 0 && x0 == 0 && y1 == n && x1 == n;
    if (whole && !FN_NARROW) {
        const void *from = x + ((top - a->top) * a->w + left - a->left) * B;
        for (size_t j = 0; j < n; j++)
            spread_side(kind, (const float *)from + j * B, a->w * B, half + j * B, n * B);
    } else {
        if (!whole)
            memset(d, 0, n * n * B * sizeof *d);
        for (size_t i = y0; i < y1; i++)
            for (size_t j = x0; j < x1; j++)
                PUT(d, i * n + j) = load(x, (top + i - a->top) * a->w + left + j - a->left);
        for (size_t j = 0; j < n; j++)
            spread_side(kind, d + j * B, n * B, half + j * B, n * B);
    }
    for (size_t i = 0; i < p; i++)
        spread_side(kind, half + i * n * B, B, v + i * p * plane, plane);
}

/* Block by block, so that the processor sees few streams. V[p][t][c]. */
INLINE void spread_tiles(int kind, const struct fn_winograd_walk *a, const scalar *x, size_t first,
                         size_t count, size_t plane, float *v)
{
    for (size_t block = 0; block < a->c / B; block++) {
        struct place q = place_of(a, first);
        for (size_t t = 0; t < count; t++, advance(a, &q))
            spread_tile(kind, a, x + block * B * a->h * a->w, q, plane, v + t * a->c + block * B);
    }
}

/* One block of a tile's outputs. */
INLINE void gather_tile(int kind, const struct fn_winograd_walk *a, const float *m, struct place q,
                        size_t plane, int add, scalar *y)
{
    const size_t n = outputs(kind), p = positions(kind);
    size_t top = q.row * n, left = q.column * n;
    size_t rows = MIN(n, a->oh - top), columns = MIN(n, a->ow - left);
    float half[SIDE * SIDE * B], out[SIDE * SIDE * B];
    y += q.image * a->o * a->oh * a->ow + (top * a->ow + left) * B;
    for (size_t j = 0; j < p; j++)
        gather_side(kind, m + j * plane, p * plane, half + j * B, p * B);
    if (rows == n && columns == n && !add && !FN_NARROW) {
        void *to = y;
        for (size_t i = 0; i < n; i++)
            gather_side(kind, half + i * p * B, B, (float *)to + i * a->ow * B, B);
        return;
    }
    for (size_t i = 0; i < n; i++)
        gather_side(kind, half + i * p * B, B, out + i * n * B, B);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++) {
            vec v = AT(out, i * n + j);
            if (add)
                v += load(y, i * a->ow + j);
            store(y, i * a->ow + j, v);
        }
}

/* M[p][t][o] */
INLINE void gather_tiles(int kind, const struct fn_winograd_walk *a, const float *m, size_t first,
                         size_t count, size_t plane, int add, scalar *y)
{
    for (size_t block = 0; block < a->o / B; block++) {
        struct place q = place_of(a, first);
        for (size_t t = 0; t < count; t++, advance(a, &q))
            gather_tile(kind, a, m + t * a->o + block * B, q, plane, add,
                        y + block * B * a->oh * a->ow);
    }
}

/* One block of a tile's output gradients, transformed. */
INLINE void unfold_tile(int kind, const struct fn_winograd_walk *a, const scalar *dy,
                        struct place q, size_t plane, float *d)
{
    const size_t n = tile(kind), p = positions(kind);
    size_t top = q.row * n, left = q.column * n;
    size_t rows = MIN(n, a->oh - top), columns = MIN(n, a->ow - left);
    float in[16 * B], half[SIDE * 4 * B];
    dy += q.image * a->o * a->oh * a->ow + (top * a->ow + left) * B;
    if (rows == n && columns == n && !FN_NARROW) {
        const void *from = dy;
        for (size_t j = 0; j < n; j++)
            unfold_side(kind, (const float *)from + j * B, a->ow * B, half + j * B, n * B);
    } else {
        if (rows < n || columns < n)
            memset(in, 0, sizeof in);
        for (size_t i = 0; i < rows; i++)
            for (size_t j = 0; j < columns; j++)
                PUT(in, i * n + j) = load(dy, i * a->ow + j);
        for (size_t j = 0; j < n; j++)
            unfold_side(kind, in + j * B, n * B, half + j * B, n * B);
    }
    for (size_t i = 0; i < p; i++)
        unfold_side(kind, half + i * n * B, B, d + i * p * plane, plane);
}

INLINE void unfold_tiles(int kind, const struct fn_winograd_walk *a, const scalar *dy, size_t first,
                         size_t count, size_t plane, float *d)
{
    for (size_t block = 0; block < a->o / B; block++) {
        struct place q = place_of(a, first);
        for (size_t t = 0; t < count; t++, advance(a, &q))
            unfold_tile(kind, a, dy + block * B * a->oh * a->ow, q, plane,
                        d + t * a->o + block * B);
    }
}

/* ---- products ------------------------------------------------------------------------------- */

/* m (rows, vectors) = v (rows, c) u (c, vectors); v and m have `c` and `o` floats a row. */
INLINE void product(size_t rows, size_t vectors, const float *v, size_t c, const float *u, size_t o,
                    float *m)
{
    vec sum[ROWS][2];
    for (size_t r = 0; r < rows; r++)
        sum[r][0] = sum[r][1] = (vec){0};
    for (size_t k = 0; k < c; k++) {
        vec u0 = AT(u, k * vectors), u1 = vectors > 1 ? AT(u, k * vectors + 1) : u0;
#pragma GCC unroll 12
        for (size_t r = 0; r < rows; r++) {
            sum[r][0] += v[r * c + k] * u0;
            if (vectors > 1)
                sum[r][1] += v[r * c + k] * u1;
        }
    }
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < vectors; i++)
            PUT(m + r * o, i) = sum[r][i];
}

INLINE void products(size_t vectors, size_t tiles, const float *v, size_t c, const float *u,
                     size_t o, float *m)
{
    size_t t = 0;
    for (; t + ROWS <= tiles; t += ROWS)
        product(ROWS, vectors, v + t * c, c, u, o, m + t * o);
    for (; t + 4 <= tiles; t += 4)
        product(4, vectors, v + t * c, c, u, o, m + t * o);
    for (; t < tiles; t++)
        product(1, vectors, v + t * c, c, u, o, m + t * o);
}

/* These do not depend on the kind: one copy of each serves all. */
static void products_pair(size_t tiles, const float *v, size_t c, const float *u, size_t o,
                          float *m)
{
    products(2, tiles, v, c, u, o, m);
}

static void products_one(size_t tiles, const float *v, size_t c, const float *u, size_t o, float *m)
{
    products(1, tiles, v, c, u, o, m);
}

/* All positions of kernel element k, and a pair of blocks (or the last block alone). */
INLINE void products_of(int kind, const struct fn_winograd_walk *a, size_t k, size_t block,
                        size_t tiles, size_t chunk, const float *v, const float *u, float *m)
{
    const size_t n = kernel(kind);
    size_t width, place = kernel_place(a, k, block, &width);
    for (size_t i = k / n; i <= last_position(kind, k / n); i++)
        for (size_t j = k % n; j <= last_position(kind, k % n); j++) {
            size_t at = i * positions(kind) + j;
            const float *from = v + at * plane_floats(chunk, a->c);
            float *to = m + at * plane_floats(chunk, a->o) + block * B;
            (width > B ? products_pair : products_one)(tiles, from, a->c, u + place, a->o, to);
        }
}

INLINE void tiles_of(int kind, const struct fn_winograd_walk *a, const scalar *x, const float *u,
                     size_t first, size_t count, size_t chunk, int add, scalar *y, float *v,
                     float *m)
{
    for (size_t end = first + count; first < end; first += chunk) {
        size_t tiles = MIN(chunk, end - first);
        spread_tiles(kind, a, x, first, tiles, plane_floats(chunk, a->c), v);
        for (size_t k = 0; k < kernel(kind) * kernel(kind); k++)
            for (size_t block = 0; block < a->o / B; block += 2)
                products_of(kind, a, k, block, tiles, chunk, v, u, m);
        gather_tiles(kind, a, m, first, tiles, plane_floats(chunk, a->o), add, y);
    }
}

/* ---- weight gradient ------------------------------------------------------------------------ */

INLINE void spread_of(int kind, const struct fn_winograd_walk *a, const scalar *x, const scalar *dy,
                      size_t first, size_t count, size_t chunk, size_t at, float *v, float *d)
{
    spread_tiles(kind, a, x, first, count, plane_floats(chunk, a->c), v + at * a->c);
    unfold_tiles(kind, a, dy, first, count, plane_floats(chunk, a->o), d + at * a->o);
}

/* du (rows, vectors) = or += v (count, rows)^T d (count, vectors) */
INLINE void outer(size_t rows, size_t vectors, size_t count, const float *v, size_t c,
                  const float *d, size_t o, int add, float *du)
{
    vec sum[ROWS][2];
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < vectors; i++)
            sum[r][i] = add ? AT(du, r * vectors + i) : (vec){0};
    for (size_t t = 0; t < count; t++, v += c, d += o) {
        vec d0 = AT(d, 0), d1 = vectors > 1 ? AT(d, 1) : d0;
#pragma GCC unroll 12
        for (size_t r = 0; r < rows; r++) {
            sum[r][0] += v[r] * d0;
            if (vectors > 1)
                sum[r][1] += v[r] * d1;
        }
    }
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < vectors; i++)
            PUT(du, r * vectors + i) = sum[r][i];
}

INLINE void outers(size_t vectors, size_t count, const float *v, size_t c, const float *d, size_t o,
                   int add, float *du)
{
    size_t r = 0;
    for (; r + ROWS <= c; r += ROWS)
        outer(ROWS, vectors, count, v + r, c, d, o, add, du + r * vectors * B);
    for (; r + 4 <= c; r += 4)
        outer(4, vectors, count, v + r, c, d, o, add, du + r * vectors * B);
}

static void outers_pair(size_t count, const float *v, size_t c, const float *d, size_t o, int add,
                        float *du)
{
    outers(2, count, v, c, d, o, add, du);
}

static void outers_one(size_t count, const float *v, size_t c, const float *d, size_t o, int add,
                       float *du)
{
    outers(1, count, v, c, d, o, add, du);
}

INLINE void gradient_of(int kind, const struct fn_winograd_walk *a, const float *v, const float *d,
                        size_t count, size_t chunk, int add, size_t begin, size_t end, float *du)
{
    const size_t pairs = (a->o / B + 1) / 2, p = positions(kind), n = kernel(kind);
    for (size_t part = begin; part < end; part++) {
        size_t k = part / pairs, block = part % pairs * 2, width;
        float *to = du + kernel_place(a, k, block, &width);
        int more = add;
        for (size_t i = k / n; i <= last_position(kind, k / n); i++)
            for (size_t j = k % n; j <= last_position(kind, k % n); j++, more = 1) {
                const float *from_v = v + (i * p + j) * plane_floats(chunk, a->c);
                const float *from_d = d + (i * p + j) * plane_floats(chunk, a->o) + block * B;
                (width > B ? outers_pair : outers_one)(count, from_v, a->c, from_d, a->o, more, to);
            }
    }
}

/* ---- the table: each kind a copy of its own ------------------------------------------------- */

#define EACH_KIND(kind, call)                                                                      \
    switch (kind) {                                                                                \
    case FN_WINOGRAD_WHOLE_4:                                                                      \
        call(FN_WINOGRAD_WHOLE_4);                                                                 \
        break;                                                                                     \
    case FN_WINOGRAD_HALF_3:                                                                       \
        call(FN_WINOGRAD_HALF_3);                                                                  \
        break;                                                                                     \
    case FN_WINOGRAD_HALF_4:                                                                       \
        call(FN_WINOGRAD_HALF_4);                                                                  \
        break;                                                                                     \
    case FN_WINOGRAD_BACK_3:                                                                       \
        call(FN_WINOGRAD_BACK_3);                                                                  \
        break;                                                                                     \
    default:                                                                                       \
        call(FN_WINOGRAD_BACK_4);                                                                  \
        break;                                                                                     \
    }

static void kernels(const struct fn_winograd_walk *a, const float *w, int turned, size_t begin,
                    size_t end, float *u)
{
#define CALL(kind) kernels_of(kind, a, w, turned, begin, end, u)
    EACH_KIND(a->kind, CALL)
#undef CALL
}

static void tiles(const struct fn_winograd_walk *a, const void *x, const float *u, size_t first,
                  size_t count, size_t chunk, int add, void *y, float *v, float *m)
{
#define CALL(kind) tiles_of(kind, a, x, u, first, count, chunk, add, y, v, m)
    EACH_KIND(a->kind, CALL)
#undef CALL
}

static void spread(const struct fn_winograd_walk *a, const void *x, const void *dy, size_t first,
                   size_t count, size_t chunk, size_t at, float *v, float *d)
{
#define CALL(kind) spread_of(kind, a, x, dy, first, count, chunk, at, v, d)
    EACH_KIND(a->kind, CALL)
#undef CALL
}

static void gradient(const struct fn_winograd_walk *a, const float *v, const float *d, size_t count,
                     size_t chunk, int add, size_t begin, size_t end, float *du)
{
#define CALL(kind) gradient_of(kind, a, v, d, count, chunk, add, begin, end, du)
    EACH_KIND(a->kind, CALL)
#undef CALL
}

static void gather(const struct fn_winograd_walk *a, const float *du, size_t begin, size_t end,
                   float *dw)
{
#define CALL(kind) gather_of(kind, a, du, begin, end, dw)
    EACH_KIND(a->kind, CALL)
#undef CALL
}

const struct fn_winograd_loops FN_WINOGRAD = {
    .about = about,
    .spread_floats = spread_floats,
    .kernels = kernels,
    .tiles = tiles,
    .spread = spread,
    .gradient = gradient,
    .gather = gather,
};
