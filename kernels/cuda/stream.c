/* SPDX-License-Identifier: MIT */
/* The two streams and their events: batches in, the step's scalars, losses out. */
#include <assert.h>
#include <string.h>

#include "kernels/cuda/runtime.h"

static int make_event(cudaEvent_t *event, unsigned timing)
{
    /* A host that waits sleeps: its cores belong to the loader. */
    CU(cudaEventCreateWithFlags(event, cudaEventBlockingSync | timing));
    return FN_OK;
}

static void free_event(cudaEvent_t event)
{
    if (event)
        (void)cudaEventDestroy(event);
}

/* On a boundary of its own, as a device's memory would be. */
static size_t aligned(size_t bytes)
{
    return (bytes + 255) / 256 * 256;
}

static int make_memory(struct fn_dev *dev)
{
    struct fn_cuda_runtime *rt = dev->runtime;
    const size_t scratch = aligned(fn_k_scratch_bytes()),
                 bytes = scratch + sizeof *dev->queue.state;
    void *losses, *bounce;
    int rc = fn_cuda_alloc(dev, bytes, FN_MEM_DEVICE, &rt->memory);
    if (rc)
        return rc;
    dev->queue.scratch = fn_k_scratch_of(rt->memory);
    dev->queue.state = (void *)((char *)rt->memory + scratch);
    rc = fn_cuda_zero(dev, rt->memory, bytes);
    if (!rc)
        rc = fn_cuda_alloc(dev, FN_CUDA_LOSS_SLOTS * FN_LOSS_COUNT * sizeof *rt->losses,
                           FN_MEM_HOST, &losses);
    if (rc)
        return rc;
    rt->losses = losses;
    rc = fn_cuda_alloc(dev, FN_CUDA_BOUNCE, FN_MEM_HOST, &bounce);
    if (!rc)
        rt->bounce = bounce;
    return rc;
}

int fn_cuda_runtime_open(struct fn_dev *dev)
{
    struct fn_cuda_runtime *rt = dev->runtime;
    int rc = FN_OK;
    CU(cudaStreamCreateWithFlags(&rt->compute, cudaStreamNonBlocking));
    CU(cudaStreamCreateWithFlags(&rt->upload, cudaStreamNonBlocking));
    dev->queue.stream = rt->compute;
    for (int i = 0; i < FN_UPLOAD_SLOTS && !rc; i++) {
        rc = make_event(&rt->slot[i].uploaded, cudaEventDisableTiming);
        if (!rc)
            rc = make_event(&rt->slot[i].used, cudaEventDisableTiming);
    }
    for (int i = 0; i < FN_CUDA_LOSS_SLOTS && !rc; i++) {
        rc = make_event(&rt->step[i].posted, 0);
        if (!rc)
            rc = make_event(&rt->begun[i], 0);
    }
    return rc ? rc : make_memory(dev);
}

static void free_batch(struct fn_dev *dev, struct fn_cuda_batch *batch)
{
    fn_cuda_free(dev, FN_MEM_DEVICE, batch->images);
    fn_cuda_free(dev, FN_MEM_DEVICE, batch->labels);
    memset(batch, 0, sizeof *batch);
}

void fn_cuda_runtime_close(struct fn_dev *dev)
{
    struct fn_cuda_runtime *rt = dev->runtime;
    free_batch(dev, &rt->current);
    for (int i = 0; i < FN_UPLOAD_SLOTS; i++) {
        free_batch(dev, &rt->slot[i].batch);
        free_event(rt->slot[i].uploaded);
        free_event(rt->slot[i].used);
    }
    for (int i = 0; i < FN_CUDA_LOSS_SLOTS; i++) {
        free_event(rt->step[i].posted);
        free_event(rt->begun[i]);
    }
    fn_cuda_free(dev, FN_MEM_DEVICE, rt->memory);
    fn_cuda_free(dev, FN_MEM_HOST, rt->losses);
    fn_cuda_free(dev, FN_MEM_HOST, rt->bounce);
    if (rt->upload)
        (void)cudaStreamDestroy(rt->upload);
    if (rt->compute)
        (void)cudaStreamDestroy(rt->compute);
}

int fn_cuda_sync(struct fn_dev *dev)
{
    int rc = fn_cuda_may_wait(dev, "the device is waited for");
    if (rc)
        return rc;
    CU(cudaStreamSynchronize(dev->runtime->compute));
    return FN_OK;
}

int fn_cuda_step_begin(struct fn_dev *dev, const struct fn_step *step)
{
    const struct fn_k_step scalars = fn_cuda_step_of(step);
    assert(!dev->runtime->recording);
    return fn_cuda_result(fn_k_step_begin(&dev->queue, &scalars), "step scalars");
}

/* ---- batches -------------------------------------------------------------------------------- */

/* Room for a batch: kept, and made larger when one needs it. */
static int make_room(struct fn_dev *dev, struct fn_cuda_batch *batch, size_t images, size_t labels)
{
    void *data;
    int rc;
    if (batch->images && images <= batch->images_size && labels <= batch->labels_size)
        return FN_OK;
    free_batch(dev, batch);
    rc = fn_cuda_alloc(dev, images, FN_MEM_DEVICE, &data);
    if (rc)
        return rc;
    batch->images = data;
    batch->images_size = images;
    rc = fn_cuda_alloc(dev, labels, FN_MEM_DEVICE, &data);
    if (rc)
        return rc;
    batch->labels = data;
    batch->labels_size = labels;
    return FN_OK;
}

