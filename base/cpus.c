/* SPDX-License-Identifier: MIT */
/* Affinity and quotas of processors. */
#include "base/cpus.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A quota of more than this is none. */
#define MOST_CPUS (1 << 20)

static int least(int a, int b)
{
    return a > 0 && (b <= 0 || a < b) ? a : b;
}

/* Two numbers of one file ("100000 100000"), or of two files with one each. "max" and -1: none. */
static int quota_in(const char *folder, const char *both, const char *quota_of,
                    const char *period_of)
{
    const char *names[] = {both ? both : quota_of, both ? NULL : period_of};
    long long value[2] = {0, 0}; /* microseconds */
    int read = 0;
    for (int i = 0; i < 2 && names[i]; i++) {
        char path[PATH_MAX];
        FILE *file;
        if (snprintf(path, sizeof path, "%s/%s", folder, names[i]) >= (int)sizeof path)
            return 0;
        file = fopen(path, "re");
        if (!file)
            return 0;
        read += fscanf(file, both ? "%lld %lld" : "%lld", &value[i], &value[1]) > 0;
        fclose(file);
    }
    if (!read || value[0] <= 0 || value[1] <= 0 || value[0] / value[1] > MOST_CPUS)
        return 0;
    return (int)((value[0] + value[1] - 1) / value[1]);
}

/* Every limit from a group up to the root counts. A container that sees its own group as the root
 * has a name here that is not there: then the root alone says something. */
static int quota_of_group(const char *mount, const char *group, int version)
{
    char path[PATH_MAX];
    int quota = 0;
    size_t root = strlen(mount);
    if (snprintf(path, sizeof path, "%s%s", mount, group) >= (int)sizeof path)
        return 0;
    for (;;) {
        quota = least(version == 2 ? quota_in(path, "cpu.max", NULL, NULL)
                                   : quota_in(path, NULL, "cpu.cfs_quota_us", "cpu.cfs_period_us"),
                      quota);
        char *slash = strrchr(path, '/');
        if (strlen(path) <= root || !slash)
            return quota;
        *slash = 0;
        if (strlen(path) < root)
            return quota;
    }
}

/* Whether "cpu" is one of a list such as "cpu,cpuacct". */
static int has_cpu(const char *controllers)
{
    for (const char *at = controllers; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (!strncmp(at, "cpu", 3) && (at[3] == 0 || at[3] == ','))
            return 1;
    }
    return 0;
}

int fn_cpu_quota(const char *root, const char *membership)
{
    static const char *const v2[] = {"", "/unified"}, *const v1[] = {"/cpu", "/cpu,cpuacct"};
    char line[PATH_MAX], mount[PATH_MAX];
    FILE *file = fopen(membership, "re");
    int quota = 0;
    while (file && fgets(line, sizeof line, file)) {
        char *controllers = strchr(line, ':'), *group;
        line[strcspn(line, "\n")] = 0;
        if (!controllers || !(group = strchr(++controllers, ':')))
            continue;
        *group++ = 0;
        int version = *controllers ? 1 : 2;
        if (version == 1 && !has_cpu(controllers))
            continue;
        for (int i = 0; i < 2; i++)
            if (snprintf(mount, sizeof mount, "%s%s", root, version == 2 ? v2[i] : v1[i]) <
                (int)sizeof mount)
                quota =
                    least(quota_of_group(mount, strcmp(group, "/") ? group : "", version), quota);
    }
    if (file)
        fclose(file);
    return quota;
}

static int affinity_cpus(void)
{
    /* The set must be as large as the kernel's, which cannot be asked for: grow until it fits. */
    for (int cpus = 1024; cpus <= MOST_CPUS; cpus *= 2) {
        cpu_set_t *set = CPU_ALLOC((size_t)cpus);
        if (!set)
            break;
        size_t bytes = CPU_ALLOC_SIZE((size_t)cpus);
        int rc = sched_getaffinity(0, bytes, set);
        int error = errno;
        int count = rc == 0 ? CPU_COUNT_S(bytes, set) : 0;
        CPU_FREE(set);
        if (rc == 0)
            return count > 0 ? count : 1;
        if (error != EINVAL)
            break;
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

int fn_cpu_count(void)
{
    return least(fn_cpu_quota("/sys/fs/cgroup", "/proc/self/cgroup"), affinity_cpus());
}
