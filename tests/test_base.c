/* SPDX-License-Identifier: MIT */
/* Sentences, numbers for people, JSON. */
#include "tests/test.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>

#include "base/json.h"
#include "base/log.h"

static void test_names_of_codes(void **state)
{
    (void)state;
    for (int a = 0; a < FN_ERR_COUNT; a++) {
        assert_string_not_equal(fn_strerror(a), "unknown error");
        for (int b = a + 1; b < FN_ERR_COUNT; b++)
            assert_string_not_equal(fn_strerror(a), fn_strerror(b));
    }
    assert_string_equal(fn_strerror(FN_ENOMEM), "out of memory");
    assert_string_equal(fn_strerror(-1), "unknown error");
    assert_string_equal(fn_strerror(FN_ERR_COUNT), "unknown error");
}

static void test_sentences(void **state)
{
    (void)state;
    fn_err_clear();
    assert_string_equal(fn_err_text(FN_EIO), "input/output error");
    assert_int_equal(fn_fail(FN_EFORMAT, "%s:%d: 6 columns, want 7", "a.tsv", 3), FN_EFORMAT);
    assert_string_equal(fn_err_text(FN_EFORMAT), "a.tsv:3: 6 columns, want 7");
    assert_int_equal(fn_fail_in(FN_OK, "nothing"), FN_OK);
    assert_string_equal(fn_err_text(FN_EFORMAT), "a.tsv:3: 6 columns, want 7");
    assert_int_equal(fn_fail_in(FN_EFORMAT, "input %d", 1), FN_EFORMAT);
    assert_string_equal(fn_err_text(FN_EFORMAT), "input 1: a.tsv:3: 6 columns, want 7");
    /* An argument may be the sentence itself. */
    fn_fail(FN_EIO, "again (%s)", fn_err_text(FN_EFORMAT));
    assert_string_equal(fn_err_text(FN_EIO), "again (input 1: a.tsv:3: 6 columns, want 7)");
    /* A name that would break the line or drive the terminal. */
    fn_fail(FN_EIO, "%s", "a\nb\033[2Jc\177");
    assert_string_equal(fn_err_text(FN_EIO), "a?b?[2Jc?");
    fn_err_clear();
    assert_int_equal(fn_fail_in(FN_ENOMEM, "here"), FN_ENOMEM);
    assert_string_equal(fn_err_text(FN_ENOMEM), "here: out of memory");
}

static void test_sentences_of_system_calls(void **state)
{
    (void)state;
    static const struct {
        int error, code;
    } map[] = {{ENOSPC, FN_ENOSPC}, {EDQUOT, FN_ENOSPC}, {ENOMEM, FN_ENOMEM}, {ENOENT, FN_ENOENT},
               {EEXIST, FN_EEXIST}, {EACCES, FN_EIO},    {EMFILE, FN_EIO}};
    for (size_t i = 0; i < sizeof map / sizeof map[0]; i++) {
        char want[200];
        snprintf(want, sizeof want, "x: cannot open: %s", strerror(map[i].error));
        errno = map[i].error;
        assert_int_equal(fn_fail_errno("%s: cannot open", "x"), map[i].code);
        assert_string_equal(fn_err_text(0), want);
    }
}

static void test_long_sentences(void **state)
{
    (void)state;
    char text[3000];
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\0';
    fn_fail(FN_EIO, "%s", text);
    assert_int_equal(strlen(fn_err_text(0)), 1000);
    /* A two-byte character across the limit goes as a whole, one before it stays. */
    memcpy(text + 999, "\xc3\xa9", 2);
    fn_fail(FN_EIO, "%s", text);
    assert_int_equal(strlen(fn_err_text(0)), 999);
    memcpy(text + 998, "\xc3\xa9", 2);
    text[1000] = 'a';
    fn_fail(FN_EIO, "%s", text);
    assert_int_equal(strlen(fn_err_text(0)), 1000);
    /* The reason stays even behind a path that is too long, and so does the first sentence. */
    errno = EACCES;
    fn_fail_errno("%s", text);
    assert_int_equal(strlen(fn_err_text(0)), 1000);
    assert_non_null(strstr(fn_err_text(0), ": Permission denied"));
    fn_fail(FN_EIO, "short");
    fn_fail_in(FN_EIO, "%s", text);
    assert_non_null(strstr(fn_err_text(0), ": short"));
}

static void *fail_elsewhere(void *argument)
{
    fn_fail(FN_ECORRUPT, "record 7 is damaged");
    fn_err_note_take(argument, FN_ECORRUPT);
    return NULL;
}

