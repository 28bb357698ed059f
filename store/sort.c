/* SPDX-License-Identifier: MIT */
/* External merge sort. */
#include "store/sort.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/build.h"

#define FAN_IN 256
#define RUN_BUFFER ((size_t)64 << 10)
#define ITEM_HEAD sizeof(uint16_t) /* an item's length stands before it */

struct run { /* a sorted stretch of the temporary, and the part of it in memory */
    uint64_t at, end;
    uint8_t *buffer;
    size_t filled, used;
};

struct fn_sort {
    char *folder;
    int fd; /* -1 until something is written */
    uint64_t file_bytes;
    uint8_t *arena; /* items, then the pointers to them from the end */
    size_t cap, bytes, count;
    struct run *runs;
    size_t run_count, run_cap;
    size_t next;  /* without runs: the item to give */
    size_t *heap; /* runs by their first item */
    size_t heap_count;
    uint8_t item[FN_SORT_ITEM_MAX + ITEM_HEAD];
    uint8_t *out;
    size_t out_bytes;
};

static const uint8_t **pointers(const struct fn_sort *sort)
{
    return (const uint8_t **)(void *)(sort->arena + sort->cap) - sort->count;
}

static size_t item_bytes(const uint8_t *item)
{
    uint16_t bytes;
    memcpy(&bytes, item, sizeof bytes);
    return bytes;
}

static int compare(const uint8_t *a, const uint8_t *b)
{
    size_t an = item_bytes(a), bn = item_bytes(b);
    int c = memcmp(a + ITEM_HEAD, b + ITEM_HEAD, an < bn ? an : bn);
    return c ? c : (an > bn) - (an < bn);
}

static int compare_pointers(const void *a, const void *b)
{
    return compare(*(const uint8_t *const *)a, *(const uint8_t *const *)b);
}

int fn_sort_open(struct fn_sort **out, const char *folder, size_t memory)
{
    struct fn_sort *sort = calloc(1, sizeof *sort);
    *out = sort;
    if (!sort)
        return fn_fail(FN_ENOMEM, "no memory to sort in");
    sort->fd = -1;
    sort->cap = memory / sizeof(void *) * sizeof(void *);
    sort->folder = strdup(folder);
    sort->arena = malloc(sort->cap);
    sort->out = malloc(RUN_BUFFER);
    if (sort->folder && sort->arena && sort->out)
        return FN_OK;
    fn_sort_close(out);
    return fn_fail(FN_ENOMEM, "no memory to sort in");
}

void fn_sort_close(struct fn_sort **out)
{
    struct fn_sort *sort = *out;
    if (!sort)
        return;
    for (size_t i = 0; i < sort->run_count; i++)
        free(sort->runs[i].buffer);
    if (sort->fd >= 0)
        close(sort->fd);
    free(sort->runs);
    free(sort->heap);
    free(sort->folder);
    free(sort->arena);
    free(sort->out);
    free(sort);
    *out = NULL;
}

static int make_file(struct fn_sort *sort)
{
    char path[FN_PATH_MAX];
    fn_store_file(path, sort->folder, "sort.tmp");
    sort->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (sort->fd < 0)
        return fn_fail_errno("cannot create %s", path);
    if (unlink(path) != 0)
        return fn_fail_errno("cannot unlink %s", path);
    return FN_OK;
}

