/* SPDX-License-Identifier: MIT */
/* Input: a tree of class folders. The reader hands out numbers of files; workers read them, so
 * that many small files do not wait for one another. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/faces.h"
#include "base/file.h"
#include "ingest/input.h"
#include "ingest/tsv.h"

#define FILES 32 /* in a chunk: as much work as a chunk of rows */

struct tree {
    struct fn_tree *tree;
    int root; /* file descriptor of the folder */
    size_t next;
};

static int probe(const struct fn_input *s)
{
    return !s->stream;
}

/* The names of all pictures, in order: what this tree is to be known again by. */
static int identify(struct fn_input *s, const struct fn_tree *tree)
{
    char hash[33];
    XXH3_state_t *state = XXH3_createState();
    if (!state)
        return fn_fail(FN_ENOMEM, "no memory to open %s", s->path);
    XXH3_128bits_reset(state);
    for (size_t i = 0; i < tree->file_count; i++)
        XXH3_128bits_update(state, tree->files[i].path, strlen(tree->files[i].path) + 1);
    XXH128_canonical_t sum;
    XXH128_canonicalFromHash(&sum, XXH3_128bits_digest(state));
    XXH3_freeState(state);
    for (size_t i = 0; i < sizeof sum.digest; i++) {
        hash[2 * i] = "0123456789abcdef"[sum.digest[i] >> 4];
        hash[2 * i + 1] = "0123456789abcdef"[sum.digest[i] & 15];
    }
    hash[32] = '\0';
    s->identity = json_pack("{s:s, s:I, s:s}", "kind", s->type->kind, "files",
                            (json_int_t)tree->file_count, "names", hash);
    return s->identity ? FN_OK : fn_fail(FN_ENOMEM, "no memory to open %s", s->path);
}

static int no_pictures(const struct fn_input *s, const struct fn_tree *tree)
{
    char *manifest = fn_path_join(s->path, "manifest.json");
    int is_store = manifest && fn_is_file(manifest);
    free(manifest);
    if (is_store)
        return fn_fail(FN_EFORMAT, "%s is a store, not a tree of pictures; fn-dump %s shows it",
                       s->path, s->path);
    if (tree->loose)
        return fn_fail(FN_EFORMAT,
                       "%s holds %zu picture%s itself, but no folders of pictures: give the folder "
                       "above it, whose folders are the classes",
                       s->path, tree->loose, tree->loose == 1 ? "" : "s");
    return fn_fail(
        FN_EFORMAT,
        "%s is a folder, but not one of class folders with .jpg or .png pictures in them "
        "(%zu folder%s, %zu other %s%s%s)",
        s->path, tree->class_count, tree->class_count == 1 ? "" : "s", tree->left_out,
        tree->left_out == 1 ? "entry" : "entries", tree->left ? ", such as " : "",
        tree->left ? tree->left : "");
}

static int open_tree(struct fn_input *s, const struct fn_input_options *options)
{
    struct tree *t = s->self = calloc(1, sizeof *t);
    (void)options;
    if (!t)
        return fn_fail(FN_ENOMEM, "no memory to open %s", s->path);
    t->root = -1;
    int rc = fn_tree_open(&t->tree, s->path);
    if (rc)
        return rc;
    if (t->tree->file_count == 0)
        return no_pictures(s, t->tree);
    t->root = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (t->root < 0)
        return fn_fail_errno("cannot open %s", s->path);
    s->files = t->tree->file_count;
    const size_t left_out = t->tree->left_out;
    rc = left_out == 0
             ? fn_input_describe(s, "tree of %zu pictures in %zu folders, nothing else in it",
                                 t->tree->file_count, t->tree->class_count)
             : fn_input_describe(s,
                                 "tree of %zu pictures in %zu folders; %zu other %s "
                                 "left out, %s%s",
                                 t->tree->file_count, t->tree->class_count, left_out,
                                 left_out == 1 ? "entry is" : "entries are",
                                 left_out == 1 ? "" : "one of them ", t->tree->left);
    return rc ? rc : identify(s, t->tree);
}

static void close_tree(struct fn_input *s)
{
    struct tree *t = s->self;
    if (!t)
        return;
    fn_tree_close(&t->tree);
    if (t->root >= 0)
        close(t->root);
    free(t);
    s->self = NULL;
}

