/* SPDX-License-Identifier: MIT */
/* The evaluation of pairs: against the original's figures, against plain loops, on odd sets. */
#include "train/lfw.h"

#include <math.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/rng.h"
#include "tests/test.h"

static void near(const char *what, double have, double want, double tolerance)
{
    if (!(fabs(have - want) <= tolerance))
        fail_msg("%s: %.17g, want %.17g", what, have, want);
}

static void near_folds(const json_t *want, const char *key, const struct fn_lfw_result *r,
                       size_t offset)
{
    const json_t *array = json_object_get(want, key);
    assert_int_equal(json_array_size(array), r->folds);
    for (int k = 0; k < r->folds; k++)
        near(key, *(const double *)((const char *)&r->fold[k] + offset),
             json_number_value(json_array_get(array, (size_t)k)), 1e-9);
}

static double number(const json_t *obj, const char *key)
{
    double v = NAN;
    assert_ok(fn_json_real(obj, key, "golden", &v));
    return v;
}

static void golden_one(const json_t *want, const json_t *same, const float *emb, size_t dims)
{
    struct fn_lfw_options options = {.metric = (int)number(want, "distance_metric"),
                                     .subtract_mean =
                                         json_is_true(json_object_get(want, "subtract_mean")),
                                     .folds = (int)number(want, "nrof_folds")};
    size_t n = (size_t)number(want, "pairs");
    int ordered = json_object_get(want, "pair_order") != NULL;
    struct fn_lfw lfw = {.images = 2 * json_array_size(same), .pairs = n};
    struct fn_lfw_result r;
    lfw.pair = calloc(n, 2 * sizeof *lfw.pair);
    lfw.same = calloc(n, 1);
    for (size_t k = 0; k < n; k++) {
        size_t from = ordered ? 7 * k % 1200 : k;
        lfw.pair[2 * k] = (uint32_t)(2 * from);
        lfw.pair[2 * k + 1] = (uint32_t)(2 * from + 1);
        lfw.same[k] = json_integer_value(json_array_get(same, from)) != 0;
    }
    assert_ok(fn_lfw_evaluate(emb, dims, &lfw, &options, &r));
    near("accuracy", r.accuracy, number(want, "accuracy_mean"), 1e-9);
    near("accuracy_std", r.accuracy_std, number(want, "accuracy_std"), 1e-9);
    near("val", r.val, number(want, "val"), 1e-9);
    near("val_std", r.val_std, number(want, "val_std"), 1e-9);
    near("far", r.far, number(want, "far"), 1e-9);
    near("auc", r.auc, number(want, "auc"), 1e-9);
    near("eer", r.eer, number(want, "eer"), 1e-9);
    near("fpr_max", r.fpr[FN_LFW_THRESHOLDS - 1], number(want, "fpr_max"), 1e-9);
    near("tpr_max", r.tpr[FN_LFW_THRESHOLDS - 1], number(want, "tpr_max"), 1e-9);
    near_folds(want, "fold_accuracy", &r, offsetof(struct fn_lfw_fold, accuracy));
    near_folds(want, "fold_threshold", &r, offsetof(struct fn_lfw_fold, threshold));
    near_folds(want, "fold_val", &r, offsetof(struct fn_lfw_fold, val));
    near_folds(want, "fold_far", &r, offsetof(struct fn_lfw_fold, far));
    near_folds(want, "fold_val_threshold", &r, offsetof(struct fn_lfw_fold, val_threshold));
    assert_string_equal(r.note, "");
    fn_lfw_result_free(&r);
    free(lfw.pair);
    free(lfw.same);
}

