/* SPDX-License-Identifier: MIT */
/* What a build folder remembers: what was asked for, how far it is, the group under way. */
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/file.h"
#include "store/build.h"
#include "store/pages.h"

#define CONTENT_LIMIT ((size_t)64 << 20)

static int parse_or(const char *text, const char *where, json_type type, json_t **out)
{
    const char *empty = type == JSON_OBJECT ? "{}" : "[]";
    text = text ? text : empty;
    int rc = fn_json_parse(text, strlen(text), where, out);
    if (!rc && json_typeof(*out) != type) {
        json_decref(*out);
        *out = NULL;
        rc = fn_fail(FN_EUSAGE, "%s must be a JSON %s", where,
                     type == JSON_OBJECT ? "object" : "array");
    }
    return rc;
}

int fn_content_json(const struct fn_store_content *content, json_t **out)
{
    json_t *selection = NULL;
    uint64_t shard_bytes = content->shard_bytes ? content->shard_bytes : FN_SHARD_BYTES;
    int rc = parse_or(content->selection, "the selection", JSON_OBJECT, &selection);
    if (rc)
        return rc;
    int bad = 0;
    if (content->max_per_class)
        bad = json_object_set_new(selection, "max_per_class",
                                  json_integer((json_int_t)content->max_per_class));
    if (content->dedupe_pixels)
        bad = bad || json_object_set_new(selection, "dedupe", json_string("pixels"));
    if (bad) {
        json_decref(selection);
        return fn_fail(FN_ENOMEM, "no memory for the store's description");
    }
    *out =
        json_pack("{s:i, s:s, s:i, s:I, s:I, s:o}", "size", content->size, "codec", content->codec,
                  "quality", content->quality, "shard_bytes", (json_int_t)shard_bytes, "min_images",
                  (json_int_t)content->min_images, "selection", selection);
    return *out ? FN_OK : fn_fail(FN_ENOMEM, "no memory for the store's description");
}

static int differ(const char *store, const char *what, const json_t *was, const json_t *now)
{
    char *a = was ? json_dumps(was, JSON_ENCODE_ANY | JSON_SORT_KEYS) : NULL;
    char *b = now ? json_dumps(now, JSON_ENCODE_ANY | JSON_SORT_KEYS) : NULL;
    int rc = fn_fail(FN_EMISMATCH,
                     "%s was begun with %s %.200s, this run has %.200s: give the same options, "
                     "another folder, or --overwrite",
                     store, what, a ? a : "(none)", b ? b : "(none)");
    free(a);
    free(b);
    return rc;
}

int fn_content_compare(const char *store, const json_t *was, const json_t *now)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)now, key, value)
    {
        const json_t *old = json_object_get(was, key);
        if (json_equal(old, value))
            continue;
        if (strcmp(key, "selection") == 0 && json_is_object(old)) {
            const char *inner;
            json_t *chosen;
            json_object_foreach(
                value, inner,
                chosen) if (!json_equal(json_object_get(old, inner),
                                        chosen)) return differ(store, inner,
                                                               json_object_get(old, inner), chosen);
            json_object_foreach(
                (json_t *)(uintptr_t)old, inner,
                chosen) if (!json_object_get(value, inner)) return differ(store, inner, chosen,
                                                                          NULL);
        }
        return differ(store, key, old, value);
    }
    return FN_OK;
}

int fn_inputs_compare(const char *store, const json_t *was, const json_t *now)
{
    if (json_equal(was, now))
        return FN_OK;
    if (json_array_size(was) != json_array_size(now))
        return fn_fail(FN_EMISMATCH, "%s was begun with %zu inputs, this run has %zu", store,
                       json_array_size(was), json_array_size(now));
    for (size_t i = 0; i < json_array_size(now); i++)
        if (!json_equal(json_array_get(was, i), json_array_get(now, i))) {
            char what[64];
            snprintf(what, sizeof what, "input %zu being", i + 1);
            return differ(store, what, json_array_get(was, i), json_array_get(now, i));
        }
    return FN_OK;
}

int fn_build_content_write(const char *store, const struct fn_store_content *content)
{
    char path[FN_PATH_MAX];
    char *text = NULL;
    json_t *all = NULL, *inputs = NULL, *chosen = NULL;
    int rc = parse_or(content->inputs, "the list of inputs", JSON_ARRAY, &inputs);
    if (!rc)
        rc = fn_content_json(content, &chosen);
    if (rc)
        goto out;
    all = json_pack("{s:i, s:O, s:O}", "version", FN_STORE_VERSION, "content", chosen, "inputs",
                    inputs);
    json_t *command =
        content->command ? fn_json_bytes(content->command, strlen(content->command)) : NULL;
    if (!all || (content->command && json_object_set_new(all, "command", command) != 0) ||
        !(text = fn_json_text(all))) {
        rc = fn_fail(FN_ENOMEM, "no memory for the store's description");
        goto out;
    }
    rc = fn_file_write(fn_build_file(path, store, "content.json"), text, strlen(text));
out:
    free(text);
    json_decref(all);
    json_decref(inputs);
    json_decref(chosen);
    return rc;
}

int fn_build_content_load(const char *store, json_t **out)
{
    char path[FN_PATH_MAX];
    json_t *member;
    int64_t version = 0;
    *out = NULL;
    fn_build_file(path, store, "content.json");
    int rc = fn_json_load(path, CONTENT_LIMIT, out);
    if (!rc)
        rc = fn_json_int(*out, "version", path, &version);
    if (!rc && version != FN_STORE_VERSION)
        rc = fn_fail(FN_EVERSION, "%s was begun by another version (format %lld, this one has %d)",
                     store, (long long)version, FN_STORE_VERSION);
    if (!rc)
        rc = fn_json_member(*out, "content", JSON_OBJECT, path, &member);
    if (!rc)
        rc = fn_json_member(*out, "inputs", JSON_ARRAY, path, &member);
    if (rc) {
        json_decref(*out);
        *out = NULL;
    }
    return rc;
}

