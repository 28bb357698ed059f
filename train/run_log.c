/* SPDX-License-Identifier: MIT */
/* What a run says and writes down: console lines, tables (TSV), TensorBoard events, lfw_result.txt.
 *
 *     steps.tsv       a row a step         cut behind the checkpoint's step on resume
 *     validation.tsv  a row a validation   keyed by epoch
 *     groups.tsv      a row a step group of triplet training
 *     epochs.tsv      a row an epoch
 *     prelogits_hist.tsv  softmax: how often |prelogit| fell into each of 1,000 bins, by epoch;
 *                     a row a bin that is not empty, by its lower end
 *     lfw_result.txt  as the original's: step at the epoch's start, accuracy, validation rate */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "train/run_parts.h"

/* summary_op of the original runs every 100 batches; its loss averages have a decay of 0.9. */
enum { EVENTS_EVERY = 100 };
#define LOSS_AVERAGE 0.9
#define SPEED_AVERAGE 0.9
#define LINE_EVERY_S 0.1 /* a device that does 100 batches a second floods no log */

static const struct {
    const char *file, *key;
    struct fn_metrics_column columns[9];
    size_t count;
} tables[] = {
    {"steps.tsv",
     "step",
     {{"loss", -1},
      {"center_loss", -1},
      {"reg_loss", -1},
      {"xent_loss", -1},
      {"prelogits_norm", -1},
      {"accuracy", -1},
      {"learning_rate", -1}},
     7},
    {"validation.tsv", "epoch", {{"val_loss", -1}, {"val_xent_loss", -1}, {"val_accuracy", -1}}, 3},
    {"epochs.tsv",
     "epoch",
     {{"lfw_accuracy", -1},
      {"lfw_valrate", -1},
      {"learning_rate", -1},
      {"time_train", 3},
      {"time_validate", 3},
      {"time_evaluate", 3},
      {"images_per_second", 2},
      {"data_wait", 5},
      {"host_wait", 5}},
     9},
    {"lfw_result.txt", NULL, {{"accuracy", 5}, {"val", 5}}, 2},
    {"groups.tsv",
     "group",
     {{"step", 0},
      {"nrof_random_negs", 0},
      {"nrof_triplets", 0},
      {"active", 5},
      {"mean_distance", -1},
      {"time_selection", 3}},
     6},
    {"prelogits_hist.tsv", "epoch", {{"low", -1}, {"count", 0}}, 2},
    {"steps.tsv",
     "step",
     {{"loss", -1},
      {"reg_loss", -1},
      {"active", -1},
      {"triplets", 0},
      {"learning_rate", -1},
      {"mean_distance", -1}},
     6},
};

/* The row of `tables` that a log has with this loss; -1: it has none. */
static int table_of(const struct fn_run *r, int log)
{
    if (r->loss->head == FN_HEAD_TRIPLET)
        return log == FN_LOG_STEPS                                   ? FN_LOG_COUNT
               : log == FN_LOG_GROUPS && r->loss == &fn_run_online   ? -1
               : log == FN_LOG_VALIDATION || log == FN_LOG_PRELOGITS ? -1
                                                                     : log;
    return log == FN_LOG_GROUPS ? -1 : log;
}

/* The last keys that belong to the checkpoint a run goes on from; < 0: none do. */
static int64_t last_key(const struct fn_run *r, int table)
{
    if (!r->resumed)
        return -1;
    switch (table) {
    case FN_LOG_STEPS:
        return (int64_t)r->state.step;
    case FN_LOG_VALIDATION:
        return r->state.epoch - !(r->state.validated && fn_run_validates(r));
    case FN_LOG_EPOCHS:
    case FN_LOG_PRELOGITS:
        return r->state.epoch - 1;
    case FN_LOG_GROUPS:
        return r->state.group - !r->state.triplets;
    default:
        return fn_run_epoch_start(r) - 1;
    }
}

