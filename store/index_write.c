/* SPDX-License-Identifier: MIT */
/* Writing index.bin: sections side by side, then the block sums over what has been written. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/file.h"
#include "store/index.h"

#define SECTION_BUFFER ((size_t)64 << 10)
#define COUNT_MAX (1ULL << 40) /* of records, classes, bytes: no product below overflows */

struct cursor {
    uint8_t *buffer;
    size_t filled;
    uint64_t at, end; /* in the file: where the buffer goes, where the section ends */
};

struct fn_index_writer {
    int fd;
    char *temporary, *path;
    struct fn_index_head head;
    struct cursor cursor[FN_INDEX_SECTIONS];
    int committed;
};

int fn_index_layout(struct fn_index_head *head, const struct fn_index_counts *counts)
{
    *head = (struct fn_index_head){.version = FN_STORE_VERSION,
                                   .block_bytes = FN_INDEX_BLOCK,
                                   .records = counts->records,
                                   .classes = counts->classes,
                                   .groups = counts->groups,
                                   .shards = counts->shards};
    memcpy(head->magic, FN_INDEX_MAGIC, sizeof head->magic);
    if (counts->records > COUNT_MAX || counts->classes > UINT32_MAX || counts->groups > COUNT_MAX ||
        counts->shards > COUNT_MAX || counts->names_bytes > COUNT_MAX)
        return fn_fail(FN_ELIMIT, "a store with more records than an index can hold");
    const uint64_t bytes[FN_INDEX_SECTIONS] = {
        [FN_INDEX_LOCATIONS] = counts->records * 8,
        [FN_INDEX_LABELS] = counts->records * 4,
        [FN_INDEX_MEMBERS] = counts->records * 8,
        [FN_INDEX_HASHES] = counts->records * 4,
        [FN_INDEX_STARTS] = (counts->classes + 1) * 8,
        [FN_INDEX_NAME_AT] = (counts->classes + 1) * 8,
        [FN_INDEX_NAMES] = counts->names_bytes,
        [FN_INDEX_SHARDS] = counts->shards * sizeof(struct fn_index_shard),
    };
    uint64_t at = 0; /* relative to data_at; sections start at multiples of 64 */
    for (int i = 0; i < FN_INDEX_SECTIONS; i++) {
        head->section[i].at = at;
        head->section[i].bytes = bytes[i];
        at = (at + bytes[i] + 63) / 64 * 64;
    }
    head->blocks = (at + FN_INDEX_BLOCK - 1) / FN_INDEX_BLOCK;
    head->data_at = (sizeof *head + head->blocks * 8 + FN_PAGE - 1) / FN_PAGE * FN_PAGE;
    head->file_bytes = head->data_at + at;
    for (int i = 0; i < FN_INDEX_SECTIONS; i++)
        head->section[i].at += head->data_at;
    return FN_OK;
}

int fn_index_writer_open(struct fn_index_writer **out, const char *temporary, const char *path,
                         const struct fn_index_counts *counts)
{
    struct fn_index_writer *w = calloc(1, sizeof *w);
    *out = w;
    if (!w)
        return fn_fail(FN_ENOMEM, "no memory to write %s", path);
    w->fd = -1;
    w->temporary = strdup(temporary);
    w->path = strdup(path);
    int rc = fn_index_layout(&w->head, counts);
    for (int i = 0; i < FN_INDEX_SECTIONS; i++) {
        w->cursor[i].at = w->head.section[i].at;
        w->cursor[i].end = w->head.section[i].at + w->head.section[i].bytes;
        w->cursor[i].buffer = malloc(SECTION_BUFFER);
        if (!w->cursor[i].buffer || !w->temporary || !w->path)
            rc = fn_fail(FN_ENOMEM, "no memory to write %s", path);
    }
    if (!rc && (w->fd = open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) < 0)
        rc = fn_fail_errno("cannot create %s", temporary);
    if (!rc && ftruncate(w->fd, (off_t)w->head.file_bytes) != 0) /* the gaps are zeros */
        rc = fn_fail_errno("cannot make %s %llu bytes long", temporary,
                           (unsigned long long)w->head.file_bytes);
    if (rc)
        fn_index_writer_close(out);
    return rc;
}

