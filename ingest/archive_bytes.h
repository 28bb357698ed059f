/* SPDX-License-Identifier: MIT */
/* Archives seen from outside: how they begin, and whether their end is there. Pure functions over
 * bytes, any thread.
 *
 * Read in the order of the file, a zip says nothing of an entry whose header is damaged, and a tar
 * nothing of having been cut between two entries: what is missing seems never to have been there.
 * Their last bytes know better. */
#ifndef FN_INGEST_ARCHIVE_BYTES_H
#define FN_INGEST_ARCHIVE_BYTES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Do these first bytes begin a compressed file or an archive? 1 or 0. */
int fn_archive_begins(const uint8_t *head, size_t bytes);
/* Do they begin a tar of whatever age: is the sum in its first header right? 1 or 0. */
int fn_archive_is_tar(const uint8_t *head, size_t bytes);

/* So many bytes at the end of a file are enough for the following: of a zip two records of fixed
 * size, and one whose comment may have 65,535 bytes. */
#define FN_ARCHIVE_END_MAX ((size_t)(56 + 20 + 22 + 65535))

/* How many entries the directory of a zip has, by the last bytes of the file. 1, or 0: that is not
 * there. */
int fn_archive_zip_entries(const uint8_t *tail, size_t bytes, uint64_t *entries);
/* Does a tar that ends with these bytes have its end mark? 1 or 0. */
int fn_archive_tar_ends(const uint8_t *tail, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
