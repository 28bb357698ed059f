/* SPDX-License-Identifier: MIT */
/* Read - work - write. Item number i lives in slot i % slots. The three counters only grow:
 *
 *     written <= taken by workers <= read <= written + slots
 *
 * A failure has a position, the number of its item. What lies before the lowest one goes on to the
 * end, what lies behind is dropped: so the outcome is that of a run with one thread. */
#include "base/pipeline.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct run {
    const struct fn_pipeline *p;
    pthread_mutex_t lock; /* guards everything below */
    pthread_cond_t can_read, can_work, can_write;
    uint64_t read, taken, written; /* items */
    uint64_t stop;                 /* position of the lowest failure; UINT64_MAX: none */
    int ended;                     /* nothing more will be read */
    struct fn_err_note note;       /* of the failure at `stop` */
    unsigned char *worked;         /* [slots]: 1 when its item is ready to be written */
};

struct thread {
    struct run *run;
    int index;
    pthread_t id;
};

/* With the lock held, by the thread that failed: its sentence is taken along. */
static void fail_at(struct run *run, uint64_t position, int code)
{
    if (position < run->stop) {
        run->stop = position;
        fn_err_note_take(&run->note, code);
    }
    pthread_cond_broadcast(&run->can_read);
    pthread_cond_broadcast(&run->can_work);
    pthread_cond_broadcast(&run->can_write);
}

static void read_items(struct run *run)
{
    const struct fn_pipeline *p = run->p;
    const uint64_t slots = (uint64_t)p->slots;
    pthread_mutex_lock(&run->lock);
    for (;;) {
        while (run->stop == UINT64_MAX && run->read - run->written == slots)
            pthread_cond_wait(&run->can_read, &run->lock);
        if (run->stop != UINT64_MAX)
            break;
        uint64_t item = run->read;
        pthread_mutex_unlock(&run->lock);
        int rc = p->read(p->context, p->slot[item % slots]);
        pthread_mutex_lock(&run->lock);
        if (rc == FN_PIPELINE_END)
            break;
        if (rc != FN_OK) {
            fail_at(run, item, rc);
            break;
        }
        run->read++;
        pthread_cond_signal(&run->can_work);
    }
    run->ended = 1;
    pthread_cond_broadcast(&run->can_work);
    pthread_cond_broadcast(&run->can_write);
    pthread_mutex_unlock(&run->lock);
}

/* First item that no worker may take now. */
static uint64_t work_end(const struct run *run)
{
    return run->read < run->stop ? run->read : run->stop;
}

static void *work_items(void *argument)
{
    struct thread *self = argument;
    struct run *run = self->run;
    const struct fn_pipeline *p = run->p;
    const uint64_t slots = (uint64_t)p->slots;
    pthread_mutex_lock(&run->lock);
    for (;;) {
        while (run->taken >= work_end(run) && !run->ended && run->stop == UINT64_MAX)
            pthread_cond_wait(&run->can_work, &run->lock);
        if (run->taken >= work_end(run))
            break;
        uint64_t item = run->taken++;
        pthread_mutex_unlock(&run->lock);
        int rc = p->work(p->context, self->index, p->slot[item % slots]);
        pthread_mutex_lock(&run->lock);
        if (rc != FN_OK) {
            fail_at(run, item, rc);
            continue;
        }
        run->worked[item % slots] = 1;
        if (item == run->written)
            pthread_cond_signal(&run->can_write);
    }
    pthread_mutex_unlock(&run->lock);
    return NULL;
}

static void *write_items(void *argument)
{
    struct thread *self = argument;
    struct run *run = self->run;
    const struct fn_pipeline *p = run->p;
    const uint64_t slots = (uint64_t)p->slots;
    pthread_mutex_lock(&run->lock);
    for (;;) {
        uint64_t item = run->written;
        while (item < run->stop && !(run->ended && item == run->read) && !run->worked[item % slots])
            pthread_cond_wait(&run->can_write, &run->lock);
        if (item >= run->stop || (run->ended && item == run->read))
            break;
        pthread_mutex_unlock(&run->lock);
        int rc = p->write(p->context, p->slot[item % slots]);
        pthread_mutex_lock(&run->lock);
        if (rc != FN_OK) {
            fail_at(run, item, rc);
            break;
        }
        run->worked[item % slots] = 0;
        run->written++;
        pthread_cond_signal(&run->can_read);
    }
    pthread_mutex_unlock(&run->lock);
    return NULL;
}

/* A thread that gets no signals: they are the main thread's affair. Those that a fault raises in
 * the thread itself stay. Returns 0 or an errno. */
