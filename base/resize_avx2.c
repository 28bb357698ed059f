/* SPDX-License-Identifier: MIT */
/* The two passes of a resize for processors with AVX2, equal to the plain ones in every bit: sums
 * of integers do not depend on their order. A weight has 23 bits and the fast multiply-add takes
 * 16, so each is split: w p = (w >> 15) p 2^15 + (w & 32767) p, both sums exact in 32 bits. */
#include <string.h>

#include "base/image_internal.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

/* Rounds and scales eight sums back to 0..255 (and a little above: the packing cuts). */
AVX2 static inline __m256i finish(__m256i low, __m256i high)
{
    const __m256i half = _mm256_set1_epi32(1 << (FN_RESIZE_BITS - 1));
    __m256i sum = _mm256_add_epi32(low, _mm256_slli_epi32(high, FN_RESIZE_LOW_BITS));
    return _mm256_srli_epi32(_mm256_add_epi32(sum, half), FN_RESIZE_BITS);
}

AVX2 static inline __m256i spread(const uint32_t *pair)
{
    int v;
    memcpy(&v, pair, sizeof v);
    return _mm256_set1_epi32(v);
}

/* One output pixel of two rows at once: R G B 0 of the upper row in the lower half, of the lower
 * row in the upper half. */
AVX2 static inline __m256i two_pixels(const uint8_t *upper, const uint8_t *lower,
                                      const uint32_t *weights, int taps)
{
    /* pixels 0 and 1, then 2 and 3, as 16-bit pairs R0 R1 G0 G1 B0 B1 0 0 */
    const __m256i take01 = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1));
    const __m256i take23 = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1));
    __m256i low = _mm256_setzero_si256(), high = low;
    for (int i = 0; i < taps; i += 4, upper += 12, lower += 12, weights += 4) {
        __m256i both =
            _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)upper)),
                                    _mm_loadu_si128((const __m128i *)lower), 1);
        __m256i p01 = _mm256_shuffle_epi8(both, take01), p23 = _mm256_shuffle_epi8(both, take23);
        low = _mm256_add_epi32(low, _mm256_madd_epi16(p01, spread(weights)));
        high = _mm256_add_epi32(high, _mm256_madd_epi16(p01, spread(weights + 1)));
        low = _mm256_add_epi32(low, _mm256_madd_epi16(p23, spread(weights + 2)));
        high = _mm256_add_epi32(high, _mm256_madd_epi16(p23, spread(weights + 3)));
    }
    return finish(low, high);
}

/* Four output pixels (12 bytes in each half) of two rows. */
AVX2 static inline __m256i four_pixels(const struct fn_resize_axis *a, const uint8_t *upper,
                                       const uint8_t *lower, int x, int n, int taps)
{
    const __m256i squeeze = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1));
    __m256i sum[4];
    for (int i = 0; i < 4; i++) {
        int at = x + (i < n ? i : n - 1);
        size_t from = (size_t)a->first[at] * 3;
        sum[i] =
            two_pixels(upper + from, lower + from, a->halves + (size_t)at * (size_t)a->taps, taps);
    }
    __m256i words =
        _mm256_packus_epi16(_mm256_packs_epi32(sum[0], sum[1]), _mm256_packs_epi32(sum[2], sum[3]));
    return _mm256_shuffle_epi8(words, squeeze);
}

/* Two rows; out_lower may be out_upper where there is but one. `taps` is a constant in the caller
 * for the usual case, so that the inner loop vanishes. */
AVX2 static inline void two_rows(const struct fn_resize_axis *a, const uint8_t *upper,
                                 const uint8_t *lower, int taps, uint8_t *out_upper,
                                 uint8_t *out_lower)
{
    int x = 0;
    /* Stores of 16 bytes: the four too many are overwritten by the next pixels, of which there are
     * at least two here. */
    for (; x + 6 <= a->out; x += 4) {
        __m256i v = four_pixels(a, upper, lower, x, 4, taps);
        _mm_storeu_si128((__m128i *)(out_upper + (size_t)x * 3), _mm256_castsi256_si128(v));
        _mm_storeu_si128((__m128i *)(out_lower + (size_t)x * 3), _mm256_extracti128_si256(v, 1));
    }
    for (; x < a->out; x += 4) {
        int n = a->out - x < 4 ? a->out - x : 4;
        uint8_t last[32];
        _mm256_storeu_si256((__m256i *)last, four_pixels(a, upper, lower, x, n, taps));
        memcpy(out_upper + (size_t)x * 3, last, (size_t)n * 3);
        memcpy(out_lower + (size_t)x * 3, last + 16, (size_t)n * 3);
    }
}

