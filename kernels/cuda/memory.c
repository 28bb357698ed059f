/* SPDX-License-Identifier: MIT */
/* Memory of the device and pinned memory of the host; plain copies, through pinned memory. */
#include <string.h>

#include "kernels/cuda/runtime.h"

int fn_cuda_may_wait(const struct fn_dev *dev, const char *what)
{
    return dev->runtime->recording ? fn_fail(FN_EINTERNAL, "%s while a step is recorded", what)
                                   : FN_OK;
}

int fn_cuda_alloc(struct fn_dev *dev, size_t bytes, int kind, void **out)
{
    const size_t size = bytes ? bytes : 1;
    int rc = fn_cuda_may_wait(dev, "memory is asked for");
    *out = NULL;
    if (rc)
        return rc;
    cudaError_t error = kind == FN_MEM_HOST ? cudaHostAlloc(out, size, cudaHostAllocDefault)
                                            : cudaMalloc(out, size);
    if (error == cudaErrorMemoryAllocation) {
        (void)cudaGetLastError(); /* said here, and not again by the next launch */
        *out = NULL;
        return fn_fail(FN_ENOMEM, "out of %s: %zu bytes were asked for",
                       kind == FN_MEM_HOST ? "pinned host memory" : "GPU memory", bytes);
    }
    return fn_cuda_result((int)error, kind == FN_MEM_HOST ? "pinned memory" : "GPU memory");
}

void fn_cuda_free(struct fn_dev *dev, int kind, void *data)
{
    if (!data)
        return;
    dev->moves += kind == FN_MEM_DEVICE;
    /* Nothing that is still to run may use it. */
    (void)cudaStreamSynchronize(dev->runtime->upload);
    (void)cudaStreamSynchronize(dev->runtime->compute);
    (void)(kind == FN_MEM_HOST ? cudaFreeHost(data) : cudaFree(data));
}

int fn_cuda_zero(struct fn_dev *dev, void *data, size_t bytes)
{
    if (bytes == 0)
        return FN_OK;
    CU(cudaMemsetAsync(data, 0, bytes, dev->runtime->compute));
    return fn_cuda_shadow_refresh(dev, data, bytes);
}

int fn_cuda_write(struct fn_dev *dev, void *device, const void *host, size_t bytes)
{
    struct fn_cuda_runtime *rt = dev->runtime;
    int rc = fn_cuda_may_wait(dev, "memory is written");
    for (size_t at = 0; at < bytes && !rc; at += FN_CUDA_BOUNCE) {
        const size_t part = bytes - at < FN_CUDA_BOUNCE ? bytes - at : FN_CUDA_BOUNCE;
        memcpy(rt->bounce, (const char *)host + at, part);
        CU(cudaMemcpyAsync((char *)device + at, rt->bounce, part, cudaMemcpyHostToDevice,
                           rt->compute));
        CU(cudaStreamSynchronize(rt->compute));
    }
    return rc ? rc : fn_cuda_shadow_refresh(dev, device, bytes);
}

int fn_cuda_read(struct fn_dev *dev, const void *device, void *host, size_t bytes)
{
    struct fn_cuda_runtime *rt = dev->runtime;
    int rc = fn_cuda_may_wait(dev, "memory is read");
    for (size_t at = 0; at < bytes && !rc; at += FN_CUDA_BOUNCE) {
        const size_t part = bytes - at < FN_CUDA_BOUNCE ? bytes - at : FN_CUDA_BOUNCE;
        CU(cudaMemcpyAsync(rt->bounce, (const char *)device + at, part, cudaMemcpyDeviceToHost,
                           rt->compute));
        CU(cudaStreamSynchronize(rt->compute));
        memcpy((char *)host + at, rt->bounce, part);
    }
    return rc;
}

void fn_cuda_workspace(struct fn_dev *dev, void *data, size_t bytes)
{
    dev->workspace = data;
    dev->workspace_bytes = bytes;
    dev->moves++;
}
