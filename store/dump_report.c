/* SPDX-License-Identifier: MIT */
/* fn-dump report: a store as a page. Figures come from manifest and index, faces from a sample, so
 * that a store of a hundred thousand classes takes a second and gives a page of a megabyte. */
#include "store/dump_report_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "store/build.h"

enum { EXTREMES = 6 /* largest and smallest classes */, SHARES = 200, INPUTS = 20 };

/* ---- head ----------------------------------------------------------------------------------- */
static void put_tiles(struct fn_report *r)
{
    const struct fn_store_info *info = fn_store_get_info(r->store);
    const struct fn_dump_sizes *s = &r->sizes;
    char range[64], bytes[32], each[32], each_note[48], sides[48], rejected[48];
    int one = info->min_w == info->max_w && info->min_h == info->max_h;
    snprintf(range, sizeof range, "from %s to %s", fn_dump_number(s->count ? s->each[0] : 0),
             fn_dump_number(s->count ? s->each[s->count - 1] : 0));
    fn_human_bytes((double)info->store_bytes, bytes, sizeof bytes);
    fn_human_bytes(info->records ? (double)info->payload_bytes / (double)info->records : 0, each,
                   sizeof each);
    snprintf(each_note, sizeof each_note, "%s a picture", each);
    if (one)
        snprintf(sides, sizeof sides, "%d x %d", info->max_w, info->max_h);
    else
        snprintf(sides, sizeof sides, "to %d x %d", info->max_w, info->max_h);
    snprintf(rejected, sizeof rejected, "of %s", fn_dump_count(info->rows, "row"));
    const struct fn_html_tile tiles[] = {
        {"images", fn_dump_number(info->records), NULL},
        {"classes", fn_dump_number(info->classes), NULL},
        {"images per class", fn_dump_number(s->count ? s->each[s->count / 2] : 0), range},
        {"pixels", sides, info->codec},
        {"on disk", bytes, each_note},
        {"rejected", fn_dump_number(info->rejected), rejected}};
    fn_html_tiles(r->html, tiles, sizeof tiles / sizeof *tiles);
}

/* ---- classes -------------------------------------------------------------------------------- */
static void put_histogram(struct fn_report *r, const char *title, const char *text,
                          const char *names, const char *values, const struct fn_dump_bin *bins,
                          int count)
{
    struct fn_bar bars[FN_DUMP_BINS];
    for (int i = 0; i < count; i++)
        bars[i] = (struct fn_bar){bins[i].name, (double)bins[i].count};
    const struct fn_bars chart = {title, text, names, values, FN_UNIT_COUNT, bars, (size_t)count};
    fn_chart_columns(r->html, &chart);
}

/* How much of the store its largest classes hold. */
static void put_shares(struct fn_report *r)
{
    const struct fn_dump_sizes *s = &r->sizes;
    double x[SHARES + 1], y[SHARES + 1], sum = 0;
    double images = (double)fn_store_get_info(r->store)->records;
    size_t n = s->count < SHARES ? s->count : SHARES, points = 0;
    if (!s->count || s->each[0] == s->each[s->count - 1])
        return;
    x[0] = y[0] = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        sum += (double)s->each[s->count - 1 - i];
        if ((uint64_t)(i + 1) * n / s->count > points) {
            points++;
            x[points] = (double)(i + 1) / (double)s->count;
            y[points] = sum / images;
        }
    }
    const struct fn_series curve = {
        "share of the images", FN_LOOK_LINE, x, y, NULL, NULL, points + 1};
    const struct fn_chart chart = {
        .title = "How even the classes are",
        .text = "Where all classes are equally large, this is a straight line; the more it bends, "
                "the more of the images belong to few classes.",
        .x = {"share of the classes, largest first", .unit = FN_UNIT_PERCENT, .min = 0, .max = 1},
        .y = {"share of the images", .unit = FN_UNIT_PERCENT, .min = 0, .max = 1},
        .series = &curve,
        .count = 1};
    fn_chart_curves(r->html, &chart);
}

static void put_percentiles(struct fn_report *r)
{
    static const int percent[] = {0, 1, 5, 25, 50, 75, 95, 99, 100};
    static const char *const columns[] = {"of the classes", "#have at most"};
    const struct fn_dump_sizes *s = &r->sizes;
    fn_html_put(r->html, "<div class=\"card\"><h3>Percentiles</h3>\n");
    fn_html_table(r->html, NULL, columns, 2);
    for (size_t i = 0; i < sizeof percent / sizeof *percent; i++) {
        uint64_t at = (uint64_t)percent[i] * (s->count - 1) / 100;
        if (percent[i] == 0)
            fn_html_cell(r->html, "the smallest");
        else if (percent[i] == 100)
            fn_html_cell(r->html, "all");
        else
            fn_html_cell(r->html, percent[i] == 50 ? "%d%% (median)" : "%d%%", percent[i]);
        fn_html_cell(r->html, "%s", fn_dump_count(s->each[at], "image"));
    }
    fn_html_table_end(r->html);
    fn_html_put(r->html, "</div>\n");
}

