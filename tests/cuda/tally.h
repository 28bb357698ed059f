/* SPDX-License-Identifier: MIT */
/* Counts what kernels move between their multiprocessor and memory: every load and store that the
 * compiled kernel makes of device memory, found by the compiler's instrumentation (the kernels are
 * compiled once more with -fsanitize=thread, whose calls end here, not in a sanitizer).
 *
 * Memory moves in sectors of 32 bytes. Every block has a cache of 64 KiB of its own (an eighth to a
 * quarter of what a multiprocessor has for all its blocks), empty when it begins: a sector that was
 * fetched before the last 64 KiB is fetched again, and nothing is kept from block to block. What a
 * GPU's second cache saves beyond that is not counted as saved. Loads and stores have a cache each.
 */
#ifndef FN_TESTS_CUDA_TALLY_H
#define FN_TESTS_CUDA_TALLY_H

#include <stddef.h>
#include <stdint.h>

struct fn_tally {
    char kernel[48]; /* file and kernel: "bn sums", or one word where they are the same */
    uint64_t launches, blocks;
    uint64_t read, written; /* bytes */
};

/* Counts from 0, after the first allocation of device memory; one thread launches. */
void fn_tally_begin(void);
/* What was run since; valid until the next begin. Returns how many rows there are. */
size_t fn_tally_end(const struct fn_tally **rows);

#endif
