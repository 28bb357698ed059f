/* SPDX-License-Identifier: MIT */
/* An endless order of draws for batches that are groups of people (online mining): batch b is group
 * b of the sampler (triplet_sample.h), row by row. Several groups are held at once, so that the
 * loader's workers may be at the next batches already. Any thread; one lock, taken once a draw. */
#ifndef FN_TRAIN_GROUP_RING_H
#define FN_TRAIN_GROUP_RING_H

#include "train/triplet_sample.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fn_group_ring;

/* As fn_triplet_sampler_open, which says what can fail. The split is borrowed until close. */
int fn_group_ring_open(struct fn_group_ring **ring, const struct fn_split *split, int64_t people,
                       int64_t images, uint64_t seed);
void fn_group_ring_close(struct fn_group_ring **ring);
/* The address of a crop is (group, row). What stands in for a bad picture: as fn_group_order. */
struct fn_order fn_group_ring_order(struct fn_group_ring *ring);

#ifdef __cplusplus
}
#endif
#endif
