/* SPDX-License-Identifier: MIT */
/* fn-ingest --repair: looks, rewrites, swaps, reports. */
#ifndef FN_INGEST_RUN_REPAIR_H
#define FN_INGEST_RUN_REPAIR_H

#include "ingest/options.h"

#ifdef __cplusplus
extern "C" {
#endif

/* begun: fn_now() when the program began. Prints the summary. */
int fn_run_repair(const struct fn_options *options, double begun);

#ifdef __cplusplus
}
#endif
#endif
