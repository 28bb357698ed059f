/* SPDX-License-Identifier: MIT */
/* The bias of a fully connected layer: y (n, d) += b, and its gradient, the sums of dy's columns.
 * Tiles and slices: device.h; few rows and up to 100,000 columns, so mostly one slice. */
#include "kernels/cuda/device.h"

template <int V>
__global__ void __launch_bounds__(FN_THREADS)
    forward_kernel(float *y, const float *__restrict__ b, size_t rows, size_t slice, int channels)
{
    const fn_tile<V> t = fn_tile_here<V>(rows, slice, channels);
    if (t.row >= t.end)
        return;
    const fn_vector<V> bias = fn_gather<V>(b + t.c);
#pragma unroll 4
    for (size_t row = t.row; row < t.end; row += t.step) {
        float *at = y + row * (size_t)channels + t.c;
        fn_vector<V> v = fn_load<V>(at);
#pragma unroll
        for (int j = 0; j < V; j++)
            v.v[j] += bias.v[j];
        fn_store<V>(at, v);
    }
}

template <int V>
__global__ void __launch_bounds__(FN_THREADS)
    backward_kernel(const float *__restrict__ dy, size_t rows, size_t slice, int channels,
                    float *__restrict__ db, fn_k_scratch scratch)
{
    const fn_tile<V> t = fn_tile_here<V>(rows, slice, channels);
    fn_vector<V> sum[1] = {};
    double total[1];
#pragma unroll 4
    for (size_t row = t.row; row < t.end; row += t.step) {
        const fn_vector<V> v = fn_load<V>(dy + row * (size_t)channels + t.c);
#pragma unroll
        for (int j = 0; j < V; j++)
            sum[0].v[j] += v.v[j];
    }
    if (fn_tile_sums<1, V>(sum, channels, scratch, total))
        db[blockIdx.x * FN_TILE + threadIdx.x] = (float)total[0];
}

int fn_k_bias_forward(const fn_k_queue *q, const fn_tensor *y, const float *b)
{
    size_t slice;
    const bool four = fn_fits_four(y);
    const size_t rows = fn_rows_of(y);
    const dim3 grid = fn_tile_grid(rows, y->c, four ? 64 : 16, &slice);
    return fn_launch(four ? forward_kernel<4> : forward_kernel<1>, grid, dim3(FN_THREADS),
                     q->stream, fn_first<float>(y), b, rows, slice, y->c);
}

int fn_k_bias_backward(const fn_k_queue *q, const fn_tensor *dy, float *db)
{
    size_t slice;
    const bool four = fn_fits_four(dy);
    const size_t rows = fn_rows_of(dy);
    const dim3 grid = fn_tile_grid(rows, dy->c, four ? 64 : 16, &slice);
    return fn_launch(four ? backward_kernel<4> : backward_kernel<1>, grid, dim3(FN_THREADS),
                     q->stream, fn_first<const float>(dy), rows, slice, dy->c, db, q->scratch);
}
