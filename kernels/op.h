/* SPDX-License-Identifier: MIT */
/* The op table: what a backend can do. Every backend is one complete const table; `ref` fills each
 * slot with the obvious loop and is the oracle of the tests; `cpu` uses oneDNN, `cuda` cuDNN and
 * own kernels. One walk over one network description (train/) serves all.
 *
 * Rules for every op
 *   - Returns FN_OK or a code with a sentence. Shapes are the caller's promise and are asserted;
 *     sizes that come from files were checked before.
 *   - May return before the work is done (a GPU's stream); ops run in the order of the calls.
 *     sync(), losses_wait() and export wait.
 *   - Nothing is allocated, no algorithm is chosen and no weight is reordered for keeps while
 *     running: all that happens in the *_plan calls and in alloc.
 *   - A device is used by one thread at a time. Memory of kind FN_MEM_HOST may be
 *     written by others.
 *   - ReLU passes NaN on (max(0, NaN) = NaN): a bad weight must not look like a quiet channel.
 *   - Sums that end in a result use a fixed order: same device, threads, instruction set and
 *     library version give the same bits.
 *
 * Tensors
 *   - Activations are views: the channels [c0, c0 + c) of a buffer with `ctotal` channels. The
 *     layout inside is the backend's affair (ref: NHWC; cpu: channels in blocks of 8 or 16; cuda:
 *     NHWC). Every channel count, c0 and ctotal but the image's 3 is a multiple of
 *     FN_CHANNEL_ALIGN, so that a slice of a concat is an offset and a stride in all of them.
 *   - Convolutions take packed tensors only (c0 = 0, ctotal = c). All other ops take slices.
 *   - (n, 1, 1, d) tensors (pooled features, prelogits, embeddings, logits) are plain rows of d
 *     param scalars everywhere; their d is free.
 *   - A scalar has fn_dev_info.scalar_bytes (activations) or .param_bytes (parameters, gradients,
 *     statistics, optimizer state). ref64 has 8 and 8, others 4 and 4 (bf16: 2 and 4). */
#ifndef FN_KERNELS_OP_H
#define FN_KERNELS_OP_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FN_CHANNEL_ALIGN 16 /* widest block of oneDNN's layouts (AVX-512) */

struct fn_dev; /* an opened device; each backend has its own definition */
struct fn_recording;

struct fn_tensor {
    int n, h, w, c;
    int c0, ctotal;
    void *data; /* start of the whole buffer, on the device */
};

enum fn_precision { FN_FP32 = 0, FN_BF16 };
enum fn_type { FN_F32 = 0, FN_F64 }; /* of host arrays in import and export */
enum fn_mem {
    FN_MEM_DEVICE = 0,
    FN_MEM_HOST /* host memory that the device copies from at speed */
};

struct fn_dev_options {
    int threads;    /* compute threads; 0: all cores. Ignored by a GPU */
    int precision;  /* enum fn_precision */
    int allow_tf32; /* a GPU may round the inputs of fp32 products to 10 bits; others ignore it */
    int deterministic; /* only algorithms that give the same bits every time; ref and cpu always do
                        */
};

struct fn_dev_info {
    const char *backend; /* "cpu" */
    char device[192];    /* for a person: "oneDNN 2.6.3, AVX-512, 2 threads" */
    char bits[128];      /* what equal bits depend on: library version, instruction set, threads */
    size_t scalar_bytes, param_bytes;
    uint64_t memory_free; /* bytes that could be allocated now; 0: unknown */
};

/* What changes from step to step, kept on the device so that a recorded step can be replayed. */
struct fn_step {
    uint64_t seed;
    uint64_t step; /* of dropout's fn_rng address: updates done before this one */
    double lr;
    uint64_t t;     /* 1-based count of updates for ADAM and the EMA; this one included */
    uint64_t first; /* of dropout's address: image of the batch that row 0 is (batches in parts) */
};

/* Losses gather on the device between two losses_post calls. Sums are divided as said at the ops.
 */
