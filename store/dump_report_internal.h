/* SPDX-License-Identifier: MIT */
/* What the files of the report share. */
#ifndef FN_STORE_DUMP_REPORT_INTERNAL_H
#define FN_STORE_DUMP_REPORT_INTERNAL_H

#include "base/chart.h"
#include "store/dump_internal.h"

struct fn_report {
    const struct fn_dump *d;
    struct fn_store *store;
    struct fn_reader *reader;
    struct fn_codec *codec;
    struct fn_html *html;
    struct fn_dump_sizes sizes;
    struct fn_image picture, small; /* scratch */
    struct fn_bytes jpeg;
    uint64_t shown, bad; /* pictures */
};

/* dump_report_faces.c: one face each of some classes; some faces each of few classes. */
int fn_report_overview(struct fn_report *r);
int fn_report_sheets(struct fn_report *r);
/* dump_report_rejects.c: what became of the rows, and of those not taken: why, and examples. */
int fn_report_rows(struct fn_report *r);

#endif
