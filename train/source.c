/* SPDX-License-Identifier: MIT */
/* The kinds of sources, and what a thread needs to read from them. */
#include "train/source.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define FILE_MAX_BYTES (1 << 30)
#define LINE_BYTES 64
#define ROWS_AHEAD 4 /* two steps of a decoder that gives two rows at once */

/* Everything that one thread reads with; a kind leaves alone what it does not need. */
struct fn_fetch {
    struct fn_source *source;
    struct fn_codec *codec;
    struct fn_image image, rotated;
    struct fn_reader *reader;       /* store */
    struct fn_bytes file;           /* files */
    struct fn_face_scratch scratch; /* files */
};

struct kind {
    int (*open)(struct fn_fetch *f); /* NULL: nothing to do */
    int (*example)(struct fn_fetch *f, uint64_t id, const struct fn_augment *augment, uint64_t pass,
                   uint64_t position, uint8_t *out);
    void (*prefetch)(struct fn_fetch *f, const uint64_t *ids, size_t count);
    void (*name)(struct fn_source *s, uint64_t id, char *buf, size_t cap);
};

struct fn_source {
    const struct kind *kind;
    uint64_t count;
    int min_w, min_h;
    struct fn_store *store; /* store */
    const char *root;       /* files, and all below */
    const char *const *paths;
    const struct fn_boxes *boxes;
    int size;
};

/* ---- a store ---- */
static int store_open(struct fn_fetch *f)
{
    return fn_reader_open(&f->reader, f->source->store);
}

/* Where a record's rows go: straight into the batch. */
struct crop {
    struct fn_augment_plan plan;
    int size, w;
    uint8_t *out; /* (size, size, 3) */
};

/* The batch is long out of the caches, and a row takes a few of its lines at a time, too few for
 * the processor to guess the next ones: it is told, so that they come while the decoder works. */
static void expect_row(const struct crop *c, int row)
{
    const size_t bytes = (size_t)c->size * 3;
    const uint8_t *at = c->out + (size_t)row * bytes;
    for (size_t i = 0; i < bytes; i += LINE_BYTES)
        __builtin_prefetch(at + i, 1);
}

static void put_rows(void *context, int y, int rows, const uint8_t *rgb)
{
    const struct crop *c = context;
    for (int row = y - c->plan.y; rows > 0; row++, rows--, rgb += (size_t)c->w * 3) {
        if (row + ROWS_AHEAD < c->size)
            expect_row(c, row + ROWS_AHEAD);
        fn_augment_row(&c->plan, c->size, c->w, rgb, c->out + (size_t)row * (size_t)c->size * 3);
    }
}

/* Of a picture that is not rotated, only the rows that the crop needs. */
static int decode_crop(struct fn_fetch *f, const struct fn_record *rec, struct crop *c)
{
    int top = c->plan.y > 0 ? c->plan.y : 0;
    int end = c->plan.y + c->size < rec->h ? c->plan.y + c->size : rec->h;
    size_t row = (size_t)c->size * 3;
    size_t before = (size_t)(top - c->plan.y), inside = (size_t)(end - top);
    memset(c->out, 0, before * row);
    memset(c->out + (before + inside) * row, 0, ((size_t)c->size - before - inside) * row);
    return fn_record_decode_rows(f->codec, rec, top, end - top, put_rows, c);
}

static int store_example(struct fn_fetch *f, uint64_t id, const struct fn_augment *augment,
                         uint64_t pass, uint64_t position, uint8_t *out)
{
    struct fn_record rec;
    struct crop c = {.size = augment->size, .out = out};
    int rc = fn_reader_get(f->reader, id, &rec);
    if (rc == FN_OK)
        rc = fn_augment_plan(augment, pass, position, rec.w, rec.h, &c.plan);
    if (rc != FN_OK)
        return rc;
    c.w = rec.w;
    if (c.plan.degrees == 0)
        return decode_crop(f, &rec, &c);
    rc = fn_record_decode(f->codec, &rec, &f->image);
    return rc ? rc : fn_augment_apply(&c.plan, c.size, &f->image, &f->rotated, out);
}

static void store_prefetch(struct fn_fetch *f, const uint64_t *ids, size_t count)
{
    fn_reader_prefetch(f->reader, ids, count);
}

static void store_name(struct fn_source *s, uint64_t id, char *buf, size_t cap)
{
    uint32_t label;
    const char *name = "?";
    if (fn_store_label(s->store, id, &label) == FN_OK)
        fn_store_class_name(s->store, label, &name);
    snprintf(buf, cap, "record %llu (class %s)", (unsigned long long)id, name);
}

static const struct kind store_kind = {store_open, store_example, store_prefetch, store_name};

