/* SPDX-License-Identifier: MIT */
/* Plans of convolutions, and their weights. */
#include <stdlib.h>
#include <string.h>

#include "kernels/cpu/conv.h"
#include "kernels/host.h"

/* Images of a piece: what they read and write fits into a few cores' caches, but there is work for
 * all threads. */
static size_t piece_images(const struct fn_dev *dev, size_t image_bytes)
{
    const size_t cache = (size_t)16 << 20;
    size_t fits = cache / image_bytes, least = 4 * (size_t)dev->threads;
    if (least < 8)
        least = 8;
    return fits > least ? fits : least;
}

static void divide(const struct fn_dev *dev, struct fn_conv *p)
{
    const struct fn_conv_shape *s = &p->shape;
    size_t n = (size_t)s->n, most;
    p->scalar = dev->info.scalar_bytes;
    p->x_image = (size_t)s->h * (size_t)s->w * (size_t)s->cin;
    p->y_image = (size_t)fn_conv_out_h(s) * (size_t)fn_conv_out_w(s) * (size_t)s->cout;
    most = piece_images(dev, p->scalar * (p->x_image + p->y_image));
    p->pieces = n <= most + most / 2 ? 1 : (n + most - 1) / most;
    p->least = n / p->pieces;
    p->longer = n % p->pieces;
}

static void close_pass(struct fn_conv_pass *pass)
{
    for (int i = 0; i < 2; i++) {
        fn_dnn_conv_close(&pass->conv[i]);
        fn_dnn_conv_close(&pass->adding[i]);
    }
}

static int open_primitives(struct fn_dev *dev, struct fn_conv *p, struct fn_conv_shape shape,
                           int pass, int how, struct fn_dnn_conv *conv[2])
{
    int rc = FN_OK;
    how |= dev->narrow ? FN_DNN_NARROW : 0;
    for (int i = 0; i < (p->longer ? 2 : 1) && rc == FN_OK; i++) {
        shape.n = (int)p->least + i;
        rc = fn_dnn_conv_open(dev->dnn, &shape, pass, how, &conv[i]);
        size_t bytes = rc == FN_OK ? fn_dnn_conv_workspace(conv[i]) : 0;
        p->pass_bytes = bytes > p->pass_bytes ? bytes : p->pass_bytes;
    }
    return rc;
}

/* With stride 1 and as much padding behind as before, the input gradient is a convolution of the
 * same kind, which the library can add to what is there. */
static int can_turn(const struct fn_conv_shape *s)
{
    int alone = s->kh == 1 && s->kw == 1;
    return s->stride == 1 && s->cin != 3 && (alone || (s->same && s->kh % 2 && s->kw % 2));
}

static int open_turned(struct fn_dev *dev, struct fn_conv *p, struct fn_conv_pass *out)
{
    struct fn_conv_shape turned = p->shape;
    turned.cin = p->shape.cout;
    turned.cout = p->shape.cin;
    out->way = FN_CONV_TURNED;
    int rc = open_primitives(dev, p, turned, FN_FORWARD, 0, out->conv);
    if (rc == FN_OK)
        rc = open_primitives(dev, p, turned, FN_FORWARD, FN_DNN_ADD, out->adding);
    return rc;
}

/* Rows and columns behind the last window: in bf16 the library would take such input gradients by
 * plain loops. */
static int open_gradient(struct fn_dev *dev, struct fn_conv *p, struct fn_conv_pass *out)
{
    struct fn_conv_shape reached = p->shape;
    if (dev->narrow && !reached.same) {
        reached.h = (fn_conv_out_h(&p->shape) - 1) * reached.stride + reached.kh;
        reached.w = (fn_conv_out_w(&p->shape) - 1) * reached.stride + reached.kw;
    }
    out->h = (size_t)reached.h;
    out->w = (size_t)reached.w;
    return open_primitives(dev, p, reached, FN_BACKWARD_DATA, 0, out->conv);
}