enum fn_loss {
    FN_LOSS_XENT = 0, /* mean over the batch */
    FN_LOSS_CORRECT,  /* number of right answers */
    FN_LOSS_CENTER,   /* mean of (prelogits - center)^2, without its factor */
    FN_LOSS_NORM,     /* mean of the prelogits norm, without its factor */
    FN_LOSS_TRIPLET,  /* mean hinge */
    FN_LOSS_ACTIVE,   /* number of triplets with a positive hinge */
    FN_LOSS_SPREAD,   /* mean squared distance of two rows of a triplet batch */
    FN_LOSS_GRADIENT, /* global norm of the gradient before clip */
    FN_LOSS_DECAY, /* weight_decay * sum w^2 / 2, with its factor, of the weights before the update
                    */
    FN_LOSS_BAD,   /* number of not-finite values that check_finite met */
    FN_LOSS_COUNT
};

/* ---- convolution ---------------------------------------------------------------------------- */
/* y[n,oh,ow,o] = sum x[n, oh s + i - pt, ow s + j - pl, c] w[o,c,i,j]; no bias. VALID: no padding,
 * out = floor((in - k) / s) + 1. SAME (stride 1 only): out = in, the smaller half of k - 1 before.
 */
struct fn_conv_shape {
    int n, h, w, cin;
    int kh, kw, stride, same;
    int cout;
};
int fn_conv_out_h(const struct fn_conv_shape *s);
int fn_conv_out_w(const struct fn_conv_shape *s);
int fn_pool_out(int in); /* rows or columns after the max pool: floor((in - 3) / 2) + 1 */
enum fn_pass {
    FN_FORWARD = 1,
    FN_BACKWARD_DATA = 2,
    FN_BACKWARD_WEIGHTS = 4,
    FN_ACCUMULATE = 8 /* beside BACKWARD_DATA: dx may be added to, which can want scratch */
};
struct fn_conv; /* a plan */

/* Saved by the forward pass in training, used by the backward pass and by update_moving:
 * mean[c], then var[c] (biased, over n, h, w), param scalars. */

/* Batch norm's mode; or of these. */
enum fn_bn_mode {
    FN_BN_RELU = 1,
    FN_BN_FIXED = 2 /* backward: the statistics are constants, as a frozen layer's moving ones */
};

/* ---- margins -------------------------------------------------------------------------------- */
/* What softmax sees of a row x, s being the scale and m the margin: with a kind, x are cosines and
 *
 *     u_k = s x_k, but the label's:
 *     ARC   s cos(theta + m), theta = acos x_label; s (x_label - m sin m) where theta > pi - m
 *     COS   s (x_label - m)
 *
 * cos(theta + m) = x cos m - sqrt(max(1 - x^2, FN_MARGIN_SINE2)) sin m: where the constant was
 * taken (0.06 degrees around 0 and pi), the slope is that of the first term alone. */
enum fn_margin_kind { FN_MARGIN_NONE = 0 /* u = x */, FN_MARGIN_ARC, FN_MARGIN_COS };
#define FN_MARGIN_SINE2                                                                            \
    1e-6 /* ours: 1 - x^2 in fp32 is noise below, and the slope without bound                      \
          */
struct fn_margin {
    int kind; /* enum fn_margin_kind */
    double scale, margin;
    double
        smoothing; /* e in [0, 1): the targets are 1 - e for the label, plus e / classes for all */
};

/* ---- optimizer ------------------------------------------------------------------------------ */
enum fn_optimizer { FN_ADAGRAD = 0, FN_ADADELTA, FN_ADAM, FN_RMSPROP, FN_MOM, FN_OPTIMIZER_COUNT };

/* A run of parameters in the arena. Groups are in ascending order and do not overlap. */
struct fn_param_group {
    size_t begin, count; /* elements, in the backend's own layout (padding included: it stays 0) */
    int decay;           /* weight decay applies */
    int frozen; /* not trained: neither changed nor decayed (its EMA follows all the same) */
    int conv;   /* weights of a convolution: the backend may keep a narrower copy (shadow_bind) */
};

/* Parallel arenas of param scalars. The first `trained` elements are trainable, the rest, up to
 * `total`, moving statistics. slot1, slot2, grad: `trained` elements; w, ema: `total`; batch: the
 * saved statistics, total - trained elements, in the order of the moving ones. ema may be NULL. */
