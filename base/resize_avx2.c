/* SPDX-License-Identifier: MIT */
/* The two passes of a resize for processors with AVX2, equal to the plain ones in every bit: sums
 * of integers do not depend on their order. A weight has 23 bits and the fast multiply-add takes
 * 16, so each is split: w p = (w >> 15) p 2^15 + (w & 32767) p, both sums exact in 32 bits. */
#include <string.h>

#include "base/image_internal.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))
#define TILE 32  /* rows */
#define LANES 32 /* bytes of a row at a time */

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

/* Four source pixels of 3 bytes in each half of p: 0 and 1 as 16-bit pairs R0 R1 G0 G1 B0 B1 0 0 to
 * *p01, 2 and 3 to *p23. */
AVX2 static inline void pairs_of(__m256i p, __m256i *p01, __m256i *p23)
{
    const __m256i take01 = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1));
    const __m256i take23 = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1));
    *p01 = _mm256_shuffle_epi8(p, take01);
    *p23 = _mm256_shuffle_epi8(p, take23);
}

AVX2 static inline __m256i two_loads(const uint8_t *lower, const uint8_t *upper)
{
    return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)lower)),
                                   _mm_loadu_si128((const __m128i *)upper), 1);
}

/* Two output pixels, R G B 0 in each half, from any number of source pixels. */
AVX2 static inline __m256i two_of_many(const struct fn_resize_axis *a, const uint8_t *row, int x0,
                                       int x1)
{
    const uint8_t *p0 = row + (size_t)a->first[x0] * 3, *p1 = row + (size_t)a->first[x1] * 3;
    const uint32_t *w0 = a->halves + (size_t)x0 * (size_t)a->taps;
    const uint32_t *w1 = a->halves + (size_t)x1 * (size_t)a->taps;
    __m256i low = _mm256_setzero_si256(), high = low, p01, p23;
    for (int i = 0; i < a->taps; i += 4, p0 += 12, p1 += 12, w0 += 4, w1 += 4) {
        __m256i w = two_loads((const uint8_t *)w0, (const uint8_t *)w1);
        pairs_of(two_loads(p0, p1), &p01, &p23);
        low = _mm256_add_epi32(low, _mm256_madd_epi16(p01, _mm256_shuffle_epi32(w, 0x00)));
        high = _mm256_add_epi32(high, _mm256_madd_epi16(p01, _mm256_shuffle_epi32(w, 0x55)));
        low = _mm256_add_epi32(low, _mm256_madd_epi16(p23, _mm256_shuffle_epi32(w, 0xaa)));
        high = _mm256_add_epi32(high, _mm256_madd_epi16(p23, _mm256_shuffle_epi32(w, 0xff)));
    }
    return finish(low, high);
}

/* R G B 0 of pixels 0 and 1, 2 and 3 to 12 bytes. */
AVX2 static inline __m128i squeeze(__m256i sum01, __m256i sum23)
{
    const __m128i order = _mm_setr_epi8(0, 1, 2, 8, 9, 10, 4, 5, 6, 12, 13, 14, -1, -1, -1, -1);
    __m256i words = _mm256_packs_epi32(sum01, sum23); /* 0 2 in one half, 1 3 in the other */
    __m128i bytes =
        _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    return _mm_shuffle_epi8(bytes, order);
}

/* 12 bytes. With room behind them, which the next pixels will fill, 16 are written. */
AVX2 static inline void store(uint8_t *out, __m128i bytes, int n)
{
    if (n > 5) {
        _mm_storeu_si128((__m128i *)out, bytes);
    } else {
        uint8_t last[16];
        _mm_storeu_si128((__m128i *)last, bytes);
        memcpy(out, last, (size_t)(n < 4 ? n : 4) * 3);
    }
}

AVX2 static void across_many(const struct fn_resize_axis *a, const uint8_t *in, size_t stride,
                             int rows, uint8_t *out)
{
    for (int y = 0; y < rows; y++, in += stride, out += (size_t)a->out * 3)
        for (int x = 0; x < a->out; x += 4) {
            int last = a->out - 1, x1 = x + 1, x2 = x + 2, x3 = x + 3;
            __m256i sum01 = two_of_many(a, in, x, x1 < last ? x1 : last);
            __m256i sum23 = two_of_many(a, in, x2 < last ? x2 : last, x3 < last ? x3 : last);
            store(out + (size_t)x * 3, squeeze(sum01, sum23), a->out - x);
        }
}

/* The weights of two output pixels of up to four source pixels each: low and high halves for pixels
 * 0 and 1, for 2 and 3. They stay in registers for all rows. */
struct two {
    __m256i low01, high01, low23, high23;
};

AVX2 static inline struct two weights_of(const struct fn_resize_axis *a, int x0, int x1)
{
    __m256i w = two_loads((const uint8_t *)(a->halves + (size_t)x0 * 4),
                          (const uint8_t *)(a->halves + (size_t)x1 * 4));
    return (struct two){_mm256_shuffle_epi32(w, 0x00), _mm256_shuffle_epi32(w, 0x55),
                        _mm256_shuffle_epi32(w, 0xaa), _mm256_shuffle_epi32(w, 0xff)};
}

