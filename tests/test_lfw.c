/* SPDX-License-Identifier: MIT */
/* Pairs and their evaluation: against the original's figures, against plain loops, on odd sets. */
#include "train/lfw.h"

#include <math.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/rng.h"
#include "tests/make_store.h"

static struct fn_pairs *parse(const char *text)
{
    struct fn_pairs *p;
    assert_ok(fn_pairs_parse(&p, text, strlen(text), "pairs.txt"));
    return p;
}

static void check_pair(const struct fn_pairs *p, size_t i, const char *a, uint32_t na,
                       const char *b, uint32_t nb, int same)
{
    assert_true(i < p->count);
    assert_string_equal(p->pair[i].name[0], a);
    assert_string_equal(p->pair[i].name[1], b);
    assert_int_equal(p->pair[i].number[0], na);
    assert_int_equal(p->pair[i].number[1], nb);
    assert_int_equal(p->pair[i].same, same);
}

static void lines(void **state)
{
    (void)state;
    struct fn_pairs *p =
        parse("10\t300\nA_B\t1\t4\r\n\nC 0002 D\t17  \n  E\t1\tE\t2\nF G\t1\tH I\t2");
    assert_int_equal(p->count, 4);
    check_pair(p, 0, "A_B", 1, "A_B", 4, 1);
    check_pair(p, 1, "C", 2, "D", 17, 0);
    check_pair(p, 2, "E", 1, "E", 2, 0); /* written with two names: a different pair */
    check_pair(p, 3, "F G", 1, "H I", 2, 0);
    assert_int_equal(p->pair[1].line, 4);
    fn_pairs_close(&p);
    fn_pairs_close(&p);
    p = parse("A 1 2\nB 1 2\n"); /* no header */
    assert_int_equal(p->count, 2);
    fn_pairs_close(&p);
    p = parse("10 300 300\nB 1 2\n"); /* a header of three numbers is no pair */
    assert_int_equal(p->count, 1);
    fn_pairs_close(&p);
    p = parse("words\n12 1 2\n"); /* but a person may be called 12 */
    check_pair(p, 0, "12", 1, "12", 2, 1);
    fn_pairs_close(&p);
}

static void bad_lines(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
        size_t bytes;
    } bad[] = {
        {"", "pairs.txt: not one pair", 0},
        {"10 300\n\n", "pairs.txt: not one pair", 0},
        {"1\nA 1\n", "pairs.txt:2: 2 words", 0},
        {"1\nA 1 2\nA 1 B 2 C\n", "pairs.txt:3: 5 words", 0},
        {"1\nA 1 B 2 C 3 D 4\n", "pairs.txt:2: 8 words", 0},
        {"1\nA x 2\n", "pairs.txt:2: 'x' is not the number", 0},
        {"1\nA 1 -2\n", "pairs.txt:2: '-2' is not the number", 0},
        {"1\nA 1 B 1234567890\n", "pairs.txt:2: '1234567890' is not the number", 0},
        {"1\nA/../B 1 2\n", "pairs.txt:2: the name of person 1", 0},
        {"1\nA 1 .. 2\n", "pairs.txt:2: the name of person 2", 0},
        {"1\nA\0B 1 2\n", "pairs.txt:2: the name of person 1", 10},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fn_pairs *p = (void *)&bad;
        size_t bytes = bad[i].bytes ? bad[i].bytes : strlen(bad[i].text);
        int rc = fn_pairs_parse(&p, bad[i].text, bytes, "pairs.txt");
        assert_null(p);
        if (rc != FN_EFORMAT || !strstr(fn_err_text(rc), bad[i].says))
            fail_msg("'%s' gives %d '%s', want '%s'", bad[i].text, rc, fn_err_text(rc),
                     bad[i].says);
    }
}

static void touch(const char *root, const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", root, folder);
    assert_ok(fn_mkdir_p(path));
    snprintf(path, sizeof path, "%s/%s/%s", root, folder, name);
    assert_ok(fn_file_write(path, "x", 1));
}

