/* SPDX-License-Identifier: MIT */
/* The end of a residual block over (rows, c): out = relu(x + scale (up + bias)), and backward
 *
 *     d = dout where out > 0     (all of it without relu)
 *     dx = d,   dup = scale d,   dbias = sum of dup over the rows
 *
 * One pass each: forward two reads and a write, backward two reads and two writes with the sum
 * taken on the way. Tiles and slices: device.h. */
#include "kernels/cuda/device.h"

struct views {
    int a, b, c, d; /* elements from row to row */
};

template <class T, int V>
__global__ void __launch_bounds__(FN_THREADS)
    forward_kernel(const T *x, const T *up, const float *__restrict__ bias, float scale, int relu,
                   size_t rows, size_t slice, int channels, T *out, views stride)
{
    const fn_tile<V> t = fn_tile_here<V>(rows, slice, channels);
    if (t.row >= t.end)
        return;
    const fn_vector<V> b = fn_gather<V>(bias + t.c);
#pragma unroll 4
    for (size_t row = t.row; row < t.end; row += t.step) {
        fn_vector<V> v = fn_load<V>(x + row * (size_t)stride.a + t.c);
        const fn_vector<V> u = fn_load<V>(up + row * (size_t)stride.b + t.c);
#pragma unroll
        for (int j = 0; j < V; j++) {
            const float sum = fmaf(scale, u.v[j] + b.v[j], v.v[j]);
            v.v[j] = relu ? fn_relu(sum) : sum;
        }
        fn_store<V>(out + row * (size_t)stride.c + t.c, v);
    }
}

template <class T, int V>
__global__ void __launch_bounds__(FN_THREADS)
    backward_kernel(const T *dout, const T *out, float scale, int relu, size_t rows, size_t slice,
                    int channels, T *dx, T *dup, float *__restrict__ dbias, fn_k_scratch scratch,
                    views stride)
{
    const fn_tile<V> t = fn_tile_here<V>(rows, slice, channels);
    fn_vector<V> sum[1];
    double total[1];
#pragma unroll
    for (int j = 0; j < V; j++)
        sum[0].v[j] = 0.0f;
#pragma unroll 2
    for (size_t row = t.row; row < t.end; row += t.step) {
        fn_vector<V> d = fn_load<V>(dout + row * (size_t)stride.a + t.c);
        const fn_vector<V> o = fn_load<V>(out + row * (size_t)stride.b + t.c);
        fn_vector<V> scaled;
#pragma unroll
        for (int j = 0; j < V; j++) {
            if (relu && o.v[j] <= 0.0f)
                d.v[j] = 0.0f;
            scaled.v[j] = scale * d.v[j];
            sum[0].v[j] += scaled.v[j];
        }
        fn_store<V>(dx + row * (size_t)stride.c + t.c, d);
        fn_store<V>(dup + row * (size_t)stride.d + t.c, scaled);
    }
    if (fn_tile_sums<1, V>(sum, channels, scratch, total))
        dbias[blockIdx.x * FN_TILE + threadIdx.x] = (float)total[0];
}

template <class T, int V>
static int forward(const fn_k_queue *q, const fn_tensor *x, const fn_tensor *up, const float *bias,
                   double scale, int relu, const fn_tensor *out)
{
    size_t slice;
    const size_t rows = fn_rows_of(x);
    const dim3 grid = fn_tile_grid(rows, x->c, 16 * V, &slice);
    const views stride = {x->ctotal, up->ctotal, out->ctotal, 0};
    return fn_launch(forward_kernel<T, V>, grid, dim3(FN_THREADS), q->stream, fn_first<const T>(x),
                     fn_first<const T>(up), bias, (float)scale, relu, rows, slice, x->c,
                     fn_first<T>(out), stride);
}

int fn_k_residual_forward(const fn_k_queue *q, int type, const fn_tensor *x, const fn_tensor *up,
                          const float *bias, double scale, int relu, const fn_tensor *out)
{
    if (type == FN_K_BF16)
        return forward<fn_bf16, 8>(q, x, up, bias, scale, relu, out);
    if (fn_fits_four(x) && fn_fits_four(up) && fn_fits_four(out))
        return forward<float, 4>(q, x, up, bias, scale, relu, out);
    return forward<float, 1>(q, x, up, bias, scale, relu, out);
}

template <class T, int V>
static int backward(const fn_k_queue *q, const fn_tensor *dout, const fn_tensor *out, double scale,
                    int relu, const fn_tensor *dx, const fn_tensor *dup, float *dbias)
{
    size_t slice;
    const size_t rows = fn_rows_of(dout);
    const dim3 grid = fn_tile_grid(rows, dout->c, 16 * V, &slice);
    const views stride = {dout->ctotal, out->ctotal, dx->ctotal, dup->ctotal};
    return fn_launch(backward_kernel<T, V>, grid, dim3(FN_THREADS), q->stream,
                     fn_first<const T>(dout), fn_first<const T>(out), (float)scale, relu, rows,
                     slice, dout->c, fn_first<T>(dx), fn_first<T>(dup), dbias, q->scratch, stride);
}

int fn_k_residual_backward(const fn_k_queue *q, int type, const fn_tensor *dout,
                           const fn_tensor *out, double scale, int relu, const fn_tensor *dx,
                           const fn_tensor *dup, float *dbias)
{
    if (type == FN_K_BF16)
        return backward<fn_bf16, 8>(q, dout, out, scale, relu, dx, dup, dbias);
    if (fn_fits_four(dout) && fn_fits_four(out) && fn_fits_four(dx) && fn_fits_four(dup))
        return backward<float, 4>(q, dout, out, scale, relu, dx, dup, dbias);
    return backward<float, 1>(q, dout, out, scale, relu, dx, dup, dbias);
}
