/* SPDX-License-Identifier: MIT */
/* A file that only grows, by whole entries: what logs of a run are made of. An entry is in the file
 * completely or not at all: after a failed write (full disk) the file is cut back to the last whole
 * entry and what is pending is tried again later. One thread. */
#ifndef FN_TRAIN_APPEND_H
#define FN_TRAIN_APPEND_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fn_append;

/* keep: bytes of an existing file to keep, the rest is cut off (0: begin anew; more than the file
 * has: FN_ECORRUPT). */
int fn_append_open(struct fn_append **append, const char *path, uint64_t keep);

/* Takes a copy. Written out when 64 kB or two seconds have gathered. A failure is returned once,
 * with its sentence; pending entries are kept for another try, up to 4 MB (then new ones are
 * dropped). */
int fn_append_entry(struct fn_append *append, const void *data, size_t bytes);
int fn_append_flush(struct fn_append *append);  /* to the operating system */
int fn_append_sync(struct fn_append *append);   /* to the disk */
int fn_append_close(struct fn_append **append); /* flushes; the first failure is returned */

#ifdef __cplusplus
}
#endif
#endif
