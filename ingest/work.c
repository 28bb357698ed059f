/* SPDX-License-Identifier: MIT */
/* From a row to a record or to the reason why not. */
#include "ingest/work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/tsv.h"

#define SCRATCH_KEPT ((size_t)4 << 20) /* a file's buffer larger than this is not kept */

struct fn_worker {
    const struct fn_job *job;
    struct fn_converter *converter;
    struct fn_bytes file;
};

int fn_worker_open(struct fn_worker **worker, const struct fn_job *job)
{
    struct fn_worker *w = calloc(1, sizeof *w);
    int rc = w ? fn_converter_open(&w->converter) : fn_fail(FN_ENOMEM, "no memory for a thread");
    if (rc)
        fn_worker_close(&w);
    else
        w->job = job;
    *worker = w;
    return rc;
}

void fn_worker_close(struct fn_worker **worker)
{
    struct fn_worker *w = *worker;
    if (!w)
        return;
    fn_converter_close(&w->converter);
    fn_bytes_free(&w->file);
    free(w);
    *worker = NULL;
}

static int wanted(const struct fn_job *job, const struct fn_row *row)
{
    int listed = !job->keep || fn_name_list_has(job->keep, row->class_name, row->class_bytes,
                                                row->name, row->name_bytes);
    int excluded = job->exclude && fn_name_list_has(job->exclude, row->class_name, row->class_bytes,
                                                    row->name, row->name_bytes);
    return listed && !excluded;
}

/* The row's box, or a reject where the boxes file has none. */
static const struct fn_box *box_of(const struct fn_job *job, struct fn_row *row, struct fn_box *box)
{
    char path[2 * FN_NAME_MAX + 8];
    if (!job->boxes)
        return NULL;
    snprintf(path, sizeof path, "%.*s/%.*s.jpg", (int)row->class_bytes, row->class_name,
             (int)row->name_bytes, row->name);
    switch (fn_boxes_find(job->boxes, path, box)) {
    case FN_BOX_FOUND:
        return box;
    case FN_BOX_NO_FACE:
        fn_fail(FN_ENOENT, "the aligner found no face in it");
        break;
    case FN_BOX_UNKNOWN:
        fn_fail(FN_ENOENT, "the boxes file has no line for it");
        break;
    }
    row->reject = FN_REJECT_NO_FACE;
    return NULL;
}

/* The detail begins with the record's name where there is one, and is followed by a NUL. */
static int put_reject(struct fn_chunk *chunk, struct fn_item *item, const struct fn_row *row)
{
    const char *why = fn_err_text(FN_EFORMAT);
    int rc = FN_OK;
    size_t at;
    item->kind = FN_ITEM_REJECT;
    item->reason = row->reject;
    item->text_at = chunk->out.bytes;
    if (row->name_bytes) {
        rc = fn_chunk_put(chunk, row->class_name, row->class_bytes, &at);
        if (!rc)
            rc = fn_chunk_put(chunk, "/", 1, &at);
        if (!rc)
            rc = fn_chunk_put(chunk, row->name, row->name_bytes, &at);
        if (!rc)
            rc = fn_chunk_put(chunk, ": ", 2, &at);
    }
    return rc ? rc : fn_chunk_put(chunk, why, strlen(why) + 1, &at);
}

static int put_record(struct fn_chunk *chunk, struct fn_item *item, const struct fn_row *row,
                      const struct fn_converted *made)
{
    size_t at;
    item->kind = FN_ITEM_RECORD;
    item->codec = made->codec;
    item->w = made->w;
    item->h = made->h;
    item->pixels = made->pixels;
    item->warnings = made->warnings;
    item->class_bytes = row->class_bytes;
    item->name_bytes = row->name_bytes;
    item->payload_bytes = made->bytes;
    int rc = fn_chunk_put(chunk, row->class_name, row->class_bytes, &item->text_at);
    if (!rc)
        rc = fn_chunk_put(chunk, row->name, row->name_bytes, &at);
    return rc ? rc : fn_chunk_put(chunk, made->payload, made->bytes, &item->payload_at);
}

static int do_item(struct fn_worker *w, struct fn_chunk *chunk, struct fn_item *item)
{
    const struct fn_input *input = chunk->input;
    struct fn_row row;
    struct fn_box box;
    const struct fn_box *use_box = NULL;
    struct fn_converted made;
    int rc = FN_OK;
    row.class_name = NULL;
    row.class_bytes = row.name_bytes = row.image_bytes = 0;
    row.image = NULL;
    row.reject = 0;
    if (item->kind == FN_ITEM_REJECT) { /* the reader's: only the detail is missing */
        row.reject = item->reason;
        fn_fail(FN_ELIMIT, "%llu bytes, more than the %zu of the longest row taken",
                (unsigned long long)(item->pos.next - item->pos.offset), FN_TSV_ROW_MAX);
        return put_reject(chunk, item, &row);
    }
    if (item->kind != FN_ITEM_TODO)
        return FN_OK;
    rc = input->type->names(input, chunk, item, &row);
    if (rc)
        return rc;
    if (!row.reject && !row.class_name) {
        item->kind = FN_ITEM_SKIPPED;
        return FN_OK;
    }
    if (!row.reject && !wanted(w->job, &row)) {
        item->kind = FN_ITEM_FILTERED;
        return FN_OK;
    }
    if (!row.reject)
        use_box = box_of(w->job, &row, &box);
    if (!row.reject)
        rc = input->type->picture(input, item, &row, &w->file);
    if (item->bytes == 0) /* a file, read just now */
        chunk->in_bytes += row.image_bytes;
    if (!rc && !row.reject)
        rc = fn_convert_picture(w->converter, &w->job->convert, row.image, row.image_bytes, use_box,
                                &made, &row.reject);
    if (rc)
        return rc;
    return row.reject ? put_reject(chunk, item, &row) : put_record(chunk, item, &row, &made);
}

int fn_worker_do(struct fn_worker *w, struct fn_chunk *chunk)
{
    int rc = FN_OK;
    for (size_t i = 0; i < chunk->count && !rc; i++) {
        rc = do_item(w, chunk, &chunk->items[i]);
        if (rc)
            rc = fn_fail_in(rc, "%s, line %llu", chunk->input->path,
                            (unsigned long long)chunk->items[i].pos.line);
    }
    if (w->file.cap > SCRATCH_KEPT)
        fn_bytes_free(&w->file);
    return rc;
}
