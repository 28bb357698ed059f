/* SPDX-License-Identifier: MIT */
/* Addressed randomness: a value is a function of where it is used, not of how many were drawn
 * before. One thread or sixteen, straight through or resumed: the same crops.
 *
 * fn_rng(seed, a, b, purpose) mixes the four words with the finalizer of SplitMix64 (Steele, Lea,
 * Flood: Fast splittable pseudorandom number generators, 2014): h = 0, then for each word w, in the
 * order seed, a, b, purpose: h = output number w, from 0, of the SplitMix64 stream that starts at
 * h. Pure functions, any thread. The values are part of the file formats' promise of repeatable
 * runs: never change them. */
#ifndef FN_BASE_RNG_H
#define FN_BASE_RNG_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a value is for. Two uses never share a number; new ones go to the end. */
enum fn_rng_purpose {
    FN_RNG_SHUFFLE = 1, /* order of records in a pass: a = pass, b = round of the bijection */
    FN_RNG_SPLIT,       /* training / validation split: a = class, b = image */
    FN_RNG_CROP_X,      /* a = pass, b = position */
    FN_RNG_CROP_Y,
    FN_RNG_FLIP,
    FN_RNG_ROTATE,
    FN_RNG_INIT,    /* initial weights: a = tensor number, b = element */
    FN_RNG_DROPOUT, /* a = step, b = element */
    FN_RNG_SHEET,   /* which records a contact sheet shows */
    FN_RNG_PEOPLE,  /* triplet sampling: a = group, b = draw */
    FN_RNG_IMAGES,
    FN_RNG_NEGATIVE,
    FN_RNG_TRIPLETS, /* order of selected triplets */
    FN_RNG_SAMPLE,   /* the drawn faces of samples/ */
    FN_RNG_REPLACE,  /* which record stands in for a corrupt one */
    FN_RNG_WINDOW    /* --shuffle window: a = pass, b = what (sampler_window.c) */
};

/* 64 uniform bits. */
uint64_t fn_rng(uint64_t seed, uint64_t a, uint64_t b, uint64_t purpose);

/* Bits -> uniform double in [0, 1): the upper 53 bits. */
double fn_rng_unit(uint64_t bits);

/* Bits -> uniform integer in [0, n), n >= 1, by multiplication (bias below n / 2^64). */
uint64_t fn_rng_below(uint64_t bits, uint64_t n);

/* A keyed bijection of [0, n): position -> index, O(1) memory, any position directly.
 * A Feistel network of 10 rounds over the smallest even number of bits that holds n, with
 * cycle-walking (Black, Rogaway: Ciphers with arbitrary finite domains, 2002). With 6 rounds an
 * index among five comes to a position up to 4 % too often or too seldom, with 8 still 1 %; with 10
 * nothing is seen over 300,000 seeds. 1 <= n <= 2^62, position < n. */
uint64_t fn_rng_permute(uint64_t seed, uint64_t pass, uint64_t n, uint64_t position);

#ifdef __cplusplus
}
#endif
#endif
