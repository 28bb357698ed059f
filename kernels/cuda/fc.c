/* SPDX-License-Identifier: MIT */
/* Fully connected layers: rows are maps of one pixel, the layer a convolution 1 x 1 of them. Rows
 * and weights are fp32; where activations are bf16 the products may use tensor cores, which round
 * what they multiply to 10 bits, more than bf16 keeps.
 *
 * Why not cuBLASLt for the head: at 90 rows and 85,000 classes each of its three products is 7.8
 * GFLOP over 174 MB of weights. In exact fp32 arithmetic bounds it, and cuDNN's plans need less
 * than 1 MB of workspace on every chip: nothing to gain. With tensor cores the weights bound it,
 * which cuDNN's plans read or write once from compute capability 9.0 on (but for 12.0). Elsewhere a
 * tensor core engine copies the weights first, for one or two of the three products: 350 MB more
 * each, 0.2 ms on an A100 whose step is about ten, on paper. Against that stand a second library to
 * install and a handle that cannot even be created without a GPU, so that none of its choices could
 * be tested here; cuDNN's own matrix products are compiled at run time, with the same result. */
#include <assert.h>

#include "kernels/cuda/dnn.h"

static struct fn_conv_shape shape_of(int n, int k, int d)
{
    return (struct fn_conv_shape){n, 1, 1, k, 1, 1, 1, 1, d};
}

int fn_cuda_fc_plan(struct fn_dev *dev, int n, int k, int d, size_t *workspace)
{
    static const int passes[] = {FN_FORWARD, FN_BACKWARD_DATA, FN_BACKWARD_DATA | FN_ACCUMULATE,
                                 FN_BACKWARD_WEIGHTS};
    const struct fn_conv_shape shape = shape_of(n, k, d);
    *workspace = 0;
    for (size_t i = 0; i < sizeof passes / sizeof passes[0]; i++) {
        const struct fn_plan *plan;
        int rc = fn_cuda_plan_get(dev, &shape, passes[i], 0, &plan);
        if (rc)
            return rc;
        if (fn_plan_workspace(plan) > *workspace)
            *workspace = fn_plan_workspace(plan);
    }
    return FN_OK;
}

/* fc_plan made it: this finds it. */
static int run(struct fn_dev *dev, const struct fn_conv_shape *shape, int passes, const void *x,
               const void *w, const void *y)
{
    const struct fn_plan *plan;
    int rc = fn_cuda_plan_get(dev, shape, passes, 0, &plan);
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

int fn_cuda_fc_backward(struct fn_dev *dev, const struct fn_tensor *x, const void *w,
                        const struct fn_tensor *dy, const struct fn_tensor *dx, int accumulate,
                        void *dw, void *db)
{
    const struct fn_conv_shape shape = shape_of(x->n, x->c, dy->c);
    int rc = FN_OK;
    assert(fn_cuda_is_rows(x) && fn_cuda_is_rows(dy) && x->n == dy->n);
    if (dw)
        rc = run(dev, &shape, FN_BACKWARD_WEIGHTS, x->data, dw, dy->data);
    if (!rc && dx)
        rc = run(dev, &shape, FN_BACKWARD_DATA | (accumulate ? FN_ACCUMULATE : 0), dx->data, w,
                 dy->data);
    return rc || !db ? rc : fn_cuda_result(fn_k_bias_backward(&dev->queue, dy, db), "bias");
}