static void golden(void **state)
{
    (void)state;
    need_data("golden/lfw-eval.json");
    json_t *root, *same, *results;
    struct fn_map map;
    assert_ok(fn_json_load(test_data("golden/lfw-eval.json"), 1 << 24, &root));
    assert_ok(fn_map_open(&map, test_data("golden/lfw-eval.bin")));
    size_t rows = (size_t)number(root, "rows"), dims = (size_t)number(root, "dims");
    assert_int_equal(map.bytes, rows * dims * sizeof(float));
    assert_ok(fn_json_member(root, "actual_issame", JSON_ARRAY, "golden", &same));
    assert_ok(fn_json_member(root, "results", JSON_ARRAY, "golden", &results));
    assert_int_equal(json_array_size(results), 6);
    for (size_t i = 0; i < json_array_size(results); i++)
        golden_one(json_array_get(results, i), same, (const float *)map.data, dims);
    fn_map_close(&map);
    json_decref(root);
}

/* What the golden figures would be by plain loops over every threshold and pair. */
struct plain {
    double accuracy[8], val[8], far[8], threshold[8], val_threshold[8], auc;
};

static double plain_distance(const float *a, const float *b, const double *mean, size_t dims,
                             int metric)
{
    double d2 = 0, ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < dims; i++) {
        double x = (double)a[i] - mean[i], y = (double)b[i] - mean[i];
        d2 += (x - y) * (x - y);
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    return metric == 0 ? d2 : acos(fmin(1, fmax(-1, ab / sqrt(aa) / sqrt(bb)))) / acos(-1.0);
}

static void plain_fold(const struct fn_lfw *lfw, const double *d, size_t begin, size_t end, int k,
                       int folds, struct plain *out, double *tpr, double *fpr)
{
    int best = -1;
    size_t best_right = 0;
    double far0 = 0;
    for (int t = 0; t < 400; t++) {
        size_t right = 0, n[2] = {0, 0}, in[2] = {0, 0}, fold_right = 0;
        for (size_t p = 0; p < lfw->pairs; p++) {
            int s = lfw->same[p], accept = d[p] < t * 0.01;
            if (p < begin || p >= end) {
                right += (size_t)(accept == s);
                continue;
            }
            n[s]++;
            in[s] += (size_t)accept;
            fold_right += (size_t)(accept == s);
        }
        tpr[t] += n[1] ? (double)in[1] / (double)n[1] / folds : 0;
        fpr[t] += n[0] ? (double)in[0] / (double)n[0] / folds : 0;
        if (best < 0 || right > best_right) {
            best = t;
            best_right = right;
            out->accuracy[k] = (double)fold_right / (double)(end - begin);
            out->threshold[k] = t * 0.01;
        }
    }
    out->val_threshold[k] = 0;
    for (int t = 0; t < 4000; t++) {
        size_t n = 0, in = 0;
        for (size_t p = 0; p < lfw->pairs; p++)
            if (!lfw->same[p] && (p < begin || p >= end)) {
                n++;
                in += d[p] < t * 0.001;
            }
        double far = (double)in / (double)n;
        if (far > 0.001) {
            out->val_threshold[k] = (t - 1) * 0.001 + (0.001 - far0) / (far - far0) * 0.001;
            break;
        }
        far0 = far;
    }
    size_t n[2] = {0, 0}, in[2] = {0, 0};
    for (size_t p = begin; p < end; p++) {
        n[lfw->same[p]]++;
        in[lfw->same[p]] += d[p] < out->val_threshold[k];
    }
    out->val[k] = n[1] ? (double)in[1] / (double)n[1] : NAN;
    out->far[k] = n[0] ? (double)in[0] / (double)n[0] : NAN;
}

