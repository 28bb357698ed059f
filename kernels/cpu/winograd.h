/* SPDX-License-Identifier: MIT */
/* 3 x 3 convolutions by Winograd's minimal filtering, after Lavin and Gray, Fast algorithms for
 * convolutional neural networks (2016): tiles of m x m outputs, for fewer products. Errors are some
 * 7e-7 of the result, where the direct algorithm has 2e-7.
 *
 *     windows of x, transformed -> V[p][tile][c]      p: positions in a transformed window
 *     kernels, transformed      -> U[k][c][o]         k: elements of a transformed kernel
 *     M[p] = V[p] U[k(p)],  y = M transformed
 *
 * Along one side, with stride 1, this is F(4, 3): a window of 6 becomes 6 positions, through the
 * points 0, +-5/8, +-3/2 and infinity: 36 products for 16 outputs instead of 144. With stride 2 the
 * window of 2 m + 1 falls into m + 1 even elements, which meet the kernel's elements 0 and 2,
 * F(m, 2), and m odd ones, which meet element 1: m = 4 makes 81 products of 144, m = 3 makes 49 of
 * 81; the better one is that which divides the outputs with less waste. The input gradient is such
 * a convolution, too, of dy with the kernel turned around; with stride 2 a window of m + 1 gives
 * 2 m outputs.
 *
 * Layouts as in onednn.h. x, y, dx and dy hold what activations are (planes.h); all else is floats,
 * and computed so. These loops run on one thread; winograd_conv.c divides the work. */
#ifndef FN_KERNELS_CPU_WINOGRAD_H
#define FN_KERNELS_CPU_WINOGRAD_H

#include <stddef.h>

enum fn_winograd_kind {
    FN_WINOGRAD_WHOLE_4 = 0, /* stride 1, tiles of 4: forward and input gradient */
    FN_WINOGRAD_HALF_3,      /* stride 2, tiles of 3 or 4: forward */
    FN_WINOGRAD_HALF_4,
    FN_WINOGRAD_BACK_3, /* stride 2: input gradient */
    FN_WINOGRAD_BACK_4,
    FN_WINOGRAD_KINDS
};

/* A walk over the tiles of one pass: reads (images, h, w, c), writes (images, oh, ow, o). Tile t is
 * image t / (down * across), row t / across % down, column t % across. */
struct fn_winograd_walk {
    int kind; /* enum fn_winograd_kind */
    size_t h, w, c, oh, ow, o;
    size_t top, left; /* rows and columns of zeros before the input */
    size_t down, across;
    size_t kernels; /* elements of a transformed kernel */
};

struct fn_winograd_loops {
    /* What a kind is: along a side, outputs of a tile, positions, elements of a kernel. */
    void (*about)(int kind, size_t *outputs, size_t *positions, size_t *kernels);
    /* Floats of V or M for `tiles` tiles of c channels. */
    size_t (*spread_floats)(int kind, size_t tiles, size_t c);
    /* U (walk->kernels x c x o floats) from the kernel w, for the outputs [begin, end), multiples
     * of the block. turned: the walk is an input gradient's. */
    void (*kernels)(const struct fn_winograd_walk *walk, const float *w, int turned, size_t begin,
                    size_t end, float *u);
    /* y = or += the convolution, for `count` tiles from `first`, `chunk` at a time; v and m hold
     * that many. */
    void (*tiles)(const struct fn_winograd_walk *walk, const void *x, const float *u, size_t first,
                  size_t count, size_t chunk, int add, void *y, float *v, float *m);

    /* The weight gradient, on the forward pass's walk. Tiles [first, first + count) of x and dy,
     * transformed, to the places from `at` of v and d, which hold `chunk` of them; */
    void (*spread)(const struct fn_winograd_walk *walk, const void *x, const void *dy, size_t first,
                   size_t count, size_t chunk, size_t at, float *v, float *d);
    /* du = or += what the first `count` places give: parts [begin, end) of all, which are the
     * kernel's elements times the pairs of output blocks; */
    void (*gradient)(const struct fn_winograd_walk *walk, const float *v, const float *d,
                     size_t count, size_t chunk, int add, size_t begin, size_t end, float *du);
    /* dw of the outputs [begin, end) from du. */
    void (*gather)(const struct fn_winograd_walk *walk, const float *du, size_t begin, size_t end,
                   float *dw);
};

extern const struct fn_winograd_loops fn_winograd_base;
#if defined(__x86_64__)
extern const struct fn_winograd_loops fn_winograd_avx2;
extern const struct fn_winograd_loops fn_winograd_avx512;
extern const struct fn_winograd_loops fn_winograd_bf16; /* AVX-512, activations in bf16 */
#endif

#endif
