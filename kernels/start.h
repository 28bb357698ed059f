/* SPDX-License-Identifier: MIT */
/* What a program that computes does first. */
#ifndef FN_KERNELS_START_H
#define FN_KERNELS_START_H

#ifdef __cplusplus
extern "C" {
#endif

/* First thing in main, with its argv. OpenMP's runtime (GCC's) reads its settings before main
 * begins, and by default its threads wait for each other spinning, for milliseconds: beside other
 * work, be it a loader's threads or another job, a training step takes four times as long as it
 * must. So where the user set neither GOMP_SPINCOUNT nor OMP_WAIT_POLICY, this sets the first to a
 * short while and starts the program once more, in the same process. Returns where that is not
 * needed or cannot be. */
void fn_start(char **argv);

#ifdef __cplusplus
}
#endif
#endif
