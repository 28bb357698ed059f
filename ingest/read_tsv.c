/* SPDX-License-Identifier: MIT */
/* Input: a face TSV, plain, compressed, or inside a tar or zip. The reader cuts the stream into
 * rows and does nothing else; columns and base64 are the workers' affair. */
#include <stdlib.h>
#include <string.h>

#include "base/image.h"
#include "ingest/base64.h"
#include "ingest/input.h"
#include "ingest/stream.h"
#include "ingest/tsv.h"

/* Bytes a buffer may have that holds nothing but the beginning of one row. */
#define BUFFER_MAX (FN_TSV_ROW_MAX + FN_CHUNK_BYTES)

struct tsv {
    struct fn_stream *stream; /* the input's */
    const struct fn_tsv_layout *layout;
    uint64_t line;        /* rows cut so far */
    uint64_t offset;      /* where the next row begins */
    struct fn_bytes rest; /* read already, from `offset` on: less than FN_CHUNK_BYTES */
    int ended;
};

static int probe(const struct fn_input *s)
{
    return s->stream != NULL;
}

static int choose_layout(struct fn_input *s, struct tsv *t, const char *asked)
{
    size_t bytes;
    int whole;
    const char *member = fn_stream_member(t->stream);
    const uint8_t *head = fn_stream_head(t->stream, &bytes, &whole);
    const char *file = strcmp(s->path, "-") == 0 ? "stdin" : s->path;
    char where[1024];
    int rc;
    snprintf(where, sizeof where, "%s%s%s", member ? member : "", member ? " in " : "", file);
    if (strcmp(asked, "auto") == 0) {
        rc = fn_tsv_detect(head, bytes, whole, where, &t->layout);
    } else {
        t->layout = fn_tsv_layout_named(asked);
        rc = t->layout ? fn_tsv_plausible(head, bytes, where)
                       : fn_fail(FN_EUSAGE, "no layout is called '%s'", asked);
    }
    if (rc)
        return rc;
    const char *wrapping = fn_stream_wrapping(t->stream);
    rc = fn_input_describe(
        s, "TSV%s%s%s%s, layout %s (%d columns: %s)", strcmp(wrapping, "plain") == 0 ? "" : ", ",
        strcmp(wrapping, "plain") == 0 ? "" : wrapping, member ? ": " : "", member ? member : "",
        t->layout->name, t->layout->columns, t->layout->described);
    char hash[33];
    fn_hash_text(head, bytes, hash);
    s->identity = json_pack("{s:s, s:s, s:s}", "kind", s->type->kind, "layout", t->layout->name,
                            "head", hash);
    return !rc && !s->identity ? fn_fail(FN_ENOMEM, "no memory to open %s", s->path) : rc;
}

static int open_tsv(struct fn_input *s, const struct fn_input_options *options)
{
    struct tsv *t = s->self = calloc(1, sizeof *t);
    if (!t)
        return fn_fail(FN_ENOMEM, "no memory to open %s", s->path);
    t->stream = s->stream;
    s->bytes = fn_stream_size(t->stream);
    return choose_layout(s, t, options->layout);
}

static void close_tsv(struct fn_input *s)
{
    struct tsv *t = s->self;
    if (!t)
        return;
    fn_bytes_free(&t->rest);
    free(t);
    s->self = NULL;
}

static int seek_tsv(struct fn_input *s, const struct fn_position *pos)
{
    struct tsv *t = s->self;
    t->line = pos->line;
    t->offset = pos->next;
    t->rest.bytes = 0;
    if (pos->next == 0)
        return fn_stream_seek(t->stream, 0);
    /* One byte earlier, to see that a row did end there. */
    uint8_t before = 0, behind;
    size_t got = 0, more = 0;
    int rc = fn_stream_seek(t->stream, pos->next - 1);
    if (!rc)
        rc = fn_stream_read(t->stream, &before, 1, &got);
    if (rc || (got && before == '\n'))
        return rc;
    /* A last row without a newline ends at the end of the input only. */
    if (got)
        rc = fn_stream_read(t->stream, &behind, 1, &more);
    if (!rc && (!got || more))
        rc = fn_fail(FN_EMISMATCH, "%s is not the input it was: no row ends at byte %llu any more",
                     s->path, (unsigned long long)pos->next);
    t->ended = 1;
    return rc;
}

