/* SPDX-License-Identifier: MIT */
/* What the kernels share: numbers of both precisions, vector access, sums in a fixed order.
 *
 * All arithmetic is fp32; bf16 is how activations are stored. The files are compiled without
 * contraction of a * b + c: where a fused operation is wanted it is written fmaf, so that forward
 * and backward pass round alike and the emulator computes what a GPU does (but for exp, log and
 * pow).
 *
 * Channels. A tile is 32 channels wide: a warp reads V rows of it with vectors of V channels (fp32:
 * 4 rows, 128 bytes each; bf16: 8 rows, 64 bytes each; rows of any width: V = 1). A block is 8
 * warps and takes a run of rows ("slice"); a thread keeps its channels, whose parameters stay in
 * registers. Grid: (tiles, slices).
 *
 * Sums over blocks. Every block writes what it has, the last one to finish adds it all up in the
 * order of the blocks: one launch, and bits that do not depend on which block was last. */
#ifndef FN_KERNELS_CUDA_DEVICE_H
#define FN_KERNELS_CUDA_DEVICE_H

#include "kernels/cuda/kernels.h"
#include "kernels/cuda/launch.h"

enum { FN_TILE = 32, FN_WARPS = 8, FN_THREADS = 32 * FN_WARPS };
#define FN_ALL_LANES 0xffffffffu

/* ---- numbers -------------------------------------------------------------------------------- */

/* The upper half of a float. */
struct fn_bf16 {
    uint16_t bits;
};

__device__ static inline float fn_widen(float x)
{
    return x;
}

__device__ static inline float fn_widen(fn_bf16 x)
{
    return __uint_as_float((unsigned)x.bits << 16);
}

template <class T> __device__ static inline T fn_narrow(float x);

template <> __device__ inline float fn_narrow<float>(float x)
{
    return x;
}

/* To the nearest, ties to even; a NaN becomes the one that the instruction gives. */
template <> __device__ inline fn_bf16 fn_narrow<fn_bf16>(float x)
{
    fn_bf16 y;
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
#else
    unsigned u = __float_as_uint(x);
    if ((u & 0x7fffffffu) > 0x7f800000u)
        u = 0x7fff0000u;
    else
        u += 0x7fffu + (u >> 16 & 1u);
    y.bits = (uint16_t)(u >> 16);
#endif
    return y;
}

__device__ static inline float fn_relu(float v)
{
    return v < 0.0f ? 0.0f : v; /* NaN stays */
}

/* ---- vectors -------------------------------------------------------------------------------- */

template <int V> struct fn_vector {
    float v[V];
};

template <class T, int V> struct fn_stored {
    alignas(sizeof(T) * V) T t[V];
};

template <int V, class T> __device__ static inline fn_vector<V> fn_load(const T *from)
{
    fn_stored<T, V> stored;
    fn_vector<V> out;
    fn_raw_load<(int)sizeof stored>(&stored, from);
#pragma unroll
    for (int j = 0; j < V; j++)
        out.v[j] = fn_widen(stored.t[j]);
    return out;
}

template <int V, class T> __device__ static inline void fn_store(T *to, const fn_vector<V> &x)
{
    fn_stored<T, V> stored;
#pragma unroll
    for (int j = 0; j < V; j++)
        stored.t[j] = fn_narrow<T>(x.v[j]);
    fn_raw_store<(int)sizeof stored>(to, &stored);
}

/* Parameters of V channels: fp32, from an address that need not be aligned. */
template <int V> __device__ static inline fn_vector<V> fn_gather(const float *from)
{
    fn_vector<V> out;
#pragma unroll
    for (int j = 0; j < V; j++)
        out.v[j] = from[j];
    return out;
}

/* Batch norm of V channels: x = (y - mean) s, and x + beta by one rounding, the same wherever the
 * sign of it decides. */
template <int V> struct fn_norm {
    fn_vector<V> mean, s, beta;
};

template <int V>
__device__ static inline fn_norm<V> fn_norm_load(const float *stats, const float *beta, int c,
                                                 int channels)
{
    fn_norm<V> k;
    k.mean = fn_gather<V>(stats + c);
    k.s = fn_gather<V>(stats + channels + c);
    k.beta = fn_gather<V>(beta + c);
#pragma unroll
    for (int j = 0; j < V; j++)
        k.s.v[j] = 1.0f / sqrtf(k.s.v[j] + (float)FN_BN_EPSILON);
    return k;
}

