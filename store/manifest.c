/* SPDX-License-Identifier: MIT */
/* The manifest, read and checked. Writing is in manifest_write.c. */
#include "store/manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "store/build.h"

#define DIGITS 32

/* Where the digits of `key` stand: after a newline and two blanks, which no JSON string can
 * contain. */
static const char *find_sum(const char *text, size_t bytes, const char *key)
{
    char start[64];
    int n = snprintf(start, sizeof start, "\n  \"%s\": \"", key);
    const char *at = memmem(text, bytes, start, (size_t)n);
    if (!at)
        return NULL;
    at += n;
    size_t left = bytes - (size_t)(at - text);
    if (left < DIGITS + 1 || at[DIGITS] != '"' || memmem(at, left, start, (size_t)n))
        return NULL;
    return at;
}

static int sum_text(const char *text, size_t bytes, const char *at, char digits[33])
{
    char *copy = malloc(bytes);
    if (!copy)
        return fn_fail(FN_ENOMEM, "no memory for a checksum");
    memcpy(copy, text, bytes);
    memset(copy + (at - text), '0', DIGITS);
    fn_sum128_text(fn_sum128(copy, bytes), digits);
    free(copy);
    return FN_OK;
}

int fn_self_sum_set(char *text, size_t bytes, const char *key)
{
    char digits[33];
    const char *at = find_sum(text, bytes, key);
    if (!at)
        return fn_fail(FN_EINTERNAL, "a text without a place for '%s'", key);
    int rc = sum_text(text, bytes, at, digits);
    if (!rc)
        memcpy(text + (at - text), digits, DIGITS);
    return rc;
}

int fn_self_sum_check(const char *text, size_t bytes, const char *key, const char *where)
{
    char digits[33];
    const char *at = find_sum(text, bytes, key);
    if (!at)
        return fn_fail(FN_ECORRUPT, "%s is damaged: its own checksum is missing", where);
    int rc = sum_text(text, bytes, at, digits);
    if (!rc && memcmp(at, digits, DIGITS) != 0)
        rc = fn_fail(FN_ECORRUPT, "%s is damaged: its checksum is %s, it says %.32s", where, digits,
                     at);
    return rc;
}

static int get_u64(const json_t *obj, const char *key, const char *where, uint64_t *out)
{
    int64_t value = 0;
    int rc = fn_json_int(obj, key, where, &value);
    if (!rc && value < 0)
        rc = fn_fail(FN_ECORRUPT, "%s: %s is negative", where, key);
    *out = (uint64_t)value;
    return rc;
}

static int get_int(const json_t *obj, const char *key, const char *where, int *out)
{
    int64_t value = 0;
    int rc = fn_json_int(obj, key, where, &value);
    if (!rc && (value < 0 || value > INT32_MAX))
        rc = fn_fail(FN_ECORRUPT, "%s: %s is out of range", where, key);
    *out = (int)value;
    return rc;
}

static int get_sum(const json_t *obj, const char *key, const char *where, size_t digits, char *out)
{
    const char *text = NULL;
    int rc = fn_json_string(obj, key, where, &text);
    if (!rc && (strlen(text) != digits || strspn(text, "0123456789abcdef") != digits))
        rc = fn_fail(FN_ECORRUPT, "%s: %s is no checksum", where, key);
    if (!rc)
        memcpy(out, text, digits + 1);
    return rc;
}

static int get_file(const json_t *obj, const char *where, struct fn_manifest_file *file)
{
    int rc = get_u64(obj, "bytes", where, &file->bytes);
    return rc ? rc : get_sum(obj, "checksum", where, DIGITS, file->checksum);
}

