/* SPDX-License-Identifier: MIT */
/* u8 images (n, h, w, 3) -> the first layer's input (n, h, w, S), S = 3, or 4 or 8 with zeros
 * behind:
 *
 *     y = (x - mean) / divisor,   fixed: 127.5 and 128; per image: its own mean and
 *     max(stddev, 1 / sqrt(h w 3)), both from exact integer sums
 *
 * Grid: (parts of an image, images). A thread turns four pixels, 12 bytes, into 4 S numbers: three
 * 4-byte loads, vector stores, and one pixel at a time where the width is no multiple of 4. Per
 * image one block takes the whole image: it reads the bytes twice, the second time from a cache (77
 * kB). */
#include "kernels/cuda/device.h"

enum { THREADS = 512 };

/* mean = base + rest: x - base is exact, so nothing is lost where an image is nearly flat. */
struct affine {
    float base, rest, divisor;
};

__device__ static affine affine_of_image(const uint8_t *image, unsigned bytes)
{
    unsigned sum = 0;
    uint64_t squares = 0;
    for (unsigned i = threadIdx.x; i < bytes; i += THREADS) {
        const unsigned x = image[i];
        sum += x;
        squares += x * x;
    }
    const uint64_t s = fn_block_sum((uint64_t)sum), q = fn_block_sum(squares);
    const double count = bytes, mean = (double)s / count;
    const double least = 1 / sqrt(count);
    const double stddev = sqrt((double)(bytes * q - s * s)) / count;
    const uint64_t base = s / bytes;
    affine k;
    k.base = (float)base;
    k.rest = (float)(mean - (double)base);
    k.divisor = (float)(stddev > least ? stddev : least);
    return k;
}

__device__ static inline float standard(unsigned x, const affine &k)
{
    return (((float)x - k.base) - k.rest) / k.divisor;
}

/* PIXELS pixels (their S numbers) from 3 * PIXELS bytes, mirrored or not. */
template <class T, int S, int PIXELS>
__device__ static inline void convert(const uint8_t *from, int mirror, const affine &k, T *to)
{
    constexpr int NUMBERS = S * PIXELS, BYTES = (int)sizeof(T) * NUMBERS;
    constexpr int WIDE = BYTES % 16 == 0 ? 16 : BYTES % 8 == 0 ? 8 : (int)sizeof(T);
    constexpr int EACH = WIDE / (int)sizeof(T);
    unsigned char bytes[4 * 3];
    float out[NUMBERS];
    if (PIXELS == 4) {
#pragma unroll
        for (int i = 0; i < 3; i++) {
            unsigned word;
            fn_raw_load<4>(&word, from + 4 * i);
#pragma unroll
            for (int b = 0; b < 4; b++)
                bytes[4 * i + b] = (unsigned char)(word >> 8 * b);
        }
    } else {
        for (int b = 0; b < 3; b++)
            bytes[b] = from[b];
    }
#pragma unroll
    for (int p = 0; p < PIXELS; p++)
#pragma unroll
        for (int c = 0; c < S; c++) {
            /* both pixels are read, one is kept: an index known only when running would not stay in
             * registers */
            const float plain = standard(bytes[3 * p + (c < 3 ? c : 0)], k);
            const float turned = standard(bytes[3 * (PIXELS - 1 - p) + (c < 3 ? c : 0)], k);
            out[p * S + c] = c >= 3 ? 0.0f : mirror ? turned : plain;
        }
#pragma unroll
    for (int i = 0; i < NUMBERS; i += EACH) {
        fn_vector<EACH> v;
#pragma unroll
        for (int j = 0; j < EACH; j++)
            v.v[j] = out[i + j];
        fn_store<EACH>(to + i, v);
    }
}

template <class T, int S, int PIXELS>
__global__ void __launch_bounds__(THREADS)
    standardize_kernel(const uint8_t *images, int per_image, int mirror, unsigned h, unsigned w,
                       T *y)
{
    const unsigned groups = w / PIXELS, all = h * groups;
    const uint8_t *image = images + (size_t)blockIdx.y * h * w * 3;
    T *to = y + (size_t)blockIdx.y * h * w * S;
    affine k = {127.0f, 0.5f, 128.0f};
    if (per_image)
        k = affine_of_image(image, h * w * 3);
    for (unsigned i = blockIdx.x * THREADS + threadIdx.x; i < all; i += gridDim.x * THREADS) {
        const unsigned row = i / groups, at = i % groups;
        const unsigned from = row * groups + (mirror ? groups - 1 - at : at);
        convert<T, S, PIXELS>(image + (size_t)from * PIXELS * 3, mirror, k,
                              to + (size_t)i * PIXELS * S);
    }
}

template <class T, int S, int PIXELS>
static int start(const fn_k_queue *q, const uint8_t *images, int per_image, int mirror,
                 const fn_tensor *y)
{
    const size_t groups = (size_t)y->h * (size_t)(y->w / PIXELS);
    const unsigned parts = per_image ? 1 : fn_blocks(groups, THREADS, 16);
    return fn_launch(standardize_kernel<T, S, PIXELS>, dim3(parts, (unsigned)y->n), dim3(THREADS),
                     q->stream, images, per_image, mirror, (unsigned)y->h, (unsigned)y->w,
                     (T *)y->data);
}

template <class T, int S>
static int of_width(const fn_k_queue *q, const uint8_t *images, int per_image, int mirror,
                    const fn_tensor *y)
{
    if (y->w % 4 == 0 && (uintptr_t)images % 4 == 0)
        return start<T, S, 4>(q, images, per_image, mirror, y);
    return start<T, S, 1>(q, images, per_image, mirror, y);
}

template <class T>
static int of_type(const fn_k_queue *q, const uint8_t *images, int per_image, int mirror,
                   const fn_tensor *y)
{
    if (y->ctotal == 3)
        return of_width<T, 3>(q, images, per_image, mirror, y);
    if (y->ctotal == 4)
        return of_width<T, 4>(q, images, per_image, mirror, y);
    return of_width<T, 8>(q, images, per_image, mirror, y);
}

int fn_k_standardize(const fn_k_queue *q, int type, const uint8_t *images, int per_image,
                     int mirror, const fn_tensor *y)
{
    if (type == FN_K_BF16)
        return of_type<fn_bf16>(q, images, per_image, mirror, y);
    return of_type<float>(q, images, per_image, mirror, y);
}
