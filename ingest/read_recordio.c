/* SPDX-License-Identifier: MIT */
/* Input: a RecordIO file, as insightface and MXNet write them, with the index and the list beside
 * it where they are. The reader cuts the stream into records; headers and labels are the workers'
 * affair. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/args.h"
#include "ingest/input.h"
#include "ingest/rec_index.h"
#include "ingest/rec_path.h"
#include "ingest/recordio.h"
#include "ingest/stream.h"
#include "ingest/tsv.h"

#define RECORD_MAX FN_TSV_ROW_MAX
#define BUFFER_MAX (RECORD_MAX + FN_CHUNK_BYTES)

/* What the reader says of a record to the workers. The key is a line of the index: its place + 1,
 * or 0 where there is none. */
enum found { TAKEN, DAMAGED, TOO_LONG };
#define NOTE(kind, key) ((uint64_t)(kind) << 56 | (key))
#define NOTE_KIND(note) ((enum found)((note) >> 56))
#define NOTE_KEY(note) ((note) & (((uint64_t)1 << 56) - 1))

struct recordio {
    char *path; /* of the .rec file */
    struct fn_map index_text, list_text;
    struct fn_rec_index index;
    int indexed;
    size_t index_at; /* the first line of the index whose record was not met */
    struct fn_rec_list *list;
    uint64_t line, offset; /* records cut so far, where the next one begins */
    struct fn_bytes rest;  /* read already, from `offset` on */
    int ended;
    int failed; /* behind the last record given, and why: */
    struct fn_err_note why;
};

/* ---- opening ---- */

static int probe(const struct fn_input *s)
{
    size_t bytes;
    int whole;
    char *beside = fn_rec_path(s->path, !s->stream);
    int yes = beside != NULL;
    free(beside);
    if (yes || !s->stream)
        return yes;
    const uint8_t *head = fn_stream_head(s->stream, &bytes, &whole);
    /* One whose first bytes are damaged is still one if it is called so. */
    return fn_recordio_begins(head, bytes) ||
           (fn_rec_is_named(s->path) &&
            fn_recordio_find(head, bytes, 0) + FN_RECORDIO_HEAD <= bytes);
}

static int open_index(const struct fn_input *s, struct recordio *r)
{
    char *path;
    int rc = fn_rec_map_beside(&r->index_text, &path, r->path, ".idx");
    if (!rc && path) {
        rc = fn_rec_index_open(&r->index, (const char *)r->index_text.data, r->index_text.bytes,
                               path);
        r->indexed = !rc;
    }
    int plain = strcmp(fn_stream_wrapping(s->stream), "plain") == 0;
    if (r->indexed && plain && s->bytes && r->index.last >= s->bytes)
        rc =
            fn_fail(FN_ECORRUPT,
                    "%s ends at byte %llu, but %s lists a record at byte %llu: is it still being "
                    "copied?",
                    r->path, (unsigned long long)s->bytes, path, (unsigned long long)r->index.last);
    free(path);
    return rc;
}

/* A list that cannot be used is no failure: *why says it, where classes get their numbers. */
static int open_list(struct recordio *r, char **why)
{
    char *path;
    int rc = fn_rec_map_beside(&r->list_text, &path, r->path, ".lst");
    *why = NULL;
    if (!rc && path)
        rc = fn_rec_list_open(&r->list, (const char *)r->list_text.data, r->list_text.bytes, path);
    free(path);
    if (rc != FN_EFORMAT && rc != FN_EMISMATCH)
        return rc;
    *why = strdup(fn_err_text(rc));
    return *why ? FN_OK : fn_fail(FN_ENOMEM, "no memory to open %s", r->path);
}

static int describe(struct fn_input *s, const struct recordio *r, const char *why)
{
    const char *wrapping = fn_stream_wrapping(s->stream), *member = fn_stream_member(s->stream);
    int plain = strcmp(wrapping, "plain") == 0;
    char records[64] = "no index, records are named by their own numbers";
    char classes[64] = "classes are named by number";
    if (r->indexed)
        snprintf(records, sizeof records, "%llu records in its index",
                 (unsigned long long)r->index.lines);
    if (r->list)
        snprintf(classes, sizeof classes, "names of %lu classes in its list",
                 (unsigned long)fn_rec_list_classes(r->list));
    return fn_input_describe(s, "RecordIO%s%s%s%s, %s, %s%s%s%s", plain ? "" : ", ",
                             plain ? "" : wrapping, member ? ": " : "", member ? member : "",
                             records, classes, why ? " (" : "", why ? why : "", why ? ")" : "");
}

