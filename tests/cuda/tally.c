/* SPDX-License-Identifier: MIT */
#include "tests/cuda/tally.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/cuda/emu_run.h"
#include "tests/cuda/pretend.h"

enum { SECTOR = 32, CACHE = (64 << 10) / SECTOR, ROWS = 64 };
#define WATCHED ((size_t)16 << 30) /* bytes of device memory, freed ones included */

/* Sectors by address: the clock when it was fetched last. */
static struct cache {
    uint32_t *stamp;
    uint64_t clock; /* sectors fetched; a new block is CACHE later */
} loads, stores;
static const char *base;
static struct fn_tally rows[ROWS], *now; /* now NULL: nothing is counted */
static size_t row_count;

static void stop(const char *what)
{
    fprintf(stderr, "tally: %s\n", what);
    abort();
}

/* ---- kernels ---- */

/* "/a/bn.cu", "sums_kernel<T, V>, grid, ..." -> "bn sums". */
static void name_of(const struct fn_emu_job *job, char *out, size_t size)
{
    const char *file = strrchr(job->file, '/') ? strrchr(job->file, '/') + 1 : job->file;
    const char *end = strstr(job->text, "_kernel"), *begin = end;
    const int stem = (int)strcspn(file, ".");
    while (begin && begin > job->text && strchr("abcdefghijklmnopqrstuvwxyz0123456789_", begin[-1]))
        begin--;
    if (!end)
        stop("a launch whose kernel's name does not end in _kernel");
    if (end - begin == stem && strncmp(file, begin, (size_t)stem) == 0)
        snprintf(out, size, "%.*s", stem, file);
    else
        snprintf(out, size, "%.*s %.*s", stem, file, (int)(end - begin), begin);
}

static void new_block(const struct fn_emu_job *job, uint64_t block)
{
    char name[sizeof rows[0].kernel];
    loads.clock += CACHE;
    stores.clock += CACHE;
    if (loads.clock > UINT32_MAX || stores.clock > UINT32_MAX)
        stop("more blocks than can be counted");
    if (block == 0) {
        name_of(job, name, sizeof name);
        size_t i = 0;
        while (i < row_count && strcmp(rows[i].kernel, name) != 0)
            i++;
        if (i == ROWS)
            stop("more kernels than rows");
        if (i == row_count)
            memcpy(rows[row_count++].kernel, name, sizeof name);
        now = &rows[i];
        now->launches++;
    }
    now->blocks++;
}

/* Sectors of [at, at + bytes) that are not in the cache. */
static uint64_t fetch(struct cache *c, const char *at, size_t bytes)
{
    const size_t first = (size_t)(at - base) / SECTOR;
    const size_t last = ((size_t)(at - base) + bytes - 1) / SECTOR;
    uint64_t fetched = 0;
    for (size_t i = first; i <= last; i++) {
        if (c->stamp[i] && c->clock - c->stamp[i] < CACHE)
            continue;
        c->stamp[i] = (uint32_t)++c->clock;
        fetched++;
    }
    return fetched;
}

static int is_watched(const void *at)
{
    return now && (const char *)at >= base && (const char *)at < base + WATCHED;
}

static void load(const void *at, size_t bytes)
{
    if (is_watched(at))
        now->read += SECTOR * fetch(&loads, at, bytes);
}

static void store(const void *at, size_t bytes)
{
    if (is_watched(at))
        now->written += SECTOR * fetch(&stores, at, bytes);
}

/* ---- what an instrumented kernel calls ---- */

#define ACCESS(bytes)                                                                              \
    void __tsan_read##bytes(void *at);                                                             \
    void __tsan_read##bytes(void *at)                                                              \
    {                                                                                              \
        load(at, bytes);                                                                           \
    }                                                                                              \
    void __tsan_write##bytes(void *at);                                                            \
    void __tsan_write##bytes(void *at)                                                             \
    {                                                                                              \
        store(at, bytes);                                                                          \
    }                                                                                              \
    void __tsan_unaligned_read##bytes(void *at);                                                   \
    void __tsan_unaligned_read##bytes(void *at)                                                    \
    {                                                                                              \
        load(at, bytes);                                                                           \
    }                                                                                              \
    void __tsan_unaligned_write##bytes(void *at);                                                  \
    void __tsan_unaligned_write##bytes(void *at)                                                   \
    {                                                                                              \
        store(at, bytes);                                                                          \
    }
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)

void __tsan_read_range(void *at, size_t bytes);
void __tsan_read_range(void *at, size_t bytes)
{
    load(at, bytes);
}

void __tsan_write_range(void *at, size_t bytes);
void __tsan_write_range(void *at, size_t bytes)
{
    store(at, bytes);
}

void __tsan_init(void);
void __tsan_init(void)
{
}

void __tsan_func_entry(void *caller);
void __tsan_func_entry(void *caller)
{
    (void)caller;
}

void __tsan_func_exit(void);
void __tsan_func_exit(void)
{
}

/* ---- public ---- */

static void cache_clear(struct cache *c)
{
    const size_t bytes = WATCHED / SECTOR * sizeof *c->stamp;
    if (!c->stamp) {
        c->stamp = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (c->stamp == MAP_FAILED)
            stop("no address space for the sectors");
    } else if (madvise(c->stamp, bytes, MADV_DONTNEED)) {
        stop("the sectors cannot be cleared");
    }
    c->clock = CACHE;
}

void fn_tally_begin(void)
{
    base = fn_pretend_window();
    if (!base)
        stop("no device memory yet");
    memset(rows, 0, sizeof rows);
    row_count = 0;
    cache_clear(&loads);
    cache_clear(&stores);
    fn_emu_watch = new_block;
}

size_t fn_tally_end(const struct fn_tally **out)
{
    fn_emu_watch = NULL;
    now = NULL;
    *out = rows;
    return row_count;
}
