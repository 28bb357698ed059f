/* SPDX-License-Identifier: MIT */
/* Captures and graphs of the pretend GPU. A captured piece of work becomes a node that needs the
 * nodes before it on its stream, and those of the events its stream waited for: nothing else. A
 * launch runs the nodes in an order that the `order` of the device chooses among all that fit. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cuda/pretend_core.h"

enum { STREAMS = 16 };

struct CUgraphExec_st {
    struct CUgraph_st *graph;
};

/* The streams of captures that go on; the first one of each began it. */
static struct CUstream_st *capturing[STREAMS];
static int capturing_count;

static unsigned long this_thread(void)
{
    return (unsigned long)pthread_self();
}

int fn_capturing(void)
{
    return capturing_count;
}

cudaError_t fn_capture_forbids(const char *what)
{
    for (int i = 0; i < capturing_count; i++) {
        struct CUgraph_st *g = capturing[i]->capture;
        if (g->mode == cudaStreamCaptureModeRelaxed ||
            (g->mode == cudaStreamCaptureModeThreadLocal && g->thread != this_thread()))
            continue;
        g->broken = 1;
        return fn_pretend_refuse(cudaErrorStreamCaptureUnsupported, "%s while a stream captures",
                                 what);
    }
    return cudaSuccess;
}

/* ---- fronts: sets of nodes ---- */

static void front_clear(struct fn_front *f)
{
    free(f->node);
    *f = (struct fn_front){NULL, 0};
}

static void front_join(struct fn_front *f, const struct fn_front *more)
{
    int *all = realloc(f->node, (size_t)(f->count + more->count + 1) * sizeof *all);
    if (!all)
        abort();
    f->node = all;
    for (int i = 0; i < more->count; i++) {
        int known = 0;
        for (int k = 0; k < f->count; k++)
            known |= all[k] == more->node[i];
        if (!known)
            all[f->count++] = more->node[i];
    }
}

/* ---- capturing ---- */

void fn_graph_use(struct CUgraph_st *g, int more)
{
    g->uses += more;
    if (g->uses > 0)
        return;
    for (int i = 0; i < g->count; i++)
        fn_work_free(g->node[i]);
    free(g->node);
    free(g);
}

void fn_graph_add(struct CUstream_st *s, struct fn_work *work)
{
    struct CUgraph_st *g = s->capture;
    if (g->count == g->room) {
        g->room = g->room ? 2 * g->room : 256;
        struct fn_work **grown = realloc(g->node, (size_t)g->room * sizeof *grown);
        if (!grown)
            abort();
        g->node = grown;
    }
    work->index = g->count;
    work->needs = s->front.node;
    work->need_count = s->front.count;
    g->node[g->count++] = work;
    s->front = (struct fn_front){NULL, 0};
    front_join(&s->front, &(struct fn_front){&work->index, 1});
}

cudaError_t fn_graph_record(struct CUevent_st *event, struct CUstream_st *s)
{
    event->capture = s->capture;
    front_clear(&event->front);
    front_join(&event->front, &s->front);
    return cudaSuccess;
}

cudaError_t fn_graph_wait(struct CUstream_st *s, struct CUevent_st *event)
{
    if (!event->capture) {
        s->capture->broken = 1;
        return fn_pretend_refuse(cudaErrorStreamCaptureIsolation,
                                 "a capturing stream waits for an event from outside");
    }
    if (!s->capture) {
        if (s->head)
            return fn_pretend_refuse(cudaErrorStreamCaptureIsolation,
                                     "a stream with work to do joins a capture");
        if (capturing_count == STREAMS)
            abort();
        capturing[capturing_count++] = s;
        s->capture = event->capture;
        s->origin = 0;
        front_clear(&s->front);
    }
    if (s->capture != event->capture)
        return fn_pretend_refuse(cudaErrorStreamCaptureMerge, "two captures wait for each other");
    front_join(&s->front, &event->front);
    return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t s, enum cudaStreamCaptureMode mode)
{
    cudaError_t error = fn_pretend_enter();
    if (!error && s->capture)
        error = fn_pretend_refuse(cudaErrorIllegalState, "a capture inside a capture");
    if (!error && capturing_count == STREAMS)
        error = cudaErrorMemoryAllocation;
    struct CUgraph_st *g = error ? NULL : calloc(1, sizeof *g);
    if (g) {
        g->mode = mode;
        g->thread = this_thread();
        g->uses = 1;
        s->capture = g;
        s->origin = 1;
        front_clear(&s->front);
        capturing[capturing_count++] = s;
    } else if (!error) {
        error = cudaErrorMemoryAllocation;
    }
    return fn_pretend_leave(error);
}

/* Every node leads to the end of the stream that began. */
static int is_joined(const struct CUgraph_st *g, const struct fn_front *end)
{
    char *reached = calloc((size_t)g->count + 1, 1);
    int all = 1;
    if (!reached)
        abort();
    for (int i = 0; i < end->count; i++)
        reached[end->node[i]] = 1;
    for (int i = g->count - 1; i >= 0; i--) {
        all &= reached[i];
        for (int k = 0; reached[i] && k < g->node[i]->need_count; k++)
            reached[g->node[i]->needs[k]] = 1;
    }
    free(reached);
    return all;
}

