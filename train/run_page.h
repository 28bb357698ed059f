/* SPDX-License-Identifier: MIT */
/* The page of a training run: curves, speed, what it is and where it was resumed. It is made from
 * the files in the run's folder of logs alone, so the trainer rewrites it while it works and anyone
 * can make it afterwards. */
#ifndef FN_TRAIN_RUN_PAGE_H
#define FN_TRAIN_RUN_PAGE_H

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FN_RUN_PAGE "report.html"

/* Columns of starts.tsv, a line each time that a process begins or goes on: the step it begins
 * behind, begun | resumed | went back, UTC, device, command line. The history of a run: nothing
 * ever cuts it. */
#define FN_RUN_STARTS "starts.tsv"
#define FN_RUN_STARTS_TITLE "#step\twhat\ttime\tdevice\tcommand\n"

/* logs -> path, atomically. What is missing in the folder is missing on the page. FN_ENOENT: no
 * such folder, or none of a run. */
int fn_run_page(const char *logs, const char *path);

/* The same by the folder of models of a run (its newest checkpoint knows where the logs are), or by
 * its folder of logs; the page is put there, and *path (malloc'd) says so. */
int fn_run_page_of(const char *run, char **path);

#ifdef __cplusplus
}
#endif
#endif
