/* SPDX-License-Identifier: MIT */
/* Writing a store and reading it back. ctest labels: threads */
#include <sys/stat.h>

#include "base/pipeline.h"
#include "store/format.h"
#include "store/manifest.h"
#include "tests/store_rows.h"

static char *folder, store_path[4200];

static int setup(void **state)
{
    (void)state;
    folder = test_folder();
    snprintf(store_path, sizeof store_path, "%s/db", folder);
    return folder ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    int rc = fn_remove_tree(folder);
    free(folder);
    return rc;
}

/* What a correct store of these rows holds, found the slow way. */
struct truth {
    uint64_t live, duplicates, collisions, rejects, skipped, filtered;
    uint64_t *rows; /* row of each id */
};

static void find_truth(const struct make *make, struct truth *truth)
{
    struct make_row row = {0}, other = {0};
    *truth = (struct truth){.rows = calloc(make->rows + 1, sizeof(uint64_t))};
    for (uint64_t i = 0; i < make->rows; i++) {
        int fate = FN_OK;
        make_row(make, i, &row);
        truth->rejects += row.kind == MAKE_REJECT;
        truth->skipped += row.kind == MAKE_SKIP;
        truth->filtered += row.kind == MAKE_FILTER;
        if (row.kind != MAKE_RECORD)
            continue;
        for (uint64_t id = truth->live; id-- > 0 && fate == FN_OK;) {
            if (i - truth->rows[id] > 120)
                break; /* the rows' copies are never farther away than two steps of 50 */
            make_row(make, truth->rows[id], &other);
            if (strcmp(row.name, other.name) != 0 || strcmp(row.class_name, other.class_name) != 0)
                continue;
            fate = row.payload.bytes == other.payload.bytes &&
                           memcmp(row.payload.data, other.payload.data, row.payload.bytes) == 0
                       ? 1
                       : 2;
        }
        if (fate == FN_OK)
            truth->rows[truth->live++] = i;
        truth->duplicates += fate == 1;
        truth->collisions += fate == 2;
    }
    make_row_free(&row);
    make_row_free(&other);
}

static void check_record(struct fn_reader *reader, const struct make *make, uint64_t id, uint64_t i)
{
    struct make_row row = {0};
    struct fn_record rec;
    uint64_t line = 0;
    make_row(make, i, &row);
    assert_ok(fn_reader_get(reader, id, &rec));
    assert_int_equal(rec.id, id);
    assert_int_equal(rec.offset, row.pos.offset);
    assert_int_equal(rec.input, row.pos.input);
    assert_int_equal(rec.class_bytes, row.rec.class_bytes);
    assert_memory_equal(rec.class_name, row.class_name, rec.class_bytes);
    assert_int_equal(rec.name_bytes, row.rec.name_bytes);
    assert_memory_equal(rec.name, row.name, rec.name_bytes);
    assert_int_equal(rec.codec, row.rec.codec);
    assert_int_equal(rec.w, row.rec.w);
    assert_int_equal(rec.payload_bytes, row.payload.bytes);
    assert_memory_equal(rec.payload, row.payload.data, rec.payload_bytes);
    assert_ok(fn_reader_line(reader, id, &line));
    assert_int_equal(line, row.pos.line);
    make_row_free(&row);
}

static void check_classes(struct fn_store *store, struct fn_reader *reader)
{
    const struct fn_store_info *info = fn_store_get_info(store);
    uint64_t total = 0;
    const char *before = NULL;
    for (uint32_t label = 0; label < info->classes; label++) {
        const char *name;
        const uint64_t *ids;
        uint64_t count;
        uint32_t found;
        assert_ok(fn_store_class_name(store, label, &name));
        assert_true(!before || strcmp(before, name) < 0);
        before = name;
        assert_ok(fn_store_class_find(store, name, &found));
        assert_int_equal(found, label);
        assert_ok(fn_store_members(store, label, &ids, &count));
        assert_true(count >= 1);
        total += count;
        for (uint64_t i = 0; i < count; i++) {
            struct fn_record rec, again;
            char record_name[FN_NAME_MAX + 1];
            assert_true(i == 0 || ids[i - 1] < ids[i]);
            assert_ok(fn_reader_get(reader, ids[i], &rec));
            assert_int_equal(rec.label, label);
            assert_int_equal(rec.class_bytes, strlen(name));
            assert_memory_equal(rec.class_name, name, rec.class_bytes);
            snprintf(record_name, sizeof record_name, "%.*s", (int)rec.name_bytes, rec.name);
            assert_ok(fn_reader_find(reader, name, record_name, &again));
            assert_int_equal(again.id, ids[i]);
        }
    }
    assert_int_equal(total, info->records);
}

