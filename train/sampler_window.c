/* SPDX-License-Identifier: MIT */
/* Order for slow disks: shuffled blocks, shuffled windows of blocks. */
#include <assert.h>
#include <stdlib.h>

#include "base/rng.h"
#include "train/sampler.h"

/* The words of FN_RNG_WINDOW: b of fn_rng(seed, pass, b, ...). */
enum { AT_START = 0, AT_BLOCKS, AT_WINDOWS };

/* Where a position of a pass falls. */
struct place {
    uint64_t first, count; /* positions of its window */
    uint64_t number;       /* of the window */
};

static struct place window_of(const struct fn_window_sampler *s, uint64_t position)
{
    uint64_t n = s->examples->count, most = s->block * s->blocks;
    struct place w = {.number = position / most};
    w.first = w.number * most;
    w.count = n - w.first < most ? n - w.first : most;
    return w;
}

/* Index of the example at a slot: slots go through the blocks of a pass in their shuffled order. */
static uint64_t index_of(const struct fn_window_sampler *s, uint64_t pass, uint64_t slot)
{
    uint64_t n = s->examples->count, whole = n / s->block, block = slot / s->block;
    uint64_t start = fn_rng_below(fn_rng(s->seed, pass, AT_START, FN_RNG_WINDOW), n);
    uint64_t key = fn_rng(s->seed, pass, AT_BLOCKS, FN_RNG_WINDOW);
    if (block < whole)
        block = fn_rng_permute(key, 0, whole, block);
    return (start + block * s->block + slot % s->block) % n;
}

uint64_t fn_window_index(const struct fn_window_sampler *s, uint64_t draw, uint64_t *pass,
                         uint64_t *position)
{
    assert(s->examples->count >= 1 && s->block >= 1 && s->blocks >= 1);
    *pass = draw / s->examples->count;
    *position = draw % s->examples->count;
    struct place w = window_of(s, *position);
    uint64_t key = fn_rng(s->seed, *pass, AT_WINDOWS + w.number, FN_RNG_WINDOW);
    return index_of(s, *pass, w.first + fn_rng_permute(key, 0, w.count, *position - w.first));
}

static void window_at(const void *context, uint64_t draw, struct fn_example *out)
{
    const struct fn_window_sampler *s = context;
    uint64_t index = fn_window_index(s, draw, &out->pass, &out->position);
    out->id = s->examples->ids[index];
    out->label = s->examples->labels ? s->examples->labels[index] : 0;
}

static void window_stand_in(const void *context, uint64_t draw, uint64_t attempt,
                            struct fn_example *out)
{
    const struct fn_window_sampler *s = context;
    uint64_t index =
        fn_rng_below(fn_rng(s->seed, draw, attempt, FN_RNG_REPLACE), s->examples->count);
    window_at(context, draw, out);
    out->id = s->examples->ids[index];
    out->label = s->examples->labels ? s->examples->labels[index] : 0;
}

/* While a window is used, the next one is read from its first block to its last. */
static uint64_t window_later(const void *context, uint64_t draw)
{
    const struct fn_window_sampler *s = context;
    uint64_t n = s->examples->count, pass = draw / n, position = draw % n;
    struct place now = window_of(s, position);
    uint64_t next = now.first + now.count == n ? 0 : now.first + now.count;
    uint64_t done = position - now.first, count;
    pass += next == 0;
    count = window_of(s, next).count;
    if (done >= count)
        return FN_NO_ID;
    return s->examples->ids[index_of(s, pass, next + done)];
}

struct fn_order fn_window_order(const struct fn_window_sampler *sampler)
{
    assert(sampler->examples->count >= 1);
    return (struct fn_order){FN_ENDLESS, window_at, window_stand_in, window_later, sampler};
}

/* ---- examples in the order of the store ---- */
struct pair {
    uint64_t id;
    int32_t label;
};

static int by_id(const void *x, const void *y)
{
    uint64_t a = ((const struct pair *)x)->id, b = ((const struct pair *)y)->id;
    return (a > b) - (a < b);
}

int fn_examples_by_id(struct fn_examples *sorted, const struct fn_examples *examples)
{
    size_t n = examples->count, room = n ? n : 1;
    struct pair *pair = calloc(room, sizeof *pair);
    *sorted = (struct fn_examples){calloc(room, sizeof *sorted->ids),
                                   calloc(room, sizeof *sorted->labels), n};
    if (!pair || !sorted->ids || !sorted->labels) {
        free(pair);
        fn_examples_free(sorted);
        return fn_fail(FN_ENOMEM, "no memory to put %zu examples in order", n);
    }
    for (size_t i = 0; i < n; i++)
        pair[i] = (struct pair){examples->ids[i], examples->labels ? examples->labels[i] : 0};
    qsort(pair, n, sizeof *pair, by_id);
    for (size_t i = 0; i < n; i++) {
        sorted->ids[i] = pair[i].id;
        sorted->labels[i] = pair[i].label;
    }
    free(pair);
    return FN_OK;
}

void fn_examples_free(struct fn_examples *examples)
{
    free(examples->ids);
    free(examples->labels);
    *examples = (struct fn_examples){NULL, NULL, 0};
}
