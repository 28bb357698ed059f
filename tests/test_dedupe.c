/* SPDX-License-Identifier: MIT */
/* Selection at sealing, against the plain rule written down once more: equal pictures, the first so
 * many of a class, classes that are too small; and what does not depend on them. */
#include "tests/store_rows.h"

#include <stdlib.h>

static char folder[64], path[128];

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/fn-dedupe-XXXXXX");
    snprintf(path, sizeof path, "%s/db", mkdtemp(folder));
    return 0;
}

static int teardown(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

enum { ROWS = 3000, CLASSES = 40, PICTURES = 900 };

struct made { /* row i */
    uint32_t class_number, picture;
};

static struct made made_row(uint32_t i)
{
    struct made row = {(uint32_t)(fn_rng(11, i, 0, 920) % CLASSES),
                       (uint32_t)(fn_rng(11, i, 1, 920) % PICTURES)};
    if (row.class_number > 30 && i % 4)
        row.class_number -= 30; /* some classes are small */
    return row;
}

static void write_rows(const struct fn_store_content *content, struct fn_seal_result *result)
{
    struct fn_writer *writer = NULL;
    struct fn_writer_counts counts;
    struct fn_position from;
    assert_ok(fn_writer_open(&writer, path, content, 0, &from, &counts));
    for (uint32_t i = 0; i < ROWS; i++) {
        struct made row = made_row(i);
        uint8_t rgb[3] = {(uint8_t)row.picture, (uint8_t)(row.picture >> 8), (uint8_t)(i & 1)};
        char class_name[16], name[16];
        struct fn_position pos = {.line = i + 1, .offset = i, .next = i + 1};
        struct fn_new_record rec = {.class_name = class_name, .name = name};
        rec.class_bytes = (size_t)snprintf(class_name, sizeof class_name, "c%u", row.class_number);
        rec.name_bytes = (size_t)snprintf(name, sizeof name, "%u", i * 7919 % ROWS);
        rec.codec = FN_CODEC_RAW;
        rec.w = rec.h = 1;
        rec.payload = rgb;
        rec.payload_bytes = 3;
        rec.pixels = row.picture; /* 0: not known, so equal to nothing */
        assert_ok(fn_writer_add(writer, &pos, &rec));
    }
    assert_ok(fn_writer_seal(writer, NULL, result));
    fn_writer_close(&writer);
}

struct want {
    uint8_t live[ROWS];
    uint64_t records, same_pixels, conflicts, small, surplus;
};

static void choose(const struct fn_store_content *content, struct want *want)
{
    static uint32_t seen[CLASSES][PICTURES];
    uint64_t count[CLASSES] = {0}, taken[CLASSES] = {0};
    memset(seen, 0, sizeof seen);
    memset(want, 0, sizeof *want);
    for (uint32_t i = 0; i < ROWS; i++) {
        struct made row = made_row(i);
        int same = content->dedupe_pixels && row.picture && seen[row.class_number][row.picture]++;
        want->same_pixels += (uint64_t)same;
        want->live[i] = !same;
        count[row.class_number] += !same;
    }
    for (uint32_t p = 1; p < PICTURES && content->dedupe_pixels; p++) {
        uint64_t classes = 0;
        for (int c = 0; c < CLASSES; c++)
            classes += seen[c][p] > 0;
        want->conflicts += classes > 1 ? classes : 0;
    }
    for (uint32_t i = 0; i < ROWS; i++) {
        uint32_t c = made_row(i).class_number;
        if (!want->live[i])
            continue;
        int small = count[c] < content->min_images;
        int surplus = !small && content->max_per_class && taken[c]++ >= content->max_per_class;
        want->small += (uint64_t)small;
        want->surplus += (uint64_t)surplus;
        want->live[i] = !small && !surplus;
        want->records += want->live[i];
    }
}

static void compare(const struct fn_store_content *content)
{
    static struct want want;
    struct fn_seal_result result;
    struct fn_store *store = NULL;
    struct fn_reader *reader = NULL;
    uint64_t id = 0;
    choose(content, &want);
    write_rows(content, &result);
    assert_int_equal(result.records, want.records);
    assert_int_equal(result.same_pixels, want.same_pixels);
    assert_int_equal(result.duplicates, want.same_pixels);
    assert_int_equal(result.conflicts, want.conflicts);
    assert_int_equal(result.filtered, want.small + want.surplus);
    assert_ok(fn_store_open(&store, path));
    assert_ok(fn_reader_open(&reader, store));
    assert_int_equal(fn_store_get_info(store)->records, want.records);
    for (uint32_t i = 0; i < ROWS; i++) {
        struct fn_record rec;
        if (!want.live[i])
            continue;
        assert_ok(fn_reader_get(reader, id++, &rec));
        assert_int_equal(rec.offset, i);
    }
    for (uint32_t label = 0; label < fn_store_get_info(store)->classes; label++) {
        const uint64_t *ids;
        uint64_t count;
        assert_ok(fn_store_members(store, label, &ids, &count));
        assert_true(count >= 1 && (!content->max_per_class || count <= content->max_per_class));
    }
    fn_reader_close(&reader);
    fn_store_close(&store);
}

static const struct fn_store_content plain = {.size = 1, .codec = "raw"};

static void by_pixels(void **state)
{
    struct fn_store_content content = plain;
    (void)state;
    content.dedupe_pixels = 1;
    compare(&content);
}

static void at_most(void **state)
{
    struct fn_store_content content = plain;
    (void)state;
    content.max_per_class = 17;
    compare(&content);
}

static void all_together(void **state)
{
    struct fn_store_content content = plain;
    (void)state;
    content.dedupe_pixels = 1;
    content.max_per_class = 60;
    content.min_images = 50;
    compare(&content);
}

static void nothing_chosen(void **state)
{
    (void)state;
    compare(&plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_chosen, setup, teardown),
        cmocka_unit_test_setup_teardown(by_pixels, setup, teardown),
        cmocka_unit_test_setup_teardown(at_most, setup, teardown),
        cmocka_unit_test_setup_teardown(all_together, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
