/* SPDX-License-Identifier: MIT */
/* Softmax cross entropy with a margin and smoothed labels (the rule: kernels/op.h). Rows are
 * divided among the threads; what each adds to a loss is added up in the order of the rows. */
#include <math.h>
#include <string.h>

#include "kernels/cpu/cpu.h"

/* What softmax sees of the label, and *slope: its derivative. */
static double label_logit(const struct fn_margin *rule, double x, double *slope)
{
    double s = rule->scale, m = rule->margin, sine2 = 1 - x * x, sine, open;
    *slope = s;
    if (rule->kind == FN_MARGIN_NONE) {
        *slope = 1;
        return x;
    }
    if (rule->kind == FN_MARGIN_COS)
        return s * (x - m);
    if (x <= -cos(m))
        return s * (x - m * sin(m));
    open = sine2 > FN_MARGIN_SINE2;
    sine = sqrt(open != 0 ? sine2 : FN_MARGIN_SINE2);
    *slope = s * (cos(m) + open * x * sin(m) / sine);
    return s * (x * cos(m) - sine * sin(m));
}

/* In place: x -> u -> exp(u - most) -> gradient. */
static double margin_row(const struct fn_cpu_loops *loops, float *row, size_t d, size_t label,
                         const struct fn_margin *rule, int count, int backward, double *right)
{
    double e = rule->smoothing, share = e / (double)d, mean = 0, slope, own, sum, p;
    double scale = rule->kind ? rule->scale : 1;
    float most = loops->max(row, d);
    size_t best = 0;
    while (best + 1 < d && row[best] != most)
        best++;
    *right = best == label;
    own = label_logit(rule, (double)row[label], &slope);
    if (rule->kind)
        loops->scale((float)scale, d, row);
    row[label] = (float)own;
    own = (double)row[label]; /* as exp_sum sees it: a loss near 0 is their difference */
    most = loops->max(row, d);
    for (size_t k = 0; e > 0 && k < d; k++)
        mean += (double)row[k];
    mean /= (double)d;
    sum = loops->exp_sum(row, most, d, row);
    p = (double)row[label] / sum;
    if (backward) {
        loops->scale((float)(scale / (sum * count)), d, row);
        for (size_t k = 0; e > 0 && k < d; k++)
            row[k] -= (float)(scale * share / count);
        row[label] = (float)((p - (1 - e) - share) * slope / count);
    }
    return log(sum) + (double)most - (1 - e) * own - e * mean;
}

int fn_cpu_margin_xent(struct fn_dev *dev, const struct fn_tensor *x, const int32_t *labels,
                       int count, const struct fn_margin *rule, int backward)
{
    assert(count >= 1 && count <= x->n && rule->smoothing >= 0 && rule->smoothing < 1);
    fn_cpu_enter(dev);
    size_t d = (size_t)x->c, rows = (size_t)count;
    void *scratch;
    double loss = 0, correct = 0, *terms;
    int rc = fn_cpu_scratch(dev, 2 * rows * sizeof(double), &scratch);
    if (rc != FN_OK)
        return rc;
    terms = scratch;
#pragma omp parallel num_threads(dev->threads)
    {
        size_t begin, end;
        fn_cpu_share(rows, &begin, &end);
        for (size_t i = begin; i < end; i++) {
            assert(labels[i] >= 0 && (size_t)labels[i] < d);
            terms[i] = margin_row(dev->loops, fn_cpu_row(x, i), d, (size_t)labels[i], rule, count,
                                  backward, &terms[rows + i]);
        }
    }
    for (size_t i = rows; backward && i < (size_t)x->n; i++)
        memset(fn_cpu_row(x, i), 0, d * sizeof(float));
    for (size_t i = 0; i < rows; i++) {
        loss += terms[i];
        correct += terms[rows + i];
    }
    dev->losses[FN_LOSS_XENT] += loss / count;
    dev->losses[FN_LOSS_CORRECT] += correct;
    return FN_OK;
}
