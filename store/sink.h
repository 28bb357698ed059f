/* SPDX-License-Identifier: MIT */
/* A file that is written from front to back under a temporary name, summed as it goes, and renamed
 * when it is complete and on the disk. The temporary lies in the build folder under a fixed name,
 * so that what a killed run leaves is recognized and overwritten. */
#ifndef FN_STORE_SINK_H
#define FN_STORE_SINK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "store/format.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fn_sink;
/* Writes to `temporary`, replacing it; renamed to `path` at commit. The same file system. */
int fn_sink_open(struct fn_sink **sink, const char *temporary, const char *path);
int fn_sink_write(struct fn_sink *sink, const void *data, size_t bytes);
uint64_t fn_sink_bytes(const struct fn_sink *sink); /* written so far */
/* XXH3-128 of all that was written so far. */
struct fn_sum128 fn_sink_sum(const struct fn_sink *sink);
/* Flush and fsync; the file keeps its temporary name, and can still be given up. */
int fn_sink_sync(struct fn_sink *sink);
/* fn_sink_sync, rename, fsync of the folder. */
int fn_sink_commit(struct fn_sink *sink);
/* A small file in one go: to build/name.tmp, then renamed to store/name. */
int fn_sink_file(const char *store, const char *name, const void *data, size_t bytes);
void fn_sink_close(
    struct fn_sink **sink); /* removes the temporary unless committed; NULL is fine */

#ifdef __cplusplus
}
#endif
#endif