static int flush(struct fn_sort *sort)
{
    for (size_t done = 0; done < sort->out_bytes;) {
        ssize_t n = pwrite(sort->fd, sort->out + done, sort->out_bytes - done,
                           (off_t)(sort->file_bytes + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fn_fail_errno("cannot write the sorting file in %s", sort->folder);
        done += (size_t)n;
    }
    sort->file_bytes += sort->out_bytes;
    sort->out_bytes = 0;
    return FN_OK;
}

static int put(struct fn_sort *sort, const uint8_t *item)
{
    size_t bytes = item_bytes(item) + ITEM_HEAD;
    if (sort->out_bytes + bytes > RUN_BUFFER) {
        int rc = flush(sort);
        if (rc)
            return rc;
    }
    memcpy(sort->out + sort->out_bytes, item, bytes);
    sort->out_bytes += bytes;
    return FN_OK;
}

static int add_run(struct fn_sort *sort, uint64_t at)
{
    if (sort->run_count == sort->run_cap) {
        size_t cap = sort->run_cap ? 2 * sort->run_cap : 16;
        struct run *runs = realloc(sort->runs, cap * sizeof *runs);
        if (!runs)
            return fn_fail(FN_ENOMEM, "no memory for %zu sorted runs", cap);
        sort->runs = runs;
        sort->run_cap = cap;
    }
    sort->runs[sort->run_count++] = (struct run){.at = at, .end = sort->file_bytes};
    return FN_OK;
}

/* Sort what is in memory and write it out as a run. */
static int spill(struct fn_sort *sort)
{
    int rc = sort->fd < 0 ? make_file(sort) : FN_OK;
    if (rc)
        return rc;
    uint64_t at = sort->file_bytes;
    const uint8_t **list = pointers(sort);
    qsort(list, sort->count, sizeof *list, compare_pointers);
    for (size_t i = 0; i < sort->count && !rc; i++)
        rc = put(sort, list[i]);
    if (!rc)
        rc = flush(sort);
    sort->count = sort->bytes = 0;
    return rc ? rc : add_run(sort, at);
}

int fn_sort_add(struct fn_sort *sort, const void *item, size_t bytes)
{
    if (bytes > FN_SORT_ITEM_MAX)
        return fn_fail(FN_EINTERNAL, "an item of %zu bytes to sort", bytes);
    size_t need = bytes + ITEM_HEAD + sizeof(void *);
    if (sort->bytes + need + sort->count * sizeof(void *) > sort->cap) {
        int rc = spill(sort);
        if (rc)
            return rc;
    }
    uint8_t *at = sort->arena + sort->bytes;
    uint16_t length = (uint16_t)bytes;
    memcpy(at, &length, sizeof length);
    memcpy(at + ITEM_HEAD, item, bytes);
    sort->bytes += bytes + ITEM_HEAD;
    sort->count++;
    pointers(sort)[0] = at; /* from the end of the arena downwards */
    return FN_OK;
}

/* Make the run's first item lie whole in its buffer. *more: 0 when the run has ended. */
static int refill(struct fn_sort *sort, struct run *run, int *more)
{
    size_t left = run->filled - run->used;
    size_t whole = left < ITEM_HEAD ? ITEM_HEAD : item_bytes(run->buffer + run->used) + ITEM_HEAD;
    *more = 1;
    if (left >= whole)
        return FN_OK;
    memmove(run->buffer, run->buffer + run->used, left);
    run->used = 0;
    run->filled = left;
    while (run->filled < RUN_BUFFER && run->at < run->end) {
        uint64_t want = RUN_BUFFER - run->filled;
        want = want < run->end - run->at ? want : run->end - run->at;
        ssize_t n = pread(sort->fd, run->buffer + run->filled, (size_t)want, (off_t)run->at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fn_fail_errno("cannot read the sorting file in %s", sort->folder);
        run->filled += (size_t)n;
        run->at += (uint64_t)n;
    }
    *more = run->filled > 0;
    return FN_OK;
}

static const uint8_t *front(const struct fn_sort *sort, size_t run)
{
    return sort->runs[run].buffer + sort->runs[run].used;
}

static void sift_down(struct fn_sort *sort, size_t i)
{
    size_t *heap = sort->heap;
    for (;;) {
        size_t least = i, left = 2 * i + 1, right = left + 1;
        if (left < sort->heap_count &&
            compare(front(sort, heap[left]), front(sort, heap[least])) < 0)
            least = left;
        if (right < sort->heap_count &&
            compare(front(sort, heap[right]), front(sort, heap[least])) < 0)
            least = right;
        if (least == i)
            return;
        size_t kept = heap[i];
        heap[i] = heap[least];
        heap[least] = kept;
        i = least;
    }
}

/* Begin to merge the runs [first, first + count). */
static int merge_begin(struct fn_sort *sort, size_t first, size_t count)
{
    free(sort->heap);
    sort->heap_count = 0;
    sort->heap = malloc(count * sizeof *sort->heap);
    if (!sort->heap)
        return fn_fail(FN_ENOMEM, "no memory to merge %zu runs", count);
    for (size_t i = first; i < first + count; i++) {
        struct run *run = &sort->runs[i];
        int more = 0;
        run->buffer = malloc(RUN_BUFFER);
        if (!run->buffer)
            return fn_fail(FN_ENOMEM, "no memory to merge %zu runs", count);
        int rc = refill(sort, run, &more);
        if (rc)
            return rc;
        if (more)
            sort->heap[sort->heap_count++] = i;
    }
    for (size_t i = sort->heap_count / 2 + 1; i-- > 0;)
        if (i < sort->heap_count)
            sift_down(sort, i);
    return FN_OK;
}

/* The least item of the merge into sort->item; FN_SORT_END. */
static int merge_next(struct fn_sort *sort)
{
    if (!sort->heap_count)
        return FN_SORT_END;
    struct run *run = &sort->runs[sort->heap[0]];
    const uint8_t *item = run->buffer + run->used;
    size_t bytes = item_bytes(item) + ITEM_HEAD;
    int more = 0;
    memcpy(sort->item, item, bytes);
    run->used += bytes;
    int rc = refill(sort, run, &more);
    if (rc)
        return rc;
    if (!more) {
        free(run->buffer);
        run->buffer = NULL;
        sort->heap[0] = sort->heap[--sort->heap_count];
    }
    if (sort->heap_count)
        sift_down(sort, 0);
    return FN_OK;
}

/* More runs than are merged at once: the first ones become one, at the end of the file. */
static int merge_some(struct fn_sort *sort)
{
    uint64_t at = sort->file_bytes;
    int rc = merge_begin(sort, 0, FAN_IN);
    while (!rc) {
        rc = merge_next(sort);
        if (!rc)
            rc = put(sort, sort->item);
    }
    rc = rc == FN_SORT_END ? flush(sort) : rc;
    if (rc)
        return rc;
    memmove(sort->runs, sort->runs + FAN_IN, (sort->run_count - FAN_IN) * sizeof *sort->runs);
    sort->run_count -= FAN_IN;
    return add_run(sort, at);
}

int fn_sort_start(struct fn_sort *sort)
{
    int rc = FN_OK;
    sort->next = 0;
    if (!sort->run_count) {
        if (sort->count)
            qsort(pointers(sort), sort->count, sizeof(void *), compare_pointers);
        return FN_OK;
    }
    if (sort->count)
        rc = spill(sort);
    free(sort->arena);
    sort->arena = NULL;
    while (!rc && sort->run_count > FAN_IN)
        rc = merge_some(sort);
    return rc ? rc : merge_begin(sort, 0, sort->run_count);
}

int fn_sort_next(struct fn_sort *sort, const uint8_t **item, size_t *bytes)
{
    const uint8_t *at = sort->item;
    if (!sort->run_count) {
        if (sort->next == sort->count)
            return FN_SORT_END;
        at = pointers(sort)[sort->next++];
    } else {
        int rc = merge_next(sort);
        if (rc)
            return rc;
    }
    *item = at + ITEM_HEAD;
    *bytes = item_bytes(at);
    return FN_OK;
}
