/* SPDX-License-Identifier: MIT */
/* RecordIO's index and list: every form they come in, and what they must not be. */
#include "tests/test.h"

#include "ingest/rec_index.h"

static void takes_an_index(void **state)
{
    static const char text[] = "1\t0\n2\t7516\r\n\nkey\t1048576\n0\t9999999996";
    struct fn_rec_index index;
    struct fn_rec_line line;
    (void)state;
    assert_ok(fn_rec_index_open(&index, text, sizeof text - 1, "i"));
    assert_int_equal(index.lines, 4);
    assert_int_equal(index.last, 9999999996);
    static const struct {
        const char *key;
        uint64_t offset;
    } want[] = {{"1", 0}, {"2", 7516}, {"key", 1048576}, {"0", 9999999996}};
    size_t at = 0;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(fn_rec_index_line(&index, at, &line), 1);
        assert_int_equal(line.key_bytes, strlen(want[i].key));
        assert_memory_equal(line.key, want[i].key, line.key_bytes);
        assert_int_equal(line.offset, want[i].offset);
        at = line.next;
    }
    assert_int_equal(fn_rec_index_line(&index, at, &line), 0);
}

static void refuses_what_is_no_index(void **state)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"", "lists nothing"},
        {"\n\n", "lists nothing"},
        {"1\t0\n2\t8\t9\n", "i, line 2: not a key"},
        {"1\t0\n2 8\n", "i, line 2: not a key"},
        {"1\t0\n\t8\n", "i, line 2: not a key"},
        {"1\t0\n2\t\n", "i, line 2: not a key"},
        {"1\t0\n2\t-8\n", "i, line 2: not a key"},
        {"1\t0\n2\t8.0\n", "i, line 2: not a key"},
        {"1\t0\n2\t10\n", "i, line 2: not a key"}, /* where no record can begin */
        {"1\t0\n2\t99999999999999999996\n", "i, line 2: not a key"},
        {"1\t8\n2\t4\n", "i, line 2: its records are not in the order of the file; `sort -n -k 2"},
        {"1\t8\n\n2\t8\n", "i, line 3: its records are not in the order"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct fn_rec_index index;
        assert_int_equal(fn_rec_index_open(&index, bad[i].text, strlen(bad[i].text), "i"),
                         FN_EFORMAT);
        if (!strstr(fn_err_text(FN_EFORMAT), bad[i].says))
            fail_msg("'%s' is not in '%s'", bad[i].says, fn_err_text(FN_EFORMAT));
    }
}

/* Names of the classes 0, 1 and 7 by each form of the list. */
static void takes_every_list(void **state)
{
    static const char *const texts[] = {
        /* im2rec: number, label, path; shuffled; a label as a float; CR LF */
        "12\t7\tms1m/m.09/0.jpg\r\n3\t0.000000\tms1m/m.0a/1.jpg\n\n4\t1\tms1m/m 0b/2.jpg\n"
        "5\t0\tms1m/m.0a/9.jpg",
        /* im2rec with more labels than fn_tsv_split gives columns */
        "12\t7\t1\t2\t3\t4\t5\t6\t7\ta/m.09/0.jpg\n3\t0\t1\t2\t3\t4\t5\t6\t7\ta/m.0a/0.jpg\n"
        "4\t1\t1\t2\t3\t4\t5\t6\t7\ta/m 0b/0.jpg\n",
        /* insightface: aligned, path, label; with a box and landmarks */
        "1\t/data/m.0a/1.jpg\t0\n1\t/data/m 0b/2.jpg\t1\t3\t4\t5\t6\n1\tm.09/3.jpg\t7\n",
        /* path, label */
        "m.0a/1.jpg\t0\n/m 0b/2.jpg\t1\nx/m.09/2.jpg\t7\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct fn_rec_list *list = NULL;
        static const char *const want[] = {"m.0a", "m 0b", NULL, NULL, NULL, NULL, NULL, "m.09"};
        assert_ok(fn_rec_list_open(&list, texts[i], strlen(texts[i]), "l"));
        assert_int_equal(fn_rec_list_classes(list), 3);
        for (uint32_t n = 0; n < 9; n++) {
            size_t bytes = 0;
            const char *name = fn_rec_list_name(list, n, &bytes);
            if (n > 7 || !want[n]) {
                assert_null(name);
                continue;
            }
            assert_int_equal(bytes, strlen(want[n]));
            assert_memory_equal(name, want[n], bytes);
        }
        fn_rec_list_close(&list);
        assert_null(list);
        fn_rec_list_close(&list);
    }
}

static void refuses_lists_that_name_no_classes(void **state)
{
    static const struct {
        const char *text;
        int code;
        const char *says;
    } bad[] = {
        {"", FN_EFORMAT, "lists nothing"},
        {"1\t0\tx.jpg\n", FN_EFORMAT, "l, line 1"},      /* no folder */
        {"1\t0\t/x.jpg\n", FN_EFORMAT, "l, line 1"},     /* nor here */
        {"1\t0\ta/../x.jpg\n", FN_EFORMAT, "l, line 1"}, /* cannot be a name */
        {"1\t0\n", FN_EFORMAT, "l, line 1"},             /* no path */
        {"1\t0.5\ta/x.jpg\n", FN_EFORMAT, "l, line 1"},  /* a label that is none */
        {"1\t0\ta/x.jpg\n2\t-1\tb/x.jpg\n", FN_EFORMAT, "l, line 2"},
        {"1\t99999999\ta/x.jpg\n", FN_EFORMAT, "l, line 1"},
        {"a/x.jpg\n", FN_EFORMAT, "l, line 1"},
        {"a/x.jpg\t0\nb/x.jpg\tone\n", FN_EFORMAT, "l, line 2"},
        {"1\t0\ta/x.jpg\n2\t0\tb/x.jpg\n", FN_EMISMATCH, "label 0 in more than one folder"},
        {"1\t0\timg/x.jpg\n2\t1\timg/y.jpg\n", FN_EMISMATCH, "several labels in the folder img"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct fn_rec_list *list = NULL;
        assert_int_equal(fn_rec_list_open(&list, bad[i].text, strlen(bad[i].text), "l"),
                         bad[i].code);
        assert_null(list);
        if (!strstr(fn_err_text(FN_EFORMAT), bad[i].says))
            fail_msg("'%s' is not in '%s'", bad[i].says, fn_err_text(FN_EFORMAT));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_an_index),
        cmocka_unit_test(refuses_what_is_no_index),
        cmocka_unit_test(takes_every_list),
        cmocka_unit_test(refuses_lists_that_name_no_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
