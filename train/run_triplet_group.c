/* SPDX-License-Identifier: MIT */
/* A step group up to its triplets. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "train/run_triplet_parts.h"

/* Dropout's masks of the embedding passes come from steps that no training reaches. */
#define EMBEDDING_STEPS (UINT64_C(1) << 63)

int fn_triplet_exec(struct fn_run *r, int n, struct fn_exec **exec)
{
    struct fn_triplets *t = r->triplets;
    const struct fn_exec_options options = {n, 1, FN_HEAD_TRIPLET};
    int rc;
    *exec = r->train;
    if (n == r->train_ring.n)
        return FN_OK;
    if (!t->rest || fn_exec_get_options(t->rest)->n != n) {
        rc = r->be->sync(r->dev);
        fn_exec_release(&t->rest);
        if (!rc)
            rc = fn_exec_open(&t->rest, r->model, &options);
        if (rc)
            return rc;
    }
    *exec = t->rest;
    return FN_OK;
}

/* The loader's statistics begin anew with every job. */
static int start_list(struct fn_run *r, const struct fn_group_list *list, uint64_t first_batch)
{
    const struct fn_train_options *o = r->o;
    const struct fn_loader_job job = {
        .order = fn_group_order(list),
        .augment = {(int)o->image_size, o->random_crop, o->random_flip, 0, (uint64_t)o->seed},
        .on_bad = FN_BAD_REPLACE,
        .first_batch = first_batch,
    };
    struct fn_loader_stats stats;
    fn_loader_get_stats(r->train_ring.loader, &stats);
    r->figures.bad += stats.bad;
    return fn_loader_start(r->train_ring.loader, &job);
}

int fn_triplet_feed(struct fn_run *r, int training)
{
    struct fn_triplets *t = r->triplets;
    t->list = (struct fn_group_list){t->sampler, training ? r->state.triplets : NULL,
                                     training ? r->state.triplet_rows : t->sampler->count,
                                     2 * (uint64_t)r->state.group + (uint64_t)training};
    return start_list(r, &t->list, training ? (uint64_t)r->state.group_batches : 0);
}

int fn_triplet_halt(struct fn_run *r)
{
    return start_list(r, &r->triplets->none, 0); /* waits for the workers, then has no draws */
}

/* Moving statistics out to the host, or back. */
static int keep_moving(struct fn_run *r, int restore)
{
    const struct fn_net *net = r->net;
    float *at = r->triplets->moving;
    int rc = FN_OK;
    for (size_t i = net->trained_count; i < net->param_count && !rc; i++) {
        rc = restore ? fn_model_set(r->model, FN_ARENA_W, i, at, FN_F32)
                     : fn_model_get(r->model, FN_ARENA_W, i, at, FN_F32);
        at += net->params[i].count;
    }
    return rc;
}

/* Rows that got a picture of somebody else are in no triplet. */
static void note_rows(struct fn_triplets *t, const struct fn_batch *b, size_t first, int n)
{
    for (size_t i = 0; i < (size_t)n; i++)
        t->omit[first + i] = b->labels[i] != t->sampler->rows.labels[first + i];
}

static int embed_batch(struct fn_run *r, uint64_t number, size_t first, int n)
{
    struct fn_triplets *t = r->triplets;
    size_t most = (size_t)r->train_ring.n, d = (size_t)r->net->embedding_size;
    size_t per_group = (t->sampler->count + most - 1) / most;
    size_t bytes = (size_t)n * (size_t)r->o->image_size * (size_t)r->o->image_size * 3;
    const struct fn_step step = {(uint64_t)r->o->seed,
                                 EMBEDDING_STEPS + (uint64_t)r->state.group * (uint64_t)per_group +
                                     number,
                                 0, r->state.step + 1, 0};
    struct fn_exec *exec = NULL;
    const uint8_t *images;
    const int32_t *labels;
    struct fn_batch b;
    int rc = fn_triplet_exec(r, n, &exec);
    if (!rc)
        rc = fn_loader_next(r->train_ring.loader, &b);
    if (rc)
        return rc;
    note_rows(t, &b, first, n);
    rc =
        r->be->batch_upload(r->dev, b.slot, b.images, bytes, b.labels, (size_t)n, &images, &labels);
    if (!rc)
        rc = r->be->batch_use(r->dev, b.slot);
    if (!rc)
        rc = r->be->step_begin(r->dev, &step);
    if (!rc)
        rc = fn_exec_images(exec, images, r->step.per_image, 0);
    if (!rc)
        rc = fn_exec_forward(exec, r->step.keep);
    if (!rc)
        rc = fn_exec_update_moving(exec, r->step.bn_decay);
    if (!rc)
        rc = fn_exec_embed(exec);
    if (!rc)
        rc = r->be->vector_export(r->dev, fn_exec_rows(exec, FN_ROWS_EMBEDDINGS)->data,
                                  (size_t)n * d, t->embeddings + first * d, FN_F32);
    if (!rc)
        rc = r->be->batch_release(r->dev, b.slot, 1);
    if (!rc)
        fn_loader_release(r->train_ring.loader, b.slot);
    return rc;
}

