/* SPDX-License-Identifier: MIT */
/* The store of a run. Where --data_path names a folder of pictures, as it does for the original, a
 * store is made of it once, by fn-ingest, and found again by every later run. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "base/file.h"
#include "base/log.h"
#include "store/look.h"
#include "train/ingest_child.h"
#include "train/run_parts.h"

static int look_for_store(const char *path, int *is_store)
{
    char *manifest = fn_path_join(path, "manifest.json");
    *is_store = manifest && fn_is_file(manifest);
    free(manifest);
    return manifest ? FN_OK : FN_ENOMEM;
}

/* <work_dir>/stores/<name>-<hash>, or the same beside the models: a tree, by its place, has one
 * store. malloc'd; NULL with a sentence. */
static char *store_of_tree(const struct fn_train_options *o, const char *tree)
{
    char *real = realpath(tree, NULL), *base, *stores = NULL, *path = NULL, name[340];
    const char *last;
    if (!real) {
        fn_fail_errno("%s", tree);
        return NULL;
    }
    last = strrchr(real, '/') + 1;
    snprintf(name, sizeof name, "%.255s-%016llx", *last ? last : "root",
             (unsigned long long)XXH3_64bits(real, strlen(real)));
    base = fn_train_options_given("work_dir") ? fn_path_home(o->work_dir)
                                              : fn_path_under(o->output_dir, o->models_base_dir);
    if (base)
        stores = fn_path_join(base, "stores");
    if (stores)
        path = fn_path_join(stores, name);
    free(real);
    free(base);
    free(stores);
    return path;
}

/* The tree's own folder, or one of its classes, was written to after the store was complete. */
static int changed_since(const char *tree, const char *store)
{
    char *manifest = fn_path_join(store, "manifest.json");
    struct stat made, now;
    const struct dirent *e;
    int changed = 0;
    DIR *dir = opendir(tree);
    if (manifest && dir && stat(manifest, &made) == 0)
        while (!changed && (e = readdir(dir)))
            changed = strcmp(e->d_name, "..") != 0 &&
                      fstatat(dirfd(dir), e->d_name, &now, 0) == 0 && S_ISDIR(now.st_mode) &&
                      now.st_mtime > made.st_mtime;
    if (dir)
        closedir(dir);
    free(manifest);
    return changed;
}

/* *path: a tree; becomes the path of its store, made here if it is not there. */
static int use_tree(const struct fn_run *r, char **path)
{
    char *store = store_of_tree(r->o, *path), *slash;
    int rc = store ? FN_OK : FN_ENOMEM, is_store = 0;
    if (!rc)
        rc = look_for_store(store, &is_store);
    if (!rc && is_store) {
        fn_info("%s is a folder of pictures: its store is there, %s", *path, store);
        if (changed_since(*path, store))
            fn_warn("%s was changed after its store was made: remove %s, and it is made anew",
                    *path, store);
    } else if (!rc) {
        fn_info("%s is a folder of pictures: a store is made of it, once, in %s", *path, store);
        slash = strrchr(store, '/');
        *slash = 0;
        rc = fn_mkdir_p(store);
        *slash = '/';
        if (!rc)
            rc = fn_ingest_child(*path, store, &r->o->common);
    }
    if (!rc)
        rc = fn_train_options_set_store(store); /* where a resumed run finds it, from anywhere */
    free(*path);
    *path = store;
    return rc;
}

int fn_run_store_open(struct fn_run *r)
{
    const struct fn_train_options *o = r->o;
    char *path = fn_train_options_data();
    const struct fn_store_info *info;
    int rc = path ? FN_OK : FN_ENOMEM, is_store = 0;
    if (!rc)
        rc = look_for_store(path, &is_store);
    if (!rc && fn_is_dir(path) && !is_store && !fn_is_unsealed(path)) {
        if (!o->store)
            rc = use_tree(r, &path);
        else
            rc = fn_fail(FN_EFORMAT,
                         "%s is a folder, but no store: 'fn-ingest --store db %s' makes one of its "
                         "pictures; then give --store db",
                         path, path);
    }
    if (!rc)
        rc = fn_store_open(&r->store, path);
    free(path);
    if (rc)
        return rc;
    info = fn_store_get_info(r->store);
    fn_info("Store: %s, %llu pictures of %lu classes, content %s", info->path,
            (unsigned long long)info->records, (unsigned long)info->classes, info->content_id);
    if (!info->records || (info->min_w >= o->image_size && info->min_h >= o->image_size))
        return FN_OK;
    if (o->random_crop)
        return fn_fail(FN_EMISMATCH,
                       "%s has pictures of %d x %d: too small for random crops of %lld; give a "
                       "smaller --image_size, or leave out --random_crop",
                       info->path, info->min_w, info->min_h, (long long)o->image_size);
    fn_warn(
        "%s has pictures of %d x %d: smaller than --image_size %lld, so black is put around them",
        info->path, info->min_w, info->min_h, (long long)o->image_size);
    return FN_OK;
}
