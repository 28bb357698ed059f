/* SPDX-License-Identifier: MIT */
/* Opening a writer: a new folder, one to go on with, one that is sealed already, one to replace. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "store/manifest.h"
#include "store/writer_internal.h"

static int is_sealed(const char *store)
{
    char path[FN_PATH_MAX];
    return fn_is_file(fn_store_file(path, store, "manifest.json"));
}

static int has_build(const char *store)
{
    char path[FN_PATH_MAX];
    return fn_is_dir(fn_store_file(path, store, "build"));
}

/* A sealed store: the same content is FN_EEXIST (nothing to do), another FN_EMISMATCH. */
static int compare_sealed(const char *store, const struct fn_store_content *content)
{
    struct fn_manifest *manifest = NULL;
    json_t *now = NULL, *inputs = NULL, *was_inputs = NULL;
    int rc = fn_manifest_load(&manifest, store);
    if (!rc)
        rc = fn_content_json(content, &now);
    if (!rc)
        rc = fn_content_compare(store, fn_manifest_content(manifest), now);
    if (!rc && content->inputs)
        rc = fn_json_parse(content->inputs, strlen(content->inputs), "the list of inputs", &inputs);
    /* Without its provenance a store still has all its content: nothing to compare inputs with. */
    if (!rc && inputs && fn_provenance_inputs(store, &was_inputs) == FN_OK)
        rc = fn_inputs_compare(store, was_inputs, inputs);
    if (!rc)
        rc = fn_fail(FN_EEXIST, "%s is sealed already, with this content", store);
    json_decref(now);
    json_decref(inputs);
    json_decref(was_inputs);
    fn_manifest_free(&manifest);
    return rc;
}

static int make_build(const char *store)
{
    char path[FN_PATH_MAX];
    fn_store_file(path, store, "build");
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        return fn_fail_errno("cannot create %s", path);
    return fn_fsync_dir(store);
}

/* Out with what is there. The marker says so until it is gone: a run that is killed in the middle
 * is continued by the next, whatever its options, and nothing but --overwrite ever removes a store.
 */
static int replace(const char *store)
{
    char marker[FN_PATH_MAX];
    int rc = fn_build_empty(store);
    if (!rc)
        rc = fn_file_write(fn_build_file(marker, store, "replacing"), "", 0);
    if (!rc)
        rc = fn_store_files_remove(store);
    return rc ? rc : fn_build_empty(store);
}

static int compare_begun(const char *store, const struct fn_store_content *content)
{
    json_t *was = NULL, *now = NULL, *inputs = NULL;
    int rc = fn_build_content_load(store, &was);
    if (!rc)
        rc = fn_content_json(content, &now);
    if (!rc)
        rc = fn_content_compare(store, json_object_get(was, "content"), now);
    if (!rc && content->inputs)
        rc = fn_json_parse(content->inputs, strlen(content->inputs), "the list of inputs", &inputs);
    if (!rc && inputs)
        rc = fn_inputs_compare(store, json_object_get(was, "inputs"), inputs);
    json_decref(was);
    json_decref(now);
    json_decref(inputs);
    return rc;
}

/* Under the lock: what stands there decides. */
static int settle_folder(const char *store, const struct fn_store_content *content, int overwrite)
{
    char path[FN_PATH_MAX];
    int rc = fn_store_names_check(store);
    if (!rc && (overwrite || fn_is_file(fn_build_file(path, store, "replacing"))))
        rc = replace(store);
    if (rc)
        return rc;
    if (is_sealed(store)) { /* what its sealing left behind goes */
        rc = fn_build_remove(store);
        return rc ? rc : compare_sealed(store, content);
    }
    if (fn_is_file(fn_build_file(path, store, "content.json")))
        return compare_begun(store, content);
    if (fn_store_files_any(store))
        return fn_fail(
            FN_EFORMAT,
            "%s has shards but no manifest.json: a damaged store; restore the file, take "
            "another folder, or replace the store with --overwrite",
            store);
    return fn_build_content_write(store, content);
}

static int resume(struct fn_writer *w)
{
    char path[FN_PATH_MAX];
    int rc = fn_build_resume(w->path, 0, &w->db, &w->state);
    if (rc == FN_ENOENT) {
        fn_state_start(&w->state);
        return fn_writer_begin_shard(w);
    }
    /* Behind the last row there is nothing to write: the file may have its sealed form and name. */
    if (!rc && !w->state.ended)
        rc = fn_values_open(&w->values, fn_values_file(path, w->path, w->state.shard),
                            fn_state_values_bytes(&w->state));
    if (!rc)
        rc = fn_open_group_get(w->db, fn_build_shard_file(path, w->path, w->state.shard), &w->open);
    return rc;
}

int fn_writer_open(struct fn_writer **writer, const char *path,
                   const struct fn_store_content *content, int overwrite, struct fn_position *from,
                   struct fn_writer_counts *counts)
{
    *writer = NULL;
    int rc = fn_path_check(path);
    if (!rc && is_sealed(path) && !overwrite && !has_build(path))
        return compare_sealed(path, content);
    struct fn_writer *w = rc ? NULL : calloc(1, sizeof *w);
    if (!w)
        return rc ? rc : fn_fail(FN_ENOMEM, "no memory to write %s", path);
    w->lock = -1;
    w->path = strdup(path);
    w->shard_bytes = content->shard_bytes ? content->shard_bytes : FN_SHARD_BYTES;
    w->choice = (struct fn_choice){.min_images = content->min_images,
                                   .max_per_class = content->max_per_class,
                                   .dedupe_pixels = content->dedupe_pixels};
    w->committed_at = fn_now();
    if (!w->path)
        rc = fn_fail(FN_ENOMEM, "no memory to write %s", path);
    if (!rc)
        rc = fn_mkdir_p(path);
    if (!rc)
        rc = fn_store_names_check(path); /* before anything is put into a folder of somebody else */
    if (!rc)
        rc = make_build(path);
    if (!rc)
        rc = fn_build_lock(path, 0, &w->lock);
    if (!rc)
        rc = settle_folder(path, content, overwrite);
    if (!rc)
        rc = resume(w);
    if (rc) {
        fn_writer_close(&w);
        return rc;
    }
    fn_state_counts(&w->state, &w->counts);
    fn_state_position(&w->state, from);
    *counts = w->counts;
    *writer = w;
    return FN_OK;
}

void fn_writer_close(struct fn_writer **writer)
{
    struct fn_writer *w = *writer;
    if (!w)
        return;
    fn_ahead_end(&w->ahead, 1);
    fn_build_db_close(&w->db);
    fn_values_close(&w->values);
    fn_group_free(&w->open);
    fn_bytes_free(&w->rejects);
    fn_bytes_free(&w->choice.lost);
    if (w->lock >= 0)
        close(w->lock);
    free(w->path);
    free(w);
    *writer = NULL;
}
