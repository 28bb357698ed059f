/* SPDX-License-Identifier: MIT */
/* Pools and dropout. */
#include "kernels/cpu/cpu.h"

#include "base/rng.h"

int fn_cpu_maxpool_forward(struct fn_dev *dev, const struct fn_tensor *x, const struct fn_tensor *y,
                           uint8_t *index)
{
    assert(x->n == y->n && x->c == y->c && y->h == fn_pool_out(x->h) && y->w == fn_pool_out(x->w));
    fn_cpu_enter(dev);
    const struct fn_planes px = fn_cpu_planes(dev, x), py = fn_cpu_planes(dev, y);
    assert(px.loops == py.loops);
#pragma omp parallel num_threads(dev->threads)
    {
        size_t begin, end, bytes = py.pixels * py.loops->block;
        fn_cpu_share(px.images * px.blocks, &begin, &end);
        for (size_t i = begin; i < end; i++) {
            size_t n = i / px.blocks, b = i % px.blocks;
            px.loops->maxpool(fn_cpu_plane(&px, n, b), (size_t)x->w, (size_t)y->h, (size_t)y->w,
                              fn_cpu_plane(&py, n, b), index ? index + i * bytes : NULL);
        }
    }
    return FN_OK;
}

int fn_cpu_maxpool_backward(struct fn_dev *dev, const struct fn_tensor *dy, const uint8_t *index,
                            const struct fn_tensor *dx, int accumulate)
{
    assert(dx->n == dy->n && dx->c == dy->c);
    assert(dy->h == fn_pool_out(dx->h) && dy->w == fn_pool_out(dx->w));
    fn_cpu_enter(dev);
    const struct fn_planes px = fn_cpu_planes(dev, dx), py = fn_cpu_planes(dev, dy);
#pragma omp parallel num_threads(dev->threads)
    {
        size_t begin, end, bytes = py.pixels * py.loops->block;
        fn_cpu_share(px.images * px.blocks, &begin, &end);
        for (size_t i = begin; i < end; i++) {
            size_t n = i / px.blocks, b = i % px.blocks;
            px.loops->maxpool_back(fn_cpu_plane(&py, n, b), index + i * bytes, (size_t)dx->h,
                                   (size_t)dx->w, (size_t)dy->h, (size_t)dy->w, accumulate,
                                   fn_cpu_plane(&px, n, b));
        }
    }
    return FN_OK;
}

int fn_cpu_avgpool_forward(struct fn_dev *dev, const struct fn_tensor *x, const struct fn_tensor *y)
{
    assert(x->n == y->n && x->c == y->c && y->h == 1 && y->w == 1);
    fn_cpu_enter(dev);
    const struct fn_planes px = fn_cpu_planes(dev, x), py = fn_cpu_planes(dev, y);
#pragma omp parallel num_threads(dev->threads)
    {
        size_t begin, end;
        fn_cpu_share(px.images * px.blocks, &begin, &end);
        for (size_t i = begin; i < end; i++)
            px.loops->avgpool(fn_cpu_plane(&px, i / px.blocks, i % px.blocks), px.pixels,
                              fn_cpu_plane(&py, i / px.blocks, i % px.blocks));
    }
    return FN_OK;
}

int fn_cpu_avgpool_backward(struct fn_dev *dev, const struct fn_tensor *dy,
                            const struct fn_tensor *dx)
{
    assert(dx->n == dy->n && dx->c == dy->c && dy->h == 1 && dy->w == 1);
    fn_cpu_enter(dev);
    const struct fn_planes px = fn_cpu_planes(dev, dx), py = fn_cpu_planes(dev, dy);
#pragma omp parallel num_threads(dev->threads)
    {
        size_t begin, end;
        fn_cpu_share(px.images * px.blocks, &begin, &end);
        for (size_t i = begin; i < end; i++)
            px.loops->avgpool_back(fn_cpu_plane(&py, i / px.blocks, i % px.blocks), px.pixels,
                                   fn_cpu_plane(&px, i / px.blocks, i % px.blocks));
    }
    return FN_OK;
}

int fn_cpu_dropout(struct fn_dev *dev, const struct fn_tensor *x, double keep,
                   const struct fn_tensor *y)
{
    assert(fn_cpu_alike(x, y) && keep > 0 && keep <= 1);
    fn_cpu_enter(dev);
    const struct fn_step *step = &dev->step;
    const size_t c = (size_t)x->c;
#pragma omp parallel num_threads(dev->threads)
    {
        size_t begin, end;
        fn_cpu_share((size_t)x->n, &begin, &end);
        for (size_t n = begin; n < end; n++) {
            const float *from = fn_cpu_row(x, n);
            float *to = fn_cpu_row(y, n);
            for (size_t i = 0; i < c; i++) {
                uint64_t at = (step->first + n) * c + i;
                uint64_t bits = fn_rng(step->seed, step->step, at, FN_RNG_DROPOUT);
                to[i] = fn_rng_unit(bits) < keep ? (float)(from[i] / keep) : 0;
            }
        }
    }
    return FN_OK;
}
