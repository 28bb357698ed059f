/* SPDX-License-Identifier: MIT */
/* The device: what must be there, found out in order, each missing thing a sentence; then its
 * parts. Failures of the CUDA runtime as sentences. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/runtime.h"

/* Compute capabilities that the kernels are compiled for: Turing to Blackwell. */
enum { OLDEST = 75, NEWEST = 129, OLDEST_BF16 = 80 };

/* What is left free for what comes later and cannot be asked for before: kernels and engines that
 * are loaded when they first run, recorded steps, the runtime's own buffers. */
#define RESERVE ((uint64_t)512 << 20)

/* ---- failures ------------------------------------------------------------------------------- */

/* After these nothing more can be computed by this process. */
static const cudaError_t lost[] = {
    cudaErrorIllegalAddress,
    cudaErrorLaunchFailure,
    cudaErrorECCUncorrectable,
    cudaErrorHardwareStackError,
    cudaErrorIllegalInstruction,
    cudaErrorMisalignedAddress,
    cudaErrorInvalidAddressSpace,
    cudaErrorInvalidPc,
    cudaErrorLaunchTimeout,
    cudaErrorContextIsDestroyed,
    cudaErrorDevicesUnavailable,
    cudaErrorNoDevice,
    cudaErrorNvlinkUncorrectable,
    cudaErrorAssert,
    cudaErrorUnknown,
    cudaErrorSystemNotReady,
};

static int is_lost(cudaError_t error)
{
    for (size_t i = 0; i < sizeof lost / sizeof *lost; i++)
        if (lost[i] == error)
            return 1;
    return 0;
}

int fn_cuda_result(int code, const char *what)
{
    const cudaError_t error = (cudaError_t)code;
    if (error == cudaSuccess)
        return FN_OK;
    (void)cudaGetLastError();
    const char *name = cudaGetErrorName(error), *text = cudaGetErrorString(error);
    if (error == cudaErrorMemoryAllocation)
        return fn_fail(FN_ENOMEM, "%s: out of GPU memory (%s)", what, name);
    if (error == cudaErrorNoKernelImageForDevice)
        return fn_fail(FN_EUNSUPPORTED,
                       "%s: this program has no kernels for this GPU: build it with its compute "
                       "capability in FN_CUDA_ARCHITECTURES",
                       what);
    if (is_lost(error))
        return fn_fail(FN_EDEVICE,
                       "%s: the GPU is lost: %s (%s); what was saved is not touched: look at "
                       "nvidia-smi and dmesg, then go on from the last checkpoint",
                       what, text, name);
    return fn_fail(FN_EDEVICE, "%s: %s (%s)", what, text, name);
}

/* ---- what must be there --------------------------------------------------------------------- */

static int check_driver(int *driver, int *runtime)
{
    *driver = *runtime = 0;
    CU(cudaRuntimeGetVersion(runtime));
    if (cudaDriverGetVersion(driver) != cudaSuccess || *driver == 0) {
        (void)cudaGetLastError();
        return fn_fail(FN_EUNSUPPORTED,
                       "no NVIDIA driver is installed (libcuda.so.1 was not found)");
    }
    if (*driver / 1000 < *runtime / 1000)
        return fn_fail(FN_EUNSUPPORTED,
                       "the NVIDIA driver is too old: it is for CUDA %d.%d, this program wants a "
                       "driver for CUDA %d.0 or newer",
                       *driver / 1000, *driver % 1000 / 10, *runtime / 1000);
    return FN_OK;
}

static int check_count(void)
{
    int count = 0;
    const cudaError_t error = cudaGetDeviceCount(&count);
    if (error == cudaErrorInsufficientDriver) {
        (void)cudaGetLastError();
        return fn_fail(FN_EUNSUPPORTED, "the NVIDIA driver is too old for this program's CUDA");
    }
    if (error == cudaErrorNoDevice || (error == cudaSuccess && count == 0)) {
        (void)cudaGetLastError();
        return fn_fail(FN_EUNSUPPORTED, "the NVIDIA driver sees no GPU (nvidia-smi lists them, "
                                        "CUDA_VISIBLE_DEVICES can hide them)");
    }
    return fn_cuda_result((int)error, "cudaGetDeviceCount");
}

