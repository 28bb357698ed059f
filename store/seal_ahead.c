/* SPDX-License-Identifier: MIT */
/* Sealing complete shards while the next one grows. */
#include <signal.h>

#include "store/seal_internal.h"

static void *copy(void *context)
{
    struct fn_ahead *ahead = context;
    int rc = fn_seal_shard(ahead->store, ahead->shard, 0, &ahead->stop);
    fn_err_note_take(&ahead->note, rc);
    atomic_store(&ahead->done, 1);
    return NULL;
}

/* What was given up is done again later, by sealing or by the next run: no failure. */
static int finish(struct fn_ahead *ahead)
{
    pthread_join(ahead->thread, NULL);
    ahead->running = 0;
    if (ahead->note.code == FN_EINTERRUPTED) {
        ahead->off = 1;
        return FN_OK;
    }
    ahead->shard++;
    return fn_err_note_raise(&ahead->note);
}

int fn_ahead_go_on(struct fn_ahead *ahead, const char *store, uint64_t growing)
{
    int rc = FN_OK;
    if (ahead->running && atomic_load(&ahead->done))
        rc = finish(ahead);
    if (rc || ahead->running || ahead->off || ahead->shard >= growing)
        return rc;
    ahead->store = store;
    atomic_store(&ahead->done, 0);
    /* Signals are for the threads that look at them; without a thread sealing does it in the end.
     */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    ahead->running = pthread_create(&ahead->thread, NULL, copy, ahead) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    ahead->off = !ahead->running;
    return FN_OK;
}

int fn_ahead_end(struct fn_ahead *ahead, int stop)
{
    if (!ahead->running)
        return FN_OK;
    if (stop)
        atomic_store(&ahead->stop, 1);
    return finish(ahead);
}
