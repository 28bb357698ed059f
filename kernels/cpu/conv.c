/* SPDX-License-Identifier: MIT */
/* Convolutions: oneDNN primitives for each pass that was planned.
 *
 * Large ones run a few images at a time. What a piece leaves in the cache is then used there: by
 * the statistics of the output, by a gradient that is added to another, by Winograd's
 * transformations; and the workspace is that of a piece. */
#include "kernels/cpu/cpu.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/host.h"

/* The batch in `pieces` pieces of `least` images, the first `longer` of them one longer. */
struct pass {
    struct fn_dnn_conv *conv[2]; /* for `least` images, and for one more; NULL: none are */
    int trimmed;                 /* its x has only the rows and columns that windows reach */
};

struct fn_conv {
    struct fn_conv_shape shape;
    struct fn_dnn *dnn;
    size_t pieces, least, longer;
    size_t x_image, y_image; /* floats */
    struct pass forward, backward_data, backward_weights;
    size_t primitive_bytes; /* of workspace, for the primitives; then a gradient to be added */
    size_t workspace_bytes;
};

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

static void divide(struct fn_dev *dev, struct fn_conv *p)
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

static void close_pass(struct pass *pass)
{
    fn_dnn_conv_close(&pass->conv[0]);
    fn_dnn_conv_close(&pass->conv[1]);
}

static int open_pieces(struct fn_dev *dev, const struct fn_conv *p, struct fn_conv_shape shape,
                       int pass, struct pass *out)
{
    int rc = FN_OK;
    for (int i = 0; i < (p->longer ? 2 : 1) && rc == FN_OK; i++) {
        shape.n = (int)p->least + i;
        rc = fn_dnn_conv_open(dev->dnn, &shape, pass, &out->conv[i]);
    }
    return rc;
}

/* Rows or columns that windows reach. */
static int reached(int in, int k, int stride, int same)
{
    return same ? in : (in - k) / stride * stride + k;
}

static int is_plain(const struct pass *pass)
{
    return strncmp(fn_dnn_conv_kind(pass->conv[0]), "ref", 3) == 0;
}

/* Some widths of a strided convolution's input gradient the library can do only by plain loops (on
 * AVX2 multiples of 6), a hundred times slower, but not with the last column left out, which no
 * window reaches. */
static int trim(struct fn_dev *dev, struct fn_conv *p, struct pass *out)
{
    const struct fn_conv_shape *s = &p->shape;
    struct fn_conv_shape less = *s;
    struct pass other = {.trimmed = 1};
    less.h = reached(s->h, s->kh, s->stride, s->same);
    less.w = reached(s->w, s->kw, s->stride, s->same);
    if (!is_plain(out) || s->cin == 3 || (less.h == s->h && less.w == s->w))
        return FN_OK;
    int rc = open_pieces(dev, p, less, FN_BACKWARD_DATA, &other);
    if (rc == FN_OK && !is_plain(&other)) {
        close_pass(out);
        *out = other;
        return FN_OK;
    }
    close_pass(&other);
    return rc;
}

static int open_pass(struct fn_dev *dev, struct fn_conv *p, int pass, struct pass *out)
{
    int rc = open_pieces(dev, p, p->shape, pass, out);
    if (rc == FN_OK && pass == FN_BACKWARD_DATA)
        rc = trim(dev, p, out);
    for (int i = 0; i < 2 && rc == FN_OK; i++) {
        size_t bytes = out->conv[i] ? fn_dnn_conv_workspace(out->conv[i]) : 0;
        if (bytes > p->primitive_bytes)
            p->primitive_bytes = bytes;
    }
    return rc;
}

/* Floats of a gradient that is made in the workspace and added to what is there. */
static size_t added_floats(const struct fn_conv *p, int passes)
{
    size_t dx = passes & FN_BACKWARD_DATA ? (p->least + 1) * p->x_image : 0;
    size_t dw = passes & FN_BACKWARD_WEIGHTS && p->pieces > 1 ? fn_cpu_conv_weights(p) : 0;
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
    p->workspace_bytes = p->primitive_bytes + sizeof(float) * added_floats(p, passes);
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

/* Piece i: its first image, how many they are. */
static size_t piece(const struct fn_conv *p, size_t i, size_t *images)
{
    *images = p->least + (i < p->longer);
    return i * p->least + (i < p->longer ? i : p->longer);
}

static int run(struct fn_dev *dev, const struct pass *pass, size_t longer, const float *x,
               const float *w, const float *y)
{
    return fn_dnn_conv_run(dev->dnn, pass->conv[longer], x, w, y, dev->workspace);
}

static float *added(const struct fn_dev *dev, const struct fn_conv *plan)
{
    return (float *)(void *)((char *)dev->workspace + plan->primitive_bytes);
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
    assert(plan->forward.conv[0] && is_input(&plan->shape, x) && is_output(&plan->shape, y));
    fn_cpu_enter(dev);
    int rc = check_workspace(dev, plan);
    if (rc == FN_OK && stats)
        rc = fn_cpu_stats_begin(dev, y->c);
    for (size_t i = 0; i < plan->pieces && rc == FN_OK; i++) {
        size_t images, first = piece(plan, i, &images);
        struct fn_tensor part = *y;
        part.n = (int)images;
        part.data = (float *)y->data + first * plan->y_image;
        rc = run(dev, &plan->forward, i < plan->longer, (float *)x->data + first * plan->x_image, w,
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
    size_t h = (size_t)reached(s->h, s->kh, s->stride, s->same), all = (size_t)s->w * b;
    size_t row = (size_t)reached(s->w, s->kw, s->stride, s->same) * b;
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
    size_t small = (size_t)reached(s->h, s->kh, s->stride, s->same) *
                   (size_t)reached(s->w, s->kw, s->stride, s->same) * b;
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
    int rc = FN_OK, trimmed = plan->backward_data.trimmed;
    for (size_t i = 0; i < plan->pieces && rc == FN_OK; i++) {
        size_t images, first = piece(plan, i, &images);
        float *out = (float *)dx->data + first * plan->x_image;
        float *into = accumulate || trimmed ? added(dev, plan) : out;
        rc = run(dev, &plan->backward_data, i < plan->longer, into, w,
                 (float *)dy->data + first * plan->y_image);
        if (rc == FN_OK && trimmed)
            widen(dev, &plan->shape, images, into, accumulate, out);
        else if (rc == FN_OK && accumulate)
            add(dev, into, images * plan->x_image, out);
    }
    return rc;
}

static int backward_weights(struct fn_dev *dev, const struct fn_conv *plan,
                            const struct fn_tensor *x, const struct fn_tensor *dy, float *dw)
{
    int rc = FN_OK;
    for (size_t i = 0; i < plan->pieces && rc == FN_OK; i++) {
        size_t images, first = piece(plan, i, &images);
        float *into = i > 0 ? added(dev, plan) : dw;
        rc = run(dev, &plan->backward_weights, i < plan->longer,
                 (float *)x->data + first * plan->x_image, into,
                 (float *)dy->data + first * plan->y_image);
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
        assert(plan->backward_weights.conv[0] && is_input(&plan->shape, x));
        rc = backward_weights(dev, plan, x, dy, dw);
    }
    if (rc == FN_OK && dx) {
        assert(plan->backward_data.conv[0] && is_input(&plan->shape, dx));
        rc = backward_data(dev, plan, w, dy, dx, accumulate);
    }
    return rc;
}
