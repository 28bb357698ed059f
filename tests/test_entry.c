/* SPDX-License-Identifier: MIT */
/* Paths in archives: which are pictures, of which class, under which name. */
#include "tests/test.h"

#include "ingest/entry.h"
#include "store/store.h"

static void check(const char *path, size_t bytes, enum fn_entry_kind want, const char *names)
{
    struct fn_entry_name name = {"", "", 0, 0};
    char text[1024];
    char *exact = malloc(bytes ? bytes : 1); /* a read of the byte behind it is seen */
    assert_non_null(exact);
    memcpy(exact, path, bytes);
    enum fn_entry_kind kind = fn_entry_name(exact, bytes, &name);
    if (kind != want)
        fail_msg("'%.*s' is %d, not %d", (int)bytes, path, kind, want);
    if (kind == FN_ENTRY_PICTURE) {
        snprintf(text, sizeof text, "%.*s/%.*s", (int)name.class_bytes, name.class_name,
                 (int)name.name_bytes, name.name);
        assert_string_equal(text, names);
        assert_true(fn_name_ok(name.class_name, name.class_bytes));
        assert_true(fn_name_ok(name.name, name.name_bytes));
    }
    free(exact);
}

static void pictures(void **state)
{
    static const char *const good[][2] = {
        {"lfw/Ann/Ann_0001.jpg", "Ann/Ann_0001"},
        {"Ann/1.jpg", "Ann/1"},
        {"./Ann/1.JPEG", "Ann/1"},
        {"a/b/c/d/e/Ann/1.png", "Ann/1"},
        {"/Ann/1.png", "Ann/1"},
        {"../../etc/passwd.jpg", "etc/passwd"},
        {"../Ann/1.jpg", "Ann/1"},
        {"Ann//.///1.jpg", "Ann/1"},
        {"Ann/./1.jpg", "Ann/1"},
        {"Ann Lee/1 (2).jpg", "Ann Lee/1 (2)"},
        {"Ann/1.tar.jpg", "Ann/1.tar"},
        {"J\xc3\xbcrgen/\xe6\x97\xa5.jpg", "J\xc3\xbcrgen/\xe6\x97\xa5"},
        {"caf\xe9/\xff.jpg", "caf\xe9/\xff"},
        {"Ann/...jpg.jpg", NULL}, /* hidden */
        {"C:\\x/Ann\\1.jpg", "C:\\x/Ann\\1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        check(good[i][0], strlen(good[i][0]), good[i][1] ? FN_ENTRY_PICTURE : FN_ENTRY_OTHER,
              good[i][1]);
}

static void others(void **state)
{
    static const char *const other[] = {
        "",
        "/",
        ".",
        "..",
        "1.jpg",
        "/1.jpg",
        "./1.jpg",
        "Ann",
        "Ann/",
        "Ann/1.jpg/",
        "Ann/1.txt",
        "Ann/.1.jpg",
        "Ann/._1.jpg",
        "Ann/.jpg",
        ".git/Ann/1.jpg",
        "__MACOSX/Ann/1.jpg",
        "x/__MACOSX/Ann/1.jpg",
        "Ann/jpg",
        "Ann/1.jpg ",
        "Ann/..jpg",
        ".Ann/1.jpg",
        "Ann\\1.jpg",
    };
    static const char *const bad[] = {"a/../1.jpg", "Ann/\x01.jpg", "A\nnn/1.jpg", "Ann/\x7f.png"};
    (void)state;
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++)
        check(other[i], strlen(other[i]), FN_ENTRY_OTHER, NULL);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        check(bad[i], strlen(bad[i]), FN_ENTRY_BAD_NAME, NULL);
    check("Ann/\0.jpg", 9, FN_ENTRY_BAD_NAME, NULL);
    assert_int_equal(fn_entry_hidden("../a/b", 6), 0);
    assert_int_equal(fn_entry_hidden("a/..b", 5), 1);
}

static void lengths(void **state)
{
    char path[1200], names[600];
    (void)state;
    for (size_t n = 250; n < 260; n++) {
        memset(path, 'p', 300);
        path[300] = '/';
        memset(path + 301, 'c', n);
        memcpy(path + 301 + n, "/n.jpg", 7);
        snprintf(names, sizeof names, "%.*s/n", (int)n, path + 301);
        check(path, strlen(path), n <= 255 ? FN_ENTRY_PICTURE : FN_ENTRY_BAD_NAME, names);
        memcpy(path, "c/", 2);
        memset(path + 2, 'n', n);
        memcpy(path + 2 + n, ".jpg", 5);
        snprintf(names, sizeof names, "c/%.*s", (int)n, path + 2);
        check(path, strlen(path), n <= 255 ? FN_ENTRY_PICTURE : FN_ENTRY_BAD_NAME, names);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures),
        cmocka_unit_test(others),
        cmocka_unit_test(lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
