/* SPDX-License-Identifier: MIT */
/* Convolution by its definition. Every pass is a loop around one line,
 *
 *     sums[0 .. count) += factor * row[0 .. count)
 *
 * where row is a row of channels: the compiler makes vectors of it, and each sum still grows in one
 * fixed order. For that the kernel is first copied into the workspace in double, so that the
 * channels the pass adds up over are neighbours: [kh][kw][cin][cout] for forward and weights,
 * [kh][kw][cout][cin] for data. Jobs (rows of the output, of the input, of the kernel) never share
 * a sum, so that the result does not depend on the number of threads. */
#include <string.h>

#include "base/pipeline.h"
#include "kernels/ref/ref.h"

/* What the jobs of one pass share. */
struct pass {
    const struct fn_conv *plan;
    const struct fn_tensor *x, *y; /* or their gradients */
    double *kernel;                /* in the pass's own order */
    double *rows;                  /* plan->row doubles for each worker */
    int accumulate;
};

enum { GROUP = 16 }; /* input channels whose weight gradients are one job */

static void add_scaled(double *restrict sums, double factor, const double *restrict row,
                       size_t count)
{
    for (size_t i = 0; i < count; i++)
        sums[i] += factor * row[i];
}

/* Columns [*begin, *end) of the output that column j of the kernel meets inside the image; output
 * column o meets column o * stride + j - pad_w of the input. */
static void columns(const struct fn_conv *plan, int j, int *begin, int *end)
{
    const struct fn_conv_shape *s = &plan->s;
    int before = plan->pad_w - j, last = s->w - 1 + before;
    *begin = before > 0 ? (before + s->stride - 1) / s->stride : 0;
    *end = last < 0 ? 0 : last / s->stride + 1;
    if (*end > plan->ow)
        *end = plan->ow;
}

/* Row of the input that output row oh meets at kernel row i; -1: none. */
static int input_row(const struct fn_conv *plan, int oh, int i)
{
    int row = oh * plan->s.stride + i - plan->pad_h;
    return row < plan->s.h ? row : -1;
}

/* The other way round. */
static int output_row(const struct fn_conv *plan, int ih, int i)
{
    int row = ih + plan->pad_h - i;
    if (row < 0 || row % plan->s.stride != 0 || row / plan->s.stride >= plan->oh)
        return -1;
    return row / plan->s.stride;
}

static const fn_real *pixel(const struct fn_tensor *t, int n, int row, int col)
{
    return fn_ref_pixel(t, ((size_t)n * (size_t)t->h + (size_t)row) * (size_t)t->w + (size_t)col);
}

/* Forward: job = row of the output. y[ow,o] = sum over i, j, c of x[ih, iw, c] kernel[i,j,c,o]. */
static int forward_row(void *context, int worker, size_t job)
{
    const struct pass *pass = context;
    const struct fn_conv *plan = pass->plan;
    const struct fn_conv_shape *s = &plan->s;
    const size_t cin = (size_t)s->cin, cout = (size_t)s->cout;
    const int n = (int)(job / (size_t)plan->oh), oh = (int)(job % (size_t)plan->oh);
    double *sums = pass->rows + (size_t)worker * plan->row;
    memset(sums, 0, (size_t)plan->ow * cout * sizeof *sums);
    for (int i = 0; i < s->kh; i++) {
        int ih = input_row(plan, oh, i);
        if (ih < 0)
            continue;
        for (int j = 0; j < s->kw; j++) {
            const double *kernel = pass->kernel + (size_t)(i * s->kw + j) * cin * cout;
            int begin, end;
            columns(plan, j, &begin, &end);
            for (size_t c = 0; c < cin; c++)
                for (int ow = begin; ow < end; ow++)
                    add_scaled(sums + (size_t)ow * cout,
                               pixel(pass->x, n, ih, ow * s->stride + j - plan->pad_w)[c],
                               kernel + c * cout, cout);
        }
    }
    fn_real *y = fn_ref_pixel(pass->y, job * (size_t)plan->ow);
    for (size_t k = 0; k < (size_t)plan->ow * cout; k++)
        y[k] = (fn_real)sums[k];
    return FN_OK;
}

