/* SPDX-License-Identifier: MIT */
/* What triplet training says and writes down. */
#include <inttypes.h>
#include <math.h>

#include "base/log.h"
#include "train/run_triplet_parts.h"

/* Of normalized rows: 2 where they know nothing of each other. */
#define COLLAPSED 0.02

/* Said once, when it begins. Within the margin of each other, all pictures look alike to the loss:
 * every negative is active, and no step tells one from the other. */
static void check_folded(struct fn_run *r, const char *what, uint64_t number, double mean_distance)
{
    double least = r->o->alpha > COLLAPSED ? r->o->alpha : COLLAPSED;
    int folded = mean_distance < least;
    if (folded && !r->figures.folded)
        fn_warn("%s %" PRIu64 ": the embeddings are folding into one point (mean squared "
                "distance %.2g, below %g; 2 is usual): go back to an earlier checkpoint with a "
                "lower --learning_rate, begin with a --pretrained_model of softmax training, or "
                "try --triplet_selection semi-hard",
                what, number, mean_distance, least);
    r->figures.folded = folded;
}

static void say_group(const struct fn_run *r, const struct fn_group_figures *g, double active)
{
    fn_info("(nrof_random_negs, nrof_triplets) = (%" PRIu64 ", %" PRIu64 "): time=%.3f seconds"
            "\tActive %.1f%%\tMean distance %.3f",
            g->pairs, g->triplets, g->seconds, 100 * active, g->mean_distance);
    if (!g->triplets)
        fn_info("  no pair has a negative that its rule (--triplet_selection %s, --alpha %g) "
                "takes: nothing to train on in this group",
                r->o->triplet_selection, r->o->alpha);
    else if (3 * g->triplets < (uint64_t)r->train_ring.n)
        fn_verbose("  %" PRIu64 " of %" PRIu64 " pairs have a negative that the rule takes: less "
                   "than one batch",
                   g->triplets, g->pairs);
}

int fn_run_log_group(struct fn_run *r, const struct fn_group_figures *g)
{
    double active = g->pairs ? (double)g->triplets / (double)g->pairs : 0;
    int64_t step = (int64_t)r->state.step;
    const double values[] = {(double)r->state.step, (double)g->pairs, (double)g->triplets, active,
                             g->mean_distance,      g->seconds};
    int rc;
    say_group(r, g, active);
    check_folded(r, "group", (uint64_t)r->state.group, g->mean_distance);
    rc = fn_run_log_row(r, FN_LOG_GROUPS, r->state.group, values);
    if (!rc)
        rc = fn_run_log_event(r, "time/selection", step, g->seconds);
    if (!rc)
        rc = fn_run_log_event(r, "triplets/active", step, active);
    return rc ? rc : fn_run_log_event(r, "triplets/mean_distance", step, g->mean_distance);
}

/* Online there is always something to choose from, but maybe nothing to learn. */
static void check_starved(struct fn_run *r, const struct fn_flight *flight)
{
    enum { STARVED = 50 };
    struct fn_run_figures *f = &r->figures;
    f->starved = flight->online.active ? 0 : f->starved + 1;
    if (f->starved == STARVED)
        fn_warn("%d batches in a row have no active triplet: every negative is farther than the "
                "positive by --alpha %g, so there is nothing left to learn; --triplet_selection "
                "hard or a larger --people_per_batch finds harder ones",
                STARVED, r->o->alpha);
}

int fn_run_log_triplet_step(struct fn_run *r, const double l[FN_LOSS_COUNT],
                            const struct fn_flight *flight, double seconds)
{
    double triplets = r->online ? (double)flight->online.triplets : flight->n / 3;
    double active = triplets > 0 ? l[FN_LOSS_ACTIVE] / triplets : 0;
    const double values[] = {
        fn_step_total(l, &r->step), l[FN_LOSS_DECAY], active, triplets, flight->rate,
        l[FN_LOSS_SPREAD]};
    int64_t step = (int64_t)flight->number;
    char tail[FN_LOG_TAIL];
    int rc;
    fn_run_log_figures(r, l, flight, seconds);
    if (fn_run_log_line(r, flight))
        fn_info("Epoch: [%d][%d/%d]\tTime %.3f\tLoss %2.3f\tActive %.1f%%\tMean distance "
                "%.3f\tLr %2.5f\t%s",
                (int)r->state.epoch, (int)flight->batch, (int)flight->batches, seconds, values[0],
                100 * active, values[5], flight->rate,
                fn_run_log_tail(r, flight, tail, sizeof tail));
    if (r->online && isfinite(values[5])) {
        check_folded(r, "step", flight->number, values[5]);
        check_starved(r, flight);
    }
    rc = fn_run_log_row(r, FN_LOG_STEPS, step, values);
    if (!rc)
        rc = fn_run_log_event(r, "loss", step, values[0]);
    if (!rc && step % 100 == 0)
        rc = fn_run_log_event(r, "learning_rate", step, flight->rate);
    if (!rc && (r->online || step % 100 == 0))
        rc = fn_run_log_event(r, "batch/active", step, active);
    if (!rc && (r->online || step % 100 == 0))
        rc = fn_run_log_event(r, "batch/mean_distance", step, values[5]);
    return rc ? rc : fn_run_log_every(r, flight->number);
}