struct extreme {
    uint32_t label;
    uint64_t images;
};

/* Sorted in by size, at most EXTREMES of them; the first of equals stays first. */
static void keep(struct extreme *list, size_t *count, struct extreme e, int large)
{
    size_t at = *count;
    while (at > 0 && (large ? list[at - 1].images < e.images : list[at - 1].images > e.images))
        at--;
    if (at == EXTREMES)
        return;
    size_t last = *count < EXTREMES ? (*count)++ : EXTREMES - 1;
    memmove(list + at + 1, list + at, (last - at) * sizeof *list);
    list[at] = e;
}

static int put_extremes(struct fn_report *r)
{
    static const char *const columns[] = {"class", "#images"};
    struct extreme large[EXTREMES], small[EXTREMES];
    size_t larges = 0, smalls = 0;
    int rc = FN_OK;
    for (uint32_t label = 0; label < r->sizes.count && !rc; label++) {
        struct extreme e = {label, 0};
        uint64_t first;
        rc = fn_index_span(r->store->index, label, &first, &e.images);
        keep(large, &larges, e, 1);
        keep(small, &smalls, e, 0);
    }
    for (int k = 0; k < 2 && !rc; k++) {
        const struct extreme *list = k ? small : large;
        fn_html_put(r->html, "<div class=\"card\"><h3>%s classes</h3>\n",
                    k ? "Smallest" : "Largest");
        fn_html_table(r->html, NULL, columns, 2);
        for (size_t i = 0; i < (k ? smalls : larges) && !rc; i++) {
            const char *name = "";
            rc = fn_store_class_name(r->store, list[i].label, &name);
            fn_html_cell(r->html, "%s", name);
            fn_html_cell(r->html, "%s", fn_dump_number(list[i].images));
        }
        fn_html_table_end(r->html);
        fn_html_put(r->html, "</div>\n");
    }
    return rc;
}

static int put_classes(struct fn_report *r)
{
    int rc = FN_OK, even;
    if (!r->sizes.count)
        return FN_OK;
    even = r->sizes.each[0] == r->sizes.each[r->sizes.count - 1];
    fn_html_section(r->html, "Classes",
                    "A class is a person; its label is its place in the order "
                    "of names.");
    fn_html_grid(r->html, 2);
    put_histogram(r, "Images per class", "How many classes have so many images.", "images",
                  "classes", r->sizes.bins, r->sizes.bin_count);
    put_shares(r);
    fn_html_grid_end(r->html);
    fn_html_grid(r->html, 3);
    put_percentiles(r);
    if (!even)
        rc = put_extremes(r);
    fn_html_grid_end(r->html);
    fn_html_section_end(r->html);
    return rc;
}

/* ---- pictures ------------------------------------------------------------------------------- */
static void put_pictures(struct fn_report *r)
{
    const struct fn_manifest *m = r->store->manifest;
    struct fn_dump_bin bins[FN_DUMP_BINS];
    struct fn_bar bars[FN_CODEC_RAW];
    int one = m->min_w == m->max_w && m->min_h == m->max_h;
    size_t codecs = 0;
    char text[96] = "How the pictures are encoded.";
    if (!m->records)
        return;
    fn_html_section(r->html, "Pictures", "As they stand in the store.");
    fn_html_grid(r->html, 2);
    put_histogram(r, "Bytes of a picture", "How many images take so much room.", "size", "images",
                  bins, fn_dump_spread(m->bytes_spread, 1, bins));
    if (!one)
        put_histogram(r, "Longer side", "How many images are so large.", "pixels", "images", bins,
                      fn_dump_spread(m->sides_spread, 0, bins));
    for (int i = FN_CODEC_JPEG; i <= FN_CODEC_RAW; i++)
        if (m->codecs[i])
            bars[codecs++] = (struct fn_bar){fn_codec_name(i), (double)m->codecs[i]};
    if (m->quality && strcmp(m->codec, "jpeg") == 0)
        snprintf(text, sizeof text, "JPEG is of quality %d.", m->quality);
    const struct fn_bars chart = {"Codecs", text, "codec", "images", FN_UNIT_COUNT, bars, codecs};
    fn_chart_bars(r->html, &chart);
    fn_html_grid_end(r->html);
    fn_html_section_end(r->html);
}

/* ---- origin --------------------------------------------------------------------------------- */
static void put_run(struct fn_report *r, const json_t *run)
{
    static const char *const facts[][2] = {
        {"command", "command"}, {"started", "started"}, {"fn-ingest", "version"}};
    size_t i;
    json_t *input;
    for (i = 0; i < sizeof facts / sizeof *facts; i++) {
        const char *text = json_string_value(json_object_get(run, facts[i][1]));
        if (text)
            fn_html_fact(r->html, facts[i][0], "%s", text);
    }
    json_array_foreach(json_object_get(run, "inputs"), i, input)
    {
        const char *path = json_string_value(json_object_get(input, "path"));
        const char *described = json_string_value(json_object_get(input, "described"));
        if (i < INPUTS)
            fn_html_fact(r->html, "input", "%s%s%s", path ? path : "?", described ? ": " : "",
                         described ? described : "");
    }
}

