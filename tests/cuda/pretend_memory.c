/* SPDX-License-Identifier: MIT */
/* Memory of the pretend GPU. A device pointer points into a window of addresses where nothing is
 * ever mapped; the bytes themselves are APART further up. Pinned memory lies in a third window, as
 * it is. An allocation ends at a closed page but for the alignment to 256 bytes, whose slack holds
 * a pattern; addresses are not used twice, and what was freed is closed. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/cuda/pretend_core.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define CLOSE(address, bytes) __asan_poison_memory_region(address, bytes)
#define OPEN(address, bytes) __asan_unpoison_memory_region(address, bytes)
#else
#define CLOSE(address, bytes) ((void)(address), (void)(bytes))
#define OPEN(address, bytes) ((void)(address), (void)(bytes))
#endif

enum { PAGE = 4096, ALIGN = 256, PATTERN = 0xc5 };
#define APART ((size_t)1 << 39) /* bytes of a window: 512 GiB */

struct block {
    char *at; /* what the caller knows */
    size_t bytes;
    enum fn_pretend_kind kind;
    int alive;
};

/* By address, since every one lies above all before it of its window. */
static struct window {
    char *at, *next; /* the window, and where the next block may begin */
    struct block *block;
    size_t count, room;
} windows[2];
static struct sigaction before[2]; /* of SIGSEGV, SIGBUS */

static size_t round_up(size_t bytes, size_t to)
{
    return (bytes + to - 1) / to * to;
}

static char *behind(const struct block *b)
{
    return b->kind == FN_PRETEND_DEVICE ? b->at + APART : b->at;
}

/* The block of an address, its end included; NULL: none begins at or below it. */
static struct block *block_at(enum fn_pretend_kind kind, const char *at)
{
    struct window *w = &windows[kind];
    size_t low = 0, high = w->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (w->block[middle].at <= at)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 || at > w->block[low - 1].at + w->block[low - 1].bytes)
        return NULL;
    return &w->block[low - 1];
}

static int is_inside(enum fn_pretend_kind kind, const char *at)
{
    return windows[kind].at && at >= windows[kind].at && at < windows[kind].at + APART;
}

/* Says what was touched, then lets whoever was there before decide. */
static void on_fault(int signal_number, siginfo_t *info, void *context)
{
    const char *at = info->si_addr;
    char text[256];
    int length = 0;
    (void)context;
    for (int kind = 0; kind < 2 && !length; kind++) {
        const int inner = kind == FN_PRETEND_DEVICE && is_inside(FN_PRETEND_DEVICE, at - APART);
        const char *seen = inner ? at - APART : at;
        if (!is_inside((enum fn_pretend_kind)kind, seen))
            continue;
        const struct block *b = block_at((enum fn_pretend_kind)kind, seen);
        length = snprintf(
            text, sizeof text, "pretend: %s touches %s memory at %p, %td bytes into %zu%s\n",
            inner ? "a kernel" : "the host", kind ? "pinned" : "device", (const void *)at,
            b ? seen - b->at : 0, b ? b->bytes : 0, b && !b->alive ? ", freed" : "");
    }
    if (length > 0 && write(STDERR_FILENO, text, (size_t)length) < 0)
        _exit(3);
    sigaction(signal_number, &before[signal_number == SIGBUS], NULL); /* it faults again */
}

static int windows_open(void)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
    char *all =
        mmap(NULL, 3 * APART, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (all == MAP_FAILED)
        return -1;
    windows[FN_PRETEND_DEVICE].at = windows[FN_PRETEND_DEVICE].next = all;
    windows[FN_PRETEND_PINNED].at = windows[FN_PRETEND_PINNED].next = all + 2 * APART;
    action.sa_sigaction = on_fault;
    sigaction(SIGSEGV, &action, &before[0]);
    sigaction(SIGBUS, &action, &before[1]);
    return 0;
}

static struct block *block_new(enum fn_pretend_kind kind, size_t bytes)
{
    struct window *w = &windows[kind];
    if (!windows[0].at && windows_open())
        return NULL;
    if (bytes > APART / 4 || (size_t)(w->at + APART - w->next) < bytes + 4 * PAGE)
        return NULL;
    if (w->count == w->room) {
        const size_t room = w->room ? 2 * w->room : 64;
        struct block *grown = realloc(w->block, room * sizeof *grown);
        if (!grown)
            return NULL;
        w->block = grown;
        w->room = room;
    }
    const size_t body = round_up(bytes ? bytes : 1, ALIGN), pages = round_up(body, PAGE);
    struct block *b = &w->block[w->count];
    *b = (struct block){w->next + PAGE + pages - body, bytes, kind, 1};
    char *first = behind(b) - (pages - body);
    if (mprotect(first, pages, PROT_READ | PROT_WRITE))
        return NULL;
    memset(behind(b), 0xff, bytes); /* NaN in fp32, fp64 and bf16 */
    memset(behind(b) + bytes, PATTERN, body - bytes);
    CLOSE(behind(b) + bytes, body - bytes);
    w->next += PAGE + pages;
    w->count++;
    return b;
}

