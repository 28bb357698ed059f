/* SPDX-License-Identifier: MIT */
/* Groups of people, several at a time. */
#include "train/group_ring.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/err.h"

/* More than a loader's slots: batches under way do not take each other's place. */
enum { HELD = 8 };
#define NONE UINT64_MAX

struct fn_group_ring {
    pthread_mutex_t lock;
    struct fn_triplet_sampler *sampler[HELD];
    uint64_t group[HELD];
};

int fn_group_ring_open(struct fn_group_ring **out, const struct fn_split *split, int64_t people,
                       int64_t images, uint64_t seed)
{
    struct fn_group_ring *r = calloc(1, sizeof *r);
    int rc = FN_OK;
    *out = r;
    if (!r || pthread_mutex_init(&r->lock, NULL) != 0) {
        free(r);
        *out = NULL;
        return fn_fail(FN_ENOMEM, "no memory for a sampler");
    }
    for (int i = 0; i < HELD && !rc; i++) {
        r->group[i] = NONE;
        rc = fn_triplet_sampler_open(&r->sampler[i], split, people, images, seed);
    }
    if (rc)
        fn_group_ring_close(out);
    return rc;
}

void fn_group_ring_close(struct fn_group_ring **ring)
{
    struct fn_group_ring *r = ring ? *ring : NULL;
    if (!r)
        return;
    for (int i = 0; i < HELD; i++)
        fn_triplet_sampler_close(&r->sampler[i]);
    pthread_mutex_destroy(&r->lock);
    free(r);
    *ring = NULL;
}

/* Under the lock: the sampled group of a draw as a list, and its row there. */
static struct fn_group_list list_of(struct fn_group_ring *r, uint64_t draw, uint64_t *row)
{
    const size_t count = r->sampler[0]->count;
    const uint64_t group = draw / count;
    struct fn_triplet_sampler *s = r->sampler[group % HELD];
    if (r->group[group % HELD] != group) {
        fn_triplet_sample(s, group);
        r->group[group % HELD] = group;
    }
    *row = draw % count;
    return (struct fn_group_list){s, NULL, count, group};
}

static void at(const void *context, uint64_t draw, struct fn_example *out)
{
    struct fn_group_ring *r = (struct fn_group_ring *)(uintptr_t)context;
    uint64_t row;
    pthread_mutex_lock(&r->lock);
    const struct fn_group_list list = list_of(r, draw, &row);
    const struct fn_order order = fn_group_order(&list);
    order.at(order.context, row, out);
    pthread_mutex_unlock(&r->lock);
}

static void stand_in(const void *context, uint64_t draw, uint64_t attempt, struct fn_example *out)
{
    struct fn_group_ring *r = (struct fn_group_ring *)(uintptr_t)context;
    uint64_t row;
    pthread_mutex_lock(&r->lock);
    const struct fn_group_list list = list_of(r, draw, &row);
    const struct fn_order order = fn_group_order(&list);
    order.stand_in(order.context, row, attempt, out);
    pthread_mutex_unlock(&r->lock);
}

struct fn_order fn_group_ring_order(struct fn_group_ring *ring)
{
    return (struct fn_order){.total = FN_ENDLESS, .at = at, .stand_in = stand_in, .context = ring};
}