static int identify(struct fn_input *s, const struct recordio *r)
{
    char head_hash[33], index_hash[33] = "", list_hash[33] = "";
    size_t bytes;
    int whole;
    const uint8_t *head = fn_stream_head(s->stream, &bytes, &whole);
    fn_hash_text(head, bytes, head_hash);
    if (r->indexed)
        fn_hash_text(r->index_text.data, r->index_text.bytes, index_hash);
    if (r->list)
        fn_hash_text(r->list_text.data, r->list_text.bytes, list_hash);
    s->identity = json_pack("{s:s, s:s, s:s, s:s}", "kind", s->type->kind, "head", head_hash,
                            "index", index_hash, "list", list_hash);
    return s->identity ? FN_OK : fn_fail(FN_ENOMEM, "no memory to open %s", s->path);
}

static int open_recordio(struct fn_input *s, const struct fn_input_options *options)
{
    struct recordio *r = s->self = calloc(1, sizeof *r);
    char *why = NULL;
    int rc = FN_OK;
    (void)options;
    if (r && (r->path = fn_rec_path(s->path, !s->stream)) != NULL) {
        fn_stream_close(&s->stream);
        rc = fn_stream_open(&s->stream, r->path);
    } else if (!r || !(r->path = strdup(s->path))) {
        rc = fn_fail(FN_ENOMEM, "no memory to open %s", s->path);
    }
    if (rc)
        return rc;
    s->bytes = fn_stream_size(s->stream);
    if (strcmp(s->path, "-") != 0 && !fn_stream_member(s->stream)) {
        rc = open_index(s, r);
        if (!rc)
            rc = open_list(r, &why);
    }
    if (!rc)
        rc = describe(s, r, why);
    free(why);
    return rc ? rc : identify(s, r);
}

static void close_recordio(struct fn_input *s)
{
    struct recordio *r = s->self;
    if (!r)
        return;
    fn_rec_list_close(&r->list);
    fn_map_close(&r->index_text);
    fn_map_close(&r->list_text);
    fn_bytes_free(&r->rest);
    free(r->path);
    free(r);
    s->self = NULL;
}

/* ---- reading ---- */

static int seek_recordio(struct fn_input *s, const struct fn_position *pos)
{
    struct recordio *r = s->self;
    uint8_t head[FN_RECORDIO_HEAD];
    size_t got = 1;
    int rc = fn_stream_seek(s->stream, pos->next);
    struct fn_rec_line line;
    r->line = pos->line;
    r->offset = pos->next;
    r->rest.bytes = 0;
    while (r->indexed && fn_rec_index_line(&r->index, r->index_at, &line) &&
           line.offset < pos->next)
        r->index_at = line.next;
    if (!rc)
        rc = fn_bytes_reserve(&r->rest, sizeof head);
    while (!rc && got && r->rest.bytes < sizeof head) {
        rc = fn_stream_read(s->stream, r->rest.data + r->rest.bytes, sizeof head - r->rest.bytes,
                            &got);
        r->rest.bytes += rc ? 0 : got;
    }
    if (!rc && r->rest.bytes == sizeof head && !fn_recordio_begins(r->rest.data, sizeof head))
        rc = fn_fail(FN_EMISMATCH,
                     "%s is not the input it was: no record begins at byte %llu any more", r->path,
                     (unsigned long long)pos->next);
    return rc;
}

