/* SPDX-License-Identifier: MIT */
/* index.bin and rejects.tsv from the selection. Records pass in input order beside their fates, get
 * their ids, and are sorted once more by label for the lists of members. */
#include <stdlib.h>
#include <string.h>

#include "store/build.h"
#include "store/index.h"
#include "store/seal_internal.h"

struct pass {
    const char *store;
    struct fn_selection *selection;
    struct fn_index_writer *index;
    struct fn_sort *members; /* label (4), id (8), name hash (4) */
    uint64_t *taken;         /* records by label so far */
    struct fn_manifest *manifest;
    uint64_t id;
};

static void count_picture(struct fn_manifest *m, const struct fn_part_record *rec)
{
    int w = (int)rec->w, h = (int)rec->h;
    if (m->records == 0 || w < m->min_w)
        m->min_w = w;
    if (m->records == 0 || h < m->min_h)
        m->min_h = h;
    m->max_w = w > m->max_w ? w : m->max_w;
    m->max_h = h > m->max_h ? h : m->max_h;
    m->codecs[rec->codec]++;
    m->bytes_spread[fn_spread_bin(rec->payload_bytes)]++;
    m->sides_spread[fn_spread_bin(rec->w > rec->h ? rec->w : rec->h)]++;
    m->payload_bytes += rec->payload_bytes;
    m->records++;
}

static int take(struct pass *pass, const struct fn_part_record *rec, const char *name)
{
    const uint8_t *verdict;
    size_t bytes;
    int rc = fn_sort_next(pass->selection->fates, &verdict, &bytes);
    if (rc)
        return rc == FN_SORT_END ? fn_fail(FN_EINTERNAL, "more records than fates") : rc;
    uint32_t label = pass->selection->label[fn_unkey32(verdict + 8)];
    if (verdict[12] != FN_FATE_LIVE || label == FN_NO_LABEL)
        return FN_OK;
    if (pass->taken[label] == pass->selection->members[label])
        return FN_OK; /* more than were asked for */
    pass->taken[label]++;
    uint8_t member[16];
    fn_key32(member, label);
    fn_key64(member + 4, pass->id++);
    fn_key32(member + 12, fn_name_hash(name, rec->name_bytes));
    count_picture(pass->manifest, rec);
    rc = fn_index_writer_put(pass->index, FN_INDEX_LOCATIONS, &rec->location, 8);
    if (!rc)
        rc = fn_index_writer_put(pass->index, FN_INDEX_LABELS, &label, 4);
    return rc ? rc : fn_sort_add(pass->members, member, sizeof member);
}

static int put_records(struct pass *pass, struct fn_part *parts, size_t count)
{
    int rc = FN_OK;
    uint64_t n = 0;
    for (size_t p = 0; p < count && !rc; p++) {
        struct fn_part_record rec;
        const char *class_name, *name;
        fn_part_rewind(&parts[p]);
        while (!rc && fn_part_next_record(&parts[p], &rec, &class_name, &name) == FN_OK) {
            rc = take(pass, &rec, name);
            if (!rc && n++ % 65536 == 0)
                rc = fn_seal_pause(pass->store);
        }
    }
    return rc ? rc : fn_sort_start(pass->members);
}

static int put_members(struct pass *pass)
{
    const uint8_t *member;
    size_t bytes;
    int rc;
    while ((rc = fn_sort_next(pass->members, &member, &bytes)) == FN_OK) {
        uint64_t id = fn_unkey64(member + 4);
        uint32_t hash = fn_unkey32(member + 12);
        rc = fn_index_writer_put(pass->index, FN_INDEX_MEMBERS, &id, sizeof id);
        if (!rc)
            rc = fn_index_writer_put(pass->index, FN_INDEX_HASHES, &hash, sizeof hash);
        if (rc)
            return rc;
    }
    return rc == FN_SORT_END ? FN_OK : rc;
}

