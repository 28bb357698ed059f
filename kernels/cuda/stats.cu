/* SPDX-License-Identifier: MIT */
/* Batch statistics of y (rows, c): mean, then biased variance, of every channel over all rows; one
 * launch, each number read once.
 *
 * A thread sums differences from the first number it reads, so that nothing cancels, however far
 * the mean lies from 0 or one row from the others; (count, mean, sum of squared deviations) are
 * then merged by the rule of Chan, Golub and LeVeque (1979) over the warp's rows, and in double
 * over warps and slices, always in the same order. Tiles and slices: device.h. */
#include "kernels/cuda/device.h"

/* Count, mean (less the channel's number in row 0, so that a mean far from 0 keeps its digits), and
 * sum of squared deviations from it. */
template <int V> struct moments {
    float count;
    fn_vector<V> mean, square;
};

template <class T, int V>
__device__ static moments<V> thread_moments(const T *y, int stride, const fn_tile<V> &t)
{
    moments<V> m;
    fn_vector<V> first, shift, sum;
    unsigned count = 0;
#pragma unroll
    for (int j = 0; j < V; j++)
        first.v[j] = shift.v[j] = sum.v[j] = m.square.v[j] = 0.0f;
    if (t.row < t.end) {
        first = fn_load<V>(y + t.c);
        shift = fn_load<V>(y + t.row * (size_t)stride + t.c);
    }
#pragma unroll 4
    for (size_t row = t.row; row < t.end; row += t.step, count++) {
        const fn_vector<V> v = fn_load<V>(y + row * (size_t)stride + t.c);
#pragma unroll
        for (int j = 0; j < V; j++) {
            const float d = v.v[j] - shift.v[j];
            sum.v[j] += d;
            m.square.v[j] = fmaf(d, d, m.square.v[j]);
        }
    }
    m.count = (float)count;
#pragma unroll
    for (int j = 0; j < V; j++) {
        const float d = count ? sum.v[j] / m.count : 0.0f;
        m.mean.v[j] = (shift.v[j] - first.v[j]) + d;
        m.square.v[j] = fmaf(-sum.v[j], d, m.square.v[j]);
    }
    return m;
}

/* Over the lanes that hold the same channels of other rows. */
template <int V> __device__ static void merge_lanes(moments<V> *m)
{
    for (int apart = FN_TILE / V; apart < 32; apart *= 2) {
        const float other = __shfl_xor_sync(FN_ALL_LANES, m->count, apart);
        const float both = m->count + other, share = both > 0.0f ? other / both : 0.0f;
#pragma unroll
        for (int j = 0; j < V; j++) {
            const float mean = __shfl_xor_sync(FN_ALL_LANES, m->mean.v[j], apart);
            const float square = __shfl_xor_sync(FN_ALL_LANES, m->square.v[j], apart);
            const float d = mean - m->mean.v[j];
            m->square.v[j] += square + d * d * m->count * share;
            m->mean.v[j] += d * share;
        }
        m->count = both;
    }
}

/* Deviations of several means from one of them, weighted: merges any number of moments. */
struct gather {
    double count, sum, square; /* of differences from a shift */
};

__device__ static inline void gather_add(gather *g, double shift, double count, double mean,
                                         double square)
{
    const double d = mean - shift;
    g->count += count;
    g->sum += count * d;
    g->square += square + count * d * d;
}

__device__ static inline void write_stats(const gather &g, double shift, float first, float *stats,
                                          int c, int channels)
{
    const double d = g.sum / g.count, var = g.square / g.count - d * d;
    stats[c] = (float)((double)first + (shift + d));
    stats[channels + c] = (float)(var < 0 ? 0 : var); /* NaN stays */
}

/* In the last block of a tile: thread (warp, channel) takes every eighth slice. */
template <class T>
__device__ static void merge_slices(const T *y, const fn_k_scratch &scratch, size_t rows,
                                    size_t slice, int channels, float *stats)
{
    FN_SHARED(double, part, [FN_WARPS][2][FN_TILE]);
    const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const int c = (int)(blockIdx.x * FN_TILE + lane);
    gather g = {0, 0, 0};
    double shift = 0;
    if (c < channels) {
        shift = __ldcg(scratch.partial + c);
        for (size_t s = warp; s < gridDim.y; s += FN_WARPS) {
            const float *mean = scratch.partial + s * 2 * (size_t)channels + c;
            const size_t left = rows - s * slice;
            gather_add(&g, shift, (double)(left < slice ? left : slice), __ldcg(mean),
                       __ldcg(mean + channels));
        }
    }
    part[warp][0][lane] = g.sum;
    part[warp][1][lane] = g.square;
    __syncthreads();
    if (warp == 0 && c < channels) {
        for (int w = 1; w < FN_WARPS; w++) {
            g.sum += part[w][0][lane];
            g.square += part[w][1][lane];
        }
        g.count = (double)rows;
        write_stats(g, shift, fn_widen(y[c]), stats, c, channels);
    }
}

template <class T, int V>
__global__ void __launch_bounds__(FN_THREADS, 3)
    stats_kernel(const T *__restrict__ y, int stride, size_t rows, size_t slice, int channels,
                 float *__restrict__ stats, fn_k_scratch scratch)
{
    FN_SHARED(float, part, [FN_WARPS][2][FN_TILE]);
    FN_SHARED(float, count, [FN_WARPS]);
    const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32, across = FN_TILE / V;
    const fn_tile<V> t = fn_tile_here<V>(rows, slice, channels);
    moments<V> m = thread_moments<T, V>(y, stride, t);
    merge_lanes(&m);
    if (lane < across)
#pragma unroll
        for (int j = 0; j < V; j++) {
            part[warp][0][lane * V + (unsigned)j] = m.mean.v[j];
            part[warp][1][lane * V + (unsigned)j] = m.square.v[j];
        }
    if (lane == 0)
        count[warp] = m.count;
    __syncthreads();
    const int c = (int)(blockIdx.x * FN_TILE + lane);
    if (warp == 0 && c < channels) {
        gather g = {0, 0, 0};
        const double shift = part[0][0][lane];
        for (int w = 0; w < FN_WARPS; w++)
            gather_add(&g, shift, count[w], part[w][0][lane], part[w][1][lane]);
        if (gridDim.y == 1) {
            write_stats(g, shift, fn_widen(y[c]), stats, c, channels);
        } else {
            float *to = scratch.partial + (size_t)blockIdx.y * 2 * (size_t)channels + c;
            const double d = g.sum / g.count;
            to[0] = (float)(shift + d);
            to[channels] = (float)(g.square - g.count * d * d);
        }
    }
    if (gridDim.y > 1 && fn_is_last_block(scratch.counter + blockIdx.x, gridDim.y))
        merge_slices(y, scratch, rows, slice, channels, stats);
}

template <class T, int V> static int start(const fn_k_queue *q, const fn_tensor *y, float *stats)
{
    size_t slice;
    const size_t rows = fn_rows_of(y);
    const dim3 grid = fn_tile_grid(rows, y->c, 16 * V, &slice);
    return fn_launch(stats_kernel<T, V>, grid, dim3(FN_THREADS), q->stream, fn_first<const T>(y),
                     y->ctotal, rows, slice, y->c, stats, q->scratch);
}

int fn_k_stats(const fn_k_queue *q, int type, const fn_tensor *y, float *stats)
{
    if (type == FN_K_BF16)
        return start<fn_bf16, 8>(q, y, stats);
    return fn_fits_four(y) ? start<float, 4>(q, y, stats) : start<float, 1>(q, y, stats);
}
