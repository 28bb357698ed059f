/* SPDX-License-Identifier: MIT */
/* Statistics of a run as TSV: a header, then a row a step (or validation, or epoch). The first
 * column is the row's key, a whole number that never falls. On resume, rows with a later key than
 * the checkpoint's are cut off, and a torn last line too: no step stands twice. One thread a file.
 */
#ifndef FN_TRAIN_METRICS_H
#define FN_TRAIN_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fn_metrics_column {
    const char *name;
    int decimals; /* >= 0: "%.*f"; < 0: "%.9g", enough for a float to come back as it was */
};
#define FN_METRICS_MAX_COLUMNS 32

struct fn_metrics;

/* columns: those after the key, whose name is `key` (NULL: no header line, as in lfw_result.txt).
 * last < 0: a new file. Else: go on in an existing one (a new one if there is none), keeping rows
 * whose key <= last. FN_EFORMAT: the existing file is not such a file (other columns, a row without
 * a key). The column array is copied, its names are borrowed. */
int fn_metrics_open(struct fn_metrics **metrics, const char *path, const char *key,
                    const struct fn_metrics_column *columns, size_t count, int64_t last);

/* values: `count` of the open call; NAN is written "nan". */
int fn_metrics_row(struct fn_metrics *metrics, int64_t key, const double *values);

int fn_metrics_flush(struct fn_metrics *metrics);  /* to the operating system */
int fn_metrics_sync(struct fn_metrics *metrics);   /* to the disk: before a checkpoint */
int fn_metrics_close(struct fn_metrics **metrics); /* flushes */

#ifdef __cplusplus
}
#endif
#endif
