/* SPDX-License-Identifier: MIT */
/* Training steps, one after the other. On a device that works by itself, the losses of a step are
 * read while the next one runs. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "train/run_parts.h"

enum { BAD_IN_ROW = 3, NAMED = 8 };

static int start(struct fn_run *r, struct fn_exec *exec, double rate, struct fn_flight *f)
{
    const struct fn_train_options *o = r->o;
    size_t n = (size_t)fn_exec_get_options(exec)->n * (size_t)o->parts;
    size_t bytes = n * (size_t)o->image_size * (size_t)o->image_size * 3;
    struct fn_step step = {(uint64_t)o->seed, r->state.step, rate, r->state.step + 1, 0};
    const uint8_t *images;
    const int32_t *labels;
    int rc;
    f->begin = fn_now();
    f->batches = fn_run_epoch_batches(r);
    rc = fn_loader_next(r->train_ring.loader, &f->data);
    if (rc)
        return rc;
    f->wait_s = fn_now() - f->begin;
    r->figures.wait_s += f->wait_s;
    if (r->state.step == 0)
        rc = fn_run_log_crops(r, f->data.images, (int)n);
    if (rc)
        return rc;
    f->rate = fn_run_step_rate(r, rate, step.step);
    step.lr = f->rate;
    rc = r->be->batch_upload(r->dev, f->data.slot, f->data.images, bytes, f->data.labels, n,
                             &images, &labels);
    if (!rc)
        rc = r->be->batch_use(r->dev, f->data.slot);
    if (r->online)
        r->online->labels = f->data.labels;
    if (!rc)
        rc = fn_step_train(exec, &step, images, labels, &r->step);
    if (r->online)
        f->online = r->online->figures;
    r->state.step++;
    r->state.batch++;
    r->saved = 0;
    f->number = r->state.step;
    f->batch = r->state.batch;
    f->n = (int)n;
    return rc ? rc : r->be->losses_post(r->dev, (int)(f->number % 4));
}

static void report_bad(const struct fn_run *r, const struct fn_flight *f, double bad)
{
    char names[600] = "", one[200];
    size_t used = 0;
    int n = f->n;
    for (int i = 0; i < n && i < NAMED && used < sizeof names; i++)
        used +=
            (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "",
                             fn_source_name(r->source, f->data.ids[i], one, i ? 60 : sizeof one));
    fn_warn("step %" PRIu64 ": %.0f values are not finite; the step is skipped (%s%s)", f->number,
            bad, names, n > NAMED ? ", ..." : "");
}

/* How long the device stood still before a step, but for what the step waited for its images: it
 * would have been queued that much earlier. */
static int host_wait(struct fn_run *r, const struct fn_flight *f)
{
    double idle = 0;
    int rc = FN_OK;
    if (f->follows && r->be->idle)
        rc = r->be->idle(r->dev, (int)(f->number % 4), &idle);
    if (idle > f->wait_s)
        r->figures.host_s += idle - f->wait_s;
    return rc;
}

/* Read the losses of a step and let its images go. */
static int finish(struct fn_run *r, const struct fn_flight *f, enum fn_why *why)
{
    double losses[FN_LOSS_COUNT], seconds;
    int rc = r->be->losses_wait(r->dev, (int)(f->number % 4), losses);
    if (!rc)
        rc = r->be->batch_release(r->dev, f->data.slot, 1);
    if (!rc)
        rc = host_wait(r, f);
    if (rc)
        return rc;
    fn_step_losses(losses, &r->step);
    if (r->online)
        fn_online_losses(&f->online, losses);
    seconds = fn_now() - (r->last_finish > f->begin ? r->last_finish : f->begin);
    r->last_finish = fn_now();
    r->figures.train_s += seconds;
    rc = r->loss->log_step(r, losses, f, seconds);
    r->bad_in_row = losses[FN_LOSS_BAD] > 0 ? r->bad_in_row + 1 : 0;
    if (losses[FN_LOSS_BAD] > 0)
        report_bad(r, f, losses[FN_LOSS_BAD]);
    if (r->bad_in_row >= BAD_IN_ROW)
        *why = FN_WHY_DIVERGED;
    fn_loader_release(r->train_ring.loader, f->data.slot);
    return rc;
}

int fn_run_ended(const struct fn_run *r, enum fn_why *why)
{
    if (fn_interrupted())
        *why = FN_WHY_INTERRUPTED;
    else if (fn_run_enough(r))
        *why = FN_WHY_ENOUGH;
    return *why != FN_WHY_EPOCH;
}

int fn_run_batch(struct fn_run *r, struct fn_exec *exec, double rate, struct fn_flights *flights,
                 enum fn_why *why)
{
    struct fn_flight *next = &flights->flight[flights->ahead];
    next->follows = flights->running;
    int rc = start(r, exec, rate, next);
    flights->ahead += !rc;
    flights->running = !rc;
    if (!rc && flights->ahead > r->lag) {
        rc = finish(r, &flights->flight[0], why);
        flights->flight[0] = flights->flight[1];
        flights->ahead--;
    }
    return rc;
}

int fn_run_drain(struct fn_run *r, struct fn_flights *flights, enum fn_why *why)
{
    int rc = FN_OK;
    for (int i = 0; i < flights->ahead && !rc; i++)
        rc = finish(r, &flights->flight[i], why);
    flights->ahead = flights->running = 0;
    return rc;
}

int fn_run_save_due(struct fn_run *r, struct fn_flights *flights, enum fn_why *why)
{
    int rc;
    if (!r->o->save_every || r->state.step % (uint64_t)r->o->save_every != 0 || r->saved ||
        fn_run_epoch_over(r) || *why != FN_WHY_EPOCH)
        return FN_OK;
    rc = fn_run_drain(r, flights, why);
    if (!rc && *why == FN_WHY_EPOCH)
        rc = fn_run_check_weights(r, why);
    return rc || *why != FN_WHY_EPOCH ? rc : fn_run_save(r, 0);
}

int fn_run_batches(struct fn_run *r, double rate, enum fn_why *why)
{
    struct fn_flights flights = {.ahead = 0};
    int rc = FN_OK;
    *why = FN_WHY_EPOCH;
    while (!rc && *why == FN_WHY_EPOCH && !fn_run_epoch_over(r) && !fn_run_ended(r, why)) {
        rc = fn_run_batch(r, r->train, rate, &flights, why);
        if (!rc)
            rc = fn_run_save_due(r, &flights, why);
    }
    return rc ? rc : fn_run_drain(r, &flights, why);
}