static void plain_run(const float *emb, size_t dims, const struct fn_lfw *lfw,
                      const struct fn_lfw_options *o, struct plain *out)
{
    double *d = calloc(lfw->pairs, sizeof *d), *mean = calloc(dims, sizeof *mean);
    double tpr[400] = {0}, fpr[400] = {0};
    size_t begin = 0;
    for (int k = 0; k < o->folds; k++) {
        size_t n = lfw->pairs, f = (size_t)o->folds;
        size_t end = begin + n / f + ((size_t)k < n % f);
        memset(mean, 0, dims * sizeof *mean);
        for (size_t i = 0; i < 2 * n && o->subtract_mean; i++)
            for (size_t j = 0; j < dims && (i / 2 < begin || i / 2 >= end); j++)
                mean[j] += (double)emb[lfw->pair[i] * dims + j] / (double)(2 * (n - (end - begin)));
        for (size_t p = 0; p < n; p++)
            d[p] = plain_distance(emb + lfw->pair[2 * p] * dims, emb + lfw->pair[2 * p + 1] * dims,
                                  mean, dims, o->metric);
        plain_fold(lfw, d, begin, end, k, o->folds, out, tpr, fpr);
        begin = end;
    }
    out->auc = 0;
    for (int t = 1; t < 400; t++)
        out->auc += (fpr[t] - fpr[t - 1]) * (tpr[t] + tpr[t - 1]) / 2;
    free(d);
    free(mean);
}

static void same_or_nan(const char *what, double a, double b)
{
    if (!(isnan(a) && isnan(b)))
        near(what, a, b, 1e-12);
}

/* Random sets of uneven folds, small numbers so that distances fall on thresholds too. */
static void plain_loops(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < 24; round++) {
        enum { IMAGES = 50, DIMS = 5, PAIRS = 61 };
        float emb[IMAGES * DIMS];
        uint32_t pair[PAIRS * 2];
        uint8_t same[PAIRS];
        struct fn_lfw lfw = {.images = IMAGES, .pairs = PAIRS, .pair = pair, .same = same};
        struct fn_lfw_options o = {(int)(round & 1), (int)(round >> 1 & 1), 2 + (int)(round % 6)};
        for (size_t i = 0; i < IMAGES * DIMS; i++)
            emb[i] = (float)((int)fn_rng_below(fn_rng(round, i, 0, 1), 9) - 4) * 0.1f + 0.05f;
        for (size_t i = 0; i < 2 * PAIRS; i++)
            pair[i] = (uint32_t)fn_rng_below(fn_rng(round, i, 1, 1), IMAGES);
        for (size_t i = 0; i < PAIRS; i++)
            same[i] = fn_rng(round, i, 2, 1) & 1;
        struct fn_lfw_result r;
        struct plain want = {0};
        assert_ok(fn_lfw_evaluate(emb, DIMS, &lfw, &o, &r));
        plain_run(emb, DIMS, &lfw, &o, &want);
        for (int k = 0; k < o.folds; k++) {
            same_or_nan("accuracy", r.fold[k].accuracy, want.accuracy[k]);
            same_or_nan("threshold", r.fold[k].threshold, want.threshold[k]);
            same_or_nan("val", r.fold[k].val, want.val[k]);
            same_or_nan("far", r.fold[k].far, want.far[k]);
            near("val threshold", r.fold[k].val_threshold, want.val_threshold[k], 1e-9);
        }
        near("auc", r.auc, want.auc, 1e-12);
        fn_lfw_result_free(&r);
    }
}

/* One-dimensional embeddings whose distances are exact: "same" is strictly below the threshold. */
static void strict(void **state)
{
    (void)state;
    static const float emb[] = {0, 0.5f, 1.0f};
    uint32_t pair[] = {0, 1, 1, 2, 0, 1, 0, 2, 0, 2, 0, 2};
    uint8_t same[] = {1, 1, 1, 0, 0, 0};
    struct fn_lfw lfw = {.images = 3, .pairs = 6, .pair = pair, .same = same};
    struct fn_lfw_options o = {0, 0, 2};
    struct fn_lfw_result r;
    assert_ok(fn_lfw_evaluate(emb, 1, &lfw, &o, &r));
    /* Fold 0: all same, 0.25; trained on all different, 1.0: threshold 0 has the best accuracy. */
    assert_true(r.fold[0].threshold == 0 && r.fold[0].accuracy == 0);
    /* Fold 1: trained on 0.25: the first threshold above it is 0.26; 1.0 is then rejected. */
    assert_true(r.fold[1].threshold == 26 * 0.01 && r.fold[1].accuracy == 1);
    assert_true(isnan(r.val) && isnan(r.far) && isnan(r.fold[0].far) && isnan(r.fold[1].val));
    assert_non_null(strstr(r.note, "fold 1 of 2 has no different pair"));
    assert_true(r.distance_max == 1);
    fn_lfw_result_free(&r);
}

