/* SPDX-License-Identifier: MIT */
/* Repair: whatever was hit, everything else comes back, and what does not is listed. Each round
 * damages a copy in its own way and compares with what the copy had. FN_REPAIR_ROUNDS sets how many
 * (tests/long/store_repairs.sh asks for many more). */
#include <fcntl.h>
#include <sys/stat.h>

#include "ingest/repair.h"
#include "store/manifest.h"
#include "store/reader_internal.h"
#include "store/verify.h"
#include "tests/store_rows.h"

static const struct make rows = {.rows = 1500,
                                 .classes = 25,
                                 .least = 500,
                                 .most = 3000,
                                 .odd = 1,
                                 .shard_bytes = 1 << 20,
                                 .min_images = 20};

struct item { /* a live record of the sound store, and its bytes in the file of its shard */
    char names[160];
    uint64_t checksum, shard, from, to;
    int hit;
};
static struct item *items;
static size_t item_count;
static char *folder, good[4200], bad[4200], made[4200], lost[4200], content_id[33];
static uint64_t shards;

static char *in(const char *store, const char *file)
{
    static char path[2][4600];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", store, file);
    return path[turn];
}

static void name_of(const struct fn_record *rec, char text[160])
{
    snprintf(text, 160, "%.*s/%.*s", (int)rec->class_bytes, rec->class_name, (int)rec->name_bytes,
             rec->name);
}

static void list_items(void)
{
    struct fn_store *store = NULL;
    struct fn_reader *reader = NULL;
    assert_ok(fn_store_open(&store, good));
    assert_ok(fn_reader_open(&reader, store));
    shards = store->info.shards;
    assert_true(shards >= 3);
    item_count = store->info.records;
    items = calloc(item_count, sizeof *items);
    assert_non_null(items);
    uint64_t group = 0, at = 0, number = 0;
    for (uint64_t id = 0; id < item_count; id++) {
        struct fn_record rec;
        uint64_t location;
        const uint8_t *value;
        size_t bytes;
        assert_ok(fn_reader_get(reader, id, &rec));
        assert_ok(fn_index_location(store->index, id, &location));
        for (; group < fn_location_group(location); group++) {
            assert_ok(fn_reader_group(reader, group, &value, &bytes));
            at += bytes + 16;
        }
        if (fn_store_shard_of(store, group) != number || id == 0) {
            number = fn_store_shard_of(store, group);
            at = 8192;
            for (uint64_t g = store->shards[number].facts.first_group; g < group; g++) {
                assert_ok(fn_reader_group(reader, g, &value, &bytes));
                at += bytes + 16;
            }
        }
        name_of(&rec, items[id].names);
        items[id].checksum = rec.checksum;
        items[id].shard = number;
        items[id].from = at + 16 + fn_location_where(location);
        items[id].to =
            items[id].from + fn_record_size(rec.class_bytes, rec.name_bytes, rec.payload_bytes);
    }
    fn_reader_close(&reader);
    snprintf(content_id, sizeof content_id, "%s", store->info.content_id);
    fn_store_close(&store);
}

static int setup(void **state)
{
    (void)state;
    folder = test_folder();
    snprintf(good, sizeof good, "%s/good", folder);
    snprintf(bad, sizeof bad, "%s/bad", folder);
    snprintf(made, sizeof made, "%s/made", folder);
    snprintf(lost, sizeof lost, "%s/made.lost.tsv", folder);
    make_store(&rows, good, NULL);
    list_items();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    int rc = fn_remove_tree(folder);
    free(folder);
    free(items);
    return rc;
}

static void copy_file(const char *name)
{
    unsigned char *data;
    size_t bytes;
    assert_ok(fn_file_read(in(good, name), SIZE_MAX / 2, &data, &bytes));
    int fd = open(in(bad, name), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, bytes), (ssize_t)bytes);
    close(fd);
    free(data);
}

static const char *file_name(uint64_t i) /* the shards come first */
{
    static const char *const others[] = {"index.bin", "manifest.json", "provenance.json",
                                         "rejects.tsv"};
    static char name[32];
    if (i >= shards)
        return others[i - shards];
    snprintf(name, sizeof name, "shard-%05" PRIu64 ".mdb", i);
    return name;
}

