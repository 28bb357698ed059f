/* SPDX-License-Identifier: MIT */
/* Compressed files and archives by libarchive, which no other file knows: the decompressed bytes,
 * of an archive those of the regular files in it, one after another, each ended by a newline.
 * Hidden files and what macOS adds are left out. Used by stream.c alone. */
#ifndef FN_INGEST_UNWRAP_H
#define FN_INGEST_UNWRAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Do these first bytes begin a compressed file or an archive? 1 or 0. */
int fn_unwrap_wanted(const uint8_t *head, size_t bytes);

struct fn_unwrap;

/* read(from, buf, cap, &got) gives the wrapped bytes, got 0 at their end, and is called by
 * fn_unwrap_open and fn_unwrap_read only; its failures come back as they are. `path` is for
 * sentences. */
int fn_unwrap_open(struct fn_unwrap **unwrap, const char *path,
                   int (*read)(void *from, uint8_t *buf, size_t cap, size_t *got), void *from);
void fn_unwrap_close(struct fn_unwrap **unwrap);

/* "gzip", "tar + gzip", "zip"; and the first file in the archive or NULL. Live until closing. */
const char *fn_unwrap_name(const struct fn_unwrap *unwrap);
const char *fn_unwrap_member(const struct fn_unwrap *unwrap);

/* *got 0: the end. FN_ECORRUPT: damaged, or it ends early. */
int fn_unwrap_read(struct fn_unwrap *unwrap, uint8_t *buf, size_t cap, size_t *got);

#ifdef __cplusplus
}
#endif
#endif