static void test_roundtrip(void **state)
{
    (void)state;
    struct make make = {
        .rows = 3000, .classes = 40, .least = 500, .most = 4000, .odd = 1, .shard_bytes = 1 << 20};
    struct fn_seal_result result;
    struct fn_store *store = NULL;
    struct fn_reader *reader = NULL;
    struct truth truth;
    find_truth(&make, &truth);
    make_store(&make, store_path, &result);
    assert_int_equal(result.records, truth.live);
    assert_int_equal(result.duplicates, truth.duplicates);
    assert_int_equal(result.collisions, truth.collisions);
    assert_true(truth.duplicates > 50 && truth.collisions > 20 && truth.rejects > 50);
    assert_ok(fn_store_open(&store, store_path));
    const struct fn_store_info *info = fn_store_get_info(store);
    assert_int_equal(info->records, truth.live);
    assert_int_equal(info->rows, make.rows);
    assert_int_equal(info->rejected, truth.rejects + truth.collisions);
    assert_int_equal(info->skipped, truth.skipped);
    assert_int_equal(info->filtered, truth.filtered);
    assert_int_equal(info->store_bytes, result.store_bytes);
    assert_string_equal(info->content_id, result.content_id);
    assert_true(info->shards > 3);
    assert_ok(fn_reader_open(&reader, store));
    for (uint64_t id = 0; id < truth.live; id++)
        check_record(reader, &make, id, truth.rows[id]);
    check_classes(store, reader);
    fn_reader_close(&reader);
    fn_store_close(&store);
    free(truth.rows);
}

static void test_empty(void **state)
{
    (void)state;
    struct make make = {.rows = 0, .classes = 1};
    struct fn_seal_result result;
    struct fn_store *store = NULL;
    struct fn_reader *reader = NULL;
    struct fn_record rec;
    uint32_t label;
    make_store(&make, store_path, &result);
    assert_int_equal(result.records, 0);
    assert_ok(fn_store_open(&store, store_path));
    assert_int_equal(fn_store_get_info(store)->classes, 0);
    assert_ok(fn_reader_open(&reader, store));
    assert_int_equal(fn_reader_get(reader, 0, &rec), FN_ENOENT);
    assert_int_equal(fn_store_class_find(store, "x", &label), FN_ENOENT);
    assert_int_equal(fn_store_label(store, 0, &label), FN_ENOENT);
    assert_int_equal(fn_reader_find(reader, "x", "y", &rec), FN_ENOENT);
    fn_reader_close(&reader);
    fn_store_close(&store);
}

static void test_names(void **state)
{
    (void)state;
    char longest[257];
    memset(longest, 'x', sizeof longest);
    assert_true(fn_name_ok("m.0abc", 6));
    assert_true(fn_name_ok("...", 3));
    assert_true(fn_name_ok("\xff\xfe", 2));
    assert_true(fn_name_ok(longest, 255));
    assert_false(fn_name_ok(longest, 256));
    assert_false(fn_name_ok("", 0));
    assert_false(fn_name_ok(".", 1));
    assert_false(fn_name_ok("..", 2));
    assert_false(fn_name_ok("a/b", 3));
    assert_false(fn_name_ok("a\tb", 3));
    assert_false(fn_name_ok("a\0b", 3));
    assert_false(fn_name_ok("a\x7f", 2));
}

