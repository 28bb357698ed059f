/* SPDX-License-Identifier: MIT */
/* Names as fields: any name is written as one field of one line and read back; what is none is
 * refused. */
#include "tests/test.h"
#include "train/field.h"

static void test_names(void **state)
{
    static const struct {
        const char *name, *field;
    } map[] = {
        {"plain", "plain"},
        {"\xc3\xa9 with blanks", "\xc3\xa9 with blanks"},
        {"back\\slash", "back\\x5cslash"},
        {"\xff", "\xff"}, /* not UTF-8: bytes all the same */
    };
    (void)state;
    for (size_t i = 0; i < sizeof map / sizeof *map; i++) {
        char *text = NULL;
        size_t bytes;
        FILE *f = open_memstream(&text, &bytes);
        assert_non_null(f);
        fn_field_put(f, map[i].name, strlen(map[i].name));
        assert_int_equal(fclose(f), 0);
        assert_string_equal(text, map[i].field);
        assert_int_equal(fn_field_name(text), 1);
        assert_string_equal(text, map[i].name);
        free(text);
    }
    /* No names, so fn_field_name refuses them; but no line or column is broken by them either. */
    static const char odd[] = "a\tb\nc\x7f";
    char *text = NULL;
    size_t bytes;
    FILE *f = open_memstream(&text, &bytes);
    assert_non_null(f);
    fn_field_put(f, odd, sizeof odd); /* with its NUL */
    assert_int_equal(fclose(f), 0);
    assert_string_equal(text, "a\\x09b\\x0ac\\x7f\\x00");
    assert_int_equal(fn_field_name(text), 0);
    free(text);
}

static void test_no_names(void **state)
{
    static const char *const bad[] = {"",    "..",   "a/b",   "a\\",        "\\q",
                                      "\\x", "\\x4", "\\x4G", "\\x41\\x00", "\\x2f"};
    char text[32];
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text, "%s", bad[i]);
        if (fn_field_name(text))
            fail_msg("'%s' was taken for a name", bad[i]);
    }
    snprintf(text, sizeof text, "%s", "\\x41\\\\b");
    assert_int_equal(fn_field_name(text), 1);
    assert_string_equal(text, "A\\b");
}

static void test_fields(void **state)
{
    char text[] = "one\t\tthree", *row = text;
    (void)state;
    assert_string_equal(fn_field_next(&row), "one");
    assert_string_equal(fn_field_next(&row), "");
    assert_string_equal(fn_field_next(&row), "three");
    assert_null(row);
    assert_null(fn_field_next(&row));
}

static void test_whole(void **state)
{
    static const char *const bad[] = {"",   "-1",  "+1", " 1",
                                      "1 ", "1.0", "x",  "1234567890123456789"};
    uint64_t value = 7;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(fn_field_whole(bad[i], &value), 0);
    assert_int_equal(fn_field_whole(NULL, &value), 0);
    assert_true(value == 7);
    assert_int_equal(fn_field_whole("123456789012345678", &value), 1);
    assert_true(value == 123456789012345678);
    assert_int_equal(fn_field_whole("007", &value), 1);
    assert_true(value == 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_no_names),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
