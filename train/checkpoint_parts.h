/* SPDX-License-Identifier: MIT */
/* What the files of checkpoint*.c share. */
#ifndef FN_TRAIN_CHECKPOINT_PARTS_H
#define FN_TRAIN_CHECKPOINT_PARTS_H

#include "train/checkpoint.h"

#ifdef __cplusplus
extern "C" {
#endif

/* checksums: object, file name -> the XXH3-64 in its metadata. */
int fn_state_write(const char *path, const struct fn_train_state *state, const json_t *checksums);
/* *checksums (may be NULL): a new reference. */
int fn_state_read(const char *folder, struct fn_train_state *state, json_t **checksums);

/* state.safetensors: optimizer slots and centers. */
int fn_slots_write(struct fn_model *model, const char *path);
int fn_slots_read(struct fn_model *model, const struct fn_safetensors *st, const char *where);

#ifdef __cplusplus
}
#endif
#endif