static int start_thread(pthread_t *id, void *(*function)(void *), void *argument)
{
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGPROF};
    sigset_t blocked, before;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        sigdelset(&blocked, own[i]);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    int error = pthread_create(id, NULL, function, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* Workers and then the writer. Returns how many are running; fewer than asked is a failure noted in
 * `run`, and those that run then end by themselves. */
static int start_all(struct run *run, struct thread *threads)
{
    const int workers = run->p->workers;
    for (int i = 0; i <= workers; i++) {
        threads[i].run = run;
        threads[i].index = i;
        int error =
            start_thread(&threads[i].id, i < workers ? work_items : write_items, &threads[i]);
        if (error) {
            errno = error;
            int rc = fn_fail_errno("cannot start thread %d of %d", i + 1, workers + 1);
            pthread_mutex_lock(&run->lock);
            fail_at(run, 0, rc);
            pthread_mutex_unlock(&run->lock);
            return i;
        }
    }
    return workers + 1;
}

int fn_pipeline_run(const struct fn_pipeline *p)
{
    if (p->workers < 1 || p->slots < 1)
        return fn_fail(FN_EINTERNAL, "a pipeline of %d workers and %d slots", p->workers, p->slots);
    struct run run = {.p = p, .stop = UINT64_MAX};
    struct thread *threads = calloc((size_t)p->workers + 1, sizeof *threads);
    run.worked = calloc((size_t)p->slots, 1);
    int rc = FN_OK;
    if (!threads || !run.worked) {
        rc = fn_fail(FN_ENOMEM, "out of memory for a pipeline of %d workers", p->workers);
        goto out;
    }
    pthread_mutex_init(&run.lock, NULL);
    pthread_cond_init(&run.can_read, NULL);
    pthread_cond_init(&run.can_work, NULL);
    pthread_cond_init(&run.can_write, NULL);

    int running = start_all(&run, threads);
    read_items(&run);
    for (int i = 0; i < running; i++)
        pthread_join(threads[i].id, NULL);

    pthread_cond_destroy(&run.can_write);
    pthread_cond_destroy(&run.can_work);
    pthread_cond_destroy(&run.can_read);
    pthread_mutex_destroy(&run.lock);
    rc = fn_err_note_raise(&run.note);
out:
    free(run.worked);
    free(threads);
    return rc;
}

struct loop {
    size_t n;
    void *context;
    int (*fn)(void *context, int worker, size_t i);
    pthread_mutex_t lock; /* guards everything below */
    size_t next;          /* first index not handed out */
    size_t failed_at;     /* lowest index that failed; SIZE_MAX: none */
    struct fn_err_note note;
};

struct loop_thread {
    struct loop *loop;
    int index;
    pthread_t id;
};

static void *loop_items(void *argument)
{
    struct loop_thread *self = argument;
    struct loop *loop = self->loop;
    pthread_mutex_lock(&loop->lock);
    while (loop->next < loop->n && loop->failed_at == SIZE_MAX) {
        size_t i = loop->next++;
        pthread_mutex_unlock(&loop->lock);
        int rc = loop->fn(loop->context, self->index, i);
        pthread_mutex_lock(&loop->lock);
        if (rc != FN_OK && i < loop->failed_at) {
            loop->failed_at = i;
            fn_err_note_take(&loop->note, rc);
        }
    }
    pthread_mutex_unlock(&loop->lock);
    return NULL;
}

int fn_parallel_for(int threads, size_t n, void *context,
                    int (*fn)(void *context, int worker, size_t i))
{
    struct loop loop = {.n = n, .context = context, .fn = fn, .failed_at = SIZE_MAX};
    if (threads < 1)
        threads = 1;
    if ((size_t)threads > n)
        threads = n > 0 ? (int)n : 1;
    struct loop_thread *team = calloc((size_t)threads, sizeof *team);
    if (!team)
        return fn_fail(FN_ENOMEM, "out of memory for %d threads", threads);
    pthread_mutex_init(&loop.lock, NULL);
    for (int i = 0; i < threads; i++)
        team[i] = (struct loop_thread){.loop = &loop, .index = i};
    /* The caller is worker 0. A thread that cannot be started is done without. */
    int running = 1;
    while (running < threads && start_thread(&team[running].id, loop_items, &team[running]) == 0)
        running++;
    loop_items(&team[0]);
    for (int i = 1; i < running; i++)
        pthread_join(team[i].id, NULL);
    pthread_mutex_destroy(&loop.lock);
    free(team);
    return fn_err_note_raise(&loop.note);
}
