/* SPDX-License-Identifier: MIT */
/* The pictures of a step group of triplet training: the classes are shuffled, and of each in turn
 * min(its images, images_per_person, what is still missing) random images are taken, until people x
 * images_per_person are together. Small classes make more classes be sampled.
 *
 * Addressed: draw i of the classes is fn_rng(seed, group, i, FN_RNG_PEOPLE), row i's picture is
 * fn_rng(seed, group, i, FN_RNG_IMAGES). A group is the same whatever was sampled before it. */
#ifndef FN_TRAIN_TRIPLET_SAMPLE_H
#define FN_TRAIN_TRIPLET_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

#include "train/sampler.h"
#include "train/split.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Rows of the distance matrix are 32 bit numbers, and the matrix has count x count floats. */
#define FN_GROUP_MAX_IMAGES 65535

struct fn_triplet_sampler {
    const struct fn_split *split; /* borrowed until close */
    uint64_t seed;
    size_t people, images; /* people_per_batch, images_per_person */
    size_t count;          /* people x images: rows of a group */
    /* The group sampled last: */
    uint64_t group;
    struct fn_examples rows; /* ids and labels, class by class; [count] */
    size_t *first;           /* [classes + 1]: rows of sampled class c are first[c] .. first[c+1] */
    size_t classes;          /* sampled, >= people */
    uint32_t *order;         /* scratch: labels, shuffled as far as they were drawn */
    uint64_t *pool;          /* scratch: the images of one class */
};

/* FN_EUSAGE: people x images is 0, above FN_GROUP_MAX_IMAGES or not a multiple of 3. FN_ELIMIT: the
 * classes have fewer images than that together, counting images_per_person of each at most; or
 * fewer than two classes. */
int fn_triplet_sampler_open(struct fn_triplet_sampler **sampler, const struct fn_split *split,
                            int64_t people, int64_t images, uint64_t seed);
void fn_triplet_sampler_close(struct fn_triplet_sampler **sampler);

/* rows, first and classes of this group. Cannot fail. One thread. */
void fn_triplet_sample(struct fn_triplet_sampler *sampler, uint64_t group);

/* A list of rows of the sampled group, for the loader: draw i is row which[i] (NULL: i). What
 * stands in for a bad picture is another of its class, by the picture's id, so that it is the same
 * one in every pass; after FN_STAND_INS_OF_CLASS of them, any picture (its label says so). */
#define FN_STAND_INS_OF_CLASS 32
struct fn_group_list {
    const struct fn_triplet_sampler *sampler;
    const int32_t *which;
    size_t count;
    uint64_t pass; /* address of crops and flips */
};
struct fn_order fn_group_order(const struct fn_group_list *list);

#ifdef __cplusplus
}
#endif
#endif
