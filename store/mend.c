/* SPDX-License-Identifier: MIT */
/* Trying every bit. */
#include "store/mend.h"

#include <string.h>

#include <xxhash.h>

int fn_mend_any(struct fn_mend *mend, uint8_t *at, size_t bytes, uint64_t cost, void *context,
                int (*fits)(void *context, const uint8_t *at, size_t bytes))
{
    uint64_t tries = 8 * (uint64_t)bytes;
    if (bytes == 0 || bytes > UINT32_MAX || cost > UINT32_MAX || mend->left / tries < cost)
        return 0;
    mend->left -= tries * cost;
    for (size_t i = 0; i < bytes; i++)
        for (unsigned bit = 1; bit < 256; bit <<= 1) {
            at[i] ^= (uint8_t)bit;
            if (fits(context, at, bytes))
                return 1;
            at[i] ^= (uint8_t)bit;
        }
    return 0;
}

static int fits_sum(void *context, const uint8_t *at, size_t bytes)
{
    return XXH3_64bits(at, bytes) == *(const uint64_t *)context;
}

int fn_mend_sum64(struct fn_mend *mend, uint8_t *at, size_t bytes)
{
    uint64_t want;
    if (bytes <= sizeof want)
        return 0;
    memcpy(&want, at, sizeof want);
    uint64_t sum = XXH3_64bits(at + sizeof want, bytes - sizeof want);
    uint64_t wrong = sum ^ want;
    if ((wrong & (wrong - 1)) == 0) { /* the checksum itself has the bit (or none has) */
        memcpy(at, &sum, sizeof sum);
        return 1;
    }
    return fn_mend_any(mend, at + sizeof want, bytes - sizeof want, bytes - sizeof want, &want,
                       fits_sum);
}