static void put_origin(struct fn_report *r)
{
    const struct fn_store_info *info = fn_store_get_info(r->store);
    char path[FN_PATH_MAX], bytes[32];
    json_t *provenance = NULL;
    fn_html_section(r->html, "Where it comes from",
                    "The same input and options give the same content, whatever the machine.");
    fn_html_put(r->html, "<div class=\"card\">\n");
    fn_html_facts(r->html);
    fn_html_fact(r->html, "store", "%s", info->path);
    fn_html_fact(r->html, "content", "%s", info->content_id);
    fn_html_fact(r->html, "files", "%s of %s, format %d", fn_dump_count(info->shards, "shard"),
                 fn_human_bytes((double)info->store_bytes, bytes, sizeof bytes),
                 info->format_version);
    /* Not part of the content, and nothing that a report could fail for. */
    if (fn_json_load(fn_store_file(path, r->d->store, "provenance.json"), FN_MANIFEST_LIMIT,
                     &provenance) == FN_OK)
        put_run(r, json_object_get(provenance, "run"));
    json_decref(provenance);
    fn_html_facts_end(r->html);
    fn_html_put(r->html, "</div>\n");
    fn_html_section_end(r->html);
}

/* ---- the command ---------------------------------------------------------------------------- */
static int put_page(struct fn_report *r)
{
    put_tiles(r);
    int rc = fn_report_overview(r);
    if (!rc)
        rc = put_classes(r);
    if (!rc) {
        put_pictures(r);
        rc = fn_report_rows(r);
    }
    if (!rc)
        rc = fn_report_sheets(r);
    if (!rc)
        put_origin(r);
    return rc;
}

/* FILE.html as it is, else a folder that is made. malloc'd. */
static int find_path(const struct fn_dump *d, char **path)
{
    static const char ending[] = ".html";
    size_t bytes = strlen(d->operand), more = sizeof ending - 1;
    int file = bytes > more && strcmp(d->operand + bytes - more, ending) == 0;
    int rc = file ? FN_OK : fn_mkdir_p(d->operand);
    *path = NULL;
    if (rc)
        return rc;
    *path = file ? fn_path_join(NULL, d->operand) : fn_path_join(d->operand, "report.html");
    return *path ? FN_OK : FN_ENOMEM;
}

static int say(const struct fn_report *r, const char *path, uint64_t bytes)
{
    char size[32];
    if (!r->d->common.json) {
        if (!r->d->common.quiet)
            printf("%s: %s, open it in a browser\n", path,
                   fn_human_bytes((double)bytes, size, sizeof size));
        return FN_OK;
    }
    json_t *json =
        json_pack("{s:o, s:I, s:I, s:I}", "file", fn_json_bytes(path, strlen(path)), "bytes",
                  (json_int_t)bytes, "pictures", (json_int_t)r->shown, "bad", (json_int_t)r->bad);
    int rc = json ? fn_json_print(json) : fn_fail(FN_ENOMEM, "no memory for the summary");
    json_decref(json);
    return rc;
}

int fn_dump_report(struct fn_dump *d)
{
    struct fn_report r = {.d = d};
    char *path = NULL, lead[160], name[256];
    uint64_t bytes = 0;
    int rc = fn_store_open(&r.store, d->store);
    if (!rc)
        rc = fn_reader_open(&r.reader, r.store);
    if (!rc)
        rc = fn_codec_open(&r.codec);
    if (!rc)
        rc = fn_dump_sizes_find(r.store, &r.sizes);
    if (!rc)
        rc = find_path(d, &path);
    if (!rc) {
        snprintf(lead, sizeof lead, "A store of faces for training: %s of %s.",
                 fn_dump_count(r.store->info.records, "image"),
                 fn_dump_count(r.store->info.classes, "class"));
        rc = fn_html_open(&r.html, path, "Face store", fn_path_last(d->store, name, sizeof name),
                          lead);
    }
    if (!rc)
        rc = put_page(&r);
    if (!rc) {
        bytes = fn_html_bytes(r.html);
        rc = fn_html_commit(r.html, "fn-dump");
    }
    if (!rc)
        rc = say(&r, path, bytes);
    fn_html_close(&r.html);
    free(path);
    fn_dump_sizes_free(&r.sizes);
    fn_image_free(&r.picture);
    fn_image_free(&r.small);
    fn_bytes_free(&r.jpeg);
    fn_codec_close(&r.codec);
    fn_reader_close(&r.reader);
    fn_store_close(&r.store);
    return rc;
}
