/* SPDX-License-Identifier: MIT */
/* Repairing: what salvage finds and what rejects.tsv lists, merged by place, into a new store. The
 * sequence of rows is the same each time, so an interrupted repair goes on by counting. */
#include "ingest/repair.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/args.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "ingest/repair_known.h"
#include "store/salvage.h"

#define LOST_TITLE "#input\tline\toffset\tclass\trecord\n"

struct repairing {
    struct fn_repair *r;
    struct fn_known known;
    struct fn_writer *writer;
    struct fn_reject reject; /* the next of the old store's */
    int have_reject;
    uint64_t done, row;        /* rows of runs before this one; rows met so far */
    struct fn_position last;   /* met; line 0: none yet */
    struct fn_position anchor; /* the last one whose line is known by the table of its group */
    struct fn_out *list;
    struct fn_bytes text;
};

static int is_before(uint32_t input, uint64_t offset, uint32_t other, uint64_t other_offset)
{
    return input != other ? input < other : offset < other_offset;
}

/* Is the row that comes now one that an earlier run has stored? */
static int stored_before(struct repairing *s)
{
    return s->row++ < s->done;
}

static int next_reject(struct repairing *s)
{
    for (;;) {
        int rc = fn_reject_lines_next(&s->known.rejects, &s->reject);
        s->have_reject = rc == FN_OK;
        if (rc == FN_OK || rc == FN_STORED_END)
            return FN_OK;
        if (rc != FN_ECORRUPT)
            return rc;
        s->r->bad_rejects++;
    }
}

static int put_reject(struct repairing *s)
{
    const struct fn_reject *reject = &s->reject;
    struct fn_position pos = {reject->input, reject->line, reject->offset, 1};
    s->last = pos;
    int rc = stored_before(s) ? FN_OK
                              : fn_writer_reject(s->writer, &pos, reject->reason, reject->detail);
    return rc ? rc : next_reject(s);
}

static int put_rejects_before(struct repairing *s, uint32_t input, uint64_t offset)
{
    int rc = FN_OK;
    while (!rc && s->have_reject && is_before(s->reject.input, s->reject.offset, input, offset))
        rc = put_reject(s);
    return rc;
}

/* The line of a record whose group has lost its table: in a tree it follows from the offset; else
 * it is the next one behind what was met, which is right but for blank rows and lost ones. */
static uint64_t guess_line(const struct repairing *s, const struct fn_record *rec)
{
    const json_t *input =
        json_array_get(json_object_get(s->known.provenance, "inputs"), rec->input);
    const char *kind = json_string_value(json_object_get(input, "kind"));
    if (kind && (strcmp(kind, "tree") == 0 || strcmp(kind, "archive") == 0))
        return rec->offset + 1;
    return s->last.line && s->last.input == rec->input ? s->last.line + 1 : 1;
}

static int put_record(struct repairing *s, const struct fn_found *found)
{
    const struct fn_record *r = &found->rec;
    const struct fn_new_record rec = fn_record_again(r);
    struct fn_position pos = {r->input, found->line, r->offset, 1};
    if (!pos.line)
        pos.line = guess_line(s, r);
    else
        s->anchor = pos;
    s->last = pos;
    return stored_before(s) ? FN_OK : fn_writer_add(s->writer, &pos, &rec);
}

/* Append to the text; what fails once is found at the end. */
static int add_text(struct repairing *s, const char *text, size_t bytes, int escape)
{
    if (escape)
        return fn_escape(&s->text, text, bytes);
    int rc = fn_bytes_reserve(&s->text, s->text.bytes + bytes + 1);
    if (rc)
        return rc;
    memcpy(s->text.data + s->text.bytes, text, bytes);
    s->text.bytes += bytes;
    s->text.data[s->text.bytes] = 0;
    return FN_OK;
}

static int list_lost(struct repairing *s, const struct fn_found *found)
{
    char where[160];
    const struct fn_position *a = &s->anchor, *b = &found->next;
    int n, rc = FN_OK;
    if (!s->list) {
        rc = fn_out_open(&s->list, s->r->lost_file);
        if (rc)
            return rc;
        fputs(LOST_TITLE, fn_out_stream(s->list));
    }
    if (found->placed)
        n = snprintf(where, sizeof where, "%" PRIu32 "\t%" PRIu64 "\t%" PRIu64 "\t",
                     found->rec.input, found->line, found->rec.offset);
    else if (b->line && b->input == a->input)
        n = snprintf(where, sizeof where,
                     "%" PRIu32 "\t%" PRIu64 "-%" PRIu64 "\t%" PRIu64 "-%" PRIu64 "\t", a->input,
                     a->line + 1, b->line - 1, a->offset + (a->line > 0), b->offset - 1);
    else
        n = snprintf(where, sizeof where, "%" PRIu32 "\t%" PRIu64 "-\t%" PRIu64 "-\t", a->input,
                     a->line + 1, a->offset + (a->line > 0));
    s->text.bytes = 0;
    rc = add_text(s, where, (size_t)n, 0);
    if (!rc)
        rc = add_text(s, found->rec.class_name, found->rec.class_bytes, 1);
    if (!rc)
        rc = add_text(s, "\t", 1, 0);
    if (!rc)
        rc = add_text(s, found->rec.name, found->rec.name_bytes, 1);
    if (!rc)
        rc = add_text(s, "\n", 1, 0);
    if (!rc)
        fwrite(s->text.data, 1, s->text.bytes, fn_out_stream(s->list));
    return rc;
}

