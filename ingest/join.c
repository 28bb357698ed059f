/* SPDX-License-Identifier: MIT */
/* Joining: the parts' records and rejects merged by line. Blank and filtered rows have no position
 * in a store and come last; only their numbers count. */
#include "ingest/join.h"

#include <stdlib.h>
#include <string.h>

#include "base/args.h"
#include "base/log.h"
#include "store/manifest.h"
#include "store/stored.h"

struct part {
    const char *path;
    struct fn_stored stored;
    uint64_t base; /* to be added to its lines */
    struct fn_record rec;
    struct fn_reject reject;
    uint64_t rec_line, reject_line; /* of the next ones; UINT64_MAX: none */
};

struct fn_join {
    struct part *parts; /* in order */
    size_t count;
    struct fn_store_content content;
    char *selection, *inputs;
    uint64_t rows, skipped, filtered;
};

static const json_t *part_of(const struct part *part)
{
    const struct fn_manifest *m = fn_store_manifest(part->stored.store);
    return json_object_get(json_object_get(fn_manifest_content(m), "selection"), "part");
}

static uint64_t get(const struct part *part, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(part_of(part), key));
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = get(a, "number"), y = get(b, "number");
    return x < y ? -1 : x > y;
}

/* The content without the part's number, as a new object. */
static json_t *common_content(const struct part *part)
{
    json_t *all = json_deep_copy(fn_manifest_content(fn_store_manifest(part->stored.store)));
    json_object_del(json_object_get(json_object_get(all, "selection"), "part"), "number");
    return all;
}

static int compare_contents(const struct part *a, const struct part *b)
{
    json_t *x = common_content(a), *y = common_content(b), *ix = NULL, *iy = NULL;
    int rc = x && y ? FN_OK : fn_fail(FN_ENOMEM, "no memory to compare parts");
    if (!rc && !json_equal(x, y))
        rc = fn_fail(FN_EMISMATCH,
                     "%s and %s are not parts of one store: they were made with other options, "
                     "from inputs of other sizes, or are parts of another number of parts",
                     a->path, b->path);
    /* Without its provenance a part still has all its content. */
    if (!rc && fn_provenance_inputs(a->path, &ix) == FN_OK &&
        fn_provenance_inputs(b->path, &iy) == FN_OK && !json_equal(ix, iy))
        rc = fn_fail(FN_EMISMATCH, "%s and %s were made from different inputs", a->path, b->path);
    json_decref(x);
    json_decref(y);
    json_decref(ix);
    json_decref(iy);
    return rc;
}

static int check_parts(struct fn_join *join)
{
    int rc = FN_OK;
    for (size_t i = 0; i < join->count; i++)
        if (!part_of(&join->parts[i]))
            return fn_fail(FN_EMISMATCH, "%s is a whole store, not one that --part made",
                           join->parts[i].path);
    qsort(join->parts, join->count, sizeof *join->parts, by_number);
    for (size_t i = 1; i < join->count && !rc; i++)
        rc = compare_contents(&join->parts[0], &join->parts[i]);
    uint64_t of = get(&join->parts[0], "of");
    for (size_t i = 0; i < join->count && !rc; i++) {
        uint64_t number = get(&join->parts[i], "number");
        if (i && number == get(&join->parts[i - 1], "number"))
            rc = fn_fail(FN_EMISMATCH, "%s and %s are the same part", join->parts[i - 1].path,
                         join->parts[i].path);
        else if (number != i + 1)
            rc =
                fn_fail(FN_EMISMATCH, "part %zu of %llu is missing", i + 1, (unsigned long long)of);
    }
    if (!rc && join->count != of)
        rc = fn_fail(FN_EMISMATCH, "part %zu of %llu is missing", join->count + 1,
                     (unsigned long long)of);
    return rc;
}