static void fresh_copy(void)
{
    assert_ok(fn_remove_tree(bad));
    assert_ok(fn_remove_tree(made));
    unlink(lost);
    assert_int_equal(mkdir(bad, 0755), 0);
    for (uint64_t i = 0; i < shards + 4; i++)
        copy_file(file_name(i));
    for (size_t i = 0; i < item_count; i++)
        items[i].hit = 0;
}

static uint64_t size_of(uint64_t file)
{
    struct stat st;
    return stat(in(bad, file_name(file)), &st) == 0 ? (uint64_t)st.st_size : 0;
}

static void hit(uint64_t file, uint64_t from, uint64_t to)
{
    for (size_t i = 0; i < item_count && file < shards; i++)
        items[i].hit |= items[i].shard == file && items[i].from < to && items[i].to > from;
}

static void put(uint64_t file, uint64_t at, const uint8_t *bytes, size_t count)
{
    int fd = open(in(bad, file_name(file)), O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, count, (off_t)at), (ssize_t)count);
    close(fd);
    hit(file, at, at + count);
}

enum damage { FLIP, ZERO_PAGE, ZERO_STRETCH, CUT, REMOVE, KINDS };

/* Damage number `n` of a round to one file. */
static void damage(uint64_t round, uint64_t n, enum damage kind, uint64_t file)
{
    static const uint8_t zeros[1 << 20];
    uint64_t size = size_of(file), dice = fn_rng(11, round, n, 910);
    if (size == 0)
        return;
    if (kind == FLIP) {
        unsigned char *data;
        size_t bytes;
        uint64_t at = dice % size;
        assert_ok(fn_file_read(in(bad, file_name(file)), SIZE_MAX / 2, &data, &bytes));
        uint8_t byte = data[at] ^ (uint8_t)(1u << (dice >> 40 & 7));
        put(file, at, &byte, 1);
        free(data);
    } else if (kind == ZERO_PAGE || kind == ZERO_STRETCH) {
        uint64_t at = dice % size / 4096 * 4096;
        uint64_t most = kind == ZERO_PAGE ? 4096 : (dice >> 32) % sizeof zeros + 1;
        put(file, at, zeros, (size_t)(most < size - at ? most : size - at));
    } else if (kind == CUT) {
        uint64_t at = dice % size;
        assert_int_equal(truncate(in(bad, file_name(file)), (off_t)at), 0);
        hit(file, at, UINT64_MAX);
    } else {
        assert_int_equal(unlink(in(bad, file_name(file))), 0);
        hit(file, 0, UINT64_MAX);
    }
}

static void say_bad(void *context, const struct fn_verify_bad *found)
{
    (void)context;
    /* The made-up pictures of the rows do not decode: that alone is nothing. */
    if (!strstr(found->text, "JPEG") && !strstr(found->text, "neither"))
        fail_msg("the repaired store is not sound: %s", found->text);
}

static uint64_t count_lines(const char *path)
{
    unsigned char *text;
    size_t bytes;
    uint64_t lines = 0;
    if (!fn_is_file(path))
        return 0;
    assert_ok(fn_file_read(path, SIZE_MAX / 2, &text, &bytes));
    for (size_t i = 0; i < bytes; i++)
        lines += text[i] == '\n';
    free(text);
    return lines - 1; /* the title */
}