/* An item for the row in[at .. end), which begins at t->offset. 0: the chunk is full. */
static int add_row(const struct fn_input *s, struct tsv *t, struct fn_chunk *chunk, size_t at,
                   size_t bytes)
{
    struct fn_item *item = fn_chunk_item(chunk);
    if (!item)
        return 0;
    t->line++;
    item->pos = (struct fn_position){s->number, t->line, t->offset, t->offset + bytes};
    item->at = at;
    item->bytes = bytes;
    if (bytes > FN_TSV_ROW_MAX) {
        item->kind = FN_ITEM_REJECT;
        item->reason = FN_REJECT_LONG_ROW;
    }
    t->offset += bytes;
    chunk->in_bytes += bytes;
    return 1;
}

/* Rows from in[*at] on, as long as they are complete; `seen`: up to there is no newline. */
static void cut_rows(const struct fn_input *s, struct tsv *t, struct fn_chunk *chunk, size_t *at,
                     size_t seen)
{
    const uint8_t *in = chunk->in.data;
    for (;;) {
        const uint8_t *lf =
            seen < chunk->in.bytes ? memchr(in + seen, '\n', chunk->in.bytes - seen) : NULL;
        size_t end = lf ? (size_t)(lf - in) + 1 : 0;
        if (!lf || !add_row(s, t, chunk, *at, end - *at))
            return;
        *at = seen = end;
    }
}

/* The row that begins the chunk is longer than any we take: stream past it, keeping nothing. */
static int pass_long_row(const struct fn_input *s, struct tsv *t, struct fn_chunk *chunk)
{
    uint64_t bytes = chunk->in.bytes;
    uint8_t *in = chunk->in.data, *lf = NULL;
    size_t got = 0;
    while (!lf) {
        int rc = fn_stream_read(t->stream, in, FN_CHUNK_BYTES, &got);
        if (rc)
            return rc;
        if (got == 0)
            break;
        lf = memchr(in, '\n', got);
        bytes += lf ? (size_t)(lf - in) + 1 : got;
    }
    t->ended = !lf;
    t->rest.bytes = lf ? got - (size_t)(lf + 1 - in) : 0;
    if (t->rest.bytes)
        memcpy(t->rest.data, lf + 1, t->rest.bytes);
    chunk->in.bytes = 0;
    struct fn_item *item = fn_chunk_item(chunk);
    item->pos = (struct fn_position){s->number, ++t->line, t->offset, t->offset + bytes};
    item->kind = FN_ITEM_REJECT;
    item->reason = FN_REJECT_LONG_ROW;
    t->offset += bytes;
    chunk->in_bytes += bytes;
    return FN_OK;
}

/* Read until the chunk holds at least one row; *at: where its rows end. */
static int fill(const struct fn_input *s, struct tsv *t, struct fn_chunk *chunk,
                struct fn_budget *budget, size_t *at)
{
    size_t seen = 0, cap = FN_CHUNK_BYTES;
    for (;;) {
        while (!t->ended && chunk->in.bytes < cap) {
            size_t got, room = cap - chunk->in.bytes;
            int rc = fn_stream_read(t->stream, chunk->in.data + chunk->in.bytes,
                                    room < FN_CHUNK_BYTES ? room : FN_CHUNK_BYTES, &got);
            if (rc)
                return rc;
            chunk->in.bytes += got;
            t->ended = got == 0;
            if (cap > FN_CHUNK_BYTES) /* a long row: no more than needed behind its end */
                break;
        }
        cut_rows(s, t, chunk, at, seen);
        seen = chunk->in.bytes;
        if (chunk->count || t->ended)
            return FN_OK;
        if (chunk->in.bytes < cap)
            continue;
        if (cap == BUFFER_MAX)
            return FN_OK;
        cap = cap < BUFFER_MAX / 2 ? cap * 2 : BUFFER_MAX;
        int rc = fn_chunk_grow(chunk, budget, cap);
        if (rc)
            return rc;
    }
}

