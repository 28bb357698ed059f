/* SPDX-License-Identifier: MIT */
/* Input: class folders inside a tar or zip, compressed or not. An archive can be read in its own
 * order only and by one thread, so the reader takes the pictures' bytes along into the chunk. */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "ingest/entry.h"
#include "ingest/input.h"
#include "ingest/stream.h"
#include "ingest/tsv.h"
#include "ingest/unwrap.h"

#define PICTURE_MAX FN_TSV_ROW_MAX /* as of the files of a tree */
#define PATH_KEPT ((size_t)4096)   /* of a longer path its end, where the names are */
#define STEP ((size_t)64 << 10)    /* at a time, of an entry that does not say its size */
/* A chunk of which all but the first bytes are one picture. */
#define BUFFER_MAX (PICTURE_MAX + 2 * FN_CHUNK_BYTES)

enum fault { FINE, TOO_LARGE, NO_FILE, DAMAGED, LOST };

/* An item's bytes in the chunk: this, the path, the picture (of DAMAGED and LOST: why). */
struct head {
    uint64_t sum; /* over all items up to this one */
    uint64_t bytes;
    uint32_t path_bytes, fault;
};

struct archive {
    struct fn_unwrap *unwrap; /* the stream's */
    XXH3_state_t *sum;
    uint64_t given;         /* pictures, of this input */
    struct fn_bytes ahead;  /* items read when opening, to know the input by */
    size_t ahead_at;        /* the first not given */
    int pending, ended;     /* an entry whose data is not read; no more entries */
    int failed;             /* behind the last item given, and why: */
    struct fn_err_note why; /* to be said when everything before it is through */
    struct fn_unwrap_entry entry;
    struct fn_err_note lost; /* what is missing in front of it */
};

/* Where items are put: the reader's chunk, which draws on the budget, or memory of our own. */
struct sink {
    struct fn_bytes *to;
    struct fn_chunk *chunk;
    struct fn_budget *budget;
};

static int probe(const struct fn_input *s)
{
    return s->stream && fn_stream_pictures(s->stream);
}

static int make_room(const struct sink *sink, size_t more)
{
    struct fn_bytes *to = sink->to;
    size_t need = to->bytes + more, cap = 2 * to->cap;
    if (need <= to->cap)
        return FN_OK;
    cap = cap > FN_CHUNK_BYTES ? cap : FN_CHUNK_BYTES;
    cap = cap < BUFFER_MAX ? cap : BUFFER_MAX;
    cap = cap > need ? cap : need;
    return sink->chunk ? fn_chunk_grow(sink->chunk, sink->budget, cap) : fn_bytes_reserve(to, cap);
}

static int put(const struct sink *sink, const void *data, size_t bytes)
{
    int rc = make_room(sink, bytes);
    if (!rc && bytes)
        memcpy(sink->to->data + sink->to->bytes, data, bytes);
    sink->to->bytes += rc ? 0 : bytes;
    return rc;
}

/* The entry's bytes. What is wrong with it alone is *fault, with the reason in place of the bytes.
 */
static int put_data(struct archive *a, const struct sink *sink, enum fault *fault)
{
    struct fn_bytes *to = sink->to;
    size_t start = to->bytes, got = 1;
    int damaged = 0, rc = FN_OK;
    if (!a->entry.is_file)
        *fault = NO_FILE;
    else if (a->entry.sized && a->entry.bytes > PICTURE_MAX)
        *fault = TOO_LARGE;
    else if (a->entry.sized) /* one more, to see the end */
        rc = make_room(sink, (size_t)a->entry.bytes + 1);
    while (!rc && *fault == FINE && got) {
        size_t left = PICTURE_MAX + 1 - (to->bytes - start);
        if (to->cap == to->bytes || !a->entry.sized)
            rc = make_room(sink, STEP < left ? STEP : left);
        size_t cap = to->cap - to->bytes;
        if (!rc)
            rc = fn_unwrap_data(a->unwrap, to->data + to->bytes, cap < left ? cap : left, &got,
                                &damaged);
        to->bytes += rc ? 0 : got;
        if (to->bytes - start > PICTURE_MAX)
            *fault = TOO_LARGE;
        if (!rc && damaged)
            *fault = DAMAGED;
    }
    if (rc || *fault == FINE)
        return rc;
    to->bytes = start;
    const char *why = *fault == DAMAGED ? fn_err_text(FN_ECORRUPT) : "";
    return put(sink, why, strlen(why));
}

/* Goes to what to read next, if there is something: an entry, or what is to be said of damage in
 * front of it or of the end. */