static void test_notes_cross_threads(void **state)
{
    (void)state;
    struct fn_err_note note = {0};
    pthread_t thread;
    fn_fail(FN_EIO, "mine");
    assert_int_equal(pthread_create(&thread, NULL, fail_elsewhere, &note), 0);
    pthread_join(thread, NULL);
    assert_string_equal(fn_err_text(FN_EIO), "mine");
    assert_int_equal(fn_err_note_raise(&note), FN_ECORRUPT);
    assert_string_equal(fn_err_text(FN_ECORRUPT), "record 7 is damaged");
    note.code = FN_OK;
    strcpy(note.text, "no failure");
    assert_int_equal(fn_err_note_raise(&note), FN_OK);
    assert_string_equal(fn_err_text(FN_ECORRUPT), "record 7 is damaged");
}

static void test_numbers_for_people(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } bytes[] = {{0, "0 B"},           {999, "999 B"},     {1000, "1.0 kB"},  {11700, "11.7 kB"},
                 {999949, "999.9 kB"}, {999951, "1.0 MB"}, {1.2e9, "1.2 GB"}, {5e21, "5000.0 EB"}},
      times[] = {
          {0.04, "0.0 s"},          {3.21, "3.2 s"},     {9.96, "10 s"},       {42.4, "42 s"},
          {59.6, "1 min 0 s"},      {200, "3 min 20 s"}, {7500, "2 h 05 min"}, {86399.9, "1 d 0 h"},
          {3.2 * 86400, "3 d 4 h"}, {-1, "?"},           {NAN, "?"},           {INFINITY, "?"}};
    char buf[40];
    for (size_t i = 0; i < sizeof bytes / sizeof bytes[0]; i++)
        assert_string_equal(fn_human_bytes(bytes[i].value, buf, sizeof buf), bytes[i].text);
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
        assert_string_equal(fn_human_time(times[i].value, buf, sizeof buf), times[i].text);
}

static void test_json_parse(void **state)
{
    (void)state;
    static const char good[] = "{\"n\": 3, \"x\": 0.5, \"s\": \"t\\u00e9\", \"on\": true}";
    json_t *value = NULL, *member;
    int64_t n = 0;
    double x = 0;
    const char *s = NULL;
    assert_ok(fn_json_parse(good, sizeof good - 1, "a.json", &value));
    assert_ok(fn_json_int(value, "n", "a.json", &n));
    assert_ok(fn_json_real(value, "x", "a.json", &x));
    assert_true(n == 3 && x == 0.5);
    assert_ok(fn_json_real(value, "n", "a.json", &x)); /* an integer is a number */
    assert_true(x == 3);
    assert_ok(fn_json_string(value, "s", "a.json", &s));
    assert_string_equal(s, "t\xc3\xa9");
    assert_ok(fn_json_member(value, "on", JSON_FALSE, "a.json", &member));
    assert_true(json_is_true(member));

    assert_int_equal(fn_json_int(value, "m", "a.json", &n), FN_EFORMAT);
    assert_string_equal(fn_err_text(0), "a.json: no member \"m\"");
    assert_int_equal(fn_json_int(value, "x", "a.json", &n), FN_EFORMAT);
    assert_string_equal(fn_err_text(0), "a.json: member \"x\" is a number, want an integer");
    assert_int_equal(fn_json_string(NULL, "x", "a.json", &s), FN_EFORMAT);
    assert_string_equal(fn_err_text(0), "a.json: want an object with a member \"x\"");
    json_decref(value);

    static const char *const bad[] = {"", "{", "{\"a\": 1, \"a\": 2}", "[1] 2",
                                      "{\"a\": \"\xff\"}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(fn_json_parse(bad[i], strlen(bad[i]), "b.json", &value), FN_EFORMAT);
        assert_null(value);
        assert_memory_equal(fn_err_text(0), "b.json:", 7);
    }
    assert_int_equal(fn_json_load("/nonexistent/c.json", 100, &value), FN_ENOENT);
    assert_null(value);
}

