/* SPDX-License-Identifier: MIT */
#include "kernels/cpu/winograd_conv.h"

/* What a thread does for each pair of channels, in products: its tiles, four at a time; reading the
 * transformed kernels; its part of making them. */
static double work_of(const struct fn_dev *dev, const struct fn_winograd_walk *walk, size_t images)
{
    size_t outputs, positions, kernels, threads = (size_t)dev->threads;
    size_t tiles = (images * walk->down * walk->across + threads - 1) / threads;
    dev->winograd->about(walk->kind, &outputs, &positions, &kernels);
    return (double)(positions * positions * ((tiles + 3) / 4 * 4) + 4 * walk->kernels) +
           300.0 / (double)threads;
}

static void divide(const struct fn_dev *dev, int kind, struct fn_winograd_walk *walk)
{
    size_t outputs, positions, kernels;
    dev->winograd->about(kind, &outputs, &positions, &kernels);
    walk->kind = kind;
    walk->down = (walk->oh + outputs - 1) / outputs;
    walk->across = (walk->ow + outputs - 1) / outputs;
    walk->kernels = kernels * kernels;
}

enum fn_winograd_use fn_winograd_walk(const struct fn_dev *dev, const struct fn_conv_shape *s,
                                      int pass, struct fn_winograd_walk *walk)
{
    size_t h = (size_t)s->h, w = (size_t)s->w, oh = (size_t)fn_conv_out_h(s),
           ow = (size_t)fn_conv_out_w(s), n = (size_t)s->n, pad = s->same ? 1 : 0;
    int back = pass == FN_BACKWARD_DATA;
    if (s->kh != 3 || s->kw != 3 || s->stride > 2 || (size_t)s->cin % dev->loops->block != 0)
        return FN_WINOGRAD_NO;
    *walk = (struct fn_winograd_walk){
        .h = h, .w = w, .c = (size_t)s->cin, .oh = oh, .ow = ow, .o = (size_t)s->cout, .top = pad};
    if (back)
        *walk = (struct fn_winograd_walk){.h = oh,
                                          .w = ow,
                                          .c = (size_t)s->cout,
                                          .oh = h,
                                          .ow = w,
                                          .o = (size_t)s->cin,
                                          .top = s->stride == 1 ? 2 - pad : 1};
    walk->left = walk->top;
    if (s->stride == 1) {
        divide(dev, FN_WINOGRAD_WHOLE_4, walk);
    } else {
        struct fn_winograd_walk other = *walk;
        divide(dev, back ? FN_WINOGRAD_BACK_3 : FN_WINOGRAD_HALF_3, walk);
        divide(dev, back ? FN_WINOGRAD_BACK_4 : FN_WINOGRAD_HALF_4, &other);
        if (work_of(dev, &other, n) < work_of(dev, walk, n))
            *walk = other;
    }
    /* Transforming costs something, too. In bf16 products go twice as fast, but these are of
     * floats. */
    const double pays = dev->narrow ? 0.55 * 9 / 2 : 0.8 * 9;
    return work_of(dev, walk, n) < pays * (double)(n * oh * ow) / dev->threads
               ? FN_WINOGRAD_PAYS
               : FN_WINOGRAD_POSSIBLE;
}

static size_t kernel_floats(const struct fn_winograd_walk *walk)
{
    return walk->kernels * walk->c * walk->o;
}

static size_t spread_floats(const struct fn_dev *dev, const struct fn_winograd_walk *walk,
                            size_t tiles)
{
    return dev->winograd->spread_floats(walk->kind, tiles, walk->c) +
           dev->winograd->spread_floats(walk->kind, tiles, walk->o);
}

/* Tiles that a thread works on at a time: they fit into its cache, but are enough for each reading
 * of the transformed kernels. */
static size_t chunk_of(const struct fn_dev *dev, const struct fn_winograd_walk *walk, size_t tiles)
{
    const size_t cache = ((size_t)768 << 10) / sizeof(float), least = 24, most = 96;
    size_t fits = cache / spread_floats(dev, walk, 12) * 12;
    size_t each = (tiles + (size_t)dev->threads - 1) / (size_t)dev->threads;
    fits = fits < least ? least : fits > most ? most : fits;
    return each < fits ? each : fits;
}

/* Tiles of all threads together, between two barriers. */
static size_t gradient_chunk(const struct fn_dev *dev, size_t tiles)
{
    size_t chunk = 24 * (size_t)dev->threads;
    return tiles < chunk ? tiles : chunk;
}

size_t fn_winograd_workspace(const struct fn_dev *dev, const struct fn_winograd_walk *walk,
                             int pass, size_t images)
{
    size_t tiles = images * walk->down * walk->across, floats;
    if (pass == FN_BACKWARD_WEIGHTS)
        floats = spread_floats(dev, walk, gradient_chunk(dev, tiles));
    else
        floats = (size_t)dev->threads * spread_floats(dev, walk, chunk_of(dev, walk, tiles));
    return sizeof(float) * (kernel_floats(walk) + floats);
}

void fn_winograd_conv(struct fn_dev *dev, const struct fn_winograd_walk *walk, size_t images,
                      const void *x, const float *w, int turned, int add, void *y)
{
    const size_t tiles = images * walk->down * walk->across, chunk = chunk_of(dev, walk, tiles);
    const size_t block = dev->loops->block;
    float *u = dev->workspace, *rest = u + kernel_floats(walk);
#pragma omp parallel num_threads(dev->threads)
    {
        size_t begin, end;
        float *v = rest + fn_cpu_thread() * spread_floats(dev, walk, chunk);
        float *m = v + dev->winograd->spread_floats(walk->kind, chunk, walk->c);
        fn_cpu_share(walk->o / block, &begin, &end);
        dev->winograd->kernels(walk, w, turned, begin * block, end * block, u);
#pragma omp barrier
        fn_cpu_share(tiles, &begin, &end);
        dev->winograd->tiles(walk, x, u, begin, end - begin, chunk, add, y, v, m);
    }
}

void fn_winograd_gradient(struct fn_dev *dev, const struct fn_winograd_walk *walk, size_t images,
                          const void *x, const void *dy, float *dw)
{
    const size_t tiles = images * walk->down * walk->across, chunk = gradient_chunk(dev, tiles);
    const size_t block = dev->loops->block, pairs = (walk->o / block + 1) / 2;
    float *du = dev->workspace, *v = du + kernel_floats(walk);
    float *d = v + dev->winograd->spread_floats(walk->kind, chunk, walk->c);
#pragma omp parallel num_threads(dev->threads)
    {
        size_t begin, end;
        for (size_t first = 0; first < tiles; first += chunk) {
            size_t count = tiles - first < chunk ? tiles - first : chunk;
            fn_cpu_share(count, &begin, &end);
            dev->winograd->spread(walk, x, dy, first + begin, end - begin, chunk, begin, v, d);
#pragma omp barrier
            fn_cpu_share(walk->kernels * pairs, &begin, &end);
            dev->winograd->gradient(walk, v, d, count, chunk, first > 0, begin, end, du);
#pragma omp barrier
        }
        fn_cpu_share(walk->o / block, &begin, &end);
        dev->winograd->gather(walk, du, begin * block, end * block, dw);
    }
}
