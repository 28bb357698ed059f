/* SPDX-License-Identifier: MIT */
/* The manifest's and the provenance's texts. Integers and strings only, keys sorted: equal content,
 * equal bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "store/build.h"
#include "store/manifest.h"
#include "store/sink.h"

static const char zeros[] = "00000000000000000000000000000000";

static json_t *number(uint64_t value)
{
    return json_integer((json_int_t)value);
}

/* Only bins that are not empty. */
static json_t *spread_json(const uint64_t *bins)
{
    json_t *list = json_array();
    for (int i = 0; i < FN_SPREAD_BINS; i++)
        if (bins[i])
            json_array_append_new(list,
                                  json_pack("[o, o]", number(fn_spread_from(i)), number(bins[i])));
    return list;
}

static json_t *pictures_json(const struct fn_manifest *m)
{
    json_t *codecs = json_object();
    for (int i = FN_CODEC_JPEG; i <= FN_CODEC_RAW; i++)
        if (m->codecs[i])
            json_object_set_new(codecs, fn_codec_name(i), number(m->codecs[i]));
    return json_pack("{s:i, s:i, s:i, s:i, s:o, s:o, s:o}", "min_width", m->min_w, "max_width",
                     m->max_w, "min_height", m->min_h, "max_height", m->max_h, "codecs", codecs,
                     "bytes", spread_json(m->bytes_spread), "longer_side",
                     spread_json(m->sides_spread));
}

static json_t *rejected_json(const struct fn_manifest *m)
{
    json_t *rejected = json_object();
    for (int i = 1; i < FN_REJECT_COUNT; i++)
        if (m->rejected[i])
            json_object_set_new(rejected, fn_reject_name(i), number(m->rejected[i]));
    return rejected;
}

static json_t *shards_json(const struct fn_manifest *m)
{
    json_t *list = json_array();
    for (size_t i = 0; i < m->shard_count; i++)
        json_array_append_new(list, json_pack("{s:o, s:s}", "bytes", number(m->shards[i].bytes),
                                              "checksum", m->shards[i].checksum));
    return list;
}

/* What only these two options bring along. */
static int add_choices(json_t *json, const struct fn_manifest *m)
{
    int bad = 0;
    if (m->max_per_class)
        bad = json_object_set_new(json, "above_max_per_class", number(m->surplus));
    if (m->dedupe_pixels)
        bad = bad || json_object_set_new(json, "same_pixels", number(m->same_pixels)) ||
              json_object_set_new(json, "label_conflicts", number(m->conflicts)) ||
              json_object_set_new(json, "conflicts",
                                  json_pack("{s:o, s:s}", "bytes", number(m->conflicts_file.bytes),
                                            "checksum", m->conflicts_file.checksum));
    return bad ? fn_fail(FN_ENOMEM, "no memory for the manifest") : FN_OK;
}

int fn_manifest_text(struct fn_manifest *m, json_t *content, char **text)
{
    char sum[17];
    snprintf(sum, sizeof sum, "%016llx", (unsigned long long)m->index_sum);
    *text = NULL;
    json_t *json = json_pack(
        "{s:s, s:i, s:s, s:O, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
        "s:o, s:{s:o, s:s}, s:{s:o, s:s}}",
        "format", "fn-store", "version", FN_STORE_VERSION, "content_id", zeros, "content", content,
        "rows", number(m->rows), "records", number(m->records), "classes", number(m->classes),
        "duplicates", number(m->duplicates), "skipped", number(m->skipped), "filtered",
        number(m->filtered), "below_min_images", number(m->small), "rejected", rejected_json(m),
        "payload_bytes", number(m->payload_bytes), "stored_records", number(m->stored_records),
        "stored_payload_bytes", number(m->stored_bytes), "groups", number(m->groups), "pictures",
        pictures_json(m), "shards", shards_json(m), "index", "bytes", number(m->index_bytes),
        "head_checksum", sum, "rejects", "bytes", number(m->rejects.bytes), "checksum",
        m->rejects.checksum);
    if (!json)
        return fn_fail(FN_ENOMEM, "no memory for the manifest");
    *text = add_choices(json, m) ? NULL : fn_json_text(json);
    json_decref(json);
    if (!*text)
        return FN_ENOMEM;
    m->bytes = strlen(*text);
    int rc = fn_self_sum_set(*text, m->bytes, "content_id");
    if (!rc) {
        struct fn_manifest *check = NULL; /* what is written can be read */
        rc = fn_manifest_parse(&check, *text, m->bytes, "the new manifest");
        if (!rc)
            memcpy(m->content_id, check->content_id, sizeof m->content_id);
        fn_manifest_free(&check);
    }
    if (rc) {
        free(*text);
        *text = NULL;
    }
    return rc;
}

int fn_provenance_write(const char *store, const json_t *inputs, json_t *content,
                        const struct fn_manifest *m, const char *run)
{
    json_t *made = NULL, *all = NULL;
    char *text = NULL;
    run = run ? run : "{}";
    int rc = fn_json_parse(run, strlen(run), "the provenance", &made);
    if (rc)
        return rc;
    json_t *counts =
        json_pack("{s:o, s:o, s:o}", "rows", number(m->rows), "skipped", number(m->skipped),
                  "filtered", number(m->filtered - m->small - m->surplus));
    all = json_pack("{s:s, s:O, s:o, s:O, s:O}", "checksum", zeros, "content", content, "counts",
                    counts, "inputs", inputs, "run", made);
    text = all ? fn_json_text(all) : NULL;
    rc = text ? fn_self_sum_set(text, strlen(text), "checksum")
              : fn_fail(FN_ENOMEM, "no memory for the provenance");
    if (!rc)
        rc = fn_sink_file(store, "provenance.json", text, strlen(text));
    free(text);
    json_decref(all);
    json_decref(made);
    return rc;
}

int fn_provenance_load(const char *store, json_t **all)
{
    char path[FN_PATH_MAX];
    unsigned char *text = NULL;
    size_t bytes = 0;
    *all = NULL;
    fn_store_file(path, store, "provenance.json");
    int rc = fn_file_read(path, FN_MANIFEST_LIMIT, &text, &bytes);
    if (!rc)
        rc = fn_self_sum_check((const char *)text, bytes, "checksum", path);
    if (!rc)
        rc = fn_json_parse((const char *)text, bytes, path, all);
    free(text);
    return rc;
}

int fn_provenance_inputs(const char *store, json_t **inputs)
{
    json_t *all = NULL, *list = NULL;
    *inputs = NULL;
    int rc = fn_provenance_load(store, &all);
    if (!rc)
        rc = fn_json_member(all, "inputs", JSON_ARRAY, "provenance.json", &list);
    if (!rc)
        *inputs = json_incref(list);
    json_decref(all);
    return rc;
}