/* ---- tiles ---------------------------------------------------------------------------------- */

/* This thread's channels [c, c + V) and rows row, row + step, ... < end; none outside the channels.
 */
template <int V> struct fn_tile {
    int c;
    size_t row, end, step;
};

template <int V>
__device__ static inline fn_tile<V> fn_tile_here(size_t rows, size_t slice, int channels)
{
    const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32, across = FN_TILE / V;
    fn_tile<V> t;
    t.c = (int)(blockIdx.x * FN_TILE + lane % across * V);
    t.row = blockIdx.y * slice;
    t.end = t.row + slice < rows ? t.row + slice : rows;
    t.row += warp * V + lane / across;
    t.step = FN_WARPS * V;
    if (t.c >= channels)
        t.row = t.end;
    return t;
}

/* ---- sums ----------------------------------------------------------------------------------- */

template <class T> __device__ static inline T fn_warp_sum(T v)
{
    for (int apart = 16; apart; apart /= 2)
        v += __shfl_xor_sync(FN_ALL_LANES, v, apart);
    return v;
}

/* Sum over the block, in every thread. A block is `warps` full warps, at most 32. */
template <class T> __device__ static inline T fn_block_sum(T v)
{
    FN_SHARED(T, part, [32]);
    const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
    v = fn_warp_sum(v);
    __syncthreads(); /* the last sum has been read */
    if (lane == 0)
        part[warp] = v;
    __syncthreads();
    T sum = part[0];
    for (unsigned w = 1; w < warps; w++)
        sum += part[w];
    return sum;
}

/* Whether this block is the last of `blocks` to come here, in every thread of it: it then sees what
 * the others wrote before. The counter is 0 before and after. */
__device__ static inline bool fn_is_last_block(unsigned *counter, unsigned blocks)
{
    FN_SHARED(unsigned, before, [1]);
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0)
        before[0] = atomicInc(counter, blocks - 1);
    __syncthreads();
    const bool last = before[0] == blocks - 1;
    if (last)
        __threadfence();
    return last;
}

/* Sums over all blocks of thread 0's values. True in all threads of the last block, where every
 * thread then has the sums. */
template <int K>
__device__ static inline bool fn_grid_sum(double (&value)[K], const struct fn_k_scratch &scratch)
{
    double *partial = reinterpret_cast<double *>(scratch.partial);
    if (threadIdx.x == 0)
        for (int k = 0; k < K; k++)
            partial[blockIdx.x * K + (unsigned)k] = value[k];
    if (!fn_is_last_block(scratch.counter, gridDim.x))
        return false;
    for (int k = 0; k < K; k++) {
        double sum = 0;
        for (unsigned b = threadIdx.x; b < gridDim.x; b += blockDim.x)
            sum += __ldcg(partial + b * K + (unsigned)k);
        value[k] = fn_block_sum(sum);
    }
    return true;
}

/* Sums over all rows of a tile: of the block's threads, then of all slices. True in the threads
 * that then have the totals, one a channel: channel blockIdx.x * 32 + threadIdx.x, threadIdx.x <
 * 32, of the last slice to finish. */
