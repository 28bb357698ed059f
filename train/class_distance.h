/* SPDX-License-Identifier: MIT */
/* How far each picture's embedding lies from the centre of its class: what --filter_filename of
 * fn-train reads (filter.h has the format). */
#ifndef FN_TRAIN_CLASS_DISTANCE_H
#define FN_TRAIN_CLASS_DISTANCE_H

#include <stddef.h>
#include <stdint.h>

#include "train/embed_inputs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Writes the table to `path`. npy: the finished file of embeddings, (rows, dims): one row for each
 * of the inputs whose byte in left_out is 0, in order. It is mapped, not read: memory is a centre a
 * class. */
int fn_class_distance_write(const char *path, struct fn_embed_inputs *inputs,
                            const uint8_t *left_out, const char *npy, size_t dims);

#ifdef __cplusplus
}
#endif
#endif
