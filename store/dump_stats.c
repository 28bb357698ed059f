/* SPDX-License-Identifier: MIT */
/* fn-dump stats: a store at a glance. From manifest and index alone: no picture is touched. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "store/dump_internal.h"
#include "store/look.h"

#define MAX_BINS 40
#define BAR_CELLS 40
#define MAX_LINES 20 /* of a distribution */

struct bin {
    uint64_t from, to; /* images, both ends counted */
    uint64_t classes;
};

struct sizes {      /* of the classes, in images */
    uint64_t *each; /* ascending */
    uint32_t count;
    struct bin bins[MAX_BINS];
    int bin_count;
};

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* One bin a size while sizes are few, else 1, 2, 3-4, 5-9, 10-19, 20-49, 50-99, ... */
static void make_bins(struct sizes *s)
{
    uint64_t least = s->each[0], most = s->each[s->count - 1];
    if (most - least < 12) {
        for (uint64_t n = least; n <= most; n++)
            s->bins[s->bin_count++] = (struct bin){n, n, 0};
    } else {
        uint64_t edges[MAX_BINS + 1] = {1, 2, 3};
        int n = 3;
        for (uint64_t ten = 1; n < MAX_BINS && edges[n - 1] <= most; ten *= 10) {
            edges[n++] = 5 * ten;
            if (n < MAX_BINS)
                edges[n++] = 10 * ten;
            if (n < MAX_BINS)
                edges[n++] = 20 * ten;
        }
        for (int i = 0; i + 1 < n && edges[i] <= most; i++)
            if (edges[i + 1] > least)
                s->bins[s->bin_count++] = (struct bin){edges[i], edges[i + 1] - 1, 0};
    }
    for (uint32_t i = 0, b = 0; i < s->count; i++) {
        while (b + 1 < (uint32_t)s->bin_count && s->each[i] > s->bins[b].to)
            b++;
        s->bins[b].classes++;
    }
}

static int find_sizes(struct fn_store *store, struct sizes *s)
{
    uint32_t count = fn_store_get_info(store)->classes;
    *s = (struct sizes){.each = malloc((count + (size_t)1) * sizeof(uint64_t)), .count = count};
    if (!s->each)
        return fn_fail(FN_ENOMEM, "no memory for %u class sizes", count);
    for (uint32_t label = 0; label < count; label++) {
        uint64_t first = 0;
        int rc = fn_index_span(store->index, label, &first, &s->each[label]);
        if (rc)
            return rc;
    }
    qsort(s->each, count, sizeof *s->each, compare_u64);
    if (count)
        make_bins(s);
    return FN_OK;
}

/* One line of a distribution: what the bin holds, and how much of it there is. */
static void print_bin(const char *range, uint64_t value, uint64_t most)
{
    const char *bar = fn_dump_bar(value, most, BAR_CELLS);
    printf("  %17s  %10s%s%s\n", range, fn_dump_number(value), *bar ? "  " : "", bar);
}

static void print_bins(const struct sizes *s)
{
    uint64_t most = 0;
    if (!s->count)
        return;
    for (int i = 0; i < s->bin_count; i++)
        most = s->bins[i].classes > most ? s->bins[i].classes : most;
    printf("\nimages per class: %s to %s, median %s\n\n", fn_dump_number(s->each[0]),
           fn_dump_number(s->each[s->count - 1]), fn_dump_number(s->each[s->count / 2]));
    printf("  %17s  %10s\n", "images", "classes");
    for (int i = 0; i < s->bin_count; i++) {
        char range[64];
        if (s->bins[i].from == s->bins[i].to)
            snprintf(range, sizeof range, "%s", fn_dump_number(s->bins[i].from));
        else
            snprintf(range, sizeof range, "%s - %s", fn_dump_number(s->bins[i].from),
                     fn_dump_number(s->bins[i].to));
        print_bin(range, s->bins[i].classes, most);
    }
}

/* A distribution in quarters of octaves, or halves or whole ones where that gives too many lines.
 */
static void print_spread(const char *title, const uint64_t *bins, int bytes)
{
    int first = FN_SPREAD_BINS, last = -1, step = 1;
    uint64_t most = 0;
    for (int i = 0; i < FN_SPREAD_BINS; i++)
        if (bins[i]) {
            first = first < i ? first : i;
            last = i;
        }
    while (step < 4 && (last - first) / step >= MAX_LINES)
        step *= 2;
    first = first / step * step;
    for (int i = first; i <= last; i += step) {
        uint64_t sum = 0;
        for (int k = i; k < i + step; k++)
            sum += bins[k];
        most = sum > most ? sum : most;
    }
    printf("\n%s\n\n", title);
    for (int i = first; i <= last; i += step) {
        char range[96];
        uint64_t sum = 0, from = fn_spread_from(i), to = fn_spread_from(i + step);
        for (int k = i; k < i + step; k++)
            sum += bins[k];
        if (from == to) /* a bin below 4 that no integer falls into */
            continue;
        if (bytes && i >= 4 * 10 + 8)
            snprintf(range, sizeof range, "%s - %s KiB", fn_dump_number(from >> 10),
                     fn_dump_number(to >> 10));
        else if (to - from == 1)
            snprintf(range, sizeof range, "%s", fn_dump_number(from));
        else
            snprintf(range, sizeof range, "%s - %s", fn_dump_number(from), fn_dump_number(to - 1));
        print_bin(range, sum, most);
    }
}

