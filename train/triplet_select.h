/* SPDX-License-Identifier: MIT */
/* Selection of triplets from the distances of one group's embeddings.
 *
 * For every class that gives anchors, every anchor a and every later row p of the class: a pair.
 * Its candidates are rows n of other classes with, d being squared distances,
 *
 *     original   d(a,n) - d(a,p) < alpha; only the first `people` classes give anchors
 *     vgg        the same; all classes give anchors
 *     semi-hard  and d(a,p) < d(a,n), as in the FaceNet paper; all classes
 *     hard       of vgg's candidates the nearest, the first of equals; all classes
 *
 * One of them is taken uniformly (hard: the one there is): fn_rng(seed, group, number of the pair,
 * FN_RNG_NEGATIVE). The triplets are then shuffled by fn_rng(seed, group, i, FN_RNG_TRIPLETS). */
#ifndef FN_TRAIN_TRIPLET_SELECT_H
#define FN_TRAIN_TRIPLET_SELECT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum fn_selection {
    FN_SELECT_ORIGINAL = 0,
    FN_SELECT_VGG,
    FN_SELECT_SEMI_HARD,
    FN_SELECT_HARD,
    FN_SELECT_COUNT
};
extern const char *const fn_selection_names[FN_SELECT_COUNT + 1]; /* NULL at the end */

struct fn_select_options {
    int rule; /* enum fn_selection */
    double alpha;
    uint64_t seed, group;
    size_t people;
};

/* Rows of class c are first[c] .. first[c + 1] - 1. */
struct fn_select_group {
    const float *d2; /* (count, count) squared distances */
    size_t count, classes;
    const size_t *first; /* [classes + 1] */
    const uint8_t *omit; /* [count]: nonzero rows are in no triplet; NULL: none */
};

struct fn_selected {
    int32_t *rows; /* anchor, positive, negative; anchor, ...; malloc'd, NULL where none */
    size_t triplets;
    uint64_t pairs;       /* looked at; the original calls them nrof_random_negs */
    uint64_t not_finite;  /* distances; nothing is selected then */
    double mean_distance; /* of two different rows, squared; of normalized rows 0 .. 4 */
};

/* FN_ENOMEM. selected->rows is the caller's. */
int fn_triplet_select(const struct fn_select_group *group, const struct fn_select_options *options,
                      struct fn_selected *selected);

#ifdef __cplusplus
}
#endif
#endif
