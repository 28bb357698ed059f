/* SPDX-License-Identifier: MIT */
/* What reading and writing of safetensors share. */
#ifndef FN_TRAIN_SAFETENSORS_INTERNAL_H
#define FN_TRAIN_SAFETENSORS_INTERNAL_H

#include "train/safetensors.h"

#define FN_SAFETENSORS_SUM "fn.xxh3" /* metadata key: XXH3-64 of all data, 16 hex digits */

/* Fills count and bytes from shape and dtype; 0: they do not fit into 64 bits. */
int fn_tensor_size(struct fn_named_tensor *t);

#endif
