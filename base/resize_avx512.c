/* SPDX-License-Identifier: MIT */
/* The two passes of a resize for processors with AVX-512 and VNNI, equal to the plain ones in every
 * bit: one instruction multiplies four pixels with four signed bytes and adds up, so the 23 bits of
 * a weight go in as three digits, w p = d0 p + 2^8 d1 p + 2^16 d2 p. Sums wrap, and are right in
 * the end: the whole is never negative and below 2^31. */
#include <string.h>

#include "base/image_internal.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))

/* Three sums of 16 lanes each, by digit. */
struct sums {
    __m512i d0, d1, d2;
};

AVX512 static inline struct sums start(void)
{
    __m512i half = _mm512_set1_epi32(1 << (FN_RESIZE_BITS - 1)), zero = _mm512_setzero_si512();
    return (struct sums){half, zero, zero};
}

/* Four source pixels in the bytes of each lane. */
AVX512 static inline struct sums add(struct sums s, __m512i pixels, const uint32_t *digits)
{
    s.d0 = _mm512_dpbusd_epi32(s.d0, pixels, _mm512_set1_epi32((int)digits[0]));
    s.d1 = _mm512_dpbusd_epi32(s.d1, pixels, _mm512_set1_epi32((int)digits[1]));
    s.d2 = _mm512_dpbusd_epi32(s.d2, pixels, _mm512_set1_epi32((int)digits[2]));
    return s;
}

AVX512 static inline __m512i finish(struct sums s)
{
    __m512i upper = _mm512_add_epi32(s.d1, _mm512_slli_epi32(s.d2, 8));
    return _mm512_srli_epi32(_mm512_add_epi32(s.d0, _mm512_slli_epi32(upper, 8)), FN_RESIZE_BITS);
}

AVX512 static inline __m512i pack(__m512i a, __m512i b, __m512i c, __m512i d)
{
    return _mm512_packus_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
}

/* One output pixel of four rows: R G B 0 in each quarter. */
AVX512 static inline __m512i pixel_of_rows(const uint8_t *const row[4], size_t from,
                                           const uint32_t *digits, int taps)
{
    /* R0 R1 R2 R3 G0 .. G3 B0 .. B3 and four zeros */
    const __m512i by_colour =
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11, -1, -1, -1, -1));
    struct sums s = start();
    for (int i = 0; i < taps; i += 4, from += 12, digits += 3) {
        __m512i p = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)(row[0] + from)));
        p = _mm512_inserti32x4(p, _mm_loadu_si128((const __m128i *)(row[1] + from)), 1);
        p = _mm512_inserti32x4(p, _mm_loadu_si128((const __m128i *)(row[2] + from)), 2);
        p = _mm512_inserti32x4(p, _mm_loadu_si128((const __m128i *)(row[3] + from)), 3);
        s = add(s, _mm512_shuffle_epi8(p, by_colour), digits);
    }
    return finish(s);
}

/* Four output pixels, 12 bytes in each quarter, of four rows; past the last pixel it is repeated.
 */
AVX512 static inline __m512i four_pixels(const struct fn_resize_axis *a,
                                         const uint8_t *const row[4], int x, int n, int taps)
{
    const __m512i squeeze = _mm512_broadcast_i32x4(
        _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1));
    const size_t step = (size_t)taps / 4 * 3;
    __m512i sum[4];
    for (int i = 0; i < 4; i++) {
        size_t at = (size_t)(x + (i < n ? i : n - 1));
        sum[i] = pixel_of_rows(row, (size_t)a->first[at] * 3, a->digits + at * step, taps);
    }
    return _mm512_shuffle_epi8(pack(sum[0], sum[1], sum[2], sum[3]), squeeze);
}

