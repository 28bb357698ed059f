/* SPDX-License-Identifier: MIT */
/* A training run, from opening to its last epoch. */
#include "train/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "train/run_parts.h"

static int open_rings(struct fn_run *r)
{
    const struct fn_embed_options embed = {r->step.per_image, r->o->lfw_flip, fn_run_workers(r)};
    int rc = fn_ring_open(r, &r->train_ring, (int)r->o->batch_size);
    if (!rc && r->split->val.count)
        rc = fn_ring_open(r, &r->eval_ring, fn_exec_get_options(r->eval)->n);
    if (!rc && r->lfw)
        rc = fn_lfw_run_attach(r->lfw, r->eval, &embed);
    if (!rc)
        rc = r->loss->open_device(r);
    return rc ? rc : r->loss->feed(r);
}

/* Where a new run stands, or the checkpoint did. */
static int open_state(struct fn_run *r)
{
    if (r->resumed)
        return fn_checkpoint_state(r->resumed, &r->state);
    r->state = (struct fn_train_state){
        .epoch = r->loss->first_epoch, .seed = (uint64_t)r->o->seed, .best_step = -1};
    r->state.best_accuracy = -1;
    return FN_OK;
}

/* A run with nothing open yet; NULL: out of memory. */
static struct fn_run *make(const struct fn_train_options *o, const char *checkpoint)
{
    struct fn_run *r = calloc(1, sizeof *r);
    struct fn_run_figures *f;
    if (!r) {
        fn_fail(FN_ENOMEM, "no memory for a run");
        return NULL;
    }
    r->o = o;
    r->loss = !strcmp(o->loss, "softmax")    ? &fn_run_softmax
              : !strcmp(o->mining, "online") ? &fn_run_online
                                             : &fn_run_triplet;
    r->resumed = checkpoint;
    r->lock = -1;
    r->began = fn_now();
    f = &r->figures;
    f->loss = f->accuracy = f->validation_loss = f->validation_xent = NAN;
    f->validation_accuracy = f->lfw_accuracy = f->lfw_val = NAN;
    return r;
}

int fn_run_open(struct fn_run **out, const struct fn_train_options *o, const char *checkpoint)
{
    struct fn_run *r = *out = make(o, checkpoint);
    int rc;
    if (!r)
        return FN_ENOMEM;
    rc = open_state(r);
    if (!rc)
        rc = fn_run_data_open(r);
    if (!rc)
        snprintf(r->state.content_id, sizeof r->state.content_id, "%s",
                 fn_store_get_info(r->store)->content_id);
    if (!rc)
        rc = fn_run_net_open(r);
    if (!rc)
        rc = fn_run_folder_open(r);
    if (!rc && r->resumed)
        rc = fn_checkpoint_cut(r->folder, r->state.step);
    if (!rc)
        rc = fn_run_log_open(r);
    if (!rc)
        rc = open_rings(r);
    if (!rc)
        rc = fn_run_say_plan(r);
    if (!rc && r->resumed)
        fn_info("Going on from step %llu, epoch %lld, batch %lld",
                (unsigned long long)r->state.step, (long long)r->state.epoch,
                (long long)r->state.batch);
    if (rc)
        fn_run_close(&r);
    *out = r;
    return rc;
}

int fn_run_open_bare(struct fn_run **out, const struct fn_train_options *o)
{
    struct fn_run *r = *out = make(o, NULL);
    int rc = r ? open_state(r) : FN_ENOMEM;
    if (!rc)
        rc = fn_run_data_open(r);
    if (!rc)
        rc = fn_run_net_open(r);
    return rc;
}

void fn_run_close(struct fn_run **run)
{
    struct fn_run *r = run ? *run : NULL;
    if (!r)
        return;
    fn_run_log_close(r);
    fn_run_net_close(r);
    fn_run_data_close(r);
    fn_run_folder_close(r);
    fn_train_state_free(&r->state);
    free(r->prelogits);
    free(r);
    *run = NULL;
}

