/* SPDX-License-Identifier: MIT */
/* Where pictures come from: a store, or a list of picture files. One row in the table of kinds
 * each.
 *
 *     struct fn_source *source;  struct fn_fetch *fetch;
 *     fn_source_store(&source, store);            once; any thread may ask it afterwards
 *     fn_fetch_open(&fetch, source);              one a thread: reader, decoder, scratch pictures
 *     fn_fetch_example(fetch, id, &augment, pass, position, out);
 *     fn_fetch_close(&fetch);                     before its source
 *     fn_source_close(&source);                   before its store */
#ifndef FN_TRAIN_SOURCE_H
#define FN_TRAIN_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/faces.h"
#include "store/store.h"
#include "train/augment.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fn_source;

/* Records of a store by record id. The store is borrowed until fn_source_close. */
int fn_source_store(struct fn_source **source, struct fn_store *store);

/* Picture files: id i is root/paths[i] (root NULL: paths[i] as it is). With boxes: cropped to the
 * box of "class/name" and resized straight to size x size (a file without one is FN_ENOENT);
 * without: as it is. All arguments are borrowed until fn_source_close. */
int fn_source_files(struct fn_source **source, const char *root, const char *const *paths,
                    size_t count, const struct fn_boxes *boxes, int size);
void fn_source_close(struct fn_source **source);

/* Number of ids; smallest sides of any picture, 0 where unknown (files). */
uint64_t fn_source_count(const struct fn_source *source);
void fn_source_min_size(const struct fn_source *source, int *w, int *h);

/* A name for a person, into buf, which is returned: "record 17 (class m.0abc)", or the path.
 */
char *fn_source_name(struct fn_source *source, uint64_t id, char *buf, size_t cap);

/* Hold one in each thread. */
struct fn_fetch;
int fn_fetch_open(struct fn_fetch **fetch, struct fn_source *source);
void fn_fetch_close(struct fn_fetch **fetch);

/* Read, check, decode, augment into out, (size, size, 3) bytes; nothing else is allocated once the
 * buffers have grown. FN_ECORRUPT, FN_EFORMAT, FN_ELIMIT, FN_ENOENT: this picture is bad (see
 * fn_fetch_bad), others may be read. FN_EMISMATCH: smaller than a random crop. Others: give up. The
 * sentence may leave out which picture it was: fn_source_name knows. */
int fn_fetch_example(struct fn_fetch *fetch, uint64_t id, const struct fn_augment *augment,
                     uint64_t pass, uint64_t position, uint8_t *out);
int fn_fetch_bad(int code); /* 1: the code means a bad picture, not a bad machine */

/* Tell the kernel that these will be read soon. */
void fn_fetch_prefetch(struct fn_fetch *fetch, const uint64_t *ids, size_t count);

#ifdef __cplusplus
}
#endif
#endif
