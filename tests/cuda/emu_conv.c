/* SPDX-License-Identifier: MIT */
/* What cuDNN does, done by the reference backend: see emu_device.c. */
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/cuda.h"
#include "tests/cuda/emu_run.h"

/* The first member of the emulated device's runtime. */
static struct fn_dev *ref_of(const struct fn_dev *dev)
{
    struct fn_dev *ref;
    memcpy(&ref, dev->runtime, sizeof(void *));
    return ref;
}

int fn_cuda_conv_plan(struct fn_dev *dev, const struct fn_conv_shape *shape, int passes,
                      struct fn_conv **plan, size_t *workspace)
{
    return fn_backend_ref.conv_plan(ref_of(dev), shape, passes, plan, workspace);
}

void fn_cuda_conv_free(struct fn_conv **plan)
{
    fn_backend_ref.conv_free(plan);
}

size_t fn_cuda_conv_weights(const struct fn_conv *plan)
{
    return fn_backend_ref.conv_weights(plan);
}

int fn_cuda_conv_import(struct fn_dev *dev, const struct fn_conv *plan, const void *oihw, int type,
                        void *w)
{
    return fn_backend_ref.conv_import(ref_of(dev), plan, oihw, type, w);
}

int fn_cuda_conv_export(struct fn_dev *dev, const struct fn_conv *plan, const void *w, void *oihw,
                        int type)
{
    return fn_backend_ref.conv_export(ref_of(dev), plan, w, oihw, type);
}

/* An fp32 copy of a bf16 tensor, or the tensor itself. */
static struct fn_tensor wide(struct fn_dev *dev, const struct fn_tensor *t)
{
    struct fn_tensor copy = *t;
    if (fn_cuda_type(dev, t) == FN_K_F32)
        return copy;
    copy.data = malloc((size_t)t->n * (size_t)t->h * (size_t)t->w * (size_t)t->c * sizeof(float));
    if (copy.data)
        fn_cuda_tensor_export(dev, t, copy.data, FN_F32);
    return copy;
}

/* Ends a copy; with `back` the tensor gets what is in it. */
static void narrow(struct fn_dev *dev, const struct fn_tensor *t, struct fn_tensor *copy, int back)
{
    if (copy->data == t->data)
        return;
    if (back && copy->data)
        fn_cuda_tensor_import(dev, copy->data, FN_F32, t);
    free(copy->data);
}

int fn_cuda_conv_forward(struct fn_dev *dev, const struct fn_conv *plan, const struct fn_tensor *x,
                         const void *w, const struct fn_tensor *y, void *stats)
{
    struct fn_tensor wide_x = wide(dev, x), wide_y = wide(dev, y);
    int rc = fn_backend_ref.conv_forward(ref_of(dev), plan, &wide_x, w, &wide_y, NULL);
    narrow(dev, x, &wide_x, 0);
    narrow(dev, y, &wide_y, 1);
    return rc || !stats ? rc : fn_cuda_stats(dev, y, stats);
}

int fn_cuda_conv_backward(struct fn_dev *dev, const struct fn_conv *plan, const struct fn_tensor *x,
                          const void *w, const struct fn_tensor *dy, const struct fn_tensor *dx,
                          int accumulate, void *dw)
{
    struct fn_tensor wide_x = wide(dev, x), wide_dy = wide(dev, dy), wide_dx = {0};
    if (dx)
        wide_dx = wide(dev, dx);
    int rc = fn_backend_ref.conv_backward(ref_of(dev), plan, &wide_x, w, &wide_dy,
                                          dx ? &wide_dx : NULL, accumulate, dw);
    narrow(dev, x, &wide_x, 0);
    narrow(dev, dy, &wide_dy, 0);
    if (dx)
        narrow(dev, dx, &wide_dx, 1);
    return rc;
}

int fn_cuda_fc_plan(struct fn_dev *dev, int n, int k, int d, size_t *workspace)
{
    return fn_backend_ref.fc_plan(ref_of(dev), n, k, d, workspace);
}

int fn_cuda_fc_forward(struct fn_dev *dev, const struct fn_tensor *x, const void *w, const void *b,
                       const struct fn_tensor *y, void *stats)
{
    int rc = fn_backend_ref.fc_forward(ref_of(dev), x, w, NULL, y, NULL);
    if (!rc && b)
        rc = fn_cuda_result(fn_k_bias_forward(&dev->queue, y, b), "bias");
    return rc || !stats ? rc : fn_cuda_stats(dev, y, stats);
}

int fn_cuda_fc_backward(struct fn_dev *dev, const struct fn_tensor *x, const void *w,
                        const struct fn_tensor *dy, const struct fn_tensor *dx, int accumulate,
                        void *dw, void *db)
{
    int rc = fn_backend_ref.fc_backward(ref_of(dev), x, w, dy, dx, accumulate, dw, NULL);
    return rc || !db ? rc : fn_cuda_result(fn_k_bias_backward(&dev->queue, dy, db), "bias");
}

int fn_cuda_distrust(struct fn_dev *dev, int wrong)
{
    (void)dev;
    return wrong ? fn_fail(FN_EUNSUPPORTED, "the emulator has one way to compute") : FN_OK;
}
