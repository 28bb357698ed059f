/* SPDX-License-Identifier: MIT */
/* Sampling of people and images. */
#include "train/triplet_sample.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/rng.h"

static size_t at_most(uint64_t a, size_t b)
{
    return a < b ? (size_t)a : b;
}

static int check(const struct fn_split *split, int64_t people, int64_t images)
{
    uint64_t there = 0;
    if (people < 1 || images < 1 || people > FN_GROUP_MAX_IMAGES || images > FN_GROUP_MAX_IMAGES ||
        people * images > FN_GROUP_MAX_IMAGES)
        return fn_fail(FN_EUSAGE,
                       "--people_per_batch %" PRId64 " x --images_per_person %" PRId64
                       ": 1 to %d images can be in a group",
                       people, images, FN_GROUP_MAX_IMAGES);
    if (people * images % 3)
        return fn_fail(FN_EUSAGE,
                       "--people_per_batch %" PRId64 " x --images_per_person %" PRId64
                       " is %" PRId64 ": it must be divisible by 3",
                       people, images, people * images);
    for (uint32_t i = 0; i < split->classes; i++)
        there += at_most(split->kept[i].train, (size_t)images);
    if (there < (uint64_t)(people * images) || split->classes < 2)
        return fn_fail(FN_ELIMIT,
                       "too few pictures for a group of %" PRId64 ": %" PRIu32
                       " classes have %" PRIu64 ", counting at most %" PRId64
                       " of each; give a smaller --people_per_batch or --images_per_person%s",
                       people * images, split->classes, there, images,
                       split->classes < 2 ? ", and pictures of two people at least" : "");
    return FN_OK;
}

int fn_triplet_sampler_open(struct fn_triplet_sampler **out, const struct fn_split *split,
                            int64_t people, int64_t images, uint64_t seed)
{
    struct fn_triplet_sampler *s;
    uint64_t largest = 1;
    int rc = check(split, people, images);
    *out = NULL;
    if (rc)
        return rc;
    s = calloc(1, sizeof *s);
    if (!s)
        return fn_fail(FN_ENOMEM, "no memory for a sampler");
    for (uint32_t i = 0; i < split->classes; i++)
        if (split->kept[i].train > largest)
            largest = split->kept[i].train;
    s->split = split;
    s->seed = seed;
    s->people = (size_t)people;
    s->images = (size_t)images;
    s->count = (size_t)(people * images);
    s->rows.count = s->count;
    s->rows.ids = malloc(s->count * sizeof *s->rows.ids);
    s->rows.labels = malloc(s->count * sizeof *s->rows.labels);
    s->first = malloc((s->count + 1) * sizeof *s->first);
    s->order = malloc(split->classes * sizeof *s->order);
    s->pool = malloc((size_t)largest * sizeof *s->pool);
    if (!s->rows.ids || !s->rows.labels || !s->first || !s->order || !s->pool) {
        fn_triplet_sampler_close(&s);
        return fn_fail(FN_ENOMEM, "no memory for groups of %" PRId64 " images", people * images);
    }
    *out = s;
    return FN_OK;
}

void fn_triplet_sampler_close(struct fn_triplet_sampler **sampler)
{
    struct fn_triplet_sampler *s = sampler ? *sampler : NULL;
    if (!s)
        return;
    free(s->rows.ids);
    free(s->rows.labels);
    free(s->first);
    free(s->order);
    free(s->pool);
    free(s);
    *sampler = NULL;
}

/* `take` random images of a class, as rows from `row` on. */
static void sample_class(struct fn_triplet_sampler *s, uint32_t label, size_t row, size_t take)
{
    const struct fn_split_class *c = &s->split->kept[label];
    const uint64_t *ids = s->split->train.ids + c->train_first;
    for (uint64_t i = 0; i < c->train; i++)
        s->pool[i] = ids[i];
    for (size_t i = 0; i < take; i++) {
        uint64_t bits = fn_rng(s->seed, s->group, row + i, FN_RNG_IMAGES);
        size_t j = i + (size_t)fn_rng_below(bits, c->train - i);
        uint64_t id = s->pool[j];
        s->pool[j] = s->pool[i];
        s->pool[i] = id;
        s->rows.ids[row + i] = id;
        s->rows.labels[row + i] = (int32_t)label;
    }
}

void fn_triplet_sample(struct fn_triplet_sampler *s, uint64_t group)
{
    uint32_t classes = s->split->classes;
    size_t row = 0;
    s->group = group;
    s->classes = 0;
    for (uint32_t i = 0; i < classes; i++)
        s->order[i] = i;
    for (uint32_t i = 0; row < s->count; i++) {
        uint32_t j =
            i + (uint32_t)fn_rng_below(fn_rng(s->seed, group, i, FN_RNG_PEOPLE), classes - i);
        uint32_t label = s->order[j];
        size_t take = at_most(s->split->kept[label].train, s->images);
        s->order[j] = s->order[i];
        s->order[i] = label;
        take = at_most(take, s->count - row);
        if (!take) /* a class kept with nothing to train on */
            continue;
        sample_class(s, label, row, take);
        s->first[s->classes++] = row;
        row += take;
    }
    s->first[s->classes] = row;
}

static void group_at(const void *context, uint64_t draw, struct fn_example *out)
{
    const struct fn_group_list *l = context;
    size_t row = l->which ? (size_t)l->which[draw] : (size_t)draw;
    *out =
        (struct fn_example){l->sampler->rows.ids[row], l->sampler->rows.labels[row], l->pass, draw};
}

static void group_stand_in(const void *context, uint64_t draw, uint64_t attempt,
                           struct fn_example *out)
{
    const struct fn_group_list *l = context;
    const struct fn_split *split = l->sampler->split;
    uint64_t first = 0, count = split->train.count, i;
    group_at(context, draw, out);
    if (attempt <= FN_STAND_INS_OF_CLASS) {
        first = split->kept[out->label].train_first;
        count = split->kept[out->label].train;
    }
    i = first + fn_rng_below(fn_rng(l->sampler->seed, out->id, attempt, FN_RNG_REPLACE), count);
    out->id = split->train.ids[i];
    out->label = split->train.labels[i];
}

struct fn_order fn_group_order(const struct fn_group_list *list)
{
    return (struct fn_order){list->count, group_at, group_stand_in, NULL, list};
}
