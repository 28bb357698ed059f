/* SPDX-License-Identifier: MIT */
/* The files that belong together: train.rec, train.idx, train.lst. */
#ifndef FN_INGEST_REC_PATH_H
#define FN_INGEST_REC_PATH_H

#include "base/file.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The .rec file that is meant by a folder with a train.rec in it, or by an .idx or .lst file that
 * has one of its name beside it. malloc'd; NULL: none is meant. */
char *fn_rec_path(const char *path, int is_folder);

/* Is the file called *.rec? 1 or 0. */
int fn_rec_is_named(const char *path);

/* Maps the file beside rec_path that has `ending` (".idx") in place of its .rec, and of what a
 * compressed one has behind that. *path: its name, malloc'd; NULL, with an empty map: there is
 * none, which is no failure. */
int fn_rec_map_beside(struct fn_map *map, char **path, const char *rec_path, const char *ending);

#ifdef __cplusplus
}
#endif
#endif
