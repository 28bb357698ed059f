/* SPDX-License-Identifier: MIT */
/* A pretend GPU: the calls of the CUDA runtime and of cuDNN that kernels/cuda uses, answered on the
 * host. Linked in the place of NVIDIA's libraries; kernels run in the emulator (emu_run.h),
 * convolutions in plain C (pretend_conv.h). It is as strict as a GPU, and stricter:
 *
 *   - Device memory is NaN at first, never at the same address twice, and not mapped at all where
 *     its pointers point: the host faults when it touches it, at any time. Kernels get their
 *     arguments with every pointer in them moved to where the memory really is.
 *   - Work runs late: in the order that `order` says, but never before what it waits for. What was
 *     not waited for is thus found unfinished.
 *   - Pinned memory holds garbage at first; an asynchronous copy to or from other host memory, or
 *     one that leaves its allocation, is refused.
 *   - A capture records what depends on what; a launch of the graph runs it in any order that
 *     allows. Calls that are illegal while capturing are refused, and so are kernels and plans that
 *     were never run before (a GPU would load their code).
 *   - Its clock has little to do with how long the host takes to do its work: a piece of work
 *     begins when it was asked for, or when what it waits for has ended, and takes kernel_ns. So a
 *     device as slow or as fast as one likes can be timed.
 *   - What is refused is a fault: a sentence on stderr, counted, and an error for the caller.
 *
 * Every call takes one lock: any thread may call. */
#ifndef FN_TESTS_CUDA_PRETEND_H
#define FN_TESTS_CUDA_PRETEND_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* When work that was asked for is done. */
enum fn_pretend_order {
    FN_PRETEND_EAGER = 0, /* at once, if what it waits for is done */
    FN_PRETEND_LAZY,      /* when somebody waits for it, and only as much as that takes */
    FN_PRETEND_COPIES,    /* copies at once, all else when somebody waits for it */
    FN_PRETEND_RANDOM,    /* some of it now and then, by the seed */
};

/* Each can be set from outside, too: FN_PRETEND="order=1,seed=3,capability=75". */
struct fn_pretend_options {
    uint64_t order, seed; /* enum fn_pretend_order */
    uint64_t devices;     /* 1; 0: none */
    uint64_t capability;  /* 90: compute capability 9.0 */
    uint64_t driver;      /* 13000; below the runtime's 12000: too old */
    uint64_t memory;      /* bytes of the device; 64 GiB */
    uint64_t fail_alloc;  /* the n-th allocation from now on finds no memory; 0: none */
    uint64_t lose_after;  /* the device is lost at the n-th launch from now on; 0: never */
    uint64_t
        idle; /* 1: kernels and convolutions are not computed; 2: batches are not copied, too */
    uint64_t kernel_ns;  /* what the device's clock takes every kernel, convolution and copy for */
    uint64_t skip;       /* calls from this place (1 ..) do nothing; 0: none. See fn_pretend_site */
    uint64_t bad_engine; /* convolutions of this engine of cuDNN's come out wrong; 0: none */
    uint64_t real_dnn;   /* 1: descriptors and plans are cuDNN's own where it can be loaded */
};

/* What FN_PRETEND says, or the defaults. */
struct fn_pretend_options fn_pretend_defaults(void);
/* Before a device is opened: another order than the last one's, unless FN_PRETEND or fn_pretend_set
 * said what it is to be. */
void fn_pretend_next(void);
/* From the next call on; faults and counts start from 0. A device that was lost is back. */
void fn_pretend_set(const struct fn_pretend_options *options);

/* Since fn_pretend_set. */
struct fn_pretend_counts {
    uint64_t calls;                     /* of the runtime and of cuDNN's handle */
    uint64_t faults;                    /* what was refused */
    uint64_t allocations, frees;        /* device and pinned */
    uint64_t syncs;                     /* calls that make the host wait */
    uint64_t launches;                  /* kernels asked for, captured ones included */
    uint64_t plans;                     /* convolutions asked for, captured ones included */
    uint64_t copies, copy_bytes, fills; /* asked for */
    uint64_t graph_launches;            /* graphs asked for */
    uint64_t captured_kernels, captured_plans, captured_copies; /* nodes of the last capture */
    uint64_t run;                 /* pieces of work done, graph nodes one by one */
    uint64_t memory, memory_most; /* bytes on the device now, and at most */
};
struct fn_pretend_counts fn_pretend_counted(void);
/* Places of the program that order work: wait for an event or a stream, or record an event. Each is
 * numbered when it is first come to, and stays so. NULL: fewer places are known. */
const char *fn_pretend_site(uint64_t number);
/* The last fault's sentence; "" without one. */
const char *fn_pretend_fault(void);

/* Where the memory behind a device pointer really is: for tests that look behind. NULL: it is not
 * the pretend device's. */
void *fn_pretend_behind(const void *device);
/* Where the memory behind all device pointers begins; NULL before the first allocation. */
const char *fn_pretend_window(void);

#ifdef __cplusplus
}
#endif
#endif
