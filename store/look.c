/* SPDX-License-Identifier: MIT */
/* A store under construction, seen from outside. */
#include "store/look.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "store/build.h"
#include "store/part.h"

struct fn_look {
    char *store;
    int lock;
    json_t *begun;
    struct fn_look_info info;
};

int fn_is_unsealed(const char *store)
{
    char path[FN_PATH_MAX];
    return fn_path_check(store) == FN_OK &&
           !fn_is_file(fn_store_file(path, store, "manifest.json")) &&
           fn_is_file(fn_build_file(path, store, "content.json"));
}

static uint64_t folder_bytes(const char *folder)
{
    char path[FN_PATH_MAX];
    uint64_t bytes = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        struct stat st;
        if (stat(fn_store_file(path, folder, entry->d_name), &st) == 0 && S_ISREG(st.st_mode))
            bytes += (uint64_t)st.st_size;
    }
    if (dir)
        closedir(dir);
    return bytes;
}

static void fill_info(struct fn_look *look, const struct fn_build_state *state)
{
    char path[FN_PATH_MAX];
    struct fn_look_info *info = &look->info;
    const json_t *content = json_object_get(look->begun, "content");
    fn_state_counts(state, &info->counts);
    fn_state_position(state, &info->position);
    info->shards = state->groups ? state->shard + 1 : 0;
    info->ended = (int)state->ended;
    info->size = (int)json_integer_value(json_object_get(content, "size"));
    info->quality = (int)json_integer_value(json_object_get(content, "quality"));
    info->codec = json_string_value(json_object_get(content, "codec"));
    info->codec = info->codec ? info->codec : "?";
    info->command = json_string_value(json_object_get(look->begun, "command"));
    info->command = info->command ? info->command : "the same fn-ingest command";
    info->disk_bytes =
        folder_bytes(look->store) + folder_bytes(fn_store_file(path, look->store, "build"));
}

int fn_look_open(struct fn_look **out, const char *store)
{
    struct fn_build_db *db = NULL;
    struct fn_build_state state;
    struct fn_look *look = calloc(1, sizeof *look);
    *out = look;
    if (!look)
        return fn_fail(FN_ENOMEM, "no memory to look into %s", store);
    look->lock = -1;
    look->store = strdup(store);
    int rc = look->store ? FN_OK : fn_fail(FN_ENOMEM, "no memory to look into %s", store);
    if (!rc)
        rc = fn_build_lock(store, 1, &look->lock);
    if (!rc)
        rc = fn_build_content_load(store, &look->begun);
    if (!rc) {
        rc = fn_build_resume(store, 1, &db, &state);
        fn_build_db_close(&db);
        if (rc == FN_ENOENT) { /* begun, nothing committed */
            fn_state_start(&state);
            rc = FN_OK;
        }
    }
    if (rc)
        fn_look_close(out);
    else
        fill_info(look, &state);
    return rc;
}

void fn_look_close(struct fn_look **out)
{
    struct fn_look *look = *out;
    if (!look)
        return;
    if (look->lock >= 0)
        close(look->lock);
    json_decref(look->begun);
    free(look->store);
    free(look);
    *out = NULL;
}

const struct fn_look_info *fn_look_get_info(const struct fn_look *look)
{
    return &look->info;
}

struct visit {
    void *context;
    int (*visit)(void *context, const struct fn_reject *reject);
};

static int visit_packed(void *context, uint64_t key, const uint8_t *packed, size_t bytes)
{
    const struct visit *v = context;
    struct fn_reject reject;
    (void)key;
    int rc = fn_reject_unpack(packed, bytes, &reject);
    return rc ? rc : v->visit(v->context, &reject);
}

/* Of a shard that grows, from its journal; of one that is sealed, from its part. */
static int visit_shard(const char *store, uint64_t shard, struct visit *v)
{
    char path[FN_PATH_MAX];
    struct fn_build_db *db = NULL;
    struct fn_part part;
    const uint8_t *packed;
    size_t bytes;
    int rc;
    if (fn_is_file(fn_build_shard_file(path, store, shard))) {
        rc = fn_build_db_open(&db, path, 1);
        if (!rc)
            rc = fn_build_db_walk(db, FN_TABLE_REJECTS, v, visit_packed);
        fn_build_db_close(&db);
        return rc;
    }
    rc = fn_part_open(&part, fn_part_file(path, store, shard));
    if (rc)
        return rc;
    part.at = part.facts.records_bytes;
    while (!rc && fn_part_next_reject(&part, &packed, &bytes) == FN_OK)
        rc = visit_packed(v, 0, packed, bytes);
    fn_part_close(&part);
    return rc;
}

int fn_look_rejects(struct fn_look *look, void *context,
                    int (*visit)(void *context, const struct fn_reject *reject))
{
    struct visit v = {context, visit};
    struct fn_build_db *db = NULL;
    struct fn_build_state state;
    int rc = fn_build_resume(look->store, 1, &db, &state);
    fn_build_db_close(&db);
    if (rc)
        return rc == FN_ENOENT ? FN_OK : rc;
    for (uint64_t i = 0; i <= state.shard && !rc; i++)
        rc = visit_shard(look->store, i, &v);
    return rc;
}
