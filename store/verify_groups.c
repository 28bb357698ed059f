/* SPDX-License-Identifier: MIT */
/* Index blocks, classes, groups and records, each against what refers to it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/args.h"
#include "store/rejects.h"
#include "store/verify_internal.h"

int fn_verify_block(void *context, int worker, size_t block)
{
    struct fn_verifying *v = context;
    (void)worker;
    int rc = fn_index_check_block(v->store->index, block);
    if (rc)
        fn_verify_report(v, "index.bin", -1, "", rc);
    return fn_interrupted() ? fn_fail(FN_EINTERRUPTED, "interrupted") : FN_OK;
}

/* Members ascend, and carry the class's label; names ascend from class to class. Damaged blocks
 * were reported as such: what they held is not reported again. */
int fn_verify_class(void *context, int worker, size_t label)
{
    struct fn_verifying *v = context;
    const struct fn_index *index = v->store->index;
    const char *name, *before;
    size_t bytes, before_bytes;
    const uint64_t *ids;
    uint64_t count = 0;
    uint32_t found = 0;
    (void)worker;
    if (fn_index_class_name(index, (uint32_t)label, &name, &bytes) != FN_OK ||
        fn_index_members(index, (uint32_t)label, &ids, &count) != FN_OK)
        return FN_OK;
    int wrong = count == 0;
    if (label && fn_index_class_name(index, (uint32_t)label - 1, &before, &before_bytes) == FN_OK)
        wrong |= strcmp(before, name) >= 0;
    for (uint64_t i = 0; i < count && !wrong; i++)
        if (fn_index_label(index, ids[i], &found) == FN_OK)
            wrong = found != label || (i && ids[i - 1] >= ids[i]);
    if (wrong)
        fn_verify_report(v, "index.bin", -1, "",
                         fn_fail(FN_ECORRUPT,
                                 "%s/index.bin: the members of class %zu are not its own", v->path,
                                 label));
    return FN_OK;
}

/* "class/name" for a person. */
static void record_text(const struct fn_record *rec, char *text, size_t cap)
{
    struct fn_bytes line = {0};
    text[0] = 0;
    if (fn_escape(&line, rec->class_name, rec->class_bytes) == FN_OK &&
        fn_escape(&line, "/", 1) == FN_OK && fn_escape(&line, rec->name, rec->name_bytes) == FN_OK)
        snprintf(text, cap, "%.*s", (int)line.bytes, (const char *)line.data);
    fn_bytes_free(&line);
}

/* A live record against the index: its class's name, its name's hash. */
static int check_entry(const struct fn_index *index, uint64_t id, const struct fn_record *rec)
{
    const char *class_name;
    uint32_t hash;
    size_t bytes;
    int rc = fn_index_entry(index, id, &class_name, &bytes, &hash);
    if (rc && rc != FN_ENOENT)
        return FN_OK; /* reported with its block */
    if (bytes != rec->class_bytes || memcmp(class_name, rec->class_name, bytes) != 0)
        return fn_fail(FN_ECORRUPT, "the index has it in class %s", class_name);
    if (rc || hash != fn_name_hash(rec->name, rec->name_bytes))
        return fn_fail(FN_ECORRUPT, "the index does not find it by its name");
    return FN_OK;
}

struct group {
    struct fn_verifying *v;
    struct fn_verify_worker *worker;
    uint64_t number;
    char file[32];
    const uint8_t *value;
    struct fn_group_head head;
    const struct fn_group_entry *entry;
    uint64_t payload_bytes;
};

static void check_record(struct group *g, uint32_t i, int64_t id)
{
    struct fn_record rec = {0};
    char text[2 * 4 * FN_NAME_MAX + 8] = "";
    size_t bytes = 0;
    const struct fn_group_entry *entry = &g->entry[i];
    uint64_t end = i + 1 < g->head.count ? entry[1].where : g->head.used;
    int rc = fn_record_parse(g->value + entry->where, g->head.used - entry->where, &rec, &bytes);
    if (!rc) {
        record_text(&rec, text, sizeof text);
        rc = fn_record_check(g->value + entry->where, g->head.used - entry->where, &rec, &bytes);
    }
    if (!rc &&
        (entry->where + bytes != end || rec.input != entry->input || rec.offset != entry->offset))
        rc = fn_fail(FN_ECORRUPT, "the table of its group tells otherwise of it");
    if (!rc && id >= 0)
        rc = check_entry(g->v->store->index, (uint64_t)id, &rec);
    if (!rc)
        rc = fn_record_decode(g->worker->codec, &rec, &g->worker->image);
    g->payload_bytes += rec.payload_bytes;
    if (!rc)
        return;
    char where[128];
    if (id >= 0)
        snprintf(where, sizeof where, "record %" PRId64, id);
    else
        snprintf(where, sizeof where, "a record that is not live");
    rc = fn_fail_in(rc,
                    "%s/%s: %s%s%s (group %" PRIu64 ", byte %u; from input %u, line %" PRIu64
                    ", byte %" PRIu64 ")",
                    g->v->path, g->file, where, *text ? ", " : "", text, g->number, entry->where,
                    entry->input, entry->line, entry->offset);
    fn_verify_report(g->v, g->file, id, text, rc);
}

