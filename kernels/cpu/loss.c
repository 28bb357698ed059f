/* SPDX-License-Identifier: MIT */
/* Losses. Rows are divided among the threads; what each row adds to a loss is added up in the order
 * of the rows. */
#include "kernels/cpu/cpu.h"

#include <math.h>
#include <string.h>

/* The sum of `count` doubles, one a row, in their order. */
static double sum_of(const double *terms, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += terms[i];
    return sum;
}

static int row_terms(struct fn_dev *dev, int count, size_t each, double **terms)
{
    void *scratch;
    int rc = fn_cpu_scratch(dev, (size_t)count * each * sizeof(double), &scratch);
    *terms = scratch;
    return rc;
}

/* ---- softmax cross entropy ------------------------------------------------------------------ */

/* loss = log(sum of exp(x - max)) + max - x_label; gradient: exp(x - max) / sum - onehot. */
static double softmax_row(const struct fn_cpu_loops *loops, float *row, size_t d, size_t label,
                          int count, int backward, double *right)
{
    size_t best = 0;
    float most = loops->max(row, d), own = row[label];
    while (best + 1 < d && row[best] != most)
        best++;
    *right = best == label;
    double sum = loops->exp_sum(row, most, d, backward ? row : NULL);
    if (backward) {
        loops->scale((float)(1 / (sum * count)), d, row);
        row[label] -= (float)(1.0 / count);
    }
    return log(sum) + (double)most - (double)own;
}

int fn_cpu_softmax_xent(struct fn_dev *dev, const struct fn_tensor *logits, const int32_t *labels,
                        int count, int backward)
{
    assert(count >= 1 && count <= logits->n);
    fn_cpu_enter(dev);
    size_t d = (size_t)logits->c, rows = (size_t)count;
    double *terms;
    int rc = row_terms(dev, count, 2, &terms);
    if (rc != FN_OK)
        return rc;
#pragma omp parallel num_threads(dev->threads)
    {
        size_t begin, end;
        fn_cpu_share(rows, &begin, &end);
        for (size_t i = begin; i < end; i++) {
            assert(labels[i] >= 0 && (size_t)labels[i] < d);
            terms[i] = softmax_row(dev->loops, fn_cpu_row(logits, i), d, (size_t)labels[i], count,
                                   backward, &terms[rows + i]);
        }
    }
    for (size_t i = rows; backward && i < (size_t)logits->n; i++)
        memset(fn_cpu_row(logits, i), 0, d * sizeof(float));
    dev->losses[FN_LOSS_XENT] += sum_of(terms, rows) / count;
    dev->losses[FN_LOSS_CORRECT] += sum_of(terms + rows, rows);
    return FN_OK;
}

/* ---- center loss ---------------------------------------------------------------------------- */

int fn_cpu_center_loss(struct fn_dev *dev, const struct fn_tensor *x, const int32_t *labels,
                       int count, const void *centers, double factor, const struct fn_tensor *dx)
{
    assert(count >= 1 && count <= x->n && (!dx || fn_cpu_alike(x, dx)));
    fn_cpu_enter(dev);
    size_t d = (size_t)x->c, rows = (size_t)count;
    double all = (double)rows * (double)d, *terms;
    int rc = row_terms(dev, count, 1, &terms);
    if (rc != FN_OK)
        return rc;
#pragma omp parallel num_threads(dev->threads)
    {
        size_t begin, end;
        fn_cpu_share(rows, &begin, &end);
        for (size_t n = begin; n < end; n++) {
            const float *c = (const float *)centers + (size_t)labels[n] * d, *v = fn_cpu_row(x, n);
            float *g = dx ? fn_cpu_row(dx, n) : NULL;
            terms[n] = dev->loops->distance(v, c, d);
            for (size_t i = 0; g && i < d; i++)
                g[i] = (float)((double)g[i] + factor * 2 * ((double)v[i] - (double)c[i]) / all);
        }
    }
    dev->losses[FN_LOSS_CENTER] += sum_of(terms, rows) / all;
    return FN_OK;
}