/* Concatenated flips with squared distances: the curve ends before 1. */
static void beyond_thresholds(void **state)
{
    (void)state;
    static const float emb[] = {1, 1, -1, -1, 1, 0.9f};
    uint32_t pair[] = {0, 2, 0, 1, 0, 2, 0, 1};
    uint8_t same[] = {1, 0, 1, 0};
    struct fn_lfw lfw = {.images = 3, .pairs = 4, .pair = pair, .same = same};
    struct fn_lfw_options o = {0, 0, 2};
    struct fn_lfw_result r;
    assert_ok(fn_lfw_evaluate(emb, 2, &lfw, &o, &r));
    assert_true(r.accuracy == 1 && r.distance_max == 8 && r.auc == 0 && isnan(r.eer));
    assert_true(r.val == 0); /* a FAR of 1e-3 is never reached: threshold 0 */
    assert_non_null(strstr(r.note, "distances reach 8.00"));
    fn_lfw_result_free(&r);
}

static void misuse(void **state)
{
    (void)state;
    static float emb[] = {0, 1, 2};
    uint32_t pair[] = {0, 1, 1, 2};
    uint8_t same[] = {1, 0};
    struct fn_lfw lfw = {.images = 3, .pairs = 2, .pair = pair, .same = same};
    struct fn_lfw_options o = {0, 0, 3};
    struct fn_lfw_result r;
    assert_int_equal(fn_lfw_evaluate(emb, 1, &lfw, &o, &r), FN_EUSAGE);
    o.folds = 1;
    assert_int_equal(fn_lfw_evaluate(emb, 1, &lfw, &o, &r), FN_EUSAGE);
    o.folds = 2;
    o.metric = 2;
    assert_int_equal(fn_lfw_evaluate(emb, 1, &lfw, &o, &r), FN_EUSAGE);
    o.metric = 1;
    assert_ok(
        fn_lfw_evaluate(emb, 1, &lfw, &o, &r)); /* an embedding of zeros is at a right angle */
    assert_true(fabs(r.distance[0] - 0.5) < 1e-15 && r.distance[1] == 0);
    fn_lfw_result_free(&r);
    emb[1] = NAN;
    assert_int_equal(fn_lfw_evaluate(emb, 1, &lfw, &o, &r), FN_EFORMAT);
    assert_null(r.fold);
}

static void speed(void **state)
{
    (void)state;
    enum { PAIRS = 6000, DIMS = 1024 };
    float *emb = calloc(2 * PAIRS, DIMS * sizeof *emb);
    uint32_t *pair = calloc(PAIRS, 2 * sizeof *pair);
    uint8_t *same = calloc(PAIRS, 1);
    struct fn_lfw lfw = {.images = 2 * PAIRS, .pairs = PAIRS, .pair = pair, .same = same};
    struct fn_lfw_options o = {1, 1, 10};
    struct fn_lfw_result r;
    for (size_t i = 0; i < (size_t)2 * PAIRS * DIMS; i++)
        emb[i] = (float)fn_rng_unit(fn_rng(1, i, 0, 1)) - 0.5f;
    for (uint32_t i = 0; i < 2 * PAIRS; i++) {
        pair[i] = i;
        same[i / 2] = i / 600 % 2 == 0;
    }
    double t = fn_now();
    assert_ok(fn_lfw_evaluate(emb, DIMS, &lfw, &o, &r));
    printf("6,000 pairs of 1,024 numbers, 10 folds, mean subtracted: %.3f s\n", fn_now() - t);
    fn_lfw_result_free(&r);
    free(emb);
    free(pair);
    free(same);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden), cmocka_unit_test(plain_loops),
        cmocka_unit_test(strict), cmocka_unit_test(beyond_thresholds),
        cmocka_unit_test(misuse), cmocka_unit_test(speed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