int fn_run_log_open(struct fn_run *r)
{
    int rc = fn_events_open(&r->events, r->log_folder,
                            r->resumed ? (int64_t)r->state.step : (int64_t)-1);
    for (int i = 0; i < FN_LOG_COUNT && !rc; i++) {
        int t = table_of(r, i);
        char *path;
        if (t < 0)
            continue;
        path = fn_path_join(r->log_folder, tables[t].file);
        rc = path ? fn_metrics_open(&r->metrics[i], path, tables[t].key, tables[t].columns,
                                    tables[t].count, last_key(r, i))
                  : FN_ENOMEM;
        free(path);
    }
    return rc;
}

int fn_run_log_close(struct fn_run *r)
{
    int rc = r->events ? fn_events_close(&r->events) : FN_OK;
    for (int i = 0; i < FN_LOG_COUNT; i++) {
        int closed = r->metrics[i] ? fn_metrics_close(&r->metrics[i]) : FN_OK;
        rc = rc ? rc : closed;
    }
    return rc;
}

int fn_run_log_flush(struct fn_run *r)
{
    int rc = fn_events_flush(r->events);
    for (int i = 0; i < FN_LOG_COUNT; i++) {
        int flushed = r->metrics[i] ? fn_metrics_flush(r->metrics[i]) : FN_OK;
        rc = rc ? rc : flushed;
    }
    return rc;
}

int fn_run_tolerate(struct fn_run *r, int rc)
{
    if (rc != FN_ENOSPC && rc != FN_EIO)
        return rc;
    if (fn_now() - r->last_complaint > 60) {
        r->last_complaint = fn_now();
        fn_warn("the logs are behind: %s", fn_err_text(rc));
    }
    return FN_OK;
}

int fn_run_log_row(struct fn_run *r, int table, int64_t key, const double *values)
{
    return fn_run_tolerate(r, fn_metrics_row(r->metrics[table], key, values));
}

int fn_run_log_event(struct fn_run *r, const char *tag, int64_t x, double value)
{
    return isfinite(value) ? fn_run_tolerate(r, fn_events_scalar(r->events, tag, x, value)) : FN_OK;
}

int fn_run_log_line(struct fn_run *r, const struct fn_flight *f)
{
    double now = fn_now();
    if (now - r->last_line < LINE_EVERY_S && f->batch != f->batches)
        return 0;
    r->last_line = now;
    return 1;
}

static double share(double part_s, double all_s)
{
    return all_s > 0 ? part_s / all_s : 0;
}

char *fn_run_log_tail(const struct fn_run *r, const struct fn_flight *flight, char *buf, size_t cap)
{
    const struct fn_run_figures *f = &r->figures;
    char left[32], norm[32] = "", host[32] = "";
    if (r->o->clip > 0)
        snprintf(norm, sizeof norm, "Gradient %.3f\t", f->gradient);
    if (r->be->idle)
        snprintf(host, sizeof host, "\tHost-wait %.1f%%", 100 * share(f->host_s, f->train_s));
    snprintf(buf, cap, "%s%.1f images/s\tData-wait %.1f%%%s\tETA %s", norm, f->speed,
             100 * share(f->wait_s, f->train_s), host,
             fn_human_time(fn_run_time_left(r, flight->number), left, sizeof left));
    return buf;
}

static void say_step(struct fn_run *r, const double *l, const struct fn_flight *flight,
                     double seconds)
{
    const struct fn_run_figures *f = &r->figures;
    char tail[FN_LOG_TAIL];
    if (fn_run_log_line(r, flight))
        fn_info("Epoch: [%d][%d/%d]\tTime %.3f\tLoss %2.3f\tXent %2.3f\tRegLoss %2.3f\tAccuracy "
                "%2.3f\tLr %2.5f\tCl %2.3f\t%s",
                (int)r->state.epoch, (int)flight->batch, (int)flight->batches, seconds, f->loss,
                l[FN_LOSS_XENT], fn_step_regularization(l, &r->step), f->accuracy, flight->rate,
                l[FN_LOSS_CENTER], fn_run_log_tail(r, flight, tail, sizeof tail));
}

