/* SPDX-License-Identifier: MIT */
/* The learning rate schedule: the original's files, every kind of bad line, staircase decay. */
#include "train/schedule.h"

#include <math.h>

#include "base/file.h"
#include "tests/test.h"

static struct fn_schedule *parse(const char *text)
{
    struct fn_schedule *s;
    assert_ok(fn_schedule_parse(&s, text, strlen(text), "lr.txt"));
    return s;
}

static void check(const struct fn_schedule *s, int64_t epoch, double want)
{
    double rate = -1;
    assert_ok(fn_schedule_rate(s, epoch, &rate));
    if (rate != want)
        fail_msg("epoch %d: rate %g, want %g", (int)epoch, rate, want);
}

static void originals(void **state)
{
    (void)state;
    struct fn_schedule *s = parse("# Learning rate schedule\n# Maps an epoch number to a rate\n"
                                  "0:  0.05\n100: 0.005\n200: 0.0005\n276: -1\n");
    check(s, 0, 0.05);
    check(s, 1, 0.05);
    check(s, 99, 0.05);
    check(s, 100, 0.005);
    check(s, 275, 0.0005);
    check(s, 276, 0);
    check(s, 100000, 0);
    fn_schedule_close(&s);
    s = parse("0: 0.1\r\n150: 0.01\r\n180: 0.001\r\n251: 0.0001");
    check(s, 251, 0.0001); /* the last line's rate is used */
    check(s, 9999, 0.0001);
    fn_schedule_close(&s);
}

static void manners(void **state)
{
    (void)state;
    struct fn_schedule *s = parse("\n  \t\n 1 : 1e-2 # warm\n#\n3:5.\n 5 :  -  # the end\n7: 0\n");
    double rate;
    check(s, 1, 0.01);
    check(s, 2, 0.01);
    check(s, 3, 5);
    check(s, 5, 0);
    check(s, 7, 0);
    assert_int_equal(fn_schedule_rate(s, 0, &rate), FN_EFORMAT);
    assert_string_equal(fn_err_text(FN_EFORMAT),
                        "lr.txt: no line for epoch 0, the first is for epoch 1");
    fn_schedule_close(&s);
    fn_schedule_close(&s);
    /* The last line whose epoch is not later counts, also in a file that is not in order. */
    s = parse("0: 1\n10: 2\n5: 3\n");
    check(s, 4, 1);
    check(s, 7, 3);
    check(s, 12, 3);
    fn_schedule_close(&s);
}

static void bad_lines(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"", "lr.txt: no line"},
        {"# only\n", "lr.txt: no line"},
        {"0: 0.1\n\n10 0.2\n", "lr.txt:3: no colon"},
        {"x: 0.1\n", "lr.txt:1: the epoch"},
        {"-1: 0.1\n", "lr.txt:1: the epoch"},
        {": 0.1\n", "lr.txt:1: the epoch"},
        {"1 2: 0.1\n", "lr.txt:1: the epoch"},
        {"10000000000: 0.1\n", "lr.txt:1: the epoch"},
        {"99999999999999999999999999999999999999: 0.1\n", "lr.txt:1: the epoch"},
        {"0:\n", "lr.txt:1: no rate"},
        {"0: # 0.1\n", "lr.txt:1: no rate"},
        {"0: 0.1.2\n", "lr.txt:1: '0.1.2' is no"},
        {"0: 0,1\n", "lr.txt:1: '0,1' is no"},
        {"0: --\n", "lr.txt:1: '--' is no"},
        {"0: nan\n", "lr.txt:1: 'nan' is no"},
        {"0: inf\n", "lr.txt:1: 'inf' is no"},
        {"0: 0x1p3\n", "lr.txt:1: '0x1p3' is no"},
        {"0: 1e999\n", "lr.txt:1: '1e999' is no"},
        {"0: 1: 2\n", "lr.txt:1: '1: 2' is no"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fn_schedule *s = (void *)&bad;
        int rc = fn_schedule_parse(&s, bad[i].text, strlen(bad[i].text), "lr.txt");
        assert_null(s);
        if (rc != FN_EFORMAT || !strstr(fn_err_text(rc), bad[i].says))
            fail_msg("'%s' gives %d '%s', want '%s'", bad[i].text, rc, fn_err_text(rc),
                     bad[i].says);
    }
}

static void files(void **state)
{
    (void)state;
    char *dir = test_folder(), *path = fn_path_join(dir, "lr.txt");
    struct fn_schedule *s;
    assert_ok(fn_file_write(path, "0: 0.5\n", 7));
    assert_ok(fn_schedule_open(&s, path));
    check(s, 3, 0.5);
    fn_schedule_close(&s);
    assert_ok(fn_remove_tree(dir));
    assert_int_equal(fn_schedule_open(&s, path), FN_ENOENT);
    assert_null(s);
    assert_non_null(strstr(fn_err_text(FN_ENOENT), "lr.txt"));
    free(path);
    free(dir);
}

static void staircase(void **state)
{
    (void)state;
    assert_true(fn_staircase(0.1, 1.0, 100, 1000, 12345678) == 0.1);
    assert_true(fn_staircase(0.1, 0.5, 2, 10, 0) == 0.1);
    assert_true(fn_staircase(0.1, 0.5, 2, 10, 19) == 0.1);
    assert_true(fn_staircase(0.1, 0.5, 2, 10, 20) == 0.05);
    assert_true(fabs(fn_staircase(0.1, 0.9, 2, 10, 79) - 0.1 * 0.9 * 0.9 * 0.9) < 1e-16);
}

static void ramp(void **state)
{
    const struct fn_ramp none = {0, 0, 0}, warm = {4, 0, 0}, both = {10, 30, 0.2}, sole = {0, 8, 0};
    (void)state;
    assert_true(fn_ramp_share(&none, 0) == 1 && fn_ramp_share(&none, 1000000) == 1);
    for (int i = 0; i < 6; i++)
        assert_true(fn_ramp_share(&warm, (uint64_t)i) == (i < 4 ? (i + 1) / 4.0 : 1));
    assert_true(fn_ramp_share(&both, 9) == 1 && fn_ramp_share(&both, 10) == 1);
    assert_true(fabs(fn_ramp_share(&both, 20) - 0.6) < 1e-15); /* half way */
    assert_true(fabs(fn_ramp_share(&both, 15) - (0.2 + 0.4 * (1 + sqrt(0.5)))) < 1e-15);
    assert_true(fabs(fn_ramp_share(&both, 30) - 0.2) < 1e-15);
    assert_true(fabs(fn_ramp_share(&both, 1000) - 0.2) < 1e-15); /* and so it stays */
    assert_true(fn_ramp_share(&sole, 0) == 1 && fabs(fn_ramp_share(&sole, 8)) < 1e-15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(originals), cmocka_unit_test(manners),   cmocka_unit_test(bad_lines),
        cmocka_unit_test(files),     cmocka_unit_test(staircase), cmocka_unit_test(ramp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
