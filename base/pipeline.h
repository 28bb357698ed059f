/* SPDX-License-Identifier: MIT */
/* Read - work - write: one reader, n workers, one writer, in order, in bounded memory.
 *
 *     reader (1 thread, in order) -> workers (n threads, any order) -> writer (1 thread, in order)
 *
 * The unit is a slot of the caller's own type (a chunk of rows, a record to verify). All slots are
 * made before the start and go round; nothing is allocated per item and a slot's buffers can be
 * reused. One lock guards the ring of slots; it is taken once per slot and stage, so a slot should
 * hold enough work (hundreds of microseconds).
 *
 * The first stage function that returns a code other than FN_OK ends the run: nothing more is read,
 * the others finish the slot they hold, the writer still gets all slots that precede the failed
 * one, and fn_pipeline_run returns that code with the failing thread's sentence. "First" is by the
 * order of the slots, not of time: should a slot before the failed one fail as well, it is that one
 * that counts. So a run ends as it would with one thread, whatever the number of workers.
 *
 * The threads started here get no signals (but those of their own faults): SIGINT interrupts the
 * caller's thread. A thread that cannot be started fails the run before anything is read. */
#ifndef FN_BASE_PIPELINE_H
#define FN_BASE_PIPELINE_H

#include <stddef.h>

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FN_PIPELINE_END (-1) /* read: nothing more; the slot is not passed on */

struct fn_pipeline {
    int workers; /* >= 1 */
    int slots;   /* >= workers + 2 keeps every stage busy; memory in flight is this many slots */
    void *const *slot; /* the `slots` pointers handed to the stages */
    void *context;     /* handed to every stage */
    /* Fill the slot. FN_OK, FN_PIPELINE_END or a failure. Called in one thread, the caller's. */
    int (*read)(void *context, void *slot);
    /* worker: 0 .. workers - 1, constant within a thread: an index for scratch memory. */
    int (*work)(void *context, int worker, void *slot);
    /* Called in one thread, in the order of the reads. */
    int (*write)(void *context, void *slot);
};

/* Runs until the reader ends or a stage fails; returns when every thread has ended. */
int fn_pipeline_run(const struct fn_pipeline *p);

/* fn(context, worker, i) for every i in [0, n), on at most `threads` threads (the caller's is
 * worker 0), in any order. A failure stops the handing out of further indices; the one of the
 * lowest index is returned, with its sentence. Indices are handed out one by one under a lock
 * (about 10 ns) and threads are started for each call (tens of microseconds): for work that is
 * worth it. */
int fn_parallel_for(int threads, size_t n, void *context,
                    int (*fn)(void *context, int worker, size_t i));

#ifdef __cplusplus
}
#endif
#endif
