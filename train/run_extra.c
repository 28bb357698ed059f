/* SPDX-License-Identifier: MIT */
/* What a run can have beyond the originals: margins, smoothed labels, the rate's ramp, batches in
 * parts, clipped gradients, frozen parameters. All of it is off unless asked for. */
#include <string.h>

#include "base/log.h"
#include "train/run_parts.h"

static int margin_of(const char *name)
{
    if (!strcmp(name, "arcface"))
        return FN_MARGIN_ARC;
    return !strcmp(name, "cosface") ? FN_MARGIN_COS : FN_MARGIN_NONE;
}

void fn_run_extra_step(const struct fn_train_options *o, struct fn_step_options *step)
{
    step->margin = (struct fn_margin){margin_of(o->margin), o->margin_scale, o->margin_size,
                                      o->label_smoothing};
    step->parts = (int)o->parts;
    step->clip = o->clip;
}

static void say_rate(const struct fn_train_options *o)
{
    if (o->warmup_steps)
        fn_info("Learning rate: grows to its value over the first %lld batches",
                (long long)o->warmup_steps);
    if (o->cosine_steps)
        fn_info("Learning rate: falls along a cosine to %g of its value at batch %lld",
                o->cosine_floor, (long long)o->cosine_steps);
}

static void say_frozen(const struct fn_run *r)
{
    size_t elements, tensors = fn_model_trainable(r->model, &elements);
    fn_info("Trained by --trainable %s: %zu of %zu tensors, %.2f M of %.2f M weights; the others "
            "stay, their batch norm is that of evaluation",
            r->o->trainable, tensors, r->net->trained_count, (double)elements / 1e6,
            (double)fn_net_weights(r->net) / 1e6);
}

void fn_run_extra_say(const struct fn_run *r)
{
    const struct fn_train_options *o = r->o;
    if (r->step.margin.kind)
        fn_info("Margin: %s of %g, cosines times %g", o->margin, o->margin_size, o->margin_scale);
    if (o->label_smoothing > 0)
        fn_info("Label smoothing: %g of the target to all classes alike", o->label_smoothing);
    if (!strcmp(o->mining, "online"))
        fn_info("Mining: online, %s, batches of %lld people with %lld images each",
                o->triplet_selection, (long long)o->people_per_batch,
                (long long)o->images_per_person);
    say_rate(o);
    if (o->parts > 1)
        fn_info("Batches of %lld in %lld parts, each normalized by itself",
                (long long)o->batch_size, (long long)o->parts);
    if (o->clip > 0)
        fn_info("Gradient: of a norm of %g at most", o->clip);
    if (o->trainable)
        say_frozen(r);
}
