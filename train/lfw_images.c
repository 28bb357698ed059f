/* SPDX-License-Identifier: MIT */
/* From pairs of names to a list of pictures, each once, and pairs of their indices. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/file.h"
#include "train/lfw.h"

#define MISSING UINT32_MAX
#define UNKNOWN (UINT32_MAX - 1)

/* A set of pictures by (name, number): open addressing over a table of a power of two. */
struct known {
    const char *name; /* NULL: free */
    uint32_t number;
    uint32_t image; /* index in the list, or MISSING */
};

struct find {
    struct fn_lfw *lfw;
    struct known *table;
    size_t mask;
    size_t cap; /* images allocated */
    /* Where pictures are looked for. */
    const char *root;
    const struct fn_boxes *boxes;
    struct fn_reader *reader;
};

static struct known *look_up(struct find *f, const char *name, uint32_t number)
{
    size_t at = (size_t)XXH3_64bits_withSeed(name, strlen(name), number) & f->mask;
    for (;; at = (at + 1) & f->mask) {
        struct known *k = &f->table[at];
        if (!k->name)
            *k = (struct known){name, number, UNKNOWN};
        if (k->number == number && strcmp(k->name, name) == 0)
            return k;
    }
}

/* The picture's path below the root, malloc'd, into *path; NULL: there is none. */
static int find_file(struct find *f, const char *name, uint32_t number, char **path)
{
    static const char *const endings[] = {".jpg", ".png"};
    int rc = FN_OK;
    size_t cap = 2 * strlen(name) + 32;
    char *relative = malloc(cap), *full = NULL;
    *path = NULL;
    if (!relative)
        return fn_fail(FN_ENOMEM, "no memory for a path");
    for (size_t i = 0; i < 2 && !*path && rc == FN_OK; i++) {
        struct fn_box box;
        snprintf(relative, cap, "%s/%s_%04u%s", name, name, number, endings[i]);
        if (f->boxes && fn_boxes_find(f->boxes, relative, &box) != FN_BOX_FOUND)
            break;
        if (!(full = fn_path_join(f->root, relative)))
            rc = FN_ENOMEM;
        else if (access(full, F_OK) == 0)
            *path = relative;
        free(full);
    }
    if (!*path)
        free(relative);
    return rc;
}

static int find_record(struct find *f, const char *name, uint32_t number, uint64_t *id, int *found)
{
    char record[FN_NAME_MAX + 32];
    struct fn_record rec;
    snprintf(record, sizeof record, "%s_%04u", name, number);
    int rc = fn_reader_find(f->reader, name, record, &rec);
    *found = rc == FN_OK;
    if (rc == FN_OK)
        *id = rec.id;
    return rc == FN_ENOENT ? FN_OK : rc;
}

static void note_missing(struct fn_lfw *lfw, const char *name, uint32_t number, const char *ending)
{
    size_t rows = sizeof lfw->first_missing / sizeof *lfw->first_missing;
    if (lfw->missing < rows)
        snprintf(lfw->first_missing[lfw->missing], sizeof *lfw->first_missing,
                 "%.120s/%.120s_%04u%s", name, name, number, ending);
    lfw->missing++;
}

/* *image: index in the list, or MISSING. */
static int find_image(struct find *f, const char *name, uint32_t number, uint32_t *image)
{
    struct fn_lfw *lfw = f->lfw;
    struct known *k = look_up(f, name, number);
    if (k->image == UNKNOWN) {
        int rc, found;
        if (f->reader) {
            rc = find_record(f, name, number, &lfw->ids[lfw->images], &found);
        } else {
            rc = find_file(f, name, number, &lfw->paths[lfw->images]);
            found = rc == FN_OK && lfw->paths[lfw->images];
        }
        if (rc != FN_OK)
            return rc;
        k->image = found ? (uint32_t)lfw->images++ : MISSING;
        if (!found)
            note_missing(lfw, name, number, f->reader ? "" : ".jpg");
    }
    *image = k->image;
    return FN_OK;
}

