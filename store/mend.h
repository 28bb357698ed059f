/* SPDX-License-Identifier: MIT */
/* One flipped bit put right. A checksum of 64 bits names the bytes it was made of so surely that
 * among all texts that differ from a damaged one in a single bit at most one fits; so all are
 * tried. That costs 8 n^2 bytes of summing for n bytes: a budget keeps a repair from taking days
 * over what is past mending, and being one of bytes and not of time it gives the same result each
 * time. */
#ifndef FN_STORE_MEND_H
#define FN_STORE_MEND_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FN_MEND_BUDGET (1ULL << 38) /* some twenty seconds; 250 records of 12 kB */

struct fn_mend {
    uint64_t left; /* bytes that may still be summed */
};

/* at[0 .. bytes): a u64 checksum, XXH3-64 of all bytes behind it (records and groups are so). 1: a
 * bit was turned and now it fits; 0: no single bit is to blame, or the budget is used up. */
int fn_mend_sum64(struct fn_mend *mend, uint8_t *at, size_t bytes);

/* Any test: `fits` is asked about the bytes with each bit turned in turn, at `cost` bytes a time.
 */
int fn_mend_any(struct fn_mend *mend, uint8_t *at, size_t bytes, uint64_t cost, void *context,
                int (*fits)(void *context, const uint8_t *at, size_t bytes));

#ifdef __cplusplus
}
#endif
#endif
