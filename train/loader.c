/* SPDX-License-Identifier: MIT */
/* The ring and its threads: who works on what, and who waits for whom. What is done to a picture
 * that cannot be read stands in loader_bad.c. */
#include "train/loader.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "train/loader_internal.h"

int32_t fn_loader_count(const struct fn_loader *l, uint64_t batch)
{
    const struct fn_loader_job *j = &l->job;
    uint64_t begin = batch * j->stride + j->offset;
    if (begin >= j->order.total)
        return 0;
    return (int32_t)(j->order.total - begin < (uint64_t)l->n ? j->order.total - begin
                                                             : (uint64_t)l->n);
}

static struct slot *slot_of(struct fn_loader *l, uint64_t batch)
{
    return &l->slot[batch % (uint64_t)l->slots];
}

/* ---- workers ---- */
/* Nobody begins another image. Holds the lock. */
static void halt(struct fn_loader *l)
{
    atomic_store(&l->halted, 1);
}

/* The batch to be filled next becomes that of its slot, if the slot is free. Holds the lock. */
static int begin_batch(struct fn_loader *l, struct slot *s)
{
    if (s->state != SLOT_EMPTY || s->joined > 0)
        return 0;
    s->state = SLOT_FILLING;
    s->count = fn_loader_count(l, l->fill_batch);
    s->batch = l->fill_batch;
    atomic_store(&s->next, 0);
    atomic_store(&s->done, 0);
    return 1;
}

/* A batch to work on; waits for one. NULL: the loader is being closed. Holds the lock. */
static struct slot *join(struct fn_loader *l)
{
    while (!l->quit) {
        int idle = atomic_load(&l->halted) || fn_loader_count(l, l->fill_batch) == 0;
        struct slot *s = slot_of(l, l->fill_batch);
        int filling = s->state == SLOT_FILLING && s->batch == l->fill_batch;
        if (!idle && filling && atomic_load(&s->next) >= s->count) {
            l->fill_batch++;
            continue;
        }
        if (!idle && (filling || begin_batch(l, s))) {
            l->active++;
            s->joined++;
            return s;
        }
        double from = fn_now();
        pthread_cond_wait(&l->work, &l->lock);
        if (!idle)
            l->stats.full_s += fn_now() - from;
    }
    return NULL;
}

/* Holds the lock. */
static void leave(struct fn_loader *l, struct slot *s, double seconds)
{
    l->stats.busy_s += seconds;
    if (--s->joined == 0 && s->state == SLOT_EMPTY)
        pthread_cond_broadcast(&l->work);
    if (--l->active == 0 && l->draining)
        pthread_cond_broadcast(&l->ready);
}

/* Behind the examples of a shorter batch: nothing that a network could trip over. */
static void pad(const struct fn_loader *l, struct slot *s)
{
    size_t from = (size_t)s->count, rest = (size_t)l->n - from;
    memset(s->images + from * l->image_bytes, 0, rest * l->image_bytes);
    for (size_t i = from; i < (size_t)l->n; i++) {
        s->labels[i] = 0;
        s->ids[i] = FN_NO_ID;
    }
}

static int fill(struct fn_loader *l, struct fn_fetch *fetch, struct fn_loader_ahead *ahead,
                struct slot *s, int32_t image)
{
    struct fn_example ex;
    uint64_t draw = s->batch * l->job.stride + l->job.offset + (uint64_t)image;
    uint8_t *out = s->images + (size_t)image * l->image_bytes;
    if (image == 0)
        fn_loader_ahead(l, ahead, fetch, s->batch + 1);
    if (image == 0 && s->count < l->n)
        pad(l, s);
    l->job.order.at(l->job.order.context, draw, &ex);
    int rc = fn_fetch_example(fetch, ex.id, &l->job.augment, ex.pass, ex.position, out);
    if (fn_fetch_bad(rc))
        rc = fn_loader_bad(l, fetch, rc, draw, &ex, out);
    else if (rc != FN_OK)
        rc = fn_loader_failed(l, rc, ex.id);
    if (rc == FN_OK && ex.id != FN_NO_ID)
        atomic_fetch_add(&l->read, 1); /* bad ones were counted when they were met */
    s->labels[image] = ex.label;
    s->ids[image] = ex.id;
    return rc;
}

static void fail(struct fn_loader *l, int rc)
{
    pthread_mutex_lock(&l->lock);
    if (l->failure.code == FN_OK)
        fn_err_note_take(&l->failure, rc);
    halt(l);
    pthread_cond_broadcast(&l->ready);
    pthread_mutex_unlock(&l->lock);
}

/* The consumer is woken only where it has something to do: it may share the core. Whoever joins
 * next must not take the batch for one to begin, once it is used and its slot EMPTY again. */