/* The key of the record at r->offset, and in front of it what the index says wrongly. */
static int find_key(struct recordio *r, int whole, size_t bytes, uint64_t *key)
{
    struct fn_rec_line line;
    uint64_t end = r->offset + bytes;
    *key = 0;
    while (r->indexed && fn_rec_index_line(&r->index, r->index_at, &line) && line.offset < end) {
        if (line.offset > r->offset && whole)
            return fn_fail(FN_EMISMATCH,
                           "the index beside %s belongs to another file: it has a record at byte "
                           "%llu, where none begins; without it, records are named by their own "
                           "numbers",
                           r->path, (unsigned long long)line.offset);
        if (line.offset >= r->offset && *key == 0)
            *key = r->index_at + 1;
        r->index_at = line.next;
    }
    return FN_OK;
}

/* An item for what begins at r->offset. The chunk has room for it. */
static int add(const struct fn_input *s, struct recordio *r, struct fn_chunk *chunk, size_t at,
               uint64_t bytes, enum found kind, size_t data_bytes)
{
    uint64_t key;
    int rc = find_key(r, kind == TAKEN, (size_t)bytes, &key);
    if (rc)
        return rc;
    struct fn_item *item = fn_chunk_item(chunk);
    r->line++;
    item->pos = (struct fn_position){s->number, r->line, r->offset, r->offset + bytes};
    item->at = at + FN_RECORDIO_HEAD;
    item->bytes = data_bytes;
    item->note = NOTE(kind, key);
    if (kind == TAKEN && r->indexed && key == 0)
        item->kind = FN_ITEM_FILTERED; /* the index leaves it out */
    r->offset += bytes;
    chunk->in_bytes += bytes;
    return FN_OK;
}

/* Records from in[*at] on, as long as they are all there. *state: of what stands at *at then. */
static int cut(const struct fn_input *s, struct recordio *r, struct fn_chunk *chunk, size_t *at,
               enum fn_recordio_state *state)
{
    int rc = FN_OK;
    *state = FN_RECORDIO_WHOLE;
    while (!rc && *at < chunk->in.bytes && chunk->count < FN_CHUNK_ITEMS) {
        uint8_t *in = chunk->in.data + *at;
        struct fn_recordio_frame frame = fn_recordio_frame(in, chunk->in.bytes - *at);
        *state = frame.state;
        if (frame.state == FN_RECORDIO_MORE || frame.bytes == 0)
            break;
        int whole = frame.state == FN_RECORDIO_WHOLE;
        if (frame.parts > 1 && whole)
            fn_recordio_join(in, &frame);
        rc = add(s, r, chunk, *at, frame.bytes, whole ? TAKEN : DAMAGED,
                 whole ? frame.data_bytes : 0);
        *at += rc ? 0 : frame.bytes;
    }
    return rc;
}

/* What begins the chunk is no record, or longer than any we take: stream past it, up to the next
 * head, keeping nothing. */
static int pass_over(const struct fn_input *s, struct recordio *r, struct fn_chunk *chunk,
                     enum found kind)
{
    struct fn_bytes *in = &chunk->in;
    uint64_t passed = 0;
    size_t at = fn_recordio_find(in->data, in->bytes, 4), got = 1;
    int rc = FN_OK;
    while (!rc && got && at + FN_RECORDIO_HEAD > in->bytes) {
        at = at < in->bytes ? at : in->bytes;
        passed += at;
        in->bytes -= at;
        memmove(in->data, in->data + at, in->bytes);
        rc =
            fn_interrupted()
                ? fn_fail(FN_EINTERRUPTED, "interrupted while looking for a record of %s", r->path)
                : fn_stream_read(s->stream, in->data + in->bytes, FN_CHUNK_BYTES - in->bytes, &got);
        in->bytes += rc ? 0 : got;
        at = fn_recordio_find(in->data, in->bytes, 0);
    }
    if (rc)
        return rc;
    r->ended = got == 0;
    at = r->ended ? in->bytes : at;
    r->rest.bytes = in->bytes - at;
    rc = fn_bytes_reserve(&r->rest, r->rest.bytes);
    if (rc)
        return rc;
    if (r->rest.bytes)
        memcpy(r->rest.data, in->data + at, r->rest.bytes);
    in->bytes = 0;
    return add(s, r, chunk, 0, passed + at, kind, 0);
}

