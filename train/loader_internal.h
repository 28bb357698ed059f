/* SPDX-License-Identifier: MIT */
/* The loader's own state, shared by loader.c, loader_ahead.c and loader_bad.c. */
#ifndef FN_TRAIN_LOADER_INTERNAL_H
#define FN_TRAIN_LOADER_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "train/loader.h"

enum slot_state { SLOT_EMPTY = 0, SLOT_FILLING, SLOT_READY, SLOT_UPLOADING };

struct slot {
    enum slot_state state;
    uint64_t batch;       /* its number, unless EMPTY */
    int32_t count;        /* examples in it */
    int joined;           /* workers at it */
    _Atomic int32_t next; /* the next one to be worked on; past count: none is left */
    _Atomic int32_t done; /* how many are written */
    uint8_t *images;      /* (n, size, size, 3) */
    int32_t *labels;
    uint64_t *ids;
};

#define NAMED_MAX 1000 /* bad pictures that are remembered as named */

/* `lock` guards everything but what is constant after opening, the atomics, the job (changed only
 * while no worker is active) and the contents of a slot that is being FILLED (each worker writes
 * its own image). A worker takes it to join a batch, whose number and count stay as they are while
 * anyone is joined, and to leave it; the images between are handed out by the slot's `next`. */
struct fn_loader {
    struct fn_source *source;
    int n, size, slots, workers;
    size_t image_bytes;
    struct slot *slot;
    uint64_t *ids;
    pthread_t *thread;

    pthread_mutex_t lock;
    pthread_cond_t work; /* workers wait: a job, an EMPTY slot, the end */
    pthread_cond_t
        ready; /* the consumer waits: a READY slot, a failure, a stop, no active worker */
    struct fn_loader_job job;
    uint64_t fill_batch; /* the batch to join */
    uint64_t next_batch; /* the next batch for the consumer */
    int active;          /* workers that have joined a batch */
    int opened;          /* workers that have their reader */
    int stopped, quit;
    atomic_int halted;          /* stopped, quit or failed: begin no image */
    _Atomic uint64_t read;      /* of the statistics */
    int draining;               /* fn_loader_start waits for active == 0 */
    struct fn_err_note failure; /* the first one of any worker; code FN_OK: none */
    struct fn_loader_stats stats;
    uint64_t named[NAMED_MAX];
    size_t named_count;
};

/* Number of examples of a batch of the job; 0: the order ends before it. */
int32_t fn_loader_count(const struct fn_loader *l, uint64_t batch);

/* One a worker. */
struct fn_loader_ahead {
    long faults;   /* major page faults of this thread so far */
    int cold;      /* batches that will still be read ahead */
    uint64_t *ids; /* [n] scratch */
};
/* Called by the worker that begins a batch, with the number of the next one. */
void fn_loader_ahead(const struct fn_loader *l, struct fn_loader_ahead *ahead,
                     struct fn_fetch *fetch, uint64_t batch);

/* `draw` gave *ex, which cannot be read (code, with its sentence): counts and names it, and does
 * what the job wants. FN_OK: *ex and `out` are what takes its place. Takes the lock. */
int fn_loader_bad(struct fn_loader *l, struct fn_fetch *fetch, int code, uint64_t draw,
                  struct fn_example *ex, uint8_t *out);

/* Puts the picture's name before the sentence of a failure that is not the picture's. */
int fn_loader_failed(struct fn_loader *l, int code, uint64_t id);

#endif