static int peek(struct archive *a)
{
    if (a->pending || a->ended)
        return FN_OK;
    int rc = fn_unwrap_next(a->unwrap, &a->entry);
    if (rc)
        return rc;
    a->pending = a->entry.path || a->entry.lost;
    a->ended = !a->entry.path;
    if (a->entry.lost)
        fn_err_note_take(&a->lost, FN_ECORRUPT);
    return FN_OK;
}

/* Reads what is pending. */
static int put_item(struct archive *a, const struct sink *sink)
{
    const char *path = a->entry.path ? a->entry.path : "";
    size_t all = strlen(path), kept = all < PATH_KEPT ? all : PATH_KEPT, at = sink->to->bytes;
    enum fault fault = a->entry.lost ? LOST : FINE;
    struct head head = {.path_bytes = (uint32_t)kept};
    int rc = put(sink, &head, sizeof head);
    if (!rc)
        rc = put(sink, path + (all - kept), kept);
    if (!rc)
        rc = fault == LOST ? put(sink, a->lost.text, strlen(a->lost.text))
                           : put_data(a, sink, &fault);
    if (rc)
        return rc;
    a->pending = fault == LOST && a->entry.path; /* then the entry itself comes next */
    a->entry.lost = 0;
    head.fault = fault;
    head.bytes = sink->to->bytes - at - sizeof head - kept;
    XXH3_64bits_update(a->sum, &head, sizeof head);
    XXH3_64bits_update(a->sum, sink->to->data + at + sizeof head, kept + (size_t)head.bytes);
    head.sum = XXH3_64bits_digest(a->sum);
    head.sum += head.sum == 0; /* a position of 0 is the start */
    memcpy(sink->to->data + at, &head, sizeof head);
    return FN_OK;
}

/* The next item, from what was read ahead or from the archive; *bytes 0: the end. */
static int take(struct archive *a, const struct sink *sink, struct head *head, size_t *bytes)
{
    size_t at = sink->to->bytes;
    int rc;
    *bytes = 0;
    if (a->ahead_at < a->ahead.bytes && sink->to != &a->ahead) {
        const uint8_t *from = a->ahead.data + a->ahead_at;
        memcpy(head, from, sizeof *head);
        size_t n = sizeof *head + head->path_bytes + (size_t)head->bytes;
        rc = put(sink, from, n);
        a->ahead_at += rc ? 0 : n;
        if (a->ahead_at == a->ahead.bytes)
            fn_bytes_free(&a->ahead), a->ahead_at = 0;
    } else {
        rc = peek(a);
        if (rc || !a->pending)
            return rc;
        rc = put_item(a, sink);
    }
    if (rc)
        return rc;
    memcpy(head, sink->to->data + at, sizeof *head);
    *bytes = sink->to->bytes - at;
    a->given += sink->to != &a->ahead;
    return FN_OK;
}

/* The first pictures, with their paths: the input is known again by them. */
static int identify(struct fn_input *s, struct archive *a)
{
    struct sink sink = {.to = &a->ahead};
    struct head head;
    char hash[33];
    size_t bytes = 1;
    int rc = FN_OK;
    while (!rc && bytes && a->ahead.bytes < FN_STREAM_HEAD)
        rc = take(a, &sink, &head, &bytes);
    if (rc)
        return rc;
    fn_hash_text(a->ahead.data, a->ahead.bytes, hash);
    s->identity = json_pack("{s:s, s:s}", "kind", s->type->kind, "head", hash);
    return s->identity ? FN_OK : fn_fail(FN_ENOMEM, "no memory to open %s", s->path);
}

static int open_archive(struct fn_input *s, const struct fn_input_options *options)
{
    struct archive *a = s->self = calloc(1, sizeof *a);
    (void)options;
    if (!a || !(a->sum = XXH3_createState()))
        return fn_fail(FN_ENOMEM, "no memory to open %s", s->path);
    XXH3_64bits_reset(a->sum);
    a->unwrap = fn_stream_pictures(s->stream);
    s->bytes = fn_stream_size(s->stream);
    int rc = fn_input_describe(s, "class folders in an archive (%s), the first picture is %s",
                               fn_stream_wrapping(s->stream), fn_stream_member(s->stream));
    return rc ? rc : identify(s, a);
}

static void close_archive(struct fn_input *s)
{
    struct archive *a = s->self;
    if (!a)
        return;
    fn_bytes_free(&a->ahead);
    XXH3_freeState(a->sum);
    free(a);
    s->self = NULL;
}

