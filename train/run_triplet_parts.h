/* SPDX-License-Identifier: MIT */
/* What the files of the triplet loss share.
 *
 * A step group: sample people and images, embed them as in training, select triplets, train on them
 * batch by batch. Which group, its triplets and how many batches of them are done stand in
 * struct fn_train_state, so a run can be saved and go on after any batch. */
#ifndef FN_TRAIN_RUN_TRIPLET_PARTS_H
#define FN_TRAIN_RUN_TRIPLET_PARTS_H

#include "train/run_parts.h"
#include "train/triplet_sample.h"
#include "train/triplet_select.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fn_triplets {
    struct fn_triplet_sampler *sampler;
    int sampled;               /* the sampler holds group state.group */
    struct fn_group_list list; /* what the loader reads now */
    struct fn_group_list none; /* always empty */
    struct fn_tensor rows;     /* embeddings of the group on the device */
    float *embeddings, *d2;    /* (count, d), (count, count) */
    uint8_t *omit;             /* [count]: rows whose picture is not of their class */
    float *moving;             /* moving statistics before the group */
    struct fn_exec *rest;      /* of an odd batch size, or NULL */
    int rule;                  /* enum fn_selection */
    int starved;               /* groups in a row without a triplet */
};

/* What is said of a selected group. */
struct fn_group_figures {
    uint64_t pairs, triplets;
    double mean_distance, seconds;
};

/* run_triplet_group.c */
/* The exec for a batch of n: the training exec, or one planned now. No step may be under way. */
int fn_triplet_exec(struct fn_run *r, int n, struct fn_exec **exec);
/* Start the loader on rows of the sampled group: all of them to be embedded, or the triplets. */
int fn_triplet_feed(struct fn_run *r, int training);
/* The loader's workers read the list and the triplets no more. */
int fn_triplet_halt(struct fn_run *r);
/* Sample, embed, select: state.triplets, or the group is over where none was found. Interrupted
 * while embedding: *why says so and nothing has changed. */
int fn_triplet_group(struct fn_run *r, enum fn_why *why);

/* run_log_triplet.c */
int fn_run_log_group(struct fn_run *r, const struct fn_group_figures *figures);

#ifdef __cplusplus
}
#endif
#endif
