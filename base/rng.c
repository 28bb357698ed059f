/* SPDX-License-Identifier: MIT */
/* Hashes of addresses, and the bijection built from them. */
#include "base/rng.h"

#include <assert.h>

/* The odd integer nearest to 2^64 / golden ratio: the step of SplitMix64. */
#define GOLDEN UINT64_C(0x9e3779b97f4a7c15)

/* SplitMix64's finalizer: Stafford's variant 13 of MurmurHash3's (Steele, Lea, Flood 2014, 3). */
static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Output number `word` of the SplitMix64 stream that starts at `state`: what one word adds to an
 * address. For a fixed state it is a bijection of the word, so neighbours never collide. */
static uint64_t add_word(uint64_t state, uint64_t word)
{
    return mix(state + (word + 1) * GOLDEN);
}

uint64_t fn_rng(uint64_t seed, uint64_t a, uint64_t b, uint64_t purpose)
{
    return add_word(add_word(add_word(add_word(0, seed), a), b), purpose);
}

double fn_rng_unit(uint64_t bits)
{
    return (double)(bits >> 11) * 0x1p-53;
}

/* The upper word of bits * n (Lemire: Fast random integer generation in an interval, 2019, without
 * the rejection), from four 32-bit products: C11 has no 128-bit type. */
uint64_t fn_rng_below(uint64_t bits, uint64_t n)
{
    uint64_t bl = bits & UINT32_MAX, bh = bits >> 32;
    uint64_t nl = n & UINT32_MAX, nh = n >> 32;
    uint64_t middle = bh * nl + ((bl * nl) >> 32); /* at most 2^64 - 2^32: no carry is lost */
    uint64_t carry = (bl * nh + (middle & UINT32_MAX)) >> 32;
    return bh * nh + (middle >> 32) + carry;
}

enum { ROUNDS = 10 };

uint64_t fn_rng_permute(uint64_t seed, uint64_t pass, uint64_t n, uint64_t position)
{
    assert(position < n); /* else the walk below might never end */
    if (n == 1)
        return 0;
    unsigned half = 1; /* bits of each half: 2^(2 * half) >= n */
    while (half < 31 && (UINT64_C(1) << (2 * half)) < n)
        half++;
    const uint64_t mask = (UINT64_C(1) << half) - 1;

    uint64_t key[ROUNDS];
    for (unsigned r = 0; r < ROUNDS; r++)
        key[r] = fn_rng(seed, pass, r, FN_RNG_SHUFFLE);

    /* The network permutes a domain less than 4 n; a value that falls outside [0, n) is sent
     * through again. The walk ends: it follows a cycle that holds the position itself. */
    uint64_t x = position;
    do {
        uint64_t left = x >> half, right = x & mask;
        for (unsigned r = 0; r < ROUNDS; r++) {
            uint64_t next = left ^ (add_word(key[r], right) >> (64 - half));
            left = right;
            right = next;
        }
        x = left << half | right;
    } while (x >= n);
    return x;
}
