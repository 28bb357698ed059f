/* SPDX-License-Identifier: MIT */
/* Softmax cross entropy over rows x (n, classes) with a margin and smoothed labels (the rule:
 * kernels/op.h), in place. With u what softmax sees, e the smoothing and K classes,
 *
 *     loss = log(sum of exp u) - (1 - e) u_label - e mean(u)
 *     d loss / dx_k = (softmax(u)_k - (1 - e) [k = label] - e / K) du_k / dx_k / count
 *
 * A block a row, which it reads four times, mostly from the L2 cache: where the largest x stands,
 * the largest u, the sums of exp(u - most) and u, the gradient. u is never stored: it is s x but at
 * the label. */
#include "kernels/cuda/device.h"

enum { THREADS = 512 };

/* fn_margin, with the margin's cosine and sine by the host: in the kernel they cost a stack. */
struct settings {
    int kind;
    double scale, margin, cosine, sine, smoothing;
};

struct rule {
    float scale, own, slope; /* u_k = scale x_k; the label's u, and its derivative */
    float smoothing;
    unsigned label;
};

__device__ static inline rule rule_of(const settings &m, float x, unsigned label)
{
    rule r = {1.0f, x, 1.0f, (float)m.smoothing, label};
    if (m.kind == FN_MARGIN_NONE)
        return r;
    const double c = x, sine2 = 1 - c * c;
    double own = c - m.margin, slope = 1;
    if (m.kind == FN_MARGIN_ARC && c <= -m.cosine) {
        own = c - m.margin * m.sine;
    } else if (m.kind == FN_MARGIN_ARC) {
        const double sine = sqrt(sine2 > FN_MARGIN_SINE2 ? sine2 : FN_MARGIN_SINE2);
        own = c * m.cosine - sine * m.sine;
        slope = m.cosine + (sine2 > FN_MARGIN_SINE2 ? c * m.sine / sine : 0);
    }
    r.scale = (float)m.scale;
    r.own = (float)(m.scale * own);
    r.slope = (float)(m.scale * slope);
    return r;
}

__device__ static inline float seen(const rule &r, float x, unsigned k)
{
    return k == r.label ? r.own : r.scale * x;
}

/* The largest u of the row in every thread, and the first place of it. */
__device__ static inline float largest(const float *row, unsigned d, const rule &r, unsigned *where)
{
    FN_SHARED(float, most, [THREADS / 32]);
    FN_SHARED(unsigned, best, [THREADS / 32]);
    const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    float m = -INFINITY;
    unsigned b = UINT32_MAX;
    for (unsigned k = threadIdx.x; k < d; k += THREADS)
        if (seen(r, row[k], k) > m) {
            m = seen(r, row[k], k);
            b = k;
        }
    for (int apart = 16; apart; apart /= 2) {
        const float m2 = __shfl_xor_sync(FN_ALL_LANES, m, apart);
        const unsigned b2 = __shfl_xor_sync(FN_ALL_LANES, b, apart);
        if (m2 > m || (m2 == m && b2 < b)) {
            m = m2;
            b = b2;
        }
    }
    __syncthreads(); /* the last row's have been read */
    if (lane == 0) {
        most[warp] = m;
        best[warp] = b;
    }
    __syncthreads();
    for (int w = 0; w < THREADS / 32; w++)
        if (most[w] > m || (most[w] == m && best[w] < b)) {
            m = most[w];
            b = best[w];
        }
    *where = b;
    return m;
}

/* Loss of a row, the same in every thread. */
__device__ static double row_loss(float *row, unsigned d, const rule &r, float most, float count,
                                  int backward)
{
    float part = 0.0f, plain = 0.0f;
    for (unsigned k = threadIdx.x; k < d; k += THREADS) {
        const float u = seen(r, row[k], k);
        part += expf(u - most);
        plain += u;
    }
    const double sum = fn_block_sum((double)part), all = fn_block_sum((double)plain);
    const float share = (float)(1 / sum), even = r.smoothing / (float)d;
    for (unsigned k = threadIdx.x; backward && k < d; k += THREADS) {
        const float p = expf(seen(r, row[k], k) - most) * share;
        const float g = p - (k == r.label ? 1.0f - r.smoothing : 0.0f) - even;
        row[k] = g * (k == r.label ? r.slope : r.scale) / count;
    }
    return log(sum) + (double)most - (1.0 - (double)r.smoothing) * (double)r.own -
           (double)r.smoothing * all / d;
}

__global__ void __launch_bounds__(THREADS)
    margin_kernel(float *x, unsigned n, unsigned d, const int32_t *__restrict__ labels,
                  unsigned count, settings margin, int backward, fn_k_scratch scratch,
                  fn_k_state *state)
{
    double value[2] = {0, 0}; /* of thread 0: loss, right answers */
    for (unsigned i = blockIdx.x; i < n; i += gridDim.x) {
        float *row = x + (size_t)i * d;
        if (i >= count) {
            for (unsigned k = threadIdx.x; backward && k < d; k += THREADS)
                row[k] = 0.0f;
            continue;
        }
        const unsigned label = (unsigned)labels[i];
        const float own = row[label], first = row[0];
        const rule plain = {1.0f, own, 1.0f, 0.0f, label}, r = rule_of(margin, own, label);
        unsigned best, largest_u;
        largest(row, d, plain, &best);
        const float most = largest(row, d, r, &largest_u);
        value[0] += row_loss(row, d, r, most, (float)count, backward);
        value[1] += (isnan(first) ? 0 : best) == label;
    }
    if (fn_grid_sum<2>(value, scratch) && threadIdx.x == 0) {
        state->losses[FN_LOSS_XENT] += value[0] / (double)count;
        state->losses[FN_LOSS_CORRECT] += value[1];
    }
}

int fn_k_margin_xent(const fn_k_queue *q, const fn_tensor *x, const int32_t *labels, int count,
                     const fn_margin *rule, int backward)
{
    const dim3 grid(fn_blocks((size_t)x->n, 1, FN_K_BLOCKS));
    const settings margin = {rule->kind,        rule->scale,       rule->margin,
                             cos(rule->margin), sin(rule->margin), rule->smoothing};
    return fn_launch(margin_kernel, grid, dim3(THREADS), q->stream, fn_first<float>(x),
                     (unsigned)x->n, (unsigned)x->c, labels, (unsigned)count, margin, backward,
                     q->scratch, q->state);
}
