/* SPDX-License-Identifier: MIT */
/* Cores, memory, a GPU: questions to the operating system. */
#include "kernels/host.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

uint64_t fn_host_memory_used(void)
{
    return number_in("/proc/self/status", "VmRSS:") * 1024;
}

static int exists(const char *root, const char *path)
{
    char whole[512];
    return snprintf(whole, sizeof whole, "%s%s", root, path) < (int)sizeof whole &&
           access(whole, F_OK) == 0;
}

/* The hexadecimal number in a small file; 0: none there. */
static unsigned long hex_in(const char *folder, const char *device, const char *name)
{
    char path[1024], text[32] = "";
    snprintf(path, sizeof path, "%s/%s/%s", folder, device, name);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    if (!fgets(text, sizeof text, file))
        text[0] = '\0';
    fclose(file);
    return strtoul(text, NULL, 16);
}

int fn_host_has_nvidia(const char *root)
{
    enum { NVIDIA = 0x10de, DISPLAY = 0x03 }; /* PCI's vendor, and the first byte of its class */
    char folder[512];
    int found = exists(root, "/dev/nvidiactl") ||
                (exists(root, "/dev/dxg") && exists(root, "/usr/lib/wsl/lib/libcuda.so.1"));
    snprintf(folder, sizeof folder, "%s/sys/bus/pci/devices", root);
    DIR *bus = found ? NULL : opendir(folder);
    for (const struct dirent *d; !found && bus && (d = readdir(bus)) != NULL;)
        found = hex_in(folder, d->d_name, "vendor") == NVIDIA &&
                hex_in(folder, d->d_name, "class") >> 16 == DISPLAY;
    if (bus)
        closedir(bus);
    return found;
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
