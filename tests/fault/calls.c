/* SPDX-License-Identifier: MIT */
/* The calls that touch files, in place of the C library's. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/fault/fault.h"

/* The function that this library stands before: the sanitizer's, or the C library's. */
#define NEXT(name)                                                                                 \
    static __typeof__(name) *next;                                                                 \
    if (!next)                                                                                     \
    *(void **)&next = dlsym(RTLD_NEXT, #name)

static uint64_t ino_of(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

static int open_at(int (*next)(int, const char *, int, ...), int dir, const char *path, int flags,
                   mode_t mode)
{
    char full[4096];
    struct stat st;
    if (fault_at(FAULT_OPEN, dir, path))
        return -1;
    if (!record_on() || !(flags & (O_CREAT | O_TRUNC)))
        return next(dir, path, flags, mode);
    int recorded = record_begin(fault_path(full, dir, path));
    int there = recorded && stat(full, &st) == 0;
    int fd = next(dir, path, flags, mode);
    if (recorded) {
        int error = errno;
        uint64_t ino = fd >= 0 ? ino_of(fd) : 0;
        record_end(fd >= 0 && !(there && !(flags & O_TRUNC)),
                   (struct fault_op){.kind = there ? OP_TRUNCATE : OP_CREATE, .ino = ino}, full,
                   NULL, NULL);
        errno = error;
    }
    return fd;
}

/* `mode`, which stands behind the flags where these make a file. */
#define TAKE_MODE(flags)                                                                           \
    mode_t mode = 0;                                                                               \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                                                         \
        va_list ap;                                                                                \
        va_start(ap, flags);                                                                       \
        mode = va_arg(ap, mode_t);                                                                 \
        va_end(ap);                                                                                \
    }                                                                                              \
    (void)0

int open(const char *path, int flags, ...)
{
    NEXT(openat);
    TAKE_MODE(flags);
    return open_at(next, AT_FDCWD, path, flags, mode);
}

int openat(int dir, const char *path, int flags, ...)
{
    NEXT(openat);
    TAKE_MODE(flags);
    return open_at(next, dir, path, flags, mode);
}

DIR *opendir(const char *path)
{
    NEXT(opendir);
    if (fault_at(FAULT_OPEN, AT_FDCWD, path))
        return NULL;
    return next(path);
}

/* How many of the bytes a call may take; REFUSED: it fails. */
#define REFUSED SIZE_MAX
static size_t granted(enum fault_kind kind, int fd, size_t bytes)
{
    enum fault_verdict verdict = fault_at(kind, fd, NULL);
    if (verdict == FAULT_FAIL)
        return REFUSED;
    return verdict == FAULT_SHORT_ && bytes > 1 ? bytes / 2 : bytes;
}

ssize_t read(int fd, void *buf, size_t bytes)
{
    NEXT(read);
    bytes = granted(FAULT_READ, fd, bytes);
    return bytes == REFUSED ? -1 : next(fd, buf, bytes);
}

ssize_t pread(int fd, void *buf, size_t bytes, off_t at)
{
    NEXT(pread);
    bytes = granted(FAULT_READ, fd, bytes);
    return bytes == REFUSED ? -1 : next(fd, buf, bytes, at);
}

/* After a write that wrote n bytes at `at`. */
static void record_write(int fd, int recorded, ssize_t n, off_t at, const void *data)
{
    int error = errno, flags = fcntl(fd, F_GETFL);
    if (recorded)
        record_end(n > 0,
                   (struct fault_op){.kind = OP_WRITE,
                                     .durable = flags >= 0 && (flags & (O_DSYNC | O_SYNC)) != 0,
                                     .ino = ino_of(fd),
                                     .at = (uint64_t)at,
                                     .bytes = n > 0 ? (uint64_t)n : 0},
                   NULL, NULL, data);
    errno = error;
}

ssize_t write(int fd, const void *buf, size_t bytes)
{
    NEXT(write);
    char full[4096];
    bytes = granted(FAULT_WRITE, fd, bytes);
    if (bytes == REFUSED)
        return -1;
    int recorded = record_on() && record_begin(fault_path(full, fd, NULL));
    off_t at = recorded ? lseek(fd, 0, SEEK_CUR) : 0;
    ssize_t n = next(fd, buf, bytes);
    record_write(fd, recorded, n, at, buf);
    return n;
}

ssize_t pwrite(int fd, const void *buf, size_t bytes, off_t at)
{
    NEXT(pwrite);
    char full[4096];
    bytes = granted(FAULT_WRITE, fd, bytes);
    if (bytes == REFUSED)
        return -1;
    int recorded = record_on() && record_begin(fault_path(full, fd, NULL));
    ssize_t n = next(fd, buf, bytes, at);
    record_write(fd, recorded, n, at, buf);
    return n;
}

/* The pieces as one write of a copy. at < 0: where the file stands. */
static ssize_t write_pieces(int fd, const struct iovec *piece, int count, off_t at)
{
    size_t bytes = 0, used = 0;
    for (int i = 0; i < count; i++)
        bytes += piece[i].iov_len;
    char *data = malloc(bytes ? bytes : 1);
    for (int i = 0; data && i < count; used += piece[i++].iov_len)
        memcpy(data + used, piece[i].iov_base, piece[i].iov_len);
    ssize_t n = at < 0 ? write(fd, data, bytes) : pwrite(fd, data, bytes, at);
    int error = errno;
    free(data);
    errno = error;
    return n;
}

ssize_t writev(int fd, const struct iovec *piece, int count)
{
    return write_pieces(fd, piece, count, -1);
}

ssize_t pwritev(int fd, const struct iovec *piece, int count, off_t at)
{
    return write_pieces(fd, piece, count, at);
}

/* Noted, but not done: nobody cuts the power here, and a campaign has 100,000 of them. */
static int sync_fd(int fd)
{
    char full[4096];
    if (fault_at(FAULT_SYNC, fd, NULL))
        return -1;
    if (record_on() && record_begin(fault_path(full, fd, NULL)))
        record_end(1, (struct fault_op){.kind = OP_SYNC, .ino = ino_of(fd)}, full, NULL, NULL);
    return 0;
}

int fsync(int fd)
{
    return sync_fd(fd);
}

int fdatasync(int fd)
{
    return sync_fd(fd);
}

int msync(void *at, size_t bytes, int flags)
{
    NEXT(msync);
    return next(at, bytes, flags); /* nothing of ours is written through a map */
}

int ftruncate(int fd, off_t bytes)
{
    NEXT(ftruncate);
    char full[4096];
    if (fault_at(FAULT_TRUNCATE, fd, NULL))
        return -1;
    int recorded = record_on() && record_begin(fault_path(full, fd, NULL));
    int rc = next(fd, bytes);
    if (recorded)
        record_end(rc == 0,
                   (struct fault_op){.kind = OP_TRUNCATE, .ino = ino_of(fd), .at = (uint64_t)bytes},
                   full, NULL, NULL);
    return rc;
}

int rename(const char *from, const char *to)
{
    NEXT(rename);
    char a[4096], b[4096];
    if (fault_at(FAULT_RENAME, AT_FDCWD, to))
        return -1;
    int recorded = record_on() && record_begin(fault_path(a, AT_FDCWD, from));
    int rc = next(from, to);
    if (recorded)
        record_end(rc == 0, (struct fault_op){.kind = OP_RENAME}, a, fault_path(b, AT_FDCWD, to),
                   NULL);
    return rc;
}

int renameat2(int dir, const char *from, int other, const char *to, unsigned flags)
{
    NEXT(renameat2);
    char a[4096], b[4096];
    if (fault_at(FAULT_RENAME, other, to))
        return -1;
    int recorded = record_on() && record_begin(fault_path(a, dir, from));
    int rc = next(dir, from, other, to, flags);
    if (recorded)
        record_end(rc == 0,
                   (struct fault_op){.kind = flags & RENAME_EXCHANGE ? OP_EXCHANGE : OP_RENAME}, a,
                   fault_path(b, other, to), NULL);
    return rc;
}

static int remove_at(int (*next)(int, const char *, int), int dir, const char *path, int flags)
{
    char full[4096];
    if (fault_at(FAULT_UNLINK, dir, path))
        return -1;
    int recorded = record_on() && record_begin(fault_path(full, dir, path));
    int rc = next(dir, path, flags);
    if (recorded)
        record_end(rc == 0, (struct fault_op){.kind = flags & AT_REMOVEDIR ? OP_RMDIR : OP_UNLINK},
                   full, NULL, NULL);
    return rc;
}

int unlinkat(int dir, const char *path, int flags)
{
    NEXT(unlinkat);
    return remove_at(next, dir, path, flags);
}

int unlink(const char *path)
{
    NEXT(unlinkat);
    return remove_at(next, AT_FDCWD, path, 0);
}

int rmdir(const char *path)
{
    NEXT(unlinkat);
    return remove_at(next, AT_FDCWD, path, AT_REMOVEDIR);
}

int mkdir(const char *path, mode_t mode)
{
    NEXT(mkdir);
    char full[4096];
    struct stat st = {0};
    if (fault_at(FAULT_MKDIR, AT_FDCWD, path))
        return -1;
    int recorded = record_on() && record_begin(fault_path(full, AT_FDCWD, path));
    int rc = next(path, mode);
    if (recorded) {
        int error = errno;
        if (rc == 0)
            stat(path, &st);
        record_end(rc == 0, (struct fault_op){.kind = OP_MKDIR, .ino = st.st_ino}, full, NULL,
                   NULL);
        errno = error;
    }
    return rc;
}

void *mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset)
{
    NEXT(mmap);
    if (fd >= 0 && fault_at(FAULT_MAP, fd, NULL))
        return MAP_FAILED;
    return next(at, bytes, prot, flags, fd, offset);
}
