/* SPDX-License-Identifier: MIT */
/* Global average pool: x (n, h, w, c) -> rows y (n, c) in fp32, and back: dx = dy / (h w).
 *
 * Forward: a thread takes one image's vector of channels and walks over its pixels (9 at 160 px),
 * the warp beside it over the next channels, so that every load is full. Backward: a thread writes
 * one vector of dx. */
#include "kernels/cuda/device.h"

template <class T, int V>
__global__ void __launch_bounds__(FN_THREADS)
    forward_kernel(const T *__restrict__ x, int stride, unsigned pixels, unsigned vectors,
                   size_t count, float *__restrict__ y)
{
    const size_t i = (size_t)blockIdx.x * FN_THREADS + threadIdx.x;
    if (i >= count)
        return;
    const size_t n = i / vectors;
    const T *from = x + n * pixels * (size_t)stride + i % vectors * V;
    fn_vector<V> sum = {};
#pragma unroll 4
    for (unsigned p = 0; p < pixels; p++) {
        const fn_vector<V> v = fn_load<V>(from + (size_t)p * (size_t)stride);
#pragma unroll
        for (int j = 0; j < V; j++)
            sum.v[j] += v.v[j];
    }
#pragma unroll
    for (int j = 0; j < V; j++)
        y[i * V + (unsigned)j] = sum.v[j] / (float)pixels;
}

template <class T, int V>
__global__ void __launch_bounds__(FN_THREADS)
    backward_kernel(const float *__restrict__ dy, int stride, unsigned pixels, unsigned vectors,
                    size_t count, T *__restrict__ dx)
{
    const size_t i = (size_t)blockIdx.x * FN_THREADS + threadIdx.x;
    if (i >= count)
        return;
    const size_t pixel = i / vectors, c = i % vectors * V;
    fn_vector<V> d = fn_gather<V>(dy + pixel / pixels * vectors * V + c);
#pragma unroll
    for (int j = 0; j < V; j++)
        d.v[j] /= (float)pixels;
    fn_store<V>(dx + pixel * (size_t)stride + c, d);
}

template <class T, int V>
static int forward(const fn_k_queue *q, const fn_tensor *x, const fn_tensor *y)
{
    const unsigned vectors = (unsigned)(x->c / V);
    const size_t count = (size_t)x->n * vectors;
    return fn_launch(forward_kernel<T, V>, dim3(fn_blocks(count, FN_THREADS, INT32_MAX)),
                     dim3(FN_THREADS), q->stream, fn_first<const T>(x), x->ctotal,
                     (unsigned)(x->h * x->w), vectors, count, fn_first<float>(y));
}

template <class T, int V>
static int backward(const fn_k_queue *q, const fn_tensor *dy, const fn_tensor *dx)
{
    const unsigned vectors = (unsigned)(dx->c / V);
    const size_t count = fn_rows_of(dx) * vectors;
    return fn_launch(backward_kernel<T, V>, dim3(fn_blocks(count, FN_THREADS, INT32_MAX)),
                     dim3(FN_THREADS), q->stream, fn_first<const float>(dy), dx->ctotal,
                     (unsigned)(dx->h * dx->w), vectors, count, fn_first<T>(dx));
}

int fn_k_avgpool_forward(const fn_k_queue *q, int type, const fn_tensor *x, const fn_tensor *y)
{
    if (type == FN_K_BF16)
        return forward<fn_bf16, 8>(q, x, y);
    return fn_fits_four(x) ? forward<float, 4>(q, x, y) : forward<float, 1>(q, x, y);
}

int fn_k_avgpool_backward(const fn_k_queue *q, int type, const fn_tensor *dy, const fn_tensor *dx)
{
    if (type == FN_K_BF16)
        return backward<fn_bf16, 8>(q, dy, dx);
    return fn_fits_four(dx) ? backward<float, 4>(q, dy, dx) : backward<float, 1>(q, dy, dx);
}
