/* SPDX-License-Identifier: MIT */
/* Softmax cross entropy. With m the largest logit of a row and S = sum of exp(x - m),
 *
 *     loss = log S + m - x_label     d loss / dx = exp(x - m) / S - onehot */
#include <math.h>
#include <string.h>

#include "kernels/ref/ref.h"

static size_t first_largest(const fn_real *row, size_t count)
{
    size_t best = 0;
    for (size_t k = 1; k < count; k++)
        if (row[k] > row[best])
            best = k;
    return best;
}

int fn_ref_softmax_xent(struct fn_dev *dev, const struct fn_tensor *logits, const int32_t *labels,
                        int count, int backward)
{
    assert(count >= 1 && count <= logits->n);
    const size_t d = (size_t)logits->c;
    double loss = 0;
    for (size_t n = 0; n < (size_t)count; n++) {
        fn_real *row = fn_ref_pixel(logits, n);
        const size_t label = (size_t)labels[n], best = first_largest(row, d);
        assert(labels[n] >= 0 && label < d);
        const double most = row[best];
        double sum = 0;
        for (size_t k = 0; k < d; k++)
            sum += exp(row[k] - most);
        loss += log(sum) + most - row[label];
        dev->losses[FN_LOSS_CORRECT] += best == label;
        for (size_t k = 0; backward && k < d; k++)
            row[k] = (fn_real)((exp(row[k] - most) / sum - (k == label)) / count);
    }
    dev->losses[FN_LOSS_XENT] += loss / count;
    for (size_t n = (size_t)count; backward && n < (size_t)logits->n; n++)
        memset(fn_ref_pixel(logits, n), 0, d * sizeof(fn_real));
    return FN_OK;
}