static int find_all(struct find *f, const struct fn_pairs *pairs, const char *where)
{
    struct fn_lfw *lfw = f->lfw;
    for (size_t i = 0; i < pairs->count; i++) {
        const struct fn_pair_line *p = &pairs->pair[i];
        uint32_t image[2];
        for (int side = 0; side < 2; side++) {
            int rc = find_image(f, p->name[side], p->number[side], &image[side]);
            if (rc != FN_OK)
                return rc;
        }
        if (image[0] == MISSING || image[1] == MISSING) {
            lfw->skipped++;
            continue;
        }
        lfw->pair[2 * lfw->pairs] = image[0];
        lfw->pair[2 * lfw->pairs + 1] = image[1];
        lfw->same[lfw->pairs++] = (uint8_t)p->same;
    }
    if (lfw->pairs == 0)
        return fn_fail(FN_ENOENT,
                       "%s: none of the %zu pairs of %s is there; the first missing is %s", where,
                       pairs->count, pairs->where, lfw->first_missing[0]);
    return FN_OK;
}

static int open_lfw(struct fn_lfw **out, const struct fn_pairs *pairs, struct find *f,
                    const char *where)
{
    int rc = FN_OK;
    size_t size = 4, n = pairs->count;
    struct fn_lfw *lfw = calloc(1, sizeof *lfw);
    *out = NULL;
    while (size < 4 * n) /* at most 2 n pictures: never more than half full */
        size *= 2;
    f->lfw = lfw;
    f->mask = size - 1;
    f->table = calloc(size, sizeof *f->table);
    if (lfw) {
        lfw->pair = calloc(n, 2 * sizeof *lfw->pair);
        lfw->same = calloc(n, 1);
        if (f->reader)
            lfw->ids = calloc(n, 2 * sizeof *lfw->ids);
        else
            lfw->paths = calloc(n, 2 * sizeof *lfw->paths);
    }
    if (!lfw || !f->table || !lfw->pair || !lfw->same || (!lfw->ids && !lfw->paths))
        rc = fn_fail(FN_ENOMEM, "no memory for %zu pairs of pictures", n);
    else
        rc = find_all(f, pairs, where);
    free(f->table);
    if (rc == FN_OK)
        *out = lfw;
    else
        fn_lfw_close(&lfw);
    return rc;
}

int fn_lfw_from_tree(struct fn_lfw **lfw, const struct fn_pairs *pairs, const char *root,
                     const struct fn_boxes *boxes)
{
    struct find f = {.root = root, .boxes = boxes};
    *lfw = NULL;
    if (!fn_is_dir(root))
        return fn_fail(FN_ENOENT, "%s: no such folder of pictures", root);
    return open_lfw(lfw, pairs, &f, root);
}

int fn_lfw_from_store(struct fn_lfw **lfw, const struct fn_pairs *pairs, struct fn_store *store)
{
    struct find f = {0};
    *lfw = NULL;
    int rc = fn_reader_open(&f.reader, store);
    if (rc == FN_OK)
        rc = open_lfw(lfw, pairs, &f, fn_store_get_info(store)->path);
    fn_reader_close(&f.reader);
    return rc;
}

int fn_lfw_drop(struct fn_lfw *lfw, const uint8_t *bad)
{
    size_t kept = 0;
    for (size_t i = 0; i < lfw->pairs; i++) {
        uint32_t a = lfw->pair[2 * i], b = lfw->pair[2 * i + 1];
        if (bad[a] || bad[b]) {
            lfw->skipped++;
            continue;
        }
        lfw->pair[2 * kept] = a;
        lfw->pair[2 * kept + 1] = b;
        lfw->same[kept++] = lfw->same[i];
    }
    lfw->pairs = kept;
    if (kept == 0)
        return fn_fail(FN_ENOENT, "every pair has a picture that cannot be read");
    return FN_OK;
}

void fn_lfw_close(struct fn_lfw **lfw)
{
    struct fn_lfw *l = *lfw;
    if (!l)
        return;
    for (size_t i = 0; l->paths && i < l->images; i++)
        free(l->paths[i]);
    free(l->paths);
    free(l->ids);
    free(l->pair);
    free(l->same);
    free(l);
    *lfw = NULL;
}
