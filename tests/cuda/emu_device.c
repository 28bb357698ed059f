/* SPDX-License-Identifier: MIT */
/* A device for the CUDA backend whose kernels run in the emulator: everything that kernels/cuda
 * takes from the CUDA runtime and from cuDNN, on the host. Memory is watched, work is done when a
 * call returns; convolutions and matrix products are those of the reference backend, in fp32, on
 * copies where the tensors are bf16. fn_backend_open("cuda") opens it (linked with
 * --wrap=fn_backend_open); every device that is opened runs its kernels in another order of blocks
 * and threads. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/cuda.h"
#include "kernels/host.h"
#include "tests/cuda/emu_run.h"

struct fn_cuda_runtime {
    struct fn_dev *ref;
    int order;
    double posted[FN_CUDA_LOSS_SLOTS][FN_LOSS_COUNT];
};

int __real_fn_backend_open(const char *name, const struct fn_dev_options *options,
                           const struct fn_backend **backend, struct fn_dev **dev,
                           const char **why);
int __wrap_fn_backend_open(const char *name, const struct fn_dev_options *options,
                           const struct fn_backend **backend, struct fn_dev **dev,
                           const char **why);

int __wrap_fn_backend_open(const char *name, const struct fn_dev_options *options,
                           const struct fn_backend **backend, struct fn_dev **dev, const char **why)
{
    const char *also = getenv("FN_EMULATE"); /* the backend whose place this one takes in a test */
    if (strcmp(name, "cuda") != 0 && !(also && strcmp(name, also) == 0))
        return __real_fn_backend_open(name, options, backend, dev, why);
    if (why)
        *why = NULL;
    *backend = &fn_backend_cuda;
    return fn_cuda_open(dev, options);
}

int fn_cuda_result(int error, const char *what)
{
    return error ? fn_fail(FN_EDEVICE, "%s: error %d", what, error) : FN_OK;
}

int fn_cuda_open(struct fn_dev **out, const struct fn_dev_options *options)
{
    static int opened;
    const struct fn_dev_options plain = {.threads = 1};
    struct fn_dev *dev = calloc(1, sizeof *dev);
    struct fn_cuda_runtime *rt = calloc(1, sizeof *rt);
    void *scratch = fn_emu_alloc(fn_k_scratch_bytes()),
         *state = fn_emu_alloc(sizeof(struct fn_k_state));
    *out = dev;
    if (!dev || !rt || !scratch || !state)
        return fn_fail(FN_ENOMEM, "no memory for an emulated device");
    memset(scratch, 0, fn_k_scratch_bytes());
    memset(state, 0, sizeof(struct fn_k_state));
    dev->bf16 = options->precision == FN_BF16;
    dev->info = (struct fn_dev_info){.backend = "cuda",
                                     .device = "kernels in the emulator",
                                     .bits = "emulator",
                                     .scalar_bytes = dev->bf16 ? 2 : 4,
                                     .param_bytes = 4};
    dev->queue.scratch = fn_k_scratch_of(scratch);
    dev->queue.state = state;
    dev->runtime = rt;
    rt->order = opened++ % 4;
    return fn_backend_ref.open(&rt->ref, &plain);
}

void fn_cuda_close(struct fn_dev **dev)
{
    if (!*dev)
        return;
    fn_cuda_tables_free(*dev);
    fn_emu_free((*dev)->distances);
    fn_emu_free((*dev)->queue.scratch.partial);
    fn_emu_free((*dev)->queue.state);
    fn_backend_ref.close(&(*dev)->runtime->ref);
    free((*dev)->runtime);
    free(*dev);
    *dev = NULL;
}

const struct fn_dev_info *fn_cuda_info(const struct fn_dev *dev)
{
    return &dev->info;
}

int fn_cuda_sync(struct fn_dev *dev)
{
    /* Every launch left the counters as it found them. */
    for (int i = 0; i < FN_K_BLOCKS; i++)
        if (dev->queue.scratch.counter[i])
            return fn_fail(FN_EINTERNAL, "counter %d of the kernels is not 0", i);
    return FN_OK;
}

int fn_cuda_alloc(struct fn_dev *dev, size_t bytes, int kind, void **out)
{
    (void)kind;
    fn_emu_order(dev->runtime->order); /* every case begins with memory */
    *out = fn_emu_alloc(bytes);
    return *out ? FN_OK : fn_fail(FN_ENOMEM, "no memory for %zu bytes", bytes);
}

void fn_cuda_free(struct fn_dev *dev, int kind, void *data)
{
    (void)dev, (void)kind;
    fn_emu_free(data);
}

int fn_cuda_zero(struct fn_dev *dev, void *data, size_t bytes)
{
    memset(data, 0, bytes);
    return fn_cuda_shadow_refresh(dev, data, bytes);
}

int fn_cuda_write(struct fn_dev *dev, void *device, const void *host, size_t bytes)
{
    memcpy(device, host, bytes);
    return fn_cuda_shadow_refresh(dev, device, bytes);
}

int fn_cuda_read(struct fn_dev *dev, const void *device, void *host, size_t bytes)
{
    (void)dev;
    memcpy(host, device, bytes);
    return FN_OK;
}

void fn_cuda_workspace(struct fn_dev *dev, void *data, size_t bytes)
{
    dev->workspace = data;
    dev->workspace_bytes = bytes;
    fn_backend_ref.workspace(dev->runtime->ref, data, bytes);
}

int fn_cuda_step_begin(struct fn_dev *dev, const struct fn_step *step)
{
    dev->queue.state->step = fn_cuda_step_of(step);
    fn_emu_order(dev->runtime->order);
    return FN_OK;
}

int fn_cuda_batch_upload(struct fn_dev *dev, int slot, const uint8_t *images, size_t image_bytes,
                         const int32_t *labels, size_t label_count, const uint8_t **dev_images,
                         const int32_t **dev_labels)
{
    (void)dev, (void)slot, (void)image_bytes, (void)label_count;
    *dev_images = images;
    *dev_labels = labels;
    return FN_OK;
}

int fn_cuda_batch_use(struct fn_dev *dev, int slot)
{
    (void)slot;
    fn_emu_order(dev->runtime->order);
    return FN_OK;
}

int fn_cuda_batch_release(struct fn_dev *dev, int slot, int wait)
{
    (void)dev, (void)slot, (void)wait;
    return FN_OK;
}

int fn_cuda_losses_post(struct fn_dev *dev, int slot)
{
    double *losses = dev->queue.state->losses;
    memcpy(dev->runtime->posted[slot], losses, FN_LOSS_COUNT * sizeof *losses);
    memset(losses, 0, FN_LOSS_COUNT * sizeof *losses);
    return FN_OK;
}

int fn_cuda_losses_wait(struct fn_dev *dev, int slot, double losses[FN_LOSS_COUNT])
{
    memcpy(losses, dev->runtime->posted[slot], FN_LOSS_COUNT * sizeof *losses);
    return FN_OK;
}

/* Nothing is kept for later here. */
int fn_cuda_record_begin(struct fn_dev *dev)
{
    (void)dev;
    return fn_fail(FN_EUNSUPPORTED, "the emulator records nothing");
}

int fn_cuda_record_end(struct fn_dev *dev, struct fn_recording **out)
{
    (void)out;
    return fn_cuda_record_begin(dev);
}

int fn_cuda_replay(struct fn_dev *dev, const struct fn_recording *recording)
{
    (void)recording;
    return fn_cuda_record_begin(dev);
}

void fn_cuda_record_free(struct fn_recording **recording)
{
    *recording = NULL;
}
