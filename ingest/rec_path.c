/* SPDX-License-Identifier: MIT */
/* Names of files that belong together. */
#include "ingest/rec_path.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FOLDER_FILE "train.rec" /* what insightface calls it */

static int has_ending(const char *path, const char *ending)
{
    size_t n = strlen(path), e = strlen(ending);
    return n > e && strcasecmp(path + n - e, ending) == 0;
}

/* malloc'd: `path` with `ending` in place of its own, which begins at its last dot. */
static char *with_ending(const char *path, const char *ending)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
    size_t stem = dot ? (size_t)(dot - path) : strlen(path);
    char *other = malloc(stem + strlen(ending) + 1);
    if (other) {
        memcpy(other, path, stem);
        memcpy(other + stem, ending, strlen(ending) + 1);
    }
    return other;
}

char *fn_rec_path(const char *path, int is_folder)
{
    char *rec = NULL;
    if (is_folder)
        rec = fn_path_join(path, FOLDER_FILE);
    else if (has_ending(path, ".idx") || has_ending(path, ".lst"))
        rec = with_ending(path, ".rec");
    if (rec && !fn_is_file(rec)) {
        free(rec);
        rec = NULL;
    }
    return rec;
}

int fn_rec_is_named(const char *path)
{
    return has_ending(path, ".rec");
}

int fn_rec_map_beside(struct fn_map *map, char **path, const char *rec_path, const char *ending)
{
    char *stem = strdup(rec_path), *name = NULL;
    int rc = FN_OK;
    *path = NULL;
    *map = (struct fn_map){NULL, 0};
    if (stem && !fn_rec_is_named(stem)) { /* train.rec.gz; anything else stays as it is */
        char *inner = with_ending(stem, "");
        if (inner && fn_rec_is_named(inner)) {
            free(stem);
            stem = inner;
        } else {
            free(inner);
        }
    }
    if (stem)
        name = with_ending(stem, ending);
    free(stem);
    if (!name)
        return fn_fail(FN_ENOMEM, "no memory to look beside %s", rec_path);
    if (!fn_is_file(name)) {
        free(name);
        return FN_OK;
    }
    rc = fn_map_open(map, name);
    if (rc)
        free(name);
    else
        *path = name;
    return rc;
}
