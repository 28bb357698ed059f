/* SPDX-License-Identifier: MIT */
/* Streams and events of the pretend GPU: work is queued, and done when the order of the day, or
 * somebody's waiting, says so. */
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/cuda/pretend_core.h"

/* Asked so often in a row, a lazy device does some work all the same: or nobody who asks would ever
 * go on. */
enum { QUERIES = 3 };

static struct CUstream_st *streams;
static struct CUevent_st *events; /* also those gone: work may name them */

/* ---- work ---- */

struct fn_work *fn_work_new(fn_work_run *run, size_t extra)
{
    struct fn_work *w = calloc(1, sizeof *w + alignof(max_align_t) + extra);
    if (w)
        w->run = run;
    return w;
}

void fn_work_free(struct fn_work *work)
{
    if (work->graph)
        fn_graph_use(work->graph, -1);
    free(work->needs);
    free(work);
}

static double host_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void run_record(struct fn_work *w)
{
    if (w->number > w->event->done)
        w->event->done = w->number;
}

static void run_wait(struct fn_work *w)
{
    (void)w; /* what it waits for is done */
}

/* The device's clock goes on by a piece of work. */
static void run_clock(struct CUstream_st *s, const struct fn_work *w)
{
    const int is_order = w->run == run_wait || w->run == run_record;
    const double pieces = w->graph ? w->graph->count : !is_order;
    if (s->clock < w->asked)
        s->clock = w->asked;
    if (w->run == run_wait && s->clock < w->event->at)
        s->clock = w->event->at;
    s->clock += pieces * 1e-9 * (double)fn_pretend.options.kernel_ns;
    if (w->run == run_record)
        w->event->at = s->clock;
}

static int is_blocked(const struct fn_work *w)
{
    return w->run == run_wait && w->event->done < w->number;
}

static cudaError_t finish_event(struct CUevent_st *event, uint64_t number);

/* The next piece of a stream; with `force`, and what it waits for before it. 0: nothing was done.
 */
static int step(struct CUstream_st *s, int force)
{
    struct fn_work *w = s->head;
    if (!w || fn_pretend.lost || s->busy)
        return 0;
    if (is_blocked(w) && (!force || finish_event(w->event, w->number)))
        return 0;
    s->head = w->next;
    if (!s->head)
        s->tail = &s->head;
    s->busy = 1;
    run_clock(s, w);
    w->run(w);
    s->busy = 0;
    fn_pretend.counts.run++;
    fn_work_free(w);
    return 1;
}

static cudaError_t finish_event(struct CUevent_st *event, uint64_t number)
{
    while (event->done < number)
        if (!step(event->stream, 1))
            return fn_pretend.lost
                       ? cudaErrorLaunchFailure
                       : fn_pretend_refuse(cudaErrorUnknown, "an event that nobody will record");
    return cudaSuccess;
}

cudaError_t fn_stream_finish(struct CUstream_st *s)
{
    while (s->head)
        if (!step(s, 1))
            return cudaErrorLaunchFailure;
    return cudaSuccess;
}

cudaError_t fn_streams_finish(void)
{
    for (struct CUstream_st *s = streams; s; s = s->next)
        if (fn_stream_finish(s))
            return cudaErrorLaunchFailure;
    return cudaSuccess;
}

static struct CUstream_st *any_stream(void)
{
    unsigned count = 0;
    for (struct CUstream_st *s = streams; s; s = s->next)
        count++;
    uint64_t at = count ? fn_pretend_random() % count : 0;
    struct CUstream_st *s = streams;
    while (at--)
        s = s->next;
    return s;
}

/* All that can be done without forcing anything; or copies only, and what stands between them. */
static void run_all(int copies_only)
{
    for (int moved = 1; moved;) {
        moved = 0;
        for (struct CUstream_st *s = streams; s; s = s->next)
            while (s->head &&
                   (!copies_only || s->head->is_copy || s->head->run == run_record ||
                    s->head->run == run_wait) &&
                   step(s, 0))
                moved = 1;
    }
}

/* Called after everything that was queued. */
static void progress(void)
{
    static int busy;
    if (busy || !streams)
        return;
    busy = 1;
    switch (fn_pretend.options.order) {
    case FN_PRETEND_EAGER:
        run_all(0);
        break;
    case FN_PRETEND_COPIES:
        run_all(1);
        break;
    case FN_PRETEND_RANDOM:
        for (uint64_t i = fn_pretend_random() % 5; i > 0; i--)
            step(any_stream(), 0);
        break;
    default:
        break;
    }
    busy = 0;
}

void fn_streams_disturb(void)
{
    if (fn_pretend.options.order == FN_PRETEND_RANDOM && fn_pretend_random() % 8 == 0) {
        struct CUstream_st *s = any_stream();
        if (s->head && s->head->is_copy)
            step(s, 0);
    }
}

static cudaError_t is_stream(const struct CUstream_st *stream)
{
    for (const struct CUstream_st *s = streams; s; s = s->next)
        if (s == stream && !s->gone)
            return cudaSuccess;
    return fn_pretend_refuse(cudaErrorInvalidResourceHandle,
                             stream ? "not a stream" : "the default stream is used");
}

cudaError_t fn_work_add(cudaStream_t s, struct fn_work *work)
{
    if (!work)
        return cudaErrorMemoryAllocation;
    if (is_stream(s)) {
        fn_work_free(work);
        return cudaErrorInvalidResourceHandle;
    }
    if (s->capture) {
        fn_graph_add(s, work);
        return cudaSuccess;
    }
    work->asked = host_clock();
    *s->tail = work;
    s->tail = &work->next;
    progress();
    return cudaSuccess;
}

