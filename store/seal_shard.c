/* SPDX-License-Identifier: MIT */
/* One shard from its growing form to its sealed one: its groups stay where they were written. Every
 * record is checked on the way. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/args.h"
#include "base/file.h"
#include "store/build.h"
#include "store/pages.h"
#include "store/seal_internal.h"
#include "store/values.h"

struct sealing {
    const char *store;
    uint64_t shard;
    const atomic_int *stop;
    struct fn_build_state state; /* at the shard's last commit */
    struct fn_values_map values;
    struct fn_pages pages;
    struct fn_sink *part;
    struct fn_part_facts facts;
};

int fn_seal_pause(const char *store)
{
    return fn_interrupted() ? fn_fail(FN_EINTERRUPTED, "sealing of %s was interrupted", store)
                            : FN_OK;
}

/* The lengths of all values give the tree. */
static int plan(struct sealing *s)
{
    uint64_t first = s->state.first_group, count = s->state.groups - first;
    uint32_t *sizes = malloc(count * sizeof *sizes);
    int rc = sizes ? FN_OK
                   : fn_fail(FN_ENOMEM, "no memory for the lengths of %llu groups",
                             (unsigned long long)count);
    for (uint64_t i = 0; i < count && !rc; i++) {
        const uint8_t *value;
        size_t bytes;
        rc = fn_values_next(&s->values, first + i, &value, &bytes);
        if (!rc)
            sizes[i] = (uint32_t)bytes;
    }
    if (!rc)
        rc = fn_pages_plan(&s->pages, first, sizes, count);
    if (!rc && s->pages.tree_at != s->values.end)
        rc = fn_fail(FN_ECORRUPT, "there is more than its groups");
    free(sizes);
    return rc;
}

/* Check the records of a group and note them in the part. */
static int note_records(struct sealing *s, uint64_t group, const uint8_t *value, size_t bytes)
{
    struct fn_group_head head;
    const struct fn_group_entry *entry;
    int rc = fn_group_parse(value, bytes, group, &head, &entry);
    for (uint32_t i = 0; i < head.count && !rc; i++) {
        struct fn_record rec;
        rc = fn_record_check(value + entry[i].where, head.used - entry[i].where, &rec, NULL);
        if (rc)
            return fn_fail_in(rc, "record %u of group %llu", i, (unsigned long long)group);
        rc = fn_part_put_record(s->part, &rec, fn_location(group, entry[i].where), entry[i].line);
        s->facts.index.records++;
        s->facts.index.payload_bytes += rec.payload_bytes;
    }
    return rc;
}

/* Every record is checked, and the whole file is summed on the way, while it is in the cache. */
static int walk(struct sealing *s, XXH3_state_t *sum)
{
    int rc = FN_OK;
    fn_values_rewind(&s->values);
    XXH3_128bits_update(sum, s->pages.head, FN_PAGES_HEAD);
    for (uint64_t group = s->state.first_group; group < s->state.groups && !rc; group++) {
        const uint8_t *value;
        size_t bytes;
        rc = fn_seal_pause(s->store);
        if (!rc && s->stop && atomic_load(s->stop))
            rc = fn_fail(FN_EINTERRUPTED, "sealing a shard of %s was given up", s->store);
        if (!rc)
            rc = fn_values_next(&s->values, group, &value, &bytes);
        if (!rc)
            rc = note_records(s, group, value, bytes);
        if (!rc)
            XXH3_128bits_update(sum, value - FN_PAGES_NODE_HEAD, FN_PAGES_NODE_HEAD + bytes);
    }
    XXH3_128bits_update(sum, s->pages.tree, s->pages.tree_bytes);
    return rc;
}