static void count_nodes(const struct CUgraph_st *g)
{
    struct fn_pretend_counts *c = &fn_pretend.counts;
    c->captured_kernels = c->captured_plans = c->captured_copies = 0;
    for (int i = 0; i < g->count; i++) {
        c->captured_kernels += g->node[i]->job.call != NULL;
        c->captured_plans += g->node[i]->plan != NULL;
        c->captured_copies += g->node[i]->bytes != 0;
    }
}

cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t *out)
{
    cudaError_t error = fn_pretend_enter();
    struct CUgraph_st *g = s->capture;
    *out = NULL;
    if (!g || !s->origin)
        return fn_pretend_leave(
            error ? error : fn_pretend_refuse(cudaErrorIllegalState, "the end of no capture"));
    if (!error && g->broken)
        error = cudaErrorStreamCaptureInvalidated;
    if (!error && !is_joined(g, &s->front))
        error = fn_pretend_refuse(cudaErrorStreamCaptureUnjoined,
                                  "a capture ends with work that nothing in it waits for");
    int kept = 0;
    for (int i = 0; i < capturing_count; i++)
        if (capturing[i]->capture == g) {
            capturing[i]->capture = NULL;
            front_clear(&capturing[i]->front);
        } else {
            capturing[kept++] = capturing[i];
        }
    capturing_count = kept;
    if (error) {
        fn_graph_use(g, -1);
    } else {
        count_nodes(g);
        *out = g;
    }
    return fn_pretend_leave(error);
}

/* ---- graphs ---- */

static int is_ready(const struct CUgraph_st *g, const struct fn_work *w)
{
    for (int i = 0; i < w->need_count; i++)
        if (!g->node[w->needs[i]]->done)
            return 0;
    return !w->done;
}

/* The node that runs next: the first that can, the last, or any. */
static int next_node(const struct CUgraph_st *g)
{
    const uint64_t order = fn_pretend.options.order;
    const int count = g->count, from_end = order == FN_PRETEND_LAZY;
    int at = order == FN_PRETEND_RANDOM ? (int)(fn_pretend_random() % (uint64_t)count) : 0;
    for (int tried = 0; tried < count; tried++, at = (at + 1) % count) {
        const int i = from_end ? count - 1 - at : at;
        if (is_ready(g, g->node[i]))
            return i;
    }
    return -1;
}

/* A graph of one chain has no choice, and its order is that of the capture. */
static int is_chain(const struct CUgraph_st *g)
{
    for (int i = 1; i < g->count; i++) {
        const struct fn_work *w = g->node[i];
        if (w->need_count != 1 || w->needs[0] != i - 1)
            return 0;
    }
    return 1;
}

void fn_graph_run(struct CUgraph_st *g)
{
    const int chain = is_chain(g);
    for (int i = 0; i < g->count; i++)
        g->node[i]->done = 0;
    for (int i = 0; i < g->count && !fn_pretend.lost; i++) {
        const int at = chain ? i : next_node(g);
        g->node[at]->run(g->node[at]);
        g->node[at]->done = 1;
        fn_pretend.counts.run++;
        fn_streams_disturb();
    }
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long flags)
{
    cudaError_t error = fn_pretend_enter();
    (void)flags;
    *out = NULL;
    if (!error)
        error = fn_capture_forbids("cudaGraphInstantiate");
    struct CUgraphExec_st *x = error ? NULL : calloc(1, sizeof *x);
    if (x) {
        x->graph = graph;
        fn_graph_use(graph, 1);
        *out = x;
    } else if (!error) {
        error = cudaErrorMemoryAllocation;
    }
    return fn_pretend_leave(error);
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t *nodes, size_t *count)
{
    cudaError_t error = fn_pretend_enter();
    if (!error && nodes)
        error = fn_pretend_refuse(cudaErrorNotSupported, "a graph's nodes can only be counted");
    if (!error)
        *count = (size_t)graph->count;
    return fn_pretend_leave(error);
}

static void run_graph(struct fn_work *w)
{
    fn_graph_run(w->graph);
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
    cudaError_t error = fn_pretend_enter();
    if (!error && stream->capture)
        error = fn_pretend_refuse(cudaErrorStreamCaptureUnsupported, "a graph inside a graph");
    if (!error)
        error = fn_pretend_lose();
    struct fn_work *w = error ? NULL : fn_work_new(run_graph, 0);
    if (w) {
        w->graph = exec->graph;
        fn_graph_use(exec->graph, 1);
        fn_pretend.counts.graph_launches++;
    }
    return fn_pretend_leave(error ? error : fn_work_add(stream, w));
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    cudaError_t error = fn_pretend_enter();
    fn_graph_use(graph, -1);
    return fn_pretend_leave(error);
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    cudaError_t error = fn_pretend_enter();
    fn_graph_use(exec->graph, -1);
    free(exec);
    return fn_pretend_leave(error);
}
