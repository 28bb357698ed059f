/* SPDX-License-Identifier: MIT */
/* The two passes of a resize for processors with AVX-512, VNNI and VBMI, equal to the plain ones in
 * every bit: one instruction multiplies four pixels with four signed bytes and adds up, so the 23
 * bits of a weight go in as three digits, w p = d0 p + 2^8 d1 p + 2^16 d2 p. Sums wrap, and are
 * right in the end: the whole is never negative and below 2^31. Up to four weights an output pixel,
 * that is up to half the size, have loops of their own. */
#include <string.h>

#include "base/image_internal.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,avx512vbmi")))
#define TILE 64 /* rows */

/* All there is of a sum, four pixels in the bytes of each lane: Horner's rule over the digits. */
AVX512 static inline __m512i weigh(__m512i pixels, const __m512i digit[3])
{
    const __m512i half = _mm512_set1_epi32(1 << (FN_RESIZE_BITS - 1 - 16));
    __m512i sum = _mm512_dpbusd_epi32(half, pixels, digit[2]);
    sum = _mm512_dpbusd_epi32(_mm512_slli_epi32(sum, 8), pixels, digit[1]);
    sum = _mm512_dpbusd_epi32(_mm512_slli_epi32(sum, 8), pixels, digit[0]);
    return _mm512_srli_epi32(sum, FN_RESIZE_BITS);
}

/* Three sums of 16 lanes each, by digit, to add more to. */
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
                                         const uint8_t *const row[4], int x, int n)
{
    const __m512i squeeze = _mm512_broadcast_i32x4(
        _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1));
    const size_t step = (size_t)a->taps / 4 * 3;
    __m512i sum[4];
    for (int i = 0; i < 4; i++) {
        size_t at = (size_t)(x + (i < n ? i : n - 1));
        sum[i] = pixel_of_rows(row, (size_t)a->first[at] * 3, a->digits + at * step, a->taps);
    }
    return _mm512_shuffle_epi8(pack(sum[0], sum[1], sum[2], sum[3]), squeeze);
}

AVX512 static inline void four_rows(const struct fn_resize_axis *a, const uint8_t *const row[4],
                                    uint8_t *const out[4])
{
    int x = 0;
    /* Stores of 16 bytes: the four too many are overwritten by the next pixels, of which there are
     * at least two here. */
    for (; x + 6 <= a->out; x += 4) {
        size_t at = (size_t)x * 3;
        __m512i v = four_pixels(a, row, x, 4);
        _mm_storeu_si128((__m128i *)(out[0] + at), _mm512_castsi512_si128(v));
        _mm_storeu_si128((__m128i *)(out[1] + at), _mm512_extracti32x4_epi32(v, 1));
        _mm_storeu_si128((__m128i *)(out[2] + at), _mm512_extracti32x4_epi32(v, 2));
        _mm_storeu_si128((__m128i *)(out[3] + at), _mm512_extracti32x4_epi32(v, 3));
    }
    for (; x < a->out; x += 4) {
        int n = a->out - x < 4 ? a->out - x : 4;
        uint8_t last[64];
        _mm512_storeu_si512(last, four_pixels(a, row, x, n));
        for (int k = 0; k < 4; k++)
            memcpy(out[k] + (size_t)x * 3, last + 16 * k, (size_t)n * 3);
    }
}

AVX512 static void across_many(const struct fn_resize_axis *a, const uint8_t *in, size_t stride,
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
        four_rows(a, row, to);
    }
}

/* How 16 output pixels are made of at most 128 bytes of a source row. */
struct block {
    __m512i take[3];         /* by colour: which byte for weight i of pixel j, in byte 4 j + i */
    __m512i digit[3];        /* their weights */
    __mmask64 first, second; /* which of the 128 bytes there are */
    __mmask64 store;         /* which of the 48 bytes come out */
    size_t from, then;       /* where these begin: bytes into the source row, and on from there */
};

static __mmask64 lowest(size_t n)
{
    return n < 64 ? ((__mmask64)1 << n) - 1 : ~(__mmask64)0;
}

AVX512 static struct block block_at(const struct fn_resize_axis *a, size_t x)
{
    uint8_t take[3][64];
    uint32_t digit[3][16];
    struct block b;
    size_t n = (size_t)a->out - x < 16 ? (size_t)a->out - x : 16;
    size_t left = ((size_t)a->in - (size_t)a->first[x]) * 3;
    for (size_t j = 0; j < 16; j++) {
        size_t at = x + (j < n ? j : n - 1);
        for (size_t c = 0; c < 3; c++) {
            size_t start = (size_t)(a->first[at] - a->first[x]) * 3 + c;
            digit[c][j] = a->digits[at * 3 + c];
            for (size_t i = 0; i < 4; i++)
                take[c][4 * j + i] = (uint8_t)(start + 3 * i);
        }
    }
    for (size_t c = 0; c < 3; c++) {
        b.take[c] = _mm512_loadu_si512(take[c]);
        b.digit[c] = _mm512_loadu_si512(digit[c]);
    }
    b.first = lowest(left);
    b.second = left > 64 ? lowest(left - 64) : 0;
    b.store = lowest(n * 3);
    b.from = (size_t)a->first[x] * 3;
    b.then = left > 64 ? 64 : 0;
    return b;
}

