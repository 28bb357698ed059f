/* SPDX-License-Identifier: MIT */
/* Sums over planes, and the statistics of batch norm. */
#include <string.h>

#include "kernels/cpu/cpu.h"

double *fn_cpu_sums_mine(double *sums, const struct fn_planes *p, size_t each, int zero)
{
    size_t count = p->blocks * p->loops->block * each;
    double *mine = sums + fn_cpu_thread() * count;
    if (zero)
        memset(mine, 0, count * sizeof *mine);
    return mine;
}

void fn_cpu_sums_join(double *sums, const struct fn_planes *p, size_t each, int threads,
                      size_t *begin, size_t *end)
{
    size_t width = p->loops->block * each, count = p->blocks * width;
    fn_cpu_share(p->blocks, begin, end);
    for (size_t t = 1; t < (size_t)threads; t++)
        for (size_t i = *begin * width; i < *end * width; i++)
            sums[i] += sums[t * count + i];
    *begin *= p->loops->block;
    *end *= p->loops->block;
}

int fn_cpu_stats_begin(struct fn_dev *dev, int c)
{
    void *scratch;
    return fn_cpu_scratch(dev, fn_cpu_sums_bytes(dev, c, 2), &scratch);
}

void fn_cpu_stats_add(struct fn_dev *dev, const struct fn_tensor *piece, int first)
{
    const struct fn_planes p = fn_cpu_planes(dev, piece);
#pragma omp parallel num_threads(dev->threads)
    {
        size_t begin, end, block = p.loops->block;
        double *mine = fn_cpu_sums_mine(dev->scratch, &p, 2, first);
        fn_cpu_share(p.images * p.blocks, &begin, &end);
        for (size_t i = begin; i < end; i++)
            p.loops->moments(fn_cpu_plane(&p, i / p.blocks, i % p.blocks), p.pixels,
                             mine + i % p.blocks * 2 * block);
    }
}

void fn_cpu_stats_end(struct fn_dev *dev, const struct fn_tensor *whole, float *stats)
{
    const struct fn_planes p = fn_cpu_planes(dev, whole);
    size_t c = (size_t)whole->c;
    double n = (double)(p.images * p.pixels), *sums = dev->scratch;
#pragma omp parallel num_threads(dev->threads)
    {
        size_t begin, end;
        fn_cpu_sums_join(sums, &p, 2, dev->threads, &begin, &end);
        for (size_t i = begin; i < end; i++) {
            double mean = sums[fn_cpu_sum(&p, 2, 0, i)] / n;
            double variance = sums[fn_cpu_sum(&p, 2, 1, i)] / n - mean * mean;
            stats[i] = (float)mean;
            stats[c + i] = (float)(variance < 0 ? 0 : variance);
        }
    }
}

int fn_cpu_stats(struct fn_dev *dev, const struct fn_tensor *t, float *stats)
{
    int rc = fn_cpu_stats_begin(dev, t->c);
    if (rc != FN_OK)
        return rc;
    fn_cpu_stats_add(dev, t, 1);
    fn_cpu_stats_end(dev, t, stats);
    return FN_OK;
}
