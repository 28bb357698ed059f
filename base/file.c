/* SPDX-License-Identifier: MIT */
/* Whole reads, maps and atomic writes. Folders are in folder.c. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* read() that goes on after a signal. */
static ssize_t read_some(int fd, void *buf, size_t bytes)
{
    ssize_t n;
    do
        n = read(fd, buf, bytes);
    while (n < 0 && errno == EINTR);
    return n;
}

/* Everything from fd. `hint` is what fstat said of the size; the truth is where reading ends. */
static int read_all(int fd, const char *path, size_t hint, size_t limit, unsigned char **data,
                    size_t *bytes)
{
    size_t cap = hint < limit ? hint + 2 : limit < SIZE_MAX - 2 ? limit + 2 : limit;
    unsigned char *buf = malloc(cap);
    size_t used = 0;
    int rc = FN_OK;
    if (!buf)
        return fn_fail(FN_ENOMEM, "%s: out of memory while reading %zu bytes", path, cap);
    for (;;) {
        ssize_t n = read_some(fd, buf + used, cap - 1 - used);
        if (n < 0) {
            rc = fn_fail_errno("%s: cannot read", path);
            break;
        }
        used += (size_t)n;
        if (used > limit) {
            rc = fn_fail(FN_ELIMIT, "%s: larger than the limit of %zu bytes", path, limit);
            break;
        }
        if (n == 0)
            break;
        if (used == cap - 1) {
            size_t more = cap > SIZE_MAX / 2 ? SIZE_MAX : 2 * cap;
            unsigned char *grown = more > cap ? realloc(buf, more) : NULL;
            if (!grown) {
                rc = fn_fail(FN_ENOMEM, "%s: out of memory after %zu bytes", path, used);
                break;
            }
            buf = grown;
            cap = more;
        }
    }
    if (rc != FN_OK) {
        free(buf);
        return rc;
    }
    buf[used] = 0;
    *data = buf;
    *bytes = used;
    return FN_OK;
}

int fn_file_read(const char *path, size_t limit, unsigned char **data, size_t *bytes)
{
    *data = NULL;
    *bytes = 0;
    if (strcmp(path, "-") == 0)
        return read_all(STDIN_FILENO, "standard input", 65536, limit, data, bytes);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fn_fail_errno("%s: cannot open", path);
    struct stat st;
    int rc;
    if (fstat(fd, &st) != 0)
        rc = fn_fail_errno("%s: cannot look at", path);
    else if (S_ISDIR(st.st_mode))
        rc = fn_fail(FN_EIO, "%s: is a folder, want a file", path);
    else if (S_ISREG(st.st_mode) && (uintmax_t)st.st_size > limit)
        rc = fn_fail(FN_ELIMIT, "%s: %jd bytes, larger than the limit of %zu", path,
                     (intmax_t)st.st_size, limit);
    else
        rc = read_all(fd, path, S_ISREG(st.st_mode) ? (size_t)st.st_size : 65536, limit, data,
                      bytes);
    close(fd);
    return rc;
}

int fn_map_open(struct fn_map *map, const char *path)
{
    map->data = NULL;
    map->bytes = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fn_fail_errno("%s: cannot open", path);
    struct stat st;
    int rc = FN_OK;
    if (fstat(fd, &st) != 0) {
        rc = fn_fail_errno("%s: cannot look at", path);
    } else if (!S_ISREG(st.st_mode)) {
        rc = fn_fail(FN_EIO, "%s: not a regular file, cannot be mapped", path);
    } else if ((uintmax_t)st.st_size > SIZE_MAX) {
        rc = fn_fail(FN_ELIMIT, "%s: %jd bytes are too many to map", path, (intmax_t)st.st_size);
    } else if (st.st_size > 0) {
        void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
        if (data == MAP_FAILED) {
            rc = fn_fail_errno("%s: cannot map %jd bytes", path, (intmax_t)st.st_size);
        } else {
            map->data = data;
            map->bytes = (size_t)st.st_size;
        }
    }
    close(fd);
    return rc;
}

void fn_map_close(struct fn_map *map)
{
    if (map->data)
        munmap((void *)(uintptr_t)map->data, map->bytes);
    map->data = NULL;
    map->bytes = 0;
}

#define OUT_BUFFER ((size_t)256 << 10)

struct fn_out {
    char *path;      /* links resolved */
    char *temporary; /* NULL: a device or pipe, written in place */
    FILE *stream;
    char *buffer; /* the stream's: setvbuf takes a size only with the memory for it */
    int fd;
    int error;     /* errno of the first write that failed: stdio forgets it */
    int committed; /* 1: the temporary has been renamed */
};