struct fn_params {
    size_t trained, total;
    const struct fn_param_group *groups;
    size_t group_count;
    void *w, *grad, *slot1, *slot2, *ema, *batch;
};

/* A layer's moving statistics: moving mean[c] at `begin`, moving var[c] at begin + c of arena w. */
struct fn_moving_group {
    size_t begin;
    int c;
    double
        unbias; /* n h w / max(n h w - 1, 1): biased batch variance -> what feeds the moving one */
};

struct fn_update {
    int optimizer; /* enum fn_optimizer; rules in the header of kernels/ref/optim.c */
    double weight_decay;
    double ema_decay; /* min(ema_decay, (1 + t) / (10 + t)) is used */
};

/* ---- the table ------------------------------------------------------------------------------ */
struct fn_backend {
    const char *name;

    /* FN_EUNSUPPORTED: not here (the sentence says what is missing). */
    int (*open)(struct fn_dev **dev, const struct fn_dev_options *options);
    void (*close)(struct fn_dev **dev);
    const struct fn_dev_info *(*info)(const struct fn_dev *dev);
    int (*sync)(struct fn_dev *dev);

    /* Memory: aligned to 64 bytes, contents undefined. FN_ENOMEM says how much was asked for. */
    int (*alloc)(struct fn_dev *dev, size_t bytes, int kind, void **out);
    void (*free)(struct fn_dev *dev, int kind, void *data);
    int (*zero)(struct fn_dev *dev, void *data, size_t bytes);
    /* Plain copies of bytes to and from the host; waits. */
    int (*write)(struct fn_dev *dev, void *device, const void *host, size_t bytes);
    int (*read)(struct fn_dev *dev, const void *device, void *host, size_t bytes);

    /* Activations: bytes of a buffer; copies to and from plain (n, h, w, c) host arrays. */
    size_t (*tensor_bytes)(const struct fn_dev *dev, int n, int h, int w, int ctotal);
    int (*tensor_import)(struct fn_dev *dev, const void *host, int type, const struct fn_tensor *t);
    int (*tensor_export)(struct fn_dev *dev, const struct fn_tensor *t, void *host, int type);
    /* Vectors of parameters (beta, bias, statistics, fc weights: rows as they come). */
    int (*vector_import)(struct fn_dev *dev, const void *host, int type, size_t count, void *data);
    int (*vector_export)(struct fn_dev *dev, const void *data, size_t count, void *host, int type);

    /* One scratch buffer shared by all ops; the caller allocates the largest size any plan asks
     * for. */
    void (*workspace)(struct fn_dev *dev, void *data, size_t bytes);

    /* Step scalars: what follows uses them. */
    int (*step_begin)(struct fn_dev *dev, const struct fn_step *step);

    /* A batch of u8 images (n, h, w, 3) and int32 labels (n) in FN_MEM_HOST memory -> where the ops
     * find it. Upload starts a copy (a CPU returns the same pointers); use makes the following ops
     * wait for it: until the next use the addresses hold this batch (a GPU has one pair of them for
     * all slots, which a larger batch moves); release makes the host memory writable again once the
     * ops so far are done with it, waiting if `wait`, else returning FN_EBUSY. slot: 0 ..
     * FN_UPLOAD_SLOTS - 1. */
    int (*batch_upload)(struct fn_dev *dev, int slot, const uint8_t *images, size_t image_bytes,
                        const int32_t *labels, size_t label_count, const uint8_t **dev_images,
                        const int32_t **dev_labels);
    int (*batch_use)(struct fn_dev *dev, int slot);
    int (*batch_release)(struct fn_dev *dev, int slot, int wait);

    /* y = (x - 127.5) / 128, or per image (x - mean) / max(stddev, 1 / sqrt(h w 3)). y: (n, h, w,
     * 3), in the layout that the convolution reading it planned with (cin = 3). mirror: columns are
     * reversed while reading (the second embedding of an evaluation with flips). */
    int (*standardize)(struct fn_dev *dev, const uint8_t *images, int per_image, int mirror,
                       const struct fn_tensor *y);

