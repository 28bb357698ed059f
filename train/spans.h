/* SPDX-License-Identifier: MIT */
/* Where temporary buffers lie in one arena: buffers that are not alive at the same time share
 * bytes. Largest first, each into the smallest gap that takes it (Pisarchyk, Lee: Efficient memory
 * management for deep neural net inference, 2020, "greedy by size"). */
#ifndef FN_TRAIN_SPANS_H
#define FN_TRAIN_SPANS_H

#include <stddef.h>

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fn_span {
    size_t bytes;
    int first, last; /* ticks at which it is written first and used last; first < 0: never used */
    size_t offset;   /* out: from the arena's start, a multiple of FN_SPAN_ALIGN */
};
#define FN_SPAN_ALIGN                                                                              \
    4096 /* a page: no two buffers share one that the system might hand out late */

/* Fills the offsets; *bytes is the size of the arena. FN_ENOMEM. */
int fn_spans_place(struct fn_span *spans, size_t count, size_t *bytes);

#ifdef __cplusplus
}
#endif
#endif
