/* SPDX-License-Identifier: MIT */
/* Tables of a run read back: sums of rows, torn and missing files. */
#include <math.h>

#include "tests/in_folder.h"
#include "train/metrics.h"
#include "train/run_table.h"

#define PATH path_of("steps.tsv")

/* What metrics.h writes comes back, whole or summed up by the obvious loop. */
static void test_sums(void **state)
{
    enum { ROWS = 1003 };
    static double loss[ROWS + 1];
    static const size_t mosts[] = {1, 7, 64, ROWS - 1, ROWS, 5000};
    const struct fn_metrics_column columns[] = {{"loss", -1}, {"rate", 3}};
    struct fn_metrics *m;
    (void)state;
    assert_ok(fn_metrics_open(&m, PATH, "step", columns, 2, -1));
    for (int i = 1; i <= ROWS; i++) {
        loss[i] = i % 100 == 7 ? NAN : 3 + sin(i) + 100.0 / i;
        assert_ok(fn_metrics_row(m, i, (const double[]){loss[i], 0.125}));
    }
    assert_ok(fn_metrics_close(&m));
    for (size_t k = 0; k < sizeof mosts / sizeof *mosts; k++) {
        struct fn_run_table t;
        size_t row = 0, points = mosts[k] < ROWS ? mosts[k] : ROWS;
        assert_ok(fn_run_table_read(&t, PATH, mosts[k], NULL));
        assert_int_equal(t.rows, ROWS);
        assert_int_equal(t.points, points);
        assert_int_equal(t.columns, 3);
        const struct fn_run_column *l = fn_run_table_column(&t, "loss");
        const struct fn_run_column *step = fn_run_table_column(&t, "step");
        assert_non_null(l);
        assert_null(fn_run_table_column(&t, "los"));
        assert_int_equal(l->bad, 10);
        assert_true(fabs(l->last - loss[ROWS]) < 1e-6 && step->last == ROWS);
        for (size_t p = 0; p < points; p++) {
            double sum = 0, low = INFINITY, high = -INFINITY, from = (double)row + 1;
            size_t n = 0;
            for (; row < ROWS && row * points / ROWS == p; row++) {
                double v = loss[row + 1];
                if (!isfinite(v))
                    continue;
                sum += v;
                low = fmin(low, v);
                high = fmax(high, v);
                n++;
            }
            assert_true(n ? fabs(l->mean[p] - sum / (double)n) < 1e-6 : isnan(l->mean[p]));
            assert_true(!n || (fabs(l->low[p] - low) < 1e-6 && fabs(l->high[p] - high) < 1e-6));
            assert_true(fabs(step->mean[p] - (from + (double)row) / 2) < 1e-9);
        }
        assert_int_equal(row, ROWS);
        fn_run_table_free(&t);
    }
}

static void test_odd_files(void **state)
{
    static const char *const names[] = {"step", "accuracy", "val", NULL};
    struct fn_run_table t;
    (void)state;
    fn_remove_tree(PATH);
    unlink(PATH);
    assert_ok(fn_run_table_read(&t, PATH, 10, NULL));
    assert_int_equal(t.points, 0);
    assert_null(fn_run_table_column(&t, "step"));
    fn_run_table_free(&t);
    assert_ok(fn_file_write(PATH, "", 0));
    assert_ok(fn_run_table_read(&t, PATH, 10, NULL));
    assert_int_equal(t.points, 0);
    fn_run_table_free(&t);
    static const char torn[] = "step\tloss\n1\t2.5\n2\n3\tinf\textra\n4\t1";
    assert_ok(fn_file_write(PATH, torn, sizeof torn - 1));
    assert_ok(fn_run_table_read(&t, PATH, 10, NULL));
    assert_int_equal(t.rows, 3);
    assert_true(t.column[1].mean[0] == 2.5 && isnan(t.column[1].mean[1]));
    assert_int_equal(t.column[1].bad, 2);
    fn_run_table_free(&t);
    static const char bare[] = "0\t0.5\t0.25\n10\t0.75\t0.5\n";
    assert_ok(fn_file_write(PATH, bare, sizeof bare - 1));
    assert_ok(fn_run_table_read(&t, PATH, 10, names));
    assert_int_equal(t.rows, 2);
    assert_true(fn_run_table_column(&t, "val")->mean[1] == 0.5);
    fn_run_table_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_odd_files),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
