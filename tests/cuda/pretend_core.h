/* SPDX-License-Identifier: MIT */
/* What the files of the pretend GPU share. Between fn_pretend_enter and fn_pretend_leave only. */
#ifndef FN_TESTS_CUDA_PRETEND_CORE_H
#define FN_TESTS_CUDA_PRETEND_CORE_H

#include <cuda_runtime_api.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/cuda/emu_run.h"
#include "tests/cuda/pretend.h"

/* ---- pretend_device.c: options, counts, faults ---- */

struct fn_pretend_state {
    struct fn_pretend_options options;
    struct fn_pretend_counts counts;
    cudaError_t last;
    int lost;
};
extern struct fn_pretend_state fn_pretend;

/* Takes the lock. A lost device, too old a driver or no device at all: the error, and the caller
 * leaves at once. */
cudaError_t fn_pretend_enter(void);
/* Gives the lock back; returns what it is given, and remembers it for cudaGetLastError. */
cudaError_t fn_pretend_leave(cudaError_t error);
/* A mistake of the caller: a sentence, counted. Returns error. */
cudaError_t fn_pretend_refuse(cudaError_t error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* One more launch or copy: cudaErrorLaunchFailure if the device is lost with it. */
cudaError_t fn_pretend_lose(void);
uint64_t fn_pretend_random(void);
/* The call from this place is one to be left out (the option skip). */
int fn_pretend_skips(const char *call, const void *place);
#define FN_PRETEND_SKIPS(call) fn_pretend_skips(call, __builtin_return_address(0))

/* ---- pretend_memory.c ---- */

enum fn_pretend_kind { FN_PRETEND_DEVICE = 0, FN_PRETEND_PINNED };

/* What lies behind `bytes` bytes of memory of a kind, all inside one allocation; NULL if not. */
void *fn_pretend_memory(enum fn_pretend_kind kind, const void *at, size_t bytes);
/* A word of a kernel's arguments: a device pointer becomes that of the memory. A fault, and 1, if
 * an argument that is a pointer points at what is freed or the host's; a word inside a larger
 * argument may be padding, and is left alone then (a kernel that follows it faults). */
int fn_pretend_translate(uint64_t *word, int is_pointer);

/* ---- pretend_queue.c: streams, events ---- */

struct CUgraph_st;

struct fn_work;
typedef void fn_work_run(struct fn_work *work);

/* A piece of work of a stream, or a node of a graph. What it works with follows it in memory. */
struct fn_work {
    struct fn_work *next;
    fn_work_run *run;
    int is_copy;
    double asked; /* seconds of the host's clock */
    /* wait, record */
    struct CUevent_st *event;
    uint64_t number; /* of the record that is waited for, or made */
    /* launch of a graph */
    struct CUgraph_st *graph;
    /* copy, fill */
    void *to;
    const void *from;
    size_t bytes;
    int value;
    /* kernel */
    struct fn_emu_job job;
    /* library */
    void *plan;
    /* node of a graph */
    int *needs, need_count, done, index;
};

/* The nodes that what comes next depends on. */
struct fn_front {
    int *node, count;
};

struct CUstream_st {
    struct CUstream_st *next;
    struct fn_work *head, **tail;
    struct CUgraph_st *capture; /* NULL: not capturing */
    int origin;                 /* the capture began here */
    struct fn_front front;
    double clock;   /* seconds: the end of the work that was done last */
    int gone, busy; /* busy: its piece of work is being done */
};

/* A new piece of work with `extra` bytes behind it, not yet queued. */
struct fn_work *fn_work_new(fn_work_run *run, size_t extra);
void fn_work_free(struct fn_work *work);
/* Queues it, or captures it; then lets some work be done. */
cudaError_t fn_work_add(cudaStream_t stream, struct fn_work *work);
/* All that the stream has; all of all streams. */
cudaError_t fn_stream_finish(struct CUstream_st *stream);
cudaError_t fn_streams_finish(void);
/* A moment in which other streams may go on. */
void fn_streams_disturb(void);

/* ---- pretend_graph.c ---- */

struct CUgraph_st {
    struct fn_work **node;
    int count, room, uses;
    int broken;
    enum cudaStreamCaptureMode mode;
    unsigned long thread;
};

/* cudaSuccess, or a refusal: `what` is not allowed while a stream captures. */
cudaError_t fn_capture_forbids(const char *what);
int fn_capturing(void);
void fn_graph_add(struct CUstream_st *stream, struct fn_work *work);
cudaError_t fn_graph_record(struct CUevent_st *event, struct CUstream_st *stream);
cudaError_t fn_graph_wait(struct CUstream_st *stream, struct CUevent_st *event);
void fn_graph_run(struct CUgraph_st *graph);
void fn_graph_use(struct CUgraph_st *graph, int more);

struct CUevent_st {
    struct CUevent_st *next;
    uint64_t queued, done;
    struct CUstream_st *stream;
    struct CUgraph_st *capture; /* recorded there last, not on a stream */
    struct fn_front front;
    int queries, gone;
    int timed;
    double at; /* seconds: where its last record that is done was made */
};

/* fn_launch's, for the stream that the job names. Known: this kernel has run before. */
int fn_pretend_launch(const struct fn_emu_job *job);
int fn_pretend_known(const void *code, int add);

#endif
