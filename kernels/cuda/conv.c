/* SPDX-License-Identifier: MIT */
/* Convolutions: plans of cuDNN, and what stands around them. In bf16 the weights are read from the
 * copies beside the arena and the gradients written there (shadow.c); weights elsewhere are
 * narrowed into the workspace, and their gradients widened from it, at every call.
 *
 * Workspace of a pass: what its plan wants | weights in bf16 | dw in bf16. */
#include <assert.h>
#include <stdlib.h>

#include "kernels/cuda/dnn.h"
#include "kernels/host.h"

struct fn_conv {
    struct fn_conv_shape s;
    int type; /* enum fn_k_type of x and y */
    /* NULL: not asked for. add: the data gradient, added to what is there. */
    const struct fn_plan *forward, *data, *add, *weights;
};

static size_t weight_count(const struct fn_conv_shape *s)
{
    return (size_t)s->kh * (size_t)s->kw * (size_t)s->cin * (size_t)s->cout;
}

/* Weights in bf16 behind what a plan wants, and what stands behind those. */
static size_t weights_at(const struct fn_plan *plan)
{
    return fn_cuda_after(fn_plan_workspace(plan));
}

static size_t rest_at(const struct fn_conv *c, const struct fn_plan *plan)
{
    const size_t bytes = c->type == FN_K_BF16 ? weight_count(&c->s) * sizeof(uint16_t) : 0;
    return fn_cuda_after(weights_at(plan) + bytes);
}

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t workspace_of(const struct fn_conv *c)
{
    const size_t dw = c->type == FN_K_BF16 ? weight_count(&c->s) * sizeof(uint16_t) : 0;
    size_t bytes = 0;
    if (c->forward)
        bytes = rest_at(c, c->forward);
    if (c->data)
        bytes = most(bytes, rest_at(c, c->data));
    if (c->add)
        bytes = most(bytes, rest_at(c, c->add));
    if (c->weights)
        bytes = most(bytes, rest_at(c, c->weights) + dw);
    return bytes;
}

/* Maps of one pixel are rows, which are fp32: in bf16 both sides must be, or none. */
static int type_of(const struct fn_dev *dev, const struct fn_conv_shape *s, int *type)
{
    const int in_row = s->h == 1 && s->w == 1, out_row = fn_conv_out_h(s) * fn_conv_out_w(s) == 1;
    *type = dev->bf16 && !in_row ? FN_K_BF16 : FN_K_F32;
    if (dev->bf16 && in_row != out_row)
        return fn_fail(FN_EUNSUPPORTED,
                       "a convolution %dx%d from (%d,%d) to one pixel cannot be computed in bf16: "
                       "use fp32",
                       s->kh, s->kw, s->h, s->w);
    return FN_OK;
}

int fn_cuda_conv_plan(struct fn_dev *dev, const struct fn_conv_shape *shape, int passes,
                      struct fn_conv **out, size_t *workspace)
{
    struct fn_conv *c = calloc(1, sizeof *c);
    *out = NULL;
    *workspace = 0;
    if (!c)
        return fn_fail(FN_ENOMEM, "out of memory for the plan of a convolution");
    c->s = *shape;
    int rc = type_of(dev, shape, &c->type);
    const int bf16 = c->type == FN_K_BF16;
    if (!rc && passes & FN_FORWARD)
        rc = fn_cuda_plan_get(dev, shape, FN_FORWARD, bf16, &c->forward);
    if (!rc && passes & FN_BACKWARD_DATA)
        rc = fn_cuda_plan_get(dev, shape, FN_BACKWARD_DATA, bf16, &c->data);
    if (!rc && passes & FN_BACKWARD_DATA && passes & FN_ACCUMULATE)
        rc = fn_cuda_plan_get(dev, shape, FN_BACKWARD_DATA | FN_ACCUMULATE, bf16, &c->add);
    if (!rc && passes & FN_BACKWARD_WEIGHTS)
        rc = fn_cuda_plan_get(dev, shape, FN_BACKWARD_WEIGHTS, bf16, &c->weights);
    if (rc) {
        fn_cuda_conv_free(&c);
        return rc;
    }
    *workspace = workspace_of(c);
    *out = c;
    return FN_OK;
}

void fn_cuda_conv_free(struct fn_conv **plan)
{
    free(*plan);
    *plan = NULL;
}

size_t fn_cuda_conv_weights(const struct fn_conv *plan)
{
    return weight_count(&plan->s);
}

/* ---- weights in and out --------------------------------------------------------------------- */

/* Place of element i of (cout, cin, kh, kw) in (cout, kh, kw, cin). */
static size_t place(const struct fn_conv_shape *s, size_t i)
{
    const size_t taps = (size_t)s->kh * (size_t)s->kw, cin = (size_t)s->cin;
    const size_t tap = i % taps, channel = i / taps % cin, o = i / taps / cin;
    return (o * taps + tap) * cin + channel;
}

