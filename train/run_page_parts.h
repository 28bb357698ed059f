/* SPDX-License-Identifier: MIT */
/* What the files of run_page*.c share. */
#ifndef FN_TRAIN_RUN_PAGE_PARTS_H
#define FN_TRAIN_RUN_PAGE_PARTS_H

#include "base/chart.h"
#include "train/run_page.h"
#include "train/run_table.h"

enum { FN_RUN_STARTS_MAX = 200 };

struct fn_run_start {
    double step;
    char *field[4]; /* what, time, device, command: into the text of starts.tsv */
};

struct fn_run_logs {
    const char *folder;
    struct fn_html *html;
    struct fn_run_table steps, validation, epochs, groups;
    char *arguments, *revision, *starts_text; /* NULL: there is no such file */
    struct fn_run_start starts[FN_RUN_STARTS_MAX];
    size_t start_count;
    double resumed[FN_RUN_STARTS_MAX]; /* steps of those starts that are not the first */
    size_t resumed_count;
};

/* run_page_facts.c */
int fn_run_logs_read(struct fn_run_logs *l, const char *folder);
void fn_run_logs_free(struct fn_run_logs *l);
/* "name: value" of arguments.txt or revision_info.txt into buf, which is returned; "" if missing.
 */
char *fn_run_logs_value(const char *text, const char *name, char *buf, size_t cap);
void fn_run_page_facts(struct fn_run_logs *l); /* device, store, starts, options */

/* run_page_curves.c */
void fn_run_page_tiles(struct fn_run_logs *l);
void fn_run_page_learning(struct fn_run_logs *l);
void fn_run_page_speed(struct fn_run_logs *l);

#endif
