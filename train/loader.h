/* SPDX-License-Identifier: MIT */
/* The loader: worker threads fill batches of u8 images and labels into a ring of slots, in memory
 * that the caller brings (from the backend: pinned on a GPU).
 *
 *     EMPTY -> FILLING -> READY -> UPLOADING -> EMPTY
 *              workers    |        caller: from fn_loader_next to fn_loader_release
 *                         in order of batch numbers
 *
 * A batch is addressed by its number: batch b of n examples holds the draws b * stride + offset + i
 * of the order, i < n. So any number of workers and any first batch give the same bytes. Batch b
 * goes into slot b mod slots; workers take single images, several of them at one batch, and never
 * run further ahead than there are slots. Per image nothing is allocated but what libjpeg takes, no
 * lock is taken, and the decoder's rows are copied once: cropped and mirrored, to their place in
 * the batch. One lock guards the slots' states; a worker takes it twice a batch.
 *
 *     fn_loader_open(&loader, &config);
 *     fn_loader_start(loader, &job);                        training from batch 1200 on, or a list
 *     while ((rc = fn_loader_next(loader, &batch)) == FN_OK) {
 *         ... upload batch.images, batch.labels ...
 *         fn_loader_release(loader, batch.slot);            once the memory may be written again
 *     }
 *     fn_loader_close(&loader);
 *
 * next, release, start: one thread (the consumer). stop, stats: any thread. */
#ifndef FN_TRAIN_LOADER_H
#define FN_TRAIN_LOADER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "train/augment.h"
#include "train/sampler.h"
#include "train/source.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Memory of one slot; it must live until fn_loader_close. */
struct fn_loader_slot {
    uint8_t *images; /* (n, size, size, 3) */
    int32_t *labels; /* (n) */
};

struct fn_loader_config {
    struct fn_source *source;          /* borrowed until fn_loader_close */
    int workers;                       /* >= 1 threads (--nrof_preprocess_threads) */
    int n;                             /* >= 1 images a batch */
    int size;                          /* >= 1 pixels: images are size x size */
    int slots;                         /* >= 1; 2 let filling and using overlap, 3 or 4 smooth it */
    const struct fn_loader_slot *slot; /* [slots]; the array is copied, its memory is not */
};
#define FN_LOADER_SLOTS                                                                            \
    4 /* one used, one ready, two filling: what a burst of large pictures needs */

/* What becomes of a picture that cannot be read or decoded. Each is counted, and named once in
 * the life of a loader. */
enum fn_on_bad {
    FN_BAD_REPLACE = 0, /* its order's stand-in takes its place; too many end the run */
    FN_BAD_MARK,        /* black image, label as it is, id FN_NO_ID: the caller leaves it out */
    FN_BAD_STOP         /* fn_loader_next fails with a sentence that names it */
};

/* "Too many" of FN_BAD_REPLACE: more than 1 % of at least 1,000 pictures read since the start, or
 * 64 stand-ins in a row for one example. */
#define FN_BAD_SHARE 0.01
#define FN_BAD_MIN_READ 1000
#define FN_BAD_ATTEMPTS 64

struct fn_loader_job {
    struct fn_order order; /* its context is borrowed until FN_LOADER_END, next start or close */
    struct fn_augment augment; /* its size must be the config's */
    enum fn_on_bad on_bad;
    uint64_t first_batch;
    /* Draws from one batch to the next, and of this process's first image in it: several processes
     * share a global batch of `stride` draws. stride 0: n, offset 0. */
    uint64_t stride, offset;
};

struct fn_batch {
    uint64_t number; /* first_batch, first_batch + 1, ... */
    int slot;        /* for fn_loader_release, and fit for the backend's batch_upload */
    int count;       /* 1 .. n examples; below n only at the end of a list */
    const uint8_t *images;
    const int32_t *labels;
    const uint64_t *ids; /* (n) picture ids, after any replacement: for messages */
};

struct fn_loader_stats {
    uint64_t read;    /* pictures read since fn_loader_start, bad ones included */
    uint64_t bad;     /* of these, how many were bad (again and again counts) */
    uint64_t batches; /* handed out by fn_loader_next */
    double wait_s;    /* seconds fn_loader_next waited: the run was waiting for data */
    double busy_s;    /* seconds workers spent on pictures, summed over workers */
    double full_s;    /* seconds workers waited for an empty slot, summed: the run was slower */
};

struct fn_loader;

/* Memory of FN_LOADER_SLOTS batches of n images of size x size pixels, with labels and ids. */
static inline uint64_t fn_loader_bytes(int n, int size)
{
    uint64_t image = (uint64_t)size * (uint64_t)size * 3;
    return FN_LOADER_SLOTS * (uint64_t)n * (image + sizeof(int32_t) + sizeof(uint64_t));
}

/* Threads, readers and decoders are made here. FN_ENOMEM, FN_EIO, and what fn_fetch_open says. */
int fn_loader_open(struct fn_loader **loader, const struct fn_loader_config *config);

/* Begin, or begin anew: a running job is stopped first (whatever it had ready is dropped) and every
 * slot is EMPTY again: memory of batches not yet released must not be in use any more. Statistics
 * start from zero. FN_EMISMATCH: pictures of the source are smaller than a random crop. */
int fn_loader_start(struct fn_loader *loader, const struct fn_loader_job *job);

/* The next batch, waiting for it. FN_LOADER_END: the order's last batch was handed out.
 * FN_EINTERRUPTED: stopped. A failure of a worker is returned here, with its sentence, at once and
 * ever after. A last, shorter batch is padded with black images, label 0, id FN_NO_ID. */
#define FN_LOADER_END (-1)
int fn_loader_next(struct fn_loader *loader, struct fn_batch *batch);

/* UPLOADING -> EMPTY. Batches may be released in any order. */
void fn_loader_release(struct fn_loader *loader, int slot);

/* Wakes everyone and keeps workers from beginning another image. fn_loader_start works afterwards.
 */
void fn_loader_stop(struct fn_loader *loader);

void fn_loader_get_stats(struct fn_loader *loader, struct fn_loader_stats *stats);

/* Stops, joins, frees. Half-open or NULL is fine. */
void fn_loader_close(struct fn_loader **loader);

#ifdef __cplusplus
}
#endif
#endif
