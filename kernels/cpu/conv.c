/* SPDX-License-Identifier: MIT */
/* The passes of a convolution. */
#include "kernels/cpu/conv.h"

#include <string.h>

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

/* Piece i: its first image, how many they are. */
static size_t piece(const struct fn_conv *p, size_t i, size_t *images)
{
    *images = p->least + (i < p->longer);
    return i * p->least + (i < p->longer ? i : p->longer);
}

/* What lies behind a pass's workspace. */
static float *behind(const struct fn_dev *dev, const struct fn_conv *plan)
{
    return (float *)(void *)((char *)dev->workspace + plan->pass_bytes);
}

/* y (count) += x */
static void add(struct fn_dev *dev, const float *x, size_t count, float *y)
{
#pragma omp parallel num_threads(dev->threads)
    {
        size_t begin, end;
        fn_cpu_share(count, &begin, &end);
        dev->loops->add(x + begin, end - begin, y + begin);
    }
}

int fn_cpu_conv_forward(struct fn_dev *dev, const struct fn_conv *plan, const struct fn_tensor *x,
                        const void *w, const struct fn_tensor *y, void *stats)
{
    assert(plan->forward.way && is_input(&plan->shape, x) && is_output(&plan->shape, y));
    fn_cpu_enter(dev);
    int rc = check_workspace(dev, plan);
    if (rc == FN_OK && stats)
        rc = fn_cpu_stats_begin(dev, y->c);
    for (size_t i = 0; i < plan->pieces && rc == FN_OK; i++) {
        size_t images, first = piece(plan, i, &images);
        struct fn_tensor part = *y;
        part.n = (int)images;
        part.data = (float *)y->data + first * plan->y_image;
        const float *from = (float *)x->data + first * plan->x_image;
        if (plan->forward.way == FN_CONV_WINOGRAD)
            fn_winograd_conv(dev, &plan->forward.walk, images, from, w, 0, 0, part.data);
        else
            rc = fn_dnn_conv_run(dev->dnn, plan->forward.conv[i < plan->longer], from, w, part.data,
                                 dev->workspace);
        if (rc == FN_OK && stats)
            fn_cpu_stats_add(dev, &part, i == 0);
    }
    if (rc == FN_OK && stats)
        fn_cpu_stats_end(dev, y, stats);
    return rc;
}

/* The kernel between any two channels turned around, and inputs and outputs exchanged: the weights
 * of the input gradient as a convolution. A block is B x B: outputs lie side by side. */
static void turn_weights(struct fn_dev *dev, const struct fn_conv_shape *s, const float *w,
                         float *to)
{
    const size_t b = dev->loops->block, outs = (size_t)s->cout / b, ins = (size_t)s->cin / b;
    const size_t k = (size_t)(s->kh * s->kw);
#pragma omp parallel num_threads(dev->threads)
    {
        size_t begin, end;
        fn_cpu_share(ins * outs * k, &begin, &end);
        for (size_t i = begin; i < end; i++) {
            size_t in = i / k / outs, out = i / k % outs;
            const float *from = w + ((out * ins + in) * k + k - 1 - i % k) * b * b;
            for (size_t o = 0; o < b; o++)
                for (size_t c = 0; c < b; c++)
                    to[i * b * b + o * b + c] = from[c * b + o];
        }
    }
}

static int backward_data(struct fn_dev *dev, const struct fn_conv *plan, const float *w,
                         const struct fn_tensor *dy, const struct fn_tensor *dx, int accumulate)
{
    const struct fn_conv_pass *pass = &plan->backward_data;
    struct fn_dnn_conv *const *conv = accumulate ? pass->adding : pass->conv;
    int rc = FN_OK;
    if (pass->way == FN_CONV_TURNED)
        turn_weights(dev, &plan->shape, w, behind(dev, plan));
    for (size_t i = 0; i < plan->pieces && rc == FN_OK; i++) {
        size_t images, first = piece(plan, i, &images);
        const float *from = (float *)dy->data + first * plan->y_image;
        float *out = (float *)dx->data + first * plan->x_image;
        if (pass->way == FN_CONV_WINOGRAD) {
            fn_winograd_conv(dev, &pass->walk, images, from, w, 1, accumulate, out);
        } else if (pass->way == FN_CONV_TURNED) {
            rc = fn_dnn_conv_run(dev->dnn, conv[i < plan->longer], from, behind(dev, plan), out,
                                 dev->workspace);
        } else {
            float *into = accumulate ? behind(dev, plan) : out;
            rc = fn_dnn_conv_run(dev->dnn, pass->conv[i < plan->longer], into, w, from,
                                 dev->workspace);
            if (rc == FN_OK && accumulate)
                add(dev, into, images * plan->x_image, out);
        }
    }
    return rc;
}

static int backward_weights(struct fn_dev *dev, const struct fn_conv *plan,
                            const struct fn_tensor *x, const struct fn_tensor *dy, float *dw)
{
    const struct fn_conv_pass *pass = &plan->backward_weights;
    int rc = FN_OK;
    for (size_t i = 0; i < plan->pieces && rc == FN_OK; i++) {
        size_t images, first = piece(plan, i, &images);
        const float *from_x = (float *)x->data + first * plan->x_image;
        const float *from_dy = (float *)dy->data + first * plan->y_image;
        float *into = i > 0 ? behind(dev, plan) : dw;
        if (pass->way == FN_CONV_WINOGRAD)
            fn_winograd_gradient(dev, &pass->walk, images, from_x, from_dy, into);
        else
            rc = fn_dnn_conv_run(dev->dnn, pass->conv[i < plan->longer], from_x, into, from_dy,
                                 dev->workspace);
        if (rc == FN_OK && i > 0)
            add(dev, into, fn_cpu_conv_weights(plan), dw);
    }
    return rc;
}

int fn_cpu_conv_backward(struct fn_dev *dev, const struct fn_conv *plan, const struct fn_tensor *x,
                         const void *w, const struct fn_tensor *dy, const struct fn_tensor *dx,
                         int accumulate, void *dw)
{
    assert(is_output(&plan->shape, dy));
    fn_cpu_enter(dev);
    int rc = check_workspace(dev, plan);
    if (rc == FN_OK && dw) {
        assert(plan->backward_weights.way && is_input(&plan->shape, x));
        rc = backward_weights(dev, plan, x, dy, dw);
    }
    if (rc == FN_OK && dx) {
        assert(plan->backward_data.way && is_input(&plan->shape, dx));
        rc = backward_data(dev, plan, w, dy, dx, accumulate);
    }
    return rc;
}
