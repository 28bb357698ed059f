/* SPDX-License-Identifier: MIT */
/* fn-dump sheet: a page of pictures with their names, to look at. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/log.h"
#include "base/rng.h"
#include "store/dump_draw.h"
#include "store/dump_internal.h"

enum { /* pixels */
       MARGIN = 32,
       GAP = 20,
       CELL = 131, /* of a picture: 22 letters fit below */
       LABELS = 38,
       TITLE = 62,
};
enum { PAPER = 0xfbfaf7, FRAME = 0xd5d2ca, EMPTY = 0xefede8, INK = 0x23272c, FAINT = 0x85837d };

struct sheet {
    const struct fn_dump *d;
    struct fn_store *store;
    struct fn_reader *reader;
    struct fn_codec *codec;
    struct fn_image page, picture, small;
    uint64_t *ids; /* with --rejects: numbers of places */
    struct fn_dump_place *places;
    size_t place_count;
    size_t count;
    int rows, cols;
    uint64_t bad;
};

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Pictures of a class, or of all if there are too few classes: a random choice, in order. */
static void choose_records(struct sheet *s, const struct fn_dump_ids *chosen, uint64_t seed)
{
    for (size_t i = 0; i < s->count; i++)
        s->ids[i] = fn_rng_permute(seed, 0, chosen->count, i);
    qsort(s->ids, s->count, sizeof *s->ids, compare_u64);
    for (size_t i = 0; i < s->count; i++)
        s->ids[i] = fn_dump_id(chosen, s->ids[i]);
}

/* One picture each of as many classes as there are places, in the order of their names. */
static int choose_classes(struct sheet *s, uint32_t classes, uint64_t seed)
{
    int rc = FN_OK;
    for (size_t i = 0; i < s->count; i++)
        s->ids[i] = fn_rng_permute(seed, 0, classes, i);
    qsort(s->ids, s->count, sizeof *s->ids, compare_u64);
    for (size_t i = 0; i < s->count && !rc; i++) {
        uint32_t label = (uint32_t)s->ids[i];
        const uint64_t *members;
        uint64_t count = 0;
        rc = fn_store_members(s->store, label, &members, &count);
        if (!rc && !count)
            rc = fn_fail(FN_ECORRUPT, "%s: class %u has no members", s->d->store, label);
        if (!rc)
            s->ids[i] = members[fn_rng_below(fn_rng(seed, label, 0, FN_RNG_SHEET), count)];
    }
    return rc;
}

static int choose(struct sheet *s)
{
    struct fn_dump_ids chosen;
    const struct fn_store_info *info = fn_store_get_info(s->store);
    uint64_t seed = (uint64_t)s->d->seed, places = (uint64_t)(s->d->rows * s->d->cols);
    int rc;
    if (s->d->rejects) {
        rc = fn_dump_rejected(s->d, s->store, s->reader, &s->places, &s->place_count);
        chosen = (struct fn_dump_ids){NULL, s->place_count};
    } else {
        rc = fn_dump_choose(s->d, s->store, &chosen);
    }
    if (rc)
        return rc;
    s->count = (size_t)(chosen.count < places ? chosen.count : places);
    s->cols = (int)((uint64_t)s->d->cols < s->count ? s->d->cols : (int64_t)s->count);
    s->rows = s->cols ? (int)((s->count + (size_t)s->cols - 1) / (size_t)s->cols) : 0;
    s->ids = malloc((s->count + 1) * sizeof *s->ids);
    if (!s->ids)
        return fn_fail(FN_ENOMEM, "no memory for a sheet of %zu pictures", s->count);
    if (!s->d->class_name && !s->d->rejects && info->classes >= places)
        return choose_classes(s, info->classes, seed);
    choose_records(s, &chosen, seed);
    return FN_OK;
}

/* Largest w x h of the picture's shape inside the cell. */
static void fit(int w, int h, int *fitted_w, int *fitted_h)
{
    *fitted_w = *fitted_h = CELL;
    if (w > h)
        *fitted_h = (int)((int64_t)CELL * h / w);
    else
        *fitted_w = (int)((int64_t)CELL * w / h);
    *fitted_w = *fitted_w ? *fitted_w : 1;
    *fitted_h = *fitted_h ? *fitted_h : 1;
}

