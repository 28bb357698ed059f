/* SPDX-License-Identifier: MIT */
/* Which example comes when. A run is one numbered sequence of draws: draw d is example d mod n of
 * batch d / n, whatever the number of loader threads and wherever the run was resumed.
 *
 *     draw -> (pass, position) -> index       pass = draw / count, position = draw mod count,
 *                                             index = fn_rng_permute(seed, pass, count, position)
 *
 * One keyed bijection per pass over the data: every index exactly once a pass, any position
 * directly, O(1) memory. An epoch is a number of batches and unknown here.
 *
 * Pure functions of constant data: any thread, no failure. */
#ifndef FN_TRAIN_SAMPLER_H
#define FN_TRAIN_SAMPLER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Parallel arrays: example i is picture ids[i] (of a store: its record id) with label labels[i]. */
struct fn_examples {
    uint64_t *ids;
    int32_t *labels; /* NULL: all 0 */
    size_t count;
};

/* One example of a batch. (pass, position) is the address of its random crop, flip and rotation. */
struct fn_example {
    uint64_t id;
    int32_t label;
    uint64_t pass, position;
};

/* A sequence of draws, as the loader wants it. Both functions may be called by any thread at once.
 */
struct fn_order {
    uint64_t total; /* draws 0 .. total - 1; FN_ENDLESS: no end */
    void (*at)(const void *context, uint64_t draw, struct fn_example *out);
    /* What stands in for a corrupt example: attempt 1, 2, ... The address stays that of the draw.
     */
    void (*stand_in)(const void *context, uint64_t draw, uint64_t attempt, struct fn_example *out);
    /* NULL, or for reading ahead: the id to be fetched into memory at this draw so that what comes
     * much later is read in the order in which it is stored; FN_NO_ID: nothing. */
    uint64_t (*later)(const void *context, uint64_t draw);
    const void *context; /* borrowed: must live and stay unchanged while the order is used */
};
#define FN_ENDLESS UINT64_MAX
#define FN_NO_ID UINT64_MAX

/* Training: endless passes over `examples` (count >= 1, borrowed like the sampler itself).
 * Stand-in: index fn_rng_below(fn_rng(seed, draw, attempt, FN_RNG_REPLACE), count). */
struct fn_sampler {
    uint64_t seed;
    const struct fn_examples *examples;
};
struct fn_order fn_sampler_order(const struct fn_sampler *sampler);

/* The permutation alone: index in [0, count) at a draw, and its address. count >= 1. */
uint64_t fn_sampler_index(uint64_t seed, uint64_t count, uint64_t draw, uint64_t *pass,
                          uint64_t *position);

/* Training from a disk or a network file system that is slow at random reads (--shuffle window):
 * the pass is cut into blocks of neighbours in the store, and examples are drawn from a window of
 * several blocks at a time, so that every block is read at once and only a window need be in
 * memory. `examples` must be in the order of the store (fn_examples_by_id). In a pass over n:
 *
 *     o = random in [0, n)                                  where the blocks' bounds fall
 *     block k = indices (o + k block + 0 .. block - 1) mod n; the last one is shorter
 *     the whole blocks in random order, then the short one; cut into windows of `blocks` blocks
 *     each window of m examples in random order
 *
 * So every index comes exactly once a pass, any position directly, O(1) memory, and a window holds
 * `blocks` places of the store: of a store sorted by class, the classes that stand there. With n up
 * to one window it is a full shuffle. Stand-in as above. */
struct fn_window_sampler {
    uint64_t seed;
    const struct fn_examples *examples;
    uint64_t block;  /* >= 1 examples */
    uint64_t blocks; /* >= 1 in a window */
};
/* 256 faces of 12 kB are 3 MB, 20 ms of a disk that seeks in 8; a window of 32,768 takes 400 MB of
 * page cache, 364 batches of 90. */
#define FN_WINDOW_BLOCK 256
#define FN_WINDOW_BLOCKS 128
struct fn_order fn_window_order(const struct fn_window_sampler *sampler);
/* The order alone, as fn_sampler_index. */
uint64_t fn_window_index(const struct fn_window_sampler *sampler, uint64_t draw, uint64_t *pass,
                         uint64_t *position);

/* A copy with ids ascending, to be freed by fn_examples_free. FN_ENOMEM. */
int fn_examples_by_id(struct fn_examples *sorted, const struct fn_examples *examples);
void fn_examples_free(struct fn_examples *examples);

/* Evaluation and sampled groups: `examples` as they stand, once. Example i has position i of pass
 * `pass` (only where something is drawn at random: give every list a number of its own).
 * Stand-in: as above. */
struct fn_list {
    uint64_t seed, pass;
    const struct fn_examples *examples;
};
struct fn_order fn_list_order(const struct fn_list *list);

#ifdef __cplusplus
}
#endif
#endif
