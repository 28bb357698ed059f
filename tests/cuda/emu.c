/* SPDX-License-Identifier: MIT */
/* Runs the threads of a block as fibers. A thread runs until it must meet others; then the next one
 * starts or goes on. A fiber whose thread has ended takes the next thread: a kernel without
 * meetings needs one fiber for all of them. */
#include "tests/cuda/emu_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cuda/emu_fiber.h"

enum { THREADS = 1024, LANES = 32, SHARED = 16, SHARED_BYTES = 48 << 10, GUARD = 64 };
#define PATTERN 0xc5 /* behind shared memory */
enum state { RUNNING, AT_BARRIER, AT_WARP, DONE };

struct thread {
    enum state state;
    int line;        /* of the source: where it waits */
    int fiber;       /* the one it runs on */
    unsigned mask;   /* of lanes it waits for */
    unsigned parity; /* which of the warp's two buffers it uses next */
};

/* What the lanes of a warp bring to a meeting. Two buffers: a lane may come to the next meeting
 * before another has read the last one. */
struct warp {
    uint64_t value[2][LANES];
    unsigned here[2];
};

struct fiber {
    struct fn_fiber fiber;
    int thread; /* -1: idle */
};

struct fn_emu_place fn_emu;
int (*fn_emu_submit)(const struct fn_emu_job *job);
void (*fn_emu_watch)(const struct fn_emu_job *job, uint64_t block);

static struct fn_emu_counts counted;
static int order;
static uint64_t shuffled;

static struct thread threads[THREADS];
static struct warp warps[THREADS / LANES];
static int thread_count, started, alive, at_barrier;
static struct fn_emu_size place[THREADS]; /* of each thread in its block */
static int turn[THREADS];                 /* order in which threads start */
static int ready[THREADS], ready_count;   /* those that may go on */

static struct fn_fiber host;
enum { FIBERS = 2 * THREADS + 1 }; /* of the block that runs, and of one that stopped */
static struct fiber fibers[FIBERS];
static int fiber_count, current, idle[FIBERS], idle_count;

static struct {
    const void *key;
    unsigned char *data;
    size_t bytes;
} shared[SHARED];
static int shared_count;
static size_t shared_bytes;

static fn_emu_call *kernel_call;
static void (*kernel)(void);
static void **kernel_arguments;

static void stop(const char *what, int thread)
{
    fprintf(stderr, "emulator: %s: block (%u,%u,%u)", what, fn_emu.block.x, fn_emu.block.y,
            fn_emu.block.z);
    if (thread >= 0)
        fprintf(stderr, ", thread %d, line %d", thread, threads[thread].line);
    fprintf(stderr, "\n");
    abort();
}

void fn_emu_order(int new_order)
{
    order = new_order;
}

struct fn_emu_counts fn_emu_counted(void)
{
    return counted;
}

static uint64_t next_random(void)
{
    shuffled ^= shuffled << 13;
    shuffled ^= shuffled >> 7;
    shuffled ^= shuffled << 17;
    return shuffled;
}

/* Puts ascending numbers into the order wished for. */
static void arrange(int *list, int count)
{
    for (int i = 0; order == 1 && i < count / 2; i++) {
        int other = list[count - 1 - i];
        list[count - 1 - i] = list[i];
        list[i] = other;
    }
    for (int i = count - 1; order > 2 && i > 0; i--) {
        int k = (int)(next_random() % (unsigned)(i + 1)), other = list[k];
        list[k] = list[i];
        list[i] = other;
    }
}

/* ---- threads and fibers ---- */

static void place_thread(int thread)
{
    fn_emu.thread = place[thread];
}

static void place_all(struct fn_emu_size block)
{
    for (unsigned t = 0; t < (unsigned)thread_count; t++)
        place[t] = (struct fn_emu_size){t % block.x, t / block.x % block.y, t / block.x / block.y};
}

static int next_ready(void);

/* The running thread waits: the next one goes on, or the host decides. */
static void wait_here(void)
{
    struct fiber *f = &fibers[current];
    counted.switches++;
    if (ready_count) {
        current = threads[next_ready()].fiber;
        fn_fiber_switch(&f->fiber, &fibers[current].fiber);
    } else {
        fn_fiber_switch(&f->fiber, &host);
    }
    if (f->thread >= 0)
        place_thread(f->thread);
}

static void fiber_body(void)
{
    struct fiber *f = &fibers[current];
    fn_fiber_begin();
    for (;;) {
        while (started < thread_count) {
            f->thread = turn[started++];
            threads[f->thread].state = RUNNING;
            threads[f->thread].fiber = (int)(f - fibers);
            place_thread(f->thread);
            kernel_call(kernel, kernel_arguments);
            threads[f->thread].state = DONE;
            alive--;
        }
        f->thread = -1;
        idle[idle_count++] = (int)(f - fibers);
        wait_here();
    }
}