/* Read until the chunk holds a record, or all there is, or as much as we take. */
static int fill(const struct fn_input *s, struct recordio *r, struct fn_chunk *chunk,
                struct fn_budget *budget, size_t *at, enum fn_recordio_state *state)
{
    size_t cap = r->rest.bytes > FN_CHUNK_BYTES ? r->rest.bytes : FN_CHUNK_BYTES;
    int rc = fn_chunk_grow(chunk, budget, cap);
    if (rc)
        return rc;
    if (r->rest.bytes)
        memcpy(chunk->in.data, r->rest.data, r->rest.bytes);
    chunk->in.bytes = r->rest.bytes;
    r->rest.bytes = 0;
    for (;;) {
        while (!r->ended && chunk->in.bytes < cap) {
            size_t got, room = cap - chunk->in.bytes;
            rc = fn_stream_read(s->stream, chunk->in.data + chunk->in.bytes,
                                room < FN_CHUNK_BYTES ? room : FN_CHUNK_BYTES, &got);
            if (rc)
                return rc;
            chunk->in.bytes += got;
            r->ended = got == 0;
            if (cap > FN_CHUNK_BYTES) /* a long record: no more than needed behind its end */
                break;
        }
        rc = cut(s, r, chunk, at, state);
        if (rc || chunk->count || r->ended || *state == FN_RECORDIO_DAMAGED)
            return rc;
        if (chunk->in.bytes < cap)
            continue;
        if (cap == BUFFER_MAX)
            return FN_OK;
        cap = cap < BUFFER_MAX / 2 ? cap * 2 : BUFFER_MAX;
        rc = fn_chunk_grow(chunk, budget, cap);
        if (rc)
            return rc;
    }
}

/* Everything is read but what stands at in[at ..): nothing, something that is no record, or the
 * beginning of one. */
static int finish(const struct fn_input *s, struct recordio *r, struct fn_chunk *chunk, size_t at,
                  enum fn_recordio_state state)
{
    struct fn_rec_line line;
    size_t left = chunk->in.bytes - at;
    if (left && state == FN_RECORDIO_DAMAGED) {
        memmove(chunk->in.data, chunk->in.data + at, left);
        chunk->in.bytes = left;
        return pass_over(s, r, chunk, DAMAGED);
    }
    if (left)
        return fn_fail(FN_ECORRUPT,
                       "%s ends inside of record %llu, which begins at byte %llu: it is cut short. "
                       "To do with what is there, cut it there: head -c %llu",
                       r->path, (unsigned long long)r->line + 1, (unsigned long long)r->offset,
                       (unsigned long long)r->offset);
    if (r->indexed && fn_rec_index_line(&r->index, r->index_at, &line))
        return fn_fail(FN_ECORRUPT,
                       "%s ends at byte %llu, but its index has a record at byte %llu: it is cut "
                       "short",
                       r->path, (unsigned long long)r->offset, (unsigned long long)line.offset);
    return FN_OK;
}

static int keep_rest(struct recordio *r, struct fn_chunk *chunk, size_t at)
{
    size_t left = chunk->in.bytes - at;
    if (r->rest.cap > FN_CHUNK_BYTES)
        fn_bytes_free(&r->rest);
    int rc = fn_bytes_reserve(&r->rest, left > FN_CHUNK_BYTES ? left : FN_CHUNK_BYTES);
    if (rc)
        return rc;
    if (left)
        memcpy(r->rest.data, chunk->in.data + at, left);
    r->rest.bytes = left;
    return FN_OK;
}

static int read_recordio(struct fn_input *s, struct fn_chunk *chunk, struct fn_budget *budget)
{
    struct recordio *r = s->self;
    enum fn_recordio_state state = FN_RECORDIO_WHOLE;
    size_t at = 0;
    if (r->failed)
        return fn_err_note_raise(&r->why);
    int rc = fill(s, r, chunk, budget, &at, &state);
    if (rc == FN_OK) {
        if (chunk->count)
            rc = keep_rest(r, chunk, at);
        else if (r->ended)
            rc = finish(s, r, chunk, at, state);
        else
            rc = pass_over(s, r, chunk, state == FN_RECORDIO_DAMAGED ? DAMAGED : TOO_LONG);
    }
    if (rc && chunk->count) { /* the records before the failure are taken */
        fn_err_note_take(&r->why, rc);
        r->failed = 1;
        rc = FN_OK;
    }
    chunk->done = s->bytes ? (double)fn_stream_taken(s->stream) / (double)s->bytes : 0;
    s->left_out = fn_stream_left_out(s->stream);
    return rc;
}

