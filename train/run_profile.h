/* SPDX-License-Identifier: MIT */
/* fn-train --profile: where the time of a training step goes. */
#ifndef FN_TRAIN_RUN_PROFILE_H
#define FN_TRAIN_RUN_PROFILE_H

#include <stdio.h>

#include "train/train_options.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Trains a few steps on the store, on the device and with the batch of these options, first as a
 * run does, then with a sync after every operation, and writes nothing but a table to `out` (with
 * --json an object on stdout). Steps: --max_steps, 3 without; one more before them warms up.
 *
 * A kind of operation, and a layer forward and backward: milliseconds a step, share of all
 * operations, GFLOP/s, megabytes and GB/s. Operations are two a multiply-add of the direct
 * convolution: an algorithm that needs fewer shows more than the machine has. Bytes are what an
 * operation must at least read and write: its tensors once. Residual additions, pools and fully
 * connected layers stand with both directions in their forward row. Beside them: the step's own
 * time, its share spent waiting for the loader, what processors did besides (idle), planned and
 * used memory. */
int fn_run_profile(const struct fn_train_options *options, FILE *out);

#ifdef __cplusplus
}
#endif
#endif
