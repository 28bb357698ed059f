/* SPDX-License-Identifier: MIT */
/* What a run is about to do, how long that will take, and what became of it. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "train/run_page.h"
#include "train/run_parts.h"

/* ---- before --------------------------------------------------------------------------------- */
/* The epoch before which the schedule ends training, or the options' last one. */
static int find_last_epoch(struct fn_run *r)
{
    enum { LOOK_AHEAD = 100000 };
    int64_t epoch = r->state.epoch, last = fn_run_last_epoch(r);
    double rate = 1;
    int rc = FN_OK;
    r->last_epoch = last;
    for (int i = 0; r->schedule && i < LOOK_AHEAD && epoch <= last && !rc; i++, epoch++) {
        rc = fn_run_rate(r, epoch, &rate);
        if (!rc && rate <= 0) {
            r->last_epoch = epoch - 1;
            return FN_OK;
        }
    }
    return rc;
}

/* Steps from here to the end. A group of triplets is trained to its end, also where that lies
 * behind the epoch's. */
static double steps_left(const struct fn_run *r, uint64_t step)
{
    double size = (double)r->o->epoch_size, epochs = (double)(r->last_epoch - r->state.epoch);
    double steps = size - (double)r->state.batch + epochs * size;
    double epoch = (double)(fn_run_epoch_batches(r) - r->state.batch);
    if (steps < epoch)
        steps = epoch;
    if (r->o->max_steps && steps > (double)r->o->max_steps - (double)step)
        steps = (double)r->o->max_steps - (double)step;
    return steps > 0 ? steps : 0;
}

static void say_pictures(const struct fn_run *r)
{
    const struct fn_train_options *o = r->o;
    fn_info("Pictures: %lld x %lld, %s%s%s, %s standardization; %d loader thread%s",
            (long long)o->image_size, (long long)o->image_size,
            o->random_crop ? "random crop" : "centre crop", o->random_flip ? ", random flip" : "",
            o->random_rotate ? ", random rotation" : "", o->fixed ? "fixed" : "per-image",
            fn_run_workers(r), fn_run_workers(r) == 1 ? "" : "s");
}

int fn_run_say_plan(struct fn_run *r)
{
    const struct fn_train_options *o = r->o;
    double rate = 0, steps;
    int rc = find_last_epoch(r);
    if (!rc)
        rc = fn_run_rate(r, r->state.epoch, &rate);
    if (rc)
        return rc;
    steps = steps_left(r, r->state.step);
    say_pictures(r);
    fn_info("Optimizer: %s, learning rate %g%s%s%s, weight decay %g, dropout keeps %g",
            o->optimizer, rate, r->schedule ? " (" : "", r->schedule ? o->schedule_file : "",
            r->schedule ? ")" : "", o->weight_decay, o->keep);
    fn_info(
        "Plan: epochs %lld to %lld of %lld steps%s, %.0f steps of %lld images in all, %.1f times "
        "the training set",
        (long long)r->state.epoch, (long long)r->last_epoch, (long long)o->epoch_size,
        r->triplets ? " (the last group's end)" : "", steps, (long long)o->batch_size,
        steps * (double)o->batch_size / (double)r->split->train.count);
    return FN_OK;
}

double fn_run_time_left(const struct fn_run *r, uint64_t step)
{
    const struct fn_run_figures *f = &r->figures;
    double steps = steps_left(r, step), between = 0, seconds = (double)r->o->batch_size / f->speed;
    if (f->steps > 1)
        between = (fn_now() - f->warm) - (f->all_train_s + f->train_s - f->warm_train_s);
    if (between > 0)
        seconds += between / (double)(f->steps - 1);
    return steps * seconds;
}

void fn_run_say_estimate(const struct fn_run *r, uint64_t step)
{
    enum { AFTER = 6 };
    char time[32];
    if (r->figures.steps == AFTER)
        fn_info("Estimated time: %s for the %.0f steps left at %.1f images/s%s",
                fn_human_time(fn_run_time_left(r, step), time, sizeof time), steps_left(r, step),
                r->figures.speed,
                r->lfw || r->split->val.count ? ", and what validation and LFW take" : "");
}

/* ---- after ---------------------------------------------------------------------------------- */
static int put_real(json_t *o, const char *key, double value)
{
    return json_object_set_new(o, key, isfinite(value) ? json_real(value) : json_null());
}

static int put_count(json_t *o, const char *key, uint64_t value)
{
    return json_object_set_new(o, key, json_integer((json_int_t)value));
}

static int put_bytes(json_t *o, const char *key, const char *text)
{
    return json_object_set_new(o, key, fn_json_bytes(text, strlen(text)));
}

static int put_figures(json_t *o, const struct fn_run *r)
{
    const struct fn_run_figures *f = &r->figures;
    int best = r->state.best_step >= 0;
    return put_real(o, "loss", f->loss) || put_real(o, "accuracy", f->accuracy) ||
           put_real(o, "validation_loss", f->validation_loss) ||
           put_real(o, "validation_accuracy", f->validation_accuracy) ||
           put_real(o, "lfw_accuracy", f->lfw_accuracy) || put_real(o, "lfw_val", f->lfw_val) ||
           put_real(o, "best_lfw_accuracy", best ? r->state.best_accuracy : NAN) ||
           json_object_set_new(o, "best_lfw_step",
                               best ? json_integer(r->state.best_step) : json_null());
}

static int put_times(json_t *o, const struct fn_run *r)
{
    const struct fn_run_figures *f = &r->figures;
    double train_s = f->all_train_s + f->train_s, wait_s = f->all_wait_s + f->wait_s;
    double host_s = f->all_host_s + f->host_s;
    return put_real(o, "seconds", fn_now() - r->began) || put_real(o, "train_seconds", train_s) ||
           put_real(o, "validate_seconds", f->all_validate_s + f->validate_s) ||
           put_real(o, "evaluate_seconds", f->all_evaluate_s + f->evaluate_s) ||
           put_real(o, "save_seconds", f->all_save_s) ||
           put_real(o, "images_per_second", train_s > 0 ? (double)f->images / train_s : 0) ||
           put_real(o, "data_wait", train_s > 0 ? wait_s / train_s : 0) ||
           put_real(o, "host_wait",
                    !r->be->idle  ? NAN
                    : train_s > 0 ? host_s / train_s
                                  : 0);
}

/* Where the page is, if one was written. */
static int put_page(json_t *o, const struct fn_run *r)
{
    char *path = fn_path_join(r->folder, FN_RUN_PAGE);
    int bad = !path || (fn_is_file(path) && put_bytes(o, "report", path));
    free(path);
    return bad;
}

json_t *fn_run_summary(const struct fn_run *r)
{
    struct fn_loader_stats stats;
    json_t *o = json_object();
    int bad;
    fn_loader_get_stats(r->train_ring.loader, &stats);
    bad = !o || put_bytes(o, "run", r->folder) || put_bytes(o, "logs", r->log_folder) ||
          put_page(o, r) || put_count(o, "step", r->state.step) ||
          json_object_set_new(o, "epoch", json_integer(r->state.epoch)) ||
          put_count(o, "images", r->figures.images) || put_times(o, r) || put_figures(o, r) ||
          put_count(o, "bad_pictures", r->figures.bad + stats.bad) ||
          put_count(o, "skipped_steps", r->figures.skipped) ||
          json_object_set_new(o, "saved", r->saved ? json_true() : json_false());
    if (!bad)
        return o;
    json_decref(o);
    return NULL;
}
