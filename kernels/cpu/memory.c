/* SPDX-License-Identifier: MIT */
/* Memory, in huge pages where the system allows them, and touched when it is asked for: a step
 * never waits for a page, and what is missing is noticed before the first one. */
#include "kernels/cpu/cpu.h"

#include <stdlib.h>
#include <string.h>

#include <sys/mman.h>

#include "kernels/host.h"

enum { HUGE_PAGE = 1 << 21, PAGE = 1 << 12 };

/* Each thread touches the part that it will work on, as far as a static division tells. */
static void touch(char *data, size_t bytes)
{
#pragma omp parallel
    {
        size_t begin, end;
        fn_cpu_share(bytes / PAGE, &begin, &end);
        for (size_t i = begin; i < end; i++)
            *(volatile char *)(data + i * PAGE) = 0;
    }
}

int fn_cpu_alloc(struct fn_dev *dev, size_t bytes, int kind, void **out)
{
    (void)kind;
    fn_cpu_enter(dev);
    if (bytes < HUGE_PAGE)
        return fn_host_alloc(bytes, out);
    uint64_t left = fn_host_memory_free();
    *out = NULL;
    if (left && bytes > left)
        return fn_fail(FN_ENOMEM, "out of memory: %zu MiB were asked for, %llu MiB are free",
                       bytes >> 20, (unsigned long long)(left >> 20));
    if (posix_memalign(out, HUGE_PAGE, bytes) != 0) {
        *out = NULL;
        return fn_fail(FN_ENOMEM, "out of memory: %zu MiB were asked for", bytes >> 20);
    }
#ifdef MADV_HUGEPAGE
    (void)madvise(*out, bytes, MADV_HUGEPAGE); /* without it the pages are merely small */
#endif
    touch(*out, bytes);
    return FN_OK;
}

void fn_cpu_free(struct fn_dev *dev, int kind, void *data)
{
    (void)dev, (void)kind;
    free(data);
}

int fn_cpu_zero(struct fn_dev *dev, void *data, size_t bytes)
{
    fn_cpu_enter(dev);
#pragma omp parallel num_threads(dev->threads) if (bytes >= HUGE_PAGE)
    {
        size_t begin, end;
        fn_cpu_share(bytes, &begin, &end);
        memset((char *)data + begin, 0, end - begin);
    }
    return FN_OK;
}

int fn_cpu_copy_in(struct fn_dev *dev, void *device, const void *host, size_t bytes)
{
    (void)dev;
    memcpy(device, host, bytes);
    return FN_OK;
}

int fn_cpu_copy_out(struct fn_dev *dev, const void *device, void *host, size_t bytes)
{
    (void)dev;
    memcpy(host, device, bytes);
    return FN_OK;
}
