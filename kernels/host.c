/* SPDX-License-Identifier: MIT */
/* Cores, memory: questions to the operating system. */
#include "kernels/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpus.h"

int fn_host_cores(void)
{
    return fn_cpu_count();
}

/* The number on the line of a small file of /proc or /sys that starts with `key`; 0: none there. */
static uint64_t number_in(const char *path, const char *key)
{
    uint64_t value = 0;
    char line[256];
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    while (fgets(line, sizeof line, file)) {
        unsigned long long number;
        if (strncmp(line, key, strlen(key)) == 0 &&
            sscanf(line + strlen(key), "%llu", &number) == 1) {
            value = number;
            break;
        }
    }
    fclose(file);
    return value;
}

/* What a control group leaves of its limit; UINT64_MAX where there is no limit ("max", or no such
 * file). Its file cache counts as used there, but gives way. */
static uint64_t left_of(const char *limit, const char *used, const char *stat, const char *cache)
{
    uint64_t most = number_in(limit, "");
    uint64_t taken = number_in(used, "");
    uint64_t gives_way = number_in(stat, cache);
    if (most == 0)
        return UINT64_MAX;
    taken = taken > gives_way ? taken - gives_way : 0;
    return most > taken ? most - taken : 0;
}

uint64_t fn_host_memory_free(void)
{
    uint64_t available = number_in("/proc/meminfo", "MemAvailable:") * 1024;
    uint64_t v2 = left_of("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current",
                          "/sys/fs/cgroup/memory.stat", "inactive_file ");
    uint64_t v1 = left_of("/sys/fs/cgroup/memory/memory.limit_in_bytes",
                          "/sys/fs/cgroup/memory/memory.usage_in_bytes",
                          "/sys/fs/cgroup/memory/memory.stat", "total_inactive_file ");
    uint64_t left = v1 < v2 ? v1 : v2;
    return left < available ? left : available;
}

int fn_host_alloc(size_t bytes, void **out)
{
    const size_t align = 64; /* a cache line, and the widest vector */
    *out = NULL;
    if (bytes <= SIZE_MAX - align)
        *out = aligned_alloc(align, bytes < align ? align : (bytes + align - 1) / align * align);
    if (!*out)
        return fn_fail(FN_ENOMEM, "out of memory: %zu bytes were asked for", bytes);
    return FN_OK;
}
