/* SPDX-License-Identifier: MIT */
/* Triplets: sampling of a group, and selection against plain loops over all rows. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "tests/test.h"
#include "train/triplet_sample.h"
#include "train/triplet_select.h"

/* ---- sampling ------------------------------------------------------------------------------- */
enum { CLASSES = 7 };
static const uint64_t sizes[CLASSES] = {5, 1, 12, 3, 0, 9, 4}; /* 34 images */

/* Picture ids are 1000 x class + number. */
static void make_split(struct fn_split *s, struct fn_split_class *kept, uint64_t *ids,
                       int32_t *labels)
{
    memset(s, 0, sizeof *s);
    s->classes = CLASSES;
    s->kept = kept;
    s->train.ids = ids;
    s->train.labels = labels;
    for (uint32_t c = 0; c < CLASSES; c++) {
        kept[c] = (struct fn_split_class){c, s->train.count, sizes[c], 0};
        for (uint64_t i = 0; i < sizes[c]; i++) {
            ids[s->train.count] = 1000 * c + i;
            labels[s->train.count++] = (int32_t)c;
        }
    }
}

static void check_group(const struct fn_triplet_sampler *s)
{
    int seen[CLASSES] = {0};
    assert_true(s->classes >= s->people);
    assert_int_equal(s->first[0], 0);
    assert_int_equal(s->first[s->classes], s->count);
    for (size_t c = 0; c < s->classes; c++) {
        size_t first = s->first[c], n = s->first[c + 1] - first;
        int32_t label = s->rows.labels[first];
        size_t want = sizes[label] < s->images ? (size_t)sizes[label] : s->images;
        assert_false(seen[label]++);
        assert_true(n == want || (c + 1 == s->classes && n < want && n > 0));
        for (size_t i = first; i < first + n; i++) {
            assert_int_equal(s->rows.labels[i], label);
            assert_int_equal(s->rows.ids[i] / 1000, (uint64_t)label);
            for (size_t j = first; j < i; j++)
                assert_true(s->rows.ids[i] != s->rows.ids[j]);
        }
    }
}

static void test_groups(void **state)
{
    struct fn_split_class kept[CLASSES];
    uint64_t ids[64], before[15];
    int32_t labels[64];
    unsigned first_class[CLASSES] = {0}, drawn[12] = {0};
    struct fn_triplet_sampler *s = NULL;
    struct fn_split split;
    (void)state;
    make_split(&split, kept, ids, labels);
    assert_ok(fn_triplet_sampler_open(&s, &split, 3, 5, 77));
    for (uint64_t g = 0; g < 6000; g++) {
        fn_triplet_sample(s, g);
        check_group(s);
        first_class[s->rows.labels[0]]++;
        for (size_t i = 0; i < s->count; i++)
            if (s->rows.labels[i] == 2)
                drawn[s->rows.ids[i] - 2000]++;
    }
    for (int c = 0; c < CLASSES; c++) /* an empty class is passed over: the next one is first */
        if (sizes[c])
            assert_true(first_class[c] > 900 && first_class[c] < 1100);
    for (int i = 1; i < 12; i++) /* any image of a class as often as any other */
        assert_true(fabs((double)drawn[i] / drawn[0] - 1) < 0.12);
    fn_triplet_sample(s, 5);
    memcpy(before, s->rows.ids, sizeof before);
    fn_triplet_sample(s, 9);
    assert_true(memcmp(before, s->rows.ids, sizeof before) != 0);
    fn_triplet_sample(s, 5); /* whatever was sampled in between */
    assert_memory_equal(before, s->rows.ids, sizeof before);
    fn_triplet_sampler_close(&s);
    fn_triplet_sampler_close(&s);
}

static void test_too_small(void **state)
{
    struct fn_split_class kept[CLASSES];
    uint64_t ids[64];
    int32_t labels[64];
    struct fn_triplet_sampler *s = NULL;
    struct fn_split split;
    (void)state;
    make_split(&split, kept, ids, labels);
    assert_int_equal(fn_triplet_sampler_open(&s, &split, 4, 5, 1), FN_EUSAGE);
    assert_non_null(strstr(fn_err_text(FN_EUSAGE), "is 20: it must be divisible by 3"));
    assert_int_equal(fn_triplet_sampler_open(&s, &split, 0, 3, 1), FN_EUSAGE);
    assert_int_equal(fn_triplet_sampler_open(&s, &split, 1000000000, 1000000000, 1), FN_EUSAGE);
    /* 5 + 1 + 5 + 3 + 5 + 4 = 23 of at most 5 a class: 20 fit, 25 do not */
    assert_int_equal(fn_triplet_sampler_open(&s, &split, 6, 5, 1), FN_ELIMIT);
    assert_non_null(strstr(fn_err_text(FN_ELIMIT), "7 classes have 23"));
    assert_null(s);
    assert_ok(fn_triplet_sampler_open(&s, &split, 9, 2, 1) == FN_ELIMIT ? FN_OK : FN_EINTERNAL);
    split.classes = 1;
    assert_int_equal(fn_triplet_sampler_open(&s, &split, 1, 3, 1), FN_ELIMIT);
    assert_non_null(strstr(fn_err_text(FN_ELIMIT), "two people"));
}

