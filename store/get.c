/* SPDX-License-Identifier: MIT */
/* Records out of a store, in place. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "store/reader_internal.h"

struct fn_reader {
    struct fn_store *store;
    struct fn_shard_read **shards; /* begun on first use */
    uint64_t group;                /* the last one asked for: neighbours often follow */
    const uint8_t *value;          /* NULL: none yet */
    size_t bytes;
    size_t page;
};

int fn_reader_open(struct fn_reader **out, struct fn_store *store)
{
    struct fn_reader *reader = calloc(1, sizeof *reader);
    size_t count = store->info.shards;
    *out = reader;
    if (reader) {
        reader->store = store;
        reader->page = (size_t)sysconf(_SC_PAGESIZE);
        reader->shards = calloc(count ? count : 1, sizeof(struct fn_shard_read *));
    }
    if (reader && reader->shards)
        return FN_OK;
    fn_reader_close(out);
    return fn_fail(FN_ENOMEM, "no memory to read %s", store->path);
}

void fn_reader_close(struct fn_reader **out)
{
    struct fn_reader *reader = *out;
    if (!reader)
        return;
    for (uint32_t i = 0; reader->shards && i < reader->store->info.shards; i++)
        fn_shard_read_close(&reader->shards[i]);
    free(reader->shards);
    free(reader);
    *out = NULL;
}

int fn_reader_group(struct fn_reader *reader, uint64_t group, const uint8_t **value, size_t *bytes)
{
    if (!reader->value || reader->group != group) {
        struct fn_shard *shard;
        uint64_t number = fn_store_shard_of(reader->store, group);
        int rc = FN_OK;
        if (!reader->shards[number]) {
            rc = fn_store_shard(reader->store, number, &shard);
            if (!rc)
                rc = fn_shard_read_open(&reader->shards[number], shard);
        }
        if (!rc)
            rc = fn_shard_read_get(reader->shards[number], group, &reader->value, &reader->bytes);
        if (rc) {
            reader->value = NULL;
            return rc;
        }
        reader->group = group;
    }
    *value = reader->value;
    *bytes = reader->bytes;
    return FN_OK;
}

/* Name the record whose damage was found. */
static int blame(const struct fn_reader *reader, int rc, uint64_t id, uint64_t location)
{
    uint64_t group = fn_location_group(location);
    return fn_fail_in(
        rc, "%s: record %" PRIu64 " (shard-%05" PRIu64 ".mdb, group %" PRIu64 ", byte %u)",
        reader->store->path, id, fn_store_shard_of(reader->store, group), group,
        fn_location_where(location));
}

static int get(struct fn_reader *reader, uint64_t id, int check, struct fn_record *rec)
{
    uint64_t location = 0;
    const uint8_t *value;
    size_t bytes;
    rec->id = id;
    int rc = fn_index_label(reader->store->index, id, &rec->label);
    if (!rc)
        rc = fn_index_location(reader->store->index, id, &location);
    if (!rc)
        rc = fn_reader_group(reader, fn_location_group(location), &value, &bytes);
    if (rc)
        return rc;
    uint32_t where = fn_location_where(location);
    if (where >= bytes)
        rc = fn_fail(FN_ECORRUPT, "it lies behind the end of its group");
    else if (check)
        rc = fn_record_check(value + where, bytes - where, rec, NULL);
    else
        rc = fn_record_parse(value + where, bytes - where, rec, NULL);
    return rc ? blame(reader, rc, id, location) : FN_OK;
}

int fn_reader_get(struct fn_reader *reader, uint64_t id, struct fn_record *rec)
{
    return get(reader, id, 1, rec);
}

int fn_reader_peek(struct fn_reader *reader, uint64_t id, struct fn_record *rec)
{
    return get(reader, id, 0, rec);
}

int fn_reader_line(struct fn_reader *reader, uint64_t id, uint64_t *line)
{
    uint64_t location = 0;
    const uint8_t *value;
    size_t bytes;
    struct fn_group_head head;
    const struct fn_group_entry *entry = NULL;
    int rc = fn_index_location(reader->store->index, id, &location);
    if (!rc)
        rc = fn_reader_group(reader, fn_location_group(location), &value, &bytes);
    if (!rc)
        rc = fn_group_parse(value, bytes, fn_location_group(location), &head, &entry);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < head.count; i++)
        if (entry[i].where == fn_location_where(location)) {
            *line = entry[i].line;
            return FN_OK;
        }
    rc = fn_fail(FN_ECORRUPT, "it is missing from the table of its group");
    return blame(reader, rc, id, location);
}