/* ---- epochs --------------------------------------------------------------------------------- */
/* The batches of an epoch; what they leave is fit to be saved, or *why says otherwise. */
static int train(struct fn_run *r, double rate, enum fn_why *why)
{
    int rc = r->loss->epoch(r, rate, why);
    if (!rc && *why != FN_WHY_DIVERGED)
        rc = fn_run_check_weights(r, why);
    return rc;
}

/* Everything of the current epoch up to its checkpoint. *last: training ends with it. */
static int train_and_save(struct fn_run *r, double rate, int *last)
{
    enum fn_why why = FN_WHY_EPOCH;
    int rc = train(r, rate, &why);
    double begin;
    while (!rc && why == FN_WHY_DIVERGED) {
        rc = fn_run_go_back(r);
        if (!rc && r->state.validated) /* its epoch is over: nothing to repeat */
            return FN_OK;
        if (!rc)
            rc = fn_run_rate(r, r->state.epoch, &rate);
        if (!rc)
            rc = train(r, rate, &why);
    }
    if (rc)
        return rc;
    if (why == FN_WHY_INTERRUPTED)
        return fn_fail(FN_EINTERRUPTED, "interrupted");
    *last = why == FN_WHY_ENOUGH || fn_run_last(r);
    if (fn_run_validates(r) && r->split->val.count)
        rc = fn_run_validate(r);
    if (rc)
        return rc;
    r->state.validated = fn_run_epoch_over(r);
    begin = fn_now();
    rc = fn_run_save(r, *last);
    return rc ? rc : fn_run_log_saved(r, fn_now() - begin);
}

/* LFW and statistics, then on to the next epoch. */
static int end_epoch(struct fn_run *r, int last)
{
    struct fn_run_figures *f = &r->figures;
    int rc = r->lfw ? fn_run_lfw(r) : FN_OK;
    if (!rc)
        rc = fn_run_log_epoch(r);
    if (!rc)
        rc = fn_run_put_page(r, last);
    f->all_train_s += f->train_s;
    f->all_wait_s += f->wait_s;
    f->all_host_s += f->host_s;
    f->all_validate_s += f->validate_s;
    f->all_evaluate_s += f->evaluate_s;
    f->train_s = f->validate_s = f->evaluate_s = f->wait_s = f->host_s = 0;
    f->epoch_images = 0;
    if (rc || last)
        return rc;
    r->state.epoch = fn_run_next_epoch(r);
    r->state.batch = 0;
    r->state.validated = 0;
    return FN_OK;
}

static int epochs(struct fn_run *r)
{
    int rc = FN_OK, last = 0;
    while (!rc && !last && r->state.epoch <= fn_run_last_epoch(r)) {
        double rate = 0;
        if (r->state.validated) { /* resumed between an epoch's checkpoint and its evaluation */
            last = fn_run_last(r);
        } else {
            rc = fn_run_rate(r, r->state.epoch, &rate);
            if (!rc && rate <= 0) {
                fn_info("The schedule ends training before epoch %lld", (long long)r->state.epoch);
                return FN_OK;
            }
            if (!rc)
                rc = train_and_save(r, rate, &last);
        }
        if (!rc)
            rc = end_epoch(r, last);
    }
    return rc;
}

int fn_run_train(struct fn_run *r)
{
    char word[512];
    const char *again = fn_args_word(r->folder, word, sizeof word); /* to be typed */
    int rc = epochs(r), saved = FN_OK, written;
    if (!rc && (written = fn_run_log_flush(r)))
        return fn_fail_in(written,
                          "trained and saved, but the logs lack their end (make room, then: "
                          "fn-train --resume %s)",
                          again);
    if (rc != FN_EINTERRUPTED)
        return rc;
    if (!r->saved && r->figures.steps)
        saved = fn_run_save(r, 1);
    if (saved)
        return fn_fail_in(saved, "interrupted, but not saved");
    if (!r->figures.steps && !r->resumed)
        return fn_fail(FN_EINTERRUPTED, "interrupted before the first batch: nothing to save");
    return fn_fail(FN_EINTERRUPTED,
                   "interrupted after step %llu, all is saved; go on with: "
                   "fn-train --resume %s",
                   (unsigned long long)r->state.step, again);
}
