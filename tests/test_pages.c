/* SPDX-License-Identifier: MIT */
/* The pages that we write are read by LMDB as what they are, whatever the number of values. */
#include <fcntl.h>

#include <xxhash.h>

#include "base/file.h"
#include "store/pages.h"
#include "store/shard.h"
#include "tests/test.h"

/* A file with the right head and tree, and holes for values. */
static void write_file(const char *path, const struct fn_pages *pages)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)pages->file_bytes), 0);
    assert_int_equal(pwrite(fd, pages->head, FN_PAGES_HEAD, 0), FN_PAGES_HEAD);
    assert_int_equal(pwrite(fd, pages->tree, pages->tree_bytes, (off_t)pages->tree_at),
                     pages->tree_bytes);
    close(fd);
}

static void check_count(const char *path, size_t n, uint64_t first)
{
    struct fn_pages pages;
    struct fn_shard *shard = NULL;
    struct fn_shard_read *read = NULL;
    uint32_t *sizes = malloc(n * sizeof *sizes);
    const uint8_t *start = NULL, *value;
    uint64_t at = FN_PAGES_HEAD;
    size_t bytes;
    for (size_t i = 0; i < n; i++)
        sizes[i] = FN_VALUE_MIN + (uint32_t)(i % 3) * FN_PAGE;
    assert_ok(fn_pages_plan(&pages, first, sizes, n));
    write_file(path, &pages);
    struct fn_index_shard facts = {.first_group = first,
                                   .groups = n,
                                   .file_bytes = pages.file_bytes,
                                   .tree_at = pages.tree_at,
                                   .head_sum = XXH3_64bits(pages.head, FN_PAGES_HEAD),
                                   .tree_sum = XXH3_64bits(pages.tree, pages.tree_bytes)};
    assert_ok(fn_shard_open(&shard, path, &facts));
    assert_ok(fn_shard_read_open(&read, shard));
    for (size_t i = 0; i < n; i++) {
        assert_ok(fn_shard_read_get(read, first + i, &value, &bytes));
        start = start ? start : value;
        assert_int_equal(bytes, sizes[i]);
        assert_int_equal(value - start, at - FN_PAGES_HEAD);
        at += bytes + FN_PAGES_NODE_HEAD;
    }
    assert_int_equal(fn_shard_read_get(read, first + n, &value, &bytes), FN_ECORRUPT);
    if (first)
        assert_int_equal(fn_shard_read_get(read, first - 1, &value, &bytes), FN_ECORRUPT);
    fn_shard_read_close(&read);
    fn_shard_close(&shard);
    fn_pages_free(&pages);
    free(sizes);
}

static void test_counts(void **state)
{
    (void)state;
    char *folder = test_folder(), *path = fn_path_join(folder, "shard.mdb");
    /* Around a full leaf (156), a full branch (156 * 226), a last branch that would have one child.
     */
    const size_t counts[] = {1,   2,         155,           156,           157,
                             312, 156 * 226, 156 * 226 + 1, 156 * 227 + 1, 156 * 452 + 1};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        check_count(path, counts[i], i * 1000);
    fn_remove_tree(folder);
    free(path);
    free(folder);
}

static void test_bad_sizes(void **state)
{
    (void)state;
    struct fn_pages pages;
    uint32_t size = FN_VALUE_MIN - FN_PAGE;
    assert_int_equal(fn_pages_plan(&pages, 0, &size, 1), FN_ECORRUPT);
    fn_pages_free(&pages);
    size = FN_VALUE_MIN + 1;
    assert_int_equal(fn_pages_plan(&pages, 0, &size, 1), FN_ECORRUPT);
    fn_pages_free(&pages);
    size = UINT32_MAX; /* the length plus the page head would wrap */
    assert_int_equal(fn_pages_plan(&pages, 0, &size, 1), FN_ECORRUPT);
    fn_pages_free(&pages);
    uint8_t tree[FN_PAGE] = {0};
    uint32_t sizes[200];
    assert_int_equal(fn_pages_sizes(tree, sizeof tree, sizes, 157), FN_ECORRUPT);
    assert_ok(fn_pages_sizes(tree, sizeof tree, sizes, 156));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_bad_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
