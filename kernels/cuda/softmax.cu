/* SPDX-License-Identifier: MIT */
/* Softmax cross entropy over logits (n, classes), in place. With m the largest logit of a row and S
 * the sum of exp(x - m):
 *
 *     loss = log S + m - x_label,   d loss / dx = (exp(x - m) / S - onehot) / count
 *
 * A block takes a row (100,000 classes are 400 kB, more than a block can keep): it reads the row
 * once, each thread with a running (m, S) that is corrected when a larger logit comes, and once
 * more, mostly from the L2 cache, to write the gradient over it. No second (n, classes) array. The
 * mean loss and the number of right answers are added up by the last block, in the order of the
 * blocks. */
#include "kernels/cuda/device.h"

enum { THREADS = 512 };

struct running {
    float most, sum; /* sum of exp(x - most) */
    unsigned best;   /* class of most, the first of equals */
};

__device__ static inline float rescale(float from, float to)
{
    return from == to ? 1.0f : expf(from - to);
}

__device__ static inline void merge(running *a, float most, float sum, unsigned best)
{
    const float larger = most > a->most ? most : a->most;
    a->sum = a->sum * rescale(a->most, larger) + sum * rescale(most, larger);
    if (most > a->most || (most == a->most && best < a->best))
        a->best = best;
    a->most = larger;
}

__device__ static inline void merge_warp(running *a)
{
    for (int apart = 16; apart; apart /= 2) {
        const float most = __shfl_xor_sync(FN_ALL_LANES, a->most, apart);
        const float sum = __shfl_xor_sync(FN_ALL_LANES, a->sum, apart);
        const unsigned best = __shfl_xor_sync(FN_ALL_LANES, a->best, apart);
        merge(a, most, sum, best);
    }
}

/* The same in every thread of the block. */
__device__ static inline running merge_block(running a)
{
    FN_SHARED(float, most, [THREADS / 32]);
    FN_SHARED(float, sum, [THREADS / 32]);
    FN_SHARED(unsigned, best, [THREADS / 32]);
    const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    merge_warp(&a);
    __syncthreads(); /* the last row's have been read */
    if (lane == 0) {
        most[warp] = a.most;
        sum[warp] = a.sum;
        best[warp] = a.best;
    }
    __syncthreads();
    running all = {most[0], sum[0], best[0]};
    for (int w = 1; w < THREADS / 32; w++)
        merge(&all, most[w], sum[w], best[w]);
    return all;
}

template <int V> __device__ static inline running thread_running(const float *row, unsigned d)
{
    running a = {-INFINITY, 0.0f, UINT32_MAX};
    for (unsigned k = threadIdx.x * V; k < d; k += THREADS * V) {
        const fn_vector<V> v = fn_load<V>(row + k);
        float most = a.most;
#pragma unroll
        for (int j = 0; j < V; j++)
            if (v.v[j] > most) { /* never a NaN */
                most = v.v[j];
                a.best = k + (unsigned)j;
            }
        a.sum *= rescale(a.most, most);
        a.most = most;
#pragma unroll
        for (int j = 0; j < V; j++) /* a logit of -inf has no share even before any other came */
            a.sum += v.v[j] == -INFINITY ? 0.0f : expf(v.v[j] - most);
    }
    return a;
}

template <int V>
__device__ static inline void write_gradient(float *row, unsigned d, const running &all,
                                             unsigned label, float count)
{
    const float share = 1.0f / all.sum;
    for (unsigned k = threadIdx.x * V; k < d; k += THREADS * V) {
        fn_vector<V> v = fn_load<V>(row + k);
#pragma unroll
        for (int j = 0; j < V; j++) {
            const float p = expf(v.v[j] - all.most) * share;
            v.v[j] = (p - (k + (unsigned)j == label ? 1.0f : 0.0f)) / count;
        }
        fn_store<V>(row + k, v);
    }
}

template <int V> __device__ static inline void write_zeros(float *row, unsigned d)
{
    const fn_vector<V> zero = {};
    for (unsigned k = threadIdx.x * V; k < d; k += THREADS * V)
        fn_store<V>(row + k, zero);
}

template <int V>
__global__ void __launch_bounds__(THREADS)
    softmax_kernel(float *logits, unsigned n, unsigned d, const int32_t *__restrict__ labels,
                   unsigned count, int backward, fn_k_scratch scratch, fn_k_state *state)
{
    double value[2] = {0, 0}; /* of thread 0: loss, right answers */
    for (unsigned i = blockIdx.x; i < n; i += gridDim.x) {
        float *row = logits + (size_t)i * d;
        if (i >= count) {
            if (backward)
                write_zeros<V>(row, d);
            continue;
        }
        const unsigned label = (unsigned)labels[i];
        const float right = row[label], first = row[0];
        const running all = merge_block(thread_running<V>(row, d)); /* all have read the row */
        value[0] += (double)all.most - (double)right + (double)logf(all.sum);
        value[1] += (isnan(first) ? 0 : all.best) == label;
        if (backward)
            write_gradient<V>(row, d, all, label, (float)count);
    }
    if (fn_grid_sum<2>(value, scratch) && threadIdx.x == 0) {
        state->losses[FN_LOSS_XENT] += value[0] / (double)count;
        state->losses[FN_LOSS_CORRECT] += value[1];
    }
}

int fn_k_softmax_xent(const fn_k_queue *q, const fn_tensor *logits, const int32_t *labels,
                      int count, int backward)
{
    const dim3 grid(fn_blocks((size_t)logits->n, 1, FN_K_BLOCKS));
    return fn_launch(fn_fits_four(logits) ? softmax_kernel<4> : softmax_kernel<1>, grid,
                     dim3(THREADS), q->stream, fn_first<float>(logits), (unsigned)logits->n,
                     (unsigned)logits->c, labels, (unsigned)count, backward, q->scratch, q->state);
}
