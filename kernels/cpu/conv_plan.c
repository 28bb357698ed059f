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
    p->x_image = (size_t)s->h * (size_t)s->w * (size_t)s->cin;
    p->y_image = (size_t)fn_conv_out_h(s) * (size_t)fn_conv_out_w(s) * (size_t)s->cout;
    most = piece_images(dev, sizeof(float) * (p->x_image + p->y_image));
    p->pieces = n <= most + most / 2 ? 1 : (n + most - 1) / most;
    p->least = n / p->pieces;
    p->longer = n % p->pieces;
}

static void close_pass(struct fn_conv_pass *pass)
{
    fn_dnn_conv_close(&pass->conv[0]);
    fn_dnn_conv_close(&pass->conv[1]);
}

static int open_primitives(struct fn_dev *dev, const struct fn_conv *p, struct fn_conv_shape shape,
                           int pass, struct fn_conv_pass *out)
{
    int rc = FN_OK;
    for (int i = 0; i < (p->longer ? 2 : 1) && rc == FN_OK; i++) {
        shape.n = (int)p->least + i;
        rc = fn_dnn_conv_open(dev->dnn, &shape, pass, &out->conv[i]);
    }
    return rc;
}

static int is_plain(const struct fn_conv_pass *pass)
{
    return strncmp(fn_dnn_conv_kind(pass->conv[0]), "ref", 3) == 0;
}

/* Some widths of a strided convolution's input gradient the library can do only by plain loops (on
 * AVX2 multiples of 6), a hundred times slower, but not with the last column left out, which no
 * window reaches. */
static int trim(struct fn_dev *dev, const struct fn_conv *p, struct fn_conv_pass *out)
{
    const struct fn_conv_shape *s = &p->shape;
    struct fn_conv_shape less = *s;
    struct fn_conv_pass other = {.planned = 1, .trimmed = 1};
    less.h = fn_conv_reached(s->h, s->kh, s->stride, s->same);
    less.w = fn_conv_reached(s->w, s->kw, s->stride, s->same);
    if (!is_plain(out) || s->cin == 3 || (less.h == s->h && less.w == s->w))
        return FN_OK;
    int rc = open_primitives(dev, p, less, FN_BACKWARD_DATA, &other);
    if (rc == FN_OK && !is_plain(&other)) {
        close_pass(out);
        *out = other;
        return FN_OK;
    }
    close_pass(&other);
    return rc;
}

static int open_pass(struct fn_dev *dev, struct fn_conv *p, int pass, struct fn_conv_pass *out)
{
    int rc = FN_OK;
    size_t bytes = 0;
    struct fn_conv_shape piece = p->shape;
    piece.n = (int)(p->least + (p->longer > 0));
    out->planned = 1;
    out->winograd = fn_winograd_walk(dev, &piece, pass, &out->walk);
    if (out->winograd)
        bytes = fn_winograd_workspace(dev, &out->walk, pass, (size_t)piece.n);
    else
        rc = open_primitives(dev, p, p->shape, pass, out);
    if (rc == FN_OK && !out->winograd && pass == FN_BACKWARD_DATA)
        rc = trim(dev, p, out);
    for (int i = 0; i < 2 && rc == FN_OK; i++) {
        size_t wanted = out->conv[i] ? fn_dnn_conv_workspace(out->conv[i]) : 0;
        bytes = wanted > bytes ? wanted : bytes;
    }
    p->pass_bytes = bytes > p->pass_bytes ? bytes : p->pass_bytes;
    return rc;
}

/* Floats of a gradient that is made in the workspace and added to what is there. */
static size_t added_floats(const struct fn_conv *p)
{
    const struct fn_conv_pass *data = &p->backward_data, *weights = &p->backward_weights;
    size_t dx = data->planned && !data->winograd ? (p->least + 1) * p->x_image : 0;
    size_t dw = weights->planned && p->pieces > 1 ? fn_cpu_conv_weights(p) : 0;
    return dx > dw ? dx : dw;
}

int fn_cpu_conv_plan(struct fn_dev *dev, const struct fn_conv_shape *shape, int passes,
                     struct fn_conv **plan, size_t *workspace)
{
    int rc = FN_OK;
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
    p->workspace_bytes = p->pass_bytes + sizeof(float) * added_floats(p);
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
