/* SPDX-License-Identifier: MIT */
/* External sorting against qsort, from nothing to more runs than are merged at once. */
#include "base/file.h"
#include "base/rng.h"
#include "store/sort.h"
#include "tests/test.h"

struct item {
    size_t bytes;
    uint8_t data[300];
};

static int compare(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    int c = memcmp(x->data, y->data, x->bytes < y->bytes ? x->bytes : y->bytes);
    return c ? c : (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

static void check(const char *folder, size_t n, size_t memory)
{
    struct item *items = calloc(n + 1, sizeof *items);
    struct fn_sort *sort = NULL;
    const uint8_t *got;
    size_t bytes;
    assert_ok(fn_sort_open(&sort, folder, memory));
    for (size_t i = 0; i < n; i++) {
        items[i].bytes = fn_rng_below(fn_rng(3, i, 0, 900), 40);
        if (i % 1000 == 7)
            items[i].bytes = sizeof items->data;
        for (size_t k = 0; k < items[i].bytes; k++)
            items[i].data[k] = (uint8_t)(fn_rng(3, i, k, 901) % 3); /* many equal beginnings */
        assert_ok(fn_sort_add(sort, items[i].data, items[i].bytes));
    }
    assert_ok(fn_sort_start(sort));
    qsort(items, n, sizeof *items, compare);
    for (size_t i = 0; i < n; i++) {
        assert_ok(fn_sort_next(sort, &got, &bytes));
        assert_int_equal(bytes, items[i].bytes);
        assert_memory_equal(got, items[i].data, bytes);
    }
    assert_int_equal(fn_sort_next(sort, &got, &bytes), FN_SORT_END);
    fn_sort_close(&sort);
    free(items);
}

static void test_sizes(void **state)
{
    (void)state;
    char *folder = test_folder();
    check(folder, 0, 1 << 16);
    check(folder, 1, 1 << 16);
    check(folder, 1000, 1 << 20);       /* in memory */
    check(folder, 5000, 1 << 16);       /* a few runs */
    check(folder, 700000, 1 << 16);     /* more runs than one merge takes */
    assert_int_equal(rmdir(folder), 0); /* no temporary is left */
    free(folder);
}

static void test_failures(void **state)
{
    (void)state;
    struct fn_sort *sort = NULL;
    uint8_t item[FN_SORT_ITEM_MAX + 1] = {0};
    int rc = FN_OK;
    assert_ok(fn_sort_open(&sort, "/nowhere/at/all", 1 << 16));
    assert_int_equal(fn_sort_add(sort, item, sizeof item), FN_EINTERNAL);
    for (int i = 0; i < 10 && !rc; i++)
        rc = fn_sort_add(sort, item, sizeof item - 1);
    assert_int_equal(rc, FN_ENOENT);
    fn_sort_close(&sort);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
