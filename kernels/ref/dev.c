/* SPDX-License-Identifier: MIT */
/* The device: a few numbers kept between ops. Everything is done when a call returns, so uploads
 * and waiting are nothing. */
#include "kernels/ref/ref.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/host.h"

int fn_ref_open(struct fn_dev **out, const struct fn_dev_options *options)
{
    *out = NULL;
    if (options->precision != FN_FP32)
        return fn_fail(FN_EUNSUPPORTED, "the reference backend computes in fp32 only");
    struct fn_dev *dev = calloc(1, sizeof *dev);
    if (!dev)
        return fn_fail(FN_ENOMEM, "out of memory for a device");
    const char *type = sizeof(fn_real) == sizeof(double) ? "double" : "float";
    dev->threads = options->threads > 0 ? options->threads : fn_host_cores();
    dev->info.backend = sizeof(fn_real) == sizeof(double) ? "ref64" : "ref";
    dev->info.scalar_bytes = dev->info.param_bytes = sizeof(fn_real);
    dev->info.memory_free = fn_host_memory_free();
    snprintf(dev->info.device, sizeof dev->info.device, "plain loops in %s, %d thread%s", type,
             dev->threads, dev->threads == 1 ? "" : "s");
    /* Sums do not depend on the threads here, but exp and pow are the library's. */
    snprintf(dev->info.bits, sizeof dev->info.bits, "plain loops in %s, compiler %s", type,
             __VERSION__);
    *out = dev;
    return FN_OK;
}

void fn_ref_close(struct fn_dev **dev)
{
    free(*dev);
    *dev = NULL;
}

const struct fn_dev_info *fn_ref_info(const struct fn_dev *dev)
{
    return &dev->info;
}

int fn_ref_sync(struct fn_dev *dev)
{
    (void)dev;
    return FN_OK;
}

void fn_ref_workspace(struct fn_dev *dev, void *data, size_t bytes)
{
    dev->workspace = data;
    dev->workspace_bytes = bytes;
}

int fn_ref_step_begin(struct fn_dev *dev, const struct fn_step *step)
{
    dev->step = *step;
    dev->bad = 0;
    return FN_OK;
}

int fn_ref_batch_upload(struct fn_dev *dev, int slot, const uint8_t *images, size_t image_bytes,
                        const int32_t *labels, size_t label_count, const uint8_t **dev_images,
                        const int32_t **dev_labels)
{
    (void)dev, (void)slot, (void)image_bytes, (void)label_count;
    assert(slot >= 0 && slot < FN_UPLOAD_SLOTS);
    *dev_images = images;
    *dev_labels = labels;
    return FN_OK;
}

int fn_ref_batch_use(struct fn_dev *dev, int slot)
{
    (void)dev, (void)slot;
    assert(slot >= 0 && slot < FN_UPLOAD_SLOTS);
    return FN_OK;
}

int fn_ref_batch_release(struct fn_dev *dev, int slot, int wait)
{
    (void)dev, (void)slot, (void)wait;
    assert(slot >= 0 && slot < FN_UPLOAD_SLOTS);
    return FN_OK;
}

int fn_ref_losses_post(struct fn_dev *dev, int slot)
{
    assert(slot >= 0 && slot < FN_REF_LOSS_SLOTS);
    memcpy(dev->posted[slot], dev->losses, sizeof dev->losses);
    memset(dev->losses, 0, sizeof dev->losses);
    return FN_OK;
}

int fn_ref_losses_wait(struct fn_dev *dev, int slot, double losses[FN_LOSS_COUNT])
{
    assert(slot >= 0 && slot < FN_REF_LOSS_SLOTS);
    memcpy(losses, dev->posted[slot], sizeof dev->losses);
    return FN_OK;
}