static int seal_values(struct sealing *s, const char *path)
{
    const struct fn_pages *pages = &s->pages;
    XXH3_state_t *sum = XXH3_createState();
    int rc = sum ? fn_values_map_open(&s->values, path, fn_state_values_bytes(&s->state))
                 : fn_fail(FN_ENOMEM, "no memory to seal %s", path);
    if (!rc)
        rc = plan(s);
    if (!rc) {
        XXH3_128bits_reset(sum);
        rc = walk(s, sum);
    }
    if (!rc) {
        XXH128_hash_t hash = XXH3_128bits_digest(sum);
        s->facts.file_sum = (struct fn_sum128){.low = hash.low64, .high = hash.high64};
        s->facts.index.first_group = s->state.first_group;
        s->facts.index.groups = s->state.groups - s->state.first_group;
        s->facts.index.file_bytes = pages->file_bytes;
        s->facts.index.tree_at = pages->tree_at;
        s->facts.index.head_sum = XXH3_64bits(pages->head, FN_PAGES_HEAD);
        s->facts.index.tree_sum = XXH3_64bits(pages->tree, pages->tree_bytes);
    }
    fn_values_map_close(&s->values); /* before it grows */
    XXH3_freeState(sum);
    return rc ? rc
              : fn_values_finish(path, pages->tree_at, pages->head, pages->tree, pages->tree_bytes);
}

static int put_reject(void *context, uint64_t key, const uint8_t *value, size_t bytes)
{
    struct sealing *s = context;
    (void)key;
    return fn_part_put_reject(s->part, value, bytes);
}

/* The file complete on the disk, then its part, which says so; renaming comes last. */
static int seal_shard(struct sealing *s, struct fn_build_db *db)
{
    char temporary[FN_PATH_MAX], path[FN_PATH_MAX];
    fn_temporary_file(temporary, fn_part_file(path, s->store, s->shard));
    int rc = fn_state_get(db, path, &s->state);
    if (rc == FN_ENOENT)
        rc = fn_fail(FN_ECORRUPT, "it has no journal");
    if (!rc)
        rc = fn_sink_open(&s->part, temporary, path);
    if (!rc && s->state.groups > s->state.first_group)
        rc = seal_values(s, fn_values_file(path, s->store, s->shard));
    if (rc)
        return rc;
    s->facts.shard = s->shard;
    s->facts.records_bytes = fn_sink_bytes(s->part);
    rc = fn_build_db_walk(db, FN_TABLE_REJECTS, s, put_reject);
    if (!rc)
        rc = fn_part_put_facts(s->part, &s->facts);
    return rc ? rc : fn_sink_commit(s->part);
}

static int has_length(const char *path, uint64_t bytes)
{
    struct stat st;
    return stat(path, &st) == 0 && (uint64_t)st.st_size == bytes;
}

/* *done: the part is whole, and the file that it tells of is complete and has its name. */
static int settle(const char *store, uint64_t shard, int *done)
{
    char path[FN_PATH_MAX], values[FN_PATH_MAX];
    struct fn_part part;
    *done = 0;
    if (!fn_is_file(fn_part_file(path, store, shard)) || fn_part_open(&part, path) != FN_OK)
        return FN_OK;
    struct fn_index_shard facts = part.facts.index;
    fn_part_close(&part);
    fn_shard_file(path, store, shard);
    *done = facts.groups == 0 || has_length(path, facts.file_bytes);
    if (*done || !has_length(fn_values_file(values, store, shard), facts.file_bytes))
        return FN_OK;
    if (rename(values, path) != 0)
        return fn_fail_errno("cannot rename %s to %s", values, path);
    *done = 1;
    return fn_fsync_dir(store);
}

int fn_seal_shard(const char *store, uint64_t shard, int keep, const atomic_int *stop)
{
    char path[FN_PATH_MAX];
    struct fn_build_db *db = NULL;
    struct sealing s = {.store = store, .shard = shard, .stop = stop};
    int done = 0, rc = settle(store, shard, &done);
    fn_build_shard_file(path, store, shard);
    if (!rc && !done) {
        rc = fn_build_db_open(&db, path, 1);
        if (!rc)
            rc = seal_shard(&s, db);
        fn_build_db_close(&db);
        fn_sink_close(&s.part);
        fn_pages_free(&s.pages);
        if (!rc)
            rc = settle(store, shard, &done);
        if (!rc && !done)
            rc = fn_fail(FN_EINTERNAL, "it was sealed and is not there");
    }
    if (rc)
        return rc == FN_EINTERRUPTED ? rc : fn_fail_in(rc, "sealing %s", path);
    if (!keep && unlink(path) != 0 && errno != ENOENT)
        return fn_fail_errno("cannot remove %s", path);
    return FN_OK;
}