    /* Convolution. passes: or of enum fn_pass. *workspace: bytes of scratch it wants. */
    int (*conv_plan)(struct fn_dev *dev, const struct fn_conv_shape *shape, int passes,
                     struct fn_conv **plan, size_t *workspace);
    void (*conv_free)(struct fn_conv **plan);
    size_t (*conv_weights)(
        const struct fn_conv *plan); /* elements in the arena, padding included */
    int (*conv_import)(struct fn_dev *dev, const struct fn_conv *plan, const void *oihw, int type,
                       void *w);
    int (*conv_export)(struct fn_dev *dev, const struct fn_conv *plan, const void *w, void *oihw,
                       int type);
    /* stats: 2 cout param scalars (mean, then biased variance of y), or NULL. */
    int (*conv_forward)(struct fn_dev *dev, const struct fn_conv *plan, const struct fn_tensor *x,
                        const void *w, const struct fn_tensor *y, void *stats);
    /* dx: NULL (first layer), or written, or added to with `accumulate` (plans with FN_ACCUMULATE).
     * dw: overwritten, or NULL. */
    int (*conv_backward)(struct fn_dev *dev, const struct fn_conv *plan, const struct fn_tensor *x,
                         const void *w, const struct fn_tensor *dy, const struct fn_tensor *dx,
                         int accumulate, void *dw);

    /* Batch norm without gamma, eps 0.001, ReLU where relu:
     * z = relu((y - mean) / sqrt(var + eps) + beta). stats: mean[c], var[c]: the batch's in
     * training, the moving ones in evaluation. z may be a slice, or y itself. */
    int (*bn_forward)(struct fn_dev *dev, const struct fn_tensor *y, const void *stats,
                      const void *beta, int relu, const struct fn_tensor *z);
    /* Training only; stats are the batch's, the gradient goes through them; with FN_BN_FIXED they
     * are constants. mode: or of enum fn_bn_mode. dbeta[c] overwritten. dy may be y's own buffer,
     * or dz's. */
    int (*bn_backward)(struct fn_dev *dev, const struct fn_tensor *dz, const struct fn_tensor *y,
                       const void *stats, const void *beta, int mode, const struct fn_tensor *dy,
                       void *dbeta);

    /* out = x + scale * (up + bias), then ReLU where relu; bias[c]. out may be x or up. */
    int (*residual_forward)(struct fn_dev *dev, const struct fn_tensor *x,
                            const struct fn_tensor *up, const void *bias, double scale, int relu,
                            const struct fn_tensor *out);
    /* d = dout where out > 0 (all of it without relu); dx = d; dup = scale d; dbias = sum of dup
     * over (n, h, w). dx may be dout. */
    int (*residual_backward)(struct fn_dev *dev, const struct fn_tensor *dout,
                             const struct fn_tensor *out, double scale, int relu,
                             const struct fn_tensor *dx, const struct fn_tensor *dup, void *dbias);

    /* Max pool 3 x 3, stride 2, VALID (fn_pool_out). index: one byte per output element (in the
     * backend's order), which of the nine was taken, the first of equals; NULL in evaluation. */
    int (*maxpool_forward)(struct fn_dev *dev, const struct fn_tensor *x, const struct fn_tensor *y,
                           uint8_t *index);
    int (*maxpool_backward)(struct fn_dev *dev, const struct fn_tensor *dy, const uint8_t *index,
                            const struct fn_tensor *dx, int accumulate);

    /* Global average: (n, h, w, c) -> (n, 1, 1, c). */
    int (*avgpool_forward)(struct fn_dev *dev, const struct fn_tensor *x,
                           const struct fn_tensor *y);
    int (*avgpool_backward)(struct fn_dev *dev, const struct fn_tensor *dy,
                            const struct fn_tensor *dx);

    /* y = x * m / keep, m = 1 where fn_rng_unit(fn_rng(seed, step, i, FN_RNG_DROPOUT)) < keep, else
     * 0; i = element of the plain (n, c) array, from fn_step's first row on. Forward, and backward
     * with the gradients. x may be y. Only (n, 1, 1, c). keep in (0, 1]. */
    int (*dropout)(struct fn_dev *dev, const struct fn_tensor *x, double keep,
                   const struct fn_tensor *y);

