/* SPDX-License-Identifier: MIT */
/* Triplet training: memory of a group, and its batches. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "train/run_triplet_parts.h"

static int open_data(struct fn_run *r)
{
    const struct fn_train_options *o = r->o;
    struct fn_triplets *t = r->triplets = calloc(1, sizeof *t);
    if (!t)
        return fn_fail(FN_ENOMEM, "no memory for triplet training");
    for (int i = 0; i < FN_SELECT_COUNT; i++)
        if (!strcmp(o->triplet_selection, fn_selection_names[i]))
            t->rule = i;
    return fn_triplet_sampler_open(&t->sampler, r->split, o->people_per_batch, o->images_per_person,
                                   (uint64_t)o->seed);
}

/* On the device: embeddings. On the host: embeddings and distances. */
static uint64_t bytes(const struct fn_run *r)
{
    uint64_t count = r->triplets->sampler->count, d = (uint64_t)r->o->embedding_size;
    return count * d * (r->be->info(r->dev)->param_bytes + sizeof(float)) +
           count * count * sizeof(float);
}

static int open_device(struct fn_run *r)
{
    struct fn_triplets *t = r->triplets;
    size_t count = t->sampler->count, d = (size_t)r->net->embedding_size, moving = 0;
    int rc;
    for (size_t i = r->net->trained_count; i < r->net->param_count; i++)
        moving += r->net->params[i].count;
    t->rows = (struct fn_tensor){(int)count, 1, 1, (int)d, 0, (int)d, NULL};
    rc = r->be->alloc(r->dev, count * d * r->be->info(r->dev)->param_bytes, FN_MEM_DEVICE,
                      &t->rows.data);
    if (rc)
        return rc;
    t->embeddings = malloc(count * d * sizeof *t->embeddings);
    t->d2 = malloc(count * count * sizeof *t->d2);
    t->omit = calloc(count, 1);
    t->moving = malloc((moving ? moving : 1) * sizeof *t->moving);
    if (!t->embeddings || !t->d2 || !t->omit || !t->moving)
        return fn_fail(FN_ENOMEM, "no memory for the distances of %zu images", count);
    return FN_OK;
}

static void close_triplets(struct fn_run *r)
{
    struct fn_triplets *t = r->triplets;
    if (!t)
        return;
    fn_loader_close(&r->train_ring.loader); /* it reads the sampler's rows */
    if (t->rows.data)
        r->be->free(r->dev, FN_MEM_DEVICE, t->rows.data);
    fn_triplet_sampler_close(&t->sampler);
    free(t->embeddings);
    free(t->d2);
    free(t->omit);
    free(t->moving);
    free(t);
    r->triplets = NULL;
}

/* At the start, and after going back: the group is that of the state. */
static int feed(struct fn_run *r)
{
    const struct fn_train_state *s = &r->state;
    size_t count = r->triplets->sampler->count;
    r->triplets->sampled = 0;
    for (size_t i = 0; i < s->triplet_rows; i++)
        if ((size_t)s->triplets[i] >= count)
            return fn_fail(FN_ECORRUPT,
                           "the checkpoint has a triplet with image %d of a group of "
                           "%zu",
                           (int)s->triplets[i], count);
    return FN_OK;
}

static void end_group(struct fn_run *r)
{
    free(r->state.triplets);
    r->state.triplets = NULL;
    r->state.triplet_rows = 0;
    r->state.group++;
    r->state.group_batches = 0;
    r->triplets->sampled = 0;
}

/* The batches of the group's triplets; the last one may be smaller. */
static int train_group(struct fn_run *r, double rate, struct fn_flights *flights, enum fn_why *why)
{
    struct fn_triplets *t = r->triplets;
    struct fn_train_state *s = &r->state;
    int64_t n = r->train_ring.n, total = (int64_t)s->triplet_rows;
    int rc;
    if (!t->sampled)
        fn_triplet_sample(t->sampler, (uint64_t)s->group);
    t->sampled = 1;
    rc = fn_triplet_feed(r, 1);
    while (!rc && *why == FN_WHY_EPOCH && s->group_batches * n < total && !fn_run_ended(r, why)) {
        int64_t left = total - s->group_batches * n;
        struct fn_exec *exec = NULL;
        if (left < n)
            rc = fn_run_drain(r, flights, why);
        if (rc || *why != FN_WHY_EPOCH)
            break;
        rc = fn_triplet_exec(r, left < n ? (int)left : (int)n, &exec);
        if (!rc)
            rc = fn_run_batch(r, exec, rate, flights, why);
        if (rc)
            break;
        s->group_batches++;
        if (s->group_batches * n < total)
            rc = fn_run_save_due(r, flights, why);
    }
    if (!rc)
        rc = fn_run_drain(r, flights, why);
    if (!rc && *why == FN_WHY_DIVERGED) /* going back replaces the triplets */
        return fn_triplet_halt(r);
    if (rc || s->group_batches * n < total)
        return rc;
    end_group(r);
    return fn_run_save_due(r, flights, why);
}

static int epoch(struct fn_run *r, double rate, enum fn_why *why)
{
    struct fn_flights flights = {.ahead = 0};
    int rc = FN_OK;
    *why = FN_WHY_EPOCH;
    while (!rc && *why == FN_WHY_EPOCH && !fn_run_epoch_over(r) && !fn_run_ended(r, why))
        rc = r->state.triplets ? train_group(r, rate, &flights, why) : fn_triplet_group(r, why);
    return rc;
}

const struct fn_run_loss fn_run_triplet = {
    .name = "triplet",
    .head = FN_HEAD_TRIPLET,
    .eval_head = FN_HEAD_NONE,
    .first_epoch = 0,
    .open_data = open_data,
    .bytes = bytes,
    .open_device = open_device,
    .close = close_triplets,
    .feed = feed,
    .epoch = epoch,
    .log_step = fn_run_log_triplet_step,
    .accuracy_digits = 3,
};