/* The ids that lie in this group, side by side with its records. */
static void check_records(struct group *g)
{
    const struct fn_index *index = g->v->store->index;
    uint64_t id = 0, location = 0;
    if (fn_index_lower_id(index, fn_location(g->number, 0), &id) != FN_OK)
        id = UINT64_MAX; /* a damaged block, reported already */
    for (uint32_t i = 0; i < g->head.count; i++) {
        uint64_t here = fn_location(g->number, g->entry[i].where);
        int live = fn_index_location(index, id, &location) == FN_OK && location == here;
        check_record(g, i, live ? (int64_t)id : -1);
        id += (uint64_t)live;
    }
    if (fn_index_location(index, id, &location) == FN_OK &&
        fn_location_group(location) == g->number)
        fn_verify_report(g->v, g->file, (int64_t)id, "",
                         fn_fail(FN_ECORRUPT,
                                 "%s/%s: group %" PRIu64 " has no record where the index "
                                 "has record %" PRIu64,
                                 g->v->path, g->file, g->number, id));
}

/* The table of the group is lost: its live records can still be reached, through the index. */
static void check_by_index(struct group *g)
{
    const struct fn_index *index = g->v->store->index;
    uint64_t id = 0, location = 0;
    if (fn_index_lower_id(index, fn_location(g->number, 0), &id) != FN_OK)
        return;
    for (; fn_index_location(index, id, &location) == FN_OK; id++) {
        struct fn_record rec;
        if (fn_location_group(location) != g->number)
            return;
        int rc = fn_reader_get(g->worker->reader, id, &rec);
        if (!rc)
            rc = fn_record_decode(g->worker->codec, &rec, &g->worker->image);
        if (rc)
            fn_verify_report(g->v, g->file, (int64_t)id, "", rc);
    }
}

int fn_verify_group(void *context, int worker, size_t number)
{
    struct group g = {.v = context, .number = number};
    struct fn_verifying *v = g.v;
    size_t bytes;
    uint64_t shard = fn_store_shard_of(v->store, number);
    if (fn_interrupted())
        return fn_fail(FN_EINTERRUPTED, "interrupted");
    if (v->unreadable[shard])
        return FN_OK; /* reported as a file */
    g.worker = &v->workers[worker];
    snprintf(g.file, sizeof g.file, "shard-%05" PRIu64 ".mdb", shard);
    int rc = fn_reader_group(g.worker->reader, number, &g.value, &bytes);
    if (rc == FN_ENOMEM)
        return rc;
    if (rc) { /* the shard does not open: said once, by its first group */
        if (number == v->store->shards[shard].facts.first_group)
            fn_verify_report(v, g.file, -1, "", rc);
        return FN_OK;
    }
    rc = fn_group_parse(g.value, bytes, number, &g.head, &g.entry);
    if (!rc && !fn_group_tail_ok(g.value, bytes, &g.head))
        rc = fn_fail(FN_ECORRUPT, "group %zu has something behind its last record", number);
    if (rc)
        fn_verify_report(v, g.file, -1, "", fn_fail_in(rc, "%s/%s", v->path, g.file));
    if (!g.entry) {
        check_by_index(&g);
        return FN_OK;
    }
    check_records(&g);
    pthread_mutex_lock(&v->lock);
    v->verify->records += g.head.count;
    v->verify->payload_bytes += g.payload_bytes;
    if (v->verify->progress)
        v->verify->progress(v->verify->context, v->verify->records, v->manifest->stored_records);
    pthread_mutex_unlock(&v->lock);
    return FN_OK;
}
