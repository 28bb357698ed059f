/* SPDX-License-Identifier: MIT */
/* Plans of the pretend cuDNN, run on a stream. */
#include "kernels/op.h"
#include "tests/cuda/pretend_dnn.h"

struct run {
    struct fn_pretend_conv conv;
    void *data[3];
    char *workspace;
    size_t workspace_bytes;
    int wrong;
};

/* An engine may use its workspace as it likes: what others keep there is lost. */
static void spoil(char *workspace, size_t bytes)
{
    enum { ENDS = 4096 };
    const size_t part_bytes = bytes < ENDS ? bytes : ENDS;
    if (bytes) {
        memset(workspace, 0xff, part_bytes);
        memset(workspace + bytes - part_bytes, 0xff, part_bytes);
    }
}

static void run_plan(struct fn_work *w)
{
    struct run *r = (struct run *)(void *)(w + 1);
    if (fn_pretend.options.idle)
        return;
    spoil(r->workspace, r->workspace_bytes);
    fn_pretend_conv_run(&r->conv, r->data);
    if (r->wrong) { /* an engine with a bug: its first results are nonsense */
        const int written = r->conv.pass == FN_FORWARD         ? 2
                            : r->conv.pass == FN_BACKWARD_DATA ? 0
                                                               : 1;
        memset(r->data[written], 0x41, 64);
    }
}

static void *pointer_at(const struct attribute *a, int64_t at)
{
    void *p;
    memcpy(&p, a->value + (size_t)at * sizeof p, sizeof p);
    return p;
}

/* The pointers of a pack -> where the memory is. */
static cudnnStatus_t unpack(const struct descriptor *plan, const struct descriptor *pack,
                            struct run *r)
{
    const struct attribute *uids = find(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS),
                           *data = find(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS),
                           *space = find(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE);
    size_t bytes[3];
    if (!uids || !data || uids->count != data->count)
        return fn_dnn_misuse("a pack whose names and pointers differ in number");
    fn_pretend_conv_bytes(&r->conv, bytes);
    for (int i = 0; i < 3; i++) {
        const char *at = NULL;
        for (int64_t k = 0; k < uids->count; k++)
            if (integer(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, (int)k) == plan->work.uid[i])
                at = pointer_at(data, k);
        if ((uintptr_t)at % (uintptr_t)plan->work.align)
            return fn_dnn_misuse("a pointer that is less aligned than its tensor says");
        r->data[i] = fn_pretend_memory(FN_PRETEND_DEVICE, at, bytes[i]);
        if (!r->data[i])
            return fn_dnn_misuse("a tensor that is not inside one allocation of device memory");
    }
    r->workspace_bytes = (size_t)plan->workspace;
    if (!r->workspace_bytes)
        return CUDNN_STATUS_SUCCESS;
    r->workspace =
        space ? fn_pretend_memory(FN_PRETEND_DEVICE, pointer_at(space, 0), r->workspace_bytes)
              : NULL;
    return r->workspace ? CUDNN_STATUS_SUCCESS : fn_dnn_misuse("a workspace too small, or none");
}

static cudnnStatus_t execute(const struct descriptor *plan, const struct descriptor *pack,
                             cudaStream_t stream)
{
    struct run run = {.conv = plan->work.conv,
                      .wrong =
                          plan->of && fn_pretend.options.bad_engine == (uint64_t)plan->of->engine};
    cudnnStatus_t status = unpack(plan, pack, &run);
    if (status)
        return status;
    if (stream->capture && !fn_pretend_known(plan, 0))
        return fn_dnn_misuse("a plan runs the first time while its stream captures");
    fn_pretend_known(plan, 1);
    struct fn_work *w = fn_work_new(run_plan, sizeof run);
    if (w) {
        memcpy(w + 1, &run, sizeof run);
        w->plan = w;
    }
    fn_pretend.counts.plans++;
    return fn_work_add(stream, w) ? CUDNN_STATUS_EXECUTION_FAILED : CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan,
                                  cudnnBackendDescriptor_t pack)
{
    const struct descriptor *p = check(plan), *v = check(pack);
    cudaError_t error = fn_pretend_enter();
    cudnnStatus_t status = CUDNN_STATUS_SUCCESS;
    if (!error)
        error = fn_pretend_lose();
    if (error)
        status = fn_dnn_wrong(CUDNN_STATUS_EXECUTION_FAILED, cudaGetErrorString(error));
    else if (!p || !v || !p->final || !v->final ||
             p->type != CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR)
        status = fn_dnn_misuse("what is run is no plan, or has no pack");
    else
        status = execute(p, v, handle->stream);
    fn_pretend_leave(error);
    return status;
}