/* ---- workers ---- */

/* insightface's own records: number 0 with two labels, and those without a picture. */
static int is_none(const struct fn_recordio_picture *picture, const struct fn_rec_line *line)
{
    int zero = line->key_bytes == 1 && line->key[0] == '0';
    return (picture->image_bytes == 0 && picture->labels) || (zero && picture->labels == 2);
}

static int name_class(const struct recordio *r, uint32_t number, struct fn_row *row)
{
    row->class_name = r->list ? fn_rec_list_name(r->list, number, &row->class_bytes) : NULL;
    if (!row->class_name) {
        int n = snprintf(row->number, sizeof row->number, "%08lu", (unsigned long)number);
        row->class_name = row->number;
        row->class_bytes = (size_t)n;
    }
    return FN_OK;
}

static int name_record(const struct fn_rec_line *line, uint64_t id, struct fn_row *row)
{
    if (line->key_bytes == 0) {
        row->name_bytes =
            (size_t)snprintf(row->name, sizeof row->name, "%llu", (unsigned long long)id);
        return FN_OK;
    }
    if (!fn_name_ok(line->key, line->key_bytes))
        return fn_fail(FN_EFORMAT, "its key in the index cannot be a name");
    memcpy(row->name, line->key, line->key_bytes);
    row->name_bytes = line->key_bytes;
    return FN_OK;
}

static void reject_unread(const struct fn_item *item, const struct fn_rec_line *line,
                          struct fn_row *row)
{
    int too_long = NOTE_KIND(item->note) == TOO_LONG;
    unsigned long long bytes = item->pos.next - item->pos.offset;
    const char *is = line->key_bytes ? ", in the index as " : "";
    row->reject = too_long ? FN_REJECT_LONG_ROW : FN_REJECT_IO;
    if (too_long)
        fn_fail(FN_ELIMIT, "%llu bytes%s%.*s, more than the %zu of the longest record taken", bytes,
                is, (int)line->key_bytes, line->key, RECORD_MAX);
    else
        fn_fail(FN_ECORRUPT, "no whole record%s%.*s: %llu bytes were passed over", is,
                (int)line->key_bytes, line->key, bytes);
}

static int names_of(const struct fn_input *s, struct fn_chunk *chunk, const struct fn_item *item,
                    struct fn_row *row)
{
    const struct recordio *r = s->self;
    struct fn_rec_line line = {"", 0, 0, 0};
    struct fn_recordio_picture picture;
    uint8_t *data = chunk->in.data + item->at;
    uint32_t number;
    if (NOTE_KEY(item->note))
        fn_rec_index_line(&r->index, (size_t)NOTE_KEY(item->note) - 1, &line);
    if (NOTE_KIND(item->note) != TAKEN) {
        reject_unread(item, &line, row);
        return FN_OK;
    }
    row->reject = FN_REJECT_NOT_IMAGE;
    if (fn_recordio_parse(data, item->bytes, &picture))
        return FN_OK;
    row->reject = 0;
    if (is_none(&picture, &line))
        return FN_OK;
    row->reject = FN_REJECT_NAME;
    if (fn_recordio_class(picture.label, &number) || name_record(&line, picture.id, row))
        return FN_OK;
    row->reject = 0;
    row->image = data + picture.image_at;
    row->image_bytes = picture.image_bytes;
    return name_class(r, number, row);
}

static int picture_of(const struct fn_input *s, const struct fn_item *item, struct fn_row *row,
                      struct fn_bytes *scratch)
{
    (void)s;
    (void)item;
    (void)scratch;
    if (row->image_bytes == 0) {
        row->reject = FN_REJECT_EMPTY;
        fn_fail(FN_EFORMAT, "the record has no picture");
    }
    return FN_OK;
}

const struct fn_input_type fn_input_recordio = {
    "recordio",    probe,         open_recordio, close_recordio,
    seek_recordio, read_recordio, names_of,      picture_of,
};
