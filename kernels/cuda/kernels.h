/* SPDX-License-Identifier: MIT */
/* Our own CUDA kernels: one function each, which launches and returns. kernels/op.h says what each
 * of them computes; the .cu files say how.
 *
 * Common to all
 *   - q names the stream, and scratch memory that one launch after the other uses: one stream only.
 *   - The result is that of cudaLaunchKernel: 0, or a cudaError_t. Nothing is allocated, nothing
 * waits.
 *   - type: FN_K_F32 or FN_K_BF16, of the activations. Rows (n, 1, 1, d), parameters, gradients,
 *     statistics and losses are fp32 always.
 *   - Tensors are NHWC views. bf16 views, and fp32 ones where it pays, are read in vectors of 16
 *     bytes: data aligned to 16 bytes, c, c0 and ctotal multiples of 8 for bf16, free for fp32.
 *   - Sizes: at least one element; rows and elements of a tensor below 2^31 blocks of 256.
 *   - Every pointer is to device memory. A tensor may be another's memory only where op.h allows
 * it. */
#ifndef FN_KERNELS_CUDA_KERNELS_H
#define FN_KERNELS_CUDA_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/op.h"

#ifdef __cplusplus
extern "C" {
#endif

struct CUstream_st; /* cudaStream_t points at it */

enum fn_k_type { FN_K_F32 = 0, FN_K_BF16 };

enum {
    FN_K_BLOCKS = 1024,   /* the most blocks whose sums are added up */
    FN_K_SUMS = 3,        /* the most sums of a channel in one kernel */
    FN_K_CHANNELS = 65536 /* the most channels of a batch norm */
};

/* Scratch of the sums, made by fn_k_scratch_bytes. */
struct fn_k_scratch {
    float *partial;    /* FN_K_BLOCKS * 32 * FN_K_SUMS: what each block found */
    float *channel;    /* FN_K_CHANNELS: sums between two passes */
    unsigned *counter; /* FN_K_BLOCKS: blocks that are done; all 0 between launches */
};

/* What changes from step to step, so that a recorded step can be replayed. In device memory. */
struct fn_k_step {
    uint64_t seed, step;
    double lr;
    double adam;    /* sqrt(1 - .999^t) / (1 - .9^t) */
    double ema;     /* (1 + t) / (10 + t) */
    uint64_t bad;   /* check_finite met a bad value; 0 when the step begins */
    uint64_t first; /* image of the batch that row 0 is */
};

struct fn_k_state {
    double losses[FN_LOSS_COUNT];
    struct fn_k_step step;
    double gradient; /* norm that clip found */
};

struct fn_k_queue {
    struct CUstream_st *stream;
    struct fn_k_scratch scratch;
    struct fn_k_state *state; /* device memory */
};

/* Bytes of one block of scratch; all of it must be 0 once. fn_k_scratch_of: its parts. */
size_t fn_k_scratch_bytes(void);
struct fn_k_scratch fn_k_scratch_of(void *memory);

/* The step's scalars, in `step` by value, to the device's state. */
int fn_k_step_begin(const struct fn_k_queue *q, const struct fn_k_step *step);

/* y's channels after the third, up to ctotal (3, 4 or 8), become 0. */
int fn_k_standardize(const struct fn_k_queue *q, int type, const uint8_t *images, int per_image,
                     int mirror, const struct fn_tensor *y);

/* stats: mean[c], biased variance[c]. */
int fn_k_stats(const struct fn_k_queue *q, int type, const struct fn_tensor *y, float *stats);
int fn_k_bn_forward(const struct fn_k_queue *q, int type, const struct fn_tensor *y,
                    const float *stats, const float *beta, int relu, const struct fn_tensor *z);
/* Two launches. */
int fn_k_bn_backward(const struct fn_k_queue *q, int type, const struct fn_tensor *dz,
                     const struct fn_tensor *y, const float *stats, const float *beta, int mode,
                     const struct fn_tensor *dy, float *dbeta);

int fn_k_residual_forward(const struct fn_k_queue *q, int type, const struct fn_tensor *x,
                          const struct fn_tensor *up, const float *bias, double scale, int relu,
                          const struct fn_tensor *out);
int fn_k_residual_backward(const struct fn_k_queue *q, int type, const struct fn_tensor *dout,
                           const struct fn_tensor *out, double scale, int relu,
                           const struct fn_tensor *dx, const struct fn_tensor *dup, float *dbias);

/* index: (n, oh, ow, c) bytes, aligned to 8, or NULL. */
int fn_k_maxpool_forward(const struct fn_k_queue *q, int type, const struct fn_tensor *x,
                         const struct fn_tensor *y, uint8_t *index);
int fn_k_maxpool_backward(const struct fn_k_queue *q, int type, const struct fn_tensor *dy,
                          const uint8_t *index, const struct fn_tensor *dx, int accumulate);

/* type is that of the (n, h, w, c) tensor; the other one is rows. */
int fn_k_avgpool_forward(const struct fn_k_queue *q, int type, const struct fn_tensor *x,
                         const struct fn_tensor *y);
int fn_k_avgpool_backward(const struct fn_k_queue *q, int type, const struct fn_tensor *dy,
                          const struct fn_tensor *dx);

/* ---- rows, fp32 ---- */

int fn_k_dropout(const struct fn_k_queue *q, const struct fn_tensor *x, double keep,
                 const struct fn_tensor *y);
int fn_k_l2norm_forward(const struct fn_k_queue *q, const struct fn_tensor *x,
                        const struct fn_tensor *e);
int fn_k_l2norm_backward(const struct fn_k_queue *q, const struct fn_tensor *x,
                         const struct fn_tensor *de, const struct fn_tensor *dx, int accumulate);
int fn_k_softmax_xent(const struct fn_k_queue *q, const struct fn_tensor *logits,
                      const int32_t *labels, int count, int backward);
int fn_k_margin_xent(const struct fn_k_queue *q, const struct fn_tensor *x, const int32_t *labels,
                     int count, const struct fn_margin *rule, int backward);
int fn_k_center_loss(const struct fn_k_queue *q, const struct fn_tensor *x, const int32_t *labels,
                     int count, const float *centers, double factor, const struct fn_tensor *dx);
int fn_k_center_update(const struct fn_k_queue *q, const struct fn_tensor *x, const int32_t *labels,
                       int count, float *centers, double alfa);
int fn_k_norm_loss(const struct fn_k_queue *q, const struct fn_tensor *x, int count, double p,
                   double factor, const struct fn_tensor *dx);
int fn_k_triplet_loss(const struct fn_k_queue *q, const struct fn_tensor *e, int count,
                      double alpha, const struct fn_tensor *de);
/* d2: (count, count). */
int fn_k_distances(const struct fn_k_queue *q, const struct fn_tensor *e, int count, float *d2);
/* y += b by row; sums of the columns of dy. */
int fn_k_bias_forward(const struct fn_k_queue *q, const struct fn_tensor *y, const float *b);
int fn_k_bias_backward(const struct fn_k_queue *q, const struct fn_tensor *dy, float *db);

/* ---- parameters ---- */

/* A run of the arena that one block takes at a time. */
struct fn_k_chunk {
    uint64_t begin;
    uint32_t count; /* at most FN_K_CHUNK */
    uint32_t flags; /* or of enum fn_k_chunk_flag */
};
enum fn_k_chunk_flag {
    FN_K_TRAIN = 1,  /* the optimizer's rule applies (else the moving average only) */
    FN_K_DECAY = 2,  /* and weight decay */
    FN_K_NARROW = 4, /* a bf16 copy of the weights is kept in w16, and the gradient is in grad16 */
};
enum { FN_K_CHUNK = 4096 };

/* Cuts [0, total) of the arenas into chunks; returns how many there are, of which at most `most`
 * are written. All but the first of a group begin at multiples of 4. narrow: convolutions' weights
 * have bf16 gradients and copies. Runs on the host. */
size_t fn_k_chunks(const struct fn_params *params, int narrow, struct fn_k_chunk *chunks,
                   size_t most);

/* All arenas as in fn_params; grad16, w16: parallel to w, or NULL where no chunk is NARROW. */
struct fn_k_arenas {
    const struct fn_k_chunk *chunks;
    size_t chunk_count;
    float *w, *slot1, *slot2, *ema;
    const float *grad;
    const uint16_t *grad16;
    uint16_t *w16;
    double weight_decay, ema_decay;
};

int fn_k_update(const struct fn_k_queue *q, int optimizer, const struct fn_k_arenas *arenas);

/* The first `count` numbers of arenas, in chunks; chunks NULL: all fp32, and all train. */
struct fn_k_runs {
    const struct fn_k_chunk *chunks;
    size_t chunk_count, count;
};
static inline struct fn_k_runs fn_k_plain(size_t count)
{
    const struct fn_k_runs runs = {NULL, (count + FN_K_CHUNK - 1) / FN_K_CHUNK, count};
    return runs;
}
/* An arena: those of NARROW chunks lie in `narrow`, parallel to wide; all in `wide` where that is
 * NULL. wide is aligned to 16 bytes for fn_k_check_finite. */
struct fn_k_numbers {
    float *wide;
    uint16_t *narrow;
};
/* y = a y + b x; y is not read where a is 0. */
int fn_k_combine(const struct fn_k_queue *q, const struct fn_k_runs *runs, struct fn_k_numbers y,
                 double a, struct fn_k_numbers x, double b);
/* The chunks that train: norm of grad, then grad scaled to at most that. */
int fn_k_clip(const struct fn_k_queue *q, const struct fn_k_runs *runs, struct fn_k_numbers grad,
              double most);
int fn_k_check_finite(const struct fn_k_queue *q, const struct fn_k_runs *runs,
                      struct fn_k_numbers grad);
int fn_k_fill(const struct fn_k_queue *q, float *to, size_t count, double value);

/* A layer's moving statistics at w + begin, the batch's at batch + begin - trained. */
int fn_k_update_moving(const struct fn_k_queue *q, const struct fn_moving_group *groups,
                       size_t group_count, size_t trained, float *w, const float *batch,
                       double decay);

/* fp32 -> bf16 and back. Aligned to 16 bytes. */
int fn_k_narrow(const struct fn_k_queue *q, const float *from, uint16_t *to, size_t count);
int fn_k_widen(const struct fn_k_queue *q, const uint16_t *from, float *to, size_t count);

#ifdef __cplusplus
}
#endif
#endif
