/* SPDX-License-Identifier: MIT */
/* fn-dump stats: a store at a glance. From manifest and index alone: no picture is touched. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "store/dump_internal.h"
#include "store/look.h"

#define BAR_CELLS 40

/* One line of a distribution: what the bin holds, and how much of it there is. */
static void print_bin(const char *range, uint64_t value, uint64_t most)
{
    const char *bar = fn_dump_bar(value, most, BAR_CELLS);
    printf("  %17s  %10s%s%s\n", range, fn_dump_number(value), *bar ? "  " : "", bar);
}

static void print_bins(const struct fn_dump_sizes *s)
{
    uint64_t most = 0;
    if (!s->count)
        return;
    for (int i = 0; i < s->bin_count; i++)
        most = s->bins[i].count > most ? s->bins[i].count : most;
    printf("\nimages per class: %s to %s, median %s\n\n", fn_dump_number(s->each[0]),
           fn_dump_number(s->each[s->count - 1]), fn_dump_number(s->each[s->count / 2]));
    printf("  %17s  %10s\n", "images", "classes");
    for (int i = 0; i < s->bin_count; i++)
        print_bin(s->bins[i].name, s->bins[i].count, most);
}

static void print_spread(const char *title, const uint64_t *spread, int bytes)
{
    struct fn_dump_bin bins[FN_DUMP_BINS];
    int count = fn_dump_spread(spread, bytes, bins);
    uint64_t most = 0;
    for (int i = 0; i < count; i++)
        most = bins[i].count > most ? bins[i].count : most;
    printf("\n%s\n\n", title);
    for (int i = 0; i < count; i++)
        print_bin(bins[i].name, bins[i].count, most);
}

/* The commonest first. */
static void print_rejected(const uint64_t *rejected)
{
    uint64_t left[FN_REJECT_COUNT], most = 0;
    memcpy(left, rejected, sizeof left);
    for (int best; (best = fn_dump_commonest(left)) != 0; left[best] = 0) {
        most = most ? most : left[best];
        print_bin(fn_reject_name(best), left[best], most);
    }
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
    if (strcmp(m->codec, "jpeg") == 0)
        printf(" of quality %d", m->quality);
    else if (strcmp(m->codec, "keep") == 0)
        printf(", kept as they came where nothing had to change");
    printf("\n");
}

static void print_head(const struct fn_store *store)
{
    const struct fn_store_info *info = &store->info;
    const struct fn_manifest *m = store->manifest;
    char a[32], b[32], word[512];
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
        printf("\nrejected rows (fn-dump %s rejects lists them)\n\n",
               fn_args_word(info->path, word, sizeof word));
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

static int print_json(const struct fn_store *store, const struct fn_dump_sizes *s)
{
    const struct fn_store_info *info = &store->info;
    json_t *bins = json_array(), *json = NULL;
    for (int i = 0; i < s->bin_count; i++)
        json_array_append_new(
            bins, json_pack("{s:I, s:I, s:I}", "from", (json_int_t)s->bins[i].from, "to",
                            (json_int_t)s->bins[i].to, "classes", (json_int_t)s->bins[i].count));
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
    struct fn_dump_sizes sizes = {0};
    if (fn_is_unsealed(d->store))
        return stats_unsealed(d);
    int rc = fn_store_open(&store, d->store);
    if (!rc)
        rc = fn_dump_sizes_find(store, &sizes);
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
    fn_dump_sizes_free(&sizes);
    fn_store_close(&store);
    return rc;
}
