/* SPDX-License-Identifier: MIT */
/* fn-dump show: what is known of one record, or its picture. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/log.h"
#include "store/dump_internal.h"
#include "store/rejects.h"

static int find(const struct fn_dump *d, struct fn_reader *reader, struct fn_record *rec)
{
    char class_name[FN_NAME_MAX + 1];
    const char *slash = strchr(d->operand, '/');
    if (!slash) {
        char *end;
        uint64_t id = strtoull(d->operand, &end, 10);
        if (!isdigit((unsigned char)*d->operand) || *end)
            return fn_fail(FN_EUSAGE, "'%s' is neither a record's id nor CLASS/NAME", d->operand);
        return fn_reader_get(reader, id, rec);
    }
    size_t bytes = (size_t)(slash - d->operand);
    if (!fn_name_ok(d->operand, bytes) || !fn_name_ok(slash + 1, strlen(slash + 1)))
        return fn_fail(FN_EUSAGE, "'%s' is not CLASS/NAME", d->operand);
    memcpy(class_name, d->operand, bytes);
    class_name[bytes] = 0;
    return fn_reader_find(reader, class_name, slash + 1, rec);
}

static int has_ending(const char *path, const char *ending)
{
    const char *dot = strrchr(path, '.');
    return dot && strcasecmp(dot + 1, ending) == 0;
}

static int write_picture(const char *path, const struct fn_record *rec)
{
    struct fn_codec *codec = NULL;
    struct fn_image image = {0};
    struct fn_bytes made = {0};
    const uint8_t *data;
    size_t bytes;
    const char *ending = has_ending(path, "png") ? "png"
                         : has_ending(path, "jpg") || has_ending(path, "jpeg")
                             ? "jpg"
                             : fn_dump_ending("keep", rec->codec);
    int rc = fn_codec_open(&codec);
    if (!rc)
        rc = fn_dump_picture(codec, rec, ending, &image, &made, &data, &bytes);
    if (!rc)
        rc = fn_dump_put(path, data, bytes);
    fn_bytes_free(&made);
    fn_image_free(&image);
    fn_codec_close(&codec);
    return rc;
}

static void put_name(const char *title, const char *name, size_t bytes)
{
    struct fn_bytes line = {0};
    if (fn_escape(&line, name, bytes) == FN_OK)
        printf("  %-9s %.*s\n", title, (int)line.bytes, (const char *)line.data);
    fn_bytes_free(&line);
}

static void print_facts(const struct fn_store *store, const struct fn_record *rec, uint64_t line,
                        uint64_t group)
{
    char size[32];
    printf("%s: record %" PRIu64 "\n\n", store->info.path, rec->id);
    put_name("class", rec->class_name, rec->class_bytes);
    printf("  label     %" PRIu32 "\n", rec->label);
    put_name("name", rec->name, rec->name_bytes);
    printf("  picture   %d x %d, %s, %s bytes (%s)\n", rec->w, rec->h, fn_codec_name(rec->codec),
           fn_dump_number(rec->payload_bytes),
           fn_human_bytes((double)rec->payload_bytes, size, sizeof size));
    printf("  source    input %" PRIu32 ", line %" PRIu64 ", byte %" PRIu64 "\n", rec->input, line,
           rec->offset);
    printf("  place     shard-%05" PRIu64 ".mdb, group %" PRIu64 "\n",
           fn_store_shard_of(store, group), group);
    printf("  checksum  %016" PRIx64 ", right\n", rec->checksum);
}

static int print_json(const struct fn_store *store, const struct fn_record *rec, uint64_t line,
                      uint64_t group)
{
    char sum[17];
    snprintf(sum, sizeof sum, "%016" PRIx64, rec->checksum);
    json_t *json =
        json_pack("{s:I, s:I, s:o, s:o, s:i, s:i, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "id",
                  (json_int_t)rec->id, "label", (json_int_t)rec->label, "class",
                  fn_json_bytes(rec->class_name, rec->class_bytes), "name",
                  fn_json_bytes(rec->name, rec->name_bytes), "width", rec->w, "height", rec->h,
                  "codec", fn_codec_name(rec->codec), "bytes", (json_int_t)rec->payload_bytes,
                  "input", (json_int_t)rec->input, "line", (json_int_t)line, "offset",
                  (json_int_t)rec->offset, "shard", (json_int_t)fn_store_shard_of(store, group),
                  "group", (json_int_t)group, "checksum", sum);
    int rc = json ? fn_json_print(json) : fn_fail(FN_ENOMEM, "no memory for a record");
    json_decref(json);
    return rc;
}

int fn_dump_show(struct fn_dump *d)
{
    struct fn_store *store = NULL;
    struct fn_reader *reader = NULL;
    struct fn_record rec;
    uint64_t line = 0, location = 0;
    if (d->output && strcmp(d->output, "-") == 0 && d->common.json)
        return fn_fail(FN_EUSAGE, "-o - and --json both want standard output");
    int rc = fn_store_open(&store, d->store);
    if (!rc)
        rc = fn_reader_open(&reader, store);
    if (!rc)
        rc = find(d, reader, &rec);
    if (!rc && d->output)
        rc = write_picture(d->output, &rec);
    if (!rc && (!d->output || d->common.json)) {
        rc = fn_reader_line(reader, rec.id, &line);
        if (!rc)
            rc = fn_index_location(store->index, rec.id, &location);
        if (!rc && d->common.json)
            rc = print_json(store, &rec, line, fn_location_group(location));
        else if (!rc)
            print_facts(store, &rec, line, fn_location_group(location));
    }
    fn_reader_close(&reader);
    fn_store_close(&store);
    return rc;
}