/* What stands in for a bad picture is of its class, and the same in every pass. */
static void test_stand_ins(void **state)
{
    struct fn_split_class kept[CLASSES];
    uint64_t ids[64];
    int32_t labels[64];
    const int32_t which[] = {14, 3, 3, 0, 7, 2};
    struct fn_triplet_sampler *s = NULL;
    struct fn_split split;
    (void)state;
    make_split(&split, kept, ids, labels);
    assert_ok(fn_triplet_sampler_open(&s, &split, 3, 5, 77));
    fn_triplet_sample(s, 0);
    struct fn_group_list all = {s, NULL, s->count, 0}, some = {s, which, 6, 1};
    struct fn_order a = fn_group_order(&all), b = fn_group_order(&some);
    assert_int_equal(a.total, 15);
    assert_int_equal(b.total, 6);
    for (uint64_t d = 0; d < 6; d++) {
        struct fn_example x, y;
        a.at(a.context, (uint64_t)which[d], &x);
        b.at(b.context, d, &y);
        assert_true(x.id == y.id && x.label == y.label);
        assert_true(y.pass == 1 && y.position == d);
        for (uint64_t t = 1; t <= 40; t++) {
            a.stand_in(a.context, (uint64_t)which[d], t, &x);
            b.stand_in(b.context, d, t, &y);
            assert_true(x.id == y.id && x.label == y.label && y.position == d);
            if (t <= FN_STAND_INS_OF_CLASS)
                assert_int_equal(x.label, s->rows.labels[which[d]]);
        }
    }
    fn_triplet_sampler_close(&s);
}

/* ---- selection ------------------------------------------------------------------------------ */
enum { MOST = 40 };

/* The rule as it is told: all a, all p, all n. */
static size_t plain(const float *d2, const int *class_of, const uint8_t *omit, size_t count,
                    const struct fn_select_options *o, int32_t (*out)[3], uint64_t *pairs)
{
    size_t found = 0;
    *pairs = 0;
    for (size_t a = 0; a < count; a++)
        for (size_t p = a + 1; p < count; p++) {
            size_t candidates[MOST], n_candidates = 0;
            if (class_of[a] != class_of[p] || omit[a] || omit[p] ||
                (o->rule == FN_SELECT_ORIGINAL && class_of[a] >= (int)o->people))
                continue;
            for (size_t n = 0; n < count; n++) {
                double ap = d2[a * count + p], an = d2[a * count + n];
                int is = class_of[n] != class_of[a] && !omit[n] && an - ap < o->alpha;
                if (o->rule == FN_SELECT_SEMI_HARD)
                    is = is && an > ap;
                if (is)
                    candidates[n_candidates++] = n;
            }
            if (n_candidates) {
                size_t best =
                    fn_rng_below(fn_rng(o->seed, o->group, *pairs, FN_RNG_NEGATIVE), n_candidates);
                if (o->rule == FN_SELECT_HARD) {
                    best = 0;
                    for (size_t i = 1; i < n_candidates; i++)
                        if (d2[a * count + candidates[i]] < d2[a * count + candidates[best]])
                            best = i;
                }
                out[found][0] = (int32_t)a;
                out[found][1] = (int32_t)p;
                out[found++][2] = (int32_t)candidates[best];
            }
            ++*pairs;
        }
    for (size_t i = found; i > 1; i--) {
        size_t j = fn_rng_below(fn_rng(o->seed, o->group, i - 1, FN_RNG_TRIPLETS), i);
        int32_t t[3];
        memcpy(t, out[j], sizeof t);
        memcpy(out[j], out[i - 1], sizeof t);
        memcpy(out[i - 1], t, sizeof t);
    }
    return found;
}

static double draw(uint64_t a, uint64_t b)
{
    return fn_rng_unit(fn_rng(42, a, b, FN_RNG_SAMPLE));
}

