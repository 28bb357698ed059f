/* SPDX-License-Identifier: MIT */
/* fn-dump list: a line a record, in id order. Pictures are not read, so checksums are as stated. */
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "store/dump_internal.h"
#include "store/rejects.h"

static int put_name(struct fn_bytes *line, const char *name, size_t bytes)
{
    line->bytes = 0;
    int rc = fn_escape(line, name, bytes);
    if (!rc)
        fwrite(line->data, 1, line->bytes, stdout);
    return rc;
}

static int put_line(const struct fn_record *rec, struct fn_bytes *line)
{
    printf("%" PRIu64 "\t%" PRIu32 "\t", rec->id, rec->label);
    int rc = put_name(line, rec->class_name, rec->class_bytes);
    putchar('\t');
    if (!rc)
        rc = put_name(line, rec->name, rec->name_bytes);
    printf("\t%d\t%d\t%s\t%zu\t%016" PRIx64 "\n", rec->w, rec->h, fn_codec_name(rec->codec),
           rec->payload_bytes, rec->checksum);
    return rc;
}

/* One object a record, streamed: ten million of them are no object in memory. */
static int put_json(const struct fn_record *rec, int first)
{
    char sum[17];
    snprintf(sum, sizeof sum, "%016" PRIx64, rec->checksum);
    json_t *json = json_pack(
        "{s:I, s:I, s:o, s:o, s:i, s:i, s:s, s:I, s:s}", "id", (json_int_t)rec->id, "label",
        (json_int_t)rec->label, "class", fn_json_bytes(rec->class_name, rec->class_bytes), "name",
        fn_json_bytes(rec->name, rec->name_bytes), "width", rec->w, "height", rec->h, "codec",
        fn_codec_name(rec->codec), "bytes", (json_int_t)rec->payload_bytes, "checksum", sum);
    if (!json)
        return fn_fail(FN_ENOMEM, "no memory for a record");
    fputs(first ? "\n" : ",\n", stdout);
    json_dumpf(json, stdout, JSON_SORT_KEYS);
    json_decref(json);
    return FN_OK;
}

int fn_dump_list(struct fn_dump *d)
{
    struct fn_store *store = NULL;
    struct fn_reader *reader = NULL;
    struct fn_dump_ids chosen;
    struct fn_bytes line = {0};
    uint64_t bad = 0;
    int rc = fn_store_open(&store, d->store);
    if (!rc)
        rc = fn_dump_choose(d, store, &chosen);
    if (!rc)
        rc = fn_reader_open(&reader, store);
    if (!rc && d->common.json)
        fputs("{\"records\": [", stdout);
    for (uint64_t i = 0, put = 0; !rc && i < chosen.count && fn_dump_writable(); i++) {
        struct fn_record rec;
        if (fn_interrupted()) {
            rc = fn_fail(FN_EINTERRUPTED, "interrupted");
            break;
        }
        int found = fn_reader_peek(reader, fn_dump_id(&chosen, i), &rec);
        if (found) {
            fn_error("%s", fn_err_text(found));
            bad++;
        } else {
            rc = d->common.json ? put_json(&rec, put == 0) : put_line(&rec, &line);
            put++;
        }
    }
    if (!rc && d->common.json)
        fputs("\n]}\n", stdout);
    if (!rc && bad)
        rc = fn_fail(FN_ECORRUPT, "%s of %s cannot be listed; fn-dump %s verify tells more",
                     fn_dump_count(bad, "record"), d->store, d->store);
    fn_bytes_free(&line);
    fn_reader_close(&reader);
    fn_store_close(&store);
    return rc;
}