/* The commonest first. */
static void print_rejected(const uint64_t *rejected)
{
    uint64_t left[FN_REJECT_COUNT];
    memcpy(left, rejected, sizeof left);
    for (int best; (best = fn_dump_commonest(left)) != 0; left[best] = 0)
        printf("  %17s  %s\n", fn_dump_number(left[best]), fn_reject_name(best));
}

static void print_pictures(const struct fn_manifest *m)
{
    char least[32], most[32];
    printf("  pictures   ");
    snprintf(least, sizeof least, "%d x %d", m->min_w, m->min_h);
    snprintf(most, sizeof most, "%d x %d", m->max_w, m->max_h);
    if (m->min_w == m->max_w && m->min_h == m->max_h)
        printf("%s pixels, ", most);
    else
        printf("from %s to %s pixels, ", least, most);
    const char *comma = "";
    for (int i = FN_CODEC_JPEG; i <= FN_CODEC_RAW; i++) {
        if (m->codecs[i] == m->records)
            printf("%s", fn_codec_name(i));
        else if (m->codecs[i])
            printf("%s%s %s", comma, fn_dump_number(m->codecs[i]), fn_codec_name(i));
        if (m->codecs[i])
            comma = ", ";
    }
    if (m->quality)
        printf(" of quality %d", m->quality);
    printf("\n");
}

static void print_head(const struct fn_store *store)
{
    const struct fn_store_info *info = &store->info;
    const struct fn_manifest *m = store->manifest;
    char a[32], b[32];
    printf("%s: %s of %s\n\n", info->path, fn_dump_count(info->records, "image"),
           fn_dump_count(info->classes, "class"));
    if (info->records) {
        print_pictures(m);
        printf("  payload    %s, %s a picture\n",
               fn_human_bytes((double)info->payload_bytes, a, sizeof a),
               fn_human_bytes((double)info->payload_bytes / (double)info->records, b, sizeof b));
    }
    printf("  store      %s in %s", fn_human_bytes((double)info->store_bytes, a, sizeof a),
           fn_dump_count(info->shards, "shard"));
    if (m->stored_bytes)
        printf(", %.3f x what it holds", (double)info->store_bytes / (double)m->stored_bytes);
    printf("\n  content    %s\n", info->content_id);
    printf("  rows       %s = %s images + %s + %s skipped + %s filtered + %s rejected\n",
           fn_dump_number(info->rows), fn_dump_number(info->records),
           fn_dump_count(info->duplicates, "duplicate"), fn_dump_number(info->skipped),
           fn_dump_number(info->filtered), fn_dump_number(info->rejected));
    if (m->min_images)
        printf("             filtered: %s of classes with fewer than %s\n",
               fn_dump_count(m->small, "image"), fn_dump_count(m->min_images, "image"));
    if (m->max_per_class)
        printf("             filtered: %s behind the first %s of their class\n",
               fn_dump_count(m->surplus, "image"), fn_dump_number(m->max_per_class));
    if (m->dedupe_pixels)
        printf("             duplicates: %s with the pixels of another in the class; in several "
               "classes: %s (conflicts.tsv)\n",
               fn_dump_count(m->same_pixels, "image"), fn_dump_number(m->conflicts));
    if (info->rejected) {
        printf("\nrejected (fn-dump %s rejects lists them)\n\n", info->path);
        print_rejected(m->rejected);
    }
}

static json_t *rejected_json(const uint64_t *rejected)
{
    json_t *json = json_object();
    for (int i = 1; i < FN_REJECT_COUNT; i++)
        if (rejected[i])
            json_object_set_new(json, fn_reject_name(i), json_integer((json_int_t)rejected[i]));
    return json;
}