/* A random group: classes of 1 to 6 rows around centers, so that all kinds of negatives exist. */
static void compare_one(uint64_t trial, uint64_t *triplets)
{
    static float e[MOST][3], d2[MOST * MOST];
    static int32_t want[MOST * MOST][3];
    int class_of[MOST];
    uint8_t omit[MOST];
    size_t first[MOST + 1], classes = 0, count = 0, found;
    size_t total = 5 + (size_t)(draw(trial, 0) * 30);
    uint64_t pairs;
    while (count < total) {
        size_t n = 1 + (size_t)(draw(trial, 100 + classes) * 6);
        first[classes] = count;
        for (size_t i = 0; i < n && count < total; i++, count++) {
            class_of[count] = (int)classes;
            omit[count] = trial % 3 == 0 && draw(trial, 200 + count) < 0.1;
            for (size_t k = 0; k < 3; k++)
                e[count][k] = (float)(draw(trial, 300 + 3 * classes + k) +
                                      0.6 * draw(trial, 1000 + 3 * count + k));
        }
        classes++;
    }
    first[classes] = count;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++) {
            float s = 0;
            for (size_t k = 0; k < 3; k++)
                s += (e[i][k] - e[j][k]) * (e[i][k] - e[j][k]);
            d2[i * count + j] = trial % 5 ? s : floorf(s * 8) / 8; /* with many equals */
        }
    for (int rule = 0; rule < FN_SELECT_COUNT; rule++) {
        const struct fn_select_group group = {d2, count, classes, first, omit};
        const struct fn_select_options o = {rule, 0.2, 9, trial, classes > 2 ? classes - 2 : 1};
        struct fn_selected s;
        found = plain(d2, class_of, omit, count, &o, want, &pairs);
        assert_ok(fn_triplet_select(&group, &o, &s));
        assert_int_equal(s.pairs, pairs);
        assert_int_equal(s.triplets, found);
        if (found)
            assert_memory_equal(s.rows, want, found * sizeof *want);
        triplets[rule] += found;
        free(s.rows);
    }
}

static void test_plain_loops(void **state)
{
    uint64_t triplets[FN_SELECT_COUNT] = {0};
    (void)state;
    for (uint64_t trial = 0; trial < 400; trial++)
        compare_one(trial, triplets);
    for (int i = 0; i < FN_SELECT_COUNT; i++) {
        printf("  %s: %llu triplets equal\n", fn_selection_names[i],
               (unsigned long long)triplets[i]);
        assert_true(triplets[i] > 1000);
    }
    assert_true(triplets[FN_SELECT_ORIGINAL] < triplets[FN_SELECT_VGG]);
    assert_true(triplets[FN_SELECT_SEMI_HARD] < triplets[FN_SELECT_VGG]);
    assert_true(triplets[FN_SELECT_HARD] == triplets[FN_SELECT_VGG]);
}

/* Four rows on a line at 0, 1 | 1.05, 9: who is near whom is seen by eye. */
static void test_by_hand(void **state)
{
    const double at[4] = {0, 1, 1.05, 9};
    const size_t first[] = {0, 2, 4};
    float d2[16];
    struct fn_select_group group = {d2, 4, 2, first, NULL};
    struct fn_select_options o = {FN_SELECT_ORIGINAL, 0.2, 1, 0, 1};
    struct fn_selected s;
    (void)state;
    for (int i = 0; i < 16; i++)
        d2[i] = (float)((at[i / 4] - at[i % 4]) * (at[i / 4] - at[i % 4]));
    /* pair (0, 1): d = 1; row 2 at 1.1025 is within 0.2 and farther, row 3 at 81 is not */
    assert_ok(fn_triplet_select(&group, &o, &s));
    assert_true(s.pairs == 1 && s.triplets == 1);
    assert_true(s.rows[0] == 0 && s.rows[1] == 1 && s.rows[2] == 2);
    assert_true(fabs(s.mean_distance - (1 + 1.1025 + 81 + 0.0025 + 64 + 63.2025) / 6) < 1e-5);
    free(s.rows);
    o.rule = FN_SELECT_VGG; /* and pair (2, 3): d = 63; rows 0 and 1 are both nearer */
    assert_ok(fn_triplet_select(&group, &o, &s));
    assert_true(s.pairs == 2 && s.triplets == 2);
    free(s.rows);
    o.rule = FN_SELECT_SEMI_HARD;
    assert_ok(fn_triplet_select(&group, &o, &s));
    assert_true(s.pairs == 2 && s.triplets == 1 && s.rows[2] == 2);
    free(s.rows);
    o.rule = FN_SELECT_ORIGINAL;
    o.alpha = 0.1; /* 1.1025 - 1 is outside */
    assert_ok(fn_triplet_select(&group, &o, &s));
    assert_true(s.pairs == 1 && s.triplets == 0 && !s.rows);
    d2[9] = NAN;
    assert_ok(fn_triplet_select(&group, &o, &s));
    assert_true(s.not_finite == 1 && s.triplets == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups),    cmocka_unit_test(test_too_small),
        cmocka_unit_test(test_stand_ins), cmocka_unit_test(test_plain_loops),
        cmocka_unit_test(test_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