static int fill_content(struct fn_join *join)
{
    const struct fn_manifest *m = fn_store_manifest(join->parts[0].stored.store);
    json_t *selection = json_deep_copy(json_object_get(fn_manifest_content(m), "selection"));
    json_t *inputs = NULL;
    json_object_del(selection, "part");
    join->selection = selection ? fn_json_dump(selection, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    if (fn_provenance_inputs(join->parts[0].path, &inputs) == FN_OK)
        join->inputs = fn_json_dump(inputs, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(selection);
    json_decref(inputs);
    join->content = (struct fn_store_content){.size = m->size,
                                              .codec = m->codec,
                                              .quality = m->quality,
                                              .shard_bytes = m->shard_bytes,
                                              .min_images = m->min_images,
                                              .max_per_class = m->max_per_class,
                                              .dedupe_pixels = m->dedupe_pixels,
                                              .selection = join->selection,
                                              .inputs = join->inputs};
    return join->selection ? FN_OK : fn_fail(FN_ENOMEM, "no memory to join");
}

static void add_up(struct fn_join *join)
{
    const char *by = json_string_value(json_object_get(part_of(&join->parts[0]), "by"));
    int lines_are_own = by && strcmp(by, "bytes") == 0;
    for (size_t i = 0; i < join->count; i++) {
        const struct fn_manifest *m = fn_store_manifest(join->parts[i].stored.store);
        join->parts[i].base = lines_are_own ? join->rows : 0;
        join->rows += m->rows;
        join->skipped += m->skipped;
        join->filtered += m->filtered - m->small - m->surplus;
    }
}

int fn_join_open(struct fn_join **out, const char *const *stores, size_t count)
{
    struct fn_join *join = calloc(1, sizeof *join);
    *out = join;
    if (!join)
        return fn_fail(FN_ENOMEM, "no memory to join %zu stores", count);
    join->parts = calloc(count, sizeof *join->parts);
    int rc = join->parts ? FN_OK : fn_fail(FN_ENOMEM, "no memory to join %zu stores", count);
    for (size_t i = 0; i < count && !rc; i++) {
        join->parts[i].path = stores[i];
        join->count = i + 1;
        rc = fn_stored_open(&join->parts[i].stored, stores[i]);
    }
    if (!rc)
        rc = check_parts(join);
    if (!rc)
        rc = fill_content(join);
    if (!rc)
        add_up(join);
    if (rc)
        fn_join_close(out);
    return rc;
}

void fn_join_close(struct fn_join **join)
{
    if (!*join)
        return;
    for (size_t i = 0; i < (*join)->count; i++)
        fn_stored_close(&(*join)->parts[i].stored);
    free((*join)->parts);
    free((*join)->selection);
    free((*join)->inputs);
    free(*join);
    *join = NULL;
}

const struct fn_store_content *fn_join_content(const struct fn_join *join)
{
    return &join->content;
}

uint64_t fn_join_warned(const struct fn_join *join)
{
    uint64_t warned = 0;
    for (size_t i = 0; i < join->count; i++) {
        json_t *all = NULL;
        if (fn_provenance_load(join->parts[i].path, &all) == FN_OK)
            warned += (uint64_t)json_integer_value(
                json_object_get(json_object_get(all, "run"), "warned"));
        json_decref(all);
    }
    return warned;
}

static int next_record(struct part *part)
{
    int rc = fn_stored_record(&part->stored, &part->rec, &part->rec_line);
    part->rec_line = rc == FN_STORED_END ? UINT64_MAX : part->rec_line + part->base;
    return rc == FN_STORED_END ? FN_OK : rc ? fn_fail_in(rc, "%s", part->path) : FN_OK;
}

static int next_reject(struct part *part)
{
    int rc = fn_stored_reject(&part->stored, &part->reject);
    part->reject_line = rc == FN_STORED_END ? UINT64_MAX : part->reject.line + part->base;
    return rc == FN_STORED_END ? FN_OK : rc ? fn_fail_in(rc, "%s", part->path) : FN_OK;
}

static uint64_t next_line(const struct part *part)
{
    return part->rec_line < part->reject_line ? part->rec_line : part->reject_line;
}

/* The part whose next row is the first. */
static struct part *first_part(struct fn_join *join)
{
    struct part *first = &join->parts[0];
    for (size_t i = 1; i < join->count; i++)
        if (next_line(&join->parts[i]) < next_line(first))
            first = &join->parts[i];
    return first;
}

static int put_row(struct part *part, struct fn_writer *writer, const struct fn_position *from)
{
    const struct fn_record *r = &part->rec;
    struct fn_position pos = {.line = next_line(part), .next = 1};
    int rc = FN_OK, done = pos.line <= from->line;
    if (part->reject_line < part->rec_line) {
        pos.input = part->reject.input;
        pos.offset = part->reject.offset;
        if (!done)
            rc = fn_writer_reject(writer, &pos, part->reject.reason, part->reject.detail);
        return rc ? rc : next_reject(part);
    }
    const struct fn_new_record rec = fn_record_again(r);
    pos.input = r->input;
    pos.offset = r->offset;
    if (!done)
        rc = fn_writer_add(writer, &pos, &rec);
    return rc ? rc : next_record(part);
}

static int pass(struct fn_join *join, struct fn_writer *writer)
{
    const struct fn_writer_counts *counts = fn_writer_get_counts(writer);
    struct fn_position pos = {.line = join->rows, .next = 1};
    int rc = FN_OK;
    while (!rc && counts->skipped < join->skipped)
        rc = fn_writer_pass(writer, &pos, FN_PASS_SKIPPED);
    while (!rc && counts->filtered < join->filtered)
        rc = fn_writer_pass(writer, &pos, FN_PASS_FILTERED);
    return rc;
}

int fn_join_run(struct fn_join *join, struct fn_writer *writer, const struct fn_position *from)
{
    const struct fn_writer_counts *counts = fn_writer_get_counts(writer);
    int rc = FN_OK;
    for (size_t i = 0; i < join->count && !rc; i++) {
        rc = next_record(&join->parts[i]);
        if (!rc)
            rc = next_reject(&join->parts[i]);
    }
    while (!rc) {
        struct part *part = first_part(join);
        if (next_line(part) == UINT64_MAX)
            break;
        if (fn_interrupted()) {
            rc = fn_writer_flush(writer);
            return rc ? rc
                      : fn_fail(FN_EINTERRUPTED, "interrupted after row %llu",
                                (unsigned long long)counts->rows);
        }
        rc = put_row(part, writer, from);
        fn_progress(10, 0, "%llu of %llu rows joined", (unsigned long long)counts->rows,
                    (unsigned long long)join->rows);
    }
    if (!rc)
        rc = pass(join, writer);
    if (!rc && counts->rows != join->rows)
        rc = fn_fail(FN_ECORRUPT, "the parts have %llu rows and say that they have %llu",
                     (unsigned long long)counts->rows, (unsigned long long)join->rows);
    return rc;
}
