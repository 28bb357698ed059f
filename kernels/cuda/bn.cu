/* SPDX-License-Identifier: MIT */
/* Batch normalization without gamma, and ReLU, over (rows, c). With s = 1 / sqrt(var + eps) and
 * x = (y - mean) s:
 *
 *     z = relu(x + beta)                             y packed -> z, a slice of the concat buffer
 *     g = dz where x + beta > 0     (all of it without relu)
 *     dbeta = sum g
 *     dy = s (g - mean of g - x * mean of (g x))
 *
 * or dy = s g where the statistics are constants (FN_BN_FIXED).
 *
 * Forward: one pass, one read and one write. Backward: the sums need all rows before the first dy
 * can be known, so two passes: sums (reads dz, y), then dy (reads dz, y, writes dy). x and the mask
 * are made anew from y, so nothing but y and the statistics is kept. Tiles and slices: device.h. */
#include "kernels/cuda/device.h"

template <class T, int V>
__global__ void __launch_bounds__(FN_THREADS)
    forward_kernel(const T *y, int y_stride, const float *__restrict__ stats,
                   const float *__restrict__ beta, int relu, size_t rows, size_t slice,
                   int channels, T *z, int z_stride)
{
    const fn_tile<V> t = fn_tile_here<V>(rows, slice, channels);
    if (t.row >= t.end)
        return;
    const fn_norm<V> k = fn_norm_load<V>(stats, beta, t.c, channels);
#pragma unroll 4
    for (size_t row = t.row; row < t.end; row += t.step) {
        fn_vector<V> v = fn_load<V>(y + row * (size_t)y_stride + t.c);
#pragma unroll
        for (int j = 0; j < V; j++) {
            const float shifted = fmaf(v.v[j] - k.mean.v[j], k.s.v[j], k.beta.v[j]);
            v.v[j] = relu ? fn_relu(shifted) : shifted;
        }
        fn_store<V>(z + row * (size_t)z_stride + t.c, v);
    }
}

/* x and g of one row. */
template <int V>
__device__ static inline void normalized(const fn_norm<V> &k, const fn_vector<V> &y,
                                         const fn_vector<V> &dz, int relu, fn_vector<V> *x,
                                         fn_vector<V> *g)
{
#pragma unroll
    for (int j = 0; j < V; j++) {
        const float d = y.v[j] - k.mean.v[j];
        x->v[j] = d * k.s.v[j];
        g->v[j] = relu && fmaf(d, k.s.v[j], k.beta.v[j]) <= 0.0f ? 0.0f : dz.v[j];
    }
}

template <class T, int V>
__global__ void __launch_bounds__(FN_THREADS)
    sums_kernel(const T *__restrict__ dz, int dz_stride, const T *__restrict__ y, int y_stride,
                const float *__restrict__ stats, const float *__restrict__ beta, int relu,
                size_t rows, size_t slice, int channels, float *__restrict__ dbeta,
                fn_k_scratch scratch)
{
    const fn_tile<V> t = fn_tile_here<V>(rows, slice, channels);
    fn_vector<V> sum[2];
    double total[2];
#pragma unroll
    for (int j = 0; j < V; j++)
        sum[0].v[j] = sum[1].v[j] = 0.0f;
    if (t.row < t.end) {
        const fn_norm<V> k = fn_norm_load<V>(stats, beta, t.c, channels);
#pragma unroll 2
        for (size_t row = t.row; row < t.end; row += t.step) {
            fn_vector<V> x, g;
            normalized(k, fn_load<V>(y + row * (size_t)y_stride + t.c),
                       fn_load<V>(dz + row * (size_t)dz_stride + t.c), relu, &x, &g);
#pragma unroll
            for (int j = 0; j < V; j++) {
                sum[0].v[j] += g.v[j];
                sum[1].v[j] = fmaf(g.v[j], x.v[j], sum[1].v[j]);
            }
        }
    }
    if (fn_tile_sums<2, V>(sum, channels, scratch, total)) {
        const int c = (int)(blockIdx.x * FN_TILE + threadIdx.x);
        dbeta[c] = (float)total[0];
        scratch.channel[c] = (float)total[1];
    }
}

