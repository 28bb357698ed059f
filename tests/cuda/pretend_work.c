/* SPDX-License-Identifier: MIT */
/* What the pretend GPU can be asked to do: copies, fills, kernels. */
#include <stdlib.h>
#include <string.h>

#include "tests/cuda/pretend_core.h"

/* ---- copies and fills ---- */

/* As large as images are: losses and scalars are copied even by a device that is idle. */
#define BATCH_BYTES ((size_t)64 << 10)

static void run_copy(struct fn_work *w)
{
    if (fn_pretend.options.idle < 2 || w->bytes < BATCH_BYTES)
        memcpy(w->to, w->from, w->bytes);
}

static void run_fill(struct fn_work *w)
{
    memset(w->to, w->value, w->bytes);
}

/* One side of a copy: where it really is. */
static void *side(enum fn_pretend_kind kind, const void *at, size_t bytes, const char *which)
{
    void *real = fn_pretend_memory(kind, at, bytes);
    if (!real)
        fn_pretend_refuse(
            cudaErrorInvalidValue, "a copy's %s, %zu bytes, is not inside %s", which, bytes,
            kind == FN_PRETEND_DEVICE ? "one allocation of device memory" : "pinned memory");
    return real;
}

static cudaError_t queue_copy(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind,
                              cudaStream_t stream)
{
    const int to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
    const int from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
    if (bytes == 0)
        return cudaSuccess;
    if (!to_device && !from_device)
        return fn_pretend_refuse(cudaErrorInvalidMemcpyDirection, "a copy of direction %d",
                                 (int)kind);
    void *real_to = side(to_device ? FN_PRETEND_DEVICE : FN_PRETEND_PINNED, to, bytes, "target");
    void *real_from =
        side(from_device ? FN_PRETEND_DEVICE : FN_PRETEND_PINNED, from, bytes, "source");
    if (!real_to || !real_from)
        return cudaErrorInvalidValue;
    struct fn_work *w = fn_work_new(run_copy, 0);
    if (w) {
        w->to = real_to;
        w->from = real_from;
        w->bytes = bytes;
        w->is_copy = 1;
    }
    return fn_work_add(stream, w);
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind,
                            cudaStream_t stream)
{
    cudaError_t error = fn_pretend_enter();
    if (!error)
        error = fn_pretend_lose();
    fn_pretend.counts.copies++;
    fn_pretend.counts.copy_bytes += bytes;
    return fn_pretend_leave(error ? error : queue_copy(to, from, bytes, kind, stream));
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t stream)
{
    cudaError_t error = fn_pretend_enter();
    if (!error)
        error = fn_pretend_lose();
    fn_pretend.counts.fills++;
    if (error || bytes == 0)
        return fn_pretend_leave(error);
    void *real = side(FN_PRETEND_DEVICE, to, bytes, "target");
    struct fn_work *w = real ? fn_work_new(run_fill, 0) : NULL;
    if (!real)
        return fn_pretend_leave(cudaErrorInvalidValue);
    if (w) {
        w->to = real;
        w->value = value;
        w->bytes = bytes;
    }
    return fn_pretend_leave(fn_work_add(stream, w));
}

/* ---- kernels ---- */

enum { KNOWN = 4096 }; /* kernels and plans that were run: a hash table, a power of two */

int fn_pretend_known(const void *code, int add)
{
    static const void *known[KNOWN];
    static unsigned count;
    unsigned at = (unsigned)((uintptr_t)code * UINT64_C(0x9e3779b97f4a7c15) >> 52);
    while (known[at % KNOWN] && known[at % KNOWN] != code)
        at++;
    if (known[at % KNOWN])
        return 1;
    if (add && ++count < KNOWN)
        known[at % KNOWN] = code;
    return 0;
}

static void run_kernel(struct fn_work *w)
{
    if (fn_pretend.options.idle)
        return;
    if (fn_pretend.options.order == FN_PRETEND_RANDOM)
        fn_emu_order(FN_PRETEND_RANDOM + (int)(fn_pretend_random() % 1024));
    else
        fn_emu_order((int)fn_pretend.options.order);
    fn_emu_run(&w->job);
}

static size_t padded(size_t bytes)
{
    return (bytes + 15) / 16 * 16;
}

/* Copies the arguments behind the work, their pointers moved to the memory. */
static int copy_arguments(struct fn_work *w, const struct fn_emu_job *job)
{
    char *at = (char *)(w + 1);
    at += -(uintptr_t)at % 16;
    void **list = (void **)(void *)at;
    at += padded((size_t)job->count * sizeof *list);
    for (int i = 0; i < job->count; i++) {
        list[i] = at;
        memcpy(at, job->arguments[i], job->bytes[i]);
        for (size_t k = 0; k + sizeof(uint64_t) <= job->bytes[i]; k += sizeof(uint64_t)) {
            uint64_t word;
            memcpy(&word, at + k, sizeof word);
            if (fn_pretend_translate(&word, job->bytes[i] == sizeof word))
                return 1;
            memcpy(at + k, &word, sizeof word);
        }
        at += padded(job->bytes[i]);
    }
    w->job = *job;
    w->job.arguments = list;
    w->job.bytes = NULL;
    return 0;
}

static cudaError_t queue_kernel(const struct fn_emu_job *job)
{
    void *code;
    size_t extra = padded((size_t)job->count * sizeof(void *)) + 16;
    memcpy(&code, &job->kernel, sizeof code);
    for (int i = 0; i < job->count; i++)
        extra += padded(job->bytes[i]);
    if (job->stream && job->stream->capture && !fn_pretend_known(code, 0))
        return fn_pretend_refuse(cudaErrorStreamCaptureUnsupported,
                                 "a kernel is launched the first time while its stream captures");
    struct fn_work *w = fn_work_new(run_kernel, extra);
    if (!w)
        return cudaErrorMemoryAllocation;
    if (copy_arguments(w, job)) {
        fn_work_free(w);
        return cudaErrorInvalidValue;
    }
    fn_pretend_known(code, 1);
    return fn_work_add(job->stream, w);
}

int fn_pretend_launch(const struct fn_emu_job *job)
{
    cudaError_t error = fn_pretend_enter();
    if (!error)
        error = fn_pretend_lose();
    fn_pretend.counts.launches++;
    return (int)fn_pretend_leave(error ? error : queue_kernel(job));
}