static int put_lost(struct repairing *s, const struct fn_found *found)
{
    const struct fn_record *rec = &found->rec;
    int rc = list_lost(s, found);
    s->r->listed++;
    if (!rc && rec->class_bytes && fn_name_ok(rec->class_name, rec->class_bytes))
        rc = fn_writer_lost(s->writer, rec->class_name, rec->class_bytes, 1);
    if (found->placed)
        s->last = s->anchor = (struct fn_position){rec->input, found->line, rec->offset, 1};
    struct fn_position pos = s->anchor;
    pos.line = pos.line ? pos.line : 1;
    s->text.bytes = 0;
    if (!rc && rec->class_bytes)
        rc = add_text(s, rec->class_name, rec->class_bytes, 0);
    if (!rc && rec->class_bytes)
        rc = add_text(s, "/", 1, 0);
    if (!rc && rec->name_bytes)
        rc = add_text(s, rec->name, rec->name_bytes, 0);
    if (!rc && rec->class_bytes)
        rc = add_text(s, ": ", 2, 0);
    const char *why = found->placed ? "it was damaged in the store"
                                    : "it was damaged in the store, and stood behind this row";
    if (!rc)
        rc = add_text(s, why, strlen(why), 0);
    if (rc || stored_before(s))
        return rc;
    return fn_writer_reject(s->writer, &pos, FN_REJECT_LOST, (const char *)s->text.data);
}

static int visit(void *context, const struct fn_found *found)
{
    struct repairing *s = context;
    int rc = FN_OK;
    if (found->kind == FN_FOUND_GAP)
        return FN_OK; /* counted */
    if (found->kind == FN_FOUND_RECORD || found->placed)
        rc = put_rejects_before(s, found->rec.input, found->rec.offset);
    if (!rc)
        rc = found->kind == FN_FOUND_RECORD ? put_record(s, found) : put_lost(s, found);
    fn_progress(10, 0, "%" PRIu64 " rows brought back, %" PRIu64 " lost", s->row - s->r->listed,
                s->r->listed);
    return rc;
}

/* Rows that have no place in a store: only their numbers count. */
static int pass(struct repairing *s)
{
    struct fn_position pos = s->last;
    uint64_t all = s->row + s->known.skipped;
    int rc = FN_OK;
    while (!rc && s->row < all)
        rc = stored_before(s) ? FN_OK : fn_writer_pass(s->writer, &pos, FN_PASS_SKIPPED);
    all += s->known.filtered;
    while (!rc && s->row < all)
        rc = stored_before(s) ? FN_OK : fn_writer_pass(s->writer, &pos, FN_PASS_FILTERED);
    return rc;
}

/* A class that had enough pictures before stays, whatever is left of it. *known: the index names
 * them all. */
static int keep_classes(struct repairing *s, uint64_t min_images, int *known)
{
    const struct fn_index *index = s->known.index;
    uint64_t classes = index && min_images > 1 ? fn_index_get_head(index)->classes : 0;
    int rc = FN_OK;
    for (uint64_t i = 0; i < classes && !rc; i++) {
        const char *name;
        size_t bytes;
        if (fn_index_class_name(index, (uint32_t)i, &name, &bytes) == FN_OK)
            rc = fn_writer_lost(s->writer, name, bytes, min_images);
        else
            *known = 0;
    }
    return rc;
}

static int salvage(struct repairing *s, struct fn_salvage *salvage)
{
    const struct fn_manifest *m = s->known.manifest;
    const struct fn_index_head *head = s->known.index ? fn_index_get_head(s->known.index) : NULL;
    salvage->shards = m ? m->shard_count : head ? head->shards : 0;
    salvage->groups = m ? m->groups : head ? head->groups : 0;
    s->r->end_unknown = !m && !head;
    int rc = next_reject(s);
    if (!rc)
        rc = fn_salvage(salvage);
    while (!rc && s->have_reject)
        rc = put_reject(s);
    if (!rc)
        rc = pass(s);
    s->r->gaps = salvage->gaps;
    s->r->mended = s->known.mended + salvage->mended;
    uint64_t met = salvage->records + salvage->lost;
    s->r->unlisted = m && m->stored_records > met ? m->stored_records - met : 0;
    return rc;
}