static int get_counts(struct fn_manifest *m, const char *where)
{
    struct {
        const char *key;
        uint64_t *value;
    } counts[] = {{"rows", &m->rows},
                  {"records", &m->records},
                  {"duplicates", &m->duplicates},
                  {"skipped", &m->skipped},
                  {"filtered", &m->filtered},
                  {"below_min_images", &m->small},
                  {"payload_bytes", &m->payload_bytes},
                  {"stored_records", &m->stored_records},
                  {"stored_payload_bytes", &m->stored_bytes},
                  {"groups", &m->groups}};
    json_t *rejected = NULL, *value;
    const char *reason;
    int classes = 0;
    int rc = get_int(m->json, "classes", where, &classes);
    m->classes = (uint32_t)classes;
    for (size_t i = 0; i < sizeof counts / sizeof *counts && !rc; i++)
        rc = get_u64(m->json, counts[i].key, where, counts[i].value);
    if (!rc && m->max_per_class)
        rc = get_u64(m->json, "above_max_per_class", where, &m->surplus);
    if (!rc && m->dedupe_pixels)
        rc = get_u64(m->json, "same_pixels", where, &m->same_pixels);
    if (!rc && m->dedupe_pixels)
        rc = get_u64(m->json, "label_conflicts", where, &m->conflicts);
    if (!rc)
        rc = fn_json_member(m->json, "rejected", JSON_OBJECT, where, &rejected);
    if (rc)
        return rc;
    json_object_foreach(rejected, reason, value)
    {
        uint64_t n = json_is_integer(value) ? (uint64_t)json_integer_value(value) : 0;
        m->rejected[0] += n;
        for (int i = 1; i < FN_REJECT_COUNT; i++)
            if (strcmp(reason, fn_reject_name(i)) == 0)
                m->rejected[i] = n;
    }
    if (m->rows != m->records + m->duplicates + m->skipped + m->filtered + m->rejected[0])
        return fn_fail(FN_ECORRUPT, "%s: its counts do not add up to its rows", where);
    return FN_OK;
}

int fn_spread_bin(uint64_t value)
{
    int octave = 63 - __builtin_clzll(value | 1);
    int quarter = (int)(((value - (1ULL << octave)) << 2) >> octave);
    int bin = 4 * octave + quarter;
    return bin < FN_SPREAD_BINS ? bin : FN_SPREAD_BINS - 1;
}

uint64_t fn_spread_from(int bin)
{
    return ((4 + (uint64_t)(bin % 4)) << (bin / 4)) / 4;
}

/* [[least value of a bin, count], ...] */
static int get_spread(const json_t *obj, const char *key, const char *where, uint64_t *bins)
{
    json_t *list = NULL;
    int rc = fn_json_member(obj, key, JSON_ARRAY, where, &list);
    for (size_t i = 0; !rc && i < json_array_size(list); i++) {
        const json_t *pair = json_array_get(list, i);
        json_int_t from = json_integer_value(json_array_get(pair, 0));
        json_int_t count = json_integer_value(json_array_get(pair, 1));
        if (from < 1 || count < 0)
            return fn_fail(FN_ECORRUPT, "%s: %s has an impossible entry", where, key);
        bins[fn_spread_bin((uint64_t)from)] += (uint64_t)count;
    }
    return rc;
}

static int get_pictures(struct fn_manifest *m, const char *where)
{
    json_t *pictures = NULL, *codecs = NULL;
    int rc = fn_json_member(m->json, "pictures", JSON_OBJECT, where, &pictures);
    if (!rc)
        rc = get_int(pictures, "min_width", where, &m->min_w);
    if (!rc)
        rc = get_int(pictures, "max_width", where, &m->max_w);
    if (!rc)
        rc = get_int(pictures, "min_height", where, &m->min_h);
    if (!rc)
        rc = get_int(pictures, "max_height", where, &m->max_h);
    if (!rc)
        rc = fn_json_member(pictures, "codecs", JSON_OBJECT, where, &codecs);
    for (int i = FN_CODEC_JPEG; i <= FN_CODEC_RAW && !rc; i++)
        m->codecs[i] = (uint64_t)json_integer_value(json_object_get(codecs, fn_codec_name(i)));
    if (!rc)
        rc = get_spread(pictures, "bytes", where, m->bytes_spread);
    return rc ? rc : get_spread(pictures, "longer_side", where, m->sides_spread);
}

static int get_files(struct fn_manifest *m, const char *where)
{
    json_t *shards = NULL, *index = NULL, *rejects = NULL, *conflicts = NULL;
    char sum[17];
    int rc = fn_json_member(m->json, "shards", JSON_ARRAY, where, &shards);
    if (rc)
        return rc;
    m->shard_count = json_array_size(shards);
    m->shards = calloc(m->shard_count ? m->shard_count : 1, sizeof *m->shards);
    if (!m->shards)
        return fn_fail(FN_ENOMEM, "no memory for the shards of %s", where);
    for (size_t i = 0; i < m->shard_count && !rc; i++)
        rc = get_file(json_array_get(shards, i), where, &m->shards[i]);
    if (!rc)
        rc = fn_json_member(m->json, "index", JSON_OBJECT, where, &index);
    if (!rc)
        rc = get_u64(index, "bytes", where, &m->index_bytes);
    if (!rc)
        rc = get_sum(index, "head_checksum", where, 16, sum);
    if (!rc)
        m->index_sum = strtoull(sum, NULL, 16);
    if (!rc)
        rc = fn_json_member(m->json, "rejects", JSON_OBJECT, where, &rejects);
    if (!rc)
        rc = get_file(rejects, where, &m->rejects);
    if (!rc && m->dedupe_pixels)
        rc = fn_json_member(m->json, "conflicts", JSON_OBJECT, where, &conflicts);
    return rc || !conflicts ? rc : get_file(conflicts, where, &m->conflicts_file);
}

