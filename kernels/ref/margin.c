/* SPDX-License-Identifier: MIT */
/* Softmax cross entropy with a margin and smoothed labels (the rule: kernels/op.h). With u what
 * softmax sees, e the smoothing and K classes,
 *
 *     loss = log(sum of exp u) - (1 - e) u_label - e mean(u)
 *     d loss / dx_k = (softmax(u)_k - (1 - e) [k = label] - e / K) du_k / dx_k */
#include <math.h>
#include <string.h>

#include "kernels/ref/ref.h"

/* u of the label, and *slope = du / dx. */
static double label_logit(const struct fn_margin *rule, double x, double *slope)
{
    const double s = rule->scale, m = rule->margin, sine2 = 1 - x * x;
    *slope = s;
    if (rule->kind == FN_MARGIN_COS)
        return s * (x - m);
    if (x <= -cos(m)) /* theta + m would be past pi, where the cosine rises again */
        return s * (x - m * sin(m));
    const double sine = sqrt(sine2 > FN_MARGIN_SINE2 ? sine2 : FN_MARGIN_SINE2);
    *slope = s * (cos(m) + (sine2 > FN_MARGIN_SINE2 ? x * sin(m) / sine : 0));
    return s * (x * cos(m) - sine * sin(m));
}

static double margin_row(fn_real *row, size_t d, size_t label, const struct fn_margin *rule,
                         int count, int backward, int *right)
{
    const double share = rule->smoothing / (double)d;
    const double scale = rule->kind ? rule->scale : 1;
    double own = row[label], slope = 1, most, sum = 0, mean = 0;
    size_t best = 0;
    for (size_t k = 1; k < d; k++)
        if (row[k] > row[best])
            best = k;
    *right = best == label;
    if (rule->kind)
        own = label_logit(rule, own, &slope);
    most = own;
    for (size_t k = 0; k < d; k++)
        if (k != label && scale * row[k] > most)
            most = scale * row[k];
    for (size_t k = 0; k < d; k++) {
        double u = k == label ? own : scale * row[k];
        sum += exp(u - most);
        mean += u / (double)d;
    }
    for (size_t k = 0; backward && k < d; k++) {
        double p = exp((k == label ? own : scale * row[k]) - most) / sum;
        double g = p - (k == label ? 1 - rule->smoothing : 0) - share;
        row[k] = (fn_real)(g * (k == label ? slope : scale) / count);
    }
    return log(sum) + most - (1 - rule->smoothing) * own - rule->smoothing * mean;
}

int fn_ref_margin_xent(struct fn_dev *dev, const struct fn_tensor *x, const int32_t *labels,
                       int count, const struct fn_margin *rule, int backward)
{
    assert(count >= 1 && count <= x->n && rule->smoothing >= 0 && rule->smoothing < 1);
    const size_t d = (size_t)x->c;
    double loss = 0;
    for (size_t n = 0; n < (size_t)count; n++) {
        int right;
        assert(labels[n] >= 0 && (size_t)labels[n] < d);
        loss += margin_row(fn_ref_pixel(x, n), d, (size_t)labels[n], rule, count, backward, &right);
        dev->losses[FN_LOSS_CORRECT] += right;
    }
    dev->losses[FN_LOSS_XENT] += loss / count;
    for (size_t n = (size_t)count; backward && n < (size_t)x->n; n++)
        memset(fn_ref_pixel(x, n), 0, d * sizeof(fn_real));
    return FN_OK;
}
