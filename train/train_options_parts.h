/* SPDX-License-Identifier: MIT */
/* Between the files of train_options*.c. */
#ifndef FN_TRAIN_TRAIN_OPTIONS_PARTS_H
#define FN_TRAIN_TRAIN_OPTIONS_PARTS_H

#include "train/train_options.h"

#ifdef __cplusplus
extern "C" {
#endif

extern struct fn_train_options fn_train_values;
extern struct fn_arg fn_train_args[];

/* train_options_extra.c: what goes beyond the originals; fills in what depends on other options. */
int fn_train_options_check_extra(struct fn_train_options *options);

#ifdef __cplusplus
}
#endif
#endif