static int events_of_step(struct fn_run *r, const double *l, double rate, int64_t step)
{
    const struct fn_run_figures *f = &r->figures;
    int rc = fn_run_log_event(r, "learning_rate_1", step, rate); /* TensorFlow's spellings */
    if (!rc)
        rc = fn_run_log_event(r, "cross_entropy__raw_", step, l[FN_LOSS_XENT]);
    if (!rc)
        rc = fn_run_log_event(r, "cross_entropy_1", step, r->state.average_xent);
    if (!rc)
        rc = fn_run_log_event(r, "total_loss__raw_", step, f->loss);
    if (!rc)
        rc = fn_run_log_event(r, "total_loss_1", step, r->state.average_total);
    if (!rc)
        rc = fn_run_log_event(r, "accuracy", step, f->accuracy);
    if (!rc)
        rc = fn_run_log_event(r, "regularization", step, fn_step_regularization(l, &r->step));
    if (!rc)
        rc = fn_run_log_event(r, "images_per_second", step, f->speed);
    if (!rc && r->o->clip > 0)
        rc = fn_run_log_event(r, "gradient_norm", step, f->gradient);
    if (!rc && r->be->idle)
        rc = fn_run_log_event(r, "host_wait", step, share(f->host_s, f->train_s));
    return rc ? rc : fn_run_log_event(r, "data_wait", step, share(f->wait_s, f->train_s));
}

void fn_run_log_figures(struct fn_run *r, const double l[FN_LOSS_COUNT],
                        const struct fn_flight *flight, double seconds)
{
    struct fn_run_figures *f = &r->figures;
    double speed = seconds > 0 ? flight->n / seconds : 0;
    /* The first step of a process warms up: it counts for nothing from the second one on. */
    f->speed = f->steps > 1 ? SPEED_AVERAGE * f->speed + (1 - SPEED_AVERAGE) * speed : speed;
    if (f->steps++ == 0) {
        f->warm = fn_now();
        f->warm_train_s = f->train_s;
    }
    f->images += (uint64_t)flight->n;
    f->epoch_images += (uint64_t)flight->n;
    f->loss = fn_step_total(l, &r->step);
    f->skipped += l[FN_LOSS_BAD] > 0;
    f->gradient = l[FN_LOSS_GRADIENT];
    r->state.decay = l[FN_LOSS_DECAY];
    fn_run_say_estimate(r, flight->number);
}

int fn_run_log_detailed(const struct fn_run *r, uint64_t step)
{
    return step % EVENTS_EVERY == 0 && r->o->log_histograms;
}

int fn_run_log_every(struct fn_run *r, uint64_t step)
{
    return fn_run_log_detailed(r, step) ? fn_run_log_histograms(r, step) : FN_OK;
}

int fn_run_log_step(struct fn_run *r, const double l[FN_LOSS_COUNT], const struct fn_flight *flight,
                    double seconds)
{
    double total = fn_step_total(l, &r->step);
    const double values[] = {
        total,           l[FN_LOSS_CENTER], fn_step_regularization(l, &r->step),
        l[FN_LOSS_XENT], l[FN_LOSS_NORM],   l[FN_LOSS_CORRECT] / flight->n,
        flight->rate};
    int64_t step = (int64_t)flight->number;
    int rc;
    fn_run_log_figures(r, l, flight, seconds);
    r->figures.accuracy = values[5];
    if (isfinite(total) && isfinite(l[FN_LOSS_XENT])) {
        r->state.average_xent =
            LOSS_AVERAGE * r->state.average_xent + (1 - LOSS_AVERAGE) * l[FN_LOSS_XENT];
        r->state.average_total = LOSS_AVERAGE * r->state.average_total + (1 - LOSS_AVERAGE) * total;
    }
    say_step(r, l, flight, seconds);
    rc = fn_run_log_row(r, FN_LOG_STEPS, step, values);
    if (!rc && step % EVENTS_EVERY == 0)
        rc = events_of_step(r, l, flight->rate, step);
    if (!rc)
        rc = fn_run_log_prelogits(r, flight->n, flight->number);
    return rc ? rc : fn_run_log_every(r, flight->number);
}