static ssize_t out_write(void *cookie, const char *buf, size_t bytes)
{
    struct fn_out *out = cookie;
    size_t done = 0;
    while (done < bytes) {
        ssize_t n = write(out->fd, buf + done, bytes - done);
        if (n > 0) {
            done += (size_t)n;
        } else if (n == 0 || errno != EINTR) {
            if (!out->error)
                out->error = n == 0 ? EIO : errno;
            break;
        }
    }
    return (ssize_t)done;
}

static int out_seek(void *cookie, off64_t *offset, int whence)
{
    struct fn_out *out = cookie;
    off64_t at = lseek(out->fd, *offset, whence);
    if (at < 0)
        return -1;
    *offset = at;
    return 0;
}

/* Opens the temporary, or the device itself. Replacing a device by a file is never meant. */
static int out_open_fd(struct fn_out *out)
{
    struct stat st;
    if (stat(out->path, &st) == 0 && !S_ISREG(st.st_mode)) {
        if (S_ISDIR(st.st_mode))
            return fn_fail(FN_EEXIST, "%s: is a folder, cannot be written as a file", out->path);
        out->fd = open(out->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        return out->fd < 0 ? fn_fail_errno("%s: cannot open for writing", out->path) : FN_OK;
    }
    if (asprintf(&out->temporary, "%s.tmp-%ld", out->path, (long)getpid()) < 0) {
        out->temporary = NULL;
        return fn_fail(FN_ENOMEM, "%s: out of memory", out->path);
    }
    /* What stands there is from a killed process that had our number. */
    unlink(out->temporary);
    out->fd = open(out->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (out->fd < 0) {
        int rc = fn_fail_errno("%s: cannot create", out->path);
        free(out->temporary);
        out->temporary = NULL;
        return rc;
    }
    return FN_OK;
}

int fn_out_open(struct fn_out **result, const char *path)
{
    int rc = FN_OK;
    *result = NULL;
    struct fn_out *out = calloc(1, sizeof *out);
    if (!out)
        return fn_fail(FN_ENOMEM, "%s: out of memory", path);
    out->fd = -1;
    out->path = realpath(path, NULL); /* a link stays a link; its target is replaced */
    if (!out->path)
        out->path = strdup(path);
    if (!out->path) {
        rc = fn_fail(FN_ENOMEM, "%s: out of memory", path);
        goto out;
    }
    rc = out_open_fd(out);
    if (rc != FN_OK)
        goto out;
    out->stream =
        fopencookie(out, "w", (cookie_io_functions_t){.write = out_write, .seek = out_seek});
    out->buffer = malloc(OUT_BUFFER);
    if (!out->stream || !out->buffer || setvbuf(out->stream, out->buffer, _IOFBF, OUT_BUFFER) != 0)
        rc = fn_fail(FN_ENOMEM, "%s: out of memory", path);
out:
    if (rc != FN_OK)
        fn_out_close(&out);
    *result = out;
    return rc;
}

FILE *fn_out_stream(struct fn_out *out)
{
    return out->stream;
}

int fn_out_commit(struct fn_out *out)
{
    if (out->committed || !out->stream)
        return fn_fail(FN_EINTERNAL, "%s: cannot be committed a second time", out->path);
    int failed = ferror(out->stream);
    failed |= fclose(out->stream);
    out->stream = NULL;
    if (failed || out->error) {
        errno = out->error ? out->error : EIO;
        return fn_fail_errno("%s: cannot write", out->path);
    }
    /* EINVAL and EROFS: a device or pipe that knows no such thing. */
    if (fsync(out->fd) != 0 && !(!out->temporary && (errno == EINVAL || errno == EROFS)))
        return fn_fail_errno("%s: cannot write to disk", out->path);
    failed = close(out->fd);
    out->fd = -1;
    if (failed && errno != EINTR) /* after EINTR it is closed all the same */
        return fn_fail_errno("%s: cannot finish writing", out->path);
    if (!out->temporary) {
        out->committed = 1;
        return FN_OK;
    }
    if (rename(out->temporary, out->path) != 0)
        return fn_fail_errno("%s: cannot rename %s to it", out->path, out->temporary);
    out->committed = 1;
    return fn_fsync_parent(out->path);
}

void fn_out_close(struct fn_out **result)
{
    struct fn_out *out = *result;
    if (!out)
        return;
    if (out->stream)
        fclose(out->stream);
    if (out->fd >= 0)
        close(out->fd);
    if (out->temporary && !out->committed)
        unlink(out->temporary);
    free(out->buffer);
    free(out->temporary);
    free(out->path);
    free(out);
    *result = NULL;
}

int fn_file_write(const char *path, const void *data, size_t bytes)
{
    struct fn_out *out = NULL;
    int rc = fn_out_open(&out, path);
    if (rc == FN_OK) {
        fwrite(data, 1, bytes, out->stream); /* a failure is found at commit, with its reason */
        rc = fn_out_commit(out);
    }
    fn_out_close(&out);
    return rc;
}
