/* SPDX-License-Identifier: MIT */
/* --max-rejects: how much may be wrong with an input before a run stops. */
#ifndef FN_INGEST_LIMIT_H
#define FN_INGEST_LIMIT_H

#include <stddef.h>
#include <stdint.h>

#include "store/writer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A run that goes wrong from the start is stopped here, and not earlier: a few bad rows in front
 * say nothing about the rest. */
#define FN_LIMIT_FROM_ROW 1000

struct fn_limit {
    int percent; /* value is a percentage of the rows; else a number of rows */
    double value;
};
#define FN_LIMIT_DEFAULT                                                                           \
    {                                                                                              \
        1, 5                                                                                       \
    }

/* For the option table: "200" or "2.5%". FN_EUSAGE. value: struct fn_limit *. */
int fn_limit_check(void *value, const char *text);
void fn_limit_show(const void *value, char *buf, size_t cap);

/* FN_OK, or FN_ELIMIT with a sentence that has the row, the share and the commonest reasons. Judged
 * after every row, in order; at the end also where there were fewer than FN_LIMIT_FROM_ROW rows. */
int fn_limit_judge(const struct fn_limit *limit, const struct fn_writer_counts *counts, int at_end);

/* "40 bad_base64, 31 columns, 2 others": the commonest first, at most `most` of them. Returns buf.
 */
char *fn_reject_list(const uint64_t rejected[FN_REJECT_COUNT], int most, char *buf, size_t cap);

#ifdef __cplusplus
}
#endif
#endif