static int draw_picture(struct sheet *s, const struct fn_record *rec, int x, int y)
{
    int w, h;
    int rc = fn_record_decode(s->codec, rec, &s->picture);
    if (rc)
        return rc;
    fit(s->picture.w, s->picture.h, &w, &h);
    const struct fn_image *shown = &s->picture;
    if (w != s->picture.w || h != s->picture.h) {
        rc = fn_image_resize(s->codec, &s->picture, w, h, &s->small);
        shown = &s->small;
    }
    if (!rc)
        fn_draw_picture(&s->page, x + (CELL - w) / 2, y + (CELL - h) / 2, shown);
    return rc;
}

static void draw_labels(struct sheet *s, size_t i, const struct fn_record *rec, int x, int y)
{
    char below[2 * FN_NAME_MAX + 64];
    uint64_t first, count = 0;
    if (s->d->rejects) { /* class/name, where it does not fit rather the end of it */
        int n = snprintf(below, sizeof below, "%.*s/%.*s", (int)rec->class_bytes, rec->class_name,
                         (int)rec->name_bytes, rec->name);
        fn_draw_text(&s->page, x, y, 1, CELL, INK, below, (size_t)n);
        snprintf(below, sizeof below, "row %s", fn_dump_number(s->places[s->ids[i]].line));
    } else if (s->d->class_name) {
        fn_draw_text(&s->page, x, y, 1, CELL, INK, rec->name, rec->name_bytes);
        snprintf(below, sizeof below, "record %" PRIu64, rec->id);
    } else {
        fn_draw_text(&s->page, x, y, 1, CELL, INK, rec->class_name, rec->class_bytes);
        if (fn_index_span(s->store->index, rec->label, &first, &count) != FN_OK)
            return;
        snprintf(below, sizeof below, "%s", fn_dump_count(count, "image"));
    }
    fn_draw_text(&s->page, x, y + 15, 1, CELL, FAINT, below, strlen(below));
}

static int get_record(struct sheet *s, size_t i, struct fn_record *rec)
{
    const uint8_t *value;
    size_t bytes;
    if (!s->d->rejects)
        return fn_reader_get(s->reader, s->ids[i], rec);
    const struct fn_dump_place *place = &s->places[s->ids[i]];
    int rc = fn_reader_group(s->reader, place->group, &value, &bytes);
    return rc ? rc : fn_record_check(value + place->where, bytes - place->where, rec, NULL);
}

/* A damaged picture is drawn as such; that there is no memory for it is another matter. */
static int draw_cell(struct sheet *s, size_t i)
{
    static const char damaged[] = "damaged";
    struct fn_record rec;
    int x = MARGIN + (int)(i % (size_t)s->cols) * (CELL + GAP);
    int y = MARGIN + TITLE + (int)(i / (size_t)s->cols) * (CELL + LABELS + GAP);
    fn_draw_box(&s->page, x - 1, y - 1, CELL + 2, CELL + 2, FRAME);
    fn_draw_box(&s->page, x, y, CELL, CELL, EMPTY);
    int rc = get_record(s, i, &rec);
    if (!rc) {
        draw_labels(s, i, &rec, x, y + CELL + 8);
        rc = draw_picture(s, &rec, x, y);
    }
    if (!rc || rc == FN_ENOMEM)
        return rc;
    fn_warn("%s", fn_err_text(rc));
    s->bad++;
    fn_draw_text(&s->page, x + (CELL - fn_text_width(damaged, strlen(damaged), 1)) / 2,
                 y + CELL / 2 - 6, 1, CELL, FAINT, damaged, strlen(damaged));
    return FN_OK;
}

/* Title: the store or the class; below it what of it is shown. */
static void draw_title(struct sheet *s)
{
    char text[192], name[256];
    const struct fn_store_info *info = fn_store_get_info(s->store);
    const char *title =
        s->d->class_name ? s->d->class_name : fn_path_last(s->d->store, name, sizeof name);
    int width = s->page.w - 2 * MARGIN;
    uint64_t total = info->records, first;
    uint32_t label;
    fn_draw_text(&s->page, MARGIN, MARGIN - 4, 2, width, INK, title, strlen(title));
    if (s->d->rejects) {
        total = s->place_count;
        snprintf(text, sizeof text, "of %s %s lost against another of the same name",
                 fn_dump_count(info->rejected, "reject"), fn_dump_number(total));
    } else if (s->d->class_name) {
        if (fn_store_class_find(s->store, s->d->class_name, &label) != FN_OK ||
            fn_index_span(s->store->index, label, &first, &total) != FN_OK)
            return;
        snprintf(text, sizeof text, "label %u, %s", label, fn_dump_count(total, "image"));
    } else {
        snprintf(text, sizeof text, "%s of %s", fn_dump_count(total, "image"),
                 fn_dump_count(info->classes, "class"));
    }
    size_t used = strlen(text);
    if (s->count < total)
        snprintf(text + used, sizeof text - used, "; here %s, seed %" PRId64,
                 fn_dump_number(s->count), s->d->seed);
    fn_draw_text(&s->page, MARGIN, MARGIN + 26, 1, width, FAINT, text, strlen(text));
}