static void enter(int fiber)
{
    current = fiber;
    fn_fiber_switch(&host, &fibers[fiber].fiber);
}

static int free_fiber(void)
{
    if (idle_count)
        return idle[--idle_count];
    fn_fiber_open(&fibers[fiber_count].fiber, fiber_body);
    return fiber_count++;
}

/* ---- meetings ---- */

void fn_emu_barrier(int line)
{
    struct thread *t = &threads[fibers[current].thread];
    t->state = AT_BARRIER;
    t->line = line;
    at_barrier++;
    wait_here();
}

int fn_emu_lane(void)
{
    return fibers[current].thread % LANES;
}

/* All lanes are there: the others may go on. */
static void release_warp(int me, unsigned mask, int line)
{
    const int first = me / LANES * LANES, before = ready_count;
    for (int l = 0; l < LANES; l++) {
        struct thread *other = &threads[first + l];
        if (!(mask >> l & 1))
            continue;
        if (other->state != AT_WARP || other->mask != mask || other->line != line)
            stop("lanes of one mask are at different meetings", first + l);
        other->state = RUNNING;
        if (first + l != me)
            ready[ready_count++] = first + l;
    }
    arrange(ready + before, ready_count - before);
}

/* Brings a value, waits for all lanes of the mask; returns what all of them brought. */
static const uint64_t *meet(unsigned mask, uint64_t value, int line)
{
    const int me = fibers[current].thread, lane = me % LANES,
              left = thread_count - me / LANES * LANES;
    struct thread *t = &threads[me];
    struct warp *w = &warps[me / LANES];
    const unsigned buffer = t->parity++ & 1;
    t->line = line;
    if (!(mask >> lane & 1))
        stop("a lane that its own mask leaves out", me);
    if (left < LANES && mask >> left)
        stop("a mask with lanes that the block does not have", me);
    w->value[buffer][lane] = value;
    w->here[buffer] |= 1u << lane;
    t->mask = mask;
    t->state = AT_WARP;
    if ((w->here[buffer] & mask) == mask) {
        w->here[buffer] &= ~mask;
        release_warp(me, mask, line);
    } else {
        wait_here();
    }
    return w->value[buffer];
}

uint64_t fn_emu_shuffle(unsigned mask, uint64_t value, int from, int line)
{
    const uint64_t *values = meet(mask, value, line);
    if (!(mask >> from & 1))
        stop("a shuffle reads a lane outside its mask", fibers[current].thread);
    return values[from];
}

unsigned fn_emu_vote(unsigned mask, int predicate, int line)
{
    const uint64_t *values = meet(mask, predicate != 0, line);
    unsigned votes = 0;
    for (int l = 0; l < LANES; l++)
        if (mask >> l & 1 && values[l])
            votes |= 1u << l;
    return votes;
}

/* ---- memory ---- */

void *fn_emu_shared(const void *key, size_t bytes)
{
    for (int i = 0; i < shared_count; i++)
        if (shared[i].key == key)
            return shared[i].data;
    shared_bytes += (bytes + 15) / 16 * 16;
    if (shared_count == SHARED || shared_bytes > SHARED_BYTES)
        stop("more shared memory than 48 KiB", fibers[current].thread);
    unsigned char *data = malloc(bytes + GUARD);
    if (!data)
        stop("no memory", fibers[current].thread);
    memset(data, 0xff, bytes);
    memset(data + bytes, PATTERN, GUARD);
    shared[shared_count].key = key;
    shared[shared_count].data = data;
    shared[shared_count++].bytes = bytes;
    return data;
}

void fn_emu_aligned(const void *address, size_t bytes)
{
    if ((uintptr_t)address % bytes)
        stop("a vector at an address that is no multiple of its size", fibers[current].thread);
}

/* ---- blocks ---- */

static void release_barrier(void)
{
    if (alive != thread_count)
        stop("a thread left before the others' barrier", -1);
    for (int t = 0; t < thread_count; t++) {
        if (threads[t].line != threads[0].line)
            stop("threads of a block wait at different barriers", t);
        threads[t].state = RUNNING;
        ready[ready_count++] = t;
    }
    arrange(ready, ready_count);
    at_barrier = 0;
}

static void stop_deadlock(void)
{
    for (int t = 0; t < thread_count; t++)
        if (threads[t].state == AT_WARP)
            stop("a lane does not come to the others' shuffle or vote", t);
    for (int t = 0; t < thread_count; t++)
        if (threads[t].state == AT_BARRIER)
            stop("threads wait at a barrier that others do not come to", t);
}

static void free_shared(unsigned char *data, size_t bytes)
{
    for (size_t i = bytes; i < bytes + GUARD; i++)
        if (data[i] != PATTERN)
            stop("shared memory was written beyond its end", -1);
    free(data);
}

/* Who goes on: the one that waits longest, shortest, or any. A warp can thus run far ahead of the
 * others, up to the next barrier. */
