/* SPDX-License-Identifier: MIT */
/* Charts: ticks and ends of axes, figures as text, where points lie, what is a gap. */
#include <math.h>

#include "base/chart.h"
#include "tests/in_folder.h"
#include "tests/python.h"

static void test_ticks(void **state)
{
    static const struct {
        double low, high;
        enum fn_scale scale;
        enum fn_unit unit;
        int zero;
        double min, max;
        int count;
        double tick[8];
    } rows[] = {
        {0, 1, 0, 0, 0, 0, 1, 6, {0, 0.2, 0.4, 0.6, 0.8, 1}},
        {0.13, 0.97, 0, 0, 0, 0, 1, 6, {0, 0.2, 0.4, 0.6, 0.8, 1}},
        {3, 97, 0, FN_UNIT_COUNT, 1, 0, 100, 6, {0, 20, 40, 60, 80, 100}},
        {-1, 1, 0, 0, 0, -1, 1, 5, {-1, -0.5, 0, 0.5, 1}},
        {5, 5, 0, FN_UNIT_COUNT, 0, 4, 6, 3, {4, 5, 6}},
        {0, 0, 0, 0, 0, 0, 1, 6, {0, 0.2, 0.4, 0.6, 0.8, 1}},
        {2e-4, 0.3, FN_SCALE_LOG, 0, 0, 1e-4, 1, 5, {1e-4, 1e-3, 1e-2, 1e-1, 1}},
        {1, 9, FN_SCALE_LOG, 0, 0, 1, 10, 4, {1, 2, 5, 10}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fn_axis axis = {"", rows[i].scale, rows[i].unit, 0, 0, 0, rows[i].zero};
        double at[FN_TICKS_MAX];
        fn_axis_fit(&axis, rows[i].low, rows[i].high);
        int n = fn_axis_ticks(&axis, 5, at);
        if (fabs(axis.min - rows[i].min) > 1e-12 || fabs(axis.max - rows[i].max) > 1e-12 ||
            n != rows[i].count)
            fail_msg("row %zu: [%g, %g], %d ticks", i, axis.min, axis.max, n);
        for (int k = 0; k < n; k++)
            if (fabs(at[k] - rows[i].tick[k]) > 1e-12)
                fail_msg("row %zu: tick %d is %g", i, k, at[k]);
    }
}

/* Whatever the data: some ticks, ascending, on the axis, and no two of them read the same. */
static void test_every_magnitude(void **state)
{
    (void)state;
    for (int power = -60; power <= 60; power++)
        for (int width = 1; width <= 40; width += 3)
            for (int kind = 0; kind < 4; kind++) {
                double low = pow(10, power / 5.0), high = low * (1 + width * 0.37);
                struct fn_axis axis = {
                    "", kind & 1 ? FN_SCALE_LOG : FN_SCALE_LINEAR, 0, 0, 0, kind >> 1, 0};
                double at[FN_TICKS_MAX], step;
                char text[64], last[64] = "";
                fn_axis_fit(&axis, low, high);
                int n = fn_axis_ticks(&axis, 5, at);
                if (n < 1 || n > 9 || (!(kind & 1) && n < 3))
                    fail_msg("%d ticks on [%g, %g], kind %d", n, axis.min, axis.max, kind);
                assert_true(axis.min <= low && axis.max >= high);
                step = n > 1 ? at[1] - at[0] : 0;
                for (int k = 0; k < n; k++) {
                    assert_true(at[k] >= axis.min * (1 - 1e-9) && at[k] <= axis.max * (1 + 1e-9));
                    assert_true(k == 0 || at[k] > at[k - 1]);
                    if (kind & 1)
                        continue;
                    fn_unit_text(FN_UNIT_NUMBER, at[k], step, text, sizeof text);
                    if (!strcmp(text, last) && low > 1e-4)
                        fail_msg("[%g, %g] has %s twice", axis.min, axis.max, text);
                    strcpy(last, text);
                }
            }
}

static void test_text(void **state)
{
    static const struct {
        enum fn_unit unit;
        double value, step;
        const char *text;
    } rows[] = {
        {FN_UNIT_NUMBER, 0.25, 0.05, "0.25"},
        {FN_UNIT_NUMBER, 2, 1, "2"},
        {FN_UNIT_NUMBER, 1500, 500, "1,500"},
        {FN_UNIT_NUMBER, 20000, 10000, "20k"},
        {FN_UNIT_NUMBER, 12500, 2500, "12.5k"},
        {FN_UNIT_NUMBER, 1.5e6, 5e5, "1.5M"},
        {FN_UNIT_NUMBER, 1e-5, 1e-5, "1e-05"},
        {FN_UNIT_NUMBER, -3.5, 0.5, "-3.5"},
        {FN_UNIT_NUMBER, 3.14159, 0, "3.142"},
        {FN_UNIT_NUMBER, 0.001234567, 0, "0.001235"},
        {FN_UNIT_NUMBER, NAN, 0, "-"},
        {FN_UNIT_NUMBER, INFINITY, 0, "inf"},
        {FN_UNIT_COUNT, 1234567, 0, "1,234,567"},
        {FN_UNIT_COUNT, -1234, 0, "-1,234"},
        {FN_UNIT_PERCENT, 0.25, 0.05, "25%"},
        {FN_UNIT_PERCENT, 0.99375, 0, "99.38%"},
        {FN_UNIT_PERCENT, 0.001, 0.001, "0.1%"},
        {FN_UNIT_BYTES, 11700, 0, "11.7 kB"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[64];
        assert_string_equal(
            fn_unit_text(rows[i].unit, rows[i].value, rows[i].step, text, sizeof text),
            rows[i].text);
    }
}

static void test_place(void **state)
{
    const struct fn_axis linear = {.min = 10, .max = 20};
    const struct fn_axis logarithmic = {.scale = FN_SCALE_LOG, .min = 1e-4, .max = 1};
    (void)state;
    assert_true(fn_axis_place(&linear, 10) == 0 && fn_axis_place(&linear, 20) == 1);
    assert_true(fabs(fn_axis_place(&linear, 12.5) - 0.25) < 1e-12);
    assert_true(fn_axis_place(&linear, -1e9) == 0 && fn_axis_place(&linear, INFINITY) == 1);
    assert_true(isnan(fn_axis_place(&linear, NAN)));
    assert_true(fabs(fn_axis_place(&logarithmic, 0.01) - 0.5) < 1e-12);
    assert_true(fn_axis_place(&logarithmic, 0) == 0);
}

/* ---- pictures ------------------------------------------------------------------------------- */
#define PATH path_of("page.html")

static char *page_of(const struct fn_chart *chart, int drawn)
{
    struct fn_html *html;
    unsigned char *text;
    size_t bytes;
    assert_ok(fn_html_open(&html, PATH, "Test", "chart", ""));
    fn_html_section(html, "Charts", NULL);
    assert_int_equal(fn_chart_curves(html, chart), drawn);
    fn_html_section_end(html);
    assert_ok(fn_html_commit(html, "test"));
    fn_html_close(&html);
    assert_int_equal(python_run("check_page.py", PATH), 0);
    assert_ok(fn_file_read(PATH, 1 << 20, &text, &bytes));
    return (char *)text;
}

/* Dots at the corners and in the middle of the axes: they lie on the lines that are drawn there. */
static void test_points(void **state)
{
    const double x[] = {0, 1, 2}, y[] = {10, 20, 30};
    const struct fn_series series = {"a", FN_LOOK_DOTS, x, y, NULL, NULL, 3};
    const struct fn_chart chart = {.title = "t",
                                   .x = {"x", .max = 2},
                                   .y = {"y", .min = 10, .max = 30},
                                   .series = &series,
                                   .count = 1};
    double cx[3], cy[3], left, top, bottom, right;
    (void)state;
    char *text = page_of(&chart, 1), *at = text;
    for (int i = 0; i < 3; i++) {
        at = strstr(at + 1, "<circle");
        assert_non_null(at);
        assert_int_equal(sscanf(strstr(at, "cx="), "cx=\"%lf\" cy=\"%lf\"", &cx[i], &cy[i]), 2);
    }
    at = strstr(text, "<path class=\"b\" d=\"M"); /* the first tick of x */
    assert_int_equal(sscanf(at, "<path class=\"b\" d=\"M%lf %lf", &left, &bottom), 2);
    at = text; /* the last grid line is the highest */
    for (char *next; (next = strstr(at + 1, "<path class=\"g\"")) != NULL;)
        at = next;
    assert_int_equal(sscanf(at, "<path class=\"g\" d=\"M%*f %lfH%lf", &top, &right), 2);
    assert_true(cx[0] == left && cy[0] == bottom && cx[2] == right && cy[2] == top);
    assert_true(fabs(cx[1] - (left + right) / 2) < 0.11 && fabs(cy[1] - (top + bottom) / 2) < 0.11);
    free(text);
}

/* A gap where a value is none; nothing at all where there is no value. */
static void test_gaps(void **state)
{
    const double x[] = {1, 2, 3, 4, 5}, y[] = {1, 2, NAN, 4, INFINITY}, none[] = {NAN, NAN};
    struct fn_series series = {"<a>", FN_LOOK_LINE, x, y, NULL, NULL, 5};
    const struct fn_chart chart = {
        .title = "<t>", .x = {"x"}, .y = {"y"}, .series = &series, .count = 1};
    (void)state;
    char *text = page_of(&chart, 1), *at = strstr(text, "class=\"l s1\" d=\"");
    size_t moves = 0, lines = 0;
    assert_non_null(at);
    for (at += strlen("class=\"l s1\" d=\""); *at != '"'; at++) {
        moves += *at == 'M';
        lines += *at == 'L';
    }
    assert_int_equal(moves, 2);
    assert_int_equal(lines, 2); /* 1-2 and 4-5: what is infinite is cut at the edge */
    free(text);
    series.y = none;
    series.count = 2;
    text = page_of(&chart, 0);
    assert_null(strstr(text, "<figure"));
    free(text);
}

/* Every look with many points, bands, marks and strange numbers gives a page that parses. */
static void test_looks(void **state)
{
    enum { N = 3000 };
    static double x[N], y[FN_LOOK_COUNT][N], low[N], high[N];
    const double marks[] = {700, NAN, 1e9};
    const struct fn_mark mark[] = {{"resumed", 0, marks, 3}, {"chance", 1, marks, 1}};
    struct fn_series series[FN_LOOK_COUNT];
    (void)state;
    for (int i = 0; i < N; i++) {
        x[i] = i;
        for (int k = 0; k < FN_LOOK_COUNT; k++)
            y[k][i] = i % 97 == 5 ? NAN : 1000 + 300 * sin(i / (50.0 + k)) + (i * 7919 % 101);
        low[i] = i % 50 ? y[1][i] - 50 : NAN;
        high[i] = y[1][i] + 50;
    }
    for (int k = 0; k < FN_LOOK_COUNT; k++)
        series[k] = (struct fn_series){
            "series", (enum fn_look)k, x, y[k], k == 1 ? low : NULL, k == 1 ? high : NULL, N};
    struct fn_chart chart = {.title = "looks",
                             .text = "all & every",
                             .x = {"x"},
                             .y = {"y"},
                             .series = series,
                             .count = FN_LOOK_COUNT,
                             .marks = mark,
                             .mark_count = 2};
    free(page_of(&chart, 1));
    chart.y.scale = chart.x.scale = FN_SCALE_LOG;
    free(page_of(&chart, 1));
}

static void test_columns_and_bars(void **state)
{
    struct fn_bar bars[] = {{"<1>", 5}, {"2 - 3", 1000000}, {"a\377", 0}};
    struct fn_bars chart = {"title", NULL, "names", "values", FN_UNIT_COUNT, bars, 3};
    struct fn_html *html;
    unsigned char *text;
    size_t bytes;
    (void)state;
    assert_ok(fn_html_open(&html, PATH, "Test", "bars", ""));
    fn_html_section(html, "Bars", NULL);
    assert_int_equal(fn_chart_columns(html, &chart), 1);
    assert_int_equal(fn_chart_bars(html, &chart), 1);
    bars[0].value = bars[1].value = 0;
    assert_int_equal(fn_chart_columns(html, &chart), 0);
    assert_int_equal(fn_chart_bars(html, &chart), 0);
    fn_html_section_end(html);
    assert_ok(fn_html_commit(html, "test"));
    fn_html_close(&html);
    assert_int_equal(python_run("check_page.py", PATH), 0);
    assert_ok(fn_file_read(PATH, 1 << 20, &text, &bytes));
    assert_non_null(strstr((char *)text, "height=\"1.0\"><title>&lt;1&gt;: 5<")); /* seen */
    assert_non_null(strstr((char *)text, "1,000,000"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ticks),  cmocka_unit_test(test_every_magnitude),
        cmocka_unit_test(test_text),   cmocka_unit_test(test_place),
        cmocka_unit_test(test_points), cmocka_unit_test(test_gaps),
        cmocka_unit_test(test_looks),  cmocka_unit_test(test_columns_and_bars),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