/* Two windows of 64 bytes hold what 16 pixels need: 15 steps of at most 2 pixels, and 4. */
AVX512 static void across_few(const struct fn_resize_axis *a, const uint8_t *in, size_t stride,
                              int rows, uint8_t *out)
{
    /* R0-3 G0-3 B0-3 in each quarter, to R0 G0 B0 R1 and so on */
    const __m512i join = _mm512_setr_epi32(
        0x01080400, 0x06020905, 0x0b07030a, 0x11181410, 0x16121915, 0x1b17131a, 0x21282420,
        0x26222925, 0x2b27232a, 0x31383430, 0x36323935, 0x3b37333a, 0, 0, 0, 0);
    for (size_t x = 0; x < (size_t)a->out; x += 16) {
        const struct block b = block_at(a, x);
        const uint8_t *from = in + b.from;
        uint8_t *to = out + x * 3;
        for (int y = 0; y < rows; y++, from += stride, to += (size_t)a->out * 3) {
            __m512i p = _mm512_maskz_loadu_epi8(b.first, from);
            __m512i q = _mm512_maskz_loadu_epi8(b.second, from + b.then);
            __m512i red = weigh(_mm512_permutex2var_epi8(p, b.take[0], q), b.digit);
            __m512i green = weigh(_mm512_permutex2var_epi8(p, b.take[1], q), b.digit);
            __m512i blue = weigh(_mm512_permutex2var_epi8(p, b.take[2], q), b.digit);
            __m512i bytes = _mm512_permutexvar_epi8(join, pack(red, green, blue, blue));
            _mm512_mask_storeu_epi8(to, b.store, bytes);
        }
    }
}

AVX512 static void across(const struct fn_resize_axis *a, const uint8_t *in, size_t stride,
                          int rows, uint8_t *out)
{
    if (a->taps != 4)
        across_many(a, in, stride, rows, out);
    else /* so few rows at a time that they stay in the first cache */
        for (int y = 0; y < rows; y += TILE)
            across_few(a, in + (size_t)y * stride, stride, rows - y < TILE ? rows - y : TILE,
                       out + (size_t)y * (size_t)a->out * 3);
}

/* The bytes of four rows, transposed: those of one column in each lane of q. */
AVX512 static inline void transpose(const uint8_t *const row[4], __mmask64 mask, __m512i q[4])
{
    __m512i p[4];
    for (int k = 0; k < 4; k++)
        p[k] = _mm512_maskz_loadu_epi8(mask, row[k]);
    __m512i near01 = _mm512_unpacklo_epi8(p[0], p[1]), far01 = _mm512_unpackhi_epi8(p[0], p[1]);
    __m512i near23 = _mm512_unpacklo_epi8(p[2], p[3]), far23 = _mm512_unpackhi_epi8(p[2], p[3]);
    q[0] = _mm512_unpacklo_epi16(near01, near23);
    q[1] = _mm512_unpackhi_epi16(near01, near23);
    q[2] = _mm512_unpacklo_epi16(far01, far23);
    q[3] = _mm512_unpackhi_epi16(far01, far23);
}

/* Up to 64 bytes of one output row from at most four source rows. */
AVX512 static inline void column_few(const uint8_t *const row[4], const __m512i digit[3],
                                     __mmask64 mask, uint8_t *out)
{
    __m512i q[4];
    transpose(row, mask, q);
    __m512i bytes =
        pack(weigh(q[0], digit), weigh(q[1], digit), weigh(q[2], digit), weigh(q[3], digit));
    _mm512_mask_storeu_epi8(out, mask, bytes);
}

/* The same from any number of rows. Rows past `count` have weight 0; the last one stands in. */
AVX512 static inline void column_many(const uint8_t *top, size_t stride, int count,
                                      const uint32_t *digits, __mmask64 mask, uint8_t *out)
{
    struct sums s[4] = {start(), start(), start(), start()};
    for (int i = 0; i < count; i += 4, digits += 3) {
        const uint8_t *row[4];
        __m512i q[4];
        for (int k = 0; k < 4; k++)
            row[k] = top + (size_t)(i + k < count ? i + k : count - 1) * stride;
        transpose(row, mask, q);
        for (int k = 0; k < 4; k++)
            s[k] = add(s[k], q[k], digits);
    }
    __m512i bytes = pack(finish(s[0]), finish(s[1]), finish(s[2]), finish(s[3]));
    _mm512_mask_storeu_epi8(out, mask, bytes);
}

AVX512 static void down_few(const uint8_t *top, size_t stride, int count, const uint32_t *digits,
                            size_t row_bytes, uint8_t *out)
{
    const uint8_t *row[4];
    __m512i digit[3];
    for (int k = 0; k < 4; k++)
        row[k] = top + (size_t)(k < count ? k : count - 1) * stride;
    for (int k = 0; k < 3; k++)
        digit[k] = _mm512_set1_epi32((int)digits[k]);
    for (size_t x = 0; x < row_bytes; x += 64) {
        const uint8_t *at[4] = {row[0] + x, row[1] + x, row[2] + x, row[3] + x};
        column_few(at, digit, lowest(row_bytes - x), out + x);
    }
}

AVX512 static void down(const struct fn_resize_axis *a, const uint8_t *in, size_t stride,
                        size_t row_bytes, uint8_t *out)
{
    for (int y = 0; y < a->out; y++, out += row_bytes) {
        const uint8_t *top = in + (size_t)a->first[y] * stride;
        const uint32_t *digits = a->digits + (size_t)y * (size_t)a->taps / 4 * 3;
        if (a->taps == 4)
            down_few(top, stride, a->count[y], digits, row_bytes, out);
        else
            for (size_t x = 0; x < row_bytes; x += 64)
                column_many(top + x, stride, a->count[y], digits, lowest(row_bytes - x), out + x);
    }
}

static const struct fn_resize_ops ops = {"avx512", across, down};

const struct fn_resize_ops *fn_resize_avx512(void)
{
    int has = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
              __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni") &&
              __builtin_cpu_supports("avx512vbmi");
    return has ? &ops : NULL;
}

#else

const struct fn_resize_ops *fn_resize_avx512(void)
{
    return NULL;
}

#endif
