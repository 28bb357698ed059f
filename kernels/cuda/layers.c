/* SPDX-License-Identifier: MIT */
/* The layers that are kernels of our own: checks what the caller promised, launches, names
 * failures. */
#include <assert.h>

#include "kernels/cuda/cuda.h"

int fn_cuda_standardize(struct fn_dev *dev, const uint8_t *images, int per_image, int mirror,
                        const struct fn_tensor *y)
{
    assert(y->c == 3 && y->c0 == 0 && y->ctotal == 3);
    return fn_cuda_result(
        fn_k_standardize(&dev->queue, fn_cuda_type(dev, y), images, per_image, mirror, y),
        "standardization");
}

int fn_cuda_stats(struct fn_dev *dev, const struct fn_tensor *y, void *stats)
{
    return fn_cuda_result(fn_k_stats(&dev->queue, fn_cuda_type(dev, y), y, stats),
                          "batch statistics");
}

int fn_cuda_bn_forward(struct fn_dev *dev, const struct fn_tensor *y, const void *stats,
                       const void *beta, int relu, const struct fn_tensor *z)
{
    assert(fn_cuda_same_shape(y, z));
    return fn_cuda_result(
        fn_k_bn_forward(&dev->queue, fn_cuda_type(dev, y), y, stats, beta, relu, z), "batch norm");
}

int fn_cuda_bn_backward(struct fn_dev *dev, const struct fn_tensor *dz, const struct fn_tensor *y,
                        const void *stats, const void *beta, int mode, const struct fn_tensor *dy,
                        void *dbeta)
{
    assert(fn_cuda_same_shape(y, dz) && fn_cuda_same_shape(y, dy) && y->c <= FN_K_CHANNELS);
    return fn_cuda_result(
        fn_k_bn_backward(&dev->queue, fn_cuda_type(dev, y), dz, y, stats, beta, mode, dy, dbeta),
        "batch norm's gradient");
}

int fn_cuda_residual_forward(struct fn_dev *dev, const struct fn_tensor *x,
                             const struct fn_tensor *up, const void *bias, double scale, int relu,
                             const struct fn_tensor *out)
{
    assert(fn_cuda_same_shape(x, up) && fn_cuda_same_shape(x, out));
    return fn_cuda_result(
        fn_k_residual_forward(&dev->queue, fn_cuda_type(dev, x), x, up, bias, scale, relu, out),
        "residual block");
}

int fn_cuda_residual_backward(struct fn_dev *dev, const struct fn_tensor *dout,
                              const struct fn_tensor *out, double scale, int relu,
                              const struct fn_tensor *dx, const struct fn_tensor *dup, void *dbias)
{
    assert(fn_cuda_same_shape(dout, out) && fn_cuda_same_shape(dout, dx));
    assert(fn_cuda_same_shape(dout, dup));
    return fn_cuda_result(fn_k_residual_backward(&dev->queue, fn_cuda_type(dev, dout), dout, out,
                                                 scale, relu, dx, dup, dbias),
                          "residual block's gradient");
}

int fn_cuda_maxpool_forward(struct fn_dev *dev, const struct fn_tensor *x,
                            const struct fn_tensor *y, uint8_t *index)
{
    assert(y->n == x->n && y->c == x->c && x->c % FN_CHANNEL_ALIGN == 0);
    assert(y->h == fn_pool_out(x->h) && y->w == fn_pool_out(x->w));
    /* A map of one pixel is rows, which are fp32: it would need two types in one kernel. */
    assert(fn_cuda_type(dev, x) == fn_cuda_type(dev, y));
    return fn_cuda_result(fn_k_maxpool_forward(&dev->queue, fn_cuda_type(dev, x), x, y, index),
                          "max pool");
}

int fn_cuda_maxpool_backward(struct fn_dev *dev, const struct fn_tensor *dy, const uint8_t *index,
                             const struct fn_tensor *dx, int accumulate)
{
    assert(dy->n == dx->n && dy->c == dx->c && dx->c % FN_CHANNEL_ALIGN == 0);
    assert(dy->h == fn_pool_out(dx->h) && dy->w == fn_pool_out(dx->w));
    assert(fn_cuda_type(dev, dx) == fn_cuda_type(dev, dy));
    return fn_cuda_result(
        fn_k_maxpool_backward(&dev->queue, fn_cuda_type(dev, dx), dy, index, dx, accumulate),
        "max pool's gradient");
}

int fn_cuda_avgpool_forward(struct fn_dev *dev, const struct fn_tensor *x,
                            const struct fn_tensor *y)
{
    assert(y->n == x->n && y->c == x->c && fn_cuda_is_row(y));
    return fn_cuda_result(fn_k_avgpool_forward(&dev->queue, fn_cuda_type(dev, x), x, y),
                          "average pool");
}

int fn_cuda_avgpool_backward(struct fn_dev *dev, const struct fn_tensor *dy,
                             const struct fn_tensor *dx)
{
    assert(dy->n == dx->n && dy->c == dx->c && fn_cuda_is_row(dy));
    return fn_cuda_result(fn_k_avgpool_backward(&dev->queue, fn_cuda_type(dev, dx), dy, dx),
                          "average pool's gradient");
}

int fn_cuda_dropout(struct fn_dev *dev, const struct fn_tensor *x, double keep,
                    const struct fn_tensor *y)
{
    assert(fn_cuda_is_rows(x) && fn_cuda_is_rows(y) && fn_cuda_same_shape(x, y));
    assert(keep > 0 && keep <= 1);
    return fn_cuda_result(fn_k_dropout(&dev->queue, x, keep, y), "dropout");
}
