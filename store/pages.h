/* SPDX-License-Identifier: MIT */
/* The pages of a sealed shard: an LMDB file whose every byte follows from the lengths of its
 * values.
 *
 *     page 0, 1      meta pages
 *     page 2 ..      the values, in key order, each a run of overflow pages without slack
 *     tree_at ..     leaf pages, then branch pages level by level, the root last
 *
 * LMDB's own compacting copy would leave stale bytes of other records in the free part of leaf
 * pages, put tree pages between the values, and write the map size of the moment. Here the same
 * values give the same file, the pages that LMDB follows lie together and are checked with one
 * read, and a shard whose tree is not exactly the one that its value lengths give is refused, so
 * that LMDB never sees a page that we would not have written ourselves. */
#ifndef FN_STORE_PAGES_H
#define FN_STORE_PAGES_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FN_PAGES_HEAD 8192u    /* bytes of the two meta pages */
#define FN_PAGES_NODE_HEAD 16u /* bytes before a value in its first page */

struct fn_pages {
    uint64_t file_bytes;
    uint64_t tree_at;
    uint64_t tree_bytes;
    uint8_t *head; /* FN_PAGES_HEAD bytes */
    uint8_t *tree; /* tree_bytes */
};

/* The pages of a file with n >= 1 values of sizes[i] bytes under the keys first_key + i. Each size
 * is what fn_group_value_bytes gives, else FN_ECORRUPT. fn_pages_free in any case. */
int fn_pages_plan(struct fn_pages *pages, uint64_t first_key, const uint32_t *sizes, size_t n);
void fn_pages_free(struct fn_pages *pages);

/* The 16 bytes in front of a value that starts at page `page`. */
void fn_pages_value_head(uint8_t out[FN_PAGES_NODE_HEAD], uint64_t page, uint32_t size);

/* The value lengths out of the leaf pages at `tree`; FN_ECORRUPT if it cannot hold n of them. */
int fn_pages_sizes(const uint8_t *tree, uint64_t tree_bytes, uint32_t *sizes, size_t n);

#ifdef __cplusplus
}
#endif
#endif
