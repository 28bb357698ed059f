/* SPDX-License-Identifier: MIT */
/* Max pool 3 x 3, stride 2, VALID: (n, h, w, c) -> (n, oh, ow, c), and which of the nine was taken,
 * the first of equals; a NaN wins.
 *
 * Forward: a thread takes one output pixel's vector of channels and reads nine; neighbours share
 * them in the cache. Backward gathers: a thread takes one input pixel's vector and asks the up to
 * four windows that cover it, in order, whether they took it; nothing is added atomically and each
 * dx is written once. */
#include "kernels/cuda/device.h"

struct geometry {
    unsigned h, w, oh, ow;
    unsigned vectors; /* of a pixel */
    size_t count;     /* threads that have work */
    int x_stride, y_stride;
};

template <int V> struct taken {
    alignas(V) uint8_t tap[V];
};

template <class T, int V>
__global__ void __launch_bounds__(FN_THREADS, 4)
    forward_kernel(const T *__restrict__ x, geometry g, T *__restrict__ y,
                   uint8_t *__restrict__ index)
{
    const size_t i = (size_t)blockIdx.x * FN_THREADS + threadIdx.x;
    if (i >= g.count)
        return;
    const unsigned c = (unsigned)(i % g.vectors) * V;
    const size_t pixel = i / g.vectors;
    const unsigned col = (unsigned)(pixel % g.ow), row = (unsigned)(pixel / g.ow % g.oh);
    const size_t n = pixel / g.ow / g.oh;
    const T *from = x + ((n * g.h + 2 * row) * g.w + 2 * col) * (size_t)g.x_stride + c;
    fn_vector<V> best = fn_load<V>(from);
    taken<V> tap = {};
#pragma unroll
    for (int k = 1; k < 9; k++) {
        const size_t at = (size_t)(k / 3) * g.w + (size_t)(k % 3);
        const fn_vector<V> v = fn_load<V>(from + at * (size_t)g.x_stride);
#pragma unroll
        for (int j = 0; j < V; j++)
            if (v.v[j] > best.v[j] || (isnan(v.v[j]) && !isnan(best.v[j]))) {
                best.v[j] = v.v[j];
                tap.tap[j] = (uint8_t)k;
            }
    }
    fn_store<V>(y + pixel * (size_t)g.y_stride + c, best);
    if (index)
        fn_raw_store<V>(index + i * V, &tap);
}

template <class T, int V>
__global__ void __launch_bounds__(FN_THREADS, 4)
    backward_kernel(const T *__restrict__ dy, const uint8_t *__restrict__ index, geometry g,
                    T *__restrict__ dx, int accumulate)
{
    const size_t i = (size_t)blockIdx.x * FN_THREADS + threadIdx.x;
    if (i >= g.count)
        return;
    const unsigned c = (unsigned)(i % g.vectors) * V;
    const size_t pixel = i / g.vectors;
    const unsigned col = (unsigned)(pixel % g.w), row = (unsigned)(pixel / g.w % g.h);
    const size_t n = pixel / g.w / g.h;
    T *to = dx + pixel * (size_t)g.x_stride + c;
    fn_vector<V> sum = {};
    if (accumulate)
        sum = fn_load<V>(to);
    for (unsigned oh = row < 2 ? 0 : (row - 1) / 2; oh <= row / 2 && oh < g.oh; oh++)
        for (unsigned ow = col < 2 ? 0 : (col - 1) / 2; ow <= col / 2 && ow < g.ow; ow++) {
            const size_t at = (n * g.oh + oh) * g.ow + ow;
            const unsigned here = (row - 2 * oh) * 3 + (col - 2 * ow);
            const fn_vector<V> d = fn_load<V>(dy + at * (size_t)g.y_stride + c);
            taken<V> tap;
            fn_raw_load<V>(&tap, index + at * g.vectors * V + c);
#pragma unroll
            for (int j = 0; j < V; j++)
                if (tap.tap[j] == here)
                    sum.v[j] += d.v[j];
        }
    fn_store<V>(to, sum);
}

static geometry geometry_of(const fn_tensor *x, const fn_tensor *y, int vector, const fn_tensor *of)
{
    geometry g;
    g.h = (unsigned)x->h;
    g.w = (unsigned)x->w;
    g.oh = (unsigned)y->h;
    g.ow = (unsigned)y->w;
    g.vectors = (unsigned)(x->c / vector);
    g.count = fn_rows_of(of) * g.vectors;
    g.x_stride = x->ctotal;
    g.y_stride = y->ctotal;
    return g;
}

template <class T, int V>
static int forward(const fn_k_queue *q, const fn_tensor *x, const fn_tensor *y, uint8_t *index)
{
    const geometry g = geometry_of(x, y, V, y);
    return fn_launch(forward_kernel<T, V>, dim3(fn_blocks(g.count, FN_THREADS, INT32_MAX)),
                     dim3(FN_THREADS), q->stream, fn_first<const T>(x), g, fn_first<T>(y), index);
}

int fn_k_maxpool_forward(const fn_k_queue *q, int type, const fn_tensor *x, const fn_tensor *y,
                         uint8_t *index)
{
    if (type == FN_K_BF16)
        return forward<fn_bf16, 8>(q, x, y, index);
    return forward<float, 4>(q, x, y, index);
}

template <class T, int V>
static int backward(const fn_k_queue *q, const fn_tensor *dy, const uint8_t *index,
                    const fn_tensor *dx, int accumulate)
{
    const geometry g = geometry_of(dx, dy, V, dx);
    return fn_launch(backward_kernel<T, V>, dim3(fn_blocks(g.count, FN_THREADS, INT32_MAX)),
                     dim3(FN_THREADS), q->stream, fn_first<const T>(dy), index, g, fn_first<T>(dx),
                     accumulate);
}

int fn_k_maxpool_backward(const fn_k_queue *q, int type, const fn_tensor *dy, const uint8_t *index,
                          const fn_tensor *dx, int accumulate)
{
    if (type == FN_K_BF16)
        return backward<fn_bf16, 8>(q, dy, index, dx, accumulate);
    return backward<float, 4>(q, dy, index, dx, accumulate);
}
