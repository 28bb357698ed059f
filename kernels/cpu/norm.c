/* SPDX-License-Identifier: MIT */
/* Batch norm and the residual. */
#include <math.h>

#include "kernels/cpu/cpu.h"

/* ---- batch norm ----------------------------------------------------------------------------- */

static float reciprocal(float variance)
{
    return (float)(1 / sqrt((double)variance + FN_BN_EPSILON));
}

int fn_cpu_bn_forward(struct fn_dev *dev, const struct fn_tensor *y, const void *stats,
                      const void *beta, int relu, const struct fn_tensor *z)
{
    assert(fn_cpu_alike(y, z));
    fn_cpu_enter(dev);
    const struct fn_planes from = fn_cpu_planes(dev, y), to = fn_cpu_planes(dev, z);
    const float *mean = stats, *shift = beta, *variance = mean + y->c;
    size_t block = from.loops->block;
    void *scratch;
    int rc = fn_cpu_scratch(dev, (size_t)y->c * sizeof(float), &scratch);
    if (rc != FN_OK)
        return rc;
    float *rstd = scratch;
#pragma omp parallel num_threads(dev->threads)
    {
        size_t begin, end;
        fn_cpu_share((size_t)y->c, &begin, &end);
        for (size_t i = begin; i < end; i++)
            rstd[i] = reciprocal(variance[i]);
#pragma omp barrier
        fn_cpu_share(from.images * from.blocks, &begin, &end);
        for (size_t i = begin; i < end; i++) {
            size_t n = i / from.blocks, b = i % from.blocks, at = b * block;
            from.loops->bn(fn_cpu_plane(&from, n, b), mean + at, rstd + at, shift + at, relu,
                           from.pixels, fn_cpu_plane(&to, n, b));
        }
    }
    return FN_OK;
}

/* What bn_backward needs of the channels; a, b: as in loops.h. */
struct bn_vectors {
    const float *mean, *variance, *beta;
    float *rstd, *a, *b;
};

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

/* By all threads: dbeta, a and b from everybody's sums. Constant statistics have no gradient. */
static void bn_finish(struct fn_dev *dev, const struct fn_planes *p, double *sums,
                      const struct bn_vectors *v, int fixed, float *dbeta)
{
    double n = (double)(p->images * p->pixels);
    size_t begin, end;
    fn_cpu_sums_join(sums, p, 2, dev->threads, &begin, &end);
    for (size_t i = begin; i < end; i++) {
        double sum = sums[fn_cpu_sum(p, 2, 0, i)], product = sums[fn_cpu_sum(p, 2, 1, i)];
        double r = (double)v->rstd[i];
        dbeta[i] = (float)sum;
        v->a[i] = fixed ? 0 : (float)(sum / n);
        v->b[i] = fixed ? 0 : (float)(product * r * r / n);
    }
}

int fn_cpu_bn_backward(struct fn_dev *dev, const struct fn_tensor *dz, const struct fn_tensor *y,
                       const void *stats, const void *beta, int mode, const struct fn_tensor *dy,
                       void *dbeta)
{
    assert(fn_cpu_alike(dz, y) && fn_cpu_alike(dz, dy));
    const int relu = mode & FN_BN_RELU, fixed = mode & FN_BN_FIXED;
    fn_cpu_enter(dev);
    const struct fn_planes pz = fn_cpu_planes(dev, dz), py = fn_cpu_planes(dev, y),
                           pd = fn_cpu_planes(dev, dy);
    size_t block = py.loops->block, blocks = py.blocks;
    struct bn_vectors v = {.mean = stats, .variance = (const float *)stats + y->c, .beta = beta};
    double *sums;
    int rc = bn_scratch(dev, (size_t)y->c, &sums, &v);
    if (rc != FN_OK)
        return rc;
#pragma omp parallel num_threads(dev->threads)
    {
        size_t begin, end;
        double *mine = fn_cpu_sums_mine(sums, &py, 2, 1);
        fn_cpu_share((size_t)y->c, &begin, &end);
        for (size_t i = begin; i < end; i++)
            v.rstd[i] = reciprocal(v.variance[i]);
#pragma omp barrier
        fn_cpu_share(py.images * blocks, &begin, &end);
        for (size_t i = begin; i < end; i++) {
            size_t n = i / blocks, b = i % blocks, at = b * block;
            py.loops->bn_sums(fn_cpu_plane(&pz, n, b), fn_cpu_plane(&py, n, b), v.mean + at,
                              v.rstd + at, v.beta + at, relu, py.pixels, mine + 2 * at);
        }
#pragma omp barrier
        bn_finish(dev, &py, sums, &v, fixed, dbeta);
#pragma omp barrier
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
    size_t block = pd.loops->block, blocks = pd.blocks;
    void *scratch;
    int rc = fn_cpu_scratch(dev, fn_cpu_sums_bytes(dev, dout->c, 1), &scratch);
    if (rc != FN_OK)
        return rc;
    double *sums = scratch;
#pragma omp parallel num_threads(dev->threads)
    {
        size_t begin, end;
        double *mine = fn_cpu_sums_mine(sums, &pd, 1, 1);
        fn_cpu_share(pd.images * blocks, &begin, &end);
        for (size_t i = begin; i < end; i++) {
            size_t n = i / blocks, b = i % blocks;
            pd.loops->residual_back(fn_cpu_plane(&pd, n, b), fn_cpu_plane(&po, n, b), (float)scale,
                                    relu, pd.pixels, fn_cpu_plane(&px, n, b),
                                    fn_cpu_plane(&pu, n, b), mine + b * block);
        }
#pragma omp barrier
        fn_cpu_sums_join(sums, &pd, 1, dev->threads, &begin, &end);
        for (size_t i = begin; i < end; i++)
            ((float *)dbias)[i] = (float)sums[i];
    }
    return FN_OK;
}
