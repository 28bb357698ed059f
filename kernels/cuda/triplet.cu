/* SPDX-License-Identifier: MIT */
/* Triplet loss over embeddings e (n, d), rows 3t, 3t + 1, 3t + 2 = anchor, positive, negative: with
 * T triplets, loss = mean of h = max(|a-p|^2 - |a-n|^2 + alpha, 0); where h > 0
 *
 *     da = 2 (n - p) / T,   dp = 2 (p - a) / T,   dn = 2 (a - n) / T;   else 0, as rows from count
 * on.
 *
 * A warp a triplet. */
#include "kernels/cuda/device.h"

__device__ static inline float squared_distance(const float *a, const float *b, unsigned d)
{
    float sum = 0.0f;
    for (unsigned k = threadIdx.x % 32; k < d; k += 32) {
        const float difference = a[k] - b[k];
        sum = fmaf(difference, difference, sum);
    }
    return fn_warp_sum(sum);
}

/* The three rows of one triplet's gradient; its hinge. */
__device__ static float triplet(const float *a, unsigned d, float alpha, float slope, float *da)
{
    const float *p = a + d, *n = p + d;
    const float hinge = squared_distance(a, p, d) - squared_distance(a, n, d) + alpha;
    const bool active = !(hinge <= 0.0f); /* NaN is active, and shows */
    for (unsigned k = threadIdx.x % 32; k < d; k += 32) {
        da[k] = active ? slope * (n[k] - p[k]) : 0.0f;
        da[d + k] = active ? slope * (p[k] - a[k]) : 0.0f;
        da[2 * d + k] = active ? slope * (a[k] - n[k]) : 0.0f;
    }
    return active ? hinge : 0.0f;
}

__global__ void __launch_bounds__(FN_THREADS)
    triplet_kernel(const float *__restrict__ e, unsigned n, unsigned count, unsigned d, float alpha,
                   float *__restrict__ de, fn_k_scratch scratch, fn_k_state *state)
{
    FN_SHARED(double, part, [FN_WARPS][2]);
    const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const unsigned triplets = count / 3, all = triplets + (n - count); /* padding: a row each */
    const float slope = 2.0f / (float)triplets;
    double sum = 0, active = 0;
    for (size_t i = blockIdx.x * FN_WARPS + warp; i < all; i += gridDim.x * FN_WARPS) {
        if (i < triplets) {
            const float hinge = triplet(e + i * 3 * d, d, alpha, slope, de + i * 3 * d);
            sum += hinge;
            active += hinge != 0.0f;
        } else {
            for (unsigned k = lane; k < d; k += 32)
                de[(count + (i - triplets)) * d + k] = 0.0f;
        }
    }
    if (lane == 0) {
        part[warp][0] = sum;
        part[warp][1] = active;
    }
    __syncthreads();
    double value[2] = {0, 0};
    for (int w = 0; w < FN_WARPS; w++) {
        value[0] += part[w][0];
        value[1] += part[w][1];
    }
    if (fn_grid_sum<2>(value, scratch) && threadIdx.x == 0) {
        state->losses[FN_LOSS_TRIPLET] += value[0] / triplets;
        state->losses[FN_LOSS_ACTIVE] += value[1];
    }
}

/* Mean squared distance of two of the first `count` rows: with s their sum,
 * (count sum of |e|^2 - |s|^2) / (count (count - 1) / 2). A thread a column. */
__global__ void __launch_bounds__(FN_THREADS)
    spread_kernel(const float *__restrict__ e, unsigned count, unsigned d, fn_k_scratch scratch,
                  fn_k_state *state)
{
    double all = 0;
    for (unsigned k = blockIdx.x * FN_THREADS + threadIdx.x; k < d; k += gridDim.x * FN_THREADS) {
        double sum = 0, squares = 0;
        for (unsigned i = 0; i < count; i++) {
            const double v = e[(size_t)i * d + k];
            sum += v;
            squares += v * v;
        }
        all += count * squares - sum * sum;
    }
    double value[1] = {fn_block_sum(all)};
    if (fn_grid_sum<1>(value, scratch) && threadIdx.x == 0)
        state->losses[FN_LOSS_SPREAD] += value[0] / ((double)count * (count - 1) / 2);
}

int fn_k_triplet_loss(const fn_k_queue *q, const fn_tensor *e, int count, double alpha,
                      const fn_tensor *de)
{
    const size_t all = (size_t)(count / 3) + (size_t)(e->n - count);
    const dim3 grid(fn_blocks(all, FN_WARPS, FN_K_BLOCKS));
    const dim3 columns(fn_blocks((size_t)e->c, FN_THREADS, FN_K_BLOCKS));
    int rc = fn_launch(triplet_kernel, grid, dim3(FN_THREADS), q->stream, fn_first<const float>(e),
                       (unsigned)e->n, (unsigned)count, (unsigned)e->c, (float)alpha,
                       fn_first<float>(de), q->scratch, q->state);
    return rc ? rc
              : fn_launch(spread_kernel, columns, dim3(FN_THREADS), q->stream,
                          fn_first<const float>(e), (unsigned)count, (unsigned)e->c, q->scratch,
                          q->state);
}
