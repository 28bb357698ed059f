/* SPDX-License-Identifier: MIT */
/* Opening a store and getting records out of it. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "store/build.h"
#include "store/reader_internal.h"

/* The folder is not a sealed store: say what it is, and what to do. */
static int not_sealed(const char *path)
{
    char text[FN_PATH_MAX];
    json_t *begun = NULL;
    if (!fn_is_dir(path))
        return fn_fail(FN_ENOENT, "there is no store %s: no such folder", path);
    if (!fn_is_file(fn_build_file(text, path, "content.json"))) {
        if (fn_store_files_any(path))
            return fn_fail(FN_ECORRUPT, "%s has no manifest.json: the store is damaged", path);
        return fn_fail(FN_EFORMAT, "%s is not a store: it has no manifest.json", path);
    }
    const char *command = NULL;
    int lock = -1, rc = fn_build_lock(path, 1, &lock);
    if (lock >= 0)
        close(lock);
    if (rc == FN_EBUSY)
        return rc;
    if (fn_build_content_load(path, &begun) == FN_OK)
        command = json_string_value(json_object_get(begun, "command"));
    rc = fn_fail(FN_EFORMAT, "%s is not finished; run this to go on where it stopped: %s", path,
                 command ? command : "the same fn-ingest command");
    json_decref(begun);
    return rc;
}

static int check_size(const char *path, uint64_t want)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return fn_fail(FN_ECORRUPT, "%s is missing", path);
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != want)
        return fn_fail(FN_ECORRUPT, "%s has %lld bytes, should have %llu", path,
                       (long long)st.st_size, (unsigned long long)want);
    return FN_OK;
}

static int check_sizes(struct fn_store *store)
{
    char path[FN_PATH_MAX];
    const struct fn_manifest *m = store->manifest;
    int rc = check_size(fn_store_file(path, store->path, "index.bin"), m->index_bytes);
    if (!rc)
        rc = check_size(fn_store_file(path, store->path, "rejects.tsv"), m->rejects.bytes);
    if (!rc && m->dedupe_pixels)
        rc = check_size(fn_store_file(path, store->path, "conflicts.tsv"), m->conflicts_file.bytes);
    for (uint64_t i = 0; i < m->shard_count && !rc; i++)
        rc = check_size(fn_shard_file(path, store->path, i), m->shards[i].bytes);
    return rc;
}

/* Index and manifest tell of the same store; the shards follow each other without a gap. */
static int check_agreement(struct fn_store *store)
{
    const struct fn_manifest *m = store->manifest;
    const struct fn_index_head *head = fn_index_get_head(store->index);
    uint64_t group = 0;
    if (head->records != m->records || head->classes != m->classes || head->groups != m->groups ||
        head->shards != m->shard_count)
        return fn_fail(FN_ECORRUPT, "%s: index.bin and manifest.json contradict each other",
                       store->path);
    for (uint64_t i = 0; i < m->shard_count; i++) {
        struct fn_shard_slot *slot = &store->shards[i];
        int rc = fn_index_shard(store->index, i, &slot->facts);
        if (rc)
            return rc;
        if (slot->facts.first_group != group || slot->facts.file_bytes != m->shards[i].bytes)
            return fn_fail(FN_ECORRUPT, "%s: index.bin and manifest.json disagree about shard %llu",
                           store->path, (unsigned long long)i);
        group += slot->facts.groups;
    }
    return group == m->groups
               ? FN_OK
               : fn_fail(FN_ECORRUPT, "%s: groups are missing from the index", store->path);
}

static void fill_info(struct fn_store *store)
{
    const struct fn_manifest *m = store->manifest;
    struct fn_store_info *info = &store->info;
    *info = (struct fn_store_info){.path = store->path,
                                   .format_version = m->version,
                                   .size = m->size,
                                   .min_w = m->min_w,
                                   .min_h = m->min_h,
                                   .max_w = m->max_w,
                                   .max_h = m->max_h,
                                   .codec = m->codec,
                                   .quality = m->quality,
                                   .shard_bytes = m->shard_bytes,
                                   .min_images = m->min_images,
                                   .records = m->records,
                                   .classes = m->classes,
                                   .shards = (uint32_t)m->shard_count,
                                   .payload_bytes = m->payload_bytes,
                                   .rows = m->rows,
                                   .duplicates = m->duplicates,
                                   .skipped = m->skipped,
                                   .filtered = m->filtered,
                                   .rejected = m->rejected[0]};
    memcpy(info->content_id, m->content_id, sizeof info->content_id);
    info->store_bytes = m->bytes + m->index_bytes + m->rejects.bytes + m->conflicts_file.bytes;
    for (uint64_t i = 0; i < m->shard_count; i++)
        info->store_bytes += m->shards[i].bytes;
}

