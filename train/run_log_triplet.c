/* SPDX-License-Identifier: MIT */
/* What triplet training says and writes down. */
#include <inttypes.h>

#include "base/log.h"
#include "train/run_triplet_parts.h"

/* Of normalized rows: 2 where they know nothing of each other. */
#define COLLAPSED 0.02

/* Said once, when it begins. Within the margin of each other, all pictures look alike to the loss:
 * every negative is active, and no step tells one from the other. */
static void check_folded(struct fn_run *r, double mean_distance)
{
    double least = r->o->alpha > COLLAPSED ? r->o->alpha : COLLAPSED;
    int folded = mean_distance < least;
    if (folded && !r->triplets->folded)
        fn_warn("group %" PRId64 ": the embeddings are folding into one point (mean squared "
                "distance %.2g, below %g; 2 is usual): go back to an earlier checkpoint with a "
                "lower --learning_rate, begin with a --pretrained_model of softmax training, or "
                "try --triplet_selection semi-hard",
                r->state.group, mean_distance, least);
    r->triplets->folded = folded;
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
    check_folded(r, g->mean_distance);
    rc = fn_run_log_row(r, FN_LOG_GROUPS, r->state.group, values);
    if (!rc)
        rc = fn_run_log_event(r, "time/selection", step, g->seconds);
    if (!rc)
        rc = fn_run_log_event(r, "triplets/active", step, active);
    return rc ? rc : fn_run_log_event(r, "triplets/mean_distance", step, g->mean_distance);
}

int fn_run_log_triplet_step(struct fn_run *r, const double l[FN_LOSS_COUNT],
                            const struct fn_flight *flight, double seconds)
{
    double triplets = flight->n / 3;
    const double values[] = {fn_step_total(l, &r->step), l[FN_LOSS_DECAY],
                             l[FN_LOSS_ACTIVE] / triplets, triplets, flight->rate};
    char tail[96];
    int rc;
    fn_run_log_figures(r, l, flight, seconds);
    if (fn_run_log_line(r, flight))
        fn_info("Epoch: [%d][%d/%d]\tTime %.3f\tLoss %2.3f\tActive %.1f%%\tLr %2.5f\t%s",
                (int)r->state.epoch, (int)flight->batch, (int)r->o->epoch_size, seconds, values[0],
                100 * values[2], flight->rate, fn_run_log_tail(r, flight, tail, sizeof tail));
    rc = fn_run_log_row(r, FN_LOG_STEPS, (int64_t)flight->number, values);
    if (!rc)
        rc = fn_run_log_event(r, "loss", (int64_t)flight->number, values[0]);
    if (!rc && flight->number % 100 == 0)
        rc = fn_run_log_event(r, "learning_rate", (int64_t)flight->number, flight->rate);
    return rc ? rc : fn_run_log_every(r, flight->number);
}
