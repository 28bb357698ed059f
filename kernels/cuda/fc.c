/* SPDX-License-Identifier: MIT */
/* Fully connected layers: rows are maps of one pixel, the layer a convolution 1 x 1 of them. Rows
 * and weights are fp32; where activations are bf16 the products may use tensor cores, which round
 * what they multiply to 10 bits, more than bf16 keeps.
 *
 * Workspace of the data gradient: what its plan wants | dx before it is added. */
#include <assert.h>

#include "kernels/cuda/dnn.h"

static struct fn_conv_shape shape_of(int n, int k, int d)
{
    return (struct fn_conv_shape){n, 1, 1, k, 1, 1, 1, 1, d};
}

int fn_cuda_fc_plan(struct fn_dev *dev, int n, int k, int d, size_t *workspace)
{
    const struct fn_conv_shape shape = shape_of(n, k, d);
    *workspace = 0;
    for (int pass = FN_FORWARD; pass <= FN_BACKWARD_WEIGHTS; pass *= 2) {
        const struct fn_plan *plan;
        int rc = fn_cuda_plan_get(dev, &shape, pass, 0, &plan);
        if (rc)
            return rc;
        size_t bytes = fn_cuda_after(fn_plan_workspace(plan));
        if (pass == FN_BACKWARD_DATA)
            bytes += (size_t)n * (size_t)k * sizeof(float);
        if (bytes > *workspace)
            *workspace = bytes;
    }
    return FN_OK;
}

/* fc_plan made it: this finds it. */
static int run(struct fn_dev *dev, const struct fn_conv_shape *shape, int pass, const void *x,
               const void *w, const void *y)
{
    const struct fn_plan *plan;
    int rc = fn_cuda_plan_get(dev, shape, pass, 0, &plan);
    return rc ? rc : fn_cuda_plan_run(dev, plan, x, w, y);
}

int fn_cuda_fc_forward(struct fn_dev *dev, const struct fn_tensor *x, const void *w, const void *b,
                       const struct fn_tensor *y, void *stats)
{
    const struct fn_conv_shape shape = shape_of(x->n, x->c, y->c);
    assert(fn_cuda_is_rows(x) && fn_cuda_is_rows(y) && x->n == y->n);
    int rc = run(dev, &shape, FN_FORWARD, x->data, w, y->data);
    if (!rc && b)
        rc = fn_cuda_result(fn_k_bias_forward(&dev->queue, y, b), "bias");
    return rc || !stats ? rc : fn_cuda_stats(dev, y, stats);
}

static int add_data(struct fn_dev *dev, const struct fn_conv_shape *shape, const void *w,
                    const struct fn_tensor *dy, const struct fn_tensor *dx)
{
    const struct fn_plan *plan;
    int rc = fn_cuda_plan_get(dev, shape, FN_BACKWARD_DATA, 0, &plan);
    if (rc)
        return rc;
    void *part = (char *)dev->workspace + fn_cuda_after(fn_plan_workspace(plan));
    rc = fn_cuda_plan_run(dev, plan, part, w, dy->data);
    if (rc)
        return rc;
    return fn_cuda_result(
        fn_k_add(&dev->queue, FN_K_F32, part, dx->data, (size_t)dx->n * (size_t)dx->c),
        "sum of gradients");
}

int fn_cuda_fc_backward(struct fn_dev *dev, const struct fn_tensor *x, const void *w,
                        const struct fn_tensor *dy, const struct fn_tensor *dx, int accumulate,
                        void *dw, void *db)
{
    const struct fn_conv_shape shape = shape_of(x->n, x->c, dy->c);
    int rc = FN_OK;
    assert(fn_cuda_is_rows(x) && fn_cuda_is_rows(dy) && x->n == dy->n);
    if (dw)
        rc = run(dev, &shape, FN_BACKWARD_WEIGHTS, x->data, dw, dy->data);
    if (!rc && dx && accumulate)
        rc = add_data(dev, &shape, w, dy, dx);
    else if (!rc && dx)
        rc = run(dev, &shape, FN_BACKWARD_DATA, dx->data, w, dy->data);
    return rc || !db ? rc : fn_cuda_result(fn_k_bias_backward(&dev->queue, dy, db), "bias");
}
