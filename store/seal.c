/* SPDX-License-Identifier: MIT */
/* Sealing: from a complete build folder to a store. */
#include "store/seal_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "store/writer_internal.h"

/* The last rows: close the group that grows, and say in the journal that no more will come. */
static int end_rows(struct fn_writer *w)
{
    int rc = FN_OK;
    if (w->state.ended)
        return FN_OK;
    if (w->open.count) {
        rc = fn_writer_prepare(w, 0, 1);
        if (!rc)
            rc = fn_writer_close_group(w);
    }
    w->state.ended = 1;
    return rc ? rc : fn_writer_commit(w);
}

static int open_parts(const char *store, struct fn_part *parts, size_t count)
{
    char path[FN_PATH_MAX];
    int rc = FN_OK;
    for (size_t i = 0; i < count && !rc; i++)
        rc = fn_part_open(&parts[i], fn_part_file(path, store, i));
    return rc;
}

static int note_shards(struct fn_manifest *m, const struct fn_part *parts, size_t count)
{
    m->shards = calloc(count, sizeof *m->shards);
    if (!m->shards)
        return fn_fail(FN_ENOMEM, "no memory for %zu shards", count);
    for (size_t i = 0; i < count; i++) {
        const struct fn_part_facts *facts = &parts[i].facts;
        m->stored_records += facts->index.records;
        m->stored_bytes += facts->index.payload_bytes;
        if (!facts->index.groups)
            continue;
        struct fn_manifest_file *file = &m->shards[m->shard_count++];
        file->bytes = facts->index.file_bytes;
        fn_sum128_text(facts->file_sum, file->checksum);
    }
    return FN_OK;
}

static void fill_result(struct fn_seal_result *result, const struct fn_manifest *m,
                        const struct fn_selection *selection)
{
    *result = (struct fn_seal_result){.records = m->records,
                                      .classes = m->classes,
                                      .duplicates = m->duplicates,
                                      .collisions = selection->collisions,
                                      .filtered = m->small + m->surplus,
                                      .same_pixels = m->same_pixels,
                                      .conflicts = m->conflicts,
                                      .payload_bytes = m->payload_bytes,
                                      .store_bytes = m->bytes + m->index_bytes + m->rejects.bytes +
                                                     m->conflicts_file.bytes};
    for (size_t i = 0; i < m->shard_count; i++)
        result->store_bytes += m->shards[i].bytes;
    memcpy(result->content_id, m->content_id, sizeof result->content_id);
}

/* Everything but the manifest stands; its renaming is the moment of sealing. */
static int put_manifest(struct fn_writer *w, const char *provenance, struct fn_manifest *m)
{
    json_t *begun = NULL;
    char *text = NULL;
    int rc = fn_build_content_load(w->path, &begun);
    if (!rc)
        rc = fn_manifest_text(m, json_object_get(begun, "content"), &text);
    if (!rc)
        rc = fn_provenance_write(w->path, json_object_get(begun, "inputs"),
                                 json_object_get(begun, "content"), m, provenance);
    if (!rc)
        rc = fn_sink_file(w->path, "manifest.json", text, m->bytes);
    free(text);
    json_decref(begun);
    return rc;
}

static int seal(struct fn_writer *w, const char *provenance, struct fn_seal_result *result)
{
    size_t count = (size_t)w->state.shard + 1;
    struct fn_selection selection = {0};
    struct fn_manifest m = {.rows = w->state.rows,
                            .skipped = w->state.skipped,
                            .max_per_class = w->choice.max_per_class,
                            .dedupe_pixels = w->choice.dedupe_pixels};
    struct fn_part *parts = calloc(count, sizeof *parts);
    int rc = parts ? FN_OK : fn_fail(FN_ENOMEM, "no memory for %zu shards", count);
    if (!rc)
        rc = open_parts(w->path, parts, count);
    if (!rc)
        rc = fn_select(&selection, w->path, parts, count, &w->choice);
    if (!rc)
        rc = fn_seal_index(w->path, parts, count, &selection, &m);
    if (!rc)
        rc = fn_seal_rejects(w->path, &selection, &m);
    if (!rc)
        rc = note_shards(&m, parts, count);
    m.duplicates = selection.duplicates + selection.same_pixels;
    m.same_pixels = selection.same_pixels;
    m.conflicts = selection.conflicts;
    m.conflicts_file = selection.conflicts_file;
    m.small = selection.small;
    m.surplus = selection.surplus;
    m.filtered = w->state.filtered + selection.small + selection.surplus;
    if (!rc)
        rc = put_manifest(w, provenance, &m);
    if (!rc)
        fill_result(result, &m, &selection);
    for (size_t i = 0; parts && i < count; i++)
        fn_part_close(&parts[i]);
    free(parts);
    free(m.shards);
    fn_selection_free(&selection);
    return rc;
}

int fn_writer_seal(struct fn_writer *w, const char *provenance, struct fn_seal_result *result)
{
    if (w->failed || !w->db)
        return fn_fail(FN_EUSAGE, "%s: it was sealed, or writing has failed before", w->path);
    int rc = end_rows(w);
    if (!rc)
        rc = fn_ahead_end(&w->ahead, 0);
    fn_build_db_close(&w->db); /* sealing opens it to read; and nothing is written from here on */
    fn_values_close(&w->values);
    for (uint64_t i = 0; i <= w->state.shard && !rc; i++)
        rc = fn_seal_shard(w->path, i, i == w->state.shard, NULL);
    if (!rc)
        rc = seal(w, provenance, result);
    if (!rc)
        rc = fn_build_remove(w->path);
    if (rc)
        w->failed = rc;
    return rc;
}
