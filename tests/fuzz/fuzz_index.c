/* SPDX-License-Identifier: MIT */
/* Any bytes as an index, as they are and with checksums put right; then everything is asked of it.
 */
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "store/index.h"
#include "tests/fuzz/fuzz.h"

static void put_sums(uint8_t *data, size_t size)
{
    struct fn_index_head head;
    if (size < sizeof head)
        return;
    memcpy(&head, data, sizeof head);
    if (head.data_at < sizeof head || head.data_at > size)
        return;
    for (uint64_t i = 0; i < (head.data_at - sizeof head) / 8 && i < head.blocks; i++) {
        uint64_t at = head.data_at + i * FN_INDEX_BLOCK, sum;
        if (at >= size)
            break;
        sum = XXH3_64bits(data + at, size - at < FN_INDEX_BLOCK ? size - at : FN_INDEX_BLOCK);
        memcpy(data + sizeof head + i * 8, &sum, sizeof sum);
    }
    head.checksum = XXH3_64bits(data + 8, head.data_at - 8);
    memcpy(data, &head.checksum, 8);
}

static void ask_classes(const struct fn_index *index, const struct fn_index_head *head)
{
    for (uint32_t label = 0; label <= head->classes && label < 1000; label++) {
        const uint64_t *ids;
        const uint32_t *hashes;
        const char *name;
        size_t bytes;
        uint64_t count = 0, total = 0;
        uint32_t found;
        if (fn_index_members(index, label, &ids, &count) == FN_OK)
            for (uint64_t i = 0; i < count; i++)
                total += ids[i];
        if (fn_index_hashes(index, label, &hashes, &count) == FN_OK)
            for (uint64_t i = 0; i < count; i++)
                total += hashes[i];
        if (fn_index_class_name(index, label, &name, &bytes) == FN_OK) {
            if (!fn_name_ok(name, bytes) || name[bytes])
                abort();
            fn_index_class_find(index, name, bytes, &found);
        }
        if (total == 42) /* the sums are used */
            fn_err_clear();
    }
}

static void ask(const uint8_t *data, size_t size)
{
    struct fn_index *index = NULL;
    struct fn_index_shard facts;
    uint64_t location, id;
    uint32_t label;
    if (fn_index_attach(&index, data, size, "fuzz") != FN_OK)
        return;
    const struct fn_index_head *head = fn_index_get_head(index);
    for (id = 0; id <= head->records && id < 1000; id++) {
        if (fn_index_location(index, id, &location) == FN_OK &&
            fn_location_group(location) >= head->groups)
            abort();
        if (fn_index_label(index, id, &label) == FN_OK && label >= head->classes)
            abort();
    }
    ask_classes(index, head);
    for (uint64_t i = 0; i <= head->shards && i < 1000; i++)
        fn_index_shard(index, i, &facts);
    fn_index_lower_id(index, 77, &id);
    fn_index_close(&index);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + 1);
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    ask(copy, size);
    put_sums(copy, size);
    ask(copy, size);
    free(copy);
    return 0;
}