static int write_at(const struct fn_index_writer *w, uint64_t at, const void *data, size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t n = pwrite(w->fd, (const uint8_t *)data + done, bytes - done, (off_t)(at + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fn_fail_errno("cannot write %s", w->temporary);
        done += (size_t)n;
    }
    return FN_OK;
}

static int flush(struct fn_index_writer *w, struct cursor *cursor)
{
    int rc = write_at(w, cursor->at, cursor->buffer, cursor->filled);
    cursor->at += cursor->filled;
    cursor->filled = 0;
    return rc;
}

int fn_index_writer_put(struct fn_index_writer *w, enum fn_index_section section, const void *data,
                        size_t bytes)
{
    struct cursor *cursor = &w->cursor[section];
    if (cursor->at + cursor->filled + bytes > cursor->end)
        return fn_fail(FN_EINTERNAL, "section %d of the index runs over", (int)section);
    const uint8_t *from = data;
    while (bytes) {
        size_t n = SECTION_BUFFER - cursor->filled;
        n = n < bytes ? n : bytes;
        memcpy(cursor->buffer + cursor->filled, from, n);
        cursor->filled += n;
        from += n;
        bytes -= n;
        if (cursor->filled == SECTION_BUFFER) {
            int rc = flush(w, cursor);
            if (rc)
                return rc;
        }
    }
    return FN_OK;
}

/* Sums of what now stands in the file, and the head over them. */
static int put_head(struct fn_index_writer *w)
{
    struct fn_index_head *head = &w->head;
    uint8_t *front = calloc(1, head->data_at);
    uint8_t *block = malloc(FN_INDEX_BLOCK);
    int rc = front && block ? FN_OK : fn_fail(FN_ENOMEM, "no memory to write %s", w->path);
    for (uint64_t i = 0; i < head->blocks && !rc; i++) {
        uint64_t at = head->data_at + i * FN_INDEX_BLOCK;
        size_t bytes = head->file_bytes - at < FN_INDEX_BLOCK ? (size_t)(head->file_bytes - at)
                                                              : FN_INDEX_BLOCK;
        if (pread(w->fd, block, bytes, (off_t)at) != (ssize_t)bytes)
            rc = fn_fail_errno("cannot read back %s", w->temporary);
        uint64_t sum = rc ? 0 : XXH3_64bits(block, bytes);
        memcpy(front + sizeof *head + i * sizeof sum, &sum, sizeof sum);
    }
    if (!rc) {
        memcpy(front, head, sizeof *head);
        head->checksum =
            XXH3_64bits(front + sizeof head->checksum, head->data_at - sizeof head->checksum);
        memcpy(front, &head->checksum, sizeof head->checksum);
        rc = write_at(w, 0, front, head->data_at);
    }
    free(front);
    free(block);
    return rc;
}

int fn_index_writer_commit(struct fn_index_writer *w, uint64_t *file_bytes, uint64_t *head_sum)
{
    int rc = FN_OK;
    for (int i = 0; i < FN_INDEX_SECTIONS && !rc; i++) {
        rc = flush(w, &w->cursor[i]);
        if (!rc && w->cursor[i].at != w->cursor[i].end)
            rc = fn_fail(FN_EINTERNAL, "section %d of the index is not full", i);
    }
    if (!rc)
        rc = put_head(w);
    if (!rc && fsync(w->fd) != 0)
        rc = fn_fail_errno("cannot write %s to the disk", w->temporary);
    if (!rc && rename(w->temporary, w->path) != 0)
        rc = fn_fail_errno("cannot rename %s to %s", w->temporary, w->path);
    if (rc)
        return rc;
    w->committed = 1;
    *file_bytes = w->head.file_bytes;
    *head_sum = w->head.checksum;
    return FN_OK;
}

void fn_index_writer_close(struct fn_index_writer **out)
{
    struct fn_index_writer *w = *out;
    if (!w)
        return;
    if (w->fd >= 0) {
        close(w->fd);
        if (!w->committed)
            unlink(w->temporary);
    }
    for (int i = 0; i < FN_INDEX_SECTIONS; i++)
        free(w->cursor[i].buffer);
    free(w->temporary);
    free(w->path);
    free(w);
    *out = NULL;
}
