/* SPDX-License-Identifier: MIT */
/* Gradients between the backward pass and the update: sums of parts, and clipping by their global
 * norm, g = g min(1, most / |g|). */
#include <math.h>

#include "kernels/ref/ref.h"

int fn_ref_combine(struct fn_dev *dev, void *y, double a, const void *x, double b, size_t count)
{
    (void)dev;
    const fn_real *from = x;
    fn_real *to = y;
    for (size_t i = 0; i < count; i++)
        to[i] = (fn_real)(a == 0 ? b * from[i] : a * to[i] + b * from[i]);
    return FN_OK;
}

int fn_ref_clip(struct fn_dev *dev, const struct fn_params *params, double most)
{
    fn_real *grad = params->grad;
    double squares = 0, norm;
    if (dev->bad)
        return FN_OK;
    for (size_t i = 0; i < params->group_count; i++) {
        const struct fn_param_group *g = &params->groups[i];
        for (size_t k = g->begin; !g->frozen && k < g->begin + g->count; k++)
            squares += (double)grad[k] * grad[k];
    }
    norm = sqrt(squares);
    dev->losses[FN_LOSS_GRADIENT] += norm;
    for (size_t i = 0; norm > most && i < params->group_count; i++) {
        const struct fn_param_group *g = &params->groups[i];
        for (size_t k = g->begin; !g->frozen && k < g->begin + g->count; k++)
            grad[k] = (fn_real)(grad[k] * (most / norm));
    }
    return FN_OK;
}
