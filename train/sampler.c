/* SPDX-License-Identifier: MIT */
/* Orders of examples: endless passes for training, a list for evaluation. */
#include "train/sampler.h"

#include <assert.h>

#include "base/rng.h"

uint64_t fn_sampler_index(uint64_t seed, uint64_t count, uint64_t draw, uint64_t *pass,
                          uint64_t *position)
{
    assert(count >= 1);
    *pass = draw / count;
    *position = draw % count;
    return fn_rng_permute(seed, *pass, count, *position);
}

static void example_at(const struct fn_examples *examples, uint64_t index, struct fn_example *out)
{
    out->id = examples->ids[index];
    out->label = examples->labels ? examples->labels[index] : 0;
}

static uint64_t stand_in_index(uint64_t seed, const struct fn_examples *examples, uint64_t draw,
                               uint64_t attempt)
{
    return fn_rng_below(fn_rng(seed, draw, attempt, FN_RNG_REPLACE), examples->count);
}

static void sampler_at(const void *context, uint64_t draw, struct fn_example *out)
{
    const struct fn_sampler *s = context;
    uint64_t index =
        fn_sampler_index(s->seed, s->examples->count, draw, &out->pass, &out->position);
    example_at(s->examples, index, out);
}

static void sampler_stand_in(const void *context, uint64_t draw, uint64_t attempt,
                             struct fn_example *out)
{
    const struct fn_sampler *s = context;
    sampler_at(context, draw, out);
    example_at(s->examples, stand_in_index(s->seed, s->examples, draw, attempt), out);
}

struct fn_order fn_sampler_order(const struct fn_sampler *sampler)
{
    assert(sampler->examples->count >= 1);
    return (struct fn_order){FN_ENDLESS, sampler_at, sampler_stand_in, NULL, sampler};
}

static void list_at(const void *context, uint64_t draw, struct fn_example *out)
{
    const struct fn_list *l = context;
    assert(draw < l->examples->count);
    out->pass = l->pass;
    out->position = draw;
    example_at(l->examples, draw, out);
}

static void list_stand_in(const void *context, uint64_t draw, uint64_t attempt,
                          struct fn_example *out)
{
    const struct fn_list *l = context;
    list_at(context, draw, out);
    example_at(l->examples, stand_in_index(l->seed, l->examples, draw, attempt), out);
}

struct fn_order fn_list_order(const struct fn_list *list)
{
    return (struct fn_order){list->examples->count, list_at, list_stand_in, NULL, list};
}