/* Data: job = row of the input. dx[iw,c] = sum over i, j, o of dy[oh, ow, o] kernel[i,j,o,c]. */
static int data_row(void *context, int worker, size_t job)
{
    const struct pass *pass = context;
    const struct fn_conv *plan = pass->plan;
    const struct fn_conv_shape *s = &plan->s;
    const size_t cin = (size_t)s->cin, cout = (size_t)s->cout, count = (size_t)s->w * cin;
    const int n = (int)(job / (size_t)s->h), ih = (int)(job % (size_t)s->h);
    double *sums = pass->rows + (size_t)worker * plan->row;
    memset(sums, 0, count * sizeof *sums);
    for (int i = 0; i < s->kh; i++) {
        int oh = output_row(plan, ih, i);
        if (oh < 0)
            continue;
        for (int j = 0; j < s->kw; j++) {
            const double *kernel = pass->kernel + (size_t)(i * s->kw + j) * cin * cout;
            int begin, end;
            columns(plan, j, &begin, &end);
            for (size_t o = 0; o < cout; o++)
                for (int ow = begin; ow < end; ow++)
                    add_scaled(sums + (size_t)(ow * s->stride + j - plan->pad_w) * cin,
                               pixel(pass->y, n, oh, ow)[o], kernel + o * cin, cin);
        }
    }
    fn_real *dx = fn_ref_pixel(pass->x, job * (size_t)s->w);
    for (size_t k = 0; k < count; k++)
        dx[k] = (fn_real)(pass->accumulate ? dx[k] + sums[k] : sums[k]);
    return FN_OK;
}

/* Add one row of the output to the gradients of the channels [c, c_end) at (i, j). dy: that row. */
static void add_weights(const struct pass *pass, int n, int ih, int j, size_t c, size_t c_end,
                        const double *dy, double *kernel)
{
    const struct fn_conv *plan = pass->plan;
    const size_t cout = (size_t)plan->s.cout;
    int begin, end;
    columns(plan, j, &begin, &end);
    for (; c < c_end; c++)
        for (int ow = begin; ow < end; ow++)
            add_scaled(kernel + c * cout,
                       pixel(pass->x, n, ih, ow * plan->s.stride + j - plan->pad_w)[c],
                       dy + (size_t)ow * cout, cout);
}

/* Weights: job = (i, j, GROUP input channels).
 * kernel[i,j,c,o] = sum over n, oh, ow of x[ih, iw, c] dy[oh, ow, o]. */
static int weights_group(void *context, int worker, size_t job)
{
    const struct pass *pass = context;
    const struct fn_conv *plan = pass->plan;
    const struct fn_conv_shape *s = &plan->s;
    const size_t cin = (size_t)s->cin, cout = (size_t)s->cout, groups = (cin + GROUP - 1) / GROUP;
    const int tap = (int)(job / groups), i = tap / s->kw, j = tap % s->kw;
    const size_t c = job % groups * GROUP, c_end = c + GROUP < cin ? c + GROUP : cin;
    double *kernel = pass->kernel + (size_t)tap * cin * cout;
    double *row = pass->rows + (size_t)worker * plan->row;
    memset(kernel + c * cout, 0, (c_end - c) * cout * sizeof *kernel);
    for (int n = 0; n < s->n; n++) {
        for (int oh = 0; oh < plan->oh; oh++) {
            int ih = input_row(plan, oh, i);
            if (ih < 0)
                continue;
            const fn_real *dy = pixel(pass->y, n, oh, 0);
            for (size_t k = 0; k < (size_t)plan->ow * cout; k++)
                row[k] = dy[k];
            add_weights(pass, n, ih, j, c, c_end, row, kernel);
        }
    }
    return FN_OK;
}