static_assert(FN_REJECT_COUNT <= FN_STATE_REASONS, "the journal has room for all reasons");

void fn_state_start(struct fn_build_state *state)
{
    *state = (struct fn_build_state){0};
    memcpy(state->magic, FN_STATE_MAGIC, sizeof state->magic);
}

void fn_state_counts(const struct fn_build_state *state, struct fn_writer_counts *counts)
{
    *counts = (struct fn_writer_counts){.rows = state->rows,
                                        .records = state->records,
                                        .skipped = state->skipped,
                                        .filtered = state->filtered,
                                        .payload_bytes = state->payload_bytes,
                                        .warned = state->warned};
    for (int i = 1; i < FN_REJECT_COUNT; i++) {
        counts->rejected[i] = state->rejected[i];
        counts->rejected[0] += state->rejected[i];
    }
}

uint64_t fn_state_values_bytes(const struct fn_build_state *state)
{
    return FN_PAGES_HEAD + state->shard_bytes +
           FN_PAGES_NODE_HEAD * (state->groups - state->first_group);
}

void fn_state_position(const struct fn_build_state *state, struct fn_position *pos)
{
    *pos = (struct fn_position){.input = (uint32_t)state->input,
                                .line = state->line,
                                .offset = state->offset,
                                .next = state->next};
}

static uint64_t state_sum(const struct fn_build_state *state)
{
    return XXH3_64bits(state, offsetof(struct fn_build_state, checksum));
}

int fn_state_put(struct fn_build_db *db, struct fn_build_state *state)
{
    uint8_t *value;
    state->checksum = state_sum(state);
    int rc = fn_build_db_put(db, FN_TABLE_JOURNAL, FN_JOURNAL_STATE, sizeof *state, &value);
    if (!rc)
        memcpy(value, state, sizeof *state);
    return rc;
}

int fn_state_get(struct fn_build_db *db, const char *path, struct fn_build_state *state)
{
    const uint8_t *value;
    size_t bytes;
    int rc = fn_build_db_get(db, FN_TABLE_JOURNAL, FN_JOURNAL_STATE, &value, &bytes);
    if (!rc && bytes != sizeof *state)
        rc = fn_fail(FN_EVERSION, "%s: its journal is of another version", path);
    if (!rc) {
        memcpy(state, value, sizeof *state);
        if (memcmp(state->magic, FN_STATE_MAGIC, sizeof state->magic) != 0 ||
            state->checksum != state_sum(state))
            rc = fn_fail(FN_ECORRUPT, "%s: its journal is damaged", path);
    }
    fn_build_db_end(db);
    return rc;
}

int fn_open_group_put(struct fn_build_db *db, const struct fn_group *group)
{
    uint8_t *value;
    uint64_t count = group->count;
    size_t table = group->count * sizeof *group->table;
    int rc = fn_build_db_put(db, FN_TABLE_JOURNAL, FN_JOURNAL_OPEN_GROUP,
                             sizeof count + table + group->records.bytes, &value);
    if (rc)
        return rc;
    memcpy(value, &count, sizeof count);
    if (count) {
        memcpy(value + sizeof count, group->table, table);
        memcpy(value + sizeof count + table, group->records.data, group->records.bytes);
    }
    return FN_OK;
}

static int load_records(struct fn_group *group, const uint8_t *value, size_t bytes, uint64_t count)
{
    size_t table = (size_t)count * sizeof *group->table;
    int rc = fn_bytes_reserve(&group->records, bytes - table + 1);
    if (rc)
        return rc;
    struct fn_group_entry *entries = realloc(group->table, table ? table : 1);
    if (!entries)
        return fn_fail(FN_ENOMEM, "no memory for the open group");
    group->table = entries;
    group->cap = group->count = (size_t)count;
    group->records.bytes = bytes - table;
    memcpy(entries, value, table);
    memcpy(group->records.data, value + table, bytes - table);
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        struct fn_record rec;
        size_t size = 0;
        if (entries[i].where != at)
            return fn_fail(FN_ECORRUPT, "record %zu is not in its place", i);
        if ((rc =
                 fn_record_check(group->records.data + at, group->records.bytes - at, &rec, &size)))
            return rc;
        at += size;
    }
    return at == group->records.bytes ? FN_OK
                                      : fn_fail(FN_ECORRUPT, "there is more than its records");
}

int fn_open_group_get(struct fn_build_db *db, const char *path, struct fn_group *group)
{
    const uint8_t *value;
    size_t bytes;
    uint64_t count;
    fn_group_clear(group);
    int rc = fn_build_db_get(db, FN_TABLE_JOURNAL, FN_JOURNAL_OPEN_GROUP, &value, &bytes);
    if (rc == FN_ENOENT)
        rc = fn_fail(FN_ECORRUPT, "it is missing");
    if (!rc && bytes < sizeof count)
        rc = fn_fail(FN_ECORRUPT, "it has %zu bytes", bytes);
    if (!rc) {
        memcpy(&count, value, sizeof count);
        bytes -= sizeof count;
        rc = count > bytes / sizeof *group->table
                 ? fn_fail(FN_ECORRUPT, "it claims %llu records", (unsigned long long)count)
                 : load_records(group, value + sizeof count, bytes, count);
    }
    fn_build_db_end(db);
    return fn_fail_in(rc, "%s: the unfinished group", path);
}