int fn_run_log_validation(struct fn_run *r, uint64_t images)
{
    struct fn_run_figures *f = &r->figures;
    const double values[] = {f->validation_loss, f->validation_xent, f->validation_accuracy};
    int64_t step = (int64_t)r->state.step;
    int rc;
    fn_info("Validation Epoch: %d\tTime %.3f\tLoss %2.3f\tXent %2.3f\tAccuracy %2.3f\t(%llu "
            "pictures)",
            (int)r->state.epoch, f->validate_s, values[0], values[1], values[2],
            (unsigned long long)images);
    rc = fn_run_log_row(r, FN_LOG_VALIDATION, r->state.epoch, values);
    if (!rc)
        rc = fn_run_log_event(r, "validation/loss", step, values[0]);
    if (!rc)
        rc = fn_run_log_event(r, "validation/cross_entropy", step, values[1]);
    return rc ? rc : fn_run_log_event(r, "validation/accuracy", step, values[2]);
}

int fn_run_log_lfw(struct fn_run *r, const struct fn_lfw_result *result)
{
    const double values[] = {result->accuracy, result->val};
    int64_t x = fn_run_epoch_start(r);
    int rc, digits = r->loss->accuracy_digits;
    fn_info("Accuracy: %2.*f+-%2.*f", digits, result->accuracy, digits, result->accuracy_std);
    fn_info("Validation rate: %2.5f+-%2.5f @ FAR=%2.5f", result->val, result->val_std, result->far);
    if (result->note[0])
        fn_verbose("%s", result->note);
    rc = fn_run_log_row(r, FN_LOG_LFW, x, values);
    if (!rc)
        rc = fn_run_log_event(r, "lfw/accuracy", x, result->accuracy);
    if (!rc)
        rc = fn_run_log_event(r, "lfw/val_rate", x, result->val);
    return rc ? rc : fn_run_log_event(r, "time/lfw", x, r->figures.evaluate_s);
}

int fn_run_log_saved(struct fn_run *r, double seconds)
{
    int64_t x = r->loss->head == FN_HEAD_TRIPLET ? fn_run_epoch_start(r) : r->state.epoch;
    int rc = fn_run_log_event(r, "time/save_variables", x, seconds);
    return rc ? rc : fn_run_log_event(r, "time/save_metagraph", x, 0);
}

/* The rate of the epoch's last batch, also where it was trained before a resume. */
static int last_rate(const struct fn_run *r, double *rate)
{
    uint64_t step = r->state.step ? r->state.step - 1 : 0;
    int rc = fn_run_rate(r, r->state.epoch, rate);
    *rate = rc ? 0 : fn_run_step_rate(r, *rate, step);
    return rc;
}

int fn_run_log_epoch(struct fn_run *r)
{
    struct fn_run_figures *f = &r->figures;
    double rate = 0;
    int rc = last_rate(r, &rate);
    double images = (double)f->epoch_images;
    const int trained = f->train_s > 0; /* not where a run goes on behind an epoch's last step */
    const double values[] = {f->lfw_accuracy,
                             f->lfw_val,
                             rate,
                             f->train_s,
                             f->validate_s,
                             f->evaluate_s,
                             trained ? images / f->train_s : NAN,
                             trained ? share(f->wait_s, f->train_s) : NAN,
                             trained && r->be->idle ? share(f->host_s, f->train_s) : NAN};
    if (!rc)
        rc = fn_run_log_row(r, FN_LOG_EPOCHS, r->state.epoch, values);
    if (!rc)
        rc = fn_run_log_prelogits_epoch(r);
    if (!rc)
        rc = fn_run_log_event(r, "time/total", (int64_t)r->state.step, f->train_s);
    return rc ? rc : fn_run_tolerate(r, fn_run_log_flush(r));
}

int fn_run_log_sync(struct fn_run *r)
{
    int rc = FN_OK;
    for (int i = 0; i < FN_LOG_COUNT && !rc; i++)
        rc = r->metrics[i] ? fn_run_tolerate(r, fn_metrics_sync(r->metrics[i])) : FN_OK;
    return rc ? rc : fn_run_tolerate(r, fn_events_checkpoint(r->events, (int64_t)r->state.step));
}
