/* SPDX-License-Identifier: MIT */
/* The page of an evaluation: ROC, distances, folds, and the hardest pairs as pictures. */
#ifndef FN_TRAIN_EVAL_PAGE_H
#define FN_TRAIN_EVAL_PAGE_H

#include "train/lfw_run.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fn_eval_page {
    const char *model, *pairs;    /* as they were named */
    const char *pictures;         /* tree or store */
    const char *device;           /* what computed */
    const char *command;          /* what was typed */
    int flip;                     /* mirrored pictures were used too */
    const struct fn_lfw_run *run; /* after fn_lfw_run_evaluate */
    const struct fn_lfw_result *result;
};

/* Written atomically. A picture that cannot be read any more is named on the page; no failure. */
int fn_eval_page(const struct fn_eval_page *page, const char *path);

/* ---- eval_page_figures.c: what the page draws ------------------------------------------------ */
/* The curve over every distance that occurs, all folds together; the farthest left point is 0, 0.
 * Out of memory: 0 points.
 * Points: at most FN_ROC_POINTS; every change of FAR among the first ones, then where it can be
 * seen. far and tar are ascending. The count. *n_same and *n_diff: pairs of each kind. */
#define FN_ROC_POINTS 3000
size_t fn_eval_roc(const double *distance, const uint8_t *same, size_t pairs,
                   double far[FN_ROC_POINTS], double tar[FN_ROC_POINTS], size_t *n_same,
                   size_t *n_diff);

/* The hardest pairs of a kind, hardest first: same pairs that are far apart, different ones that
 * are near. Ties: the earlier pair. At most `most`; the count. */
size_t fn_eval_hardest(const double *distance, const uint8_t *same, size_t pairs, int kind,
                       size_t most, uint32_t *hardest);

#ifdef __cplusplus
}
#endif
#endif
