/* SPDX-License-Identifier: MIT */
/* The walk over class folders. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/faces.h"
#include "base/file.h"

/* Names are small and many: they live in chunks, freed with the tree. */
struct chunk {
    struct chunk *next;
    size_t used, cap;
    char text[];
};

struct tree {
    struct fn_tree tree; /* first: what the caller sees */
    struct chunk *chunks;
    size_t class_cap, file_cap;
};

static char *keep_text(struct tree *t, const char *a, const char *b)
{
    enum { CHUNK = 1 << 16 };
    size_t need = strlen(a) + strlen(b) + 1;
    struct chunk *c = t->chunks;
    if (!c || c->cap - c->used < need) {
        size_t cap = need > CHUNK ? need : CHUNK;
        c = malloc(sizeof *c + cap);
        if (!c) {
            fn_fail(FN_ENOMEM, "no memory for the names below %s", t->tree.root);
            return NULL;
        }
        *c = (struct chunk){.next = t->chunks, .cap = cap};
        t->chunks = c;
    }
    char *text = c->text + c->used;
    c->used += need;
    strcpy(stpcpy(text, a), b);
    return text;
}

/* Room for one more at *items. */
static int grow(const struct tree *t, void *items, size_t count, size_t *cap, size_t size)
{
    void *old, *p;
    if (count < *cap)
        return FN_OK;
    size_t more = *cap ? *cap * 2 : 256;
    memcpy(&old, items, sizeof old);
    p = realloc(old, more * size);
    if (!p)
        return fn_fail(FN_ENOMEM, "no memory for the names below %s", t->tree.root);
    memcpy(items, &p, sizeof p);
    *cap = more;
    return FN_OK;
}

enum kind { OTHER, FOLDER, PLAIN };

/* Links are followed; a dead one is OTHER. */
static enum kind kind_of(int dir, const struct dirent *entry)
{
    struct stat st;
    if (entry->d_type == DT_DIR)
        return FOLDER;
    if (entry->d_type == DT_REG)
        return PLAIN;
    if (entry->d_type != DT_LNK && entry->d_type != DT_UNKNOWN)
        return OTHER;
    if (fstatat(dir, entry->d_name, &st, 0) != 0)
        return OTHER;
    return S_ISDIR(st.st_mode) ? FOLDER : S_ISREG(st.st_mode) ? PLAIN : OTHER;
}

static int leave_out(struct tree *t, const char *prefix, const struct dirent *entry)
{
    if (t->tree.left_out++ == 0)
        t->tree.left = keep_text(t, prefix, entry->d_name);
    return t->tree.left ? FN_OK : FN_ENOMEM;
}

static int take_class(struct tree *t, const char *prefix, const struct dirent *entry,
                      enum kind kind)
{
    if (kind != FOLDER) {
        t->tree.loose += kind == PLAIN && fn_picture_ending(entry->d_name, strlen(entry->d_name));
        return leave_out(t, prefix, entry);
    }
    int rc = grow(t, &t->tree.classes, t->tree.class_count, &t->class_cap, sizeof(char *));
    char *name = rc ? NULL : keep_text(t, entry->d_name, "");
    if (!name)
        return FN_ENOMEM;
    t->tree.classes[t->tree.class_count++] = name;
    return FN_OK;
}

static int take_file(struct tree *t, const char *class_slash, const struct dirent *entry,
                     enum kind kind)
{
    if (kind != PLAIN || !fn_picture_ending(entry->d_name, strlen(entry->d_name)))
        return leave_out(t, class_slash, entry);
    int rc = grow(t, &t->tree.files, t->tree.file_count, &t->file_cap, sizeof *t->tree.files);
    char *path = rc ? NULL : keep_text(t, class_slash, entry->d_name);
    if (!path)
        return FN_ENOMEM;
    t->tree.files[t->tree.file_count++].path = path;
    return FN_OK;
}

/* Every entry of a folder but . and .. to take(); hidden ones are counted only. */
static int scan(struct tree *t, const char *path, const char *prefix,
                int (*take)(struct tree *, const char *, const struct dirent *, enum kind))
{
    int rc = FN_OK;
    DIR *dir = opendir(path);
    if (!dir)
        return fn_fail_errno("cannot open the folder %s", path);
    while (rc == FN_OK) {
        errno = 0; /* the only way to tell the end from a failure */
        const struct dirent *entry = readdir(dir);
        if (!entry) {
            if (errno)
                rc = fn_fail_errno("cannot read the folder %s", path);
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        rc = entry->d_name[0] == '.' ? leave_out(t, prefix, entry)
                                     : take(t, prefix, entry, kind_of(dirfd(dir), entry));
    }
    closedir(dir);
    return rc;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct fn_tree_file *)a)->path, ((const struct fn_tree_file *)b)->path);
}

static int scan_class(struct tree *t, size_t index)
{
    const char *name = t->tree.classes[index];
    size_t before = t->tree.file_count;
    char *path = fn_path_join(t->tree.root, name);
    char *prefix = path ? keep_text(t, name, "/") : NULL;
    int rc = prefix ? scan(t, path, prefix, take_file) : FN_ENOMEM;
    free(path);
    if (rc || t->tree.file_count == before)
        return rc;
    struct fn_tree_file *files = t->tree.files + before;
    size_t n = t->tree.file_count - before;
    for (size_t i = 0; i < n; i++)
        files[i].class_index = (uint32_t)index;
    qsort(files, n, sizeof *files, by_path);
    return FN_OK;
}

int fn_tree_open(struct fn_tree **tree, const char *root)
{
    struct tree *t = calloc(1, sizeof *t);
    int rc = FN_OK;
    *tree = t ? &t->tree : NULL;
    if (!t || !(t->tree.root = strdup(root))) {
        rc = fn_fail(FN_ENOMEM, "no memory for a tree");
        goto out;
    }
    if ((rc = scan(t, root, "", take_class)))
        goto out;
    if (t->tree.class_count > UINT32_MAX) {
        rc = fn_fail(FN_ELIMIT, "%s has more than %u classes", root, UINT32_MAX);
        goto out;
    }
    if (t->tree.class_count)
        qsort(t->tree.classes, t->tree.class_count, sizeof *t->tree.classes, by_bytes);
    for (size_t i = 0; i < t->tree.class_count && rc == FN_OK; i++)
        rc = scan_class(t, i);
out:
    if (rc)
        fn_tree_close(tree);
    return rc;
}

void fn_tree_close(struct fn_tree **tree)
{
    struct tree *t = (struct tree *)*tree;
    if (!t)
        return;
    for (struct chunk *c = t->chunks, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    free(t->tree.classes);
    free(t->tree.files);
    free(t->tree.root);
    free(t);
    *tree = NULL;
}
