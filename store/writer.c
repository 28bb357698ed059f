/* SPDX-License-Identifier: MIT */
/* The writer: rows into groups, groups into the shard that grows, all of it committed with the
 * position behind it. Opening and finding again is in writer_open.c, sealing in seal.c. */
#include "store/writer.h"

#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "store/pages.h"
#include "store/rejects.h"
#include "store/writer_internal.h"

/* A commit costs waiting for the disk; what is lost by a kill is at most this. */
#define COMMIT_BYTES (64ULL << 20)
#define COMMIT_SECONDS 10.0
#define ROOM_SLACK (1ULL << 20) /* journal and tree pages of one transaction */

const struct fn_writer_counts *fn_writer_get_counts(const struct fn_writer *writer)
{
    return &writer->counts;
}

/* Pending rejects stand in one buffer, each after its length. */
static int put_rejects(struct fn_writer *w)
{
    int rc = FN_OK;
    for (size_t at = 0; at < w->rejects.bytes && !rc;) {
        uint64_t bytes;
        uint8_t *value;
        memcpy(&bytes, w->rejects.data + at, sizeof bytes);
        at += sizeof bytes;
        rc = fn_build_db_put(w->db, FN_TABLE_REJECTS, w->state.rejects, bytes, &value);
        if (!rc)
            memcpy(value, w->rejects.data + at, bytes);
        at += bytes;
        w->state.rejects++;
    }
    w->rejects.bytes = 0;
    return rc;
}

int fn_writer_commit(struct fn_writer *w)
{
    /* The groups are on the disk before the journal says so. */
    int rc = fn_values_sync(w->values);
    if (!rc)
        rc =
            fn_build_db_begin(w->db, 2 * w->rejects.bytes + 2 * w->open.records.bytes + ROOM_SLACK);
    if (!rc)
        rc = put_rejects(w);
    if (!rc)
        rc = fn_open_group_put(w->db, &w->open);
    if (!rc)
        rc = fn_state_put(w->db, &w->state);
    if (!rc)
        rc = fn_build_db_commit(w->db);
    w->uncommitted = 0;
    w->dirty = 0;
    w->committed_at = fn_now();
    /* From this commit on the journal of the shard that grows counts; those before it are free. */
    return rc ? rc : fn_ahead_go_on(&w->ahead, w->path, w->state.shard);
}

int fn_writer_begin_shard(struct fn_writer *w)
{
    char path[FN_PATH_MAX];
    int rc = fn_build_db_open(&w->db, fn_build_shard_file(path, w->path, w->state.shard), 0);
    if (!rc)
        rc = fn_values_open(&w->values, fn_values_file(path, w->path, w->state.shard),
                            FN_PAGES_HEAD);
    /* LMDB syncs what is in the file, not that there is one. */
    return rc ? rc : fn_fsync_dir(fn_store_file(path, w->path, "build"));
}

/* The shard is full: finish its file and begin the next. The old journal counts until the first
 * commit to the new one. */
static int next_shard(struct fn_writer *w)
{
    int rc = fn_writer_commit(w);
    /* Checking may be slower than rows come: never more than two shards wait. */
    if (!rc && w->ahead.running && w->state.shard > w->ahead.shard + 1)
        rc = fn_ahead_end(&w->ahead, 0);
    if (rc)
        return rc;
    fn_build_db_close(&w->db);
    fn_values_close(&w->values);
    w->state.shard++;
    w->state.shard_bytes = 0;
    w->state.first_group = w->state.groups;
    return fn_writer_begin_shard(w);
}

int fn_writer_close_group(struct fn_writer *w)
{
    size_t bytes = fn_group_value_bytes(fn_group_used(&w->open));
    int rc = fn_values_put(w->values, &w->open, w->state.groups);
    if (rc)
        return rc;
    fn_group_clear(&w->open);
    w->state.groups++;
    w->state.shard_bytes += bytes;
    return FN_OK;
}

/* Before a record of `bytes` bytes is taken: go on to the next shard if this one is full. */
int fn_writer_prepare(struct fn_writer *w, size_t bytes, int closing)
{
    closing = closing || w->open.records.bytes + bytes >= FN_GROUP_BYTES;
    return closing && w->state.shard_bytes >= w->shard_bytes ? next_shard(w) : FN_OK;
}

/* Every call ends here: what failed once is only closed. */
static int done(struct fn_writer *w, int rc)
{
    if (rc && rc != FN_EUSAGE)
        w->failed = rc;
    return rc;
}

static int row_usable(const struct fn_writer *w)
{
    if (w->failed)
        return fn_fail(FN_EUSAGE, "%s: writing has failed before", w->path);
    if (w->state.ended)
        return fn_fail(FN_EMISMATCH,
                       "%s: all its rows were read and sealing has begun, but now there "
                       "are more: the input has changed",
                       w->path);
    return FN_OK;
}

static int after_row(struct fn_writer *w, const struct fn_position *pos)
{
    w->state.rows++;
    w->counts.rows++;
    w->state.input = pos->input;
    w->state.line = pos->line;
    w->state.offset = pos->offset;
    w->state.next = pos->next;
    w->dirty = 1;
    if (w->uncommitted < COMMIT_BYTES && fn_now() - w->committed_at < COMMIT_SECONDS)
        return FN_OK;
    return fn_writer_commit(w);
}