static void test_json_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t count;
        const char *text;
    } map[] = {
        {"", 0, ""},
        {"plain", 5, "plain"},
        {"a\\b", 3, "a\\\\b"},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"\xff", 1, "\\xff"},
        {"a\0b", 3, "a\\x00b"},
        {"\xc3", 1, "\\xc3"},                            /* cut short */
        {"\xc3(", 2, "\\xc3("},                          /* no continuation */
        {"\xc0\x80", 2, "\\xc0\\x80"},                   /* overlong */
        {"\xe0\x9f\xbf", 3, "\\xe0\\x9f\\xbf"},          /* overlong */
        {"\xed\xa0\x80", 3, "\\xed\\xa0\\x80"},          /* surrogate */
        {"\xf4\x90\x80\x80", 4, "\\xf4\\x90\\x80\\x80"}, /* above 10ffff */
        {"\xe2\x82", 2, "\\xe2\\x82"},
    };
    for (size_t i = 0; i < sizeof map / sizeof map[0]; i++) {
        json_t *value = fn_json_bytes(map[i].bytes, map[i].count);
        assert_non_null(value);
        assert_string_equal(json_string_value(value), map[i].text);
        json_decref(value);
    }
}

static void test_json_text(void **state)
{
    (void)state;
    json_t *value = json_pack("{s:i, s:[s, b], s:f}", "b", 1, "a", "x", 0, "c", 0.25);
    char *text = fn_json_text(value);
    assert_string_equal(
        text, "{\n  \"a\": [\n    \"x\",\n    false\n  ],\n  \"b\": 1,\n  \"c\": 0.25\n}\n");
    free(text);
    json_decref(value);
}

/* Each type as a member by its name, and what is said to whoever wants another. */
static void test_json_types(void **state)
{
    static const struct {
        const char *key, *name;
        json_type type;
    } kinds[] = {
        {"o", "an object", JSON_OBJECT},    {"a", "an array", JSON_ARRAY},
        {"s", "a string", JSON_STRING},     {"i", "an integer", JSON_INTEGER},
        {"r", "a number", JSON_REAL},       {"t", "true or false", JSON_TRUE},
        {"f", "true or false", JSON_FALSE}, {"n", "null", JSON_NULL},
    };
    static const char text[] =
        "{\"o\": {}, \"a\": [], \"s\": \"\", \"i\": 1, \"r\": 0.5, \"t\": true, "
        "\"f\": false, \"n\": null}";
    json_t *value, *member;
    char want[128];
    double x;
    (void)state;
    assert_ok(fn_json_parse(text, sizeof text - 1, "k", &value));
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const json_type other = kinds[i].type == JSON_ARRAY ? JSON_OBJECT : JSON_ARRAY;
        assert_ok(fn_json_member(value, kinds[i].key, kinds[i].type, "k", &member));
        assert_true(json_typeof(member) == kinds[i].type);
        assert_int_equal(fn_json_member(value, kinds[i].key, other, "k", &member), FN_EFORMAT);
        assert_null(member);
        snprintf(want, sizeof want, "k: member \"%s\" is %s, want %s", kinds[i].key, kinds[i].name,
                 other == JSON_OBJECT ? "an object" : "an array");
        assert_string_equal(fn_err_text(0), want);
    }
    assert_int_equal(fn_json_real(value, "s", "k", &x), FN_EFORMAT);
    json_decref(value);
}

/* Standard output in a file, and nowhere. */
static void test_json_print(void **state)
{
    char line[64] = "";
    FILE *file = tmpfile();
    int full = open("/dev/full", O_WRONLY), before;
    (void)state;
    assert_non_null(file);
    fflush(stdout);
    before = dup(STDOUT_FILENO);
    json_t *value = json_pack("{s:i, s:f}", "b", 1, "a", 0.1);
    dup2(fileno(file), STDOUT_FILENO);
    int rc = fn_json_print(value), lost = FN_OK;
    if (full >= 0) {
        dup2(full, STDOUT_FILENO);
        lost = fn_json_print(value);
        clearerr(stdout);
    }
    dup2(before, STDOUT_FILENO);
    assert_ok(rc);
    rewind(file);
    assert_non_null(fgets(line, sizeof line, file));
    assert_string_equal(line, "{\"a\": 0.1, \"b\": 1}\n");
    if (full >= 0) {
        assert_true(lost != FN_OK);
        assert_non_null(strstr(fn_err_text(lost), "cannot write to standard output"));
        close(full);
    }
    json_decref(value);
    fclose(file);
    close(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_of_codes),
        cmocka_unit_test(test_sentences),
        cmocka_unit_test(test_sentences_of_system_calls),
        cmocka_unit_test(test_long_sentences),
        cmocka_unit_test(test_notes_cross_threads),
        cmocka_unit_test(test_numbers_for_people),
        cmocka_unit_test(test_json_parse),
        cmocka_unit_test(test_json_bytes),
        cmocka_unit_test(test_json_text),
        cmocka_unit_test(test_json_types),
        cmocka_unit_test(test_json_print),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
