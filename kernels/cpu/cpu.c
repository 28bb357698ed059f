/* SPDX-License-Identifier: MIT */
/* The device and its table. Everything is done when a call returns, so that uploads and waiting are
 * nothing. */
#include "kernels/cpu/cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <omp.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "kernels/host.h"

static void flush_denormals(void)
{
#if defined(__x86_64__)
    _mm_setcsr(_mm_getcsr() | 0x8040); /* flush to zero, denormals are zero */
#elif defined(__aarch64__)
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    __asm__ volatile("msr fpcr, %0" : : "r"(fpcr | (UINT64_C(1) << 24)));
#endif
}

/* OpenMP keeps a pool for each thread that opens regions, and the number of threads is such a
 * thread's own setting: both are seen to once for a thread. */
void fn_cpu_enter(struct fn_dev *dev)
{
    static _Thread_local int ready;
    if (ready == dev->threads && omp_get_max_threads() == ready)
        return;
    omp_set_dynamic(0);
    omp_set_num_threads(dev->threads);
#pragma omp parallel num_threads(dev->threads)
    flush_denormals();
    ready = dev->threads;
}

void fn_cpu_share(size_t total, size_t *begin, size_t *end)
{
    size_t threads = (size_t)omp_get_num_threads(), me = (size_t)omp_get_thread_num();
    size_t each = total / threads, more = total % threads;
    *begin = me * each + (me < more ? me : more);
    *end = *begin + each + (me < more);
}

size_t fn_cpu_thread(void)
{
    return (size_t)omp_get_thread_num();
}

int fn_cpu_scratch(struct fn_dev *dev, size_t bytes, void **out)
{
    *out = dev->scratch;
    if (bytes <= dev->scratch_bytes)
        return FN_OK;
    free(dev->scratch);
    dev->scratch = NULL;
    dev->scratch_bytes = 0;
    int rc = fn_host_alloc(bytes, &dev->scratch);
    if (rc == FN_OK)
        dev->scratch_bytes = bytes;
    *out = dev->scratch;
    return rc;
}

/* ---- open and close ------------------------------------------------------------------------- */

static void choose_loops(struct fn_dev *dev)
{
    dev->loops = &fn_cpu_loops_base;
    dev->rows = &fn_cpu_planes_base;
    dev->winograd = &fn_winograd_base;
#if defined(__x86_64__)
    if (fn_dnn_isa() == FN_DNN_AVX512) {
        dev->loops = &fn_cpu_loops_avx512;
        dev->rows = &fn_cpu_planes_avx512;
        dev->winograd = dev->narrow ? &fn_winograd_bf16 : &fn_winograd_avx512;
    } else if (fn_dnn_isa() == FN_DNN_AVX2) {
        dev->loops = &fn_cpu_loops_avx2;
        dev->rows = &fn_cpu_planes_avx2;
        dev->winograd = &fn_winograd_avx2;
    }
#endif
    dev->maps = dev->rows;
#if defined(__x86_64__)
    if (dev->narrow)
        dev->maps = &fn_cpu_planes_bf16;
#endif
    assert(dev->loops->block == (size_t)fn_dnn_block(dev->dnn));
}

static void describe(struct fn_dev *dev)
{
    struct fn_dev_info *info = &dev->info;
    const char *more = dev->narrow ? " with bf16" : "";
    info->backend = "cpu";
    info->scalar_bytes = dev->maps->scalar_bytes;
    info->param_bytes = sizeof(float);
    info->memory_free = fn_host_memory_free();
    snprintf(info->device, sizeof info->device, "oneDNN %s, %s%s, %d thread%s", fn_dnn_version(),
             dev->loops->isa, more, dev->threads, dev->threads == 1 ? "" : "s");
    snprintf(info->bits, sizeof info->bits, "oneDNN %s %s, loops %s%s, compiler %s, %d threads",
             fn_dnn_version(), fn_dnn_isa_name(), dev->loops->isa, more, __VERSION__, dev->threads);
}

static void cpu_close(struct fn_dev **dev)
{
    if (!*dev)
        return;
    fn_dnn_close(&(*dev)->dnn);
    free((*dev)->scratch);
    free(*dev);
    *dev = NULL;
}

static int cpu_open(struct fn_dev **out, const struct fn_dev_options *options)
{
    int rc, got = 0;
    struct fn_dev *dev = NULL;
    *out = NULL;
    if (options->precision != FN_FP32 && !fn_dnn_bf16())
        return fn_fail(FN_EUNSUPPORTED,
                       "this processor has no AVX-512 with bf16 (oneDNN may use %s here): use fp32",
                       fn_dnn_isa_name());
    dev = calloc(1, sizeof *dev);
    if (!dev)
        return fn_fail(FN_ENOMEM, "out of memory for a device");
    dev->narrow = options->precision != FN_FP32;
    dev->threads = options->threads > 0 ? options->threads : fn_host_cores();
    fn_cpu_enter(dev);
#pragma omp parallel num_threads(dev->threads)
    {
#pragma omp single
        got = omp_get_num_threads();
    }
    if (got != dev->threads) {
        rc = fn_fail(FN_EUNSUPPORTED, "%d compute threads were asked for, OpenMP gives %d",
                     dev->threads, got);
        goto out;
    }
    rc = fn_dnn_open(&dev->dnn);
    if (rc != FN_OK)
        goto out;
    choose_loops(dev);
    describe(dev);
    *out = dev;
out:
    if (rc != FN_OK)
        cpu_close(&dev);
    return rc;
}

