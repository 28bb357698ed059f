/* SPDX-License-Identifier: MIT */
/* Batch norm, its statistics, and the residual. */
#include "kernels/cpu/cpu.h"

#include <math.h>
#include <string.h>

/* ---- sums over planes ----------------------------------------------------------------------- */

size_t fn_cpu_sums_bytes(const struct fn_dev *dev, int c, size_t per_channel)
{
    return (size_t)dev->threads * (size_t)c * per_channel * sizeof(double);
}

void fn_cpu_sums_join(double *sums, size_t count, int threads)
{
    size_t begin, end;
    fn_cpu_share(count, &begin, &end);
    for (int t = 1; t < threads; t++)
        for (size_t i = begin; i < end; i++)
            sums[i] += sums[(size_t)t * count + i];
}

int fn_cpu_stats_begin(struct fn_dev *dev, int c)
{
    void *scratch;
    size_t bytes = fn_cpu_sums_bytes(dev, c, 2);
    int rc = fn_cpu_scratch(dev, bytes, &scratch);
    if (rc == FN_OK)
        memset(scratch, 0, bytes);
    return rc;
}

void fn_cpu_stats_add(struct fn_dev *dev, const struct fn_tensor *piece)
{
    const struct fn_planes p = fn_cpu_planes(dev, piece);
#pragma omp parallel num_threads(dev->threads)
    {
        size_t begin, end, block = p.loops->block;
        double *mine = (double *)dev->scratch + fn_cpu_thread() * 2 * (size_t)piece->c;
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
    for (size_t t = 1; t < (size_t)dev->threads; t++)
        for (size_t i = 0; i < 2 * c; i++)
            sums[i] += sums[t * 2 * c + i];
    for (size_t i = 0; i < c; i++) {
        double mean = sums[fn_cpu_sum(&p, 2, 0, i)] / n;
        double variance = sums[fn_cpu_sum(&p, 2, 1, i)] / n - mean * mean;
        stats[i] = (float)mean;
        stats[c + i] = (float)(variance < 0 ? 0 : variance);
    }
}

int fn_cpu_stats(struct fn_dev *dev, const struct fn_tensor *t, float *stats)
{
    int rc = fn_cpu_stats_begin(dev, t->c);
    if (rc != FN_OK)
        return rc;
    fn_cpu_stats_add(dev, t);
    fn_cpu_stats_end(dev, t, stats);
    return FN_OK;
}

/* ---- batch norm ----------------------------------------------------------------------------- */

static void reciprocals(const float *var, size_t c, float *rstd)
{
    for (size_t i = 0; i < c; i++)
        rstd[i] = (float)(1 / sqrt((double)var[i] + FN_BN_EPSILON));
}

int fn_cpu_bn_forward(struct fn_dev *dev, const struct fn_tensor *y, const void *stats,
                      const void *beta, int relu, const struct fn_tensor *z)
{
    assert(fn_cpu_alike(y, z));
    fn_cpu_enter(dev);
    const struct fn_planes from = fn_cpu_planes(dev, y), to = fn_cpu_planes(dev, z);
    const float *mean = stats, *shift = beta;
    size_t c = (size_t)y->c, block = from.loops->block;
    void *rstd;
    int rc = fn_cpu_scratch(dev, c * sizeof(float), &rstd);
    if (rc != FN_OK)
        return rc;
    reciprocals(mean + c, c, rstd);
#pragma omp parallel num_threads(dev->threads)
    {
        size_t begin, end;
        fn_cpu_share(from.images * from.blocks, &begin, &end);
        for (size_t i = begin; i < end; i++) {
            size_t n = i / from.blocks, b = i % from.blocks, at = b * block;
            from.loops->bn(fn_cpu_plane(&from, n, b), mean + at, (float *)rstd + at, shift + at,
                           relu, from.pixels, fn_cpu_plane(&to, n, b));
        }
    }
    return FN_OK;
}

/* What bn_backward needs of the channels; a, b: as in loops.h. */
struct bn_vectors {
    const float *mean, *beta;
    float *rstd, *a, *b;
};

static void bn_finish(const struct fn_planes *p, const double *sums, size_t c, double n,
                      const struct bn_vectors *v, float *dbeta)
{
    for (size_t i = 0; i < c; i++) {
        double sum = sums[fn_cpu_sum(p, 2, 0, i)], product = sums[fn_cpu_sum(p, 2, 1, i)];
        double r = (double)v->rstd[i];
        dbeta[i] = (float)sum;
        v->a[i] = (float)(sum / n);
        v->b[i] = (float)(product * r * r / n);
    }
}

static int bn_scratch(struct fn_dev *dev, size_t c, double **sums, struct bn_vectors *v)
{
    size_t bytes = fn_cpu_sums_bytes(dev, (int)c, 2);
    void *scratch;
    int rc = fn_cpu_scratch(dev, bytes + 3 * c * sizeof(float), &scratch);
    if (rc != FN_OK)
        return rc;
    *sums = scratch;
    v->rstd = (float *)(void *)((char *)scratch + bytes);
    v->a = v->rstd + c;
    v->b = v->a + c;
    return FN_OK;
}

int fn_cpu_bn_backward(struct fn_dev *dev, const struct fn_tensor *dz, const struct fn_tensor *y,
                       const void *stats, const void *beta, int relu, const struct fn_tensor *dy,
                       void *dbeta)
{
    assert(fn_cpu_alike(dz, y) && fn_cpu_alike(dz, dy));
    fn_cpu_enter(dev);
    const struct fn_planes pz = fn_cpu_planes(dev, dz), py = fn_cpu_planes(dev, y),
                           pd = fn_cpu_planes(dev, dy);
    size_t c = (size_t)y->c, block = py.loops->block, blocks = py.blocks, count = 2 * c;
    struct bn_vectors v = {.mean = stats, .beta = beta};
    double *sums;
    int rc = bn_scratch(dev, c, &sums, &v);
    if (rc != FN_OK)
        return rc;
    reciprocals(v.mean + c, c, v.rstd);
#pragma omp parallel num_threads(dev->threads)
    {
        size_t begin, end, me = fn_cpu_thread();
        double *mine = sums + me * count;
        memset(mine, 0, count * sizeof *mine);
        fn_cpu_share(py.images * blocks, &begin, &end);
        for (size_t i = begin; i < end; i++) {
            size_t n = i / blocks, b = i % blocks, at = b * block;
            py.loops->bn_sums(fn_cpu_plane(&pz, n, b), fn_cpu_plane(&py, n, b), v.mean + at,
                              v.rstd + at, v.beta + at, relu, py.pixels, mine + 2 * at);
        }
#pragma omp barrier
        fn_cpu_sums_join(sums, count, dev->threads);
#pragma omp barrier
#pragma omp single
        bn_finish(&py, sums, c, (double)(py.images * py.pixels), &v, dbeta);
        /* Backwards: what was read last is still in the cache. */
        for (size_t i = end; i-- > begin;) {
            size_t n = i / blocks, b = i % blocks, at = b * block;
            py.loops->bn_back(fn_cpu_plane(&pz, n, b), fn_cpu_plane(&py, n, b), v.mean + at,
                              v.rstd + at, v.beta + at, v.a + at, v.b + at, relu, py.pixels,
                              fn_cpu_plane(&pd, n, b));
        }
    }
    return FN_OK;
}

/* ---- residual ------------------------------------------------------------------------------- */

int fn_cpu_residual_forward(struct fn_dev *dev, const struct fn_tensor *x,
                            const struct fn_tensor *up, const void *bias, double scale, int relu,
                            const struct fn_tensor *out)
{
    assert(fn_cpu_alike(x, up) && fn_cpu_alike(x, out));
    fn_cpu_enter(dev);
    const struct fn_planes px = fn_cpu_planes(dev, x), pu = fn_cpu_planes(dev, up),
                           po = fn_cpu_planes(dev, out);
    const float *shift = bias;
    size_t block = px.loops->block, blocks = px.blocks;
#pragma omp parallel num_threads(dev->threads)
    {
        size_t begin, end;
        fn_cpu_share(px.images * blocks, &begin, &end);
        for (size_t i = begin; i < end; i++) {
            size_t n = i / blocks, b = i % blocks;
            px.loops->residual(fn_cpu_plane(&px, n, b), fn_cpu_plane(&pu, n, b), shift + b * block,
                               (float)scale, relu, px.pixels, fn_cpu_plane(&po, n, b));
        }
    }
    return FN_OK;
}

int fn_cpu_residual_backward(struct fn_dev *dev, const struct fn_tensor *dout,
                             const struct fn_tensor *out, double scale, int relu,
                             const struct fn_tensor *dx, const struct fn_tensor *dup, void *dbias)
{
    assert(fn_cpu_alike(dout, out) && fn_cpu_alike(dout, dx) && fn_cpu_alike(dout, dup));
    fn_cpu_enter(dev);
    const struct fn_planes pd = fn_cpu_planes(dev, dout), po = fn_cpu_planes(dev, out),
                           px = fn_cpu_planes(dev, dx), pu = fn_cpu_planes(dev, dup);
    size_t c = (size_t)dout->c, block = pd.loops->block, blocks = pd.blocks;
    void *scratch;
    int rc = fn_cpu_scratch(dev, fn_cpu_sums_bytes(dev, dout->c, 1), &scratch);
    if (rc != FN_OK)
        return rc;
    double *sums = scratch;
#pragma omp parallel num_threads(dev->threads)
    {
        size_t begin, end;
        double *mine = sums + fn_cpu_thread() * c;
        memset(mine, 0, c * sizeof *mine);
        fn_cpu_share(pd.images * blocks, &begin, &end);
        for (size_t i = begin; i < end; i++) {
            size_t n = i / blocks, b = i % blocks;
            pd.loops->residual_back(fn_cpu_plane(&pd, n, b), fn_cpu_plane(&po, n, b), (float)scale,
                                    relu, pd.pixels, fn_cpu_plane(&px, n, b),
                                    fn_cpu_plane(&pu, n, b), mine + b * block);
        }
#pragma omp barrier
        fn_cpu_sums_join(sums, c, dev->threads);
    }
    for (size_t i = 0; i < c; i++)
        ((float *)dbias)[i] = (float)sums[i];
    return FN_OK;
}
