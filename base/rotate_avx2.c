/* SPDX-License-Identifier: MIT */
/* A pixel of a rotation with AVX2: red, green and blue side by side in doubles. The same operations
 * in the same order as in rotate.c, so the same bits; differences of pixels are taken as integers,
 * which is exact. */
#include <string.h>

#include "base/image_internal.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

/* p2 + t (s1 + t (s2 + t s3)) */
AVX2 static inline __m256d horner(__m256d p2, __m256d s1, __m256d s2, __m256d s3, __m256d t)
{
    __m256d v = _mm256_add_pd(s2, _mm256_mul_pd(t, s3));
    v = _mm256_add_pd(s1, _mm256_mul_pd(t, v));
    return _mm256_add_pd(p2, _mm256_mul_pd(t, v));
}

/* R G B and one byte more, as 32-bit integers. */
AVX2 static inline __m128i pixel(const uint8_t *p)
{
    int v;
    memcpy(&v, p, sizeof v);
    return _mm_cvtepu8_epi32(_mm_cvtsi32_si128(v));
}

AVX2 static inline __m256d along(const uint8_t *p, __m256d t)
{
    __m128i p1 = pixel(p), p2 = pixel(p + 3), p3 = pixel(p + 6), p4 = pixel(p + 9);
    __m128i near = _mm_sub_epi32(p1, p2), far = _mm_sub_epi32(p3, p4);
    __m128i s1 = _mm_sub_epi32(p3, p1);
    __m128i s2 = _mm_add_epi32(_mm_add_epi32(near, near), far);
    __m128i s3 = _mm_sub_epi32(_mm_setzero_si128(), _mm_add_epi32(near, far));
    return horner(_mm256_cvtepi32_pd(p2), _mm256_cvtepi32_pd(s1), _mm256_cvtepi32_pd(s2),
                  _mm256_cvtepi32_pd(s3), t);
}

AVX2 static inline __m256d across(const __m256d p[4], __m256d t)
{
    __m256d near = _mm256_sub_pd(p[0], p[1]);
    __m256d s1 = _mm256_sub_pd(p[2], p[0]);
    __m256d s2 = _mm256_sub_pd(_mm256_add_pd(_mm256_add_pd(near, near), p[2]), p[3]);
    __m256d s3 = _mm256_add_pd(_mm256_sub_pd(_mm256_sub_pd(p[1], p[0]), p[2]), p[3]);
    return horner(p[1], s1, s2, s3, t);
}

AVX2 static void sample(const struct fn_image *in, double u, double v, uint8_t *out)
{
    int i = (int)u, j = (int)v;
    /* All four columns and rows inside, and a column to spare: the last load takes a byte too many.
     * (Above -1 and below 0 both cut to 0, which is refused here too.) */
    if (i < 1 || j < 1 || i + 3 >= in->w || j + 2 >= in->h) {
        fn_rotate_plain(in, u, v, out);
        return;
    }
    size_t stride = (size_t)in->w * 3;
    const uint8_t *p = in->rgb + (size_t)(j - 1) * stride + (size_t)(i - 1) * 3;
    __m256d t = _mm256_set1_pd(u - i), line[4];
    for (size_t k = 0; k < 4; k++)
        line[k] = along(p + k * stride, t);
    __m256d value = across(line, _mm256_set1_pd(v - j));
    value = _mm256_min_pd(_mm256_max_pd(value, _mm256_setzero_pd()), _mm256_set1_pd(255.0));
    __m128i bytes = _mm_cvttpd_epi32(_mm256_castpd256_pd128(value));
    __m128i blue = _mm_cvttpd_epi32(_mm256_extractf128_pd(value, 1));
    out[0] = (uint8_t)_mm_cvtsi128_si32(bytes);
    out[1] = (uint8_t)_mm_extract_epi32(bytes, 1);
    out[2] = (uint8_t)_mm_cvtsi128_si32(blue);
}

fn_rotate_sample *fn_rotate_avx2(void)
{
    return __builtin_cpu_supports("avx2") ? sample : NULL;
}

#else

fn_rotate_sample *fn_rotate_avx2(void)
{
    return NULL;
}

#endif
