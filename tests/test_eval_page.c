/* SPDX-License-Identifier: MIT */
/* What the page of an evaluation draws, against the obvious loops. */
#include <math.h>

#include "base/rng.h"
#include "tests/test.h"
#include "train/eval_page.h"

enum { PAIRS = 700, MANY = 60000 };

static double draw(uint64_t seed, uint64_t i)
{
    return (double)fn_rng_below(fn_rng(seed, i, 0, FN_RNG_SAMPLE), 1000) / 1000;
}

static void make(uint64_t seed, size_t pairs, double apart, double *distance, uint8_t *same)
{
    for (size_t i = 0; i < pairs; i++) {
        same[i] = draw(seed + 1, i) < 0.4;
        distance[i] = draw(seed, i) + (same[i] ? 0 : apart); /* in thousandths: many are equal */
    }
}

/* The area under the curve is the share of (same, different) that are in order, half for ties. */
static double area_by_pairs(const double *distance, const uint8_t *same, size_t pairs)
{
    double right = 0, all = 0;
    for (size_t i = 0; i < pairs; i++)
        for (size_t k = 0; k < pairs; k++)
            if (same[i] && !same[k]) {
                right += distance[i] < distance[k] ? 1 : distance[i] == distance[k] ? 0.5 : 0;
                all++;
            }
    return right / all;
}

static double area_of(const double *far, const double *tar, size_t n)
{
    double area = 0;
    for (size_t i = 1; i < n; i++) {
        assert_true(far[i] >= far[i - 1] && tar[i] >= tar[i - 1]);
        area += (far[i] - far[i - 1]) * (tar[i] + tar[i - 1]) / 2;
    }
    assert_true(far[0] == 0 && tar[0] == 0 && far[n - 1] == 1 && tar[n - 1] == 1);
    return area;
}

static void test_roc(void **state)
{
    static double distance[MANY], far[FN_ROC_POINTS], tar[FN_ROC_POINTS];
    static uint8_t same[MANY];
    size_t n_same, n_diff, n;
    (void)state;
    for (int k = 0; k < 5; k++) {
        make((uint64_t)k * 10, PAIRS, k * 0.3, distance, same);
        n = fn_eval_roc(distance, same, PAIRS, far, tar, &n_same, &n_diff);
        assert_int_equal(n_same + n_diff, PAIRS);
        /* Where a step goes up and then along, the corner is a point; with ties it is a slope. */
        double area = area_of(far, tar, n), truth = area_by_pairs(distance, same, PAIRS);
        if (fabs(area - truth) > 0.002)
            fail_msg("area %.6f, want %.6f", area, truth);
    }
    for (size_t i = 0; i < MANY; i++) { /* no ties: more corners than points */
        same[i] = i % 2;
        distance[i] = draw(77, i) + (double)i * 1e-9;
    }
    n = fn_eval_roc(distance, same, MANY, far, tar, &n_same, &n_diff);
    assert_in_range(n, FN_ROC_POINTS / 2, FN_ROC_POINTS);
    assert_true(fabs(area_of(far, tar, n) - 0.5) < 0.01);
    assert_true(far[1] <= 2.0 / MANY); /* the first false accepts are all there */
    for (size_t i = 0; i < 40; i++) {  /* one distance, or two: no threshold lies within it */
        same[i] = i < 15;
        distance[i] = 0.5;
    }
    assert_int_equal(fn_eval_roc(distance, same, 40, far, tar, &n_same, &n_diff), 2);
    assert_true(area_of(far, tar, 2) == 0.5);
    distance[0] = distance[20] = 0.25;
    assert_int_equal(fn_eval_roc(distance, same, 40, far, tar, &n_same, &n_diff), 3);
    assert_true(fabs(far[1] - 1 / 25.0) < 1e-12 && fabs(tar[1] - 1 / 15.0) < 1e-12);
    memset(same, 1, sizeof same);
    assert_int_equal(fn_eval_roc(distance, same, 10, far, tar, &n_same, &n_diff), 1);
    assert_int_equal(n_diff, 0);
}

static void test_hardest(void **state)
{
    static double distance[PAIRS];
    static uint8_t same[PAIRS];
    uint32_t list[20];
    (void)state;
    make(5, PAIRS, 0.4, distance, same);
    for (int kind = 0; kind < 2; kind++) {
        size_t n = fn_eval_hardest(distance, same, PAIRS, kind, 20, list);
        assert_int_equal(n, 20);
        for (size_t i = 0; i < n; i++) {
            size_t harder = 0;
            assert_int_equal(same[list[i]], kind);
            for (uint32_t p = 0; p < PAIRS; p++) {
                double more =
                    kind ? distance[p] - distance[list[i]] : distance[list[i]] - distance[p];
                harder += same[p] == kind && (more > 0 || (more == 0 && p < list[i]));
            }
            assert_int_equal(harder, i);
        }
    }
    memset(same, 0, sizeof same);
    assert_int_equal(fn_eval_hardest(distance, same, PAIRS, 1, 20, list), 0);
    assert_int_equal(fn_eval_hardest(distance, same, 7, 0, 20, list), 7);
}

/* The first n mod K folds have one more. */
static void test_fold_of(void **state)
{
    static const int shapes[][2] = {{10, 10}, {6000, 10}, {17, 4}, {103, 7}, {5, 2}, {999, 998}};
    (void)state;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        int n = shapes[s][0], folds = shapes[s][1], pair = 0;
        for (int k = 0; k < folds; k++)
            for (int i = 0; i < n / folds + (k < n % folds); i++)
                assert_int_equal(fn_lfw_fold_of((size_t)n, folds, (size_t)pair++), k);
        assert_int_equal(pair, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roc),
        cmocka_unit_test(test_hardest),
        cmocka_unit_test(test_fold_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
