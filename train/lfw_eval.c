/* SPDX-License-Identifier: MIT */
/* The original's evaluation of pairs: accuracy, VAL at FAR, AUC and EER over K folds, in double.
 * Both grids of thresholds are regular, so a pair is put into the bin of the first threshold above
 * its distance, and counts below every threshold are running sums over bins: no pair is compared
 * twice. */
#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train/lfw.h"

#define ROC_STEP 0.01  /* np.arange(0, 4, 0.01) */
#define VAL_STEP 0.001 /* np.arange(0, 4, 0.001) */
#define VAL_THRESHOLDS 4000

/* Pairs by the first threshold that is above their distance; the last bin: none is. */
struct bins {
    uint32_t same[VAL_THRESHOLDS + 1], diff[VAL_THRESHOLDS + 1];
    uint32_t n_same, n_diff;
};

struct eval {
    const float *embeddings; /* (images, dims) */
    size_t dims;
    const struct fn_lfw *lfw;
    const struct fn_lfw_options *options;
    double *distance; /* [pairs] */
    double *fold_sum; /* (folds, dims): sums of the embeddings of both sides of a fold's pairs */
    double *mean;     /* [dims] */
    struct bins *train, *test;
    struct fn_lfw_result *result;
};

/* KFold without shuffle: the first n mod K folds have one more. */
static size_t fold_begin(size_t n, int folds, int k)
{
    size_t base = n / (size_t)folds, more = n % (size_t)folds, f = (size_t)k;
    return f * base + (f < more ? f : more);
}

int fn_lfw_fold_of(size_t n, int folds, size_t pair)
{
    size_t base = n / (size_t)folds, more = n % (size_t)folds, larger = more * (base + 1);
    return (int)(pair < larger ? pair / (base + 1) : more + (pair - larger) / base);
}

static const float *side(const struct eval *e, size_t pair, int which)
{
    return e->embeddings + (size_t)e->lfw->pair[2 * pair + (size_t)which] * e->dims;
}

static double squared_l2(const float *a, const float *b, const double *mean, size_t dims)
{
    double sum = 0;
    for (size_t i = 0; i < dims; i++) {
        double d = ((double)a[i] - mean[i]) - ((double)b[i] - mean[i]);
        sum += d * d;
    }
    return sum;
}

/* Rounding can carry the cosine of equal embeddings past 1, where acos is NAN; numpy's answer is
 * then that they differ. */
static double angle(const float *a, const float *b, const double *mean, size_t dims)
{
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < dims; i++) {
        double x = (double)a[i] - mean[i], y = (double)b[i] - mean[i];
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    double norm = sqrt(aa) * sqrt(bb);
    double cosine = norm > 0 ? ab / norm : 0;
    return acos(fmax(-1, fmin(1, cosine))) / acos(-1.0);
}

static void measure(struct eval *e)
{
    for (size_t i = 0; i < e->lfw->pairs; i++) {
        const float *a = side(e, i, 0), *b = side(e, i, 1);
        e->distance[i] = e->options->metric == 0 ? squared_l2(a, b, e->mean, e->dims)
                                                 : angle(a, b, e->mean, e->dims);
    }
}

static void sum_folds(struct eval *e)
{
    size_t n = e->lfw->pairs;
    for (int k = 0; k < e->options->folds; k++) {
        double *sum = e->fold_sum + (size_t)k * e->dims;
        for (size_t p = fold_begin(n, e->options->folds, k);
             p < fold_begin(n, e->options->folds, k + 1); p++)
            for (int s = 0; s < 2; s++) {
                const float *x = side(e, p, s);
                for (size_t i = 0; i < e->dims; i++)
                    sum[i] += (double)x[i];
            }
    }
}

/* Mean of the embeddings of all folds but k. */
static void mean_without(struct eval *e, int k, size_t train_pairs)
{
    memset(e->mean, 0, e->dims * sizeof *e->mean);
    for (int f = 0; f < e->options->folds; f++)
        for (size_t i = 0; f != k && i < e->dims; i++)
            e->mean[i] += e->fold_sum[(size_t)f * e->dims + i];
    for (size_t i = 0; i < e->dims; i++)
        e->mean[i] /= 2.0 * (double)train_pairs;
}

/* The smallest i with distance < i * step, or `thresholds`. */
static size_t bin_of(double distance, double step, size_t thresholds)
{
    if (!(distance < (double)(thresholds - 1) * step))
        return thresholds;
    size_t i = (size_t)(distance / step);
    while (i > 0 && distance < (double)(i - 1) * step)
        i--;
    while (!(distance < (double)i * step))
        i++;
    return i;
}

