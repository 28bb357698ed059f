/* SPDX-License-Identifier: MIT */
/* Bytes of an input, in order, whatever they are wrapped in: a plain file, a pipe ("-" is stdin), a
 * compressed file (gzip, zstd, xz, bzip2, ...), or the files inside a tar or zip, compressed or
 * not, one after another. Found by content. Offsets are always those of the unwrapped bytes.
 * Nothing is unpacked to disk. An archive of pictures has no bytes here: fn_stream_pictures gives
 * what to read its entries with. One thread at a time. */
#ifndef FN_INGEST_STREAM_H
#define FN_INGEST_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What is read ahead when opening, to see what it is and to know it again. */
#define FN_STREAM_HEAD ((size_t)1 << 20)

struct fn_stream;
struct fn_unwrap;

/* FN_ENOENT, FN_EIO, FN_ECORRUPT (damaged compression), FN_EFORMAT (a folder),
 * FN_EINTERRUPTED (a signal came while waiting for a pipe). */
int fn_stream_open(struct fn_stream **stream, const char *path);
void fn_stream_close(struct fn_stream **stream);

/* "plain", "gzip", "zip", ...; with an archive also the path of the first file in it that is read,
 * which may be any bytes, else NULL. Both live as long as the stream. */
const char *fn_stream_wrapping(const struct fn_stream *stream);
const char *fn_stream_member(const struct fn_stream *stream);

/* An archive of pictures: for fn_unwrap_next, until closing. NULL: anything else. */
struct fn_unwrap *fn_stream_pictures(const struct fn_stream *stream);
/* Entries of an archive met so far and not read. */
uint64_t fn_stream_left_out(const struct fn_stream *stream);

/* The first bytes, at most FN_STREAM_HEAD; *whole: there are no more. Valid until closing. */
const uint8_t *fn_stream_head(const struct fn_stream *stream, size_t *bytes, int *whole);

/* The next at most cap bytes; *got 0: the end. A file that is shorter than it was when opened, and
 * compressed data that ends early, are FN_ECORRUPT. */
int fn_stream_read(struct fn_stream *stream, uint8_t *buf, size_t cap, size_t *got);

/* Go to `offset` from the start: at once in a plain file, by reading on (forward only,
 * FN_EINTERNAL) elsewhere. FN_EMISMATCH: the input ends before. */
int fn_stream_seek(struct fn_stream *stream, uint64_t offset);

/* Bytes of the file on disk and how many of them were read, for progress; size 0: unknown. */
uint64_t fn_stream_size(const struct fn_stream *stream);
uint64_t fn_stream_taken(const struct fn_stream *stream);

#ifdef __cplusplus
}
#endif
#endif
