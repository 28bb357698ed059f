/* SPDX-License-Identifier: MIT */
/* LFW-style pairs and what is computed from their embeddings, as the original does it.
 *
 *     fn_pairs_open(&pairs, "pairs.txt");
 *     fn_lfw_from_tree(&lfw, pairs, "lfw", boxes);      or fn_lfw_from_store
 *     ... embed lfw->images pictures, in order, each once ...
 *     fn_lfw_evaluate(embeddings, dims, lfw, &options, &result); */
#ifndef FN_TRAIN_LFW_H
#define FN_TRAIN_LFW_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/faces.h"
#include "store/store.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- pairs.txt ------------------------------------------------------------------------------ */
/* A header line ("10 TAB 300", not used), then "name i j" (same person) or "name1 i name2 j".
 * Blanks or tabs separate, blank lines are passed over. A first line that is itself a pair is taken
 * as one. */
struct fn_pair_line {
    const char *name[2]; /* owned by the fn_pairs */
    uint32_t number[2];  /* the i of name_%04d */
    int same;            /* 1: written with one name */
    uint32_t line;       /* from 1 */
};
struct fn_pairs {
    struct fn_pair_line *pair;
    size_t count;
    char *text; /* the file, cut into the names */
    char *where;
};
#define FN_PAIRS_MAX_BYTES (256u << 20) /* eight million pairs */

/* FN_EFORMAT: "pairs.txt:12: ..." for the first bad line, or no pair at all. */
int fn_pairs_open(struct fn_pairs **pairs, const char *path);
/* The same from memory; `where` stands for the path in sentences. */
int fn_pairs_parse(struct fn_pairs **pairs, const char *text, size_t bytes, const char *where);
void fn_pairs_close(struct fn_pairs **pairs);

/* ---- the pictures of the pairs -------------------------------------------------------------- */
/* Each picture stands once, in order of first use. Pairs with a missing picture are left out. */
struct fn_lfw {
    size_t images;
    char **paths;  /* [images] "name/name_0001.jpg", relative to the tree; NULL: from a store */
    uint64_t *ids; /* [images] record ids; NULL: from a tree */
    size_t pairs;
    uint32_t *pair;             /* [pairs][2]: indices of pictures */
    uint8_t *same;              /* [pairs] */
    size_t skipped;             /* pairs left out */
    size_t missing;             /* different pictures missing */
    char first_missing[3][300]; /* the first of them, "" where fewer: for a message */
};

/* root/name/name_%04d.jpg, else .png; where `boxes` is given, a picture without a box in it
 * (unknown, or no face found) is missing too. FN_ENOENT: no such folder, or not one pair is
 * complete (the sentence has the first missing path). */
int fn_lfw_from_tree(struct fn_lfw **lfw, const struct fn_pairs *pairs, const char *root,
                     const struct fn_boxes *boxes);
/* Class name, record name_%04d. FN_ENOENT: not one pair is complete. Damage: FN_ECORRUPT. */
int fn_lfw_from_store(struct fn_lfw **lfw, const struct fn_pairs *pairs, struct fn_store *store);
/* A picture turned out to be unreadable: its pairs count as skipped. bad: one byte for each
 * picture. FN_ENOENT: no pair is left. */
int fn_lfw_drop(struct fn_lfw *lfw, const uint8_t *bad);
void fn_lfw_close(struct fn_lfw **lfw);

/* ---- evaluation ----------------------------------------------------------------------------- */
struct fn_lfw_options {
    int metric;        /* 0: squared L2; 1: arccos(cosine) / pi */
    int subtract_mean; /* of the other folds' embeddings, from both sides */
    int folds;         /* 2 .. pairs */
};
#define FN_LFW_FAR 1e-3 /* far_target of the original's evaluate() */

struct fn_lfw_fold {
    double accuracy, threshold;     /* on the fold, with the other folds' best threshold */
    double val, far, val_threshold; /* the same at FAR = FN_LFW_FAR */
};

#define FN_LFW_THRESHOLDS 400 /* 0, 0.01, ... 3.99 */

/* What does not exist is NAN, and `note` says why (a sentence, "" if all exist): VAL and FAR of a
 * fold without same or different pairs (and their means); EER where the ROC's thresholds end before
 * its false positive rate reaches 1; the AUC is then that of the part there is. */
struct fn_lfw_result {
    size_t pairs;
    int folds;
    struct fn_lfw_fold *fold;      /* [folds] */
    double accuracy, accuracy_std; /* mean and population standard deviation over the folds */
    double val, val_std, far;
    double threshold; /* mean of the folds' accuracy thresholds */
    double auc, eer;
    double distance_max;
    double tpr[FN_LFW_THRESHOLDS], fpr[FN_LFW_THRESHOLDS]; /* mean over folds */
    double *distance; /* [pairs] as measured when the pair's own fold was held out */
    char note[400];
};

/* The fold in which a pair is held out; folds <= pairs. */
int fn_lfw_fold_of(size_t pairs, int folds, size_t pair);

/* embeddings: (lfw->images, dims) rows, with flips both halves concatenated. All arithmetic in
 * double. 6,000 pairs of 1,024 numbers, 10 folds, mean subtracted: a fraction of a second.
 * FN_EUSAGE: folds or metric out of range; FN_EFORMAT: an embedding that is not finite.
 * *result is filled and the caller's, to be freed; on failure it is empty. */
int fn_lfw_evaluate(const float *embeddings, size_t dims, const struct fn_lfw *lfw,
                    const struct fn_lfw_options *options, struct fn_lfw_result *result);
void fn_lfw_result_free(struct fn_lfw_result *result);

#ifdef __cplusplus
}
#endif
#endif