AVX2 static inline __m256i two_of_few(const uint8_t *p0, const uint8_t *p1, struct two w)
{
    __m256i p01, p23;
    pairs_of(two_loads(p0, p1), &p01, &p23);
    return finish(
        _mm256_add_epi32(_mm256_madd_epi16(p01, w.low01), _mm256_madd_epi16(p23, w.low23)),
        _mm256_add_epi32(_mm256_madd_epi16(p01, w.high01), _mm256_madd_epi16(p23, w.high23)));
}

AVX2 static void across_few(const struct fn_resize_axis *a, const uint8_t *in, size_t stride,
                            int rows, uint8_t *out)
{
    const size_t out_bytes = (size_t)a->out * 3;
    for (int x = 0; x < a->out; x += 4) {
        size_t at[4];
        int index[4];
        for (int k = 0; k < 4; k++) {
            index[k] = x + k < a->out ? x + k : a->out - 1;
            at[k] = (size_t)a->first[index[k]] * 3;
        }
        struct two w01 = weights_of(a, index[0], index[1]);
        struct two w23 = weights_of(a, index[2], index[3]);
        const uint8_t *row = in;
        uint8_t *to = out + (size_t)x * 3;
        for (int y = 0; y < rows; y++, row += stride, to += out_bytes)
            store(to,
                  squeeze(two_of_few(row + at[0], row + at[1], w01),
                          two_of_few(row + at[2], row + at[3], w23)),
                  a->out - x);
    }
}

AVX2 static void across(const struct fn_resize_axis *a, const uint8_t *in, size_t stride, int rows,
                        uint8_t *out)
{
    if (a->taps != 4)
        across_many(a, in, stride, rows, out);
    else /* so few rows at a time that they stay in the first cache */
        for (int y = 0; y < rows; y += TILE)
            across_few(a, in + (size_t)y * stride, stride, rows - y < TILE ? rows - y : TILE,
                       out + (size_t)y * (size_t)a->out * 3);
}

/* 32 bytes of one output row from any number of source rows, two at a time. An odd last row is
 * paired with itself, under weight 0. */
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

/* The same from at most four rows: no sums to keep, so everything stays in registers. w: low and
 * high halves for rows 0 and 1, for 2 and 3. */
AVX2 static inline void column_few(const uint8_t *const row[4], size_t x, struct two w,
                                   uint8_t *out)
{
    const __m256i zero = _mm256_setzero_si256();
    __m256i p[4], sum[4];
    for (int k = 0; k < 4; k++)
        p[k] = _mm256_loadu_si256((const __m256i *)(row[k] + x));
    for (int k = 0; k < 4; k++) {
        __m256i p01 = k < 2 ? _mm256_unpacklo_epi8(p[0], p[1]) : _mm256_unpackhi_epi8(p[0], p[1]);
        __m256i p23 = k < 2 ? _mm256_unpacklo_epi8(p[2], p[3]) : _mm256_unpackhi_epi8(p[2], p[3]);
        p01 = k & 1 ? _mm256_unpackhi_epi8(p01, zero) : _mm256_unpacklo_epi8(p01, zero);
        p23 = k & 1 ? _mm256_unpackhi_epi8(p23, zero) : _mm256_unpacklo_epi8(p23, zero);
        sum[k] = finish(
            _mm256_add_epi32(_mm256_madd_epi16(p01, w.low01), _mm256_madd_epi16(p23, w.low23)),
            _mm256_add_epi32(_mm256_madd_epi16(p01, w.high01), _mm256_madd_epi16(p23, w.high23)));
    }
    __m256i bytes =
        _mm256_packus_epi16(_mm256_packs_epi32(sum[0], sum[1]), _mm256_packs_epi32(sum[2], sum[3]));
    _mm256_storeu_si256((__m256i *)(out + x), bytes);
}

AVX2 static void down_few(const uint8_t *top, size_t stride, int count, const uint32_t *halves,
                          size_t row_bytes, uint8_t *out)
{
    struct two w = {spread(halves), spread(halves + 1), spread(halves + 2), spread(halves + 3)};
    const uint8_t *row[4];
    size_t x = 0;
    for (int k = 0; k < 4; k++) /* weight 0 past the last one */
        row[k] = top + (size_t)(k < count ? k : count - 1) * stride;
    for (; x + LANES <= row_bytes; x += LANES)
        column_few(row, x, w, out);
    if (x < row_bytes) /* the last 32 bytes, some of them once more */
        column_few(row, row_bytes - LANES, w, out);
}

AVX2 static void down_many(const uint8_t *top, size_t stride, int count, const uint32_t *halves,
                           size_t row_bytes, uint8_t *out)
{
    size_t x = 0;
    for (; x + LANES <= row_bytes; x += LANES)
        column(top + x, stride, count, halves, out + x);
    if (x < row_bytes)
        column(top + row_bytes - LANES, stride, count, halves, out + row_bytes - LANES);
}

AVX2 static void down(const struct fn_resize_axis *a, const uint8_t *in, size_t stride,
                      size_t row_bytes, uint8_t *out)
{
    if (row_bytes < LANES) {
        fn_resize_plain.down(a, in, stride, row_bytes, out);
        return;
    }
    for (int y = 0; y < a->out; y++, out += row_bytes) {
        const uint8_t *top = in + (size_t)a->first[y] * stride;
        const uint32_t *halves = a->halves + (size_t)y * (size_t)a->taps;
        if (a->taps == 4)
            down_few(top, stride, a->count[y], halves, row_bytes, out);
        else
            down_many(top, stride, a->count[y], halves, row_bytes, out);
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