static void complete(struct fn_loader *l, struct slot *s)
{
    pthread_mutex_lock(&l->lock);
    s->state = SLOT_READY;
    if (s->batch == l->fill_batch)
        l->fill_batch++;
    if (s->batch == l->next_batch)
        pthread_cond_broadcast(&l->ready);
    pthread_mutex_unlock(&l->lock);
}

/* Images of a joined batch until none is left. */
static void work(struct fn_loader *l, struct fn_fetch *fetch, struct fn_loader_ahead *ahead,
                 struct slot *s)
{
    while (!atomic_load(&l->halted)) {
        int32_t image = atomic_fetch_add(&s->next, 1);
        if (image >= s->count)
            return;
        int rc = fill(l, fetch, ahead, s, image);
        if (rc != FN_OK) {
            fail(l, rc);
            return;
        }
        if (atomic_fetch_add(&s->done, 1) + 1 == s->count)
            complete(l, s);
    }
}

static void *run_worker(void *argument)
{
    struct fn_loader *l = argument;
    struct fn_fetch *fetch;
    struct fn_loader_ahead ahead = {.ids = calloc((size_t)l->n, sizeof *ahead.ids)};
    struct slot *slot;
    int rc = fn_fetch_open(&fetch, l->source);
    if (rc == FN_OK && !ahead.ids)
        rc = fn_fail(FN_ENOMEM, "no memory for a loader thread");
    pthread_mutex_lock(&l->lock);
    l->opened++;
    if (rc != FN_OK && l->failure.code == FN_OK)
        fn_err_note_take(&l->failure, rc);
    pthread_cond_broadcast(&l->ready);
    while (rc == FN_OK && (slot = join(l)) != NULL) {
        pthread_mutex_unlock(&l->lock);
        double from = fn_now();
        work(l, fetch, &ahead, slot);
        double seconds = fn_now() - from;
        pthread_mutex_lock(&l->lock);
        leave(l, slot, seconds);
    }
    pthread_mutex_unlock(&l->lock);
    free(ahead.ids);
    fn_fetch_close(&fetch);
    return NULL;
}

/* ---- opening and closing ---- */
static int make_slots(struct fn_loader *l, const struct fn_loader_config *config)
{
    l->slot = calloc((size_t)l->slots, sizeof *l->slot);
    l->ids = calloc((size_t)l->slots * (size_t)l->n, sizeof *l->ids);
    l->thread = calloc((size_t)config->workers, sizeof *l->thread);
    if (!l->slot || !l->ids || !l->thread)
        return fn_fail(FN_ENOMEM, "no memory for a loader of %d slots and %d threads", l->slots,
                       config->workers);
    for (int i = 0; i < l->slots; i++) {
        l->slot[i].images = config->slot[i].images;
        l->slot[i].labels = config->slot[i].labels;
        l->slot[i].ids = l->ids + (size_t)i * (size_t)l->n;
    }
    return FN_OK;
}

static int start_threads(struct fn_loader *l, int workers)
{
    int rc = FN_OK;
    while (rc == FN_OK && l->workers < workers) {
        int error = pthread_create(&l->thread[l->workers], NULL, run_worker, l);
        if (error)
            rc = fn_fail(FN_ENOMEM, "cannot start loader thread %d of %d: %s", l->workers + 1,
                         workers, strerror(error));
        else
            l->workers++;
    }
    pthread_mutex_lock(&l->lock);
    while (l->opened < l->workers)
        pthread_cond_wait(&l->ready, &l->lock);
    if (rc == FN_OK)
        rc = fn_err_note_raise(&l->failure);
    pthread_mutex_unlock(&l->lock);
    return rc;
}

int fn_loader_open(struct fn_loader **loader, const struct fn_loader_config *config)
{
    assert(config->workers >= 1 && config->n >= 1 && config->size >= 1 && config->slots >= 1);
    struct fn_loader *l = calloc(1, sizeof *l);
    *loader = NULL;
    if (!l)
        return fn_fail(FN_ENOMEM, "no memory for a loader");
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->work, NULL);
    pthread_cond_init(&l->ready, NULL);
    l->source = config->source;
    l->n = config->n;
    l->size = config->size;
    l->slots = config->slots;
    l->image_bytes = (size_t)l->size * (size_t)l->size * 3;
    l->stopped = 1;
    halt(l);
    int rc = make_slots(l, config);
    if (rc == FN_OK)
        rc = start_threads(l, config->workers);
    if (rc != FN_OK)
        fn_loader_close(&l); /* joins: no other thread's sentence replaces this one's */
    *loader = l;
    return rc;
}