static int read_tsv(struct fn_input *s, struct fn_chunk *chunk, struct fn_budget *budget)
{
    struct tsv *t = s->self;
    size_t at = 0;
    int rc = fn_chunk_grow(chunk, budget, FN_CHUNK_BYTES);
    if (!rc)
        rc = fn_bytes_reserve(&t->rest, FN_CHUNK_BYTES);
    if (rc)
        return rc;
    if (t->rest.bytes)
        memcpy(chunk->in.data, t->rest.data, t->rest.bytes);
    chunk->in.bytes = t->rest.bytes;
    t->rest.bytes = 0;
    rc = fill(s, t, chunk, budget, &at);
    if (rc)
        return rc;
    if (chunk->count == 0 && !t->ended)
        rc = pass_long_row(s, t, chunk);
    else if (t->ended && at < chunk->in.bytes &&
             !memchr(chunk->in.data + at, '\n', chunk->in.bytes - at) &&
             add_row(s, t, chunk, at, chunk->in.bytes - at))
        at = chunk->in.bytes; /* the last row, without a newline */
    if (chunk->in.bytes > at) {
        t->rest.bytes = chunk->in.bytes - at;
        memcpy(t->rest.data, chunk->in.data + at, t->rest.bytes);
    }
    chunk->done = s->bytes ? (double)fn_stream_taken(t->stream) / (double)s->bytes : 0;
    s->left_out = fn_stream_left_out(t->stream);
    return rc;
}

static int names_of(const struct fn_input *s, struct fn_chunk *chunk, const struct fn_item *item,
                    struct fn_row *row)
{
    const struct fn_tsv_layout *l = ((const struct tsv *)s->self)->layout;
    struct fn_span columns[FN_TSV_COLUMNS_MAX], class_name;
    struct fn_span text = fn_tsv_trim(chunk->in.data + item->at, item->bytes);
    if (item->pos.offset == 0 && text.bytes >= 3 && memcmp(text.at, "\xef\xbb\xbf", 3) == 0)
        text = (struct fn_span){text.at + 3, text.bytes - 3}; /* a byte order mark */
    if (text.bytes == 0)
        return FN_OK;
    size_t count = fn_tsv_split(text, columns);
    if (count != (size_t)l->columns) {
        row->reject = FN_REJECT_COLUMNS;
        fn_fail(FN_EFORMAT, "%zu column%s, want %d", count, count == 1 ? "" : "s", l->columns);
        return FN_OK;
    }
    if (fn_tsv_names(l, columns, &class_name, row->name, &row->name_bytes)) {
        row->reject = FN_REJECT_NAME;
        return FN_OK;
    }
    row->class_name = (const char *)class_name.at;
    row->class_bytes = class_name.bytes;
    row->image = chunk->in.data + (columns[l->image].at - chunk->in.data);
    row->image_bytes = columns[l->image].bytes;
    return FN_OK;
}

static int picture_of(const struct fn_input *s, const struct fn_item *item, struct fn_row *row,
                      struct fn_bytes *scratch)
{
    int column = ((const struct tsv *)s->self)->layout->image + 1;
    size_t chars = row->image_bytes;
    (void)item;
    (void)scratch;
    if (chars == 0) {
        row->reject = FN_REJECT_EMPTY;
        fn_fail(FN_EFORMAT, "column %d (the picture) is empty", column);
        return FN_OK;
    }
    enum fn_base64_fault fault = fn_base64_decode(row->image, chars, row->image, &row->image_bytes);
    if (fault == FN_BASE64_OK)
        return FN_OK;
    row->reject = FN_REJECT_BASE64;
    if (fault == FN_BASE64_LENGTH)
        fn_fail(FN_EFORMAT, "column %d, %zu characters: %s", column, chars,
                fn_base64_fault_text(fault));
    else
        fn_fail(FN_EFORMAT, "column %d, character %zu of %zu: %s", column, row->image_bytes + 1,
                chars, fn_base64_fault_text(fault));
    return FN_OK;
}

const struct fn_input_type fn_input_tsv = {"tsv",    probe,    open_tsv, close_tsv,
                                           seek_tsv, read_tsv, names_of, picture_of};
