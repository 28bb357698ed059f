/* SPDX-License-Identifier: MIT */
/* base64 by AVX-512 VBMI: 64 characters to 48 bytes a step, with the whole alphabet as one
 * two-register look-up, after Mula, Lemire: Base64 encoding and decoding at almost the speed of a
 * memory copy (2019). */
#include "ingest/base64_simd.h"

#include <immintrin.h>

#define STEP 64

/* Values of the bytes 0..63 and 64..127; 0x80 for those outside the alphabet. */
static const uint8_t values[128] = {
#define NO4 0x80, 0x80, 0x80, 0x80
#define NO16 NO4, NO4, NO4, NO4
    NO16, NO16, NO4, NO4, 0x80, 0x80, 0x80, 62, 0x80, 0x80, 0x80, 63,        /* '+' '/' */
    52,   53,   54,  55,  56,   57,   58,   59, 60,   61,   0x80, 0x80, NO4, /* '0' .. '9' */
    0x80, 0,    1,   2,   3,    4,    5,    6,  7,    8,    9,    10,   11,
    12,   13,   14,                                                          /* 'A' .. 'O' */
    15,   16,   17,  18,  19,   20,   21,   22, 23,   24,   25,   0x80, NO4, /* 'P' .. 'Z' */
    0x80, 26,   27,  28,  29,   30,   31,   32, 33,   34,   35,   36,   37,
    38,   39,   40,                                                          /* 'a' .. 'o' */
    41,   42,   43,  44,  45,   46,   47,   48, 49,   50,   51,   0x80, NO4, /* 'p' .. 'z' */
};

/* Within each fours of 24 bits in 32, the three bytes in order: 2 1 0, 6 5 4, ... */
static const uint8_t packing[64] = {
    2,  1,  0,  6,  5,  4,  10, 9,  8,  14, 13, 12, 18, 17, 16, 22, 21, 20, 26, 25, 24, 30, 29, 28,
    34, 33, 32, 38, 37, 36, 42, 41, 40, 46, 45, 44, 50, 49, 48, 54, 53, 52, 58, 57, 56, 62, 61, 60,
};

size_t fn_base64_blocks_avx512(const uint8_t *text, size_t chars, uint8_t *out)
{
    const __m512i first = _mm512_loadu_si512(values), second = _mm512_loadu_si512(values + 64);
    const __m512i pack = _mm512_loadu_si512(packing);
    size_t at = 0;

    /* More than STEP left: the last group, which may be padded, is not for us. */
    for (; chars - at > STEP + 3; at += STEP, out += STEP / 4 * 3) {
        __m512i c = _mm512_loadu_si512(text + at);
        __m512i v = _mm512_permutex2var_epi8(first, c, second); /* by the low seven bits */
        if (_mm512_movepi8_mask(_mm512_or_si512(c, v)))
            break;
        v = _mm512_maddubs_epi16(v, _mm512_set1_epi32(0x01400140));
        v = _mm512_madd_epi16(v, _mm512_set1_epi32(0x00011000));
        v = _mm512_permutexvar_epi8(pack, v);
        _mm512_mask_storeu_epi8(out, (1ULL << 48) - 1, v);
    }
    return at;
}
