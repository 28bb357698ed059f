/* SPDX-License-Identifier: MIT */
/* The index, mapped. */
#include "store/index.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/file.h"

enum block_state { UNKNOWN = 0, GOOD, BAD };

struct fn_index {
    char *path;
    struct fn_map map; /* of a file; not of memory */
    const uint8_t *data;
    struct fn_index_head head;
    const uint64_t *sums;
    atomic_uchar *blocks; /* enum block_state; two threads may both check a block: no harm */
};

/* Head and block sums against the bytes there are, and against the layout that the counts give. */
static int check_head(struct fn_index *index, size_t bytes)
{
    struct fn_index_head *head = &index->head, want;
    if (bytes < sizeof *head)
        return fn_fail(FN_ECORRUPT, "%s has only %zu bytes", index->path, bytes);
    memcpy(head, index->data, sizeof *head);
    if (memcmp(head->magic, FN_INDEX_MAGIC, sizeof head->magic) != 0)
        return fn_fail(FN_ECORRUPT, "%s is no index of a store", index->path);
    if (head->version > FN_STORE_VERSION)
        return fn_fail(FN_EVERSION, "%s is of format version %u; this program reads up to %d",
                       index->path, head->version, FN_STORE_VERSION);
    if (head->data_at < sizeof *head || head->data_at > bytes)
        return fn_fail(FN_ECORRUPT, "%s: its head is damaged", index->path);
    uint64_t sum = XXH3_64bits(index->data + sizeof sum, head->data_at - sizeof sum);
    if (sum != head->checksum)
        return fn_fail(FN_ECORRUPT, "%s: its head has checksum %016llx, should be %016llx",
                       index->path, (unsigned long long)sum, (unsigned long long)head->checksum);
    struct fn_index_counts counts = {head->records, head->classes, head->groups, head->shards,
                                     head->section[FN_INDEX_NAMES].bytes};
    int rc = fn_index_layout(&want, &counts);
    want.checksum = head->checksum;
    if (rc || head->file_bytes != bytes || memcmp(head, &want, sizeof want) != 0)
        return fn_fail(FN_ECORRUPT, "%s: its head contradicts itself", index->path);
    index->sums = (const uint64_t *)(const void *)(index->data + sizeof *head);
    return FN_OK;
}

int fn_index_attach(struct fn_index **out, const uint8_t *data, size_t bytes, const char *where)
{
    struct fn_index *index = calloc(1, sizeof *index);
    int rc = FN_OK;
    *out = index;
    if (!index || !(index->path = strdup(where))) {
        rc = fn_fail(FN_ENOMEM, "no memory for %s", where);
    } else {
        index->data = data;
        rc = check_head(index, bytes);
    }
    if (!rc) {
        index->blocks = calloc(index->head.blocks ? index->head.blocks : 1, sizeof *index->blocks);
        if (!index->blocks)
            rc = fn_fail(FN_ENOMEM, "no memory for %s", where);
    }
    if (rc)
        fn_index_close(out);
    return rc;
}

int fn_index_open(struct fn_index **out, const char *path, uint64_t bytes, uint64_t head_sum)
{
    struct fn_map map = {0};
    *out = NULL;
    int rc = fn_map_open(&map, path);
    if (!rc && map.bytes != bytes)
        rc = fn_fail(FN_ECORRUPT, "%s has %zu bytes, should have %llu", path, map.bytes,
                     (unsigned long long)bytes);
    if (!rc)
        rc = fn_index_attach(out, map.data, map.bytes, path);
    if (!rc && (*out)->head.checksum != head_sum) {
        rc = fn_fail(FN_ECORRUPT,
                     "%s is not the index of this manifest: checksum %016llx, not "
                     "%016llx",
                     path, (unsigned long long)(*out)->head.checksum, (unsigned long long)head_sum);
        fn_index_close(out);
    }
    if (rc)
        fn_map_close(&map);
    else
        (*out)->map = map;
    return rc;
}

void fn_index_close(struct fn_index **index)
{
    if (!*index)
        return;
    fn_map_close(&(*index)->map);
    free((*index)->blocks);
    free((*index)->path);
    free(*index);
    *index = NULL;
}

const struct fn_index_head *fn_index_get_head(const struct fn_index *index)
{
    return &index->head;
}

