/* SPDX-License-Identifier: MIT */
/* Gradients between the backward pass and the update: sums of parts, and clipping by the global
 * norm. */
#include <math.h>

#include "kernels/cpu/cpu.h"

int fn_cpu_combine(struct fn_dev *dev, void *y, double a, const void *x, double b, size_t count)
{
    const float *from = x, old = (float)a, fresh = (float)b;
    float *to = y;
    fn_cpu_enter(dev);
#pragma omp parallel num_threads(dev->threads)
    {
        size_t begin, end;
        fn_cpu_share(count, &begin, &end);
        if (a == 0)
            for (size_t i = begin; i < end; i++)
                to[i] = fresh * from[i];
        else
            for (size_t i = begin; i < end; i++)
                to[i] = old * to[i] + fresh * from[i];
    }
    return FN_OK;
}

/* What of a group lies in [begin, end): returns its length, 0 for a frozen one. */
static size_t part_of(const struct fn_param_group *g, size_t begin, size_t end, size_t *from)
{
    size_t to = g->begin + g->count < end ? g->begin + g->count : end;
    *from = g->begin > begin ? g->begin : begin;
    return g->frozen || *from >= to ? 0 : to - *from;
}

static double squares_of(const struct fn_dev *dev, const struct fn_params *p)
{
    size_t begin, end, from;
    double sum = 0;
    fn_cpu_share(p->trained, &begin, &end);
    for (size_t i = 0; i < p->group_count; i++) {
        size_t count = part_of(&p->groups[i], begin, end, &from);
        if (count)
            sum += dev->loops->square_sum((const float *)p->grad + from, count);
    }
    return sum;
}

static void scale_part(const struct fn_dev *dev, const struct fn_params *p, float factor)
{
    size_t begin, end, from;
    fn_cpu_share(p->trained, &begin, &end);
    for (size_t i = 0; i < p->group_count; i++) {
        size_t count = part_of(&p->groups[i], begin, end, &from);
        if (count)
            dev->loops->scale(factor, count, (float *)p->grad + from);
    }
}

int fn_cpu_clip(struct fn_dev *dev, const struct fn_params *params, double most)
{
    void *scratch;
    double *squares, sum = 0, norm;
    int rc;
    fn_cpu_enter(dev);
    if (dev->stopped)
        return FN_OK;
    rc = fn_cpu_scratch(dev, (size_t)dev->threads * sizeof(double), &scratch);
    if (rc != FN_OK)
        return rc;
    squares = scratch;
#pragma omp parallel num_threads(dev->threads)
    squares[fn_cpu_thread()] = squares_of(dev, params);
    for (int i = 0; i < dev->threads; i++)
        sum += squares[i];
    norm = sqrt(sum);
    dev->losses[FN_LOSS_GRADIENT] += norm;
    if (norm > most) {
#pragma omp parallel num_threads(dev->threads)
        scale_part(dev, params, (float)(most / norm));
    }
    return FN_OK;
}
