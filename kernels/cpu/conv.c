/* SPDX-License-Identifier: MIT */
/* Convolutions: a oneDNN primitive for each pass that was planned. */
#include "kernels/cpu/cpu.h"

#include <stdlib.h>

#include "kernels/host.h"

struct fn_conv {
    struct fn_conv_shape shape;
    struct fn_dnn *dnn;
    struct fn_dnn_conv *forward, *backward_data, *backward_weights;
    size_t primitive_bytes; /* of workspace, for the primitives; then a gradient to be added */
    size_t workspace_bytes;
};

static int open_pass(struct fn_dev *dev, struct fn_conv *p, int pass, struct fn_dnn_conv **conv)
{
    int rc = fn_dnn_conv_open(dev->dnn, &p->shape, pass, conv);
    if (rc != FN_OK)
        return rc;
    size_t bytes = fn_dnn_conv_workspace(*conv);
    if (bytes > p->primitive_bytes)
        p->primitive_bytes = bytes;
    return FN_OK;
}

int fn_cpu_conv_plan(struct fn_dev *dev, const struct fn_conv_shape *shape, int passes,
                     struct fn_conv **plan, size_t *workspace)
{
    int rc = FN_OK;
    size_t added = 0;
    void *scratch;
    fn_cpu_enter(dev);
    assert(shape->cin == 3 || shape->cin % FN_CHANNEL_ALIGN == 0);
    assert(shape->cout % FN_CHANNEL_ALIGN == 0);
    struct fn_conv *p = calloc(1, sizeof *p);
    *plan = p;
    *workspace = 0;
    if (!p)
        return fn_fail(FN_ENOMEM, "out of memory for the plan of a convolution");
    p->shape = *shape;
    p->dnn = dev->dnn;
    if (passes & FN_FORWARD)
        rc = open_pass(dev, p, FN_FORWARD, &p->forward);
    if (rc == FN_OK && passes & FN_BACKWARD_DATA)
        rc = open_pass(dev, p, FN_BACKWARD_DATA, &p->backward_data);
    if (rc == FN_OK && passes & FN_BACKWARD_WEIGHTS)
        rc = open_pass(dev, p, FN_BACKWARD_WEIGHTS, &p->backward_weights);
    if (rc == FN_OK) /* that of the statistics, and of batch norm after it */
        rc = fn_cpu_scratch(dev, fn_cpu_sums_bytes(dev, shape->cout + 16, 2), &scratch);
    if (rc != FN_OK) {
        fn_cpu_conv_free(plan);
        return rc;
    }
    if (passes & FN_BACKWARD_DATA)
        added = fn_cpu_tensor_bytes(dev, shape->n, shape->h, shape->w, shape->cin);
    p->workspace_bytes = p->primitive_bytes + added;
    *workspace = p->workspace_bytes;
    return FN_OK;
}

void fn_cpu_conv_free(struct fn_conv **plan)
{
    struct fn_conv *p = *plan;
    if (!p)
        return;
    fn_dnn_conv_close(&p->forward);
    fn_dnn_conv_close(&p->backward_data);
    fn_dnn_conv_close(&p->backward_weights);
    free(p);
    *plan = NULL;
}

/* ---- weights -------------------------------------------------------------------------------- */

size_t fn_cpu_conv_weights(const struct fn_conv *plan)
{
    return fn_dnn_weights(plan->dnn, &plan->shape);
}

int fn_cpu_conv_import(struct fn_dev *dev, const struct fn_conv *plan, const void *oihw, int type,
                       void *w)
{
    size_t count = fn_cpu_conv_weights(plan);
    void *plain = NULL;
    int rc = fn_host_alloc(count * sizeof(float), &plain);
    fn_cpu_enter(dev);
    if (rc == FN_OK)
        rc = fn_cpu_vector_import(dev, oihw, type, count, plain);
    if (rc == FN_OK)
        rc = fn_dnn_weights_import(dev->dnn, &plan->shape, plain, w);
    free(plain);
    return rc;
}

