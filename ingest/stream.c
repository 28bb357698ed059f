/* SPDX-License-Identifier: MIT */
/* Inputs as bytes: the file descriptor, its first bytes, and plain reading. Wrapped ones go through
 * unwrap.c. */
#include "ingest/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/args.h"
#include "ingest/archive_bytes.h"
#include "ingest/unwrap.h"

#define READAHEAD ((uint64_t)8 << 20) /* asked of the kernel in front of a plain file's reader */
#define POLL_MS 200 /* how long a signal may go unnoticed while a pipe is silent */

struct fn_stream {
    char *path;
    int fd, regular;
    uint64_t size;  /* of a regular file, else 0 */
    uint64_t taken; /* bytes read from fd */
    uint64_t asked; /* readahead was asked for up to here */
    uint8_t *raw;   /* the first bytes of the file */
    size_t raw_bytes, raw_used;
    uint8_t *head; /* the first unwrapped bytes; is `raw` in a plain stream */
    size_t head_bytes;
    int whole;
    uint64_t position;        /* unwrapped bytes handed out */
    struct fn_unwrap *unwrap; /* NULL: plain */
};

/* Wait until a pipe has something, so that a signal is noticed whichever thread it interrupts. */
static int wait_readable(const struct fn_stream *s)
{
    struct pollfd p = {.fd = s->fd, .events = POLLIN};
    for (;;) {
        if (fn_interrupted())
            return fn_fail(FN_EINTERRUPTED, "interrupted while waiting for %s", s->path);
        int n = poll(&p, 1, POLL_MS);
        if (n > 0 || (n < 0 && errno != EINTR))
            return FN_OK; /* what is wrong, read() says */
    }
}

/* The next bytes of the descriptor; *got 0: the end. */
static int read_fd(struct fn_stream *s, uint8_t *buf, size_t cap, size_t *got)
{
    *got = 0;
    if (s->regular && s->taken + READAHEAD / 2 >= s->asked) {
        posix_fadvise(s->fd, (off_t)s->asked, (off_t)READAHEAD, POSIX_FADV_WILLNEED);
        s->asked += READAHEAD;
    }
    for (;;) {
        int rc = s->regular ? FN_OK : wait_readable(s);
        if (rc)
            return rc;
        ssize_t n = s->regular ? pread(s->fd, buf, cap, (off_t)s->taken) : read(s->fd, buf, cap);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0)
            return fn_fail_errno("%s: cannot read at byte %llu", s->path,
                                 (unsigned long long)s->taken);
        if (n == 0 && s->taken < s->size)
            return fn_fail(FN_ECORRUPT, "%s ends at byte %llu, but had %llu when it was opened",
                           s->path, (unsigned long long)s->taken, (unsigned long long)s->size);
        s->taken += (uint64_t)n;
        *got = (size_t)n;
        return FN_OK;
    }
}

/* What the unwrapper reads from: the first bytes again, then the descriptor. */
static int read_raw(void *stream, uint8_t *buf, size_t cap, size_t *got)
{
    struct fn_stream *s = stream;
    size_t n = s->raw_bytes - s->raw_used;
    if (n == 0)
        return read_fd(s, buf, cap, got);
    n = n < cap ? n : cap;
    memcpy(buf, s->raw + s->raw_used, n);
    s->raw_used += n;
    *got = n;
    return FN_OK;
}

static int fill_head(struct fn_stream *s, int (*read)(void *, uint8_t *, size_t, size_t *),
                     void *from, uint8_t **head, size_t *bytes, int *whole)
{
    *head = malloc(FN_STREAM_HEAD);
    if (!*head)
        return fn_fail(FN_ENOMEM, "no memory to read %s", s->path);
    *bytes = 0;
    *whole = 0;
    while (*bytes < FN_STREAM_HEAD && !*whole) {
        size_t got;
        int rc = read(from, *head + *bytes, FN_STREAM_HEAD - *bytes, &got);
        if (rc)
            return rc;
        *bytes += got;
        *whole = got == 0;
    }
    return FN_OK;
}

static int read_fd_of(void *stream, uint8_t *buf, size_t cap, size_t *got)
{
    return read_fd(stream, buf, cap, got);
}

static int read_unwrapped(void *stream, uint8_t *buf, size_t cap, size_t *got)
{
    struct fn_stream *s = stream;
    return fn_unwrap_read(s->unwrap, buf, cap, got);
}