static int get_content(struct fn_manifest *m, const char *where)
{
    json_t *content = NULL, *selection = NULL;
    const char *dedupe = NULL;
    int rc = fn_json_member(m->json, "content", JSON_OBJECT, where, &content);
    if (!rc)
        rc = get_int(content, "size", where, &m->size);
    if (!rc)
        rc = get_int(content, "quality", where, &m->quality);
    if (!rc)
        rc = fn_json_string(content, "codec", where, &m->codec);
    if (!rc)
        rc = get_u64(content, "shard_bytes", where, &m->shard_bytes);
    if (!rc)
        rc = get_u64(content, "min_images", where, &m->min_images);
    if (!rc)
        rc = fn_json_member(content, "selection", JSON_OBJECT, where, &selection);
    if (!rc && json_object_get(selection, "max_per_class"))
        rc = get_u64(selection, "max_per_class", where, &m->max_per_class);
    if (!rc && json_object_get(selection, "dedupe"))
        rc = fn_json_string(selection, "dedupe", where, &dedupe);
    m->dedupe_pixels = !rc && dedupe && strcmp(dedupe, "pixels") == 0;
    return rc;
}

/* The version comes first: a newer format may put its checksum elsewhere. */
static int get_version(struct fn_manifest *m, const char *where)
{
    const char *format = json_string_value(json_object_get(m->json, "format"));
    const json_t *version = json_object_get(m->json, "version");
    if (!format || strcmp(format, "fn-store") != 0 || !json_is_integer(version))
        return fn_fail(FN_EFORMAT, "%s is not the manifest of a store", where);
    json_int_t number = json_integer_value(version);
    if (number > FN_STORE_VERSION)
        return fn_fail(FN_EVERSION,
                       "%s is of format version %lld; this program reads up to %d: "
                       "take a newer one, or the file is damaged",
                       where, (long long)number, FN_STORE_VERSION);
    if (number < 1)
        return fn_fail(FN_EFORMAT, "%s is of format version %lld, which never was", where,
                       (long long)number);
    m->version = (int)number;
    return FN_OK;
}

int fn_manifest_parse(struct fn_manifest **out, const char *text, size_t bytes, const char *where)
{
    struct fn_manifest *m = calloc(1, sizeof *m);
    *out = m;
    if (!m)
        return fn_fail(FN_ENOMEM, "no memory for %s", where);
    int rc = fn_json_parse(text, bytes, where, &m->json);
    if (!rc)
        rc = get_version(m, where);
    if (!rc)
        rc = fn_self_sum_check(text, bytes, "content_id", where);
    if (!rc)
        rc = get_sum(m->json, "content_id", where, DIGITS, m->content_id);
    if (!rc)
        rc = get_content(m, where);
    if (!rc)
        rc = get_counts(m, where);
    if (!rc)
        rc = get_pictures(m, where);
    if (!rc)
        rc = get_files(m, where);
    m->bytes = bytes;
    if (rc)
        fn_manifest_free(out);
    return rc;
}

int fn_manifest_load(struct fn_manifest **out, const char *store)
{
    char path[FN_PATH_MAX];
    unsigned char *text = NULL;
    size_t bytes = 0;
    *out = NULL;
    fn_store_file(path, store, "manifest.json");
    int rc = fn_file_read(path, FN_MANIFEST_LIMIT, &text, &bytes);
    if (!rc)
        rc = fn_manifest_parse(out, (const char *)text, bytes, path);
    free(text);
    return rc;
}

void fn_manifest_free(struct fn_manifest **manifest)
{
    if (!*manifest)
        return;
    json_decref((*manifest)->json);
    free((*manifest)->shards);
    free(*manifest);
    *manifest = NULL;
}

const json_t *fn_manifest_content(const struct fn_manifest *manifest)
{
    return json_object_get(manifest->json, "content");
}
