/* SPDX-License-Identifier: MIT */
/* A recorded step: captured from the compute stream, replayed as one launch. */
#include <stdlib.h>

#include "kernels/cuda/runtime.h"

struct fn_recording {
    cudaGraphExec_t graph;
    uint64_t moves; /* the device's when it was recorded */
    size_t nodes;
};

int fn_cuda_record_begin(struct fn_dev *dev)
{
    struct fn_cuda_runtime *rt = dev->runtime;
    int rc = fn_cuda_may_wait(dev, "a recording begins");
    if (rc)
        return rc;
    /* Loader threads call nothing of CUDA; this thread's calls are all checked. */
    CU(cudaStreamBeginCapture(rt->compute, cudaStreamCaptureModeThreadLocal));
    rt->recording = 1;
    return FN_OK;
}

static int instantiate(struct fn_dev *dev, cudaGraph_t graph, struct fn_recording **out)
{
    struct fn_recording *r = calloc(1, sizeof *r);
    if (!r)
        return fn_fail(FN_ENOMEM, "out of memory for a recorded step");
    r->moves = dev->moves;
    int rc = fn_cuda_result((int)cudaGraphGetNodes(graph, NULL, &r->nodes), "cudaGraphGetNodes");
    if (!rc)
        rc = fn_cuda_result((int)cudaGraphInstantiate(&r->graph, graph, 0), "cudaGraphInstantiate");
    if (rc)
        fn_cuda_record_free(&r);
    *out = r;
    return rc;
}

int fn_cuda_record_end(struct fn_dev *dev, struct fn_recording **out)
{
    struct fn_cuda_runtime *rt = dev->runtime;
    cudaGraph_t graph = NULL;
    if (out)
        *out = NULL;
    rt->recording = 0;
    const cudaError_t error = cudaStreamEndCapture(rt->compute, &graph);
    int rc = FN_OK;
    if (!out)
        (void)cudaGetLastError(); /* a failed op has said what is wrong */
    else
        rc = fn_cuda_result((int)error, "cudaStreamEndCapture");
    if (out && !rc)
        rc = instantiate(dev, graph, out);
    if (graph)
        (void)cudaGraphDestroy(graph);
    return rc;
}

int fn_cuda_replay(struct fn_dev *dev, const struct fn_recording *recording)
{
    if (recording->moves != dev->moves)
        return fn_fail(FN_EBUSY, "memory of a recorded step has moved");
    CU(cudaGraphLaunch(recording->graph, dev->runtime->compute));
    return FN_OK;
}

size_t fn_cuda_record_nodes(const struct fn_recording *recording)
{
    return recording->nodes;
}

void fn_cuda_record_free(struct fn_recording **recording)
{
    struct fn_recording *r = *recording;
    if (!r)
        return;
    if (r->graph)
        (void)cudaGraphExecDestroy(r->graph);
    free(r);
    *recording = NULL;
}
