/* SPDX-License-Identifier: MIT */
/* Rows of a face TSV: columns, names, and finding the layout from the first rows. */
#include "tests/test.h"

#include "ingest/tsv.h"

#define JPEG "/9j/4AAQSkZJRgABAQ=="
#define PNG "iVBORw0KGgoAAAANSUhE"
#define RECT "AAAAAAAAAAAAAAAAAAAAAA=="
#define ROW7 "m.01\t0\thttp://a\thttp://b\tFaceId-0\t" RECT "\t" JPEG "\n"
#define ROW6 "m.01\tA Name\t0\thttp://a\thttp://b\t" PNG "\n"

static struct fn_span span(const char *text)
{
    return (struct fn_span){(const uint8_t *)text, strlen(text)};
}

static void is(struct fn_span s, const char *text)
{
    assert_int_equal(s.bytes, strlen(text));
    assert_memory_equal(s.at, text, s.bytes);
}

static void line_ends(void **state)
{
    static const char *const rows[][2] = {
        {"a\tb\n", "a\tb"}, {"a\tb\r\n", "a\tb"}, {"a\tb", "a\tb"},   {"\n", ""}, {"\r\n", ""},
        {"", ""},           {"\r", ""},           {"a\r\r\n", "a\r"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        is(fn_tsv_trim((const uint8_t *)rows[i][0], strlen(rows[i][0])), rows[i][1]);
}

static void columns(void **state)
{
    struct fn_span c[FN_TSV_COLUMNS_MAX];
    (void)state;
    assert_int_equal(fn_tsv_split(span("a\tbb\t\tc"), c), 4);
    is(c[0], "a");
    is(c[1], "bb");
    is(c[2], "");
    is(c[3], "c");
    assert_int_equal(fn_tsv_split(span(""), c), 1);
    is(c[0], "");
    assert_int_equal(fn_tsv_split(span("\t"), c), 2);
    assert_int_equal(fn_tsv_split(span("1\t2\t3\t4\t5\t6\t7\t8\t9"), c), 9);
    is(c[6], "7");
}

/* What the layout is found to be, or the sentence. */
static void detects(const char *text, size_t bytes, int whole, const char *layout)
{
    const struct fn_tsv_layout *found = NULL;
    assert_ok(fn_tsv_detect((const uint8_t *)text, bytes, whole, "x.tsv", &found));
    assert_string_equal(found->name, layout);
}

static void refuses(const char *text, size_t bytes, const char *says)
{
    const struct fn_tsv_layout *found = NULL;
    assert_int_equal(fn_tsv_detect((const uint8_t *)text, bytes, 1, "x.tsv", &found), FN_EFORMAT);
    if (!strstr(fn_err_text(FN_EFORMAT), says))
        fail_msg("'%s' is not in '%s'", says, fn_err_text(FN_EFORMAT));
}
#define DETECTS(text, layout) detects(text, sizeof(text) - 1, 1, layout)
#define REFUSES(text, says) refuses(text, sizeof(text) - 1, says)

static void layouts_are_found(void **state)
{
    (void)state;
    DETECTS(ROW7, "aligned7");
    DETECTS(ROW6, "full6");
    DETECTS("\n\r\n" ROW7, "aligned7");
    DETECTS("junk\n" ROW7 "more junk\n" ROW7 ROW6, "aligned7"); /* most rows decide */
    DETECTS("m.01\t0\ta\tb\tF\t" RECT "\t" PNG, "aligned7");    /* no line end */
    DETECTS("\xef\xbb\xbf" ROW7, "aligned7");
    /* A first row that is longer than what was read of the file. */
    detects(ROW7, sizeof ROW7 - 3, 0, "aligned7");
    /* One that is cut in its rectangle says nothing where another row does. */
    detects(ROW6 ROW7, sizeof ROW6 - 1 + 40, 0, "full6");
}

static void other_files_get_a_sentence(void **state)
{
    (void)state;
    REFUSES("", "x.tsv is empty");
    REFUSES("\n\n\r\n", "x.tsv has only blank lines");
    REFUSES("%PDF-1.4\nhello\n", "looks like a PDF document");
    REFUSES("\xff\xd8\xff\xe0 jpeg", "looks like a JPEG picture");
    REFUSES("<html><body>", "looks like an HTML page");
    REFUSES("a b c\nd e f\n", "its first row has 1 column, not the 7");
    REFUSES("a\tb\tc\n",
            "its first row has 3 columns, not the 7 of layout aligned7 or the 6 of full6");
    REFUSES("\0\0\0\1\2\3\4\5\6binary", "binary file");
    REFUSES("m\t0\ta\tb\tF\t" RECT "\tnot base64!\n", "7 columns as in layout aligned7");
    REFUSES("m\t0\ta\tb\tF\tshort\t" JPEG "\n", "a 16-byte rectangle before it");
    REFUSES("m\tn\t0\ta\tb\tSGVsbG8=\n", "6 columns as in layout full6");
    REFUSES(ROW7 ROW6, "as many of the first 2 rows are of layout aligned7 as of full6");
    assert_int_equal(fn_tsv_plausible((const uint8_t *)"", 0, "y"), FN_EFORMAT);
    assert_ok(fn_tsv_plausible((const uint8_t *)"any\ttext\n", 9, "y"));
}

/* "class name" of a row, or the sentence. */
static const char *named(const char *layout, const char *row)
{
    static char text[1024];
    struct fn_span c[FN_TSV_COLUMNS_MAX], class_name;
    char name[FN_NAME_MAX];
    size_t bytes;
    const struct fn_tsv_layout *l = fn_tsv_layout_named(layout);
    assert_non_null(l);
    assert_int_equal(fn_tsv_split(span(row), c), l->columns);
    if (fn_tsv_names(l, c, &class_name, name, &bytes))
        return fn_err_text(FN_EFORMAT);
    snprintf(text, sizeof text, "%.*s %.*s", (int)class_name.bytes, (const char *)class_name.at,
             (int)bytes, name);
    return text;
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(named("aligned7", "m.0zl\t12\tu\tp\tFaceId-3\tr\ti"), "m.0zl 12-FaceId-3");
    assert_string_equal(named("full6", "m.0zl\tA Name\t12\tu\tp\ti"), "m.0zl 12");
    assert_string_equal(named("aligned7", "m\t1/2\t\t\tFace/Id\t\t"), "m 1_2-Face_Id");
    assert_string_equal(named("full6", "Zo\xc3\xab\t\t\xff\t\t\t"), "Zo\xc3\xab \xff");
    assert_non_null(strstr(named("aligned7", "\t1\t\t\tF\t\t"), "column 1 (MID) is empty"));
    assert_non_null(strstr(named("aligned7", "m\t\t\t\tF\t\t"), "column 2 (rank) is empty"));
    assert_non_null(strstr(named("aligned7", "m\t1\t\t\t\t\t"), "column 5 (FaceID) is empty"));
    assert_non_null(strstr(named("full6", "m\tn\t\t\t\t"), "column 3 (rank) is empty"));
    assert_non_null(strstr(named("aligned7", "..\t1\t\t\tF\t\t"), "cannot be a name"));
    assert_non_null(strstr(named("aligned7", "a/b\t1\t\t\tF\t\t"), "cannot be a name"));
    assert_non_null(strstr(named("aligned7", "m\1\t1\t\t\tF\t\t"), "cannot be a name"));
    assert_non_null(strstr(named("full6", "m\tn\t..\t\t\t"), "cannot be one"));
    assert_non_null(strstr(named("aligned7", "m\t1\r2\t\t\tF\t\t"), "cannot be one"));
    assert_null(fn_tsv_layout_named("aligned8"));
}

static void longest_names(void **state)
{
    char row[1024], x[300];
    (void)state;
    memset(x, 'x', sizeof x);
    snprintf(row, sizeof row, "%.255s\t%.127s\t\t\t%.127s\t\t", x, x, x);
    assert_int_equal(strlen(named("aligned7", row)), 255 + 1 + 255);
    snprintf(row, sizeof row, "%.255s\t%.127s\t\t\t%.128s\t\t", x, x, x);
    assert_non_null(strstr(named("aligned7", row), "more than 255 bytes"));
    snprintf(row, sizeof row, "%.256s\t1\t\t\tF\t\t", x);
    assert_non_null(strstr(named("aligned7", row), "has 256 bytes, more than 255"));
    snprintf(row, sizeof row, "m\tn\t%.256s\t\t\t", x);
    assert_non_null(strstr(named("full6", row), "more than 255 bytes"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line_ends),     cmocka_unit_test(columns),
        cmocka_unit_test(names),         cmocka_unit_test(layouts_are_found),
        cmocka_unit_test(longest_names), cmocka_unit_test(other_files_get_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
