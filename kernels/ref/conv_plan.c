/* SPDX-License-Identifier: MIT */
/* Plans of convolutions. Weights lie in the arena as they come, (cout, cin, kh, kw). */
#include <stdlib.h>

#include "kernels/host.h"
#include "kernels/ref/ref.h"

/* Starting a thread costs as much as some 100,000 multiplications. */
#define THREADS_PAY 4e6

int fn_ref_conv_plan(struct fn_dev *dev, const struct fn_conv_shape *shape, int passes,
                     struct fn_conv **out, size_t *workspace)
{
    (void)passes; /* they all need the same */
    struct fn_conv *plan = calloc(1, sizeof *plan);
    *out = plan;
    *workspace = 0;
    if (!plan)
        return fn_fail(FN_ENOMEM, "out of memory for the plan of a convolution");
    const struct fn_conv_shape *s = &plan->s;
    plan->s = *shape;
    plan->oh = fn_conv_out_h(s);
    plan->ow = fn_conv_out_w(s);
    plan->pad_h = s->same ? (s->kh - 1) / 2 : 0;
    plan->pad_w = s->same ? (s->kw - 1) / 2 : 0;

    double weights = (double)fn_ref_conv_weights(plan);
    double products = weights * s->n * plan->oh * plan->ow;
    plan->threads = products < THREADS_PAY ? 1 : dev->threads;
    size_t in_row = (size_t)s->w * (size_t)s->cin, out_row = (size_t)plan->ow * (size_t)s->cout;
    plan->row = in_row > out_row ? in_row : out_row;
    plan->workspace =
        sizeof(double) * (fn_ref_conv_weights(plan) + plan->row * (size_t)plan->threads);
    *workspace = plan->workspace;
    return FN_OK;
}

void fn_ref_conv_free(struct fn_conv **plan)
{
    free(*plan);
    *plan = NULL;
}

size_t fn_ref_conv_weights(const struct fn_conv *plan)
{
    const struct fn_conv_shape *s = &plan->s;
    return (size_t)s->kh * (size_t)s->kw * (size_t)s->cin * (size_t)s->cout;
}

int fn_ref_conv_import(struct fn_dev *dev, const struct fn_conv *plan, const void *oihw, int type,
                       void *w)
{
    return fn_ref_vector_import(dev, oihw, type, fn_ref_conv_weights(plan), w);
}

int fn_ref_conv_export(struct fn_dev *dev, const struct fn_conv *plan, const void *w, void *oihw,
                       int type)
{
    return fn_ref_vector_export(dev, w, fn_ref_conv_weights(plan), oihw, type);
}
