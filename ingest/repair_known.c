/* SPDX-License-Identifier: MIT */
/* Manifest, provenance, index and rejects of a damaged store: whole, mended, or given up. */
#include "ingest/repair_known.h"

#include <stdlib.h>
#include <string.h>

#include "store/build.h"

#define TEXT_MENDED ((size_t)64 << 10) /* bytes: longer texts would take minutes */

static int fits(void *key, const uint8_t *text, size_t bytes)
{
    return fn_self_sum_check((const char *)text, bytes, key, "it") == FN_OK;
}

/* A JSON text with its own checksum, with one bit put right if need be. NULL: lost. */
static unsigned char *load_text(struct fn_known *known, const char *store, const char *name,
                                char *key, struct fn_mend *mend, size_t *bytes)
{
    char path[FN_PATH_MAX];
    unsigned char *text = NULL;
    fn_store_file(path, store, name);
    if (!fn_is_file(path) || fn_file_read(path, FN_MANIFEST_LIMIT, &text, bytes) != FN_OK)
        return NULL;
    if (fits(key, text, *bytes))
        return text;
    if (*bytes <= TEXT_MENDED && fn_mend_any(mend, text, *bytes, *bytes, key, fits)) {
        known->mended++;
        return text;
    }
    free(text);
    return NULL;
}

static int load_manifest(struct fn_known *known, const char *store, struct fn_mend *mend)
{
    char key[] = "content_id", path[FN_PATH_MAX];
    size_t bytes = 0;
    unsigned char *text = load_text(known, store, "manifest.json", key, mend, &bytes);
    int rc = text ? fn_manifest_parse(&known->manifest, (char *)text, bytes,
                                      fn_store_file(path, store, "manifest.json"))
                  : FN_ENOENT;
    free(text);
    return rc == FN_EVERSION || rc == FN_ENOMEM ? rc : FN_OK;
}

static void load_provenance(struct fn_known *known, const char *store, struct fn_mend *mend)
{
    char key[] = "checksum";
    size_t bytes = 0;
    unsigned char *text = load_text(known, store, "provenance.json", key, mend, &bytes);
    if (text && fn_json_parse((char *)text, bytes, "provenance.json", &known->provenance) != FN_OK)
        known->provenance = NULL;
    free(text);
}

static void load_index(struct fn_known *known, const char *store)
{
    char path[FN_PATH_MAX];
    fn_store_file(path, store, "index.bin");
    if (!fn_is_file(path) || fn_map_open(&known->index_map, path) != FN_OK ||
        fn_index_attach(&known->index, known->index_map.data, known->index_map.bytes, path) !=
            FN_OK)
        known->index = NULL;
}

struct sum_test {
    const char *want;
};

static int sum_fits(void *context, const uint8_t *at, size_t bytes)
{
    const struct sum_test *test = context;
    char digits[33];
    fn_sum128_text(fn_sum128(at, bytes), digits);
    return strcmp(digits, test->want) == 0;
}

static void load_rejects(struct fn_known *known, const char *store, struct fn_mend *mend)
{
    char path[FN_PATH_MAX];
    struct fn_map *map = &known->rejects_map;
    fn_store_file(path, store, "rejects.tsv");
    if (!fn_is_file(path) || fn_map_open(map, path) != FN_OK) {
        known->rejects_unsure = 1;
        return;
    }
    known->rejects = (struct fn_reject_lines){.data = map->data, .bytes = map->bytes};
    if (!known->manifest)
        return; /* nobody knows its checksum */
    struct sum_test test = {known->manifest->rejects.checksum};
    if (sum_fits(&test, map->data, map->bytes))
        return;
    known->rejects_unsure = 1;
    known->rejects_text = malloc(map->bytes ? map->bytes : 1);
    if (!known->rejects_text || !map->bytes)
        return;
    memcpy(known->rejects_text, map->data, map->bytes);
    if (fn_mend_any(mend, known->rejects_text, map->bytes, map->bytes, &test, sum_fits)) {
        known->rejects.data = known->rejects_text;
        known->rejects_unsure = 0;
        known->mended++;
    }
}

static uint64_t number(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));
    return value > 0 ? (uint64_t)value : 0;
}

static int compact(const json_t *value, const char *none, char **text)
{
    *text = value ? json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS) : strdup(none);
    return *text ? FN_OK : fn_fail(FN_ENOMEM, "no memory for the store's description");
}

static int fill_content(struct fn_known *known)
{
    const struct fn_manifest *m = known->manifest;
    const json_t *content =
        m ? fn_manifest_content(m) : json_object_get(known->provenance, "content");
    const json_t *selection = json_object_get(content, "selection");
    const json_t *counts = json_object_get(known->provenance, "counts");
    const char *codec = json_string_value(json_object_get(content, "codec"));
    const char *dedupe = json_string_value(json_object_get(selection, "dedupe"));
    int rc = compact(json_object_get(known->provenance, "inputs"), "[]", &known->inputs);
    if (rc || !codec)
        return rc;
    rc = compact(selection, "{}", &known->selection);
    known->have_content = 1;
    known->content =
        (struct fn_store_content){.size = (int)number(content, "size"),
                                  .codec = codec,
                                  .quality = (int)number(content, "quality"),
                                  .shard_bytes = number(content, "shard_bytes"),
                                  .min_images = number(content, "min_images"),
                                  .max_per_class = number(selection, "max_per_class"),
                                  .dedupe_pixels = dedupe && strcmp(dedupe, "pixels") == 0,
                                  .selection = known->selection,
                                  .inputs = known->inputs};
    known->rows = m ? m->rows : number(counts, "rows");
    known->skipped = m ? m->skipped : number(counts, "skipped");
    known->filtered = m ? m->filtered - m->small - m->surplus : number(counts, "filtered");
    return rc;
}

int fn_known_open(struct fn_known *known, const char *store, struct fn_mend *mend)
{
    *known = (struct fn_known){0};
    int rc = load_manifest(known, store, mend);
    if (rc)
        return rc;
    load_provenance(known, store, mend);
    load_index(known, store);
    load_rejects(known, store, mend);
    return fill_content(known);
}

void fn_known_close(struct fn_known *known)
{
    fn_manifest_free(&known->manifest);
    json_decref(known->provenance);
    fn_index_close(&known->index);
    fn_map_close(&known->index_map);
    fn_map_close(&known->rejects_map);
    fn_bytes_free(&known->rejects.detail);
    free(known->rejects_text);
    free(known->selection);
    free(known->inputs);
    *known = (struct fn_known){0};
}