/* Where element (o, c, tap) of the arena's (cout, cin, kh kw) stands in the workspace. */
static size_t in_kernel(const struct fn_conv_shape *s, size_t o, size_t c, size_t tap, int data)
{
    const size_t cin = (size_t)s->cin, cout = (size_t)s->cout;
    return data ? (tap * cout + o) * cin + c : (tap * cin + c) * cout + o;
}

static void load_kernel(const struct fn_conv_shape *s, const fn_real *w, int data, double *kernel)
{
    const size_t taps = (size_t)s->kh * (size_t)s->kw;
    for (size_t o = 0; o < (size_t)s->cout; o++)
        for (size_t c = 0; c < (size_t)s->cin; c++)
            for (size_t tap = 0; tap < taps; tap++)
                kernel[in_kernel(s, o, c, tap, data)] = *w++;
}

static void store_kernel(const struct fn_conv_shape *s, const double *kernel, fn_real *w)
{
    const size_t taps = (size_t)s->kh * (size_t)s->kw;
    for (size_t o = 0; o < (size_t)s->cout; o++)
        for (size_t c = 0; c < (size_t)s->cin; c++)
            for (size_t tap = 0; tap < taps; tap++)
                *w++ = (fn_real)kernel[in_kernel(s, o, c, tap, 0)];
}

static int is_packed(const struct fn_tensor *t, int n, int h, int w, int c)
{
    return t->n == n && t->h == h && t->w == w && t->c == c && t->c0 == 0 && t->ctotal == c;
}

static int pass_begin(struct pass *pass, struct fn_dev *dev, const struct fn_conv *plan,
                      const struct fn_tensor *x, const struct fn_tensor *y)
{
    const struct fn_conv_shape *s = &plan->s;
    (void)s, (void)is_packed;
    assert(is_packed(y, s->n, plan->oh, plan->ow, s->cout));
    assert(!x || is_packed(x, s->n, s->h, s->w, s->cin));
    if (dev->workspace_bytes < plan->workspace)
        return fn_fail(FN_EINTERNAL, "a convolution's workspace has %zu bytes, want %zu",
                       dev->workspace_bytes, plan->workspace);
    double *kernel = dev->workspace;
    *pass = (struct pass){
        .plan = plan, .x = x, .y = y, .kernel = kernel, .rows = kernel + fn_ref_conv_weights(plan)};
    return FN_OK;
}

int fn_ref_conv_forward(struct fn_dev *dev, const struct fn_conv *plan, const struct fn_tensor *x,
                        const void *w, const struct fn_tensor *y, void *stats)
{
    struct pass pass;
    int rc = pass_begin(&pass, dev, plan, x, y);
    if (rc != FN_OK)
        return rc;
    load_kernel(&plan->s, w, 0, pass.kernel);
    size_t jobs = (size_t)plan->s.n * (size_t)plan->oh;
    rc = fn_parallel_for(plan->threads, jobs, &pass, forward_row);
    if (rc == FN_OK && stats)
        fn_ref_stats(y, stats);
    return rc;
}

int fn_ref_conv_backward(struct fn_dev *dev, const struct fn_conv *plan, const struct fn_tensor *x,
                         const void *w, const struct fn_tensor *dy, const struct fn_tensor *dx,
                         int accumulate, void *dw)
{
    const struct fn_conv_shape *s = &plan->s;
    struct pass pass;
    if (dw) {
        int rc = pass_begin(&pass, dev, plan, x, dy);
        size_t groups = ((size_t)s->cin + GROUP - 1) / GROUP;
        if (rc == FN_OK)
            rc = fn_parallel_for(plan->threads, (size_t)s->kh * (size_t)s->kw * groups, &pass,
                                 weights_group);
        if (rc != FN_OK)
            return rc;
        store_kernel(s, pass.kernel, dw);
    }
    if (dx) {
        int rc = pass_begin(&pass, dev, plan, dx, dy);
        if (rc != FN_OK)
            return rc;
        pass.accumulate = accumulate;
        load_kernel(s, w, 1, pass.kernel);
        return fn_parallel_for(plan->threads, (size_t)s->n * (size_t)s->h, &pass, data_row);
    }
    return FN_OK;
}