static int is_first(const int32_t *labels, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (labels[i] == labels[n])
            return 0;
    return 1;
}

int fn_cpu_center_update(struct fn_dev *dev, const struct fn_tensor *x, const int32_t *labels,
                         int count, void *centers, double alfa)
{
    assert(count >= 0 && count <= x->n);
    fn_cpu_enter(dev);
    if (dev->stopped)
        return FN_OK;
    size_t d = (size_t)x->c, rows = (size_t)count;
#pragma omp parallel num_threads(dev->threads)
    {
        size_t begin, end;
        fn_cpu_share(rows, &begin, &end);
        /* The first row with a label does it for all of them: a center belongs to one thread. */
        for (size_t n = begin; n < end; n++) {
            float *c = (float *)centers + (size_t)labels[n] * d;
            if (!is_first(labels, n))
                continue;
            for (size_t k = 0; k < d; k++) {
                double sum = 0;
                for (size_t i = n; i < rows; i++)
                    if (labels[i] == labels[n])
                        sum += (double)c[k] - (double)fn_cpu_row(x, i)[k];
                c[k] = (float)((double)c[k] - (1 - alfa) * sum);
            }
        }
    }
    return FN_OK;
}

/* ---- prelogits norm ------------------------------------------------------------------------- */

#define OFFSET 1e-4 /* eps of the original's train_softmax.py */

static double power(double v, double p)
{
    return p == 0 ? 1 : p == 1 ? v : p == 2 ? v * v : pow(v, p);
}

static double offset_abs(float x)
{
    return fabs((double)x) + OFFSET;
}

/* || |x| + OFFSET ||_p = m (sum of (v / m)^p)^(1/p), m the largest v, which *equals of them have.
 * p infinite: m. */
static double norm_of(const float *x, size_t d, double p, size_t *equals)
{
    double most = 0, sum = 0;
    *equals = 0;
    for (size_t i = 0; i < d; i++) {
        double v = offset_abs(x[i]);
        if (v > most || isnan(v)) {
            most = v;
            *equals = 0;
        }
        *equals += v == most;
    }
    if (isinf(p))
        return most;
    for (size_t i = 0; i < d; i++)
        sum += power(offset_abs(x[i]) / most, p);
    return most * power(sum, 1 / p);
}

/* factor * sign(x) (v / norm)^(p - 1); p infinite: shared among the largest, as TensorFlow does. */
static void norm_gradient(const float *x, size_t d, double p, double norm, size_t equals,
                          double factor, float *dx)
{
    for (size_t i = 0; i < d; i++) {
        double v = offset_abs(x[i]), sign = x[i] > 0 ? 1 : x[i] < 0 ? -1 : 0;
        double slope = isinf(p) ? (v == norm) / (double)equals : power(v / norm, p - 1);
        dx[i] = (float)((double)dx[i] + factor * sign * slope);
    }
}

int fn_cpu_norm_loss(struct fn_dev *dev, const struct fn_tensor *x, int count, double p,
                     double factor, const struct fn_tensor *dx)
{
    assert(count >= 1 && count <= x->n && p >= 1 && (!dx || fn_cpu_alike(x, dx)));
    fn_cpu_enter(dev);
    double *terms;
    int rc = row_terms(dev, count, 1, &terms);
    if (rc != FN_OK)
        return rc;
#pragma omp parallel num_threads(dev->threads)
    {
        size_t begin, end, equals;
        fn_cpu_share((size_t)count, &begin, &end);
        for (size_t n = begin; n < end; n++) {
            terms[n] = norm_of(fn_cpu_row(x, n), (size_t)x->c, p, &equals);
            if (dx)
                norm_gradient(fn_cpu_row(x, n), (size_t)x->c, p, terms[n], equals, factor / count,
                              fn_cpu_row(dx, n));
        }
    }
    dev->losses[FN_LOSS_NORM] += sum_of(terms, (size_t)count) / count;
    return FN_OK;
}