    /* Fully connected: y (n,d) = x (n,k) W^T + b. W: (d, k) rows, b: (d) or NULL. stats as above.
     * workspace bytes by fc_plan. */
    int (*fc_plan)(struct fn_dev *dev, int n, int k, int d, size_t *workspace);
    int (*fc_forward)(struct fn_dev *dev, const struct fn_tensor *x, const void *w, const void *b,
                      const struct fn_tensor *y, void *stats);
    int (*fc_backward)(struct fn_dev *dev, const struct fn_tensor *x, const void *w,
                       const struct fn_tensor *dy, const struct fn_tensor *dx, int accumulate,
                       void *dw, void *db);

    /* e = x * rsqrt(max(sum x^2, 1e-10)), by row. dx may be de. */
    int (*l2norm_forward)(struct fn_dev *dev, const struct fn_tensor *x, const struct fn_tensor *e);
    int (*l2norm_backward)(struct fn_dev *dev, const struct fn_tensor *x,
                           const struct fn_tensor *de, const struct fn_tensor *dx, int accumulate);

    /* Softmax cross entropy over rows of `logits`; with `backward` they are replaced by the
     * gradient (softmax - onehot) / n. Adds FN_LOSS_XENT (mean), FN_LOSS_CORRECT (argmax, the first
     * of equals). count <= n: only the first rows count (and divide), the rest are padding and get
     * gradient 0. */
    int (*softmax_xent)(struct fn_dev *dev, const struct fn_tensor *logits, const int32_t *labels,
                        int count, int backward);
    /* The same with margins and smoothed labels: loss = log sum exp u - sum of target u. The rows
     * are overwritten, with `backward` by the gradient with respect to x, else by anything.
     * FN_LOSS_CORRECT is by x, without the margin: what the head would answer. */
    int (*margin_xent)(struct fn_dev *dev, const struct fn_tensor *x, const int32_t *labels,
                       int count, const struct fn_margin *rule, int backward);
    /* FN_LOSS_CENTER = mean over count x d of (x - c_label)^2; dx += factor * 2 (x - c) / (count d)
     * where dx is not NULL. centers: (classes, d) param scalars, not moved here. */
    int (*center_loss)(struct fn_dev *dev, const struct fn_tensor *x, const int32_t *labels,
                       int count, const void *centers, double factor, const struct fn_tensor *dx);
    /* c_label -= (1 - alfa) (c_label - x_i) for every i < count, all with the centers before; does
     * nothing when check_finite met a bad value in this step. */
    int (*center_update)(struct fn_dev *dev, const struct fn_tensor *x, const int32_t *labels,
                         int count, void *centers, double alfa);
    /* FN_LOSS_NORM = mean over rows of || |x_i| + 1e-4 ||_p; dx += factor * its gradient (dx or
     * NULL). p >= 1, or INFINITY. */
    int (*norm_loss)(struct fn_dev *dev, const struct fn_tensor *x, int count, double p,
                     double factor, const struct fn_tensor *dx);
    /* Rows 3k, 3k+1, 3k+2: anchor, positive, negative; count a multiple of 3.
     * FN_LOSS_TRIPLET = mean over triplets of max(|a-p|^2 - |a-n|^2 + alpha, 0); de is written.
     * FN_LOSS_SPREAD: of the count rows. */
    int (*triplet_loss)(struct fn_dev *dev, const struct fn_tensor *e, int count, double alpha,
                        const struct fn_tensor *de);
    /* d2 (n, n) floats on the host: squared Euclidean distances of all rows. Waits. */
    int (*distances)(struct fn_dev *dev, const struct fn_tensor *e, int count, float *d2);

