/* SPDX-License-Identifier: MIT */
/* What the files of eval_page*.c share. */
#ifndef FN_TRAIN_EVAL_PAGE_PARTS_H
#define FN_TRAIN_EVAL_PAGE_PARTS_H

#include "base/chart.h"
#include "train/eval_page.h"

/* 1: below the threshold of its fold, so taken for one person. */
int fn_eval_accepted(const struct fn_lfw_result *result, size_t pair);

/* eval_page_pairs.c */
int fn_eval_page_pairs(struct fn_html *html, const struct fn_eval_page *page);

#endif