static void tree(void **state)
{
    (void)state;
    char *dir = test_folder(), *list = fn_path_join(dir, "boxes.txt");
    struct fn_lfw *lfw;
    struct fn_boxes *boxes;
    touch(dir, "A", "A_0001.jpg");
    touch(dir, "A", "A_0001.png");
    touch(dir, "A", "A_0002.png");
    touch(dir, "B", "B_0001.jpg");
    touch(dir, "B", "B_12345.jpg");
    struct fn_pairs *p = parse("1 5\nA 1 2\nA 1 B 1\nA 3 B 1\nC 1 2\nB 12345 A 2\nA 3 4\n");
    assert_ok(fn_lfw_from_tree(&lfw, p, dir, NULL));
    assert_int_equal(lfw->images, 4);
    assert_string_equal(lfw->paths[0], "A/A_0001.jpg"); /* .jpg before .png */
    assert_string_equal(lfw->paths[1], "A/A_0002.png");
    assert_string_equal(lfw->paths[2], "B/B_0001.jpg");
    assert_string_equal(lfw->paths[3], "B/B_12345.jpg");
    assert_int_equal(lfw->pairs, 3);
    assert_int_equal(lfw->skipped, 3);
    assert_int_equal(lfw->missing, 4);
    assert_string_equal(lfw->first_missing[0], "A/A_0003.jpg");
    assert_string_equal(lfw->first_missing[2], "C/C_0002.jpg");
    static const uint32_t want[] = {0, 1, 0, 2, 3, 1};
    assert_memory_equal(lfw->pair, want, sizeof want);
    assert_memory_equal(lfw->same, "\1\0\0", 3);
    assert_ok(fn_lfw_drop(lfw, (const uint8_t *)"\0\0\1\0")); /* B_0001 cannot be read */
    assert_int_equal(lfw->pairs, 2);
    assert_int_equal(lfw->skipped, 4);
    assert_int_equal(fn_lfw_drop(lfw, (const uint8_t *)"\0\1\0\0"), FN_ENOENT);
    fn_lfw_close(&lfw);
    fn_lfw_close(&lfw);
    /* A picture without a face in the boxes file is as good as missing. */
    const char *text = "A/A_0001.png 1 1 5 5\nA/A_0002.png 1 1 5 5\nB/B_0001.png\n";
    assert_ok(fn_file_write(list, text, strlen(text)));
    assert_ok(fn_boxes_open(&boxes, list));
    assert_ok(fn_lfw_from_tree(&lfw, p, dir, boxes));
    assert_int_equal(lfw->pairs, 1);
    assert_int_equal(lfw->skipped, 5);
    fn_lfw_close(&lfw);
    fn_boxes_close(&boxes);
    fn_pairs_close(&p);
    p = parse("1 1\nX 1 2\n");
    assert_int_equal(fn_lfw_from_tree(&lfw, p, dir, NULL), FN_ENOENT);
    assert_non_null(strstr(fn_err_text(FN_ENOENT), "the first missing is X/X_0001.jpg"));
    assert_null(lfw);
    assert_ok(fn_remove_tree(dir));
    assert_int_equal(fn_lfw_from_tree(&lfw, p, dir, NULL), FN_ENOENT);
    fn_pairs_close(&p);
    free(list);
    free(dir);
}

static void store(void **state)
{
    (void)state;
    static const int images[] = {3, 1};
    char *dir = test_folder(), *path = fn_path_join(dir, "db");
    struct fn_store *db;
    struct fn_lfw *lfw;
    make_store(&(struct make_store){path, images, 2, 8, 8, FN_CODEC_RAW, 0});
    assert_ok(fn_store_open(&db, path));
    struct fn_pairs *p = parse("1 4\nperson000 3 1\nperson000 1 person001 1\nperson001 1 2\n"
                               "nobody 1 2\nperson000 2 3\n");
    assert_ok(fn_lfw_from_store(&lfw, p, db));
    assert_true(lfw->images == 4 && lfw->pairs == 3 && lfw->skipped == 2 && lfw->missing == 3);
    static const uint32_t want[] = {0, 1, 1, 2, 3, 0};
    assert_memory_equal(lfw->pair, want, sizeof want);
    for (size_t i = 0; i < 4; i++) {
        static const char *const names[] = {"person000_0003", "person000_0001", "person001_0001",
                                            "person000_0002"};
        struct fn_reader *reader;
        struct fn_record rec;
        assert_ok(fn_reader_open(&reader, db));
        assert_ok(fn_reader_get(reader, lfw->ids[i], &rec));
        assert_true(rec.name_bytes == 14 && memcmp(rec.name, names[i], 14) == 0);
        fn_reader_close(&reader);
    }
    assert_string_equal(lfw->first_missing[0], "person001/person001_0002");
    fn_lfw_close(&lfw);
    fn_pairs_close(&p);
    p = parse("1 1\nX 1 2\n");
    assert_int_equal(fn_lfw_from_store(&lfw, p, db), FN_ENOENT);
    assert_non_null(strstr(fn_err_text(FN_ENOENT), "the first missing is X/X_0001"));
    fn_pairs_close(&p);
    fn_store_close(&db);
    assert_ok(fn_remove_tree(dir));
    free(path);
    free(dir);
}

/* ---- evaluation ---- */

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
        cmocka_unit_test(lines),  cmocka_unit_test(bad_lines),
        cmocka_unit_test(tree),   cmocka_unit_test(store),
        cmocka_unit_test(golden), cmocka_unit_test(plain_loops),
        cmocka_unit_test(strict), cmocka_unit_test(beyond_thresholds),
        cmocka_unit_test(misuse), cmocka_unit_test(speed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