/* ---- picture files ---- */
static int read_file(const char *path, struct fn_bytes *out)
{
    struct stat st;
    int rc = FN_OK, fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fn_fail_errno("cannot open it");
    if (fstat(fd, &st) != 0)
        rc = fn_fail_errno("cannot look at it");
    else if (!S_ISREG(st.st_mode))
        rc = fn_fail(FN_EFORMAT, "not a file");
    else if (st.st_size > FILE_MAX_BYTES)
        rc = fn_fail(FN_ELIMIT, "larger than 1 GB");
    else
        rc = fn_bytes_reserve(out, st.st_size > 0 ? (size_t)st.st_size : 1);
    out->bytes = 0;
    while (rc == FN_OK && out->bytes < (size_t)st.st_size) {
        ssize_t n = read(fd, out->data + out->bytes, (size_t)st.st_size - out->bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = fn_fail_errno("cannot read it");
        if (n <= 0) /* it became shorter: the decoder will say so */
            break;
        out->bytes += (size_t)n;
    }
    close(fd);
    return rc;
}

static int files_decode(struct fn_fetch *f, const char *path, const char *name)
{
    const struct fn_source *s = f->source;
    struct fn_box box;
    if (s->boxes && fn_boxes_find(s->boxes, name, &box) != FN_BOX_FOUND)
        return fn_fail(FN_ENOENT, "the boxes file has no face for it");
    int rc = read_file(path, &f->file);
    if (rc != FN_OK)
        return rc;
    rc = fn_face_prepare(f->codec, f->file.data, f->file.bytes, s->boxes ? &box : NULL,
                         s->boxes ? s->size : 0, &f->scratch, &f->image);
    /* A box outside its picture is a bad picture, not a bad crop. */
    return rc == FN_EMISMATCH ? FN_EFORMAT : rc;
}

static int files_example(struct fn_fetch *f, uint64_t id, const struct fn_augment *augment,
                         uint64_t pass, uint64_t position, uint8_t *out)
{
    const struct fn_source *s = f->source;
    struct fn_augment_plan plan;
    if (id >= s->count)
        return fn_fail(FN_ENOENT, "no picture %llu", (unsigned long long)id);
    char *path = fn_path_join(s->root, s->paths[id]);
    int rc = path ? files_decode(f, path, s->paths[id]) : FN_ENOMEM;
    free(path);
    if (rc == FN_OK)
        rc = fn_augment_plan(augment, pass, position, f->image.w, f->image.h, &plan);
    if (rc == FN_OK)
        rc = fn_augment_apply(&plan, augment->size, &f->image, &f->rotated, out);
    return rc;
}

static void files_name(struct fn_source *s, uint64_t id, char *buf, size_t cap)
{
    snprintf(buf, cap, "%s", id < s->count ? s->paths[id] : "?");
}

static const struct kind files_kind = {NULL, files_example, NULL, files_name};

/* ---- all ---- */
static int make(struct fn_source **source, const struct kind *kind)
{
    *source = calloc(1, sizeof **source);
    if (!*source)
        return fn_fail(FN_ENOMEM, "no memory for a source of pictures");
    (*source)->kind = kind;
    return FN_OK;
}

int fn_source_store(struct fn_source **source, struct fn_store *store)
{
    const struct fn_store_info *info = fn_store_get_info(store);
    int rc = make(source, &store_kind);
    if (rc != FN_OK)
        return rc;
    (*source)->store = store;
    (*source)->count = info->records;
    (*source)->min_w = info->min_w;
    (*source)->min_h = info->min_h;
    return FN_OK;
}

int fn_source_files(struct fn_source **source, const char *root, const char *const *paths,
                    size_t count, const struct fn_boxes *boxes, int size)
{
    int rc = make(source, &files_kind);
    if (rc != FN_OK)
        return rc;
    (*source)->root = root;
    (*source)->paths = paths;
    (*source)->count = count;
    (*source)->boxes = boxes;
    (*source)->size = size;
    if (boxes) /* every picture is resized to this */
        (*source)->min_w = (*source)->min_h = size;
    return FN_OK;
}

void fn_source_close(struct fn_source **source)
{
    free(*source);
    *source = NULL;
}

uint64_t fn_source_count(const struct fn_source *source)
{
    return source->count;
}

void fn_source_min_size(const struct fn_source *source, int *w, int *h)
{
    *w = source->min_w;
    *h = source->min_h;
}

char *fn_source_name(struct fn_source *source, uint64_t id, char *buf, size_t cap)
{
    source->kind->name(source, id, buf, cap);
    return buf;
}

int fn_fetch_open(struct fn_fetch **fetch, struct fn_source *source)
{
    struct fn_fetch *f = calloc(1, sizeof *f);
    *fetch = f;
    if (!f)
        return fn_fail(FN_ENOMEM, "no memory to read pictures");
    f->source = source;
    int rc = fn_codec_open(&f->codec);
    if (rc == FN_OK && source->kind->open)
        rc = source->kind->open(f);
    if (rc != FN_OK)
        fn_fetch_close(fetch);
    return rc;
}

void fn_fetch_close(struct fn_fetch **fetch)
{
    struct fn_fetch *f = *fetch;
    if (!f)
        return;
    fn_reader_close(&f->reader);
    fn_codec_close(&f->codec);
    fn_image_free(&f->image);
    fn_image_free(&f->rotated);
    fn_bytes_free(&f->file);
    fn_face_scratch_free(&f->scratch);
    free(f);
    *fetch = NULL;
}

int fn_fetch_example(struct fn_fetch *fetch, uint64_t id, const struct fn_augment *augment,
                     uint64_t pass, uint64_t position, uint8_t *out)
{
    return fetch->source->kind->example(fetch, id, augment, pass, position, out);
}

int fn_fetch_bad(int code)
{
    return code == FN_ECORRUPT || code == FN_EFORMAT || code == FN_ELIMIT || code == FN_ENOENT;
}

void fn_fetch_prefetch(struct fn_fetch *fetch, const uint64_t *ids, size_t count)
{
    if (fetch->source->kind->prefetch)
        fetch->source->kind->prefetch(fetch, ids, count);
}
