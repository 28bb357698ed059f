/* SPDX-License-Identifier: MIT */
/* Checks of what goes beyond the originals. An option that would do nothing is refused: it would be
 * taken for one that works. */
#include <string.h>

#include "train/train_options_parts.h"
#include "train/triplet_select.h"

#define ARCFACE_MARGIN 0.5  /* of the ArcFace paper, in radians */
#define COSFACE_MARGIN 0.35 /* of the CosFace paper */

static int check_margin(struct fn_train_options *o)
{
    static const char *const own[] = {"margin_scale", "margin_size"};
    int none = !strcmp(o->margin, "none");
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (none && fn_train_options_given(own[i]) && !o->resume)
            return fn_fail(FN_EUSAGE, "--%s goes with --margin arcface or cosface", own[i]);
    if (!none && !fn_train_options_given("margin_size"))
        o->margin_size = !strcmp(o->margin, "arcface") ? ARCFACE_MARGIN : COSFACE_MARGIN;
    return FN_OK;
}

static int check_rate(const struct fn_train_options *o)
{
    if (o->cosine_steps && o->cosine_steps <= o->warmup_steps)
        return fn_fail(FN_EUSAGE,
                       "--cosine_steps %lld: the cosine begins after --warmup_steps %lld",
                       (long long)o->cosine_steps, (long long)o->warmup_steps);
    if (o->cosine_floor > 0 && !o->cosine_steps)
        return fn_fail(FN_EUSAGE, "--cosine_floor goes with --cosine_steps");
    return FN_OK;
}

/* Online, a batch is a group of people. */
static int check_online(struct fn_train_options *o)
{
    int64_t batch = o->people_per_batch * o->images_per_person;
    if (strcmp(o->loss, "triplet") != 0)
        return fn_fail(FN_EUSAGE, "--mining online goes with --loss triplet");
    if (!fn_train_options_given("triplet_selection"))
        o->triplet_selection = fn_selection_names[FN_SELECT_SEMI_HARD];
    if (strcmp(o->triplet_selection, fn_selection_names[FN_SELECT_SEMI_HARD]) != 0 &&
        strcmp(o->triplet_selection, fn_selection_names[FN_SELECT_HARD]) != 0)
        return fn_fail(FN_EUSAGE,
                       "--triplet_selection %s is for --mining offline: online there is "
                       "semi-hard and hard",
                       o->triplet_selection);
    if (o->people_per_batch < 2 || o->images_per_person < 2 || batch > 65535)
        return fn_fail(FN_EUSAGE,
                       "--mining online wants a batch of two people and two images of each at "
                       "least, and 65535 images at most: --people_per_batch %lld "
                       "--images_per_person %lld",
                       (long long)o->people_per_batch, (long long)o->images_per_person);
    if (fn_train_options_given("batch_size") && o->batch_size != batch)
        return fn_fail(FN_EUSAGE,
                       "--batch_size %lld: with --mining online a batch is --people_per_batch x "
                       "--images_per_person = %lld images",
                       (long long)o->batch_size, (long long)batch);
    o->batch_size = batch;
    return FN_OK;
}

int fn_train_options_check_extra(struct fn_train_options *o)
{
    int rc = check_margin(o);
    if (!rc)
        rc = check_rate(o);
    if (rc)
        return rc;
    if (!o->batch_size && o->parts > 1)
        return fn_fail(FN_EUSAGE, "--gradient_accumulation is for a --batch_size in numbers: auto "
                                  "is what fits in one part");
    if (o->batch_size % o->parts)
        return fn_fail(FN_EUSAGE,
                       "--gradient_accumulation %lld: --batch_size %lld cannot be computed in so "
                       "many equal parts",
                       (long long)o->parts, (long long)o->batch_size);
    if (!(o->clip >= 0))
        return fn_fail(FN_EUSAGE, "--clip_gradient_norm %g: a norm is not below 0", o->clip);
    return !strcmp(o->mining, "online") ? check_online(o) : FN_OK;
}
