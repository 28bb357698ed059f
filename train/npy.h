/* SPDX-License-Identifier: MIT */
/* NumPy's .npy, version 1.0: float32 (rows, cols), C order, little-endian, written row by row.
 * The file appears under its name only when complete. */
#ifndef FN_TRAIN_NPY_H
#define FN_TRAIN_NPY_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/file.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fn_npy;
int fn_npy_open(struct fn_npy **npy, const char *path, size_t cols);  /* cols >= 1 */
int fn_npy_rows(struct fn_npy *npy, const float *rows, size_t count); /* (count, cols) */
int fn_npy_commit(struct fn_npy *npy); /* header with the final number of rows, fsync, rename */

/* A finished file of this writer, read in place: *data has (rows, cols) numbers until fn_map_close.
 * FN_EFORMAT: it has another number of bytes. Little-endian machines only, as the format. */
int fn_npy_map(struct fn_map *map, const char *path, uint64_t rows, size_t cols,
               const float **data);
void fn_npy_close(struct fn_npy **npy); /* without a commit: nothing is left */

#ifdef __cplusplus
}
#endif
#endif