AVX2 static void across(const struct fn_resize_axis *a, const uint8_t *in, size_t stride, int rows,
                        uint8_t *out)
{
    size_t row = (size_t)a->out * 3;
    for (int y = 0; y < rows; y += 2) {
        const uint8_t *upper = in + (size_t)y * stride;
        const uint8_t *lower = y + 1 < rows ? upper + stride : upper;
        uint8_t *to = out + (size_t)y * row, *below = y + 1 < rows ? to + row : to;
        if (a->taps == 4)
            two_rows(a, upper, lower, 4, to, below);
        else
            two_rows(a, upper, lower, a->taps, to, below);
    }
}

/* 32 bytes of one output row, from `pairs` pairs of source rows. An odd last row is paired with
 * itself, under weight 0. */
AVX2 static inline void column(const uint8_t *top, size_t stride, int count,
                               const uint32_t *weights, uint8_t *out)
{
    const __m256i zero = _mm256_setzero_si256();
    __m256i low[4] = {zero, zero, zero, zero}, high[4] = {zero, zero, zero, zero};
    for (int i = 0; i < count; i += 2, weights += 2) {
        const uint8_t *at = top + (size_t)i * stride;
        __m256i p = _mm256_loadu_si256((const __m256i *)at);
        __m256i q = _mm256_loadu_si256((const __m256i *)(i + 1 < count ? at + stride : at));
        __m256i near = _mm256_unpacklo_epi8(p, q), far = _mm256_unpackhi_epi8(p, q);
        __m256i pairs[4] = {_mm256_unpacklo_epi8(near, zero), _mm256_unpackhi_epi8(near, zero),
                            _mm256_unpacklo_epi8(far, zero), _mm256_unpackhi_epi8(far, zero)};
        __m256i w_low = spread(weights), w_high = spread(weights + 1);
        for (int j = 0; j < 4; j++) {
            low[j] = _mm256_add_epi32(low[j], _mm256_madd_epi16(pairs[j], w_low));
            high[j] = _mm256_add_epi32(high[j], _mm256_madd_epi16(pairs[j], w_high));
        }
    }
    for (int j = 0; j < 4; j++)
        low[j] = finish(low[j], high[j]);
    __m256i bytes =
        _mm256_packus_epi16(_mm256_packs_epi32(low[0], low[1]), _mm256_packs_epi32(low[2], low[3]));
    _mm256_storeu_si256((__m256i *)out, bytes);
}

AVX2 static void down(const struct fn_resize_axis *a, const uint8_t *in, size_t stride,
                      size_t row_bytes, uint8_t *out)
{
    enum { LANES = 32 };
    if (row_bytes < LANES) {
        fn_resize_plain.down(a, in, stride, row_bytes, out);
        return;
    }
    for (int y = 0; y < a->out; y++, out += row_bytes) {
        const uint8_t *top = in + (size_t)a->first[y] * stride;
        const uint32_t *weights = a->halves + (size_t)y * (size_t)a->taps;
        size_t x = 0;
        for (; x + LANES <= row_bytes; x += LANES)
            column(top + x, stride, a->count[y], weights, out + x);
        if (x < row_bytes) /* the last 32 bytes, some of them once more */
            column(top + row_bytes - LANES, stride, a->count[y], weights, out + row_bytes - LANES);
    }
}

static const struct fn_resize_ops ops = {"avx2", across, down};

const struct fn_resize_ops *fn_resize_avx2(void)
{
    return __builtin_cpu_supports("avx2") ? &ops : NULL;
}

#else

const struct fn_resize_ops *fn_resize_avx2(void)
{
    return NULL;
}

#endif
