/* SPDX-License-Identifier: MIT */
/* What every backend that computes on the host's processors asks of the machine. Any thread. */
#ifndef FN_KERNELS_HOST_H
#define FN_KERNELS_HOST_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernels/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Cores that this process may use, at least 1: fn_cpu_count(). */
int fn_host_cores(void);

/* Bytes that could be allocated now without swapping: the kernel's MemAvailable, or what the
 * control group of a container leaves of its limit if that is less. 0: unknown. */
uint64_t fn_host_memory_free(void);

/* Bytes of memory that this process has now, code and pages of mapped files among them. 0: unknown.
 */
uint64_t fn_host_memory_used(void);

/* Whether an NVIDIA GPU is in the machine, with or without a driver: a device file of one, that of
 * Windows' subsystem with NVIDIA's library beside it, or a display device of NVIDIA's on the PCI
 * bus. root: "", or for tests the folder that stands for /. */
int fn_host_has_nvidia(const char *root);

/* Memory aligned to 64 bytes. Failure: FN_ENOMEM with the size. Free with free(). */
int fn_host_alloc(size_t bytes, void **out);

/* Numbers of plain host arrays: element i of an array of `type`, as double. */
static inline double fn_host_get(const void *array, int type, size_t i)
{
    return type == FN_F64 ? ((const double *)array)[i] : (double)((const float *)array)[i];
}

static inline void fn_host_set(void *array, int type, size_t i, double value)
{
    if (type == FN_F64)
        ((double *)array)[i] = value;
    else
        ((float *)array)[i] = (float)value;
}

/* bf16: a float's upper half, rounded to the nearest, ties to even; NaN stays NaN. */
static inline uint16_t fn_host_narrow(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7fffffff) > 0x7f800000)
        return 0x7fff;
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static inline float fn_host_widen(uint16_t half)
{
    const uint32_t bits = (uint32_t)half << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

#ifdef __cplusplus
}
#endif
#endif
