/* SPDX-License-Identifier: MIT */
/* Compressed files and archives by libarchive, which no other file knows. What is inside is either
 *
 *   bytes     of a compressed file; of an archive of rows: of its files, one after another, each
 *             ended by a newline; of an archive with a RecordIO file: of that file
 *   pictures  of class folders, entry by entry
 *
 * and the first file in an archive that is one or the other decides. Hidden entries and what macOS
 * adds are left out, likewise files that are neither in front of the one that decides, and what is
 * no picture among pictures. Used by stream.c and read_archive.c. One thread at a time. */
#ifndef FN_INGEST_UNWRAP_H
#define FN_INGEST_UNWRAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fn_unwrap;

/* read(from, buf, cap, &got) gives the wrapped bytes, got 0 at their end, and is called by
 * functions of this file only; its failures come back as they are. `path` is for sentences.
 * FN_ECORRUPT: damaged; FN_EFORMAT: an archive with neither rows nor pictures in it. One that is
 * empty opens as no bytes. */
int fn_unwrap_open(struct fn_unwrap **unwrap, const char *path,
                   int (*read)(void *from, uint8_t *buf, size_t cap, size_t *got), void *from);
void fn_unwrap_close(struct fn_unwrap **unwrap);

/* "gzip", "tar + gzip", "zip"; and the path of the file that decided, any bytes, or NULL where this
 * is no archive. Live until closing. */
const char *fn_unwrap_name(const struct fn_unwrap *unwrap);
const char *fn_unwrap_member(const struct fn_unwrap *unwrap);
int fn_unwrap_is_pictures(const struct fn_unwrap *unwrap);
/* Entries (but folders) met so far and left out. */
uint64_t fn_unwrap_left_out(const struct fn_unwrap *unwrap);

/* Of bytes. *got 0: the end. FN_ECORRUPT: damaged, or it ends early. */
int fn_unwrap_read(struct fn_unwrap *unwrap, uint8_t *buf, size_t cap, size_t *got);

/* Of pictures: an entry that has a picture's name (fn_entry_name). */
struct fn_unwrap_entry {
    const char *path; /* as it stands there: any bytes; NULL: no more entries. Until the next one */
    uint64_t bytes;   /* of its data, if `sized`; else the data's end tells */
    int sized;
    int is_file; /* 0: a link, a device: there is no data */
    int lost;    /* 1: entries in front of it, or of the end, are missing, since the archive is
                  * damaged there; the thread's sentence says how */
};
/* The first call gives the entry that decided. Unread data of the entry before is passed over.
 * FN_ECORRUPT: damaged, or it ends early, and no entry can be found any more. */
int fn_unwrap_next(struct fn_unwrap *unwrap, struct fn_unwrap_entry *entry);
/* The next bytes of the entry's data; *got 0: its end. *damaged: this entry cannot be read (wrong
 * checksum, encrypted, ...) and the thread's sentence says why; others may be. FN_ECORRUPT: the
 * archive cannot be read on. */
int fn_unwrap_data(struct fn_unwrap *unwrap, uint8_t *buf, size_t cap, size_t *got, int *damaged);

#ifdef __cplusplus
}
#endif
#endif