static void fill_bins(const struct eval *e, size_t begin, size_t end, double step,
                      size_t thresholds, struct bins *inside, struct bins *outside)
{
    memset(inside, 0, sizeof *inside);
    memset(outside, 0, sizeof *outside);
    for (size_t p = 0; p < e->lfw->pairs; p++) {
        struct bins *b = p >= begin && p < end ? inside : outside;
        size_t i = bin_of(e->distance[p], step, thresholds);
        if (e->lfw->same[p]) {
            b->same[i]++;
            b->n_same++;
        } else {
            b->diff[i]++;
            b->n_diff++;
        }
    }
    for (size_t i = 1; i < thresholds; i++) { /* from now on: pairs below threshold i */
        inside->same[i] += inside->same[i - 1];
        inside->diff[i] += inside->diff[i - 1];
        outside->same[i] += outside->same[i - 1];
        outside->diff[i] += outside->diff[i - 1];
    }
}

static double ratio(uint32_t part, uint32_t whole, double otherwise)
{
    return whole ? (double)part / (double)whole : otherwise;
}

static uint32_t right(const struct bins *b, size_t i)
{
    return b->same[i] + (b->n_diff - b->diff[i]);
}

static void fold_accuracy(struct eval *e, size_t begin, size_t end, struct fn_lfw_fold *fold)
{
    struct fn_lfw_result *r = e->result;
    size_t best = 0;
    fill_bins(e, begin, end, ROC_STEP, FN_LFW_THRESHOLDS, e->test, e->train);
    for (size_t i = 0; i < FN_LFW_THRESHOLDS; i++) {
        if (right(e->train, i) > right(e->train, best))
            best = i;
        r->tpr[i] += ratio(e->test->same[i], e->test->n_same, 0) / (double)r->folds;
        r->fpr[i] += ratio(e->test->diff[i], e->test->n_diff, 0) / (double)r->folds;
    }
    fold->threshold = (double)best * ROC_STEP;
    fold->accuracy = (double)right(e->test, best) / (double)(end - begin);
}

/* Where FAR, a step function of the thresholds joined by straight lines, reaches its target. */
static double far_threshold(const struct bins *b)
{
    size_t last = VAL_THRESHOLDS - 1, i = last;
    if (!b->n_diff || ratio(b->diff[last], b->n_diff, 0) < FN_LFW_FAR)
        return 0;
    while (i > 0 && ratio(b->diff[i], b->n_diff, 0) > FN_LFW_FAR)
        i--;
    if (i == last)
        return (double)last * VAL_STEP;
    double x0 = (double)i * VAL_STEP, x1 = (double)(i + 1) * VAL_STEP;
    double y0 = ratio(b->diff[i], b->n_diff, 0), y1 = ratio(b->diff[i + 1], b->n_diff, 0);
    return x0 + (x1 - x0) * (FN_LFW_FAR - y0) / (y1 - y0);
}

static void fold_val(struct eval *e, size_t begin, size_t end, struct fn_lfw_fold *fold)
{
    uint32_t accepted[2] = {0, 0};
    fill_bins(e, begin, end, VAL_STEP, VAL_THRESHOLDS, e->test, e->train);
    fold->val_threshold = far_threshold(e->train);
    for (size_t p = begin; p < end; p++)
        accepted[e->lfw->same[p] != 0] += e->distance[p] < fold->val_threshold;
    fold->val = ratio(accepted[1], e->test->n_same, NAN);
    fold->far = ratio(accepted[0], e->test->n_diff, NAN);
}

static void run_folds(struct eval *e)
{
    struct fn_lfw_result *r = e->result;
    size_t n = e->lfw->pairs;
    if (e->options->subtract_mean)
        sum_folds(e);
    else
        measure(e); /* with a mean of zero: the same for every fold */
    for (int k = 0; k < r->folds; k++) {
        size_t begin = fold_begin(n, r->folds, k), end = fold_begin(n, r->folds, k + 1);
        if (e->options->subtract_mean) {
            mean_without(e, k, n - (end - begin));
            measure(e);
        }
        memcpy(r->distance + begin, e->distance + begin, (end - begin) * sizeof *e->distance);
        fold_accuracy(e, begin, end, &r->fold[k]);
        fold_val(e, begin, end, &r->fold[k]);
    }
}

/* Appends a sentence to the note. */
FN_PRINTF(2, 3)
static void say(struct fn_lfw_result *r, const char *fmt, ...)
{
    va_list args;
    size_t used = strlen(r->note);
    if (used && used + 2 < sizeof r->note)
        used += (size_t)snprintf(r->note + used, sizeof r->note - used, "; ");
    va_start(args, fmt);
    vsnprintf(r->note + used, sizeof r->note - used, fmt, args);
    va_end(args);
}

static void mean_std(const struct fn_lfw_fold *fold, int folds, size_t offset, double *mean,
                     double *std)
{
    double sum = 0, squares = 0;
    for (int k = 0; k < folds; k++)
        sum += *(const double *)((const char *)&fold[k] + offset);
    *mean = sum / folds;
    for (int k = 0; k < folds; k++) {
        double d = *(const double *)((const char *)&fold[k] + offset) - *mean;
        squares += d * d;
    }
    if (std)
        *std = sqrt(squares / folds);
}