static int print_json(const struct fn_store *store, const struct sizes *s)
{
    const struct fn_store_info *info = &store->info;
    json_t *bins = json_array(), *json = NULL;
    for (int i = 0; i < s->bin_count; i++)
        json_array_append_new(
            bins, json_pack("{s:I, s:I, s:I}", "from", (json_int_t)s->bins[i].from, "to",
                            (json_int_t)s->bins[i].to, "classes", (json_int_t)s->bins[i].classes));
    uint64_t *each = s->each;
    json = json_pack("{s:o, s:b, s:s, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:i, s:s, s:i, s:I, s:I, "
                     "s:I, s:I, s:I, s:I, s:o, "
                     "s:O, s:{s:I, s:I, s:I, s:o}}",
                     "store", fn_json_bytes(info->path, strlen(info->path)), "sealed", 1,
                     "content_id", info->content_id, "version", info->format_version, "records",
                     (json_int_t)info->records, "classes", (json_int_t)info->classes, "shards",
                     (json_int_t)info->shards, "payload_bytes", (json_int_t)info->payload_bytes,
                     "stored_payload_bytes", (json_int_t)store->manifest->stored_bytes,
                     "store_bytes", (json_int_t)info->store_bytes, "size", info->size, "codec",
                     info->codec, "quality", info->quality, "rows", (json_int_t)info->rows,
                     "duplicates", (json_int_t)info->duplicates, "skipped",
                     (json_int_t)info->skipped, "filtered", (json_int_t)info->filtered,
                     "same_pixels", (json_int_t)store->manifest->same_pixels, "label_conflicts",
                     (json_int_t)store->manifest->conflicts, "rejected",
                     rejected_json(store->manifest->rejected), "pictures",
                     json_object_get(store->manifest->json, "pictures"), "images_per_class", "min",
                     (json_int_t)(s->count ? each[0] : 0), "median",
                     (json_int_t)(s->count ? each[s->count / 2] : 0), "max",
                     (json_int_t)(s->count ? each[s->count - 1] : 0), "histogram", bins);
    int rc = json ? fn_json_print(json) : fn_fail(FN_ENOMEM, "no memory for the summary");
    json_decref(json);
    return rc;
}

static int stats_unsealed(struct fn_dump *d)
{
    struct fn_look *look = NULL;
    char a[32], b[32];
    int rc = fn_look_open(&look, d->store);
    if (rc)
        return rc;
    const struct fn_look_info *info = fn_look_get_info(look);
    const struct fn_writer_counts *c = &info->counts;
    if (d->common.json) {
        json_t *json = json_pack(
            "{s:o, s:b, s:I, s:I, s:I, s:I, s:o, s:I, s:I, s:i, s:s, s:i, s:o}", "store",
            fn_json_bytes(d->store, strlen(d->store)), "sealed", 0, "rows", (json_int_t)c->rows,
            "records", (json_int_t)c->records, "skipped", (json_int_t)c->skipped, "filtered",
            (json_int_t)c->filtered, "rejected", rejected_json(c->rejected), "payload_bytes",
            (json_int_t)c->payload_bytes, "disk_bytes", (json_int_t)info->disk_bytes, "size",
            info->size, "codec", info->codec, "quality", info->quality, "command",
            fn_json_bytes(info->command, strlen(info->command)));
        rc = json ? fn_json_print(json) : fn_fail(FN_ENOMEM, "no memory for the summary");
        json_decref(json);
    } else {
        printf("%s: not finished: %s read, %s so far%s\n\n", d->store,
               fn_dump_count(c->rows, "row"), fn_dump_count(c->records, "image"),
               info->ended ? "; all rows were read, sealing was interrupted" : "");
        printf("  go on with %s\n\n", info->command);
        printf("  payload    %s, on the disk %s\n",
               fn_human_bytes((double)c->payload_bytes, a, sizeof a),
               fn_human_bytes((double)info->disk_bytes, b, sizeof b));
        printf("  rows       %s = %s images + %s skipped + %s filtered + %s rejected\n",
               fn_dump_number(c->rows), fn_dump_number(c->records), fn_dump_number(c->skipped),
               fn_dump_number(c->filtered), fn_dump_number(c->rejected[0]));
        if (c->rejected[0]) {
            printf("\nrejected\n\n");
            print_rejected(c->rejected);
        }
    }
    fn_look_close(&look);
    return rc;
}

int fn_dump_stats(struct fn_dump *d)
{
    struct fn_store *store = NULL;
    struct sizes sizes = {0};
    if (fn_is_unsealed(d->store))
        return stats_unsealed(d);
    int rc = fn_store_open(&store, d->store);
    if (!rc)
        rc = find_sizes(store, &sizes);
    if (!rc && d->common.json) {
        rc = print_json(store, &sizes);
    } else if (!rc) {
        const struct fn_manifest *m = store->manifest;
        print_head(store);
        print_bins(&sizes);
        if (m->min_w != m->max_w || m->min_h != m->max_h)
            print_spread("longer side of the pictures, pixels", m->sides_spread, 0);
        if (m->records)
            print_spread("bytes of the pictures", m->bytes_spread, 1);
    }
    free(sizes.each);
    fn_store_close(&store);
    return rc;
}