int fn_cpu_conv_export(struct fn_dev *dev, const struct fn_conv *plan, const void *w, void *oihw,
                       int type)
{
    size_t count = fn_cpu_conv_weights(plan);
    void *plain = NULL;
    int rc = fn_host_alloc(count * sizeof(float), &plain);
    fn_cpu_enter(dev);
    if (rc == FN_OK)
        rc = fn_dnn_weights_export(dev->dnn, &plan->shape, w, plain);
    if (rc == FN_OK)
        rc = fn_cpu_vector_export(dev, plain, count, oihw, type);
    free(plain);
    return rc;
}

/* ---- the passes ----------------------------------------------------------------------------- */

static inline int is_input(const struct fn_conv_shape *s, const struct fn_tensor *x)
{
    return x->n == s->n && x->h == s->h && x->w == s->w && x->c == s->cin && x->c0 == 0 &&
           x->ctotal == x->c;
}

static inline int is_output(const struct fn_conv_shape *s, const struct fn_tensor *y)
{
    return y->n == s->n && y->h == fn_conv_out_h(s) && y->w == fn_conv_out_w(s) &&
           y->c == s->cout && y->c0 == 0 && y->ctotal == y->c;
}

static int check_workspace(const struct fn_dev *dev, const struct fn_conv *plan)
{
    if (dev->workspace_bytes < plan->workspace_bytes)
        return fn_fail(FN_EINTERNAL, "a convolution wants %zu bytes of workspace and has %zu",
                       plan->workspace_bytes, dev->workspace_bytes);
    return FN_OK;
}

int fn_cpu_conv_forward(struct fn_dev *dev, const struct fn_conv *plan, const struct fn_tensor *x,
                        const void *w, const struct fn_tensor *y, void *stats)
{
    assert(plan->forward && is_input(&plan->shape, x) && is_output(&plan->shape, y));
    fn_cpu_enter(dev);
    int rc = check_workspace(dev, plan);
    if (rc == FN_OK)
        rc = fn_dnn_conv_run(dev->dnn, plan->forward, x->data, w, y->data, dev->workspace);
    if (rc == FN_OK && stats)
        rc = fn_cpu_stats(dev, y, stats);
    return rc;
}

static int backward_data(struct fn_dev *dev, const struct fn_conv *plan, const void *w,
                         const struct fn_tensor *dy, const struct fn_tensor *dx, int accumulate)
{
    size_t count = (size_t)dx->n * (size_t)dx->h * (size_t)dx->w * (size_t)dx->c;
    float *out = dx->data, *into = out;
    if (accumulate)
        into = (float *)(void *)((char *)dev->workspace + plan->primitive_bytes);
    int rc = fn_dnn_conv_run(dev->dnn, plan->backward_data, into, w, dy->data, dev->workspace);
    if (rc != FN_OK || !accumulate)
        return rc;
#pragma omp parallel num_threads(dev->threads)
    {
        size_t begin, end;
        fn_cpu_share(count, &begin, &end);
        dev->loops->add(into + begin, end - begin, out + begin);
    }
    return FN_OK;
}

int fn_cpu_conv_backward(struct fn_dev *dev, const struct fn_conv *plan, const struct fn_tensor *x,
                         const void *w, const struct fn_tensor *dy, const struct fn_tensor *dx,
                         int accumulate, void *dw)
{
    assert(is_output(&plan->shape, dy));
    fn_cpu_enter(dev);
    int rc = check_workspace(dev, plan);
    if (rc == FN_OK && dw) {
        assert(plan->backward_weights && is_input(&plan->shape, x));
        rc = fn_dnn_conv_run(dev->dnn, plan->backward_weights, x->data, dw, dy->data,
                             dev->workspace);
    }
    if (rc == FN_OK && dx) {
        assert(plan->backward_data && is_input(&plan->shape, dx));
        rc = backward_data(dev, plan, w, dy, dx, accumulate);
    }
    return rc;
}
