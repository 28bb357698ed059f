/* SPDX-License-Identifier: MIT */
/* Weight decay, the five optimizers as TensorFlow has them, the moving average of the weights, and
 * the search for values that are not finite.
 *
 *     g += weight_decay w                           where it applies; then, a and d being slot1 and
 * slot2: ADAGRAD   a += g^2;  w -= lr g / sqrt(a)                                      a starts at
 * 0.1 ADADELTA  a = .9a + .1g^2;  u = g sqrt(d + 1e-6) / sqrt(a + 1e-6);  d = .9d + .1u^2;  w -= lr
 * u ADAM      a = .9a + .1g;  d = .999d + .001g^2; w -= lr sqrt(1 - .999^t) / (1 - .9^t)  a /
 * (sqrt(d) + 0.1) RMSPROP   a = .9a + .1g^2;  d = .9d + lr g / sqrt(a + 1);  w -= d              a
 * starts at 1 MOM       a = .9a + g;  w -= lr g + lr .9 a (Nesterov) EMA       e -= (1 - D) (e -
 * w),  D = min(ema_decay, (1 + t) / (10 + t))        after the update
 *
 * ADAGRAD and MOM do not touch slot2, which may then be NULL. */
#include <math.h>

#include "kernels/ref/ref.h"

/* One parameter and its slots, in double. */
struct cell {
    double w, a, d;
};

typedef void rule_fn(struct cell *x, double g, double lr);

static void adagrad(struct cell *x, double g, double lr)
{
    x->a += g * g;
    x->w -= lr * g / sqrt(x->a);
}

static void adadelta(struct cell *x, double g, double lr)
{
    x->a = .9 * x->a + .1 * g * g;
    double u = g * sqrt(x->d + 1e-6) / sqrt(x->a + 1e-6);
    x->d = .9 * x->d + .1 * u * u;
    x->w -= lr * u;
}

/* lr: with the correction of the bias in it. */
static void adam(struct cell *x, double g, double lr)
{
    x->a = .9 * x->a + .1 * g;
    x->d = .999 * x->d + .001 * g * g;
    x->w -= lr * x->a / (sqrt(x->d) + 0.1);
}

static void rmsprop(struct cell *x, double g, double lr)
{
    x->a = .9 * x->a + .1 * g * g;
    x->d = .9 * x->d + lr * g / sqrt(x->a + 1);
    x->w -= x->d;
}

static void momentum(struct cell *x, double g, double lr)
{
    x->a = .9 * x->a + g;
    x->w -= lr * g + lr * .9 * x->a;
}

static const struct optimizer {
    rule_fn *rule;
    double slot1;   /* start value */
    int uses_slot2; /* starts at 0 */
} optimizers[FN_OPTIMIZER_COUNT] = {
    [FN_ADAGRAD] = {adagrad, 0.1, 0}, [FN_ADADELTA] = {adadelta, 0, 1}, [FN_ADAM] = {adam, 0, 1},
    [FN_RMSPROP] = {rmsprop, 1, 1},   [FN_MOM] = {momentum, 0, 0},
};

int fn_ref_check_finite(struct fn_dev *dev, const void *grad, size_t count)
{
    const fn_real *g = grad;
    size_t bad = 0;
    for (size_t i = 0; i < count; i++)
        bad += (size_t)!isfinite(g[i]);
    for (int i = 0; i < FN_LOSS_COUNT; i++)
        bad += (size_t)!isfinite(dev->losses[i]);
    dev->losses[FN_LOSS_BAD] += (double)bad;
    dev->bad |= bad > 0;
    return FN_OK;
}

/* Returns the sum of w^2 before the update. */
static double update_group(const struct fn_params *p, const struct fn_param_group *group,
                           const struct optimizer *o, double decay, double lr)
{
    fn_real *w = p->w, *slot1 = p->slot1, *slot2 = o->uses_slot2 ? p->slot2 : NULL;
    const fn_real *grad = p->grad;
    double squares = 0;
    for (size_t i = group->begin; i < group->begin + group->count; i++) {
        struct cell x = {w[i], slot1[i], slot2 ? slot2[i] : 0};
        squares += x.w * x.w;
        o->rule(&x, grad[i] + decay * x.w, lr);
        w[i] = (fn_real)x.w;
        slot1[i] = (fn_real)x.a;
        if (slot2)
            slot2[i] = (fn_real)x.d;
    }
    return squares;
}

static void update_ema(const struct fn_params *p, double decay)
{
    const fn_real *w = p->w;
    fn_real *ema = p->ema;
    for (size_t i = 0; i < p->total; i++)
        ema[i] = (fn_real)(ema[i] - (1 - decay) * ((double)ema[i] - w[i]));
}

int fn_ref_update(struct fn_dev *dev, const struct fn_params *params, const struct fn_update *rule)
{
    assert(rule->optimizer >= 0 && rule->optimizer < FN_OPTIMIZER_COUNT);
    if (dev->bad)
        return FN_OK;
    const double t = (double)dev->step.t;
    double lr = dev->step.lr;
    if (rule->optimizer == FN_ADAM)
        lr *= sqrt(1 - pow(.999, t)) / (1 - pow(.9, t));
    for (size_t i = 0; i < params->group_count; i++) {
        const struct fn_param_group *group = &params->groups[i];
        assert(group->begin + group->count <= params->trained);
        if (group->frozen)
            continue;
        double decay = group->decay ? rule->weight_decay : 0;
        double squares = update_group(params, group, &optimizers[rule->optimizer], decay, lr);
        dev->losses[FN_LOSS_DECAY] += decay * squares / 2;
    }
    if (params->ema)
        update_ema(params, fmin(rule->ema_decay, (1 + t) / (10 + t)));
    return FN_OK;
}

int fn_ref_update_init(struct fn_dev *dev, const struct fn_params *params, int optimizer)
{
    (void)dev;
    assert(optimizer >= 0 && optimizer < FN_OPTIMIZER_COUNT);
    fn_real *slot1 = params->slot1, *slot2 = params->slot2;
    for (size_t i = 0; i < params->trained; i++)
        slot1[i] = (fn_real)optimizers[optimizer].slot1;
    for (size_t i = 0; slot2 && i < params->trained; i++)
        slot2[i] = 0;
    return FN_OK;
}
