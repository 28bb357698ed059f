/* SPDX-License-Identifier: MIT */
/* base64 by AVX2: 32 characters to 24 bytes a step. The two nibble look-ups that tell the alphabet
 * from everything else, and the packing, are those of Mula, Lemire: Faster base64 encoding and
 * decoding using AVX2 instructions (2018). */
#include "ingest/base64_simd.h"

#include <immintrin.h>

#define STEP 32
/* A step stores 32 bytes for 24: it runs only while so many characters are left that the 8 bytes
 * too many stay within the room that even a padded rest needs (48 characters: 34 bytes). */
#define LEFT 48

#define TWICE(...) _mm256_setr_epi8(__VA_ARGS__, __VA_ARGS__)

size_t fn_base64_blocks_avx2(const uint8_t *text, size_t chars, uint8_t *out)
{
    /* A byte is of the alphabet where the rows of its low and its high nibble share no bit. */
    const __m256i low = TWICE(0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x13,
                              0x1a, 0x1b, 0x1b, 0x1b, 0x1a);
    const __m256i high = TWICE(0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08, 0x10, 0x10, 0x10,
                               0x10, 0x10, 0x10, 0x10, 0x10);
    /* What to add to a byte to get its value, by high nibble; '/' shares one with '+' and goes one
     * row back. */
    const __m256i shift = TWICE(0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0);
    const __m256i pack = TWICE(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1);
    const __m256i join = _mm256_setr_epi32(0, 1, 2, 4, 5, 6, -1, -1);
    const __m256i slash = _mm256_set1_epi8('/');
    size_t at = 0;

    for (; chars - at >= LEFT; at += STEP, out += STEP / 4 * 3) {
        __m256i c = _mm256_loadu_si256((const __m256i *)(const void *)(text + at));
        __m256i hi = _mm256_and_si256(_mm256_srli_epi32(c, 4), slash);
        __m256i lo = _mm256_and_si256(c, slash);
        if (!_mm256_testz_si256(_mm256_shuffle_epi8(low, lo), _mm256_shuffle_epi8(high, hi)))
            break;
        __m256i row = _mm256_add_epi8(_mm256_cmpeq_epi8(c, slash), hi);
        __m256i v = _mm256_add_epi8(c, _mm256_shuffle_epi8(shift, row));
        v = _mm256_maddubs_epi16(v, _mm256_set1_epi32(0x01400140)); /* pairs: a << 6 | b */
        v = _mm256_madd_epi16(v, _mm256_set1_epi32(0x00011000));    /* fours: ab << 12 | cd */
        v = _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(v, pack), join);
        _mm256_storeu_si256((__m256i *)(void *)out, v);
    }
    return at;
}
