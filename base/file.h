/* SPDX-License-Identifier: MIT */
/* Files: whole reads, mapped reads, and writes that are there completely or not at all.
 * All functions return FN_OK or a code with a sentence that names the path. */
#ifndef FN_BASE_FILE_H
#define FN_BASE_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Read a whole file of at most `limit` bytes (FN_ELIMIT above) into malloc'd memory that the caller
 * frees; one NUL byte follows the data and is not counted. path "-" reads stdin. */
int fn_file_read(const char *path, size_t limit, unsigned char **data, size_t *bytes);

/* Map a file read-only. An empty file gives data NULL, bytes 0. The file must not shrink while it
 * is mapped (reading past its new end is SIGBUS): map only what nobody writes. */
struct fn_map {
    const unsigned char *data;
    size_t bytes;
};
int fn_map_open(struct fn_map *map, const char *path);
void fn_map_close(struct fn_map *map); /* also of a zeroed struct */

/* Atomic replacement: write to `path.tmp-<pid>`, then fn_out_commit() does flush, fsync, rename and
 * fsync of the folder. Until then `path` is what it was, and it stays so when the commit fails (but
 * where only the last step, the fsync of the folder, failed: then it is new, and may be old again
 * after a power cut). fn_out_close() without a commit removes the temporary; it is always called,
 * also after a commit. One writer a path and process. A link is followed; a device or a pipe is
 * written in place. The stream can seek but has no fileno(). */
struct fn_out;
int fn_out_open(struct fn_out **out, const char *path);
FILE *fn_out_stream(struct fn_out *out); /* write here with stdio; errors are found at commit */
int fn_out_commit(struct fn_out *out);
void fn_out_close(struct fn_out **out);

/* The whole of it in one call. */
int fn_file_write(const char *path, const void *data, size_t bytes);

/* Like mkdir -p; existing folders are fine, new ones are there for good (fsync of what holds them).
 */
int fn_mkdir_p(const char *path);
int fn_fsync_dir(const char *path);
int fn_fsync_parent(const char *path); /* of the folder that holds it: its name is there for good */
int fn_is_dir(const char *path);       /* 1 or 0 */
int fn_is_file(const char *path);      /* 1 or 0 */

/* malloc'd "a/b" (one slash between), or a copy of b when b is absolute; NULL when out of memory
 * (sentence set). An empty or NULL a gives a copy of b. */
char *fn_path_join(const char *a, const char *b);

/* The last part of a path, without slashes around it ("/" stays), cut to fit buf, which is
 * returned. */
const char *fn_path_last(const char *path, char *buf, size_t cap);

/* Remove a folder of ours with all it holds; a missing one is fine. Does not follow links. */
int fn_remove_tree(const char *path);

#ifdef __cplusplus
}
#endif
#endif