static int seek_tree(struct fn_input *s, const struct fn_position *pos)
{
    struct tree *t = s->self;
    if (pos->next > t->tree->file_count)
        return fn_fail(FN_EMISMATCH, "%s has %zu pictures, but %llu were read from it before",
                       s->path, t->tree->file_count, (unsigned long long)pos->next);
    t->next = (size_t)pos->next;
    return FN_OK;
}

static int read_tree(struct fn_input *s, struct fn_chunk *chunk, struct fn_budget *budget)
{
    struct tree *t = s->self;
    (void)budget;
    for (int i = 0; i < FILES && t->next < t->tree->file_count; i++, t->next++) {
        struct fn_item *item = fn_chunk_item(chunk);
        item->pos = (struct fn_position){s->number, t->next + 1, t->next, t->next + 1};
    }
    chunk->done = (double)t->next / (double)t->tree->file_count;
    return FN_OK;
}

static int names_of(const struct fn_input *s, struct fn_chunk *chunk, const struct fn_item *item,
                    struct fn_row *row)
{
    const struct fn_tree *tree = ((const struct tree *)s->self)->tree;
    const struct fn_tree_file *file = &tree->files[item->pos.offset];
    const char *name = strrchr(file->path, '/') + 1, *ending = strrchr(name, '.');
    size_t bytes = ending ? (size_t)(ending - name) : strlen(name);
    (void)chunk;
    row->class_name = tree->classes[file->class_index];
    row->class_bytes = strlen(row->class_name);
    if (!fn_name_ok(row->class_name, row->class_bytes) || !fn_name_ok(name, bytes)) {
        row->reject = FN_REJECT_NAME;
        fn_fail(FN_EFORMAT, "%s: a name that is too long or has a control character", file->path);
        return FN_OK;
    }
    memcpy(row->name, name, bytes);
    row->name_bytes = bytes;
    return FN_OK;
}

/* The whole file into `to`; what cannot be read is the file's affair, not the run's. */
static int read_file(int root, const char *path, struct fn_bytes *to, int *reject)
{
    struct stat st;
    int rc = FN_OK, fd = openat(root, path, O_RDONLY | O_CLOEXEC);
    to->bytes = 0;
    *reject = FN_REJECT_IO;
    if (fd < 0 || fstat(fd, &st)) {
        fn_fail_errno("cannot open it");
        goto out;
    }
    if (!S_ISREG(st.st_mode)) {
        fn_fail(FN_EIO, "not a regular file");
        goto out;
    }
    for (;;) {
        size_t want = (size_t)(st.st_size > 0 ? st.st_size : 0) + 1;
        want = want > to->bytes ? want : to->bytes + 65536;
        if (to->bytes >= FN_TSV_ROW_MAX || want > FN_TSV_ROW_MAX + 1) {
            *reject = FN_REJECT_IMAGE_LIMIT;
            fn_fail(FN_ELIMIT, "a file of more than %zu bytes", FN_TSV_ROW_MAX);
            goto out;
        }
        rc = fn_bytes_reserve(to, want);
        if (rc)
            goto out;
        ssize_t n = read(fd, to->data + to->bytes, want - to->bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            fn_fail_errno("cannot read it");
            goto out;
        }
        if (n == 0)
            break;
        to->bytes += (size_t)n;
    }
    *reject = 0;
out:
    if (fd >= 0)
        close(fd);
    return rc;
}

static int picture_of(const struct fn_input *s, const struct fn_item *item, struct fn_row *row,
                      struct fn_bytes *scratch)
{
    const struct tree *t = s->self;
    int rc = read_file(t->root, t->tree->files[item->pos.offset].path, scratch, &row->reject);
    if (rc || row->reject)
        return rc;
    row->image = scratch->data;
    row->image_bytes = scratch->bytes;
    if (row->image_bytes == 0) {
        row->reject = FN_REJECT_EMPTY;
        fn_fail(FN_EFORMAT, "the file is empty");
    }
    return FN_OK;
}

const struct fn_input_type fn_input_tree = {"tree",    probe,     open_tree, close_tree,
                                            seek_tree, read_tree, names_of,  picture_of};