/* ---- streams ---- */

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned flags)
{
    cudaError_t error = fn_pretend_enter();
    *out = NULL;
    if (!error && flags != cudaStreamNonBlocking)
        error = fn_pretend_refuse(cudaErrorInvalidValue, "a stream that waits for the default one");
    struct CUstream_st *s = error ? NULL : calloc(1, sizeof *s);
    if (s) {
        s->tail = &s->head;
        struct CUstream_st **last = &streams;
        while (*last)
            last = &(*last)->next;
        *last = *out = s;
    } else if (!error) {
        error = cudaErrorMemoryAllocation;
    }
    return fn_pretend_leave(error);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    cudaError_t error = fn_pretend_enter();
    if (!error || error == cudaErrorLaunchFailure) {
        const cudaError_t is = is_stream(stream);
        error = error ? error : is;
        if (!is) {
            if (!error)
                error = fn_stream_finish(stream);
            stream->gone = 1;
        }
    }
    return fn_pretend_leave(error);
}

static cudaError_t stream_ready(cudaStream_t s, const char *what)
{
    cudaError_t error = is_stream(s);
    return error ? error : fn_capture_forbids(what);
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    cudaError_t error = fn_pretend_enter();
    if (!error)
        error = stream_ready(stream, "cudaStreamSynchronize");
    fn_pretend.counts.syncs++;
    if (FN_PRETEND_SKIPS("cudaStreamSynchronize"))
        return fn_pretend_leave(error);
    return fn_pretend_leave(error ? error : fn_stream_finish(stream));
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags)
{
    cudaError_t error = fn_pretend_enter();
    (void)flags;
    if (!error)
        error = is_stream(stream);
    if (!error && event->gone)
        error = fn_pretend_refuse(cudaErrorInvalidResourceHandle, "a wait for a destroyed event");
    if (FN_PRETEND_SKIPS("cudaStreamWaitEvent"))
        return fn_pretend_leave(error);
    if (!error && (event->capture || stream->capture)) {
        error = fn_graph_wait(stream, event);
    } else if (!error && event->queued) { /* never recorded: no wait, as CUDA says */
        struct fn_work *w = fn_work_new(run_wait, 0);
        if (w) {
            w->event = event;
            w->number = event->queued;
        }
        error = fn_work_add(stream, w);
    }
    return fn_pretend_leave(error);
}

/* ---- events ---- */

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned flags)
{
    cudaError_t error = fn_pretend_enter();
    struct CUevent_st *e = error ? NULL : calloc(1, sizeof *e);
    *out = e;
    if (e) {
        e->timed = !(flags & cudaEventDisableTiming);
        e->next = events;
        events = e;
    } else if (!error) {
        error = cudaErrorMemoryAllocation;
    }
    return fn_pretend_leave(error);
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    cudaError_t error = fn_pretend_enter();
    if (event->gone)
        error = fn_pretend_refuse(cudaErrorInvalidResourceHandle, "an event is destroyed twice");
    event->gone = 1;
    free(event->front.node);
    event->front = (struct fn_front){NULL, 0};
    return fn_pretend_leave(error);
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    cudaError_t error = fn_pretend_enter();
    if (!error)
        error = is_stream(stream);
    if (!error && event->gone)
        error = fn_pretend_refuse(cudaErrorInvalidResourceHandle, "a record of a destroyed event");
    if (FN_PRETEND_SKIPS("cudaEventRecord"))
        return fn_pretend_leave(error);
    if (!error && stream->capture) {
        error = fn_graph_record(event, stream);
    } else if (!error) {
        struct fn_work *w = fn_work_new(run_record, 0);
        event->capture = NULL;
        if (w) {
            event->stream = stream;
            w->event = event;
            w->number = ++event->queued;
        }
        error = fn_work_add(stream, w);
    }
    return fn_pretend_leave(error);
}

static cudaError_t event_ready(struct CUevent_st *event, const char *what)
{
    if (event->gone)
        return fn_pretend_refuse(cudaErrorInvalidResourceHandle, "%s of a destroyed event", what);
    if (event->capture)
        return fn_pretend_refuse(cudaErrorCapturedEvent, "%s of an event of a capture", what);
    return fn_capture_forbids(what);
}

cudaError_t cudaEventQuery(cudaEvent_t event)
{
    cudaError_t error = fn_pretend_enter();
    if (!error)
        error = event_ready(event, "cudaEventQuery");
    if (FN_PRETEND_SKIPS("cudaEventQuery"))
        return fn_pretend_leave(error);
    if (!error && event->done < event->queued) {
        progress();
        if (++event->queries % QUERIES == 0)
            error = finish_event(event, event->queued);
        if (!error && event->done < event->queued)
            error = cudaErrorNotReady;
    }
    return fn_pretend_leave(error);
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    cudaError_t error = fn_pretend_enter();
    if (!error)
        error = event_ready(event, "cudaEventSynchronize");
    fn_pretend.counts.syncs++;
    if (FN_PRETEND_SKIPS("cudaEventSynchronize"))
        return fn_pretend_leave(error);
    return fn_pretend_leave(error ? error : finish_event(event, event->queued));
}

cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t from, cudaEvent_t to)
{
    cudaError_t error = fn_pretend_enter();
    *ms = 0;
    if (!error)
        error = event_ready(from, "cudaEventElapsedTime");
    if (!error)
        error = event_ready(to, "cudaEventElapsedTime");
    if (!error && (!from->timed || !to->timed || !from->queued || !to->queued))
        error = fn_pretend_refuse(cudaErrorInvalidResourceHandle,
                                  "the time of an event that has none, or was not recorded");
    if (!error && (from->done < from->queued || to->done < to->queued))
        error = cudaErrorNotReady;
    if (!error)
        *ms = (float)(1e3 * (to->at - from->at));
    return fn_pretend_leave(error);
}
