/* SPDX-License-Identifier: MIT */
/* The prelogits norm: mean over rows of ||v||_p, v = |x| + 1e-4. With m the largest v of the row,
 *
 *     ||v||_p = m (sum of (v / m)^p)^(1/p)          (so that no power overflows)
 *     d ||v||_p / dx = sign(x) (v / ||v||_p)^(p-1)
 *
 * p = INFINITY: ||v|| = m; the gradient is shared among equal largest ones, as TensorFlow does. */
#include <math.h>

#include "kernels/ref/ref.h"

#define OFFSET 1e-4 /* eps of the original's train_softmax.py */

static double value(fn_real x)
{
    return fabs((double)x) + OFFSET;
}

static double largest(const fn_real *x, size_t count, size_t *equals)
{
    double most = 0;
    *equals = 0;
    for (size_t k = 0; k < count; k++) {
        double v = value(x[k]);
        if (v > most || isnan(v)) {
            most = v;
            *equals = 0;
        }
        *equals += v == most;
    }
    return most;
}

static double norm_of(const fn_real *x, size_t count, double p, double most)
{
    double sum = 0;
    if (isinf(p))
        return most;
    for (size_t k = 0; k < count; k++)
        sum += pow(value(x[k]) / most, p);
    return most * pow(sum, 1 / p);
}

int fn_ref_norm_loss(struct fn_dev *dev, const struct fn_tensor *x, int count, double p,
                     double factor, const struct fn_tensor *dx)
{
    assert(count >= 1 && count <= x->n && p >= 1 && (!dx || fn_ref_same_shape(x, dx)));
    const size_t d = (size_t)x->c;
    double sum = 0;
    for (size_t n = 0; n < (size_t)count; n++) {
        const fn_real *x_n = fn_ref_pixel(x, n);
        size_t equals;
        const double most = largest(x_n, d, &equals), norm = norm_of(x_n, d, p, most);
        sum += norm;
        fn_real *dx_n = dx ? fn_ref_pixel(dx, n) : NULL;
        for (size_t k = 0; dx_n && k < d; k++) {
            double v = value(x_n[k]), sign = x_n[k] > 0 ? 1 : x_n[k] < 0 ? -1 : 0;
            double slope = isinf(p) ? (v == most) / (double)equals : pow(v / norm, p - 1);
            dx_n[k] = (fn_real)(dx_n[k] + factor * sign * slope / count);
        }
    }
    dev->losses[FN_LOSS_NORM] += sum / count;
    return FN_OK;
}