static int staging(size_t bytes, void **out)
{
    *out = malloc(bytes);
    return *out ? FN_OK : fn_fail(FN_ENOMEM, "out of memory for weights of %zu bytes", bytes);
}

int fn_cuda_conv_import(struct fn_dev *dev, const struct fn_conv *plan, const void *oihw, int type,
                        void *w)
{
    const size_t count = weight_count(&plan->s);
    void *copy;
    int rc = staging(count * sizeof(float), &copy);
    if (rc)
        return rc;
    for (size_t i = 0; i < count; i++)
        ((float *)copy)[place(&plan->s, i)] = (float)fn_host_get(oihw, type, i);
    rc = fn_cuda_write(dev, w, copy, count * sizeof(float));
    free(copy);
    return rc;
}

int fn_cuda_conv_export(struct fn_dev *dev, const struct fn_conv *plan, const void *w, void *oihw,
                        int type)
{
    const size_t count = weight_count(&plan->s);
    const uint16_t *grad16 = fn_cuda_shadow_grad(dev, w);
    void *copy;
    int rc = staging(count * sizeof(float), &copy);
    if (rc)
        return rc;
    rc = grad16 ? fn_cuda_read(dev, grad16, copy, count * sizeof(uint16_t))
                : fn_cuda_read(dev, w, copy, count * sizeof(float));
    for (size_t i = 0; i < count && !rc; i++) {
        const size_t at = place(&plan->s, i);
        fn_host_set(oihw, type, i,
                    grad16 ? fn_host_widen(((const uint16_t *)copy)[at])
                           : ((const float *)copy)[at]);
    }
    free(copy);
    return rc;
}

/* ---- passes --------------------------------------------------------------------------------- */

static inline int is_packed(const struct fn_tensor *t)
{
    return t->c0 == 0 && t->c == t->ctotal;
}

/* Weights as a plan reads them. */
static int weights_for(struct fn_dev *dev, const struct fn_conv *c, const struct fn_plan *plan,
                       const void *w, const void **out)
{
    *out = w;
    if (c->type == FN_K_F32)
        return FN_OK;
    *out = fn_cuda_shadow_w(dev, w);
    if (*out)
        return FN_OK;
    uint16_t *narrow = (void *)((char *)dev->workspace + weights_at(plan));
    *out = narrow;
    return fn_cuda_result(fn_k_narrow(&dev->queue, w, narrow, weight_count(&c->s)),
                          "weights in bf16");
}

int fn_cuda_conv_forward(struct fn_dev *dev, const struct fn_conv *c, const struct fn_tensor *x,
                         const void *w, const struct fn_tensor *y, void *stats)
{
    const void *weights;
    assert(c->forward && is_packed(x) && is_packed(y));
    assert(x->n == c->s.n && x->h == c->s.h && x->w == c->s.w && x->c == c->s.cin);
    assert(y->n == c->s.n && y->c == c->s.cout);
    int rc = weights_for(dev, c, c->forward, w, &weights);
    if (!rc)
        rc = fn_cuda_plan_run(dev, c->forward, x->data, weights, y->data);
    return rc || !stats ? rc : fn_cuda_stats(dev, y, stats);
}

static int backward_data(struct fn_dev *dev, const struct fn_conv *c, const void *w,
                         const struct fn_tensor *dy, const struct fn_tensor *dx, int accumulate)
{
    const struct fn_plan *plan = accumulate ? c->add : c->data;
    const void *weights;
    assert(plan && is_packed(dx));
    int rc = weights_for(dev, c, plan, w, &weights);
    return rc ? rc : fn_cuda_plan_run(dev, plan, dx->data, weights, dy->data);
}

static int backward_weights(struct fn_dev *dev, const struct fn_conv *c, const struct fn_tensor *x,
                            const struct fn_tensor *dy, void *dw)
{
    uint16_t *dw16 = c->type == FN_K_BF16 ? fn_cuda_shadow_grad(dev, dw) : NULL;
    const int widen = c->type == FN_K_BF16 && !dw16;
    assert(c->weights && is_packed(x));
    if (widen)
        dw16 = (void *)((char *)dev->workspace + rest_at(c, c->weights));
    int rc = fn_cuda_plan_run(dev, c->weights, x->data, dw16 ? (void *)dw16 : dw, dy->data);
    if (rc || !widen)
        return rc;
    return fn_cuda_result(fn_k_widen(&dev->queue, dw16, dw, weight_count(&c->s)),
                          "gradient of weights");
}

int fn_cuda_conv_backward(struct fn_dev *dev, const struct fn_conv *c, const struct fn_tensor *x,
                          const void *w, const struct fn_tensor *dy, const struct fn_tensor *dx,
                          int accumulate, void *dw)
{
    int rc = FN_OK;
    assert(is_packed(dy) && dy->n == c->s.n && dy->c == c->s.cout);
    if (dw)
        rc = backward_weights(dev, c, x, dy, dw);
    return rc || !dx ? rc : backward_data(dev, c, w, dy, dx, accumulate);
}
