/* SPDX-License-Identifier: MIT */
/* Center loss: mean over rows and features of (x - c_label)^2, and the rule that moves the centers.
 */
#include "kernels/ref/ref.h"

static size_t center_of(const struct fn_tensor *x, int32_t label)
{
    assert(label >= 0);
    return (size_t)label * (size_t)x->c;
}

int fn_ref_center_loss(struct fn_dev *dev, const struct fn_tensor *x, const int32_t *labels,
                       int count, const void *centers, double factor, const struct fn_tensor *dx)
{
    assert(count >= 1 && count <= x->n && (!dx || fn_ref_same_shape(x, dx)));
    const size_t d = (size_t)x->c;
    const double all = (double)count * (double)d;
    double sum = 0;
    for (size_t n = 0; n < (size_t)count; n++) {
        const fn_real *center = (const fn_real *)centers + center_of(x, labels[n]);
        const fn_real *x_n = fn_ref_pixel(x, n);
        fn_real *dx_n = dx ? fn_ref_pixel(dx, n) : NULL;
        for (size_t k = 0; k < d; k++) {
            double difference = (double)x_n[k] - center[k];
            sum += difference * difference;
            if (dx_n)
                dx_n[k] = (fn_real)(dx_n[k] + factor * 2 * difference / all);
        }
    }
    dev->losses[FN_LOSS_CENTER] += sum / all;
    return FN_OK;
}

/* Whether row n is the first with its label. */
static int is_first(const int32_t *labels, int n)
{
    for (int i = 0; i < n; i++)
        if (labels[i] == labels[n])
            return 0;
    return 1;
}

int fn_ref_center_update(struct fn_dev *dev, const struct fn_tensor *x, const int32_t *labels,
                         int count, void *centers, double alfa)
{
    assert(count >= 0 && count <= x->n);
    if (dev->bad)
        return FN_OK;
    for (int n = 0; n < count; n++) {
        if (!is_first(labels, n))
            continue;
        fn_real *center = (fn_real *)centers + center_of(x, labels[n]);
        for (size_t k = 0; k < (size_t)x->c; k++) {
            double sum = 0;
            for (int i = n; i < count; i++)
                if (labels[i] == labels[n])
                    sum += (double)center[k] - fn_ref_pixel(x, (size_t)i)[k];
            center[k] = (fn_real)(center[k] - (1 - alfa) * sum);
        }
    }
    return FN_OK;
}
