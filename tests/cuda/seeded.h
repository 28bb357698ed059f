/* SPDX-License-Identifier: MIT */
/* Kernels with mistakes in them, which the emulator must notice. */
#ifndef FN_TESTS_CUDA_SEEDED_H
#define FN_TESTS_CUDA_SEEDED_H

#ifdef __cplusplus
extern "C" {
#endif

enum { FN_SEEDED_THREADS = 96, FN_SEEDED_BLOCKS = 5 };
enum fn_seeded {
    FN_SEEDED_NONE = 0,
    FN_SEEDED_NO_BARRIER,        /* sums are read before all are written */
    FN_SEEDED_NO_SECOND_BARRIER, /* written again before all have read */
    FN_SEEDED_DIVERGENT_BARRIER, /* one warp only comes to it */
    FN_SEEDED_TWO_BARRIERS,      /* the two halves of an if meet at different ones */
    FN_SEEDED_EARLY_EXIT,        /* a thread returns before the barrier */
    FN_SEEDED_MISSING_LANE,      /* a shuffle inside of an if */
    FN_SEEDED_OUTSIDE_MASK,      /* a lane that is not in its mask */
    FN_SEEDED_OVERRUN,           /* one number behind the end is written */
    FN_SEEDED_FAR_READ,          /* a page behind the end is read */
    FN_SEEDED_UNDERRUN,          /* a page before the start is written */
    FN_SEEDED_SHARED_OVERRUN,    /* one number behind shared memory is written */
    FN_SEEDED_SHARED_UNSET,      /* shared memory that nobody wrote is read */
    FN_SEEDED_SHARED_TOO_MUCH,
    FN_SEEDED_MISALIGNED,  /* a vector of 16 bytes at an odd place */
    FN_SEEDED_BLOCK_ORDER, /* the first block is taken to run first */
    FN_SEEDED_LAST_BLOCK,  /* the last block's sums are in the order of arrival */
    FN_SEEDED_COUNT
};

/* out[b] = sum of the block's threads' in, for FN_SEEDED_BLOCKS blocks; out[FN_SEEDED_BLOCKS] = sum
 * of these. in: blocks x threads. counter: 0. Returns the launch's error. */
int fn_seeded(int mistake, const float *in, float *out, unsigned *counter);
int fn_seeded_empty(const float *in, float *out); /* a launch of no blocks */

#ifdef __cplusplus
}
#endif
#endif
