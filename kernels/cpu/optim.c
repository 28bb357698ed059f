/* SPDX-License-Identifier: MIT */
/* The optimizer: one pass over all parameters, in pieces that stay in the cache between the sum of
 * squares, the update and the average. The rules are in loops.c. */
#include "kernels/cpu/cpu.h"

#include <math.h>

enum { PIECE = 4096 }; /* parameters; 16 KiB of each of up to five arrays */

static const struct {
    float slot1; /* start value */
    int uses_slot2;
} optimizers[FN_OPTIMIZER_COUNT] = {
    [FN_ADAGRAD] = {0.1F, 0}, [FN_ADADELTA] = {0, 1}, [FN_ADAM] = {0, 1},
    [FN_RMSPROP] = {1, 1},    [FN_MOM] = {0, 0},
};

int fn_cpu_check_finite(struct fn_dev *dev, const void *grad, size_t count)
{
    fn_cpu_enter(dev);
    size_t bad = 0;
#pragma omp parallel num_threads(dev->threads) reduction(+ : bad)
    {
        size_t begin, end;
        fn_cpu_share(count, &begin, &end);
        bad += dev->loops->bad((const float *)grad + begin, end - begin);
    }
    for (int i = 0; i < FN_LOSS_COUNT; i++)
        bad += (size_t)!isfinite(dev->losses[i]);
    dev->losses[FN_LOSS_BAD] += (double)bad;
    dev->stopped |= bad > 0;
    return FN_OK;
}

/* Returns the sum of w^2 before the update. [begin, begin + count) lies in one group, or in none,
 * or among the moving statistics: group is NULL then. */
static double update_piece(const struct fn_dev *dev, const struct fn_params *p, size_t begin,
                           size_t count, const struct fn_param_group *group, int optimizer,
                           const struct fn_cpu_rule *rule)
{
    float *w = (float *)p->w + begin;
    double squares = 0;
    if (group && !group->frozen) {
        struct fn_cpu_rule own = *rule;
        if (!group->decay)
            own.decay = 0;
        else
            squares = dev->loops->square_sum(w, count);
        dev->loops->update[optimizer](
            &own, count, w, (const float *)p->grad + begin, (float *)p->slot1 + begin,
            optimizers[optimizer].uses_slot2 ? (float *)p->slot2 + begin : NULL);
    }
    if (p->ema)
        dev->loops->ema(w, rule->keep, count, (float *)p->ema + begin);
    return squares;
}

/* Parameters [begin, end), piece by piece. */
static double update_range(const struct fn_dev *dev, const struct fn_params *p, size_t begin,
                           size_t end, int optimizer, const struct fn_cpu_rule *rule)
{
    double squares = 0;
    size_t g = 0;
    while (begin < end) {
        while (g < p->group_count && p->groups[g].begin + p->groups[g].count <= begin)
            g++;
        const struct fn_param_group *group = g < p->group_count ? &p->groups[g] : NULL;
        size_t stop = end;
        if (group && group->begin > begin) { /* between groups */
            stop = group->begin < end ? group->begin : end;
            group = NULL;
        } else if (group && group->begin + group->count < end) {
            stop = group->begin + group->count;
        }
        size_t count = stop - begin < PIECE ? stop - begin : PIECE;
        squares += update_piece(dev, p, begin, count, group, optimizer, rule);
        begin += count;
    }
    return squares;
}

int fn_cpu_update(struct fn_dev *dev, const struct fn_params *params, const struct fn_update *rule)
{
    assert(rule->optimizer >= 0 && rule->optimizer < FN_OPTIMIZER_COUNT);
    fn_cpu_enter(dev);
    if (dev->stopped)
        return FN_OK;
    const double t = (double)dev->step.t;
    double lr = dev->step.lr, sum = 0;
    if (rule->optimizer == FN_ADAM)
        lr *= sqrt(1 - pow(.999, t)) / (1 - pow(.9, t));
    const struct fn_cpu_rule constants = {
        .lr = (float)lr,
        .decay = (float)rule->weight_decay,
        .keep = (float)(1 - fmin(rule->ema_decay, (1 + t) / (10 + t)))};
    void *scratch;
    int rc = fn_cpu_scratch(dev, (size_t)dev->threads * sizeof(double), &scratch);
    if (rc != FN_OK)
        return rc;
    double *squares = scratch;
#pragma omp parallel num_threads(dev->threads)
    {
        size_t begin, end;
        fn_cpu_share(params->total, &begin, &end);
        squares[fn_cpu_thread()] =
            update_range(dev, params, begin, end, rule->optimizer, &constants);
    }
    for (int i = 0; i < dev->threads; i++)
        sum += squares[i];
    dev->losses[FN_LOSS_DECAY] += rule->weight_decay * sum / 2;
    return FN_OK;
}

int fn_cpu_update_init(struct fn_dev *dev, const struct fn_params *params, int optimizer)
{
    assert(optimizer >= 0 && optimizer < FN_OPTIMIZER_COUNT);
    float *slot1 = params->slot1, *slot2 = params->slot2;
    fn_cpu_enter(dev);
    for (size_t i = 0; i < params->trained; i++)
        slot1[i] = optimizers[optimizer].slot1;
    for (size_t i = 0; slot2 && i < params->trained; i++)
        slot2[i] = 0;
    return FN_OK;
}

int fn_cpu_update_moving(struct fn_dev *dev, const struct fn_params *params,
                         const struct fn_moving_group *groups, size_t count, double decay)
{
    fn_cpu_enter(dev);
    if (dev->stopped)
        return FN_OK;
    for (size_t i = 0; i < count; i++) {
        size_t begin = groups[i].begin, c = (size_t)groups[i].c;
        assert(begin >= params->trained && begin + 2 * c <= params->total);
        float *moving = (float *)params->w + begin;
        const float *batch = (const float *)params->batch + (begin - params->trained);
        for (size_t k = 0; k < 2 * c; k++) {
            double fed = (double)batch[k] * (k < c ? 1 : groups[i].unbias);
            moving[k] = (float)(decay * (double)moving[k] + (1 - decay) * fed);
        }
    }
    return FN_OK;
}