static int open_pass(struct fn_dev *dev, struct fn_conv *p, int pass, struct fn_conv_pass *out)
{
    struct fn_conv_shape piece = p->shape;
    piece.n = (int)(p->least + (p->longer > 0));
    enum fn_winograd_use use = fn_winograd_walk(dev, &piece, pass, &out->walk);
    if (use != FN_WINOGRAD_PAYS) {
        int rc;
        out->way = FN_CONV_PRIMITIVE;
        if (pass == FN_BACKWARD_DATA && can_turn(&p->shape))
            rc = open_turned(dev, p, out);
        else if (pass == FN_BACKWARD_DATA)
            rc = open_gradient(dev, p, out);
        else
            rc = open_primitives(dev, p, p->shape, pass, 0, out->conv);
        /* Some shapes the library can do only by plain loops, a hundred times slower. */
        if (rc != FN_OK || use == FN_WINOGRAD_NO ||
            strncmp(fn_dnn_conv_kind(out->conv[0]), "ref", 3) != 0)
            return rc;
        close_pass(out);
    }
    size_t bytes = fn_winograd_workspace(dev, &out->walk, pass, (size_t)piece.n);
    p->pass_bytes = bytes > p->pass_bytes ? bytes : p->pass_bytes;
    out->way = FN_CONV_WINOGRAD;
    return FN_OK;
}

static size_t kernel_bytes(const struct fn_conv *p, const struct fn_conv_pass *pass)
{
    const int copied =
        p->shape.cin != 3 && (pass->way == FN_CONV_TURNED ||
                              (pass->way == FN_CONV_PRIMITIVE && p->scalar < sizeof(float)));
    return copied ? (fn_cpu_conv_weights(p) * p->scalar + 63) / 64 * 64 : 0;
}

/* Bytes behind a pass's workspace: copies of the kernel, a gradient to be added. */
static size_t added_bytes(struct fn_conv *p)
{
    struct fn_conv_pass *forward = &p->forward, *data = &p->backward_data;
    size_t bytes[3] = {0};
    forward->kernel_bytes = kernel_bytes(p, forward);
    data->kernel_bytes = kernel_bytes(p, data);
    bytes[0] = forward->kernel_bytes;
    bytes[1] = data->kernel_bytes;
    if (data->way == FN_CONV_PRIMITIVE)
        bytes[1] += (p->least + 1) * p->x_image * p->scalar;
    if (p->backward_weights.way != FN_CONV_UNPLANNED && p->pieces > 1)
        bytes[2] = fn_cpu_conv_weights(p) * sizeof(float);
    for (int i = 1; i < 3; i++)
        bytes[0] = bytes[i] > bytes[0] ? bytes[i] : bytes[0];
    return bytes[0];
}

/* Maps of one pixel are rows, which are floats. */
static int check_pixels(const struct fn_dev *dev, const struct fn_conv_shape *s)
{
    const int in = s->h * s->w, out = fn_conv_out_h(s) * fn_conv_out_w(s);
    if (!dev->narrow || (in > 1 && out > 1))
        return FN_OK;
    return fn_fail(
        FN_EUNSUPPORTED,
        "a convolution %dx%d from (%d,%d) to (%d,%d) cannot be computed in bf16: use fp32", s->kh,
        s->kw, s->h, s->w, fn_conv_out_h(s), fn_conv_out_w(s));
}

int fn_cpu_conv_plan(struct fn_dev *dev, const struct fn_conv_shape *shape, int passes,
                     struct fn_conv **plan, size_t *workspace)
{
    int rc = check_pixels(dev, shape);
    void *scratch;
    *plan = NULL;
    *workspace = 0;
    if (rc != FN_OK)
        return rc;
    fn_cpu_enter(dev);
    assert(shape->cin == 3 || shape->cin % FN_CHANNEL_ALIGN == 0);
    assert(shape->cout % FN_CHANNEL_ALIGN == 0);
    struct fn_conv *p = calloc(1, sizeof *p);
    *plan = p;
    if (!p)
        return fn_fail(FN_ENOMEM, "out of memory for the plan of a convolution");
    p->shape = *shape;
    p->dnn = dev->dnn;
    divide(dev, p);
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
    p->workspace_bytes = p->pass_bytes + added_bytes(p);
    *workspace = p->workspace_bytes;
    return FN_OK;
}

void fn_cpu_conv_free(struct fn_conv **plan)
{
    struct fn_conv *p = *plan;
    if (!p)
        return;
    close_pass(&p->forward);
    close_pass(&p->backward_data);
    close_pass(&p->backward_weights);
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