template <class T, int V>
__global__ void __launch_bounds__(FN_THREADS)
    backward_kernel(const T *dz, int dz_stride, const T *y, int y_stride,
                    const float *__restrict__ stats, const float *__restrict__ beta, int mode,
                    size_t rows, size_t slice, int channels, const float *__restrict__ sum_g,
                    const float *__restrict__ sum_gx, T *dy, int dy_stride)
{
    const fn_tile<V> t = fn_tile_here<V>(rows, slice, channels);
    if (t.row >= t.end)
        return;
    const fn_norm<V> k = fn_norm_load<V>(stats, beta, t.c, channels);
    fn_vector<V> mean_g = fn_gather<V>(sum_g + t.c), mean_gx = fn_gather<V>(sum_gx + t.c);
#pragma unroll
    for (int j = 0; j < V; j++) {
        mean_g.v[j] = mode & FN_BN_FIXED ? 0.0f : mean_g.v[j] / (float)rows;
        mean_gx.v[j] = mode & FN_BN_FIXED ? 0.0f : mean_gx.v[j] / (float)rows;
    }
#pragma unroll 2
    for (size_t row = t.row; row < t.end; row += t.step) {
        fn_vector<V> x, g;
        normalized(k, fn_load<V>(y + row * (size_t)y_stride + t.c),
                   fn_load<V>(dz + row * (size_t)dz_stride + t.c), mode & FN_BN_RELU, &x, &g);
#pragma unroll
        for (int j = 0; j < V; j++)
            g.v[j] = k.s.v[j] * (g.v[j] - fmaf(x.v[j], mean_gx.v[j], mean_g.v[j]));
        fn_store<V>(dy + row * (size_t)dy_stride + t.c, g);
    }
}

template <class T, int V>
static int forward(const fn_k_queue *q, const fn_tensor *y, const float *stats, const float *beta,
                   int relu, const fn_tensor *z)
{
    size_t slice;
    const size_t rows = fn_rows_of(y);
    const dim3 grid = fn_tile_grid(rows, y->c, 16 * V, &slice);
    return fn_launch(forward_kernel<T, V>, grid, dim3(FN_THREADS), q->stream, fn_first<const T>(y),
                     y->ctotal, stats, beta, relu, rows, slice, y->c, fn_first<T>(z), z->ctotal);
}

int fn_k_bn_forward(const fn_k_queue *q, int type, const fn_tensor *y, const float *stats,
                    const float *beta, int relu, const fn_tensor *z)
{
    if (type == FN_K_BF16)
        return forward<fn_bf16, 8>(q, y, stats, beta, relu, z);
    if (fn_fits_four(y) && fn_fits_four(z))
        return forward<float, 4>(q, y, stats, beta, relu, z);
    return forward<float, 1>(q, y, stats, beta, relu, z);
}

template <class T, int V>
static int backward(const fn_k_queue *q, const fn_tensor *dz, const fn_tensor *y,
                    const float *stats, const float *beta, int mode, const fn_tensor *dy,
                    float *dbeta)
{
    size_t slice;
    const size_t rows = fn_rows_of(y);
    const dim3 grid = fn_tile_grid(rows, y->c, 16 * V, &slice);
    int rc = fn_launch(sums_kernel<T, V>, grid, dim3(FN_THREADS), q->stream, fn_first<const T>(dz),
                       dz->ctotal, fn_first<const T>(y), y->ctotal, stats, beta, mode & FN_BN_RELU,
                       rows, slice, y->c, dbeta, q->scratch);
    if (rc)
        return rc;
    return fn_launch(backward_kernel<T, V>, grid, dim3(FN_THREADS), q->stream,
                     fn_first<const T>(dz), dz->ctotal, fn_first<const T>(y), y->ctotal, stats,
                     beta, mode, rows, slice, y->c, dbeta, q->scratch.channel, fn_first<T>(dy),
                     dy->ctotal);
}

int fn_k_bn_backward(const fn_k_queue *q, int type, const fn_tensor *dz, const fn_tensor *y,
                     const float *stats, const float *beta, int mode, const fn_tensor *dy,
                     float *dbeta)
{
    if (type == FN_K_BF16)
        return backward<fn_bf16, 8>(q, dz, y, stats, beta, mode, dy, dbeta);
    if (fn_fits_four(dz) && fn_fits_four(y) && fn_fits_four(dy))
        return backward<float, 4>(q, dz, y, stats, beta, mode, dy, dbeta);
    return backward<float, 1>(q, dz, y, stats, beta, mode, dy, dbeta);
}
