/* SPDX-License-Identifier: MIT */
/* One shard from its growing form to its sealed one. Every record is checked on the way. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/args.h"
#include "base/file.h"
#include "store/build.h"
#include "store/pages.h"
#include "store/seal_internal.h"

struct copy {
    const char *store;
    uint64_t shard;
    const atomic_int *stop;
    uint32_t *sizes;
    size_t count, cap;
    uint64_t first_group;
    struct fn_pages pages;
    struct fn_sink *file, *part;
    struct fn_part_facts facts;
};

int fn_seal_pause(const char *store)
{
    return fn_interrupted() ? fn_fail(FN_EINTERRUPTED,
                                      "sealing of %s was interrupted; the same "
                                      "command finishes it",
                                      store)
                            : FN_OK;
}

static int note_size(void *context, uint64_t key, const uint8_t *value, size_t bytes)
{
    struct copy *copy = context;
    (void)value;
    if (copy->count == 0)
        copy->first_group = key;
    if (key != copy->first_group + copy->count || bytes > UINT32_MAX)
        return fn_fail(FN_ECORRUPT, "group %llu is missing",
                       (unsigned long long)(copy->first_group + copy->count));
    if (copy->count == copy->cap) {
        size_t cap = copy->cap ? 2 * copy->cap : 1024;
        uint32_t *sizes = realloc(copy->sizes, cap * sizeof *sizes);
        if (!sizes)
            return fn_fail(FN_ENOMEM, "no memory for the lengths of %zu groups", cap);
        copy->sizes = sizes;
        copy->cap = cap;
    }
    copy->sizes[copy->count++] = (uint32_t)bytes;
    return FN_OK;
}

/* Check the records of a group and note them in the part. */
static int note_records(struct copy *copy, uint64_t group, const uint8_t *value, size_t bytes)
{
    struct fn_group_head head;
    const struct fn_group_entry *entry;
    int rc = fn_group_parse(value, bytes, group, &head, &entry);
    for (uint32_t i = 0; i < head.count && !rc; i++) {
        struct fn_record rec;
        rc = fn_record_check(value + entry[i].where, head.used - entry[i].where, &rec, NULL);
        if (rc)
            return fn_fail_in(rc, "record %u of group %llu", i, (unsigned long long)group);
        rc =
            fn_part_put_record(copy->part, &rec, fn_location(group, entry[i].where), entry[i].line);
        copy->facts.index.records++;
        copy->facts.index.payload_bytes += rec.payload_bytes;
    }
    return rc;
}

static int copy_group(void *context, uint64_t key, const uint8_t *value, size_t bytes)
{
    struct copy *copy = context;
    uint8_t head[FN_PAGES_NODE_HEAD];
    int rc = fn_seal_pause(copy->store);
    if (!rc && copy->stop && atomic_load(copy->stop))
        rc = fn_fail(FN_EINTERRUPTED, "copying a shard of %s was given up", copy->store);
    if (!rc)
        rc = note_records(copy, key, value, bytes);
    if (rc)
        return rc;
    fn_pages_value_head(head, fn_sink_bytes(copy->file) / FN_PAGE, (uint32_t)bytes);
    rc = fn_sink_write(copy->file, head, sizeof head);
    return rc ? rc : fn_sink_write(copy->file, value, bytes);
}

static int copy_reject(void *context, uint64_t key, const uint8_t *value, size_t bytes)
{
    struct copy *copy = context;
    (void)key;
    return fn_part_put_reject(copy->part, value, bytes);
}

static int copy_file(struct copy *copy, struct fn_build_db *db)
{
    char temporary[FN_PATH_MAX], path[FN_PATH_MAX];
    struct fn_pages *pages = &copy->pages;
    int rc = fn_pages_plan(pages, copy->first_group, copy->sizes, copy->count);
    if (rc)
        return rc;
    fn_temporary_file(temporary, fn_build_shard_file(path, copy->store, copy->shard));
    rc = fn_sink_open(&copy->file, temporary, fn_shard_file(path, copy->store, copy->shard));
    if (!rc)
        rc = fn_sink_write(copy->file, pages->head, FN_PAGES_HEAD);
    if (!rc)
        rc = fn_build_db_walk(db, FN_TABLE_GROUPS, copy, copy_group);
    if (!rc)
        rc = fn_sink_write(copy->file, pages->tree, pages->tree_bytes);
    if (rc)
        return rc;
    copy->facts.index.first_group = copy->first_group;
    copy->facts.index.groups = copy->count;
    copy->facts.index.file_bytes = pages->file_bytes;
    copy->facts.index.tree_at = pages->tree_at;
    copy->facts.index.head_sum = XXH3_64bits(pages->head, FN_PAGES_HEAD);
    copy->facts.index.tree_sum = XXH3_64bits(pages->tree, pages->tree_bytes);
    copy->facts.file_sum = fn_sink_sum(copy->file);
    return FN_OK;
}

/* Both files complete under temporary names, then renamed: the part last, because it says that the
 * shard is there. */
static int copy_shard(struct copy *copy, struct fn_build_db *db)
{
    char temporary[FN_PATH_MAX], path[FN_PATH_MAX];
    fn_temporary_file(temporary, fn_part_file(path, copy->store, copy->shard));
    int rc = fn_build_db_walk(db, FN_TABLE_GROUPS, copy, note_size);
    if (!rc)
        rc = fn_sink_open(&copy->part, temporary, fn_part_file(path, copy->store, copy->shard));
    if (!rc && copy->count)
        rc = copy_file(copy, db);
    if (rc)
        return rc;
    copy->facts.shard = copy->shard;
    copy->facts.records_bytes = fn_sink_bytes(copy->part);
    rc = fn_build_db_walk(db, FN_TABLE_REJECTS, copy, copy_reject);
    if (!rc)
        rc = fn_part_put_facts(copy->part, &copy->facts);
    if (!rc && copy->file)
        rc = fn_sink_commit(copy->file);
    return rc ? rc : fn_sink_commit(copy->part);
}

/* 1: the part is whole and the sealed file has the length it says. */
static int is_done(const char *store, uint64_t shard)
{
    char path[FN_PATH_MAX];
    struct fn_part part;
    struct stat st;
    if (!fn_is_file(fn_part_file(path, store, shard)) || fn_part_open(&part, path) != FN_OK)
        return 0;
    struct fn_index_shard *facts = &part.facts.index;
    int done = facts->groups == 0 || (stat(fn_shard_file(path, store, shard), &st) == 0 &&
                                      (uint64_t)st.st_size == facts->file_bytes);
    fn_part_close(&part);
    return done;
}

int fn_seal_shard(const char *store, uint64_t shard, int keep, const atomic_int *stop)
{
    char path[FN_PATH_MAX];
    struct fn_build_db *db = NULL;
    struct copy copy = {.store = store, .shard = shard, .stop = stop};
    int rc = FN_OK;
    fn_build_shard_file(path, store, shard);
    if (!is_done(store, shard)) {
        rc = fn_build_db_open(&db, path, 1);
        if (!rc)
            rc = copy_shard(&copy, db);
        fn_build_db_close(&db);
        fn_sink_close(&copy.file);
        fn_sink_close(&copy.part);
        fn_pages_free(&copy.pages);
        free(copy.sizes);
        if (rc)
            return rc == FN_EINTERRUPTED ? rc : fn_fail_in(rc, "sealing %s", path);
    }
    if (!keep && unlink(path) != 0 && errno != ENOENT)
        return fn_fail_errno("cannot remove %s", path);
    return FN_OK;
}
