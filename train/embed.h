/* SPDX-License-Identifier: MIT */
/* Pictures -> embeddings: an evaluating exec fed by a loader. Centre crop, no random anything.
 *
 * With flips, an embedding is two halves: of the picture and of its mirror, each normalized by
 * itself. A picture that cannot be read is marked, its row is zero; others go on. */
#ifndef FN_TRAIN_EMBED_H
#define FN_TRAIN_EMBED_H

#include <stddef.h>
#include <stdint.h>

#include "train/exec.h"
#include "train/loader.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fn_embed_options {
    int per_image; /* standardization */
    int flip;
    int workers; /* loader threads, >= 1 */
};

struct fn_embed;

/* exec: evaluating, committed; source: both are borrowed until fn_embed_close. Its ring of slots is
 * FN_LOADER_SLOTS batches of the exec's size. */
int fn_embed_open(struct fn_embed **embed, struct fn_exec *exec, struct fn_source *source,
                  const struct fn_embed_options *options);
void fn_embed_close(struct fn_embed **embed);
size_t fn_embed_dims(const struct fn_embed *embed); /* d, or 2 d with flips */

/* Rows [first, first + count) of the order, in order; bad: one byte a row, 1: could not be read. */
typedef int fn_embed_sink(void *context, uint64_t first, size_t count, const float *rows,
                          const uint8_t *bad);

/* All of a finite order, batch by batch. FN_EINTERRUPTED where a signal came. */
int fn_embed_run(struct fn_embed *embed, const struct fn_order *order, fn_embed_sink *sink,
                 void *context);

/* Ids 0 .. count - 1 as they come. *count is borrowed. */
struct fn_order fn_embed_count_order(const uint64_t *count);

#ifdef __cplusplus
}
#endif
#endif