int fn_reader_find(struct fn_reader *reader, const char *class_name, const char *name,
                   struct fn_record *rec)
{
    uint32_t label = 0, hash = fn_name_hash(name, strlen(name));
    const uint32_t *hashes;
    const uint64_t *ids;
    uint64_t count;
    int rc = fn_store_class_find(reader->store, class_name, &label);
    if (!rc)
        rc = fn_index_hashes(reader->store->index, label, &hashes, &count);
    if (!rc)
        rc = fn_index_members(reader->store->index, label, &ids, &count);
    for (uint64_t i = 0; i < count && !rc; i++) {
        if (hashes[i] != hash)
            continue;
        rc = fn_reader_get(reader, ids[i], rec);
        if (!rc && rec->name_bytes == strlen(name) && memcmp(rec->name, name, rec->name_bytes) == 0)
            return FN_OK;
    }
    return rc ? rc : fn_fail(FN_ENOENT, "class '%s' has no record '%s'", class_name, name);
}

/* Where a record lies in memory, to the start of the next one or the end of its group; 0: unknown,
 * whoever gets the record will hear of it. */
static int extent_of(struct fn_reader *reader, uint64_t id, const uint8_t **from,
                     const uint8_t **to)
{
    uint64_t location, next = 0;
    const uint8_t *value;
    size_t bytes;
    if (fn_index_location(reader->store->index, id, &location) ||
        fn_reader_group(reader, fn_location_group(location), &value, &bytes))
        return 0;
    size_t start = fn_location_where(location), end = bytes;
    if (id + 1 < reader->store->info.records &&
        fn_index_location(reader->store->index, id + 1, &next) == FN_OK &&
        fn_location_group(next) == fn_location_group(location))
        end = fn_location_where(next);
    *from = value + start;
    *to = value + end;
    return start < end && end <= bytes;
}

static void want(const struct fn_reader *reader, const uint8_t *from, const uint8_t *to)
{
    uintptr_t page = (uintptr_t)from / reader->page * reader->page;
    if (to > from)
        madvise((void *)page, (uintptr_t)to - page, MADV_WILLNEED);
}

void fn_reader_prefetch(struct fn_reader *reader, const uint64_t *ids, size_t count)
{
    const uint8_t *from = NULL, *to = NULL, *next, *end;
    for (size_t i = 0; i < count; i++) {
        if (!extent_of(reader, ids[i], &next, &end))
            continue;
        if (to && next >= to && next < to + reader->page) { /* neighbours are asked for at once */
            to = end;
            continue;
        }
        want(reader, from, to);
        from = next;
        to = end;
    }
    want(reader, from, to);
}

/* FN_OK where a raw payload is w h 3 bytes. */
static int check_raw(const struct fn_record *rec)
{
    if (rec->payload_bytes != (size_t)rec->w * (size_t)rec->h * 3)
        return fn_fail(FN_ECORRUPT, "a raw picture of %d x %d in %zu bytes", rec->w, rec->h,
                       rec->payload_bytes);
    return FN_OK;
}

int fn_record_decode(struct fn_codec *codec, const struct fn_record *rec, struct fn_image *out)
{
    int rc;
    if (rec->codec == FN_CODEC_RAW) {
        rc = fn_image_reserve(out, rec->w, rec->h);
        if (!rc)
            rc = check_raw(rec);
        if (!rc)
            memcpy(out->rgb, rec->payload, rec->payload_bytes);
        return rc;
    }
    rc = fn_image_decode(codec, rec->payload, rec->payload_bytes, 0, out, NULL);
    if (!rc && (out->w != rec->w || out->h != rec->h))
        rc = fn_fail(FN_ECORRUPT, "the picture is %d x %d, its record says %d x %d", out->w, out->h,
                     rec->w, rec->h);
    return rc;
}

int fn_record_decode_rows(struct fn_codec *codec, const struct fn_record *rec, int y, int rows,
                          void (*put)(void *context, int y, int rows, const uint8_t *rgb),
                          void *context)
{
    const struct fn_rows want = {rec->w, rec->h, y, rows, put, context};
    int rc;
    if (rec->codec != FN_CODEC_RAW)
        return fn_image_decode_rows(codec, rec->payload, rec->payload_bytes, &want);
    rc = check_raw(rec);
    if (!rc)
        put(context, y, rows, rec->payload + (size_t)y * (size_t)rec->w * 3);
    return rc;
}
