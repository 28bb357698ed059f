/* SPDX-License-Identifier: MIT */
/* Chunks of rows and the budget for long ones. */
#include "ingest/chunk.h"

#include <stdlib.h>
#include <string.h>

/* An output buffer larger than this is not kept for the next round. */
#define KEEP_OUT (4 * FN_CHUNK_BYTES)

int fn_budget_open(struct fn_budget *budget, size_t bytes)
{
    memset(budget, 0, sizeof *budget);
    budget->left = bytes;
    if (pthread_mutex_init(&budget->lock, NULL) || pthread_cond_init(&budget->more, NULL))
        return fn_fail(FN_ENOMEM, "cannot make a lock");
    return FN_OK;
}

void fn_budget_close(struct fn_budget *budget)
{
    pthread_cond_destroy(&budget->more);
    pthread_mutex_destroy(&budget->lock);
}

void fn_budget_stop(struct fn_budget *budget)
{
    pthread_mutex_lock(&budget->lock);
    budget->stopped = 1;
    pthread_cond_broadcast(&budget->more);
    pthread_mutex_unlock(&budget->lock);
}

/* Chunks in front of this one give back what they drew without waiting for anything behind them, so
 * waiting here ends. */
static int draw(struct fn_budget *budget, size_t bytes)
{
    pthread_mutex_lock(&budget->lock);
    while (budget->left < bytes && !budget->stopped)
        pthread_cond_wait(&budget->more, &budget->lock);
    int stopped = budget->stopped;
    if (!stopped)
        budget->left -= bytes;
    pthread_mutex_unlock(&budget->lock);
    return stopped ? fn_fail(FN_EINTERNAL, "reading was stopped") : FN_OK;
}

static void give_back(struct fn_budget *budget, size_t bytes)
{
    pthread_mutex_lock(&budget->lock);
    budget->left += bytes;
    pthread_cond_broadcast(&budget->more);
    pthread_mutex_unlock(&budget->lock);
}

int fn_chunk_open(struct fn_chunk **chunk)
{
    struct fn_chunk *c = calloc(1, sizeof *c);
    *chunk = NULL;
    if (c)
        c->items = malloc(FN_CHUNK_ITEMS * sizeof *c->items);
    if (!c || !c->items) {
        free(c);
        return fn_fail(FN_ENOMEM, "no memory for rows in flight; fewer --threads need less");
    }
    *chunk = c;
    return FN_OK;
}

void fn_chunk_close(struct fn_chunk **chunk)
{
    if (!*chunk)
        return;
    fn_bytes_free(&(*chunk)->in);
    fn_bytes_free(&(*chunk)->out);
    free((*chunk)->items);
    free(*chunk);
    *chunk = NULL;
}

int fn_chunk_grow(struct fn_chunk *c, struct fn_budget *budget, size_t cap)
{
    if (cap > FN_CHUNK_BYTES + c->drawn) {
        size_t more = cap - FN_CHUNK_BYTES - c->drawn;
        int rc = draw(budget, more);
        if (rc)
            return rc;
        c->drawn += more;
    }
    return fn_bytes_reserve(&c->in, cap);
}

void fn_chunk_reset(struct fn_chunk *c, struct fn_budget *budget)
{
    if (c->drawn) {
        fn_bytes_free(&c->in);
        give_back(budget, c->drawn);
        c->drawn = 0;
    }
    if (c->out.cap > KEEP_OUT)
        fn_bytes_free(&c->out);
    c->input = NULL;
    c->in.bytes = c->out.bytes = c->count = 0;
    c->in_bytes = 0;
    c->done = 0;
}

int fn_chunk_put(struct fn_chunk *c, const void *data, size_t bytes, size_t *at)
{
    *at = c->out.bytes;
    if (bytes > c->out.cap - c->out.bytes) {
        size_t cap = c->out.cap ? c->out.cap : FN_CHUNK_BYTES;
        while (cap - c->out.bytes < bytes) {
            if (cap > SIZE_MAX / 2)
                return fn_fail(FN_ELIMIT, "%zu bytes do not fit behind %zu others", bytes,
                               c->out.bytes);
            cap *= 2;
        }
        int rc = fn_bytes_reserve(&c->out, cap);
        if (rc)
            return rc;
    }
    if (bytes)
        memcpy(c->out.data + c->out.bytes, data, bytes);
    c->out.bytes += bytes;
    return FN_OK;
}

struct fn_item *fn_chunk_item(struct fn_chunk *c)
{
    if (c->count == FN_CHUNK_ITEMS)
        return NULL;
    struct fn_item *item = &c->items[c->count++];
    memset(item, 0, sizeof *item);
    return item;
}