static int check_chip(const struct cudaDeviceProp *p, int precision)
{
    const int capability = p->major * 10 + p->minor;
    if (capability < OLDEST || capability > NEWEST)
        return fn_fail(FN_EUNSUPPORTED,
                       "%s has compute capability %d.%d: 7.5 to 12 are supported (Turing to "
                       "Blackwell)",
                       p->name, p->major, p->minor);
    if (precision == FN_BF16 && capability < OLDEST_BF16)
        return fn_fail(FN_EUNSUPPORTED,
                       "%s has compute capability %d.%d, bf16 needs 8.0 or newer: use --precision "
                       "fp32",
                       p->name, p->major, p->minor);
    return FN_OK;
}

/* CUDA's way to count: 13010 is 13.1. */
static void version_text(int version, char text[16])
{
    snprintf(text, 16, "%u.%u", (unsigned)version / 1000 % 1000, (unsigned)version % 1000 / 10);
}

static void describe(struct fn_dev *dev, const struct cudaDeviceProp *p, int driver, int runtime)
{
    char dnn[24], is_for[16], is[16];
    fn_cuda_dnn_version(dnn, sizeof dnn);
    version_text(driver, is_for);
    version_text(runtime, is);
    snprintf(dev->info.device, sizeof dev->info.device,
             "%.40s, compute capability %d.%d, %.1f GiB, driver for CUDA %s, CUDA %s, cuDNN %s",
             p->name, p->major & 63, p->minor & 63, (double)(p->totalGlobalMem >> 20) / 1024,
             is_for, is, dnn);
    snprintf(dev->info.bits, sizeof dev->info.bits, "%.40s, CUDA %s, cuDNN %s%s%s", p->name, is,
             dnn, dev->allow_tf32 ? ", tf32" : "", dev->deterministic ? ", deterministic" : "");
}

static int ask_memory(struct fn_dev *dev)
{
    size_t left, all;
    CU(cudaMemGetInfo(&left, &all));
    if (left <= RESERVE)
        return fn_fail(FN_ENOMEM,
                       "%s has %zu MiB of GPU memory free, too little to begin with: other "
                       "programs use it (nvidia-smi lists them)",
                       dev->info.device, left >> 20);
    dev->info.memory_free = left - RESERVE;
    return FN_OK;
}

/* ---- open and close ------------------------------------------------------------------------- */

static int open_parts(struct fn_dev *dev, const struct fn_dev_options *o)
{
    struct cudaDeviceProp properties;
    int driver, runtime, rc = check_driver(&driver, &runtime);
    if (!rc)
        rc = check_count();
    if (rc)
        return rc;
    CU(cudaSetDevice(0)); /* CUDA_VISIBLE_DEVICES says which one that is */
    CU(cudaGetDeviceProperties(&properties, 0));
    rc = check_chip(&properties, o->precision);
    if (!rc)
        rc = fn_cuda_runtime_open(dev);
    if (!rc)
        rc = fn_cuda_dnn_open(&dev->dnn, dev->queue.stream);
    if (rc)
        return rc;
    describe(dev, &properties, driver, runtime);
    return ask_memory(dev);
}

int fn_cuda_open(struct fn_dev **out, const struct fn_dev_options *options)
{
    struct fn_dev *dev = calloc(1, sizeof *dev);
    int rc = FN_OK;
    *out = NULL;
    if (dev)
        dev->runtime = calloc(1, sizeof *dev->runtime);
    if (!dev || !dev->runtime)
        rc = fn_fail(FN_ENOMEM, "out of memory for a device");
    if (!rc) {
        dev->bf16 = options->precision == FN_BF16;
        dev->allow_tf32 = options->allow_tf32;
        dev->deterministic = options->deterministic;
        dev->info.backend = "cuda";
        dev->info.scalar_bytes = dev->bf16 ? sizeof(uint16_t) : sizeof(float);
        dev->info.param_bytes = sizeof(float);
        rc = open_parts(dev, options);
    }
    if (rc)
        fn_cuda_close(&dev);
    *out = dev;
    return rc;
}

void fn_cuda_close(struct fn_dev **device)
{
    struct fn_dev *dev = *device;
    if (!dev)
        return;
    if (dev->runtime) {
        if (dev->queue.stream)
            (void)cudaStreamSynchronize(dev->queue.stream);
        fn_cuda_tables_free(dev);
        fn_cuda_free(dev, FN_MEM_DEVICE, dev->distances);
        fn_cuda_dnn_close(&dev->dnn);
        fn_cuda_runtime_close(dev);
    }
    free(dev->runtime);
    free(dev);
    *device = NULL;
}

const struct fn_dev_info *fn_cuda_info(const struct fn_dev *dev)
{
    return &dev->info;
}
