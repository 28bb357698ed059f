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

/* What lies behind a pass's workspace, and behind its copy of the kernel. */
static void *behind(const struct fn_dev *dev, const struct fn_conv *plan)
{
    return (char *)dev->workspace + plan->pass_bytes;
}

static void *behind_kernel(const struct fn_dev *dev, const struct fn_conv *plan,
                           const struct fn_conv_pass *pass)
{
    return (char *)behind(dev, plan) + pass->kernel_bytes;
}

/* Where image `first` lies of packed ones. */
static void *image_at(const struct fn_conv *plan, const struct fn_tensor *t, size_t first,
                      size_t image)
{
    return (char *)t->data + first * image * plan->scalar;
}

static void turn_block(const float *w, size_t b, float *to)
{
    for (size_t o = 0; o < b; o++)
        for (size_t c = 0; c < b; c++)
            to[o * b + c] = w[c * b + o];
}

/* The kernel as a pass wants it: the arena's, or a copy. That of TURNED is turned around between
 * any two channels, inputs and outputs exchanged: the weights of the input gradient as a
 * convolution. A block is B x B: outputs lie side by side. */
static const void *kernel_of(struct fn_dev *dev, const struct fn_conv *plan,
                             const struct fn_conv_pass *pass, const float *w)
{
    const struct fn_conv_shape *s = &plan->shape;
    const size_t b = dev->loops->block, outs = (size_t)s->cout / b, ins = (size_t)s->cin / b;
    const size_t k = (size_t)(s->kh * s->kw);
    char *copy = behind(dev, plan);
    if (!pass->kernel_bytes)
        return w;
#pragma omp parallel num_threads(dev->threads)
    {
        size_t begin, end;
        fn_cpu_share(ins * outs * k, &begin, &end);
        for (size_t i = begin; i < end; i++) {
            const size_t in = i / k / outs, out = i / k % outs;
            const size_t at =
                pass->way == FN_CONV_TURNED ? (out * ins + in) * k + k - 1 - i % k : i;
            const float *from = w + at * b * b;
            void *to = copy + i * b * b * plan->scalar;
            if (plan->scalar < sizeof(float))
                dev->maps->narrow(from, pass != &plan->forward, to);
            else
                turn_block(from, b, to);
        }
    }
    return copy;
}

int fn_cpu_conv_forward(struct fn_dev *dev, const struct fn_conv *plan, const struct fn_tensor *x,
                        const void *w, const struct fn_tensor *y, void *stats)
{
    assert(plan->forward.way && is_input(&plan->shape, x) && is_output(&plan->shape, y));
    fn_cpu_enter(dev);
    const struct fn_conv_pass *pass = &plan->forward;
    int rc = check_workspace(dev, plan);
    if (rc == FN_OK && stats)
        rc = fn_cpu_stats_begin(dev, y->c);
    const void *kernel = rc == FN_OK ? kernel_of(dev, plan, pass, w) : w;
    for (size_t i = 0; i < plan->pieces && rc == FN_OK; i++) {
        size_t images, first = piece(plan, i, &images);
        struct fn_tensor part = *y;
        part.n = (int)images;
        part.data = image_at(plan, y, first, plan->y_image);
        const void *from = image_at(plan, x, first, plan->x_image);
        if (pass->way == FN_CONV_WINOGRAD)
            fn_winograd_conv(dev, &pass->walk, images, from, w, 0, 0, part.data);
        else
            rc = fn_dnn_conv_run(dev->dnn, pass->conv[i < plan->longer], from, kernel, part.data,
                                 dev->workspace);
        if (rc == FN_OK && stats)
            fn_cpu_stats_add(dev, &part, i == 0);
    }
    if (rc == FN_OK && stats)
        fn_cpu_stats_end(dev, y, stats);
    return rc;
}

/* dx = or += the gradient of some images, which may have fewer rows and columns than they. */
static void place_gradient(struct fn_dev *dev, const struct fn_conv *plan, const void *from,
                           size_t images, int accumulate, void *dx)
{
    const struct fn_conv_pass *pass = &plan->backward_data;
    const size_t h = (size_t)plan->shape.h, w = (size_t)plan->shape.w, b = dev->maps->block;
    const size_t vector = b * plan->scalar, planes = images * (size_t)plan->shape.cin / b;
#pragma omp parallel num_threads(dev->threads)
    {
        size_t begin, end;
        fn_cpu_share(planes * h, &begin, &end);
        for (size_t i = begin; i < end; i++) {
            const size_t plane = i / h, row = i % h, got = row < pass->h ? pass->w : 0;
            const char *part = (const char *)from + (plane * pass->h + row) * pass->w * vector;
            char *to = (char *)dx + i * w * vector;
            if (accumulate) {
                dev->maps->add(part, got, to);
            } else {
                memcpy(to, part, got * vector);
                memset(to + got * vector, 0, (w - got) * vector);
            }
        }
    }
}

static int backward_data(struct fn_dev *dev, const struct fn_conv *plan, const float *w,
                         const struct fn_tensor *dy, const struct fn_tensor *dx, int accumulate)
{
    const struct fn_conv_pass *pass = &plan->backward_data;
    const int turned = pass->way == FN_CONV_TURNED;
    struct fn_dnn_conv *const *conv = turned && accumulate ? pass->adding : pass->conv;
    const int aside = !turned && (accumulate || pass->h < (size_t)plan->shape.h ||
                                  pass->w < (size_t)plan->shape.w);
    const void *kernel = kernel_of(dev, plan, pass, w);
    int rc = FN_OK;
    for (size_t i = 0; i < plan->pieces && rc == FN_OK; i++) {
        size_t images, first = piece(plan, i, &images);
        const struct fn_dnn_conv *primitive = conv[i < plan->longer];
        const void *from = image_at(plan, dy, first, plan->y_image);
        void *out = image_at(plan, dx, first, plan->x_image);
        if (pass->way == FN_CONV_WINOGRAD) {
            fn_winograd_conv(dev, &pass->walk, images, from, w, 1, accumulate, out);
        } else if (turned) {
            rc = fn_dnn_conv_run(dev->dnn, primitive, from, kernel, out, dev->workspace);
        } else {
            const void *into = aside ? behind_kernel(dev, plan, pass) : out;
            rc = fn_dnn_conv_run(dev->dnn, primitive, into, kernel, from, dev->workspace);
            if (rc == FN_OK && aside)
                place_gradient(dev, plan, into, images, accumulate, out);
        }
    }
    return rc;
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

static int backward_weights(struct fn_dev *dev, const struct fn_conv *plan,
                            const struct fn_tensor *x, const struct fn_tensor *dy, float *dw)
{
    const struct fn_conv_pass *pass = &plan->backward_weights;
    int rc = FN_OK;
    for (size_t i = 0; i < plan->pieces && rc == FN_OK; i++) {
        size_t images, first = piece(plan, i, &images);
        const void *from_x = image_at(plan, x, first, plan->x_image);
        const void *from_dy = image_at(plan, dy, first, plan->y_image);
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
