/* SPDX-License-Identifier: MIT */
/* index.bin: which records are live, their labels, where they lie, the classes. Mapped; the head is
 * checked when it is opened, blocks of 64 KiB when they are first used. Values are checked against
 * the counts of the head even so: a file can be made with good checksums and bad numbers. */
#ifndef FN_STORE_INDEX_H
#define FN_STORE_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "store/format.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- reading; any thread ---- */

struct fn_index;
/* bytes and head_sum: what the manifest says. FN_ECORRUPT. */
int fn_index_open(struct fn_index **index, const char *path, uint64_t bytes, uint64_t head_sum);
/* An index in memory, which must be aligned to 8 and outlive it. */
int fn_index_attach(struct fn_index **index, const uint8_t *data, size_t bytes, const char *where);
void fn_index_close(struct fn_index **index);
const struct fn_index_head *fn_index_get_head(const struct fn_index *index);

/* FN_ENOENT beyond the counts; FN_ECORRUPT. */
int fn_index_location(const struct fn_index *index, uint64_t id, uint64_t *location);
int fn_index_label(const struct fn_index *index, uint64_t id, uint32_t *label);
int fn_index_members(const struct fn_index *index, uint32_t label, const uint64_t **ids,
                     uint64_t *count);
/* How many members, without touching them. */
int fn_index_span(const struct fn_index *index, uint32_t label, uint64_t *first, uint64_t *count);
/* The name hashes of the same members, in the same order. */
int fn_index_hashes(const struct fn_index *index, uint32_t label, const uint32_t **hashes,
                    uint64_t *count);
int fn_index_class_name(const struct fn_index *index, uint32_t label, const char **name,
                        size_t *bytes);
int fn_index_class_find(const struct fn_index *index, const char *name, size_t bytes,
                        uint32_t *label);
/* What the index knows of a live record: its class's name, and the hash of its own. FN_ENOENT: the
 * class, which is set all the same, does not count it among its members; or a code of the above. */
int fn_index_entry(const struct fn_index *index, uint64_t id, const char **class_name,
                   size_t *class_bytes, uint32_t *hash);
int fn_index_shard(const struct fn_index *index, uint64_t shard, struct fn_index_shard *facts);
/* The first id that lies at `location` or behind it; records if there is none. */
int fn_index_lower_id(const struct fn_index *index, uint64_t location, uint64_t *id);
/* Check block `block` now, whether it was checked before or not. */
int fn_index_check_block(const struct fn_index *index, uint64_t block);

/* ---- writing ---- */

struct fn_index_counts {
    uint64_t records, classes, groups, shards, names_bytes;
};
struct fn_index_writer;
int fn_index_writer_open(struct fn_index_writer **writer, const char *temporary, const char *path,
                         const struct fn_index_counts *counts);
/* Append to a section; sections may take turns. */
int fn_index_writer_put(struct fn_index_writer *writer, enum fn_index_section section,
                        const void *data, size_t bytes);
/* All sections are full: block sums, head, fsync, rename. */
int fn_index_writer_commit(struct fn_index_writer *writer, uint64_t *file_bytes,
                           uint64_t *head_sum);
void fn_index_writer_close(struct fn_index_writer **writer);

/* Where sections lie for these counts; head is filled but for its checksum. FN_ELIMIT. */
int fn_index_layout(struct fn_index_head *head, const struct fn_index_counts *counts);

#ifdef __cplusplus
}
#endif
#endif