static const struct fn_dev_info *cpu_info(const struct fn_dev *dev)
{
    return &dev->info;
}

static int cpu_sync(struct fn_dev *dev)
{
    (void)dev;
    return FN_OK;
}

/* ---- steps, batches, losses ----------------------------------------------------------------- */

static void cpu_workspace(struct fn_dev *dev, void *data, size_t bytes)
{
    dev->workspace = data;
    dev->workspace_bytes = bytes;
}

static int cpu_step_begin(struct fn_dev *dev, const struct fn_step *step)
{
    dev->step = *step;
    dev->stopped = 0;
    return FN_OK;
}

static int cpu_batch_upload(struct fn_dev *dev, int slot, const uint8_t *images, size_t image_bytes,
                            const int32_t *labels, size_t label_count, const uint8_t **dev_images,
                            const int32_t **dev_labels)
{
    (void)dev, (void)slot, (void)image_bytes, (void)label_count;
    assert(slot >= 0 && slot < FN_UPLOAD_SLOTS);
    *dev_images = images;
    *dev_labels = labels;
    return FN_OK;
}

static int cpu_batch_use(struct fn_dev *dev, int slot)
{
    (void)dev, (void)slot;
    assert(slot >= 0 && slot < FN_UPLOAD_SLOTS);
    return FN_OK;
}

static int cpu_batch_release(struct fn_dev *dev, int slot, int wait)
{
    (void)wait;
    return cpu_batch_use(dev, slot);
}

static int cpu_losses_post(struct fn_dev *dev, int slot)
{
    assert(slot >= 0 && slot < FN_CPU_POSTS);
    memcpy(dev->posted[slot], dev->losses, sizeof dev->losses);
    memset(dev->losses, 0, sizeof dev->losses);
    return FN_OK;
}

static int cpu_losses_wait(struct fn_dev *dev, int slot, double losses[FN_LOSS_COUNT])
{
    assert(slot >= 0 && slot < FN_CPU_POSTS);
    memcpy(losses, dev->posted[slot], sizeof dev->losses);
    return FN_OK;
}

const struct fn_backend fn_backend_cpu = {
    .name = "cpu",
    .open = cpu_open,
    .close = cpu_close,
    .info = cpu_info,
    .sync = cpu_sync,
    .alloc = fn_cpu_alloc,
    .free = fn_cpu_free,
    .zero = fn_cpu_zero,
    .write = fn_cpu_copy_in,
    .read = fn_cpu_copy_out,
    .tensor_bytes = fn_cpu_tensor_bytes,
    .tensor_import = fn_cpu_tensor_import,
    .tensor_export = fn_cpu_tensor_export,
    .vector_import = fn_cpu_vector_import,
    .vector_export = fn_cpu_vector_export,
    .workspace = cpu_workspace,
    .step_begin = cpu_step_begin,
    .batch_upload = cpu_batch_upload,
    .batch_use = cpu_batch_use,
    .batch_release = cpu_batch_release,
    .standardize = fn_cpu_standardize,
    .conv_plan = fn_cpu_conv_plan,
    .conv_free = fn_cpu_conv_free,
    .conv_weights = fn_cpu_conv_weights,
    .conv_import = fn_cpu_conv_import,
    .conv_export = fn_cpu_conv_export,
    .conv_forward = fn_cpu_conv_forward,
    .conv_backward = fn_cpu_conv_backward,
    .bn_forward = fn_cpu_bn_forward,
    .bn_backward = fn_cpu_bn_backward,
    .residual_forward = fn_cpu_residual_forward,
    .residual_backward = fn_cpu_residual_backward,
    .maxpool_forward = fn_cpu_maxpool_forward,
    .maxpool_backward = fn_cpu_maxpool_backward,
    .avgpool_forward = fn_cpu_avgpool_forward,
    .avgpool_backward = fn_cpu_avgpool_backward,
    .dropout = fn_cpu_dropout,
    .fc_plan = fn_cpu_fc_plan,
    .fc_forward = fn_cpu_fc_forward,
    .fc_backward = fn_cpu_fc_backward,
    .l2norm_forward = fn_cpu_l2norm_forward,
    .l2norm_backward = fn_cpu_l2norm_backward,
    .softmax_xent = fn_cpu_softmax_xent,
    .margin_xent = fn_cpu_margin_xent,
    .center_loss = fn_cpu_center_loss,
    .center_update = fn_cpu_center_update,
    .norm_loss = fn_cpu_norm_loss,
    .triplet_loss = fn_cpu_triplet_loss,
    .distances = fn_cpu_distances,
    .check_finite = fn_cpu_check_finite,
    .combine = fn_cpu_combine,
    .clip = fn_cpu_clip,
    .update = fn_cpu_update,
    .update_init = fn_cpu_update_init,
    .update_moving = fn_cpu_update_moving,
    .losses_post = cpu_losses_post,
    .losses_wait = cpu_losses_wait,
};
