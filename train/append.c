/* SPDX-License-Identifier: MIT */
/* The growing file: entries gather in memory, are written at the known end, and are cut off again
 * where that fails half way. */
#include "train/append.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

#define GATHER_BYTES (64u << 10)
#define GATHER_SECONDS 2.0
#define PENDING_MAX (4u << 20) /* hours of metrics on a full disk */

struct fn_append {
    int fd;
    char *path;
    uint64_t size; /* whole entries in the file, bytes */
    char *pending;
    size_t bytes, cap;
    double since; /* when the first pending entry came */
    int failing;  /* the last write failed */
    int named;    /* the folder has been synced: the file's name is there for good */
};

int fn_append_open(struct fn_append **append, const char *path, uint64_t keep)
{
    struct stat st;
    int rc = FN_OK;
    struct fn_append *a = calloc(1, sizeof *a);
    *append = NULL;
    if (!a || !(a->path = strdup(path))) {
        free(a);
        return fn_fail(FN_ENOMEM, "%s: out of memory", path);
    }
    a->size = keep;
    a->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (a->fd < 0)
        rc = fn_fail_errno("%s: cannot open", path);
    else if (fstat(a->fd, &st) != 0)
        rc = fn_fail_errno("%s: cannot look at it", path);
    else if ((uint64_t)st.st_size < keep)
        rc = fn_fail(FN_ECORRUPT, "%s: has only %llu bytes, want %llu", path,
                     (unsigned long long)st.st_size, (unsigned long long)keep);
    else if (ftruncate(a->fd, (off_t)keep) != 0)
        rc = fn_fail_errno("%s: cannot cut it to %llu bytes", path, (unsigned long long)keep);
    if (rc == FN_OK) {
        *append = a;
        return FN_OK;
    }
    if (a->fd >= 0)
        close(a->fd);
    free(a->path);
    free(a);
    return rc;
}

/* All pending bytes behind the whole entries, or nothing. */
static int write_out(struct fn_append *a)
{
    size_t done = 0;
    while (done < a->bytes) {
        ssize_t n = pwrite(a->fd, a->pending + done, a->bytes - done, (off_t)(a->size + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            int why = n < 0 ? errno : ENOSPC;
            /* If even this fails, the next try writes over the torn end. */
            int cut = ftruncate(a->fd, (off_t)a->size);
            (void)cut;
            errno = why;
            return fn_fail_errno("%s: cannot write", a->path);
        }
        done += (size_t)n;
    }
    a->size += done;
    a->bytes = 0;
    return FN_OK;
}

int fn_append_flush(struct fn_append *append)
{
    int rc = write_out(append);
    append->failing = rc != FN_OK;
    return rc;
}

int fn_append_entry(struct fn_append *append, const void *data, size_t bytes)
{
    double now = fn_now();
    int dropped = append->bytes && append->bytes + bytes > PENDING_MAX;
    if (!dropped && append->bytes + bytes > append->cap) {
        size_t cap = append->bytes + bytes + GATHER_BYTES;
        char *pending = realloc(append->pending, cap);
        if (!pending)
            return fn_fail(FN_ENOMEM, "%s: out of memory", append->path);
        append->pending = pending;
        append->cap = cap;
    }
    if (append->bytes == 0)
        append->since = now;
    if (!dropped) {
        memcpy(append->pending + append->bytes, data, bytes);
        append->bytes += bytes;
    }
    /* Not at every entry while the disk is full. */
    if ((append->failing || append->bytes < GATHER_BYTES) && now - append->since < GATHER_SECONDS)
        return FN_OK;
    int was_failing = append->failing;
    append->since = now;
    int rc = fn_append_flush(append);
    return rc != FN_OK && was_failing ? FN_OK : rc;
}

int fn_append_sync(struct fn_append *append)
{
    int rc = fn_append_flush(append);
    if (rc == FN_OK && fsync(append->fd) != 0 && errno != EINVAL && errno != EROFS)
        rc = fn_fail_errno("%s: cannot write to disk", append->path);
    if (rc == FN_OK && !append->named) {
        rc = fn_fsync_parent(append->path);
        append->named = rc == FN_OK;
    }
    return rc;
}

int fn_append_close(struct fn_append **append)
{
    struct fn_append *a = *append;
    if (!a)
        return FN_OK;
    int rc = fn_append_flush(a);
    if (close(a->fd) != 0 && rc == FN_OK && errno != EINTR)
        rc = fn_fail_errno("%s: cannot finish writing", a->path);
    free(a->pending);
    free(a->path);
    free(a);
    *append = NULL;
    return rc;
}
