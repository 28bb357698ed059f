/* SPDX-License-Identifier: MIT */
/* Embeddings and losses: kernels of our own over rows. */
#include <assert.h>
#include <string.h>

#include "kernels/cuda/cuda.h"

int fn_cuda_l2norm_forward(struct fn_dev *dev, const struct fn_tensor *x, const struct fn_tensor *e)
{
    assert(fn_cuda_is_rows(x) && fn_cuda_is_rows(e) && fn_cuda_same_shape(x, e));
    return fn_cuda_result(fn_k_l2norm_forward(&dev->queue, x, e), "normalization");
}

int fn_cuda_l2norm_backward(struct fn_dev *dev, const struct fn_tensor *x,
                            const struct fn_tensor *de, const struct fn_tensor *dx, int accumulate)
{
    assert(fn_cuda_is_rows(x) && fn_cuda_is_rows(de) && fn_cuda_is_rows(dx));
    assert(fn_cuda_same_shape(x, de) && fn_cuda_same_shape(x, dx));
    return fn_cuda_result(fn_k_l2norm_backward(&dev->queue, x, de, dx, accumulate),
                          "normalization's gradient");
}

int fn_cuda_softmax_xent(struct fn_dev *dev, const struct fn_tensor *logits, const int32_t *labels,
                         int count, int backward)
{
    assert(fn_cuda_is_rows(logits) && count >= 1 && count <= logits->n);
    return fn_cuda_result(fn_k_softmax_xent(&dev->queue, logits, labels, count, backward),
                          "softmax");
}

int fn_cuda_margin_xent(struct fn_dev *dev, const struct fn_tensor *x, const int32_t *labels,
                        int count, const struct fn_margin *rule, int backward)
{
    assert(fn_cuda_is_rows(x) && count >= 1 && count <= x->n);
    assert(rule->smoothing >= 0 && rule->smoothing < 1);
    return fn_cuda_result(fn_k_margin_xent(&dev->queue, x, labels, count, rule, backward),
                          "softmax with a margin");
}

int fn_cuda_center_loss(struct fn_dev *dev, const struct fn_tensor *x, const int32_t *labels,
                        int count, const void *centers, double factor, const struct fn_tensor *dx)
{
    assert(fn_cuda_is_rows(x) && count >= 1 && count <= x->n);
    assert(!dx || (fn_cuda_is_rows(dx) && fn_cuda_same_shape(x, dx)));
    return fn_cuda_result(fn_k_center_loss(&dev->queue, x, labels, count, centers, factor, dx),
                          "center loss");
}

int fn_cuda_center_update(struct fn_dev *dev, const struct fn_tensor *x, const int32_t *labels,
                          int count, void *centers, double alfa)
{
    assert(fn_cuda_is_rows(x) && count >= 0 && count <= x->n);
    if (count == 0)
        return FN_OK;
    return fn_cuda_result(fn_k_center_update(&dev->queue, x, labels, count, centers, alfa),
                          "move of the centers");
}

int fn_cuda_norm_loss(struct fn_dev *dev, const struct fn_tensor *x, int count, double p,
                      double factor, const struct fn_tensor *dx)
{
    assert(fn_cuda_is_rows(x) && count >= 1 && count <= x->n && p >= 1);
    assert(!dx || (fn_cuda_is_rows(dx) && fn_cuda_same_shape(x, dx)));
    return fn_cuda_result(fn_k_norm_loss(&dev->queue, x, count, p, factor, dx), "prelogits norm");
}

int fn_cuda_triplet_loss(struct fn_dev *dev, const struct fn_tensor *e, int count, double alpha,
                         const struct fn_tensor *de)
{
    assert(fn_cuda_is_rows(e) && fn_cuda_is_rows(de) && fn_cuda_same_shape(e, de));
    assert(count >= 3 && count % 3 == 0 && count <= e->n);
    return fn_cuda_result(fn_k_triplet_loss(&dev->queue, e, count, alpha, de), "triplet loss");
}

/* Device memory for the result: kept, and made larger when a call needs it. */
static int distances_memory(struct fn_dev *dev, size_t bytes)
{
    void *data;
    if (bytes <= dev->distances_bytes)
        return FN_OK;
    fn_cuda_free(dev, FN_MEM_DEVICE, dev->distances);
    dev->distances = NULL;
    dev->distances_bytes = 0;
    int rc = fn_cuda_alloc(dev, bytes, FN_MEM_DEVICE, &data);
    if (rc)
        return fn_fail_in(rc, "distances of all pairs");
    dev->distances = data;
    dev->distances_bytes = bytes;
    return FN_OK;
}

int fn_cuda_distances(struct fn_dev *dev, const struct fn_tensor *e, int count, float *d2)
{
    assert(fn_cuda_is_rows(e) && count >= 0 && count <= e->n);
    const size_t bytes = (size_t)count * (size_t)count * sizeof *d2;
    if (count == 0)
        return FN_OK;
    int rc = distances_memory(dev, bytes);
    if (rc)
        return rc;
    rc = fn_cuda_result(fn_k_distances(&dev->queue, e, count, dev->distances), "distances");
    return rc ? rc : fn_cuda_read(dev, dev->distances, d2, bytes);
}