static cudaError_t allocate(void **out, size_t bytes, enum fn_pretend_kind kind, const char *call)
{
    struct fn_pretend_counts *c = &fn_pretend.counts;
    cudaError_t error = fn_capture_forbids(call);
    *out = NULL;
    if (error)
        return error;
    c->allocations++;
    if (fn_pretend.options.fail_alloc && --fn_pretend.options.fail_alloc == 0)
        return cudaErrorMemoryAllocation;
    if (kind == FN_PRETEND_DEVICE &&
        (bytes > fn_pretend.options.memory || c->memory > fn_pretend.options.memory - bytes))
        return cudaErrorMemoryAllocation;
    if (bytes == 0)
        return cudaSuccess; /* and NULL, as CUDA does */
    const struct block *b = block_new(kind, bytes);
    if (!b)
        return cudaErrorMemoryAllocation;
    *out = b->at;
    if (kind == FN_PRETEND_DEVICE)
        c->memory += bytes;
    if (c->memory > c->memory_most)
        c->memory_most = c->memory;
    return cudaSuccess;
}

/* What lies between the block's end and its last page was not written. */
static cudaError_t check_slack(const struct block *b)
{
    const size_t body = round_up(b->bytes ? b->bytes : 1, ALIGN);
    const char *data = behind(b);
    OPEN(data + b->bytes, body - b->bytes);
    for (size_t i = b->bytes; i < body; i++)
        if ((unsigned char)data[i] != PATTERN)
            return fn_pretend_refuse(cudaErrorIllegalAddress,
                                     "byte %zu behind an allocation of %zu was written",
                                     i - b->bytes, b->bytes);
    return cudaSuccess;
}

static cudaError_t release(void *at, enum fn_pretend_kind kind, const char *call)
{
    cudaError_t error = fn_capture_forbids(call);
    if (error || !at)
        return error;
    struct block *b = is_inside(kind, at) ? block_at(kind, at) : NULL;
    if (!b || b->at != at || !b->alive)
        return fn_pretend_refuse(cudaErrorInvalidValue, "%s of %p, which is %s", call, at,
                                 b && !b->alive ? "freed already" : "no allocation of its kind");
    error = fn_streams_finish();
    if (!error)
        error = check_slack(b);
    char *first = behind(b) - (uintptr_t)behind(b) % PAGE;
    const size_t pages =
        (size_t)(round_up((uintptr_t)behind(b) + b->bytes, PAGE) - (uintptr_t)first);
    madvise(first, pages, MADV_DONTNEED);
    mprotect(first, pages, PROT_NONE);
    b->alive = 0;
    fn_pretend.counts.frees++;
    if (kind == FN_PRETEND_DEVICE)
        fn_pretend.counts.memory -= b->bytes;
    return error;
}

void *fn_pretend_memory(enum fn_pretend_kind kind, const void *at, size_t bytes)
{
    const char *from = at;
    const struct block *b = is_inside(kind, from) ? block_at(kind, from) : NULL;
    if (!b || !b->alive || (size_t)(b->at + b->bytes - from) < bytes)
        return NULL;
    return behind(b) + (from - b->at);
}

void *fn_pretend_behind(const void *device)
{
    return fn_pretend_memory(FN_PRETEND_DEVICE, device, 0);
}

const char *fn_pretend_window(void)
{
    const char *at = windows[FN_PRETEND_DEVICE].at;
    return at ? at + APART : NULL;
}

/* Whether the host has something mapped there. Programs, heaps and stacks lie high: small numbers,
 * and pairs of them, are none of it. */
static int is_mapped(uint64_t word)
{
    const uint64_t low = UINT64_C(0x500000000000), high = UINT64_C(1) << 47;
    unsigned char there;
    if (word < low || word >= high)
        return 0;
    void *page = (void *)(uintptr_t)(word - word % PAGE); /* NOLINT */
    return mincore(page, PAGE, &there) == 0;
}

int fn_pretend_translate(uint64_t *word, int is_pointer)
{
    const char *at = (const char *)(uintptr_t)*word; /* NOLINT */
    if (is_inside(FN_PRETEND_DEVICE, at)) {
        const struct block *b = block_at(FN_PRETEND_DEVICE, at);
        if (b && b->alive) {
            *word += APART;
        } else if (is_pointer) {
            fn_pretend_refuse(cudaErrorInvalidValue,
                              "a kernel's argument points at %s device memory",
                              b ? "freed" : "no allocation's");
            return 1;
        }
    } else if (is_pointer && is_mapped(*word)) {
        fn_pretend_refuse(cudaErrorInvalidValue,
                          "a kernel's argument %p points at the host's memory", (const void *)at);
        return 1;
    }
    return 0;
}

/* ---- the runtime's calls ---- */

cudaError_t cudaMalloc(void **out, size_t bytes)
{
    cudaError_t error = fn_pretend_enter();
    return fn_pretend_leave(error ? error : allocate(out, bytes, FN_PRETEND_DEVICE, "cudaMalloc"));
}

cudaError_t cudaFree(void *at)
{
    cudaError_t error = fn_pretend_enter();
    return fn_pretend_leave(error ? error : release(at, FN_PRETEND_DEVICE, "cudaFree"));
}

cudaError_t cudaHostAlloc(void **out, size_t bytes, unsigned flags)
{
    cudaError_t error = fn_pretend_enter();
    (void)flags;
    return fn_pretend_leave(error ? error
                                  : allocate(out, bytes, FN_PRETEND_PINNED, "cudaHostAlloc"));
}

cudaError_t cudaFreeHost(void *at)
{
    cudaError_t error = fn_pretend_enter();
    return fn_pretend_leave(error ? error : release(at, FN_PRETEND_PINNED, "cudaFreeHost"));
}

cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total)
{
    cudaError_t error = fn_pretend_enter();
    if (!error) {
        *total = fn_pretend.options.memory;
        *free_bytes = fn_pretend.options.memory - fn_pretend.counts.memory;
    }
    return fn_pretend_leave(error);
}
