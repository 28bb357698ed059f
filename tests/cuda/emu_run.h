/* SPDX-License-Identifier: MIT */
/* Runs kernels on the host's processor: what emu.h needs, and what a test sets. One thread of the
 * host; a kernel is done when its launch returns. */
#ifndef FN_TESTS_CUDA_EMU_RUN_H
#define FN_TESTS_CUDA_EMU_RUN_H

#include <stddef.h>
#include <stdint.h>

struct CUstream_st; /* cudaStream_t points at it */

#ifdef __cplusplus
extern "C" {
#endif

struct fn_emu_size {
    unsigned x, y, z;
};

/* Where the running thread is. */
struct fn_emu_place {
    struct fn_emu_size thread, block, threads, blocks;
};
extern struct fn_emu_place fn_emu;

/* Order of blocks, of threads after every meeting, and of who goes on: 0 ascending and in turn; 1
 * those that met last first, the lowest of them before the others, and blocks descending; 2 the
 * same, the highest first; others shuffled, with that number as the seed. Results
 * that differ between orders are a race. Blocks run one after the other, but in orders 1, 3, 5, ...
 * the first one to count itself done (atomicInc) stops there until all others are. What it cannot
 * show: that what was written is not yet visible to another block (a missing __threadfence).
 */
void fn_emu_order(int order);

/* What was run since the program began. */
struct fn_emu_counts {
    uint64_t launches, blocks, threads, switches;
};
struct fn_emu_counts fn_emu_counted(void);

/* Memory as a device has it: NaN at first, 64-byte aligned, watched: an access beyond its end stops
 * the program at a page boundary, or under AddressSanitizer at the byte; what was written up to 63
 * bytes beyond is found by fn_emu_free, which stops the program. NULL: no memory. */
void *fn_emu_alloc(size_t bytes);
void fn_emu_free(void *memory);

/* ---- for emu.h ------------------------------------------------------------------------------ */

typedef void fn_emu_call(void (*kernel)(void), void **arguments);

/* A launch: call(kernel, arguments) in every thread. */
struct fn_emu_job {
    fn_emu_call *call;
    void (*kernel)(void);
    void **arguments;    /* [count] */
    const size_t *bytes; /* [count], of each */
    int count;
    struct fn_emu_size blocks, threads;
    struct CUstream_st *stream;
    const char *file, *text; /* source of the launch: __FILE__, and its arguments as written */
};

/* Told before each block, 0 .., of a kernel that runs; NULL: nobody is. */
extern void (*fn_emu_watch)(const struct fn_emu_job *job, uint64_t block);

/* 0; 9 (cudaErrorInvalidConfiguration) for a grid or block that no device takes. Runs it at once,
 * or hands it to fn_emu_submit, which calls fn_emu_run when its time has come. */
int fn_emu_launch(const struct fn_emu_job *job);
void fn_emu_run(const struct fn_emu_job *job);
extern int (*fn_emu_submit)(const struct fn_emu_job *job);
void *fn_emu_shared(const void *key, size_t bytes);
void fn_emu_aligned(const void *address, size_t bytes);
void fn_emu_barrier(int line);
void fn_emu_count_block(void);
int fn_emu_lane(void);
uint64_t fn_emu_shuffle(unsigned mask, uint64_t value, int from, int line);
unsigned fn_emu_vote(unsigned mask, int predicate, int line);

#ifdef __cplusplus
}
#endif
#endif
