/* SPDX-License-Identifier: MIT */
/* Dropout. The mask is a function of the step and the element, so that the backward pass makes it
 * anew instead of keeping it. */
#include "base/rng.h"
#include "kernels/ref/ref.h"

int fn_ref_dropout(struct fn_dev *dev, const struct fn_tensor *x, double keep,
                   const struct fn_tensor *y)
{
    assert(x->h == 1 && x->w == 1 && fn_ref_same_shape(x, y) && keep > 0 && keep <= 1);
    const struct fn_step *step = &dev->step;
    const size_t channels = (size_t)x->c;
    for (size_t n = 0; n < (size_t)x->n; n++) {
        const fn_real *from = fn_ref_pixel(x, n);
        fn_real *to = fn_ref_pixel(y, n);
        for (size_t c = 0; c < channels; c++) {
            uint64_t i = (step->first + n) * channels + c;
            uint64_t bits = fn_rng(step->seed, step->step, i, FN_RNG_DROPOUT);
            to[c] = (fn_real)(fn_rng_unit(bits) < keep ? from[c] / keep : 0);
        }
    }
    return FN_OK;
}