static int open_fd(struct fn_stream *s)
{
    struct stat st;
    int is_stdin = strcmp(s->path, "-") == 0;
    /* O_NONBLOCK: else opening a named pipe waits for its writer, deaf to Ctrl-C. wait_readable()
     * waits for both. */
    s->fd = is_stdin ? dup(STDIN_FILENO) : open(s->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (s->fd < 0)
        return fn_fail_errno("cannot open %s", is_stdin ? "stdin" : s->path);
    if (fstat(s->fd, &st))
        return fn_fail_errno("cannot examine %s", s->path);
    if (S_ISDIR(st.st_mode))
        return fn_fail(FN_EFORMAT, "%s is a folder", s->path);
    s->regular = S_ISREG(st.st_mode);
    if (s->regular) {
        off_t at = is_stdin ? lseek(s->fd, 0, SEEK_CUR) : 0;
        if (at != 0) /* `(read line; fn-ingest -) <file`: what is left, as from a pipe */
            s->regular = 0;
        else
            s->size = (uint64_t)st.st_size;
        posix_fadvise(s->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    }
    return FN_OK;
}

int fn_stream_open(struct fn_stream **stream, const char *path)
{
    int rc;
    struct fn_stream *s = calloc(1, sizeof *s);
    *stream = NULL;
    if (!s || !(s->path = strdup(path))) {
        free(s);
        return fn_fail(FN_ENOMEM, "no memory to read %s", path);
    }
    s->fd = -1;
    rc = open_fd(s);
    if (!rc)
        rc = fill_head(s, read_fd_of, s, &s->raw, &s->raw_bytes, &s->whole);
    if (rc)
        goto out;
    s->head = s->raw;
    s->head_bytes = s->raw_bytes;
    if (fn_archive_begins(s->raw, s->raw_bytes)) {
        s->head = NULL;
        rc = fn_unwrap_open(&s->unwrap, path, read_raw, s);
        s->head_bytes = 0;
        if (!rc && !fn_unwrap_is_pictures(s->unwrap))
            rc = fill_head(s, read_unwrapped, s, &s->head, &s->head_bytes, &s->whole);
    }
out:
    if (rc)
        fn_stream_close(&s);
    *stream = s;
    return rc;
}

void fn_stream_close(struct fn_stream **stream)
{
    struct fn_stream *s = *stream;
    if (!s)
        return;
    fn_unwrap_close(&s->unwrap);
    if (s->fd >= 0)
        close(s->fd);
    if (s->head != s->raw)
        free(s->head);
    free(s->raw);
    free(s->path);
    free(s);
    *stream = NULL;
}

const char *fn_stream_wrapping(const struct fn_stream *s)
{
    return s->unwrap ? fn_unwrap_name(s->unwrap) : "plain";
}

const char *fn_stream_member(const struct fn_stream *s)
{
    return s->unwrap ? fn_unwrap_member(s->unwrap) : NULL;
}

struct fn_unwrap *fn_stream_pictures(const struct fn_stream *s)
{
    return s->unwrap && fn_unwrap_is_pictures(s->unwrap) ? s->unwrap : NULL;
}

uint64_t fn_stream_left_out(const struct fn_stream *s)
{
    return s->unwrap ? fn_unwrap_left_out(s->unwrap) : 0;
}

const uint8_t *fn_stream_head(const struct fn_stream *s, size_t *bytes, int *whole)
{
    *bytes = s->head_bytes;
    *whole = s->whole;
    return s->head;
}

int fn_stream_read(struct fn_stream *s, uint8_t *buf, size_t cap, size_t *got)
{
    int rc = FN_OK;
    if (s->position < s->head_bytes) {
        size_t n = s->head_bytes - (size_t)s->position;
        n = n < cap ? n : cap;
        memcpy(buf, s->head + s->position, n);
        *got = n;
    } else {
        rc = s->unwrap ? fn_unwrap_read(s->unwrap, buf, cap, got) : read_fd(s, buf, cap, got);
    }
    if (!rc)
        s->position += *got;
    return rc;
}

int fn_stream_seek(struct fn_stream *s, uint64_t offset)
{
    uint8_t *skip = NULL;
    int rc = FN_OK;
    if (s->regular && !s->unwrap) {
        if (offset > s->size)
            return fn_fail(FN_EMISMATCH, "%s has %llu bytes, but %llu were read from it before",
                           s->path, (unsigned long long)s->size, (unsigned long long)offset);
        s->position = offset;
        s->taken = offset > s->head_bytes ? offset : s->head_bytes;
        s->asked = s->taken;
        return FN_OK;
    }
    if (offset < s->position)
        return fn_fail(FN_EINTERNAL, "%s: cannot go back from byte %llu to %llu", s->path,
                       (unsigned long long)s->position, (unsigned long long)offset);
    skip = malloc(FN_STREAM_HEAD);
    if (!skip)
        return fn_fail(FN_ENOMEM, "no memory to read %s", s->path);
    while (!rc && s->position < offset) {
        uint64_t left = offset - s->position;
        size_t got;
        rc = fn_interrupted()
                 ? fn_fail(FN_EINTERRUPTED, "interrupted in front of the first new row")
                 : fn_stream_read(s, skip, left < FN_STREAM_HEAD ? (size_t)left : FN_STREAM_HEAD,
                                  &got);
        if (!rc && got == 0)
            rc = fn_fail(FN_EMISMATCH, "%s ends at byte %llu, but %llu were read from it before",
                         s->path, (unsigned long long)s->position, (unsigned long long)offset);
    }
    free(skip);
    return rc;
}

uint64_t fn_stream_size(const struct fn_stream *s)
{
    return s->size;
}

uint64_t fn_stream_taken(const struct fn_stream *s)
{
    if (!s->unwrap && s->position < s->taken)
        return s->position;
    return s->taken;
}