static int record_usable(const struct fn_new_record *rec)
{
    uint64_t pixels = (uint64_t)rec->w * (uint64_t)rec->h;
    if (!fn_name_ok(rec->class_name, rec->class_bytes) || !fn_name_ok(rec->name, rec->name_bytes))
        return fn_fail(FN_EUSAGE, "a class or record name that is none: '%.*s', '%.*s'",
                       (int)rec->class_bytes, rec->class_name, (int)rec->name_bytes, rec->name);
    if (rec->payload_bytes < 1 || rec->payload_bytes > FN_PAYLOAD_MAX)
        return fn_fail(FN_EUSAGE, "a picture of %zu bytes; 1 to 2^30 fit", rec->payload_bytes);
    if (rec->codec < FN_CODEC_JPEG || rec->codec > FN_CODEC_RAW || rec->w < 1 || rec->h < 1)
        return fn_fail(FN_EUSAGE, "a picture of codec %d with %d x %d pixels", rec->codec, rec->w,
                       rec->h);
    if (rec->codec == FN_CODEC_RAW && pixels * 3 != rec->payload_bytes)
        return fn_fail(FN_EUSAGE, "a raw picture of %d x %d in %zu bytes", rec->w, rec->h,
                       rec->payload_bytes);
    return FN_OK;
}

int fn_writer_add(struct fn_writer *w, const struct fn_position *pos,
                  const struct fn_new_record *rec)
{
    int rc = row_usable(w);
    if (!rc)
        rc = record_usable(rec);
    if (rc)
        return rc;
    size_t bytes = fn_record_size(rec->class_bytes, rec->name_bytes, rec->payload_bytes);
    rc = fn_writer_prepare(w, bytes, 0);
    if (!rc)
        rc = fn_group_add(&w->open, pos, rec);
    if (!rc && fn_group_full(&w->open))
        rc = fn_writer_close_group(w);
    if (rc)
        return done(w, rc);
    w->uncommitted += bytes;
    w->state.records++;
    w->counts.records++;
    w->state.payload_bytes += rec->payload_bytes;
    w->counts.payload_bytes += rec->payload_bytes;
    w->state.warned += rec->warnings != 0;
    w->counts.warned += rec->warnings != 0;
    return done(w, after_row(w, pos));
}

int fn_writer_reject(struct fn_writer *w, const struct fn_position *pos, int reason,
                     const char *detail)
{
    struct fn_reject reject = {.input = pos->input,
                               .reason = reason,
                               .line = pos->line,
                               .offset = pos->offset,
                               .detail = detail ? detail : "",
                               .detail_bytes = detail ? strlen(detail) : 0};
    int rc = row_usable(w);
    if (rc)
        return rc;
    if (reason <= 0 || reason >= FN_REJECT_COUNT)
        return fn_fail(FN_EUSAGE, "there is no reason %d to reject a row", reason);
    size_t at = w->rejects.bytes;
    uint64_t bytes = 0;
    rc = fn_bytes_reserve(&w->rejects, at + sizeof bytes);
    if (!rc) {
        w->rejects.bytes += sizeof bytes;
        rc = fn_reject_pack(&w->rejects, &reject);
    }
    if (rc)
        return done(w, rc);
    bytes = w->rejects.bytes - at - sizeof bytes;
    memcpy(w->rejects.data + at, &bytes, sizeof bytes);
    w->uncommitted += bytes;
    w->state.rejected[reason]++;
    w->counts.rejected[reason]++;
    w->counts.rejected[0]++;
    return done(w, after_row(w, pos));
}

int fn_writer_pass(struct fn_writer *w, const struct fn_position *pos, int kind)
{
    int rc = row_usable(w);
    if (rc)
        return rc;
    if (kind == FN_PASS_SKIPPED) {
        w->state.skipped++;
        w->counts.skipped++;
    } else if (kind == FN_PASS_FILTERED) {
        w->state.filtered++;
        w->counts.filtered++;
    } else {
        return fn_fail(FN_EUSAGE, "there is no kind %d of passing over a row", kind);
    }
    return done(w, after_row(w, pos));
}

int fn_writer_lost(struct fn_writer *w, const char *class_name, size_t class_bytes, uint64_t count)
{
    struct fn_bytes *lost = &w->choice.lost;
    size_t bytes = sizeof count + class_bytes + 1;
    if (!class_name) {
        w->choice.lost_somewhere += count;
        return FN_OK;
    }
    if (!fn_name_ok(class_name, class_bytes))
        return fn_fail(FN_EUSAGE, "a class name that is none");
    int rc = fn_bytes_reserve(lost, lost->bytes + bytes);
    if (rc)
        return done(w, rc);
    uint8_t *at = lost->data + lost->bytes;
    memcpy(at, &count, sizeof count);
    memcpy(at + sizeof count, class_name, class_bytes);
    at[bytes - 1] = 0;
    lost->bytes += bytes;
    return FN_OK;
}

int fn_writer_flush(struct fn_writer *w)
{
    if (w->failed)
        return fn_fail(FN_EUSAGE, "%s: writing has failed before", w->path);
    return w->dirty ? done(w, fn_writer_commit(w)) : FN_OK;
}
