/* SPDX-License-Identifier: MIT */
/* Stores, trees, folders and files as one numbered list of pictures. */
#include "train/embed_inputs.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

/* Takes the path. */
static int add_path(struct fn_embed_inputs *in, char *path)
{
    if (!path)
        return fn_fail(FN_ENOMEM, "no memory for a path");
    if (in->count == in->cap) {
        size_t cap = in->cap ? in->cap * 2 : 256;
        char **more = realloc(in->paths, cap * sizeof *more);
        if (!more) {
            free(path);
            return fn_fail(FN_ENOMEM, "no memory for %zu paths", cap);
        }
        in->paths = more;
        in->cap = cap;
    }
    in->paths[in->count++] = path;
    return FN_OK;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Pictures directly in a folder, by name. */
static int add_flat(struct fn_embed_inputs *in, const char *folder)
{
    DIR *dir = opendir(folder);
    size_t first = in->count;
    int rc = FN_OK;
    if (!dir)
        return fn_fail_errno("cannot list %s", folder);
    for (const struct dirent *e = readdir(dir); e && !rc; e = readdir(dir))
        if (e->d_name[0] != '.' && fn_picture_ending(e->d_name, strlen(e->d_name)))
            rc = add_path(in, fn_path_join(folder, e->d_name));
    closedir(dir);
    if (in->count > first)
        qsort(in->paths + first, in->count - first, sizeof *in->paths, by_bytes);
    return rc;
}

static int add_folder(struct fn_embed_inputs *in, const char *folder)
{
    struct fn_tree *tree = NULL;
    size_t first = in->count;
    int rc = fn_tree_open(&tree, folder);
    for (size_t i = 0; !rc && i < tree->file_count; i++)
        rc = add_path(in, fn_path_join(folder, tree->files[i].path));
    fn_tree_close(&tree);
    if (!rc && in->count == first)
        rc = add_flat(in, folder);
    if (!rc && in->count == first)
        rc = fn_fail(FN_ENOENT, "%s: no picture (.jpg, .jpeg or .png) in it", folder);
    return rc;
}

static int open_files(struct fn_embed_inputs *in, const char *const *operands, size_t count,
                      const char *boxes, int size)
{
    int rc = boxes ? fn_boxes_open(&in->boxes, boxes) : FN_OK;
    for (size_t i = 0; i < count && !rc; i++) {
        if (fn_is_dir(operands[i]))
            rc = add_folder(in, operands[i]);
        else if (fn_is_file(operands[i]))
            rc = add_path(in, strdup(operands[i]));
        else
            rc = fn_fail(FN_ENOENT, "no such file or folder: %s", operands[i]);
    }
    if (rc)
        return rc;
    return fn_source_files(&in->source, NULL, (const char *const *)in->paths, in->count, in->boxes,
                           size);
}

static int open_store(struct fn_embed_inputs *in, const char *path)
{
    int rc = fn_store_open(&in->store, path);
    if (!rc)
        rc = fn_reader_open(&in->reader, in->store);
    if (!rc)
        rc = fn_source_store(&in->source, in->store);
    if (!rc)
        in->count = fn_source_count(in->source);
    if (!rc && !in->count)
        rc = fn_fail(FN_ENOENT, "%s: no record in it", path);
    return rc;
}

int fn_embed_inputs_open(struct fn_embed_inputs *in, const char *store, const char *const *operands,
                         size_t count, const char *boxes, int size)
{
    int rc;
    memset(in, 0, sizeof *in);
    rc = store ? open_store(in, store) : open_files(in, operands, count, boxes, size);
    if (rc)
        fn_embed_inputs_close(in);
    return rc;
}

void fn_embed_inputs_close(struct fn_embed_inputs *in)
{
    fn_source_close(&in->source);
    fn_reader_close(&in->reader);
    fn_store_close(&in->store);
    fn_boxes_close(&in->boxes);
    for (size_t i = 0; in->paths && i < in->count; i++)
        free(in->paths[i]);
    free(in->paths);
    memset(in, 0, sizeof *in);
}

/* "x/class/name.png" -> class, name. A bare file name has class "". */
static void split_path(const char *path, struct fn_input_name *out)
{
    const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
    const char *folder = slash ? slash : path;
    while (folder > path && folder[-1] != '/')
        folder--;
    out->class_name = folder;
    out->class_bytes = slash ? (size_t)(slash - folder) : 0;
    out->name = file;
    out->name_bytes = strlen(file) - fn_picture_ending(file, strlen(file));
}

int fn_embed_inputs_name(struct fn_embed_inputs *in, uint64_t id, struct fn_input_name *out)
{
    struct fn_record rec;
    int rc;
    if (!in->store) {
        split_path(in->paths[id], out);
        return FN_OK;
    }
    rc = fn_reader_peek(in->reader, id, &rec);
    if (!rc)
        *out = (struct fn_input_name){rec.class_name, rec.name, rec.class_bytes, rec.name_bytes};
    return rc;
}

/* ---- classes -------------------------------------------------------------------------------- */
struct class_key {
    const char *name;
    size_t bytes, id;
};

static int by_class(const void *a, const void *b)
{
    const struct class_key *x = a, *y = b;
    size_t least = x->bytes < y->bytes ? x->bytes : y->bytes;
    int order = memcmp(x->name, y->name, least);
    return order ? order : (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

static int label_files(const struct fn_embed_inputs *in, uint32_t *labels, uint32_t *classes)
{
    size_t count = (size_t)in->count;
    struct class_key *keys = malloc(count * sizeof *keys);
    if (!keys)
        return fn_fail(FN_ENOMEM, "no memory for the classes of %zu pictures", count);
    for (size_t i = 0; i < count; i++) {
        struct fn_input_name name;
        split_path(in->paths[i], &name);
        keys[i] = (struct class_key){name.class_name, name.class_bytes, i};
    }
    qsort(keys, count, sizeof *keys, by_class);
    *classes = 0;
    for (size_t i = 0; i < count; i++) {
        *classes += i == 0 || by_class(&keys[i - 1], &keys[i]) != 0;
        labels[keys[i].id] = *classes - 1;
    }
    free(keys);
    return FN_OK;
}

int fn_embed_inputs_labels(struct fn_embed_inputs *in, uint32_t **labels, uint32_t *classes)
{
    int rc = FN_OK;
    *labels = malloc((size_t)in->count * sizeof **labels);
    if (!*labels)
        return fn_fail(FN_ENOMEM, "no memory for the classes of %llu pictures",
                       (unsigned long long)in->count);
    if (!in->store)
        return label_files(in, *labels, classes);
    *classes = fn_store_get_info(in->store)->classes;
    for (uint64_t i = 0; i < in->count && !rc; i++)
        rc = fn_store_label(in->store, i, &(*labels)[i]);
    return rc;
}
