/* SPDX-License-Identifier: MIT */
/* A TSV of a run's logs (metrics.h writes them) read back for a picture: as many points as one can
 * see, each the mean of so many rows with their least and most. Memory does not grow with the run.
 */
#ifndef FN_TRAIN_RUN_TABLE_H
#define FN_TRAIN_RUN_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FN_RUN_TABLE_COLUMNS 16

struct fn_run_column {
    char name[32];
    double *mean, *low, *high; /* [points]; NAN where no row of the point is finite */
    double last;               /* of the last row */
    size_t bad;                /* rows that are not finite */
};
struct fn_run_table {
    size_t rows, points; /* in the file; points = rows where they are few */
    size_t columns;      /* the key is the first */
    struct fn_run_column column[FN_RUN_TABLE_COLUMNS];
};

/* At most `most` points. names: of a file without a header line (NULL behind the last); NULL: the
 * first line has them. A missing file is a table of no rows; a torn last line is not there. */
int fn_run_table_read(struct fn_run_table *table, const char *path, size_t most,
                      const char *const *names);
/* NULL: there is none, or no row. */
const struct fn_run_column *fn_run_table_column(const struct fn_run_table *table, const char *name);
void fn_run_table_free(struct fn_run_table *table); /* also of a zeroed struct */

#ifdef __cplusplus
}
#endif
#endif
