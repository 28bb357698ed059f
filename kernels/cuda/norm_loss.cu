/* SPDX-License-Identifier: MIT */
/* The prelogits norm of rows x (n, d): mean over rows of ||v||_p, v = |x| + 1e-4. With m the
 * largest v:
 *
 *     ||v||_p = m (sum of (v / m)^p)^(1/p)          (so that no power overflows)
 *     d ||v||_p / dx = sign(x) (v / ||v||_p)^(p-1)
 *
 * p = INFINITY: ||v|| = m, the gradient shared among equal largest ones. A warp a row. Powers are
 * taken in double: p may be large, there are few of them, and the usual p = 1 needs none. */
#include "kernels/cuda/device.h"

#define OFFSET 1e-4 /* eps of the original's train_softmax.py */

__device__ static inline double value_of(float x)
{
    return fabs((double)x) + OFFSET;
}

__device__ static inline double power(double v, double p)
{
    return p == 0 ? 1 : p == 1 ? v : exp(p * log(v)); /* v > 0; pow would be a call that spills */
}

/* Largest of the row, or NaN if there is one; how many are equal to it. */
__device__ static inline double largest(const float *x, unsigned d, double *equals)
{
    double most = 0, count = 0;
    for (unsigned k = threadIdx.x % 32; k < d; k += 32) {
        const double v = value_of(x[k]);
        if (v > most || isnan(v))
            most = v;
    }
    for (int apart = 16; apart; apart /= 2) {
        const double other = __shfl_xor_sync(FN_ALL_LANES, most, apart);
        if (other > most || isnan(other))
            most = other;
    }
    for (unsigned k = threadIdx.x % 32; k < d; k += 32)
        count += value_of(x[k]) == most;
    *equals = fn_warp_sum(count);
    return most;
}

__device__ static inline double norm_of(const float *x, unsigned d, double p, double most)
{
    double sum = 0;
    if (isinf(p))
        return most;
    for (unsigned k = threadIdx.x % 32; k < d; k += 32)
        sum += power(value_of(x[k]) / most, p);
    return most * power(fn_warp_sum(sum), 1 / p);
}

__global__ void __launch_bounds__(FN_THREADS)
    norm_loss_kernel(const float *__restrict__ x, unsigned count, unsigned d, double p,
                     double factor, float *dx, fn_k_scratch scratch, fn_k_state *state)
{
    FN_SHARED(double, part, [FN_WARPS]);
    const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    double sum = 0;
    for (size_t row = blockIdx.x * FN_WARPS + warp; row < count; row += gridDim.x * FN_WARPS) {
        const float *x_row = x + row * d;
        double equals;
        const double most = largest(x_row, d, &equals), norm = norm_of(x_row, d, p, most);
        sum += norm;
        for (unsigned k = lane; dx && k < d; k += 32) {
            const double v = value_of(x_row[k]);
            const double sign = x_row[k] > 0.0f ? 1 : x_row[k] < 0.0f ? -1 : 0;
            const double slope = isinf(p) ? (v == most) / equals : power(v / norm, p - 1);
            float *to = dx + row * d + k;
            *to = (float)(*to + factor * sign * slope / count);
        }
    }
    if (lane == 0)
        part[warp] = sum;
    __syncthreads();
    double value[1] = {0};
    for (int w = 0; w < FN_WARPS; w++)
        value[0] += part[w];
    if (fn_grid_sum<1>(value, scratch) && threadIdx.x == 0)
        state->losses[FN_LOSS_NORM] += value[0] / count;
}

int fn_k_norm_loss(const fn_k_queue *q, const fn_tensor *x, int count, double p, double factor,
                   const fn_tensor *dx)
{
    const dim3 grid(fn_blocks((size_t)count, FN_WARPS, FN_K_BLOCKS));
    return fn_launch(norm_loss_kernel, grid, dim3(FN_THREADS), q->stream, fn_first<const float>(x),
                     (unsigned)count, (unsigned)x->c, p, factor, dx ? fn_first<float>(dx) : nullptr,
                     q->scratch, q->state);
}
