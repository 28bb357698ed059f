/* SPDX-License-Identifier: MIT */
/* e = x r with r = 1 / sqrt(max(sum of x^2, 1e-10)), by row;
 * dx = r (de - e (e . de)), or r de where the 1e-10 was taken (r is then a constant). */
#include <math.h>

#include "kernels/ref/ref.h"

#define LEAST 1e-10 /* epsilon of tf.nn.l2_normalize in the original network */

static double sum_of_squares(const fn_real *x, size_t count)
{
    double sum = 0;
    for (size_t k = 0; k < count; k++)
        sum += (double)x[k] * x[k];
    return sum;
}

int fn_ref_l2norm_forward(struct fn_dev *dev, const struct fn_tensor *x, const struct fn_tensor *e)
{
    (void)dev;
    assert(fn_ref_same_shape(x, e));
    const size_t d = (size_t)x->c;
    for (size_t n = 0; n < (size_t)x->n; n++) {
        const fn_real *x_n = fn_ref_pixel(x, n);
        fn_real *e_n = fn_ref_pixel(e, n);
        double sum = sum_of_squares(x_n, d);
        double r = 1 / sqrt(sum < LEAST ? LEAST : sum);
        for (size_t k = 0; k < d; k++)
            e_n[k] = (fn_real)(x_n[k] * r);
    }
    return FN_OK;
}

int fn_ref_l2norm_backward(struct fn_dev *dev, const struct fn_tensor *x,
                           const struct fn_tensor *de, const struct fn_tensor *dx, int accumulate)
{
    (void)dev;
    assert(fn_ref_same_shape(x, de) && fn_ref_same_shape(x, dx));
    const size_t d = (size_t)x->c;
    for (size_t n = 0; n < (size_t)x->n; n++) {
        const fn_real *x_n = fn_ref_pixel(x, n), *de_n = fn_ref_pixel(de, n);
        fn_real *dx_n = fn_ref_pixel(dx, n);
        double sum = sum_of_squares(x_n, d), dot = 0;
        double r = 1 / sqrt(sum < LEAST ? LEAST : sum);
        if (!(sum < LEAST))
            for (size_t k = 0; k < d; k++)
                dot += x_n[k] * r * de_n[k];
        for (size_t k = 0; k < d; k++) {
            double g = r * (de_n[k] - x_n[k] * r * dot);
            dx_n[k] = (fn_real)(accumulate ? dx_n[k] + g : g);
        }
    }
    return FN_OK;
}