    /* Count not-finite values among `count` param scalars (and in the losses so far) into
     * FN_LOSS_BAD; update, update_moving and center_update that follow in this step then do
     * nothing. */
    int (*check_finite)(struct fn_dev *dev, const void *grad, size_t count);
    /* y = a y + b x, `count` param scalars; a = 0: y may hold anything. x may be y. */
    int (*combine)(struct fn_dev *dev, void *y, double a, const void *x, double b, size_t count);
    /* FN_LOSS_GRADIENT = square root of the sum of grad^2 over all groups that are not frozen;
     * where it is above `most`, the gradient is scaled to that norm. After check_finite: does
     * nothing when that met a bad value in this step. */
    int (*clip)(struct fn_dev *dev, const struct fn_params *params, double most);
    /* One pass over all parameters: weight decay (and FN_LOSS_DECAY), the optimizer's rule with
     * fn_step's lr and t, EMA of everything, moving statistics included. */
    int (*update)(struct fn_dev *dev, const struct fn_params *params, const struct fn_update *rule);
    /* Start values of the slots (ADAGRAD's 0.1, RMSPROP's 1, else 0). */
    int (*update_init)(struct fn_dev *dev, const struct fn_params *params, int optimizer);
    /* moving = decay moving + (1 - decay) batch (variance times unbias). Before update. */
    int (*update_moving)(struct fn_dev *dev, const struct fn_params *params,
                         const struct fn_moving_group *groups, size_t count, double decay);

    /* Hand over the losses gathered since the last post, and start from zero. slot: 0 .. 3. */
    int (*losses_post)(struct fn_dev *dev, int slot);
    int (*losses_wait)(struct fn_dev *dev, int slot, double losses[FN_LOSS_COUNT]);

    /* ---- optional: NULL where a backend has no use for them ---- */

    /* What the device keeps beside a model's arenas (bf16: narrow copies of convolutions' weights,
     * and their gradients): bytes of device memory, then where it is; zeroed, the caller's, until
     * the next bind (data NULL: ends it). One model a device. Weights outside work too, but every
     * op converts them anew. From then on the gradients of convolutions are found by conv_export
     * and update only, and weights are changed by import, write, zero and update only. */
    size_t (*shadow_bytes)(const struct fn_dev *dev, const struct fn_params *params, int training);
    int (*shadow_bind)(struct fn_dev *dev, const struct fn_params *params, void *data);

    /* A recording: the ops between begin and end are kept, not run; replay runs them. All of them
     * must have been run once before with the same arguments. Not among them: what waits, plans or
     * allocates, uploads and step_begin (whose scalars a replay reads anew), losses_post. end: out
     * NULL drops what was recorded (after a failed op). replay: FN_EBUSY, nothing run: memory that
     * the recording uses has moved since; record anew. */
    int (*record_begin)(struct fn_dev *dev);
    int (*record_end)(struct fn_dev *dev, struct fn_recording **out);
    int (*replay)(struct fn_dev *dev, const struct fn_recording *recording);
    void (*record_free)(struct fn_recording **recording);
    size_t (*record_nodes)(const struct fn_recording *recording); /* kernels, copies and fills */

    /* After losses_wait of this slot: *seconds, by the device's clock, that it stood still between
     * the losses_post before this slot's and the batch_use after that, because what comes next had
     * not been asked for yet, or its images had not arrived. What is asked for in time: next to
     * nothing. 0: there was no step before. Does not wait. Backends that work inside the calls have
     * no such time. */
    int (*idle)(struct fn_dev *dev, int slot, double *seconds);

    /* For a self-test: with `wrong` 0 forget which algorithms of the libraries have run so far;
     * with 1, those that ran since then gave wrong results: new plans will not take them.
     * FN_EUNSUPPORTED: none ran. */
    int (*distrust)(struct fn_dev *dev, int wrong);
};
#define FN_UPLOAD_SLOTS 8
#define FN_BN_EPSILON 1e-3 /* batch_norm_params of the original network */

extern const struct fn_backend fn_backend_ref;   /* float */
extern const struct fn_backend fn_backend_ref64; /* the same loops in double: for tests */
extern const struct fn_backend fn_backend_cpu;   /* oneDNN; only there if built with it */

/* "auto", "ref", "cpu", "cuda" (and "ref64"). FN_EUNSUPPORTED with a sentence: not built in. "auto"
 * takes the best that opens; *why (a per-thread string, or NULL) says what was passed over and
 * could have been expected: the lack of CUDA only on a machine with an NVIDIA GPU. */
int fn_backend_open(const char *name, const struct fn_dev_options *options,
                    const struct fn_backend **backend, struct fn_dev **dev, const char **why);

#ifdef __cplusplus
}
#endif
#endif
