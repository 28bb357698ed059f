/* SPDX-License-Identifier: MIT */
/* The calls that ask for memory. Whose call it is says the return address: the program's own code,
 * one of the libraries it is made of, or somebody else, who is left alone. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unwind.h>

#include "tests/fault/fault.h"

#define NEXT(name)                                                                                 \
    static __typeof__(name) *next;                                                                 \
    if (!next)                                                                                     \
    *(void **)&next = dlsym(RTLD_NEXT, #name)

/* ---- whose call ---- */
enum { RANGES = 64 };
static struct range {
    uintptr_t begin, end;
    enum fault_kind kind;
} ranges[RANGES];
static int range_count;

static int is_part(const char *library)
{
    static const char *const parts[] = {"/libjansson.", "/liblmdb.",    "/libjpeg.",
                                        "/libpng16.",   "/libarchive.", "/libxxhash."};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (strstr(library, parts[i]))
            return 1;
    return 0;
}

static int note_object(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    int *seen = context;
    int program = (*seen)++ == 0; /* the program itself comes first */
    if (!program && !is_part(info->dlpi_name))
        return 0;
    for (int i = 0; i < info->dlpi_phnum && range_count < RANGES; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type == PT_LOAD && p->p_flags & PF_X)
            ranges[range_count++] = (struct range){info->dlpi_addr + p->p_vaddr,
                                                   info->dlpi_addr + p->p_vaddr + p->p_memsz,
                                                   program ? FAULT_ALLOC : FAULT_MEMORY};
    }
    return 0;
}

__attribute__((constructor)) static void start(void)
{
    int seen = 0;
    dl_iterate_phdr(note_object, &seen);
}

static const struct range *range_of(uintptr_t at)
{
    for (int i = 0; i < range_count; i++)
        if (at >= ranges[i].begin && at < ranges[i].end)
            return &ranges[i];
    return NULL;
}

/* Frames: 0, 1 and 2 are for_library, fails and malloc, 3 asked for memory, 4 called that one. */
static _Unwind_Reason_Code look_up(struct _Unwind_Context *frame, void *context)
{
    struct {
        int depth, library;
    } *seen = context;
    const struct range *range = range_of((uintptr_t)_Unwind_GetIP(frame));
    if (seen->depth++ < 4)
        return _URC_NO_REASON;
    seen->library = range && range->kind == FAULT_MEMORY;
    return _URC_END_OF_STACK;
}

/* The program hands jansson a malloc of its own: what that asks for is the library's. */
static __attribute__((noinline)) int for_library(void)
{
    static _Thread_local int busy; /* the first look may load the unwinder */
    struct {
        int depth, library;
    } seen = {0, 0};
    if (busy)
        return 0;
    busy = 1;
    _Unwind_Backtrace(look_up, &seen);
    busy = 0;
    return seen.library;
}

/* 1: this one fails. The program's own calls are of both kinds. */
static __attribute__((noinline)) int fails(const void *caller)
{
    if (!fault_wants(FAULT_ALLOC) && !fault_wants(FAULT_MEMORY))
        return 0;
    const struct range *range = range_of((uintptr_t)caller);
    if (!range)
        return 0;
    if (fault_wants(FAULT_MEMORY))
        return fault_at(FAULT_MEMORY, -1, NULL) == FAULT_FAIL;
    if (range->kind != FAULT_ALLOC || for_library())
        return 0;
    return fault_at(FAULT_ALLOC, -1, NULL) == FAULT_FAIL;
}

#define CALLER __builtin_return_address(0)

/* ---- memory while dlsym looks for the next malloc: from here, never given back ---- */
static _Alignas(16) char early[1 << 16];
static size_t early_used;
static int looking;

static void *early_alloc(size_t bytes)
{
    bytes = (bytes + 15) / 16 * 16;
    if (bytes > sizeof early - early_used)
        return NULL;
    void *p = early + early_used;
    early_used += bytes;
    return p;
}

static int is_early(const void *p)
{
    return (const char *)p >= early && (const char *)p < early + sizeof early;
}

static struct {
    __typeof__(malloc) *malloc;
    __typeof__(calloc) *calloc;
    __typeof__(realloc) *realloc;
    __typeof__(free) *free;
} next_of;

static void look(void)
{
    looking = 1;
    *(void **)&next_of.malloc = dlsym(RTLD_NEXT, "malloc");
    *(void **)&next_of.calloc = dlsym(RTLD_NEXT, "calloc");
    *(void **)&next_of.realloc = dlsym(RTLD_NEXT, "realloc");
    *(void **)&next_of.free = dlsym(RTLD_NEXT, "free");
    looking = 0;
}

static int early_days(void)
{
    if (!next_of.free && !looking)
        look();
    return looking;
}

void *malloc(size_t bytes)
{
    if (early_days())
        return early_alloc(bytes);
    return fails(CALLER) ? NULL : next_of.malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    if (early_days())
        return early_alloc(count * bytes);
    return fails(CALLER) ? NULL : next_of.calloc(count, bytes);
}

void *realloc(void *p, size_t bytes)
{
    if (early_days() || is_early(p)) {
        void *more = early_days() ? early_alloc(bytes) : next_of.malloc(bytes);
        if (more && p)
            memcpy(more, p, bytes < 4096 ? bytes : 4096);
        return more;
    }
    return fails(CALLER) ? NULL : next_of.realloc(p, bytes);
}

void free(void *p)
{
    if (p && !is_early(p) && !early_days())
        next_of.free(p);
}

int posix_memalign(void **p, size_t align, size_t bytes)
{
    NEXT(posix_memalign);
    return fails(CALLER) ? ENOMEM : next(p, align, bytes);
}

void *aligned_alloc(size_t align, size_t bytes)
{
    NEXT(aligned_alloc);
    return fails(CALLER) ? NULL : next(align, bytes);
}

/* ---- functions of the C library that ask for memory in the program's name ---- */
char *strdup(const char *text)
{
    NEXT(strdup);
    return fails(CALLER) ? NULL : next(text);
}

char *strndup(const char *text, size_t bytes)
{
    NEXT(strndup);
    return fails(CALLER) ? NULL : next(text, bytes);
}

int vasprintf(char **out, const char *fmt, va_list ap)
{
    NEXT(vasprintf);
    return fails(CALLER) ? -1 : next(out, fmt, ap);
}

int asprintf(char **out, const char *fmt, ...)
{
    NEXT(vasprintf);
    va_list ap;
    if (fails(CALLER))
        return -1;
    va_start(ap, fmt);
    int n = next(out, fmt, ap);
    va_end(ap);
    return n;
}

char *realpath(const char *path, char *buf)
{
    NEXT(realpath);
    return !buf && fails(CALLER) ? NULL : next(path, buf);
}

FILE *fopencookie(void *cookie, const char *mode, cookie_io_functions_t io)
{
    NEXT(fopencookie);
    return fails(CALLER) ? NULL : next(cookie, mode, io);
}

DIR *fdopendir(int fd)
{
    NEXT(fdopendir);
    return fails(CALLER) ? NULL : next(fd);
}