template <int K, int V>
__device__ static inline bool fn_tile_sums(fn_vector<V> (&value)[K], int channels,
                                           const struct fn_k_scratch &scratch, double (&total)[K])
{
    FN_SHARED(float, part, [FN_WARPS][K][FN_TILE]);
    FN_SHARED(double, sums, [FN_WARPS][K][FN_TILE]);
    const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32, across = FN_TILE / V;
    const int c = (int)(blockIdx.x * FN_TILE + lane);
    const unsigned width = (unsigned)channels;
#pragma unroll
    for (int k = 0; k < K; k++)
#pragma unroll
        for (int j = 0; j < V; j++) {
            float v = value[k].v[j];
            for (unsigned apart = across; apart < 32; apart *= 2)
                v += __shfl_xor_sync(FN_ALL_LANES, v, (int)apart);
            if (lane < across)
                part[warp][k][lane * V + (unsigned)j] = v;
        }
    __syncthreads();
    const bool one = threadIdx.x < FN_TILE && c < channels;
    for (int k = 0; k < K; k++) {
        total[k] = 0;
        for (int w = 0; one && w < FN_WARPS; w++)
            total[k] += part[w][k][lane];
    }
    if (gridDim.y == 1)
        return one;
    for (unsigned k = 0; one && k < K; k++)
        scratch.partial[(size_t)(blockIdx.y * K + k) * width + (unsigned)c] = (float)total[k];
    if (!fn_is_last_block(scratch.counter + blockIdx.x, gridDim.y))
        return false;
    for (unsigned k = 0; k < K; k++) {
        double sum = 0;
        for (unsigned s = warp; c < channels && s < gridDim.y; s += FN_WARPS)
            sum += __ldcg(scratch.partial + (size_t)(s * K + k) * width + (unsigned)c);
        sums[warp][k][lane] = sum;
    }
    __syncthreads();
    for (int k = 0; k < K; k++) {
        total[k] = 0;
        for (int w = 0; one && w < FN_WARPS; w++)
            total[k] += sums[w][k][lane];
    }
    return one;
}

/* ---- arenas --------------------------------------------------------------------------------- */

/* Chunk k, as far as it is of the runs. */
__device__ static inline fn_k_chunk fn_run(const fn_k_runs &runs, size_t k)
{
    fn_k_chunk chunk = {k * FN_K_CHUNK, FN_K_CHUNK, FN_K_TRAIN};
    if (runs.chunks)
        chunk = runs.chunks[k];
    const size_t left = chunk.begin < runs.count ? runs.count - chunk.begin : 0;
    if (chunk.count > left)
        chunk.count = (uint32_t)left;
    return chunk;
}

/* A chunk's numbers. */
struct fn_part {
    float *wide;
    fn_bf16 *narrow; /* NULL: they are wide */
};

__device__ static inline fn_part fn_part_of(const fn_k_numbers &numbers, const fn_k_chunk &chunk)
{
    fn_part part = {numbers.wide + chunk.begin, nullptr};
    if (numbers.narrow && chunk.flags & FN_K_NARROW)
        part.narrow = reinterpret_cast<fn_bf16 *>(numbers.narrow) + chunk.begin;
    return part;
}

template <int V> __device__ static inline fn_vector<V> fn_part_load(const fn_part &part, uint32_t i)
{
    return part.narrow ? fn_load<V>(part.narrow + i) : fn_load<V>(part.wide + i);
}

__device__ static inline void fn_part_store(const fn_part &part, uint32_t i, float x)
{
    if (part.narrow)
        part.narrow[i] = fn_narrow<fn_bf16>(x);
    else
        part.wide[i] = x;
}

/* ---- launching ------------------------------------------------------------------------------ */

static inline size_t fn_rows_of(const struct fn_tensor *t)
{
    return (size_t)t->n * (size_t)t->h * (size_t)t->w;
}

/* First element of a view. */
template <class T> static inline T *fn_first(const struct fn_tensor *t)
{
    return (T *)t->data + t->c0;
}

static inline unsigned fn_blocks(size_t count, size_t each, size_t most)
{
    size_t blocks = (count + each - 1) / each;
    return (unsigned)(blocks < 1 ? 1 : blocks < most ? blocks : most);
}

/* Tiles by slices; *slice: rows of one. `least`: rows that are worth a block. */
static inline dim3 fn_tile_grid(size_t rows, int channels, size_t least, size_t *slice)
{
    const size_t tiles = ((size_t)channels + FN_TILE - 1) / FN_TILE;
    const size_t most = tiles < FN_K_BLOCKS ? FN_K_BLOCKS / tiles : 1;
    size_t slices = fn_blocks(rows, least, most);
    *slice = (rows + slices - 1) / slices;
    slices = (rows + *slice - 1) / *slice;
    return dim3((unsigned)tiles, (unsigned)(slices ? slices : 1));
}

/* Whether vectors of four fp32 channels fit these views. */
static inline bool fn_fits_four(const struct fn_tensor *t)
{
    return t->c % 4 == 0 && t->c0 % 4 == 0 && t->ctotal % 4 == 0 && (uintptr_t)t->data % 16 == 0;
}
#endif
