/* SPDX-License-Identifier: MIT */
/* Five pixels at a time by one byte shuffle. */
#include <stddef.h>

#include "train/mirror.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

__attribute__((target("ssse3"))) static void mirror(uint8_t *to, const uint8_t *from, int pixels)
{
    /* The sixteen bytes loaded begin one before the five pixels; the last one stored is the next
     * pixel's first, written again later. With six pixels left, both are inside the rows. */
    const __m128i order =
        _mm_setr_epi8(13, 14, 15, 10, 11, 12, 7, 8, 9, 4, 5, 6, 1, 2, 3, (char)0x80);
    for (; pixels >= 6; pixels -= 5, to += 15) {
        const uint8_t *p = from + 3 * (pixels - 5) - 1;
        __m128i five = _mm_loadu_si128((const __m128i *)p);
        _mm_storeu_si128((__m128i *)to, _mm_shuffle_epi8(five, order));
    }
    fn_mirror_plain(to, from, pixels);
}

fn_mirror *fn_mirror_ssse3(void)
{
    return __builtin_cpu_supports("ssse3") ? mirror : NULL;
}

#else

fn_mirror *fn_mirror_ssse3(void)
{
    return NULL;
}

#endif
