/* SPDX-License-Identifier: MIT */
/* A trained network on disk: a safetensors file with, in its metadata, what must be known to use it
 * as it was trained. Files of others (published ones) have no such record: they are taken as 160
 * pixels, fixed standardization, RGB. */
#ifndef FN_TRAIN_MODEL_FILE_H
#define FN_TRAIN_MODEL_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "train/net.h"
#include "train/safetensors.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How pictures become what the network sees, and which network it is. */
struct fn_model_record {
    int known;                 /* the file says so itself; else the defaults above */
    char network[FN_NET_NAME]; /* "inception_resnet_v1" */
    int image_size;            /* pixels of the square */
    int per_image;             /* standardization: 0 fixed, 1 per image */
    int embedding, classes;    /* sizes of bottleneck and head; classes 0: no head */
    int64_t step;              /* updates done */
};

struct fn_model_file {
    char *path;   /* of the weights: model.safetensors, or the file itself */
    char *folder; /* of the checkpoint it stands in; NULL: a file alone */
    struct fn_safetensors *st;
    struct fn_model_record record;
};

/* path: a file, a checkpoint's folder, or a run's folder (its newest checkpoint). ema: the moving
 * averages instead of the weights (checkpoints only: FN_ENOENT). FN_EFORMAT, FN_EVERSION,
 * FN_EMISMATCH: not such a file, a newer one, not this network. */
int fn_model_file_open(struct fn_model_file **file, const char *path, int ema);
void fn_model_file_close(struct fn_model_file **file);

/* The metadata that stand for a record. Keys and values live in *text. */
#define FN_RECORD_KEYS 9
struct fn_record_text {
    struct fn_meta meta[FN_RECORD_KEYS];
    char values[FN_RECORD_KEYS][FN_NET_NAME];
};
void fn_record_write(const struct fn_model_record *record, struct fn_record_text *text);

/* What a tool was told about the pictures: < 0 where it was told nothing. */
struct fn_preprocessing {
    int image_size, per_image;
};
/* Does it agree with the file? FN_EMISMATCH where both know and differ. A file without a record
 * takes what was told. The result stands in file->record; what was assumed is said by fn_info. */
int fn_model_file_agree(struct fn_model_file *file, const struct fn_preprocessing *told);

#ifdef __cplusplus
}
#endif
#endif