/* `taps` is a constant in the caller for the usual case, so that the inner loop vanishes. */
AVX512 static inline void four_rows(const struct fn_resize_axis *a, const uint8_t *const row[4],
                                    int taps, uint8_t *const out[4])
{
    int x = 0;
    /* Stores of 16 bytes: the four too many are overwritten by the next pixels, of which there are
     * at least two here. */
    for (; x + 6 <= a->out; x += 4) {
        size_t at = (size_t)x * 3;
        __m512i v = four_pixels(a, row, x, 4, taps);
        _mm_storeu_si128((__m128i *)(out[0] + at), _mm512_castsi512_si128(v));
        _mm_storeu_si128((__m128i *)(out[1] + at), _mm512_extracti32x4_epi32(v, 1));
        _mm_storeu_si128((__m128i *)(out[2] + at), _mm512_extracti32x4_epi32(v, 2));
        _mm_storeu_si128((__m128i *)(out[3] + at), _mm512_extracti32x4_epi32(v, 3));
    }
    for (; x < a->out; x += 4) {
        int n = a->out - x < 4 ? a->out - x : 4;
        uint8_t last[64];
        _mm512_storeu_si512(last, four_pixels(a, row, x, n, taps));
        for (int k = 0; k < 4; k++)
            memcpy(out[k] + (size_t)x * 3, last + 16 * k, (size_t)n * 3);
    }
}

AVX512 static void across(const struct fn_resize_axis *a, const uint8_t *in, size_t stride,
                          int rows, uint8_t *out)
{
    size_t out_bytes = (size_t)a->out * 3;
    for (int y = 0; y < rows; y += 4) {
        const uint8_t *row[4];
        uint8_t *to[4];
        for (int k = 0; k < 4; k++) { /* past the last row it is done again */
            size_t at = (size_t)(y + k < rows ? y + k : rows - 1);
            row[k] = in + at * stride;
            to[k] = out + at * out_bytes;
        }
        if (a->taps == 4)
            four_rows(a, row, 4, to);
        else
            four_rows(a, row, a->taps, to);
    }
}

/* Up to 64 bytes of one output row. Rows past `count` have weight 0; the last one stands in. */
AVX512 static inline void column(const uint8_t *top, size_t stride, int count,
                                 const uint32_t *digits, __mmask64 mask, uint8_t *out)
{
    struct sums s[4] = {start(), start(), start(), start()};
    for (int i = 0; i < count; i += 4, digits += 3) {
        __m512i p[4];
        for (int k = 0; k < 4; k++) {
            size_t at = (size_t)(i + k < count ? i + k : count - 1);
            p[k] = _mm512_maskz_loadu_epi8(mask, top + at * stride);
        }
        __m512i near01 = _mm512_unpacklo_epi8(p[0], p[1]), far01 = _mm512_unpackhi_epi8(p[0], p[1]);
        __m512i near23 = _mm512_unpacklo_epi8(p[2], p[3]), far23 = _mm512_unpackhi_epi8(p[2], p[3]);
        s[0] = add(s[0], _mm512_unpacklo_epi16(near01, near23), digits);
        s[1] = add(s[1], _mm512_unpackhi_epi16(near01, near23), digits);
        s[2] = add(s[2], _mm512_unpacklo_epi16(far01, far23), digits);
        s[3] = add(s[3], _mm512_unpackhi_epi16(far01, far23), digits);
    }
    __m512i bytes = pack(finish(s[0]), finish(s[1]), finish(s[2]), finish(s[3]));
    _mm512_mask_storeu_epi8(out, mask, bytes);
}

AVX512 static void down(const struct fn_resize_axis *a, const uint8_t *in, size_t stride,
                        size_t row_bytes, uint8_t *out)
{
    for (int y = 0; y < a->out; y++, out += row_bytes) {
        const uint8_t *top = in + (size_t)a->first[y] * stride;
        const uint32_t *digits = a->digits + (size_t)y * (size_t)a->taps / 4 * 3;
        for (size_t x = 0; x < row_bytes; x += 64) {
            size_t left = row_bytes - x;
            __mmask64 mask = left < 64 ? ((__mmask64)1 << left) - 1 : ~(__mmask64)0;
            column(top + x, stride, a->count[y], digits, mask, out + x);
        }
    }
}

static const struct fn_resize_ops ops = {"avx512", across, down};

const struct fn_resize_ops *fn_resize_avx512(void)
{
    int has = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
              __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
    return has ? &ops : NULL;
}

#else

const struct fn_resize_ops *fn_resize_avx512(void)
{
    return NULL;
}

#endif
