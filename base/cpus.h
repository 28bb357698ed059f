/* SPDX-License-Identifier: MIT */
/* How many processors there are for this process. */
#ifndef FN_BASE_CPUS_H
#define FN_BASE_CPUS_H

#ifdef __cplusplus
extern "C" {
#endif

/* Number of processors this process may use, at least 1: its affinity mask, or the quota of its
 * control groups (versions 1 and 2, every group from its own to the root), rounded up, if that is
 * less: more threads than that would be stopped in turns. Any thread. */
int fn_cpu_count(void);

/* The quota alone, 0 without one. `root`: where control groups are mounted (/sys/fs/cgroup);
 * `membership`: the file that names those of the process (/proc/self/cgroup). */
int fn_cpu_quota(const char *root, const char *membership);

#ifdef __cplusplus
}
#endif
#endif
