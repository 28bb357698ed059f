/* SPDX-License-Identifier: MIT */
/* Moving statistics of batch normalization: moving = decay moving + (1 - decay) batch. */
#include "kernels/ref/ref.h"

int fn_ref_update_moving(struct fn_dev *dev, const struct fn_params *params,
                         const struct fn_moving_group *groups, size_t count, double decay)
{
    if (dev->bad)
        return FN_OK;
    for (size_t i = 0; i < count; i++) {
        const size_t begin = groups[i].begin, c = (size_t)groups[i].c;
        assert(begin >= params->trained && begin + 2 * c <= params->total);
        fn_real *moving = (fn_real *)params->w + begin;
        const fn_real *batch = (const fn_real *)params->batch + (begin - params->trained);
        for (size_t k = 0; k < 2 * c; k++) {
            double fed = batch[k] * (k < c ? 1 : groups[i].unbias);
            moving[k] = (fn_real)(decay * moving[k] + (1 - decay) * fed);
        }
    }
    return FN_OK;
}