static int next_ready(void)
{
    int at = order == 0 ? 0 : ready_count - 1;
    if (order > 2)
        at = (int)(next_random() % (unsigned)ready_count);
    const int thread = ready[at];
    ready_count--;
    if (order == 0)
        memmove(ready, ready + 1, sizeof *ready * (size_t)ready_count);
    else
        ready[at] = ready[ready_count];
    return thread;
}

/* ---- a block that stops ---- */

/* Where a thread counts its block, in every other order, the first block to come there stops, and
 * goes on when all others are done: what its other threads have yet to write is then missed. */
static int may_stop, stops;

/* All that a block is, besides its fibers. */
static const struct {
    void *at;
    size_t bytes;
} parts[] = {
    {threads, sizeof threads},
    {warps, sizeof warps},
    {turn, sizeof turn},
    {ready, sizeof ready},
    {&ready_count, sizeof ready_count},
    {&started, sizeof started},
    {&alive, sizeof alive},
    {&at_barrier, sizeof at_barrier},
    {shared, sizeof shared},
    {&shared_count, sizeof shared_count},
    {&shared_bytes, sizeof shared_bytes},
    {&fn_emu.block, sizeof fn_emu.block},
};
static unsigned char
    stopped[sizeof threads + sizeof warps + sizeof turn + sizeof ready + sizeof shared + 256];

static void exchange_block(int restore)
{
    unsigned char *at = stopped;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; at += parts[i++].bytes)
        memcpy(restore ? parts[i].at : at, restore ? at : parts[i].at, parts[i].bytes);
}

void fn_emu_count_block(void)
{
    const int me = fibers[current].thread;
    struct fiber *f = &fibers[current];
    if (!may_stop)
        return;
    may_stop = 0;
    stops = 1;
    ready[ready_count++] = me;
    fn_fiber_switch(&f->fiber, &host);
    place_thread(me);
}

/* ---- blocks, one after the other ---- */

static void begin_block(void)
{
    memset(threads, 0, (size_t)thread_count * sizeof *threads);
    for (int w = 0; w < (thread_count + LANES - 1) / LANES; w++)
        warps[w].here[0] = warps[w].here[1] = 0;
    started = at_barrier = ready_count = shared_count = 0;
    shared_bytes = 0;
    alive = thread_count;
    for (int t = 0; t < thread_count; t++)
        turn[t] = t;
    arrange(turn, thread_count);
}

/* Its threads, until they are done or it stops. */
static void run_block(void)
{
    while (alive && !stops) {
        if (ready_count) {
            enter(threads[next_ready()].fiber);
        } else if (started < thread_count) {
            enter(free_fiber());
        } else if (at_barrier == alive) {
            release_barrier();
        } else {
            stop_deadlock();
        }
    }
    if (stops)
        exchange_block(0);
    for (int i = 0; i < shared_count && !stops; i++)
        free_shared(shared[i].data, shared[i].bytes);
}

int fn_emu_launch(const struct fn_emu_job *job)
{
    const struct fn_emu_size *b = &job->blocks, *t = &job->threads;
    const uint64_t in_block = (uint64_t)t->x * t->y * t->z;
    if (!b->x || !b->y || !b->z || b->x > INT32_MAX || b->y > 65535 || b->z > 65535 || !in_block ||
        in_block > THREADS || t->z > 64)
        return 9;
    if (fn_emu_submit)
        return fn_emu_submit(job);
    fn_emu_run(job);
    return 0;
}

void fn_emu_run(const struct fn_emu_job *job)
{
    const struct fn_emu_size blocks = job->blocks, block = job->threads;
    const uint64_t in_block = (uint64_t)block.x * block.y * block.z;
    const uint64_t count = (uint64_t)blocks.x * blocks.y * blocks.z;
    fn_fiber_main(&host);
    kernel_call = job->call;
    kernel = job->kernel;
    kernel_arguments = job->arguments;
    thread_count = (int)in_block;
    fn_emu.threads = block;
    fn_emu.blocks = blocks;
    place_all(block);
    shuffled = UINT64_C(0x9e3779b97f4a7c15) * (unsigned)(order + 1);
    counted.launches++;
    counted.blocks += count;
    counted.threads += count * in_block;
    /* A stride that shares no factor with the count visits every block once. */
    const uint64_t stride = order > 2 && count % 7919 ? 7919 : 1;
    int one_stopped = 0;
    may_stop = order % 2 && count > 1;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t b = order == 1 ? count - 1 - i : i * stride % count;
        fn_emu.block.x = (unsigned)(b % blocks.x);
        fn_emu.block.y = (unsigned)(b / blocks.x % blocks.y);
        fn_emu.block.z = (unsigned)(b / blocks.x / blocks.y);
        if (fn_emu_watch)
            fn_emu_watch(job, i);
        begin_block();
        run_block();
        one_stopped |= stops;
        stops = 0;
    }
    may_stop = 0;
    if (one_stopped) {
        exchange_block(1);
        run_block();
    }
}
