/* SPDX-License-Identifier: MIT */
/* Watched memory: closed pages on both sides, the end of the block as near to the upper one as
 * 64-byte alignment allows, a pattern in between. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/cuda/emu_run.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define CLOSE(address, bytes) __asan_poison_memory_region(address, bytes)
#define OPEN(address, bytes) __asan_unpoison_memory_region(address, bytes)
#else
#define CLOSE(address, bytes) ((void)(address), (void)(bytes))
#define OPEN(address, bytes) ((void)(address), (void)(bytes))
#endif

enum { PAGE = 4096, ALIGN = 64, PATTERN = 0xc5 };

/* At the start of the page below the block. */
struct header {
    char *map;
    size_t map_bytes, bytes;
};

static size_t round_up(size_t bytes, size_t to)
{
    return (bytes + to - 1) / to * to;
}

void *fn_emu_alloc(size_t bytes)
{
    if (bytes > (size_t)1 << 40)
        return NULL;
    const size_t body = round_up(bytes ? bytes : 1, ALIGN), pages = round_up(body, PAGE);
    const size_t all = pages + 3 * PAGE; /* header, closed page, block, closed page */
    char *map =
        mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED)
        return NULL;
    char *data = map + all - PAGE - body;
    const struct header h = {map, all, bytes};
    memcpy(map, &h, sizeof h);
    memset(data, 0xff, bytes); /* NaN in fp32, fp64 and bf16 */
    memset(data + bytes, PATTERN, body - bytes);
    mprotect(map + PAGE, PAGE, PROT_NONE);
    mprotect(map + all - PAGE, PAGE, PROT_NONE);
    CLOSE(data + bytes, body - bytes);
    return data;
}

void fn_emu_free(void *memory)
{
    if (!memory)
        return;
    char *data = memory, *page = data - (uintptr_t)data % PAGE;
    struct header h;
    /* The block begins in the first page of its pages. */
    memcpy(&h, page - 2 * PAGE, sizeof h);
    const size_t body = round_up(h.bytes ? h.bytes : 1, ALIGN);
    OPEN(data + h.bytes, body - h.bytes);
    for (size_t i = h.bytes; i < body; i++)
        if ((unsigned char)data[i] != PATTERN) {
            fprintf(stderr, "emulator: byte %zu behind a block of %zu was written\n", i - h.bytes,
                    h.bytes);
            abort();
        }
    munmap(h.map, h.map_bytes);
}
