/* SPDX-License-Identifier: MIT */
/* Checkpoints: everything a run needs to go on as if it had not stopped. A checkpoint is a folder,
 * written under another name and renamed, so it is there completely or not at all:
 *
 *     <run>/checkpoint-00001200/model.safetensors  weights: facenet-pytorch's names; record of
 * pictures ema.safetensors    moving averages, the same names (--ema reads them) state.safetensors
 * slot1.<name>, slot2.<name>, centers state.json         struct fn_train_state, checksums of the
 * others classes.tsv        label, class, training and validation images
 *
 * Values are floats in published layouts: a checkpoint knows neither backend nor batch size. */
#ifndef FN_TRAIN_CHECKPOINT_H
#define FN_TRAIN_CHECKPOINT_H

#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "train/model.h"
#include "train/model_file.h"
#include "train/split.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FN_CHECKPOINT_MODEL "model.safetensors"
#define FN_CHECKPOINT_EMA "ema.safetensors"
#define FN_CHECKPOINT_STATE "state.safetensors"
#define FN_CHECKPOINT_INFO "state.json"
#define FN_CHECKPOINT_CLASSES "classes.tsv"
#define FN_CHECKPOINT_KEPT 3 /* max_to_keep of the original's Saver */

/* Where a run stands. */
struct fn_train_state {
    uint64_t step; /* updates done: the global step */
    int64_t epoch; /* the current one; its number in schedule and console */
    int64_t batch; /* batches of it that are done */
    int validated; /* its batches and its validation are done, LFW is not */
    uint64_t seed;
    char content_id[33];                       /* of the store */
    char backend[16], bits[128], precision[8]; /* what equal bits depend on */
    double average_xent, average_total;        /* moving averages of TensorBoard's curves */
    double decay;                              /* loss of the weights in the last step */
    /* Triplets: groups that are done; of the one under way, its triplets (rows of the group:
     * anchor, positive, negative, ...; owned, NULL: none under way) and how many batches of them
     * are. */
    int64_t group, group_batches;
    int32_t *triplets;
    size_t triplet_rows;
    /* Prelogits of the current epoch's batches so far, by min(|x|, --prelogits_hist_max) in bins of
     * equal width; 1000 as in the original's stat.h5. */
#define FN_PRELOGITS_BINS 1000
    uint64_t prelogits[FN_PRELOGITS_BINS];
    int64_t best_step; /* of the best LFW accuracy so far; -1: none */
    double best_accuracy;
    int went_back; /* the one return to a checkpoint after steps that were not finite is used up */
    json_t *options; /* object: option name -> value as text; owned, may be NULL */
};
void fn_train_state_free(struct fn_train_state *state);

/* Write checkpoint-<step> into the run's folder; then remove older ones but the newest `kept` and
 * the best. A checkpoint of the same step is replaced. classes may be NULL (no head). On failure
 * nothing has changed but leftovers that the next call removes. */
int fn_checkpoint_write(struct fn_model *model, const struct fn_model_record *record,
                        const struct fn_train_state *state, const struct fn_class_list *classes,
                        const char *run, int kept);

/* The folder of a checkpoint: `path` itself, or the newest in a run's folder. *folder is malloc'd.
 * FN_ENOENT: neither. */
int fn_checkpoint_find(const char *path, char **folder);
/* Remove checkpoints of the run above `step`. */
int fn_checkpoint_cut(const char *run, uint64_t step);

/* state.json alone. */
int fn_checkpoint_state(const char *folder, struct fn_train_state *state);
/* All arrays into a committed model. FN_EMISMATCH: another network, embedding, head or optimizer;
 * FN_ECORRUPT: checksums, or files that do not belong together. */
int fn_checkpoint_load(const char *folder, struct fn_model *model);

#ifdef __cplusplus
}
#endif
#endif