int fn_cuda_batch_upload(struct fn_dev *dev, int slot, const uint8_t *images, size_t image_bytes,
                         const int32_t *labels, size_t label_count, const uint8_t **dev_images,
                         const int32_t **dev_labels)
{
    struct fn_cuda_runtime *rt = dev->runtime;
    struct fn_cuda_slot *s = &rt->slot[slot];
    const size_t label_bytes = label_count * sizeof *labels;
    assert(slot >= 0 && slot < FN_UPLOAD_SLOTS);
    int rc = make_room(dev, &s->batch, image_bytes, label_bytes);
    if (!rc)
        rc = make_room(dev, &rt->current, image_bytes, label_bytes);
    if (rc)
        return fn_fail_in(rc, "a batch of %zu bytes", image_bytes);
    CU(cudaStreamWaitEvent(rt->upload, s->used, 0));
    CU(cudaMemcpyAsync(s->batch.images, images, image_bytes, cudaMemcpyHostToDevice, rt->upload));
    CU(cudaMemcpyAsync(s->batch.labels, labels, label_bytes, cudaMemcpyHostToDevice, rt->upload));
    CU(cudaEventRecord(s->uploaded, rt->upload));
    s->images_bytes = image_bytes;
    s->labels_bytes = label_bytes;
    *dev_images = rt->current.images;
    *dev_labels = rt->current.labels;
    return FN_OK;
}

int fn_cuda_batch_use(struct fn_dev *dev, int slot)
{
    struct fn_cuda_runtime *rt = dev->runtime;
    struct fn_cuda_slot *s = &rt->slot[slot];
    assert(slot >= 0 && slot < FN_UPLOAD_SLOTS && s->batch.images);
    CU(cudaStreamWaitEvent(rt->compute, s->uploaded, 0));
    CU(cudaEventRecord(rt->begun[rt->turn], rt->compute));
    rt->is_begun = 1;
    CU(cudaMemcpyAsync(rt->current.images, s->batch.images, s->images_bytes,
                       cudaMemcpyDeviceToDevice, rt->compute));
    CU(cudaMemcpyAsync(rt->current.labels, s->batch.labels, s->labels_bytes,
                       cudaMemcpyDeviceToDevice, rt->compute));
    CU(cudaEventRecord(s->used, rt->compute));
    return FN_OK;
}

int fn_cuda_batch_release(struct fn_dev *dev, int slot, int wait)
{
    const struct fn_cuda_slot *s = &dev->runtime->slot[slot];
    assert(slot >= 0 && slot < FN_UPLOAD_SLOTS);
    if (wait) {
        CU(cudaEventSynchronize(s->uploaded));
        return FN_OK;
    }
    const cudaError_t error = cudaEventQuery(s->uploaded);
    if (error == cudaErrorNotReady)
        return fn_fail(FN_EBUSY, "batch slot %d is still being read", slot);
    return fn_cuda_result((int)error, "cudaEventQuery(uploaded)");
}

/* ---- losses --------------------------------------------------------------------------------- */

int fn_cuda_losses_post(struct fn_dev *dev, int slot)
{
    struct fn_cuda_runtime *rt = dev->runtime;
    struct fn_cuda_step *step = &rt->step[slot];
    double *gathered = dev->queue.state->losses; /* an address on the device */
    const size_t bytes = FN_LOSS_COUNT * sizeof *gathered;
    assert(slot >= 0 && slot < FN_CUDA_LOSS_SLOTS);
    CU(cudaMemcpyAsync(rt->losses + (size_t)slot * FN_LOSS_COUNT, gathered, bytes,
                       cudaMemcpyDeviceToHost, rt->compute));
    CU(cudaMemsetAsync(gathered, 0, bytes, rt->compute));
    CU(cudaEventRecord(step->posted, rt->compute));
    step->begun = rt->is_begun ? rt->begun[rt->turn] : NULL;
    step->before = rt->posted == step->posted ? NULL : rt->posted;
    rt->posted = step->posted;
    rt->turn = (rt->turn + rt->is_begun) % FN_CUDA_LOSS_SLOTS;
    rt->is_begun = 0;
    return FN_OK;
}

int fn_cuda_losses_wait(struct fn_dev *dev, int slot, double losses[FN_LOSS_COUNT])
{
    const struct fn_cuda_runtime *rt = dev->runtime;
    assert(slot >= 0 && slot < FN_CUDA_LOSS_SLOTS);
    CU(cudaEventSynchronize(rt->step[slot].posted));
    memcpy(losses, rt->losses + (size_t)slot * FN_LOSS_COUNT, FN_LOSS_COUNT * sizeof *losses);
    return FN_OK;
}

int fn_cuda_idle(struct fn_dev *dev, int slot, double *seconds)
{
    const struct fn_cuda_step *step = &dev->runtime->step[slot];
    float ms;
    *seconds = 0;
    assert(slot >= 0 && slot < FN_CUDA_LOSS_SLOTS);
    if (!step->begun || !step->before)
        return FN_OK;
    CU(cudaEventElapsedTime(&ms, step->before, step->begun));
    *seconds = ms > 0 ? ms * 1e-3 : 0;
    return FN_OK;
}