/* What the old store's provenance said of how it was made stays in it. */
static int provenance(struct repairing *s, char **text)
{
    const struct fn_repair *r = s->r;
    json_t *run = json_object_get(s->known.provenance, "run");
    const json_t *inputs = json_object_get(run, "inputs");
    json_t *repaired =
        json_pack("{s:s, s:I, s:I, s:I, s:I}", "content_id", r->was, "lost", (json_int_t)r->listed,
                  "lost_unlisted", (json_int_t)r->unlisted, "bits_mended", (json_int_t)r->mended,
                  "lost_rejects", (json_int_t)r->bad_rejects);
    json_t *all = json_pack("{s:s, s:s, s:o}", "tool", "fn-ingest", "version", FN_VERSION,
                            "repaired", repaired);
    int bad = !all ||
              (r->command &&
               json_object_set_new(all, "command", fn_json_bytes(r->command, strlen(r->command))));
    if (run)
        bad = bad || json_object_set(all, "was", run);
    if (inputs)
        bad = bad || json_object_set(all, "inputs", (json_t *)(uintptr_t)inputs);
    *text = bad ? NULL : json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(all);
    return *text ? FN_OK : fn_fail(FN_ENOMEM, "no memory for the provenance");
}

static int settle_content(struct repairing *s, struct fn_store_content *content)
{
    struct fn_repair *r = s->r;
    *content = s->known.content;
    if (!s->known.have_content && !r->fallback)
        return fn_fail(
            FN_ECORRUPT,
            "neither manifest.json nor provenance.json of %s can be read, and they alone "
            "say what the store was asked to be: give the options that it was made with "
            "(--size, --codec, --quality, --min-images, ...) along with --repair",
            r->store);
    if (!s->known.have_content) {
        *content = *r->fallback;
        content->inputs = s->known.inputs;
        r->by_fallback = 1;
    }
    content->command = r->command;
    if (s->known.manifest)
        memcpy(r->was, s->known.manifest->content_id, sizeof r->was);
    return FN_OK;
}

static int finish(struct repairing *s)
{
    char *text = NULL;
    struct fn_repair *r = s->r;
    r->counts = *fn_writer_get_counts(s->writer);
    if (r->counts.records == 0 && !(s->known.manifest && s->known.manifest->stored_records == 0))
        return fn_fail(FN_ECORRUPT, "nothing is left of %s: not one record verifies", r->store);
    int rc = provenance(s, &text);
    if (!rc)
        rc = fn_writer_seal(s->writer, text, &r->sealed);
    if (!rc && s->list)
        rc = fn_out_commit(s->list);
    free(text);
    return rc;
}

int fn_repair(struct fn_repair *r)
{
    struct repairing s = {.r = r};
    struct fn_salvage from = {
        .store = r->store, .mend = {FN_MEND_BUDGET}, .context = &s, .visit = visit};
    struct fn_store_content content;
    struct fn_position begun;
    r->was[0] = 0;
    r->listed = r->unlisted = r->gaps = r->mended = r->bad_rejects = 0;
    r->by_fallback = 0;
    int rc = fn_known_open(&s.known, r->store, &from.mend);
    if (!rc)
        rc = settle_content(&s, &content);
    if (!rc)
        rc = fn_writer_open(&s.writer, r->to, &content, r->overwrite, &begun, &r->counts);
    if (rc)
        goto out;
    r->rejects_unsure = s.known.rejects_unsure;
    s.done = r->counts.rows;
    from.index = s.known.index;
    int classes_known = s.known.index != NULL;
    rc = keep_classes(&s, content.min_images, &classes_known);
    if (!rc)
        rc = salvage(&s, &from);
    /* Else a class may have been large enough by what is gone without a trace. */
    if (!rc && !classes_known)
        rc = fn_writer_lost(s.writer, NULL, 0, s.known.manifest ? r->unlisted : content.min_images);
    if (rc == FN_EINTERRUPTED && fn_writer_flush(s.writer) == FN_OK)
        rc = fn_fail(FN_EINTERRUPTED, "interrupted; the same command goes on from there");
    if (!rc)
        rc = finish(&s);
out:
    fn_out_close(&s.list);
    fn_writer_close(&s.writer);
    fn_known_close(&s.known);
    fn_bytes_free(&s.text);
    return rc;
}
