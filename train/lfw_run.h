/* SPDX-License-Identifier: MIT */
/* The LFW evaluation from end to end: pairs, pictures, embeddings, figures. fn-eval and the trainer
 * call it, so that both say the same of the same network. */
#ifndef FN_TRAIN_LFW_RUN_H
#define FN_TRAIN_LFW_RUN_H

#include "base/json.h"
#include "train/embed.h"
#include "train/lfw.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fn_lfw_run_options {
    const char *pairs;        /* pairs.txt */
    const char *tree, *boxes; /* pictures from class folders (boxes NULL: as they are), or */
    const char *store;        /* from a store; exactly one of tree and store */
    int image_size;
    struct fn_lfw_options evaluate;
};

struct fn_lfw_run {
    struct fn_lfw_run_options options; /* its paths are forgotten after opening */
    char *root;                        /* of a tree; the source reads it */
    struct fn_pairs *pairs;
    struct fn_boxes *boxes;
    struct fn_store *store;
    struct fn_lfw *lfw;
    struct fn_source *source;
    struct fn_embed *embed;
};

/* Reads the pairs, finds the pictures; warns about missing ones. */
int fn_lfw_run_open(struct fn_lfw_run **run, const struct fn_lfw_run_options *options);
/* With an exec: may be called once, before evaluate. */
int fn_lfw_run_attach(struct fn_lfw_run *run, struct fn_exec *exec,
                      const struct fn_embed_options *options);
/* Embed all pictures and evaluate. *result is the caller's (fn_lfw_result_free). */
int fn_lfw_run_evaluate(struct fn_lfw_run *run, struct fn_lfw_result *result);
/* Memory of it on the host, the ring of batches included, beside what opening took. */
uint64_t fn_lfw_run_bytes(const struct fn_lfw_run *run, const struct fn_net *net, int batch,
                          int flip);
void fn_lfw_run_close(struct fn_lfw_run **run); /* before the exec */

/* The figures as JSON: accuracy accuracy_std val val_std far auc eer pairs skipped folds threshold;
 * what does not exist is null. NULL: out of memory. */
json_t *fn_lfw_run_json(const struct fn_lfw_run *run, const struct fn_lfw_result *result);

#ifdef __cplusplus
}
#endif
#endif