static int draw_page(struct sheet *s)
{
    int cols = s->cols ? s->cols : 2;
    int64_t w = 2 * MARGIN + (int64_t)cols * (CELL + GAP) - GAP;
    int64_t h = 2 * MARGIN + TITLE + (int64_t)s->rows * (CELL + LABELS + GAP) - GAP;
    if (s->rows == 0)
        h += GAP;
    if (w > 65500 || h > 65500 || w * h > (int64_t)FN_IMAGE_MAX_PIXELS)
        return fn_fail(FN_ELIMIT,
                       "a sheet of %d x %d pictures would have %" PRId64 " megapixels; "
                       "ask for fewer --rows or --cols",
                       s->cols, s->rows, w * h / 1000000);
    int rc = fn_image_reserve(&s->page, (int)w, (int)h);
    if (rc)
        return rc;
    fn_draw_box(&s->page, 0, 0, s->page.w, s->page.h, PAPER);
    draw_title(s);
    for (size_t i = 0; i < s->count && !rc && !fn_interrupted(); i++)
        rc = draw_cell(s, i);
    return !rc && fn_interrupted() ? fn_fail(FN_EINTERRUPTED, "interrupted") : rc;
}

static int write_page(struct sheet *s)
{
    struct fn_bytes png = {0};
    int rc = fn_png_encode(s->codec, &s->page, 6, &png);
    if (!rc)
        rc = fn_dump_put(s->d->operand, png.data, png.bytes);
    fn_bytes_free(&png);
    return rc;
}

static int report(const struct sheet *s)
{
    const struct fn_dump *d = s->d;
    if (!d->common.json) {
        if (!d->common.quiet && strcmp(d->operand, "-") != 0)
            printf("%s: %s in %s, %d x %d pixels\n", d->operand, fn_dump_count(s->count, "picture"),
                   fn_dump_count((uint64_t)s->rows, "row"), s->page.w, s->page.h);
        return FN_OK;
    }
    json_t *ids = json_array(); /* with --rejects: rows */
    for (size_t i = 0; i < s->count; i++)
        json_array_append_new(
            ids, json_integer((json_int_t)(d->rejects ? s->places[s->ids[i]].line : s->ids[i])));
    json_t *json =
        json_pack("{s:o, s:i, s:i, s:i, s:i, s:I, s:I, s:o}", "file",
                  fn_json_bytes(d->operand, strlen(d->operand)), "width", s->page.w, "height",
                  s->page.h, "rows", s->rows, "cols", s->cols, "pictures", (json_int_t)s->count,
                  "bad", (json_int_t)s->bad, d->rejects ? "lines" : "ids", ids);
    int rc = json ? fn_json_print(json) : fn_fail(FN_ENOMEM, "no memory for the summary");
    json_decref(json);
    return rc;
}

/* A PNG under a name that says otherwise would be taken for damaged. */
static int named_otherwise(const char *path)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
    return dot && strcasecmp(dot, ".png") != 0;
}

int fn_dump_sheet(struct fn_dump *d)
{
    struct sheet s = {.d = d};
    if (named_otherwise(d->operand))
        return fn_fail(FN_EUSAGE, "a sheet is a PNG: %s has another ending", d->operand);
    if (d->common.json && strcmp(d->operand, "-") == 0)
        return fn_fail(FN_EUSAGE, "a sheet to '-' and --json both want standard output");
    if (d->rejects && d->class_name)
        return fn_fail(FN_EUSAGE, "sheet takes --class or --rejects, not both");
    int rc = fn_store_open(&s.store, d->store);
    if (!rc)
        rc = fn_reader_open(&s.reader, s.store);
    if (!rc)
        rc = fn_codec_open(&s.codec);
    if (!rc)
        rc = choose(&s);
    if (!rc)
        rc = draw_page(&s);
    if (!rc)
        rc = write_page(&s);
    if (!rc)
        rc = report(&s);
    free(s.ids);
    free(s.places);
    fn_image_free(&s.page);
    fn_image_free(&s.picture);
    fn_image_free(&s.small);
    fn_codec_close(&s.codec);
    fn_reader_close(&s.reader);
    fn_store_close(&s.store);
    return rc;
}
