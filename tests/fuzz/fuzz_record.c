/* SPDX-License-Identifier: MIT */
/* Any bytes as what shards hold. The first byte says as what: a record, a group, tree pages.
 * Checksums are put right before, so that what lies behind them is reached. */
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "store/format.h"
#include "store/pages.h"
#include "tests/fuzz/fuzz.h"

static void use_record(const uint8_t *at, size_t room, const struct fn_record *rec, size_t bytes)
{
    const uint8_t *end = at + room;
    if (bytes > room || rec->payload + rec->payload_bytes > end || rec->payload < at ||
        !fn_name_ok(rec->class_name, rec->class_bytes) || !fn_name_ok(rec->name, rec->name_bytes) ||
        rec->w < 1 || rec->h < 1)
        abort();
}

static void as_record(uint8_t *data, size_t size)
{
    struct fn_record rec;
    size_t bytes = 0;
    if (fn_record_parse(data, size, &rec, &bytes) != FN_OK)
        return;
    uint64_t sum = fn_record_sum(data, bytes);
    memcpy(data, &sum, sizeof sum);
    if (fn_record_check(data, size, &rec, &bytes) != FN_OK)
        abort();
    use_record(data, size, &rec, bytes);
    data[bytes - 1] ^= 1; /* of the padding or the payload: seen either way */
    if (fn_record_check(data, size, &rec, &bytes) == FN_OK)
        abort();
}

static void as_group(uint8_t *data, size_t size)
{
    struct fn_group_head head = {0};
    const struct fn_group_entry *table = NULL;
    memcpy(&head, data, size < sizeof head ? size : sizeof head);
    uint64_t front = sizeof head + (uint64_t)head.count * sizeof *table;
    if (front <= size) {
        uint64_t sum = XXH3_64bits(data + sizeof sum, front - sizeof sum);
        memcpy(data, &sum, sizeof sum);
    }
    if (fn_group_parse(data, size, head.number, &head, &table) != FN_OK)
        return;
    for (uint32_t i = 0; i < head.count; i++) {
        struct fn_record rec;
        size_t bytes = 0, room = head.used - table[i].where;
        if (fn_record_parse(data + table[i].where, room, &rec, &bytes) == FN_OK)
            use_record(data + table[i].where, room, &rec, bytes);
    }
    fn_group_tail_ok(data, size, &head);
}

static void as_tree(const uint8_t *data, size_t size)
{
    uint32_t sizes[400] = {0};
    struct fn_pages pages;
    for (size_t n = 1; n < 400; n += 133) {
        if (fn_pages_sizes(data, size, sizes, n) != FN_OK)
            return;
        if (fn_pages_plan(&pages, n, sizes, n) == FN_OK &&
            pages.tree_at + pages.tree_bytes != pages.file_bytes)
            abort();
        fn_pages_free(&pages);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    /* Groups are padded as they would be, so that the seeds can be small. */
    size_t room = data[0] % 3 == 1 ? fn_group_value_bytes(size - 1) : size - 1;
    uint8_t *copy = calloc(1, room + 1);
    if (!copy)
        return 0;
    memcpy(copy, data + 1, size - 1);
    if (data[0] % 3 == 0)
        as_record(copy, room);
    else if (data[0] % 3 == 1)
        as_group(copy, room);
    else
        as_tree(copy, room);
    free(copy);
    return 0;
}
