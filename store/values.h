/* SPDX-License-Identifier: MIT */
/* build/shard-N.values: the file that becomes shard-N.mdb. Values of groups are written once, where
 * they will lie in the sealed file: behind room for the two meta pages, each with its page head.
 * What counts of it is what the journal says; it is on the disk before the journal says so, and
 * what is behind that is cut off by whoever goes on. Sealing adds meta and tree pages and renames
 * it. */
#ifndef FN_STORE_VALUES_H
#define FN_STORE_VALUES_H

#include <stddef.h>
#include <stdint.h>

#include "base/file.h"
#include "store/format.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fn_values;
/* To go on behind `bytes` bytes, which must be there (FN_ECORRUPT); FN_PAGES_HEAD: from the start,
 * and the file is made. */
int fn_values_open(struct fn_values **values, const char *path, uint64_t bytes);
void fn_values_close(struct fn_values **values); /* NULL is fine */
/* Append the value of a group. */
int fn_values_put(struct fn_values *values, const struct fn_group *group, uint64_t number);
/* All of it is on the disk. NULL is fine. */
int fn_values_sync(struct fn_values *values);

/* ---- of a file that is complete ---- */

/* A complete one, mapped: `bytes` bytes, of at least as many in the file (FN_ECORRUPT). */
struct fn_values_map {
    struct fn_map map;
    uint64_t at, end; /* of the walk; bytes */
};
int fn_values_map_open(struct fn_values_map *map, const char *path, uint64_t bytes);
void fn_values_map_close(struct fn_values_map *map);
void fn_values_rewind(struct fn_values_map *map);
/* The next value, with its page head before it, checked to be group `number`. FN_ECORRUPT. */
int fn_values_next(struct fn_values_map *map, uint64_t number, const uint8_t **value,
                   size_t *bytes);
/* Make it what a sealed shard is: meta pages to its front, tree pages behind `bytes`, nothing more,
 * on the disk. */
int fn_values_finish(const char *path, uint64_t bytes, const uint8_t *head, const uint8_t *tree,
                     uint64_t tree_bytes);

#ifdef __cplusplus
}
#endif
#endif
