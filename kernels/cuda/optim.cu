/* SPDX-License-Identifier: MIT */
/* One pass over all parameters: weight decay and its loss, the optimizer's rule, the moving
 * average, and the bf16 copy of the weights. The arenas are cut into chunks of up to 4,096 numbers,
 * none across a group; up to 1,024 blocks take them in turn. A chunk that begins at a multiple of 4
 * is read in vectors of four. Learning rate, bias correction and count are read from device memory.
 *
 *     g += weight_decay w                        where it applies; then, a and d being slot1 and
 * slot2: ADAGRAD   a += g^2;  w -= lr g / sqrt(a) ADADELTA  a = .9a + .1g^2;  u = g sqrt(d + 1e-6)
 * / sqrt(a + 1e-6);  d = .9d + .1u^2;  w -= lr u ADAM      a = .9a + .1g;  d = .999d + .001g^2; w
 * -= lr sqrt(1 - .999^t) / (1 - .9^t)  a / (sqrt(d) + 0.1) RMSPROP   a = .9a + .1g^2;  d = .9d + lr
 * g / sqrt(a + 1);  w -= d MOM       a = .9a + g;  w -= lr g + lr .9 a EMA       e -= (1 - D) (e -
 * w),  D = min(ema_decay, (1 + t) / (10 + t))
 *
 * Does nothing when check_finite met a bad value in this step. */
#include "kernels/cuda/device.h"

/* One parameter and its slots. */
struct cell {
    float w, a, d;
};

template <int RULE> struct rule {
    enum { SLOT2 = 0 };
    __device__ static void apply(cell *x, float g, float lr);
};

template <> __device__ inline void rule<FN_ADAGRAD>::apply(cell *x, float g, float lr)
{
    x->a = fmaf(g, g, x->a);
    x->w -= lr * g / sqrtf(x->a);
}

template <> __device__ inline void rule<FN_MOM>::apply(cell *x, float g, float lr)
{
    x->a = fmaf(.9f, x->a, g);
    x->w -= lr * fmaf(.9f, x->a, g);
}

template <> struct rule<FN_ADADELTA> {
    enum { SLOT2 = 1 };
    __device__ static void apply(cell *x, float g, float lr)
    {
        x->a = fmaf(.9f, x->a, .1f * g * g);
        const float u = g * sqrtf(x->d + 1e-6f) / sqrtf(x->a + 1e-6f);
        x->d = fmaf(.9f, x->d, .1f * u * u);
        x->w -= lr * u;
    }
};

/* lr: with the correction of the bias in it. */
template <> struct rule<FN_ADAM> {
    enum { SLOT2 = 1 };
    __device__ static void apply(cell *x, float g, float lr)
    {
        x->a = fmaf(.9f, x->a, .1f * g);
        x->d = fmaf(.999f, x->d, .001f * g * g);
        x->w -= lr * x->a / (sqrtf(x->d) + 0.1f);
    }
};

template <> struct rule<FN_RMSPROP> {
    enum { SLOT2 = 1 };
    __device__ static void apply(cell *x, float g, float lr)
    {
        x->a = fmaf(.9f, x->a, .1f * g * g);
        x->d = fmaf(.9f, x->d, lr * g / sqrtf(x->a + 1.0f));
        x->w -= x->d;
    }
};

struct scalars {
    float lr, decay, follow; /* follow: 1 - D */
};

/* The numbers [i, i + V) of the arenas. Returns the sum of w^2 where weight decay applies. */
template <int RULE, int V>
__device__ static inline float take(const fn_k_arenas &u, size_t i, unsigned flags,
                                    const scalars &s)
{
    fn_vector<V> w = fn_load<V>(u.w + i);
    float squares = 0.0f;
    if (flags & FN_K_TRAIN) {
        const fn_bf16 *narrow = reinterpret_cast<const fn_bf16 *>(u.grad16);
        const bool decays = flags & FN_K_DECAY;
        fn_vector<V> g = flags & FN_K_NARROW ? fn_load<V>(narrow + i) : fn_load<V>(u.grad + i);
        fn_vector<V> a = fn_load<V>(u.slot1 + i), d = {};
        if (rule<RULE>::SLOT2)
            d = fn_load<V>(u.slot2 + i);
#pragma unroll
        for (int j = 0; j < V; j++) {
            cell x = {w.v[j], a.v[j], d.v[j]};
            if (decays) {
                squares = fmaf(x.w, x.w, squares);
                g.v[j] = fmaf(s.decay, x.w, g.v[j]);
            }
            rule<RULE>::apply(&x, g.v[j], s.lr);
            w.v[j] = x.w;
            a.v[j] = x.a;
            d.v[j] = x.d;
        }
        fn_store<V>(u.w + i, w);
        fn_store<V>(u.slot1 + i, a);
        if (rule<RULE>::SLOT2)
            fn_store<V>(u.slot2 + i, d);
        if (flags & FN_K_NARROW)
            fn_store<V>(reinterpret_cast<fn_bf16 *>(u.w16) + i, w);
    }
    if (u.ema) {
        fn_vector<V> e = fn_load<V>(u.ema + i);
#pragma unroll
        for (int j = 0; j < V; j++)
            e.v[j] = fmaf(-s.follow, e.v[j] - w.v[j], e.v[j]);
        fn_store<V>(u.ema + i, e);
    }
    return squares;
}

template <int RULE>
__global__ void __launch_bounds__(FN_THREADS, 3)
    update_kernel(fn_k_arenas u, fn_k_scratch scratch, fn_k_state *state)
{
    if (state->step.bad)
        return;
    const double ema = state->step.ema < u.ema_decay ? state->step.ema : u.ema_decay;
    const double lr = state->step.lr * (RULE == FN_ADAM ? state->step.adam : 1);
    const scalars s = {(float)lr, (float)u.weight_decay, (float)(1 - ema)};
    double sum = 0;
    for (size_t k = blockIdx.x; k < u.chunk_count; k += gridDim.x) {
        const fn_k_chunk chunk = u.chunks[k];
        const uint32_t whole = chunk.begin % 4 ? 0 : chunk.count / 4 * 4;
        float squares = 0.0f;
        for (uint32_t i = threadIdx.x * 4; i < whole; i += FN_THREADS * 4)
            squares += take<RULE, 4>(u, chunk.begin + i, chunk.flags, s);
        for (uint32_t i = whole + threadIdx.x; i < chunk.count; i += FN_THREADS)
            squares += take<RULE, 1>(u, chunk.begin + i, chunk.flags, s);
        sum += squares;
    }
    double value[1] = {fn_block_sum(sum)};
    if (fn_grid_sum<1>(value, scratch) && threadIdx.x == 0)
        state->losses[FN_LOSS_DECAY] += u.weight_decay * value[0] / 2;
}

int fn_k_update(const fn_k_queue *q, int optimizer, const fn_k_arenas *arenas)
{
    static void (*const update_kernels[FN_OPTIMIZER_COUNT])(fn_k_arenas, fn_k_scratch,
                                                            fn_k_state *) = {
        update_kernel<FN_ADAGRAD>, update_kernel<FN_ADADELTA>, update_kernel<FN_ADAM>,
        update_kernel<FN_RMSPROP>, update_kernel<FN_MOM>};
    const dim3 grid(fn_blocks(arenas->chunk_count, 1, FN_K_BLOCKS));
    return fn_launch(update_kernels[optimizer], grid, dim3(FN_THREADS), q->stream, *arenas,
                     q->scratch, q->state);
}
