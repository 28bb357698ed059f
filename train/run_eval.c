/* SPDX-License-Identifier: MIT */
/* What happens between epochs: validation and LFW, both in evaluation mode. */
#include <math.h>
#include <string.h>

#include "base/log.h"
#include "train/run_parts.h"

struct sums {
    double loss, xent, correct;
    uint64_t images;
};

/* Rows that could not be read go; the last ones take their places. Returns how many are left. */
static int compact(struct fn_run *r, const struct fn_batch *b, int count)
{
    const struct fn_loader_slot *slot = &r->eval_ring.slot[b->slot];
    size_t bytes = (size_t)r->o->image_size * (size_t)r->o->image_size * 3;
    for (int i = 0; i < count; i++) {
        if (b->ids[i] != FN_NO_ID)
            continue;
        do
            count--;
        while (count > i && b->ids[count] == FN_NO_ID);
        memmove(slot->images + (size_t)i * bytes, slot->images + (size_t)count * bytes, bytes);
        slot->labels[i] = slot->labels[count];
    }
    return count;
}

static int validate_batch(struct fn_run *r, const struct fn_batch *b, int count, struct sums *sums)
{
    size_t n = (size_t)r->eval_ring.n;
    size_t bytes = n * (size_t)r->o->image_size * (size_t)r->o->image_size * 3;
    const uint8_t *images;
    const int32_t *labels;
    double losses[FN_LOSS_COUNT];
    int rc;
    count = compact(r, b, count);
    if (!count)
        return FN_OK;
    rc = r->be->batch_upload(r->dev, b->slot, b->images, bytes, b->labels, n, &images, &labels);
    if (!rc)
        rc = r->be->batch_use(r->dev, b->slot);
    if (!rc)
        rc = fn_exec_images(r->eval, images, r->step.per_image, 0);
    if (!rc)
        rc = fn_exec_forward(r->eval, 1);
    if (!rc)
        rc = fn_loss_softmax(r->eval, labels, count, &r->step, 0);
    if (!rc)
        rc = r->be->losses_post(r->dev, 0);
    if (!rc)
        rc = r->be->losses_wait(r->dev, 0, losses);
    if (!rc)
        rc = r->be->batch_release(r->dev, b->slot, 1);
    if (rc)
        return rc;
    losses[FN_LOSS_DECAY] = r->state.decay; /* the weights have not changed since */
    sums->loss += fn_step_total(losses, &r->step) * count;
    sums->xent += losses[FN_LOSS_XENT] * count;
    sums->correct += losses[FN_LOSS_CORRECT];
    sums->images += (uint64_t)count;
    return FN_OK;
}

int fn_run_validate(struct fn_run *r)
{
    const struct fn_loader_job job = {.order = fn_list_order(&r->validation),
                                      .augment = {.size = (int)r->o->image_size},
                                      .on_bad = FN_BAD_MARK};
    const struct fn_step step = {(uint64_t)r->o->seed, r->state.step, 0, r->state.step + 1, 0};
    struct fn_run_figures *f = &r->figures;
    struct sums sums = {0, 0, 0, 0};
    struct fn_batch batch;
    double begin = fn_now();
    int n = r->eval_ring.n, rc = fn_loader_start(r->eval_ring.loader, &job);
    if (!rc)
        rc = r->be->step_begin(r->dev, &step);
    for (size_t first = 0; first < r->split->val.count && !rc; first += (size_t)n) {
        size_t left = r->split->val.count - first;
        if (fn_interrupted())
            return fn_fail(FN_EINTERRUPTED, "interrupted in validation");
        rc = fn_loader_next(r->eval_ring.loader, &batch);
        if (!rc)
            rc = validate_batch(r, &batch, left < (size_t)n ? (int)left : n, &sums);
        if (!rc)
            fn_loader_release(r->eval_ring.loader, batch.slot);
    }
    if (rc)
        return rc;
    f->validate_s = fn_now() - begin;
    f->validation_loss = sums.images ? sums.loss / (double)sums.images : NAN;
    f->validation_xent = sums.images ? sums.xent / (double)sums.images : NAN;
    f->validation_accuracy = sums.images ? sums.correct / (double)sums.images : NAN;
    return fn_run_log_validation(r, sums.images);
}

int fn_run_lfw(struct fn_run *r)
{
    struct fn_lfw_result result;
    double begin = fn_now();
    int rc = fn_lfw_run_evaluate(r->lfw, &result);
    if (!rc) {
        r->figures.evaluate_s = fn_now() - begin;
        r->figures.lfw_accuracy = result.accuracy;
        r->figures.lfw_val = result.val;
        rc = fn_run_log_lfw(r, &result);
    }
    if (!rc && r->saved && result.accuracy > r->state.best_accuracy) {
        r->state.best_accuracy = result.accuracy;
        r->state.best_step = (int64_t)r->state.step;
    }
    fn_lfw_result_free(&result);
    return rc;
}
