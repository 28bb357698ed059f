/* SPDX-License-Identifier: MIT */
/* Parameters of a model from and to safetensors with facenet-pytorch's names and layouts.
 *
 * The file has for every batch norm also `<bn>.weight` (gamma, 1 here: the network has none) and
 * `<bn>.num_batches_tracked` (PyTorch's own count; not used). */
#ifndef FN_TRAIN_WEIGHTS_H
#define FN_TRAIN_WEIGHTS_H

#include <stddef.h>
#include <stdint.h>

#include "train/model.h"
#include "train/safetensors.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How strict loading is. The head is logits.*, the bottleneck last_linear and last_bn. */
enum fn_weights_rule {
    FN_WEIGHTS_ALL = 0,   /* everything must be there in its shape */
    FN_WEIGHTS_PRETRAINED /* head and bottleneck of another size, or absent, keep their values */
};

struct fn_weights_report {
    size_t loaded;  /* tensors that were taken (gammas that are 1 count) */
    size_t reset;   /* parameters of another shape in the file: keep what they had */
    size_t missing; /* parameters that the file has not */
    size_t ignored; /* tensors of the file that the network has no use for */
    int classes;    /* of the file's head; 0: it has none */
    int embedding;  /* of the file's bottleneck; 0: it has none */
    char first_reset[FN_NET_NAME], first_missing[FN_NET_NAME];
};

/* Into FN_ARENA_W of a committed model. FN_EMISMATCH: another architecture (names the first tensor
 * and both shapes), a gamma that is not 1; FN_ECORRUPT: a value that is not finite, a checksum. */
int fn_weights_load(struct fn_model *model, const struct fn_safetensors *st, const char *where,
                    enum fn_weights_rule rule, struct fn_weights_report *report);

/* Sizes of a file's network, without a model: classes and embedding as in the report. FN_EMISMATCH:
 * no bottleneck in it. */
int fn_weights_sizes(const struct fn_safetensors *st, const char *where, int *embedding,
                     int *classes);

/* Write them, atomically. arena: FN_ARENA_W or FN_ARENA_EMA. batches: num_batches_tracked. */
int fn_weights_save(struct fn_model *model, int arena, int64_t batches, const char *path,
                    const struct fn_meta *meta, size_t meta_count);

/* A batch norm's prefix ("repeat_1.0.branch0.bn") from the name of its moving mean. */
void fn_weights_bn(const struct fn_net_param *mean, char prefix[FN_NET_NAME]);

#ifdef __cplusplus
}
#endif
#endif
