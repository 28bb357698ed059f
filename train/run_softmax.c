/* SPDX-License-Identifier: MIT */
/* Softmax training: endless passes over the data, batch by batch. */
#include "train/run_parts.h"

static int nothing(struct fn_run *r)
{
    (void)r;
    return FN_OK;
}

static uint64_t no_bytes(const struct fn_run *r)
{
    (void)r;
    return 0;
}

static void no_close(struct fn_run *r)
{
    (void)r;
}

struct fn_order fn_run_order(const struct fn_run *r)
{
    return r->by_place.count ? fn_window_order(&r->window) : fn_sampler_order(&r->sampler);
}

int fn_run_feed(struct fn_run *r, struct fn_order order, int rotate)
{
    const struct fn_train_options *o = r->o;
    const struct fn_loader_job job = {
        .order = order,
        .augment = {(int)o->image_size, o->random_crop, o->random_flip, rotate, (uint64_t)o->seed},
        .on_bad = FN_BAD_REPLACE,
        .first_batch = r->state.step,
    };
    return fn_loader_start(r->train_ring.loader, &job);
}

static int feed(struct fn_run *r)
{
    return fn_run_feed(r, fn_run_order(r), r->o->random_rotate);
}

const struct fn_run_loss fn_run_softmax = {
    .name = "softmax",
    .head = FN_HEAD_SOFTMAX,
    .eval_head = FN_HEAD_SOFTMAX,
    .first_epoch = 1,
    .open_data = nothing,
    .bytes = no_bytes,
    .open_device = nothing,
    .close = no_close,
    .feed = feed,
    .epoch = fn_run_batches,
    .log_step = fn_run_log_step,
    .accuracy_digits = 5,
};
