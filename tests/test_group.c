/* SPDX-License-Identifier: MIT */
/* A group in memory: what is put together is taken apart again, and every lie of its head and
 * table is told from it, with checksums that are right too. */
#include <xxhash.h>

#include "store/format.h"
#include "tests/test.h"

enum { RECORDS = 3, NUMBER = 7 };

struct value {
    uint8_t *data;
    size_t bytes;
};

/* A group of RECORDS records as it lies in a shard. */
static struct value make_value(void)
{
    static const uint8_t payload[] = {1, 2, 3, 4, 5, 6};
    struct fn_group group = {0};
    struct value v;
    for (uint64_t i = 0; i < RECORDS; i++) {
        const char name[] = {'n', (char)('0' + i)};
        const struct fn_position pos = {0, i + 1, 10 * i, 10 * i + 10};
        const struct fn_new_record rec = {.class_name = "who",
                                          .class_bytes = 3,
                                          .name = name,
                                          .name_bytes = sizeof name,
                                          .codec = FN_CODEC_RAW,
                                          .w = 2,
                                          .h = 1,
                                          .payload = payload,
                                          .payload_bytes = sizeof payload};
        assert_ok(fn_group_add(&group, &pos, &rec));
    }
    assert_false(fn_group_full(&group));
    const size_t used = (size_t)fn_group_used(&group);
    v.bytes = fn_group_value_bytes(used);
    v.data = calloc(1, v.bytes);
    assert_non_null(v.data);
    fn_group_put_front(&group, NUMBER, v.data);
    memcpy(v.data + used - group.records.bytes, group.records.data, group.records.bytes);
    fn_group_free(&group);
    return v;
}

static void test_whole(void **state)
{
    struct value v = make_value();
    const struct fn_group_entry *table;
    struct fn_group_head head;
    struct fn_record rec;
    size_t bytes;
    (void)state;
    assert_true((v.bytes + 16) % FN_PAGE == 0 && v.bytes >= FN_VALUE_MIN);
    assert_ok(fn_group_parse(v.data, v.bytes, NUMBER, &head, &table));
    assert_true(head.count == RECORDS && head.number == NUMBER);
    for (uint32_t i = 0; i < head.count; i++) {
        assert_true(table[i].line == i + 1 && table[i].offset == 10 * i);
        assert_ok(
            fn_record_check(v.data + table[i].where, head.used - table[i].where, &rec, &bytes));
        assert_true(rec.name_bytes == 2 && rec.name[1] == (char)('0' + i));
        assert_true(table[i].where + bytes == (i + 1 < RECORDS ? table[i + 1].where : head.used));
    }
    assert_true(fn_group_tail_ok(v.data, v.bytes, &head));
    v.data[v.bytes - 1] = 1;
    assert_false(fn_group_tail_ok(v.data, v.bytes, &head));
    free(v.data);
}

/* One lie each; `sealed`: the checksum is made right again behind it. */
static const struct lie {
    size_t at; /* byte of the value */
    uint8_t xor ;
    int sealed;
    const char *says;
} lies[] = {
    {offsetof(struct fn_group_head, magic), 1, 1, "the head of group 7 is damaged"},
    {offsetof(struct fn_group_head, count) + 2, 1, 0, "the head of group 7 is damaged"},
    {offsetof(struct fn_group_head, used) + 1, 0xff, 1, "the head of group 7 is damaged"},
    {offsetof(struct fn_group_head, used) + 7, 1, 1, "the head of group 7 is damaged"},
    {offsetof(struct fn_group_head, number), 1, 0, "the table of group 7 has checksum"},
    {offsetof(struct fn_group_head, number), 1, 1, "group 6 stands where 7 belongs"},
    {sizeof(struct fn_group_head), 1, 0, "the table of group 7 has checksum"},
    {sizeof(struct fn_group_head), 4, 1, "record 0 of group 7 has no place"}, /* no multiple of 8 */
    {sizeof(struct fn_group_head), 0x60, 1, "record 0 of group 7 has no place"}, /* in the table */
    {sizeof(struct fn_group_head) + sizeof(struct fn_group_entry), 0xff, 1,
     "record 1 of group 7 has no place"}, /* on another */
    {sizeof(struct fn_group_head) + 2 * sizeof(struct fn_group_entry) + 2, 0xff, 1,
     "record 2 of group 7 has no place"}, /* behind the end */
};

static void test_lies(void **state)
{
    const struct fn_group_entry *table;
    struct fn_group_head head;
    struct value v = make_value();
    const size_t front = sizeof head + RECORDS * sizeof *table;
    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        uint8_t *copy = malloc(v.bytes);
        assert_non_null(copy);
        memcpy(copy, v.data, v.bytes);
        copy[lies[i].at] ^= lies[i].xor ;
        const uint64_t sum = XXH3_64bits(copy + sizeof sum, front - sizeof sum);
        if (lies[i].sealed)
            memcpy(copy, &sum, sizeof sum);
        assert_int_equal(fn_group_parse(copy, v.bytes, NUMBER, &head, &table), FN_ECORRUPT);
        if (!strstr(fn_err_text(FN_ECORRUPT), lies[i].says))
            fail_msg("lie %zu: '%s' does not say '%s'", i, fn_err_text(FN_ECORRUPT), lies[i].says);
        free(copy);
    }
    assert_int_equal(fn_group_parse(v.data, sizeof head - 1, NUMBER, &head, &table), FN_ECORRUPT);
    assert_non_null(strstr(fn_err_text(FN_ECORRUPT), "a group of 31 bytes"));
    assert_int_equal(fn_group_parse(v.data, v.bytes - 8, NUMBER, &head, &table), FN_ECORRUPT);
    free(v.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_lies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
