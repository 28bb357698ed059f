/* SPDX-License-Identifier: MIT */
/* Name lists: every published spelling, what matched nothing, bad files, many entries, many
 * threads. */
#include "tests/test.h"

#include "base/pipeline.h"
#include "ingest/select.h"

static struct fn_name_list *parse(const char *text, size_t bytes)
{
    struct fn_name_list *list = NULL;
    char *copy = malloc(bytes + 1);
    assert_non_null(copy);
    memcpy(copy, text, bytes);
    assert_ok(fn_name_list_parse(&list, copy, bytes, "list"));
    return list;
}

static int has(struct fn_name_list *list, const char *class_name, const char *name)
{
    return fn_name_list_has(list, class_name, strlen(class_name), name, strlen(name));
}

static void every_spelling(void **state)
{
    static const char text[] = "m.01\n"                      /* a class */
                               "m.02/3-FaceId-0\n"           /* a record */
                               "m.03/4-FaceId-1.jpg\r\n"     /* with its file's ending, CR LF */
                               "m.04\tm.04/5-FaceId-0.jpg\n" /* MID <tab> path */
                               "m.05\tdata/m.06/6-FaceId-0.PNG\n"
                               "m.07\t7-FaceId-0.jpeg\n" /* MID <tab> file name */
                               "\n   \n"
                               "./m.08/8-FaceId-0.jpg\n" /* a longer path */
                               "m.09/\n"                 /* a folder */
                               "  m.10  \n"
                               "m.11.jpg\n" /* a class may be called so */
                               "m.12/0";
    struct fn_name_list *list = parse(text, sizeof text - 1);
    (void)state;
    assert_int_equal(fn_name_list_count(list), 11);
    assert_true(has(list, "m.01", "anything"));
    assert_true(has(list, "m.02", "3-FaceId-0"));
    assert_false(has(list, "m.02", "3-FaceId-1"));
    assert_true(has(list, "m.03", "4-FaceId-1"));
    assert_true(has(list, "m.04", "5-FaceId-0"));
    assert_false(has(list, "m.05", "6-FaceId-0"));
    assert_true(has(list, "m.06", "6-FaceId-0"));
    assert_true(has(list, "m.07", "7-FaceId-0"));
    assert_true(has(list, "m.08", "8-FaceId-0"));
    assert_true(has(list, "m.09", "x"));
    assert_true(has(list, "m.10", "x"));
    assert_true(has(list, "m.11.jpg", "x"));
    assert_false(has(list, "m.11", "x"));
    assert_true(has(list, "m.12", "0"));
    assert_false(has(list, "m.1", "2/0"));
    assert_int_equal(fn_name_list_unmatched(list), 0);
    fn_name_list_close(&list);
    assert_null(list);
}

static void endings_in_names(void **state)
{
    struct fn_name_list *list = parse("c/a.jpg\nc/.png\n", 15);
    (void)state;
    assert_true(has(list, "c", "a"));
    assert_true(has(list, "c", "a.jpg")); /* of a file a.jpg.png */
    assert_true(has(list, "c", ".png"));
    assert_false(has(list, "c", "b"));
    fn_name_list_close(&list);
}

struct seen {
    size_t count;
    char text[256];
};

static void see(void *context, const char *name, size_t bytes)
{
    struct seen *seen = context;
    seen->count++;
    strncat(seen->text, name, bytes);
    strcat(seen->text, ",");
}

static void what_matched_nothing(void **state)
{
    struct fn_name_list *list = parse("a\nb\na/1\na\nb/2\nc/3.jpg\n", 22);
    struct seen seen = {0, ""};
    (void)state;
    assert_int_equal(fn_name_list_count(list), 5); /* a stands twice */
    assert_int_equal(fn_name_list_unmatched(list), 5);
    assert_true(has(list, "a", "1")); /* matches the class and the record */
    assert_int_equal(fn_name_list_unmatched(list), 3);
    assert_false(has(list, "d", "1"));
    fn_name_list_each_unmatched(list, 10, &seen, see);
    assert_int_equal(seen.count, 3);
    assert_string_equal(seen.text, "b,b/2,c/3,");
    memset(&seen, 0, sizeof seen);
    fn_name_list_each_unmatched(list, 2, &seen, see);
    assert_string_equal(seen.text, "b,b/2,");
    fn_name_list_close(&list);
}

static void refuses(const char *text, size_t bytes, int code, const char *says)
{
    struct fn_name_list *list = NULL;
    char *copy = malloc(bytes + 1);
    assert_non_null(copy);
    memcpy(copy, text, bytes);
    assert_int_equal(fn_name_list_parse(&list, copy, bytes, "l.txt"), code);
    assert_null(list);
    if (!strstr(fn_err_text(code), says))
        fail_msg("'%s' is not in '%s'", says, fn_err_text(code));
}

static void bad_lists(void **state)
{
    char longest[1000];
    (void)state;
    refuses("", 0, FN_EFORMAT, "l.txt names nothing");
    refuses("\n \r\n\t\n", 6, FN_EFORMAT, "names nothing");
    refuses("a\nb\0c\n", 6, FN_EFORMAT, "l.txt:2: a NUL byte");
    memset(longest, 'x', sizeof longest);
    refuses(longest, sizeof longest, FN_EFORMAT, "l.txt:1: 1000 bytes are too long");
    struct fn_name_list *list = NULL;
    assert_int_equal(fn_name_list_open(&list, "/nowhere/list.txt"), FN_ENOENT);
    assert_null(list);
}

static void any_bytes_in_names(void **state)
{
    struct fn_name_list *list = parse("\xef\xbb\xbfm.1\n\xff\xfe/\x80.jpg\nZo\xc3\xab Kr/1\n", 24);
    (void)state;
    assert_int_equal(fn_name_list_count(list), 3);
    assert_true(has(list, "m.1", "0")); /* a byte order mark is no part of it */
    assert_true(has(list, "\xff\xfe", "\x80"));
    assert_true(has(list, "Zo\xc3\xab Kr", "1"));
    fn_name_list_close(&list);
}

enum { MANY = 200000, THREADS = 4 };

static int look(void *context, int worker, size_t i)
{
    struct fn_name_list *list = context;
    char class_name[32];
    (void)worker;
    snprintf(class_name, sizeof class_name, "m.%06zu", i / 2);
    int found = has(list, class_name, i % 2 ? "1-FaceId-0" : "0-FaceId-0");
    return found == (i / 2 % 2 == 0) ? FN_OK : fn_fail(FN_EINTERNAL, "%zu: %d", i, found);
}

/* Even classes are listed by their two records, odd ones are not. */
static void many_entries_many_threads(void **state)
{
    size_t cap = (size_t)MANY * 40, at = 0;
    char *text = malloc(cap);
    struct fn_name_list *list = NULL;
    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < MANY; i++)
        at += (size_t)snprintf(text + at, cap - at, "m.%06zu/%zu-FaceId-0.jpg\n", i / 2 * 2, i % 2);
    assert_ok(fn_name_list_parse(&list, text, at, "many"));
    assert_int_equal(fn_name_list_count(list), MANY);
    assert_ok(fn_parallel_for(THREADS, (size_t)MANY, list, look));
    /* Classes 0 .. MANY / 2 - 1 were asked for: half of the list. */
    assert_int_equal(fn_name_list_unmatched(list), MANY / 2);
    fn_name_list_close(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_spelling),       cmocka_unit_test(endings_in_names),
        cmocka_unit_test(what_matched_nothing), cmocka_unit_test(bad_lists),
        cmocka_unit_test(any_bytes_in_names),   cmocka_unit_test(many_entries_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