static int put_classes(struct pass *pass)
{
    const struct fn_selection *selection = pass->selection;
    const char *names = (const char *)selection->names.data;
    uint64_t start = 0, at = 0;
    int rc = FN_OK;
    for (size_t i = 0; i <= selection->classes && !rc; i++) {
        rc = fn_index_writer_put(pass->index, FN_INDEX_STARTS, &start, sizeof start);
        if (!rc)
            rc = fn_index_writer_put(pass->index, FN_INDEX_NAME_AT, &at, sizeof at);
        if (i < selection->classes) {
            start += selection->members[i];
            at += strlen(names + at) + 1;
        }
    }
    return rc ? rc
              : fn_index_writer_put(pass->index, FN_INDEX_NAMES, names, selection->names.bytes);
}

static int put_shards(struct pass *pass, const struct fn_part *parts, size_t count)
{
    int rc = FN_OK;
    for (size_t i = 0; i < count && !rc; i++)
        if (parts[i].facts.index.groups)
            rc = fn_index_writer_put(pass->index, FN_INDEX_SHARDS, &parts[i].facts.index,
                                     sizeof parts[i].facts.index);
    return rc;
}

int fn_seal_index(const char *store, struct fn_part *parts, size_t part_count,
                  struct fn_selection *selection, struct fn_manifest *manifest)
{
    char temporary[FN_PATH_MAX], path[FN_PATH_MAX];
    struct pass pass = {.store = store, .selection = selection, .manifest = manifest};
    struct fn_index_counts counts = {.records = selection->live,
                                     .classes = selection->classes,
                                     .names_bytes = selection->names.bytes};
    for (size_t i = 0; i < part_count; i++) {
        counts.groups += parts[i].facts.index.groups;
        counts.shards += parts[i].facts.index.groups > 0;
    }
    fn_build_file(temporary, store, "index.tmp");
    pass.taken = calloc(selection->classes ? selection->classes : 1, sizeof *pass.taken);
    int rc = pass.taken ? FN_OK : fn_fail(FN_ENOMEM, "no memory for the classes of %s", store);
    if (!rc)
        rc = fn_index_writer_open(&pass.index, temporary, fn_store_file(path, store, "index.bin"),
                                  &counts);
    if (!rc)
        rc = fn_sort_open(&pass.members, fn_store_file(path, store, "build"), FN_SEAL_MEMORY);
    if (!rc)
        rc = put_records(&pass, parts, part_count);
    if (!rc)
        rc = put_members(&pass);
    if (!rc)
        rc = put_classes(&pass);
    if (!rc)
        rc = put_shards(&pass, parts, part_count);
    if (!rc)
        rc = fn_index_writer_commit(pass.index, &manifest->index_bytes, &manifest->index_sum);
    manifest->groups = counts.groups;
    manifest->classes = (uint32_t)selection->classes;
    fn_index_writer_close(&pass.index);
    fn_sort_close(&pass.members);
    free(pass.taken);
    return rc;
}

int fn_seal_rejects(const char *store, struct fn_selection *selection, struct fn_manifest *manifest)
{
    char temporary[FN_PATH_MAX], path[FN_PATH_MAX];
    struct fn_sink *sink = NULL;
    struct fn_bytes line = {0};
    const uint8_t *item;
    size_t bytes;
    fn_build_file(temporary, store, "rejects.tmp");
    int rc = fn_sink_open(&sink, temporary, fn_store_file(path, store, "rejects.tsv"));
    if (!rc)
        rc = fn_sink_write(sink, FN_REJECTS_TITLE, strlen(FN_REJECTS_TITLE));
    while (!rc && (rc = fn_sort_next(selection->rejects, &item, &bytes)) == FN_OK) {
        struct fn_reject reject;
        rc = fn_reject_unpack(item + 12, bytes - 12, &reject);
        line.bytes = 0;
        if (!rc)
            rc = fn_reject_line(&line, &reject);
        if (!rc)
            rc = fn_sink_write(sink, line.data, line.bytes);
        if (!rc && reject.reason > 0 && reject.reason < FN_REJECT_COUNT) {
            manifest->rejected[reject.reason]++;
            manifest->rejected[0]++;
        }
    }
    if (rc == FN_SORT_END) {
        manifest->rejects.bytes = fn_sink_bytes(sink);
        fn_sum128_text(fn_sink_sum(sink), manifest->rejects.checksum);
        rc = fn_sink_commit(sink);
    }
    fn_sink_close(&sink);
    fn_bytes_free(&line);
    return rc;
}
