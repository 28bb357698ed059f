/* SPDX-License-Identifier: MIT */
/* Triplet training with online mining: a batch is a group of people, and its triplets are chosen
 * from the embeddings of the very pass that trains. */
#include <string.h>

#include "base/log.h"
#include "train/run_parts.h"
#include "train/triplet_select.h"

static int open_data(struct fn_run *r)
{
    return fn_group_ring_open(&r->groups, r->split, r->o->people_per_batch, r->o->images_per_person,
                              (uint64_t)r->o->seed);
}

static uint64_t bytes(const struct fn_run *r)
{
    return fn_online_bytes((size_t)r->o->batch_size, r->be->info(r->dev)->param_bytes);
}

static int open_device(struct fn_run *r)
{
    int hard = !strcmp(r->o->triplet_selection, fn_selection_names[FN_SELECT_HARD]);
    int rc = fn_online_open(&r->online, r->be, r->dev, (size_t)r->o->batch_size,
                            hard ? FN_SELECT_HARD : FN_SELECT_SEMI_HARD);
    r->step.online = r->online;
    return rc;
}

static void close_online(struct fn_run *r)
{
    fn_loader_close(&r->train_ring.loader); /* it reads the groups */
    fn_online_close(&r->online, r->be, r->dev);
    fn_group_ring_close(&r->groups);
}

static int feed(struct fn_run *r)
{
    return fn_run_feed(r, fn_group_ring_order(r->groups), 0);
}

const struct fn_run_loss fn_run_online = {
    .name = "triplet",
    .head = FN_HEAD_TRIPLET,
    .eval_head = FN_HEAD_NONE,
    .first_epoch = 0,
    .open_data = open_data,
    .bytes = bytes,
    .open_device = open_device,
    .close = close_online,
    .feed = feed,
    .epoch = fn_run_batches,
    .log_step = fn_run_log_triplet_step,
    .accuracy_digits = 3,
};