static int seek_archive(struct fn_input *s, const struct fn_position *pos)
{
    struct archive *a = s->self;
    struct fn_bytes item = {NULL, 0, 0};
    struct sink sink = {.to = &item};
    struct head head = {.sum = 0};
    size_t bytes = 1;
    int rc = FN_OK;
    while (!rc && bytes && a->given < pos->line) {
        item.bytes = 0;
        rc = take(a, &sink, &head, &bytes);
    }
    if (!rc && a->given < pos->line)
        rc = fn_fail(FN_EMISMATCH, "%s has %llu pictures, but %llu were read from it before",
                     s->path, (unsigned long long)a->given, (unsigned long long)pos->line);
    if (!rc && head.sum != pos->next)
        rc = fn_fail(FN_EMISMATCH,
                     "%s is not the input it was: its first %llu pictures differ from those that "
                     "were read before",
                     s->path, (unsigned long long)pos->line);
    fn_bytes_free(&item);
    return rc;
}

/* Is there room for one more picture, as far as that can be known before reading it? */
static int fits(const struct archive *a, const struct fn_chunk *chunk)
{
    if (chunk->count == 0)
        return 1;
    if (chunk->count == FN_CHUNK_ITEMS || chunk->in.bytes >= FN_CHUNK_BYTES)
        return 0;
    return !a->pending || !a->entry.sized || a->entry.bytes < FN_CHUNK_BYTES - chunk->in.bytes;
}

static int read_archive(struct fn_input *s, struct fn_chunk *chunk, struct fn_budget *budget)
{
    struct archive *a = s->self;
    struct sink sink = {&chunk->in, chunk, budget};
    struct head head;
    size_t bytes = 1;
    int rc = a->failed ? fn_err_note_raise(&a->why) : FN_OK;
    while (!rc && bytes) {
        if (a->ahead.bytes == 0)
            rc = peek(a);
        if (rc || !fits(a, chunk))
            break;
        size_t at = chunk->in.bytes;
        rc = take(a, &sink, &head, &bytes);
        if (rc || bytes == 0)
            break;
        struct fn_item *item = fn_chunk_item(chunk);
        item->pos = (struct fn_position){s->number, a->given, a->given - 1, head.sum};
        item->at = at;
        item->bytes = bytes;
        chunk->in_bytes += head.bytes;
    }
    if (rc && chunk->count) { /* what came before the failure is taken */
        fn_err_note_take(&a->why, rc);
        a->failed = 1;
        rc = FN_OK;
    }
    chunk->done = s->bytes ? (double)fn_stream_taken(s->stream) / (double)s->bytes : 0;
    s->left_out = fn_stream_left_out(s->stream);
    return rc;
}

static int names_of(const struct fn_input *s, struct fn_chunk *chunk, const struct fn_item *item,
                    struct fn_row *row)
{
    struct head head;
    struct fn_entry_name name;
    uint8_t *at = chunk->in.data + item->at;
    memcpy(&head, at, sizeof head);
    const char *path = (const char *)at + sizeof head;
    (void)s;
    row->image = at; /* picture() goes on from there */
    if (head.fault == LOST) {
        row->reject = FN_REJECT_IO;
        fn_fail(FN_ECORRUPT, "%.*s", (int)head.bytes, path + head.path_bytes);
    } else if (fn_entry_name(path, head.path_bytes, &name) == FN_ENTRY_PICTURE) {
        row->class_name = name.class_name;
        row->class_bytes = name.class_bytes;
        memcpy(row->name, name.name, name.name_bytes);
        row->name_bytes = name.name_bytes;
    } else {
        row->reject = FN_REJECT_NAME;
        fn_fail(FN_EFORMAT, "%.*s: a name that is too long or has a control character",
                (int)head.path_bytes, path);
    }
    return FN_OK;
}

static int picture_of(const struct fn_input *s, const struct fn_item *item, struct fn_row *row,
                      struct fn_bytes *scratch)
{
    struct head head;
    (void)s;
    (void)item;
    (void)scratch;
    memcpy(&head, row->image, sizeof head);
    row->image += sizeof head + head.path_bytes;
    row->image_bytes = (size_t)head.bytes;
    row->reject = FN_REJECT_IO;
    if (head.fault == TOO_LARGE) {
        row->reject = FN_REJECT_IMAGE_LIMIT;
        fn_fail(FN_ELIMIT, "a file of more than %zu bytes", PICTURE_MAX);
    } else if (head.fault == NO_FILE) {
        fn_fail(FN_EIO, "a link or a device, which is not followed inside an archive");
    } else if (head.fault == DAMAGED) {
        fn_fail(FN_EIO, "cannot be read out of the archive: %.*s", (int)head.bytes,
                (const char *)row->image);
    } else if (head.bytes == 0) {
        row->reject = FN_REJECT_EMPTY;
        fn_fail(FN_EFORMAT, "the file is empty");
    } else {
        row->reject = 0;
    }
    return FN_OK;
}

const struct fn_input_type fn_input_archive = {
    "archive", probe, open_archive, close_archive, seek_archive, read_archive, names_of, picture_of,
};