/* Everything that was not hit is in the new store, and nothing but what was in the old one. */
static void compare(uint64_t round, const struct fn_repair *r)
{
    struct fn_store *store = NULL;
    struct fn_reader *reader = NULL;
    uint64_t missing = 0;
    assert_ok(fn_store_open(&store, made));
    assert_ok(fn_reader_open(&reader, store));
    for (size_t i = 0; i < item_count; i++) {
        struct fn_record rec;
        char names[160];
        snprintf(names, sizeof names, "%s", items[i].names);
        char *slash = strchr(names, '/');
        *slash = 0;
        int rc = fn_reader_find(reader, names, slash + 1, &rec);
        missing += rc != FN_OK;
        if (!items[i].hit && rc)
            fail_msg("round %" PRIu64 ": %s was not hit and is gone: %s", round, items[i].names,
                     fn_err_text(rc));
        if (!items[i].hit && rec.checksum != items[i].checksum)
            fail_msg("round %" PRIu64 ": %s was not hit and is another", round, items[i].names);
    }
    if (missing > r->listed + r->unlisted && !r->gaps)
        fail_msg("round %" PRIu64 ": %" PRIu64 " are missing, %" PRIu64 " are listed", round,
                 missing, r->listed);
    assert_int_equal(count_lines(lost) + (r->listed == 0), r->listed + (r->listed == 0));
    fn_reader_close(&reader);
    fn_store_close(&store);
    struct fn_verify v = {.threads = 1, .bad = say_bad};
    assert_ok(fn_store_verify(made, &v));
}

static int repair(struct fn_repair *r)
{
    *r = (struct fn_repair){.store = bad, .to = made, .lost_file = lost, .command = "fn-ingest"};
    return fn_repair(r);
}

static uint64_t rounds(void)
{
    const char *text = getenv("FN_REPAIR_ROUNDS");
    return text ? strtoull(text, NULL, 10) : 25;
}

/* One bit, anywhere: nothing is lost at all. */
static void test_one_bit(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < rounds(); round++) {
        struct fn_repair r;
        uint64_t file = fn_rng(11, round, 77, 911) % (shards + 4);
        fresh_copy();
        damage(round, 0, FLIP, file);
        assert_ok(repair(&r));
        if (strcmp(r.sealed.content_id, content_id) != 0)
            fail_msg("round %" PRIu64 ": a flipped bit in %s is still there", round,
                     file_name(file));
        assert_int_equal(r.listed + r.unlisted + r.gaps + r.bad_rejects, 0);
    }
}

/* Much at once, in shards and whatever else. */
static void test_any_damage(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < rounds(); round++) {
        struct fn_repair r;
        uint64_t dice = fn_rng(11, round, 78, 911), count = 1 + dice % 6;
        uint64_t other = dice >> 20 & 3; /* which of the other files, at most one */
        fresh_copy();
        for (uint64_t n = 0; n < count; n++) {
            uint64_t d = fn_rng(11, round, n, 912);
            uint64_t file = (d >> 32) % (shards + 1);
            damage(round, n, (enum damage)(d % KINDS), file == shards ? shards + other : file);
        }
        int rc = repair(&r), left = 0;
        for (size_t i = 0; i < item_count; i++)
            left += !items[i].hit;
        if (rc && left)
            fail_msg("round %" PRIu64 ": %s", round, fn_err_text(rc));
        if (!rc)
            compare(round, &r);
    }
}

/* Manifest and provenance both gone: a sentence, and with options again everything. */
static void test_nothing_says_what_it_was(void **state)
{
    (void)state;
    struct fn_repair r;
    struct fn_store_content content = make_content(&rows);
    fresh_copy();
    assert_int_equal(unlink(in(bad, "manifest.json")), 0);
    assert_ok(repair(&r)); /* the provenance knows */
    assert_string_equal(r.sealed.content_id, content_id);
    assert_ok(fn_remove_tree(made));
    assert_int_equal(unlink(in(bad, "provenance.json")), 0);
    assert_int_equal(repair(&r), FN_ECORRUPT);
    assert_non_null(strstr(fn_err_text(FN_ECORRUPT), "--size"));
    r.fallback = &content;
    assert_ok(fn_repair(&r));
    assert_int_equal(r.sealed.records, item_count);
    assert_int_equal(r.by_fallback, 1);
    compare(0, &r);
}

/* A store of another version is not touched. */
static void test_newer(void **state)
{
    (void)state;
    struct fn_repair r;
    unsigned char *text;
    size_t bytes;
    fresh_copy();
    assert_ok(fn_file_read(in(bad, "manifest.json"), 1 << 20, &text, &bytes));
    char *at = strstr((char *)text, "\"version\": 1");
    assert_non_null(at);
    at[11] = '9';
    assert_ok(fn_self_sum_set((char *)text, bytes, "content_id"));
    assert_ok(fn_file_write(in(bad, "manifest.json"), text, bytes));
    free(text);
    assert_int_equal(repair(&r), FN_EVERSION);
}