/* Forward in training mode: dropout is on, batches have their own statistics, and the moving ones
 * follow. */
static int embed_group(struct fn_run *r, enum fn_why *why)
{
    struct fn_triplets *t = r->triplets;
    size_t count = t->sampler->count, n = (size_t)r->train_ring.n;
    uint64_t number = 0;
    int rc = keep_moving(r, 0);
    if (!rc)
        rc = fn_triplet_feed(r, 0);
    for (size_t first = 0; first < count && !rc; first += n, number++) {
        size_t left = count - first;
        if (fn_interrupted()) {
            *why = FN_WHY_INTERRUPTED;
            fn_loader_stop(r->train_ring.loader);
            return keep_moving(r, 1);
        }
        rc = embed_batch(r, number, first, left < n ? (int)left : (int)n);
        fn_progress(10, 0, "embedding %zu of %zu pictures", first + n < count ? first + n : count,
                    count);
    }
    return rc;
}

static int select_triplets(struct fn_run *r, struct fn_selected *selected)
{
    struct fn_triplets *t = r->triplets;
    const struct fn_triplet_sampler *s = t->sampler;
    const struct fn_select_group group = {t->d2, s->count, s->classes, s->first, t->omit};
    const struct fn_select_options options = {t->rule, r->o->alpha, (uint64_t)r->o->seed,
                                              (uint64_t)r->state.group, s->people};
    int rc = r->be->vector_import(r->dev, t->embeddings, FN_F32,
                                  s->count * (size_t)r->net->embedding_size, t->rows.data);
    if (!rc)
        rc = r->be->distances(r->dev, &t->rows, (int)s->count, t->d2);
    return rc ? rc : fn_triplet_select(&group, &options, selected);
}

/* A network that sees nothing to learn in many groups will see nothing in the next. */
static void check_starved(struct fn_run *r, enum fn_why *why)
{
    enum { STARVED = 10 };
    struct fn_triplets *t = r->triplets;
    if (++t->starved < STARVED)
        return;
    fn_warn("%d groups in a row have no triplet: every negative is farther than the positive by "
            "--alpha %g, so there is nothing left to learn; a larger --people_per_batch finds "
            "harder negatives",
            STARVED, r->o->alpha);
    *why = FN_WHY_ENOUGH;
}

int fn_triplet_group(struct fn_run *r, enum fn_why *why)
{
    struct fn_triplets *t = r->triplets;
    struct fn_selected selected = {.rows = NULL};
    struct fn_group_figures figures = {0, 0, 0, 0};
    double begin;
    int rc;
    fn_triplet_sample(t->sampler, (uint64_t)r->state.group);
    t->sampled = 1;
    begin = fn_now();
    rc = embed_group(r, why);
    if (rc || *why != FN_WHY_EPOCH)
        return rc;
    rc = select_triplets(r, &selected);
    if (rc)
        return rc;
    if (selected.not_finite) {
        fn_warn("group %" PRId64 ": %" PRIu64 " distances between embeddings are not finite",
                r->state.group, selected.not_finite);
        *why = FN_WHY_DIVERGED;
        return FN_OK;
    }
    figures = (struct fn_group_figures){selected.pairs, selected.triplets, selected.mean_distance,
                                        fn_now() - begin};
    rc = fn_run_log_group(r, &figures);
    r->saved = 0;
    r->state.group_batches = 0;
    if (!selected.triplets) {
        free(selected.rows);
        r->state.group++;
        t->sampled = 0;
        check_starved(r, why);
        return rc;
    }
    t->starved = 0;
    r->state.triplets = selected.rows;
    r->state.triplet_rows = 3 * selected.triplets;
    return rc;
}
