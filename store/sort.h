/* SPDX-License-Identifier: MIT */
/* Sorting more than memory holds: items are byte strings, ordered by memcmp (a shorter one before
 * its continuation). Sorted runs go to a temporary file without a name, which ends with the
 * process. Memory is what fn_sort_open is given, plus 64 KiB a run while merging (256 runs at
 * most). One thread. */
#ifndef FN_STORE_SORT_H
#define FN_STORE_SORT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FN_SORT_ITEM_MAX 16384 /* bytes */
#define FN_SORT_END (-1)

struct fn_sort;
/* folder: where the temporary lies. memory: bytes, at least 64 KiB. */
int fn_sort_open(struct fn_sort **sort, const char *folder, size_t memory);
void fn_sort_close(struct fn_sort **sort);
int fn_sort_add(struct fn_sort *sort, const void *item, size_t bytes); /* copied */
/* After the last item. */
int fn_sort_start(struct fn_sort *sort);
/* The next item in order, valid until the next call; FN_SORT_END after the last. */
int fn_sort_next(struct fn_sort *sort, const uint8_t **item, size_t *bytes);

/* Numbers as keys: big-endian, so that memcmp orders them. */
static inline void fn_key64(uint8_t out[8], uint64_t value)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(value >> (56 - 8 * i));
}
static inline uint64_t fn_unkey64(const uint8_t in[8])
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | in[i];
    return value;
}
static inline void fn_key32(uint8_t out[4], uint32_t value)
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(value >> (24 - 8 * i));
}
static inline uint32_t fn_unkey32(const uint8_t in[4])
{
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

#ifdef __cplusplus
}
#endif
#endif
