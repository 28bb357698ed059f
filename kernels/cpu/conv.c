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

/* Forward: y from x. Input gradient: y is dx, x is dy, and `add` adds to it (Winograd only). */
static int run(struct fn_dev *dev, const struct fn_conv *plan, const struct fn_conv_pass *pass,
               size_t i, const float *x, const float *w, int add, float *y)
{
    int turned = pass == &plan->backward_data;
    const struct fn_dnn_conv *conv = pass->conv[i < plan->longer];
    if (pass->winograd) {
        fn_winograd_conv(dev, &pass->walk, plan->least + (i < plan->longer), x, w, turned, add, y);
        return FN_OK;
    }
    return turned ? fn_dnn_conv_run(dev->dnn, conv, y, w, x, dev->workspace)
                  : fn_dnn_conv_run(dev->dnn, conv, x, w, y, dev->workspace);
}

static float *added(const struct fn_dev *dev, const struct fn_conv *plan)
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
    assert(plan->forward.planned && is_input(&plan->shape, x) && is_output(&plan->shape, y));
    fn_cpu_enter(dev);
    int rc = check_workspace(dev, plan);
    if (rc == FN_OK && stats)
        rc = fn_cpu_stats_begin(dev, y->c);
    for (size_t i = 0; i < plan->pieces && rc == FN_OK; i++) {
        size_t images, first = piece(plan, i, &images);
        struct fn_tensor part = *y;
        part.n = (int)images;
        part.data = (float *)y->data + first * plan->y_image;
        rc = run(dev, plan, &plan->forward, i, (float *)x->data + first * plan->x_image, w, 0,
                 part.data);
        if (rc == FN_OK && stats)
            fn_cpu_stats_add(dev, &part);
    }
    if (rc == FN_OK && stats)
        fn_cpu_stats_end(dev, y, stats);
    return rc;
}

/* One plane: dx (h, w) = or += x, which has fewer rows and columns. */
static void widen_plane(const struct fn_dev *dev, const struct fn_conv_shape *s, const float *x,
                        int accumulate, float *dx)
{
    size_t b = dev->loops->block;
    size_t h = (size_t)fn_conv_reached(s->h, s->kh, s->stride, s->same), all = (size_t)s->w * b;
    size_t row = (size_t)fn_conv_reached(s->w, s->kw, s->stride, s->same) * b;
    for (size_t i = 0; i < (size_t)s->h; i++, dx += all, x += row) {
        if (accumulate && i < h) {
            dev->loops->add(x, row, dx);
        } else if (!accumulate) {
            memset(dx, 0, all * sizeof *dx);
            if (i < h)
                memcpy(dx, x, row * sizeof *dx);
        }
    }
}

static void widen(struct fn_dev *dev, const struct fn_conv_shape *s, size_t images, const float *x,
                  int accumulate, float *dx)
{
    size_t b = dev->loops->block, blocks = (size_t)s->cin / b;
    size_t large = (size_t)s->h * (size_t)s->w * b;
    size_t small = (size_t)fn_conv_reached(s->h, s->kh, s->stride, s->same) *
                   (size_t)fn_conv_reached(s->w, s->kw, s->stride, s->same) * b;
#pragma omp parallel num_threads(dev->threads)
    {
        size_t begin, end;
        fn_cpu_share(images * blocks, &begin, &end);
        for (size_t i = begin; i < end; i++)
            widen_plane(dev, s, x + i * small, accumulate, dx + i * large);
    }
}

static int backward_data(struct fn_dev *dev, const struct fn_conv *plan, const void *w,
                         const struct fn_tensor *dy, const struct fn_tensor *dx, int accumulate)
{
    const struct fn_conv_pass *pass = &plan->backward_data;
    int rc = FN_OK, apart = pass->trimmed || (accumulate && !pass->winograd);
    for (size_t i = 0; i < plan->pieces && rc == FN_OK; i++) {
        size_t images, first = piece(plan, i, &images);
        float *out = (float *)dx->data + first * plan->x_image;
        float *into = apart ? added(dev, plan) : out;
        rc =
            run(dev, plan, pass, i, (float *)dy->data + first * plan->y_image, w, accumulate, into);
        if (rc == FN_OK && pass->trimmed)
            widen(dev, &plan->shape, images, into, accumulate, out);
        else if (rc == FN_OK && apart)
            add(dev, into, images * plan->x_image, out);
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
        float *into = i > 0 ? added(dev, plan) : dw;
        if (pass->winograd)
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
        assert(plan->backward_weights.planned && is_input(&plan->shape, x));
        rc = backward_weights(dev, plan, x, dy, dw);
    }
    if (rc == FN_OK && dx) {
        assert(plan->backward_data.planned && is_input(&plan->shape, dx));
        rc = backward_data(dev, plan, w, dy, dx, accumulate);
    }
    return rc;
}