int fn_index_check_block(const struct fn_index *index, uint64_t block)
{
    uint64_t at = index->head.data_at + block * FN_INDEX_BLOCK;
    uint64_t bytes = index->head.file_bytes - at;
    bytes = bytes < FN_INDEX_BLOCK ? bytes : FN_INDEX_BLOCK;
    int good = XXH3_64bits(index->data + at, bytes) == index->sums[block];
    atomic_store_explicit(&index->blocks[block], good ? GOOD : BAD, memory_order_release);
    if (good)
        return FN_OK;
    return fn_fail(FN_ECORRUPT, "%s: bytes %llu to %llu are damaged", index->path,
                   (unsigned long long)at, (unsigned long long)(at + bytes - 1));
}

/* Elements [first, first + count) of a section, their blocks checked. In range by the caller. */
static int use(const struct fn_index *index, enum fn_index_section section, uint64_t first,
               uint64_t count, size_t size, const void **out)
{
    uint64_t at = index->head.section[section].at + first * size;
    *out = index->data + at;
    if (!count)
        return FN_OK;
    uint64_t block = (at - index->head.data_at) / FN_INDEX_BLOCK;
    uint64_t last = (at + count * size - 1 - index->head.data_at) / FN_INDEX_BLOCK;
    for (; block <= last; block++) {
        if (atomic_load_explicit(&index->blocks[block], memory_order_acquire) == GOOD)
            continue;
        int rc = fn_index_check_block(index, block);
        if (rc)
            return rc;
    }
    return FN_OK;
}

static int no_record(const struct fn_index *index, uint64_t id)
{
    return fn_fail(FN_ENOENT, "there is no record %llu: ids go up to %lld", (unsigned long long)id,
                   (long long)index->head.records - 1);
}

static int no_class(const struct fn_index *index, uint32_t label)
{
    return fn_fail(FN_ENOENT, "there is no class %u: labels go up to %lld", label,
                   (long long)index->head.classes - 1);
}

static int bad_value(const struct fn_index *index, const char *what, uint64_t where)
{
    return fn_fail(FN_ECORRUPT, "%s: the %s of %llu is impossible", index->path, what,
                   (unsigned long long)where);
}

int fn_index_location(const struct fn_index *index, uint64_t id, uint64_t *location)
{
    const void *at;
    if (id >= index->head.records)
        return no_record(index, id);
    int rc = use(index, FN_INDEX_LOCATIONS, id, 1, sizeof *location, &at);
    if (rc)
        return rc;
    memcpy(location, at, sizeof *location);
    if (fn_location_group(*location) >= index->head.groups)
        return bad_value(index, "group", id);
    return FN_OK;
}

int fn_index_label(const struct fn_index *index, uint64_t id, uint32_t *label)
{
    const void *at;
    if (id >= index->head.records)
        return no_record(index, id);
    int rc = use(index, FN_INDEX_LABELS, id, 1, sizeof *label, &at);
    if (rc)
        return rc;
    memcpy(label, at, sizeof *label);
    return *label < index->head.classes ? FN_OK : bad_value(index, "label", id);
}

static int span(const struct fn_index *index, enum fn_index_section section, uint32_t label,
                uint64_t limit, uint64_t *first, uint64_t *count)
{
    const void *at;
    uint64_t bounds[2];
    if (label >= index->head.classes)
        return no_class(index, label);
    int rc = use(index, section, label, 2, sizeof *bounds, &at);
    if (rc)
        return rc;
    memcpy(bounds, at, sizeof bounds);
    if (bounds[0] > bounds[1] || bounds[1] > limit)
        return bad_value(index, "extent", label);
    *first = bounds[0];
    *count = bounds[1] - bounds[0];
    return FN_OK;
}

int fn_index_span(const struct fn_index *index, uint32_t label, uint64_t *first, uint64_t *count)
{
    return span(index, FN_INDEX_STARTS, label, index->head.records, first, count);
}

int fn_index_members(const struct fn_index *index, uint32_t label, const uint64_t **ids,
                     uint64_t *count)
{
    uint64_t first = 0;
    const void *at;
    *count = 0;
    int rc = span(index, FN_INDEX_STARTS, label, index->head.records, &first, count);
    if (!rc)
        rc = use(index, FN_INDEX_MEMBERS, first, *count, sizeof **ids, &at);
    if (!rc)
        *ids = at;
    return rc;
}