/* Area under the curve by trapezoids, and the false positive rate where it equals the false
 * negative rate: the zero of 1 - x - tpr(x). */
static void roc_figures(struct fn_lfw_result *r)
{
    const double *x = r->fpr, *y = r->tpr;
    size_t last = FN_LFW_THRESHOLDS - 1, i = 0;
    r->auc = 0;
    for (size_t t = 1; t <= last; t++)
        r->auc += (x[t] - x[t - 1]) * (y[t] + y[t - 1]) / 2;
    r->eer = NAN;
    if (x[last] < 1 - 1e-12) {
        if (r->distance_max >= (double)last * ROC_STEP)
            say(r,
                "the AUC is that of a part of the curve and there is no EER: thresholds end at "
                "%.2f, "
                "distances reach %.2f, and the false positive rate only %.4f",
                (double)last * ROC_STEP, r->distance_max, x[last]);
        else
            say(r, "there is no EER: the false positive rate only reaches %.4f", x[last]);
        return;
    }
    while (i < last && 1 - x[i] - y[i] > 0)
        i++;
    double g1 = 1 - x[i] - y[i];
    if (i == 0 || x[i] == x[i - 1]) {
        r->eer = x[i];
    } else {
        double g0 = 1 - x[i - 1] - y[i - 1];
        r->eer = x[i - 1] + (x[i] - x[i - 1]) * g0 / (g0 - g1);
    }
}

static void sum_up(struct fn_lfw_result *r)
{
    for (size_t p = 0; p < r->pairs; p++)
        r->distance_max = fmax(r->distance_max, r->distance[p]);
    mean_std(r->fold, r->folds, offsetof(struct fn_lfw_fold, accuracy), &r->accuracy,
             &r->accuracy_std);
    mean_std(r->fold, r->folds, offsetof(struct fn_lfw_fold, val), &r->val, &r->val_std);
    mean_std(r->fold, r->folds, offsetof(struct fn_lfw_fold, far), &r->far, NULL);
    mean_std(r->fold, r->folds, offsetof(struct fn_lfw_fold, threshold), &r->threshold, NULL);
    for (int k = 0; k < r->folds; k++)
        if (isnan(r->fold[k].val) || isnan(r->fold[k].far)) {
            say(r, "there is no validation rate at a FAR: fold %d of %d has no %s pair", k + 1,
                r->folds, isnan(r->fold[k].val) ? "same" : "different");
            break;
        }
    roc_figures(r);
}

static int check(const float *embeddings, size_t dims, const struct fn_lfw *lfw,
                 const struct fn_lfw_options *options)
{
    if (options->metric != 0 && options->metric != 1)
        return fn_fail(FN_EUSAGE, "distance metric %d, there are 0 (Euclidean) and 1 (cosine)",
                       options->metric);
    if (options->folds < 2 || (size_t)options->folds > lfw->pairs)
        return fn_fail(FN_EUSAGE, "%d folds of %zu pairs: want at least 2, and not more than pairs",
                       options->folds, lfw->pairs);
    for (size_t i = 0; i < 2 * lfw->pairs; i++)
        for (size_t d = 0; d < dims; d++)
            if (!isfinite(embeddings[(size_t)lfw->pair[i] * dims + d]))
                return fn_fail(
                    FN_EFORMAT,
                    "the embedding of picture %u is not finite: the model's weights are bad",
                    lfw->pair[i]);
    return FN_OK;
}

int fn_lfw_evaluate(const float *embeddings, size_t dims, const struct fn_lfw *lfw,
                    const struct fn_lfw_options *options, struct fn_lfw_result *result)
{
    struct eval e = {embeddings, dims, lfw, options, NULL, NULL, NULL, NULL, NULL, result};
    memset(result, 0, sizeof *result);
    int rc = check(embeddings, dims, lfw, options);
    if (rc != FN_OK)
        return rc;
    size_t n = lfw->pairs, folds = (size_t)options->folds;
    result->pairs = n;
    result->folds = options->folds;
    result->fold = calloc(folds, sizeof *result->fold);
    result->distance = calloc(n, sizeof *result->distance);
    e.distance = calloc(n, sizeof *e.distance);
    e.fold_sum = calloc(folds, dims * sizeof *e.fold_sum);
    e.mean = calloc(dims, sizeof *e.mean);
    e.train = malloc(sizeof *e.train);
    e.test = malloc(sizeof *e.test);
    if (!result->fold || !result->distance || !e.distance || !e.fold_sum || !e.mean || !e.train ||
        !e.test) {
        rc = fn_fail(FN_ENOMEM, "no memory to evaluate %zu pairs", n);
        fn_lfw_result_free(result);
    } else {
        run_folds(&e);
        sum_up(result);
    }
    free(e.distance);
    free(e.fold_sum);
    free(e.mean);
    free(e.train);
    free(e.test);
    return rc;
}

void fn_lfw_result_free(struct fn_lfw_result *result)
{
    free(result->fold);
    free(result->distance);
    memset(result, 0, sizeof *result);
}