/* Interrupted between any two rows, it goes on and ends the same. */
static void test_interrupted(void **state)
{
    (void)state;
    struct fn_repair r;
    char first[33];
    fresh_copy();
    damage(3, 0, ZERO_STRETCH, 1);
    damage(4, 0, FLIP, 0);
    assert_ok(repair(&r));
    memcpy(first, r.sealed.content_id, sizeof first);
    uint64_t listed = r.listed;
    assert_true(listed > 0);
    assert_int_equal(repair(&r), FN_EEXIST);
    for (int cut = 1; cut < 4; cut++) {
        struct fn_manifest *m = NULL;
        struct fn_writer *writer = NULL;
        struct fn_position from;
        struct fn_writer_counts counts;
        struct fn_store_content content = make_content(&rows);
        (void)m;
        assert_ok(fn_remove_tree(made));
        /* What a killed repair leaves: the first rows. They are those of the sound store. */
        struct make_row row = {0};
        assert_ok(fn_writer_open(&writer, made, &content, 0, &from, &counts));
        uint64_t put_rows = 0;
        for (uint64_t i = 0; put_rows < (uint64_t)cut * 40; i++) {
            make_row(&rows, i, &row);
            if (row.kind == MAKE_SKIP || row.kind == MAKE_FILTER)
                continue;
            assert_ok(make_put(writer, &row));
            put_rows++;
        }
        assert_ok(fn_writer_flush(writer));
        fn_writer_close(&writer);
        make_row_free(&row);
        assert_ok(repair(&r));
        assert_string_equal(r.sealed.content_id, first);
        assert_int_equal(r.listed, listed);
    }
}

/* The swap, cut after each of its steps. */
static void test_swap(void **state)
{
    (void)state;
    char aside[4200], marker[4300];
    int ready, done;
    snprintf(aside, sizeof aside, "%s/bad.damaged", folder);
    for (int cut = 0; cut < 4; cut++) {
        struct fn_repair r;
        fresh_copy();
        assert_ok(fn_remove_tree(aside));
        damage(5, 0, ZERO_PAGE, 0);
        assert_ok(repair(&r));
        assert_ok(fn_repair_swap_settle(bad, made, aside, &ready, &done));
        assert_int_equal(ready, 1);
        assert_int_equal(done, 0);
        if (cut == 0) {
            assert_ok(fn_repair_swap(bad, made, aside));
        } else { /* by hand, as far as it got */
            snprintf(marker, sizeof marker, "%s/.repaired", made);
            assert_ok(fn_file_write(marker, "", 0));
            if (cut == 1) { /* exchanged */
                assert_int_equal(renameat2(AT_FDCWD, made, AT_FDCWD, bad, RENAME_EXCHANGE), 0);
            } else {
                assert_int_equal(rename(bad, aside), 0);
                if (cut == 3)
                    assert_int_equal(rename(made, bad), 0);
            }
            assert_ok(fn_repair_swap_settle(bad, made, aside, &ready, &done));
            assert_int_equal(done, 1);
        }
        struct fn_manifest *m = NULL;
        assert_ok(fn_manifest_load(&m, bad));
        assert_string_equal(m->content_id, r.sealed.content_id);
        fn_manifest_free(&m);
        assert_false(fn_is_dir(made));
        assert_true(fn_is_dir(aside));
        snprintf(marker, sizeof marker, "%s/.repaired", bad);
        assert_false(fn_is_file(marker));
        assert_ok(fn_repair_swap_settle(bad, made, aside, &ready, &done));
        assert_int_equal(ready + done, 0);
        assert_int_equal(mkdir(made, 0755), 0);
        assert_int_equal(fn_repair_swap(bad, made, aside), FN_EEXIST);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_bit),
        cmocka_unit_test(test_any_damage),
        cmocka_unit_test(test_nothing_says_what_it_was),
        cmocka_unit_test(test_newer),
        cmocka_unit_test(test_interrupted),
        cmocka_unit_test(test_swap),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