/* The largest value and the smallest, names of 255 bytes, one record a group. */
static void test_extremes(void **state)
{
    (void)state;
    struct fn_store_content content = {.size = 0, .codec = "keep"};
    struct fn_writer *writer = NULL;
    struct fn_writer_counts counts;
    struct fn_position from, pos = {.line = 1};
    struct fn_seal_result result;
    struct fn_store *store = NULL;
    struct fn_reader *reader = NULL;
    struct fn_record rec;
    char name[256];
    size_t huge = (size_t)70 << 20; /* more than a commit gathers */
    uint8_t *payload = calloc(1, huge);
    memset(name, 'n', sizeof name);
    assert_ok(fn_writer_open(&writer, store_path, &content, 0, &from, &counts));
    for (int i = 0; i < 8; i++) {
        name[0] = (char)('a' + i);
        struct fn_new_record row = {
            name, name, 255, 255, FN_CODEC_JPEG, 1, 1, payload, i % 2 ? huge : 1, 0, 0};
        pos.line = (uint64_t)i + 1;
        assert_ok(fn_writer_add(writer, &pos, &row));
    }
    assert_ok(fn_writer_seal(writer, NULL, &result));
    fn_writer_close(&writer);
    assert_ok(fn_store_open(&store, store_path));
    assert_ok(fn_reader_open(&reader, store));
    for (uint64_t i = 0; i < 8; i++) {
        assert_ok(fn_reader_get(reader, i, &rec));
        assert_int_equal(rec.payload_bytes, i % 2 ? huge : 1);
    }
    fn_reader_close(&reader);
    fn_store_close(&store);
    free(payload);
}

struct readers {
    struct fn_store *store;
    struct fn_reader *reader[8];
};

/* One of many threads, all of which use every shard and block first. */
static int read_backwards(void *context, int worker, size_t i)
{
    struct readers *r = context;
    uint64_t records = fn_store_get_info(r->store)->records;
    struct fn_record rec;
    (void)i;
    if (!r->reader[worker]) {
        int rc = fn_reader_open(&r->reader[worker], r->store);
        if (rc)
            return rc;
    }
    for (uint64_t id = records; id-- > 0;) {
        const uint64_t *ids;
        uint64_t count;
        int rc = fn_reader_get(r->reader[worker], id, &rec);
        if (!rc)
            rc = fn_store_members(r->store, rec.label, &ids, &count);
        if (rc)
            return rc;
    }
    return FN_OK;
}

static void test_threads(void **state)
{
    (void)state;
    struct make make = {
        .rows = 1500, .classes = 200, .least = 500, .most = 3000, .shard_bytes = 1 << 19};
    make_store(&make, store_path, NULL);
    for (int round = 0; round < 5; round++) {
        struct readers r = {0};
        assert_ok(fn_store_open(&r.store, store_path));
        assert_ok(fn_parallel_for(8, 16, &r, read_backwards));
        for (int i = 0; i < 8; i++)
            fn_reader_close(&r.reader[i]);
        fn_store_close(&r.store);
    }
}

/* A store of a later format is refused as such, not called damaged; and never misread. */
static void test_newer(void **state)
{
    (void)state;
    struct make make = {.rows = 20, .classes = 2, .least = 50, .most = 300};
    struct fn_store *store = NULL;
    unsigned char *text;
    size_t bytes;
    char path[4300];
    make_store(&make, store_path, NULL);
    snprintf(path, sizeof path, "%s/manifest.json", store_path);
    assert_ok(fn_file_read(path, 1 << 20, &text, &bytes));
    char *version = strstr((char *)text, "\"version\": 1");
    assert_non_null(version);
    version[11] = '2';
    assert_ok(fn_self_sum_set((char *)text, bytes, "content_id"));
    assert_ok(fn_file_write(path, text, bytes));
    assert_int_equal(fn_store_open(&store, store_path), FN_EVERSION);
    assert_non_null(strstr(fn_err_text(FN_EVERSION), "version 2"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_newer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_roundtrip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(test_extremes, setup, teardown),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