int fn_index_hashes(const struct fn_index *index, uint32_t label, const uint32_t **hashes,
                    uint64_t *count)
{
    uint64_t first = 0;
    const void *at;
    *count = 0;
    int rc = span(index, FN_INDEX_STARTS, label, index->head.records, &first, count);
    if (!rc)
        rc = use(index, FN_INDEX_HASHES, first, *count, sizeof **hashes, &at);
    if (!rc)
        *hashes = at;
    return rc;
}

int fn_index_class_name(const struct fn_index *index, uint32_t label, const char **name,
                        size_t *bytes)
{
    uint64_t first = 0, count = 0;
    const void *at;
    int rc = span(index, FN_INDEX_NAME_AT, label, index->head.section[FN_INDEX_NAMES].bytes, &first,
                  &count);
    if (!rc)
        rc = use(index, FN_INDEX_NAMES, first, count, 1, &at);
    if (rc)
        return rc;
    const char *text = at;
    if (count < 2 || text[count - 1] || !fn_name_ok(text, count - 1))
        return bad_value(index, "name", label);
    *name = text;
    *bytes = count - 1;
    return FN_OK;
}

int fn_index_entry(const struct fn_index *index, uint64_t id, const char **class_name,
                   size_t *class_bytes, uint32_t *hash)
{
    uint32_t label = 0;
    const uint64_t *ids;
    const uint32_t *hashes;
    uint64_t count = 0, low = 0;
    int rc = fn_index_label(index, id, &label);
    if (!rc)
        rc = fn_index_members(index, label, &ids, &count);
    if (!rc)
        rc = fn_index_hashes(index, label, &hashes, &count);
    if (!rc)
        rc = fn_index_class_name(index, label, class_name, class_bytes);
    if (rc)
        return rc;
    for (uint64_t high = count; low + 1 < high;) {
        uint64_t middle = low + (high - low) / 2;
        if (ids[middle] <= id)
            low = middle;
        else
            high = middle;
    }
    if (low >= count || ids[low] != id)
        return fn_fail(FN_ENOENT, "class %s has no record %llu", *class_name,
                       (unsigned long long)id);
    *hash = hashes[low];
    return FN_OK;
}

int fn_index_class_find(const struct fn_index *index, const char *name, size_t bytes,
                        uint32_t *label)
{
    uint32_t low = 0, high = (uint32_t)index->head.classes;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const char *there = "";
        size_t there_bytes = 0;
        int rc = fn_index_class_name(index, middle, &there, &there_bytes);
        if (rc)
            return rc;
        int c = memcmp(name, there, bytes < there_bytes ? bytes : there_bytes);
        c = c ? c : (bytes > there_bytes) - (bytes < there_bytes);
        if (c == 0) {
            *label = middle;
            return FN_OK;
        }
        if (c < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return fn_fail(FN_ENOENT, "there is no class '%.*s'", (int)bytes, name);
}

int fn_index_shard(const struct fn_index *index, uint64_t shard, struct fn_index_shard *facts)
{
    const void *at;
    if (shard >= index->head.shards)
        return fn_fail(FN_ENOENT, "there is no shard %llu", (unsigned long long)shard);
    int rc = use(index, FN_INDEX_SHARDS, shard, 1, sizeof *facts, &at);
    if (rc)
        return rc;
    memcpy(facts, at, sizeof *facts);
    if (facts->groups < 1 || facts->groups > index->head.groups ||
        facts->first_group > index->head.groups - facts->groups || facts->tree_at < 2 * FN_PAGE ||
        facts->tree_at >= facts->file_bytes)
        return bad_value(index, "shard", shard);
    return FN_OK;
}

int fn_index_lower_id(const struct fn_index *index, uint64_t location, uint64_t *id)
{
    uint64_t low = 0, high = index->head.records;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2, there = 0;
        int rc = fn_index_location(index, middle, &there);
        if (rc)
            return rc;
        if (there < location)
            low = middle + 1;
        else
            high = middle;
    }
    *id = low;
    return FN_OK;
}