int fn_store_open(struct fn_store **out, const char *path)
{
    return fn_store_open_as(out, path, 1);
}

int fn_store_open_as(struct fn_store **out, const char *path, int whole)
{
    char file[FN_PATH_MAX];
    *out = NULL;
    int rc = fn_path_check(path);
    if (rc)
        return rc;
    if (!fn_is_file(fn_store_file(file, path, "manifest.json")))
        return not_sealed(path);
    struct fn_store *store = calloc(1, sizeof *store);
    if (!store)
        return fn_fail(FN_ENOMEM, "no memory to open %s", path);
    pthread_mutex_init(&store->lock, NULL);
    store->path = strdup(path);
    rc = store->path ? fn_manifest_load(&store->manifest, path)
                     : fn_fail(FN_ENOMEM, "no memory to open %s", path);
    if (!rc && whole)
        rc = check_sizes(store);
    if (!rc)
        rc = fn_index_open(&store->index, fn_store_file(file, path, "index.bin"),
                           store->manifest->index_bytes, store->manifest->index_sum);
    if (!rc) {
        uint64_t count = store->manifest->shard_count;
        store->shards = calloc(count ? count : 1, sizeof *store->shards);
        rc = store->shards ? check_agreement(store)
                           : fn_fail(FN_ENOMEM, "no memory to open %s", path);
    }
    if (rc) {
        fn_store_close(&store);
        return rc;
    }
    fill_info(store);
    *out = store;
    return FN_OK;
}

void fn_store_close(struct fn_store **out)
{
    struct fn_store *store = *out;
    if (!store)
        return;
    for (uint64_t i = 0; store->shards && i < store->manifest->shard_count; i++) {
        struct fn_shard *shard = atomic_load(&store->shards[i].shard);
        fn_shard_close(&shard);
    }
    free(store->shards);
    fn_index_close(&store->index);
    fn_manifest_free(&store->manifest);
    pthread_mutex_destroy(&store->lock);
    free(store->path);
    free(store);
    *out = NULL;
}

const struct fn_manifest *fn_store_manifest(const struct fn_store *store)
{
    return store->manifest;
}

const struct fn_store_info *fn_store_get_info(const struct fn_store *store)
{
    return &store->info;
}

int fn_store_class_name(const struct fn_store *store, uint32_t label, const char **name)
{
    size_t bytes;
    return fn_index_class_name(store->index, label, name, &bytes);
}

int fn_store_class_find(const struct fn_store *store, const char *name, uint32_t *label)
{
    return fn_index_class_find(store->index, name, strlen(name), label);
}

int fn_store_label(const struct fn_store *store, uint64_t id, uint32_t *label)
{
    return fn_index_label(store->index, id, label);
}

int fn_store_members(const struct fn_store *store, uint32_t label, const uint64_t **ids,
                     uint64_t *count)
{
    return fn_index_members(store->index, label, ids, count);
}

int fn_store_shard(struct fn_store *store, uint64_t number, struct fn_shard **shard)
{
    struct fn_shard_slot *slot = &store->shards[number];
    char path[FN_PATH_MAX];
    int rc = FN_OK;
    *shard = atomic_load_explicit(&slot->shard, memory_order_acquire);
    if (*shard)
        return FN_OK;
    pthread_mutex_lock(&store->lock);
    *shard = atomic_load_explicit(&slot->shard, memory_order_relaxed);
    if (!*shard) {
        rc = fn_shard_open(shard, fn_shard_file(path, store->path, number), &slot->facts);
        atomic_store_explicit(&slot->shard, *shard, memory_order_release);
    }
    pthread_mutex_unlock(&store->lock);
    return rc;
}

uint64_t fn_store_shard_of(const struct fn_store *store, uint64_t group)
{
    uint64_t low = 0,
             high = store->manifest->shard_count; /* the last that starts at or before it */
    while (low + 1 < high) {
        uint64_t middle = low + (high - low) / 2;
        if (store->shards[middle].facts.first_group <= group)
            low = middle;
        else
            high = middle;
    }
    return low;
}
