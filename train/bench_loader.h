/* SPDX-License-Identifier: MIT */
/* fn-train --bench-loader: how fast this store feeds a run, and how fast it could. */
#ifndef FN_TRAIN_BENCH_LOADER_H
#define FN_TRAIN_BENCH_LOADER_H

#include <stdio.h>

#include "train/train_options.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Feeds batches as a run with these options would, to nobody, in turns with the plain decoding of
 * whole pictures of the same records by as many threads: that is the ceiling. Then one thread does
 * each part of the work by itself. Nothing is written; no network is made. About 10 seconds; with
 * --max_steps, that many batches a turn. Printed to `out` as a table, or with --json on stdout:
 *
 *     images a second, and a second of processor time (which others on the machine change little),
 *     best of several turns; the loader's share of the ceiling, more than 1 where rows are left
 *     out; microseconds of processor time an image for: order, find (index, tree), checksum,
 *     decode, crop (and rotation, mirror, memory), batch (threads, ring; what is left);
 *     anonymous and shared memory */
int fn_bench_loader(const struct fn_train_options *options, FILE *out);

#ifdef __cplusplus
}
#endif
#endif