void fn_loader_close(struct fn_loader **loader)
{
    struct fn_loader *l = *loader;
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->quit = 1;
    halt(l);
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < l->workers; i++)
        pthread_join(l->thread[i], NULL);
    pthread_cond_destroy(&l->work);
    pthread_cond_destroy(&l->ready);
    pthread_mutex_destroy(&l->lock);
    free(l->thread);
    free(l->slot);
    free(l->ids);
    free(l);
    *loader = NULL;
}

/* ---- the consumer ---- */
static int check_job(const struct fn_loader *l, const struct fn_loader_job *job)
{
    int w, h;
    assert(job->augment.size == l->size);
    fn_source_min_size(l->source, &w, &h);
    if (job->augment.random_crop && w > 0 && (w < l->size || h < l->size))
        return fn_fail(
            FN_EMISMATCH,
            "the smallest pictures are %d wide or %d high, smaller than a random crop of %d: "
            "ingest them larger, take a smaller image size, or crop at the centre",
            w, h, l->size);
    return FN_OK;
}

int fn_loader_start(struct fn_loader *loader, const struct fn_loader_job *job)
{
    struct fn_loader *l = loader;
    int rc = check_job(l, job);
    if (rc != FN_OK)
        return rc;
    pthread_mutex_lock(&l->lock);
    l->stopped = l->draining = 1;
    halt(l);
    while (l->active > 0)
        pthread_cond_wait(&l->ready, &l->lock);
    l->draining = 0;
    l->job = *job;
    if (l->job.stride == 0) {
        l->job.stride = (uint64_t)l->n;
        l->job.offset = 0;
    }
    for (int i = 0; i < l->slots; i++)
        l->slot[i].state = SLOT_EMPTY;
    l->fill_batch = l->next_batch = job->first_batch;
    atomic_store(&l->read, 0);
    memset(&l->stats, 0, sizeof l->stats);
    memset(&l->failure, 0, sizeof l->failure);
    l->stopped = 0;
    atomic_store(&l->halted, 0);
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    return FN_OK;
}

/* Waits for the slot of the next batch. Holds the lock. */
static int wait_ready(struct fn_loader *l, struct slot *s)
{
    if (s->state == SLOT_UPLOADING)
        return fn_fail(FN_EINTERNAL, "every slot of the loader is in use: release one first");
    if (s->state == SLOT_READY && s->batch == l->next_batch && !l->stopped)
        return fn_err_note_raise(&l->failure);
    double from = fn_now();
    while (!l->stopped && l->failure.code == FN_OK &&
           !(s->state == SLOT_READY && s->batch == l->next_batch))
        pthread_cond_wait(&l->ready, &l->lock);
    l->stats.wait_s += fn_now() - from;
    if (l->failure.code != FN_OK)
        return fn_err_note_raise(&l->failure);
    return l->stopped ? fn_fail(FN_EINTERRUPTED, "the loader was stopped") : FN_OK;
}

int fn_loader_next(struct fn_loader *loader, struct fn_batch *batch)
{
    struct fn_loader *l = loader;
    pthread_mutex_lock(&l->lock);
    struct slot *s = slot_of(l, l->next_batch);
    int rc;
    if (!l->stopped && l->failure.code == FN_OK && fn_loader_count(l, l->next_batch) == 0)
        rc = FN_LOADER_END;
    else
        rc = wait_ready(l, s);
    if (rc == FN_OK) {
        s->state = SLOT_UPLOADING;
        *batch =
            (struct fn_batch){s->batch, (int)(s - l->slot), s->count, s->images, s->labels, s->ids};
        l->next_batch++;
        l->stats.batches++;
    }
    pthread_mutex_unlock(&l->lock);
    return rc;
}

void fn_loader_release(struct fn_loader *loader, int slot)
{
    pthread_mutex_lock(&loader->lock);
    assert(slot >= 0 && slot < loader->slots);
    if (loader->slot[slot].state == SLOT_UPLOADING) { /* else: a new job has begun meanwhile */
        loader->slot[slot].state = SLOT_EMPTY;
        pthread_cond_broadcast(&loader->work);
    }
    pthread_mutex_unlock(&loader->lock);
}

void fn_loader_stop(struct fn_loader *loader)
{
    pthread_mutex_lock(&loader->lock);
    loader->stopped = 1;
    halt(loader);
    pthread_cond_broadcast(&loader->ready);
    pthread_cond_broadcast(&loader->work);
    pthread_mutex_unlock(&loader->lock);
}

void fn_loader_get_stats(struct fn_loader *loader, struct fn_loader_stats *stats)
{
    pthread_mutex_lock(&loader->lock);
    *stats = loader->stats;
    stats->read = atomic_load(&loader->read);
    pthread_mutex_unlock(&loader->lock);
}
