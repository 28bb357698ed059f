/* SPDX-License-Identifier: MIT */
/* Every change of a folder, in the order of the calls, with its data. */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/fault/fault.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int out = -1;
static const char *folder;

static void put(const void *data, size_t bytes)
{
    for (const char *p = data; bytes;) {
        long n = syscall(SYS_write, out, p, bytes);
        if (n <= 0)
            abort(); /* a record with a hole is worth nothing */
        p += n;
        bytes -= (size_t)n;
    }
}

static void put_op(struct fault_op op, const char *path, const char *other, const void *data)
{
    op.path_bytes = path ? (uint32_t)strlen(path) + 1 : 0;
    op.other_bytes = other ? (uint32_t)strlen(other) + 1 : 0;
    put(&op, sizeof op);
    put(path, op.path_bytes);
    put(other, op.other_bytes);
    put(data, op.bytes);
}

/* A record that exists is gone on with: runs that follow each other are one story. */
__attribute__((constructor)) static void start(void)
{
    const char *file = getenv("FN_FAULT_RECORD");
    struct stat st;
    folder = getenv("FN_FAULT_FOLDER");
    if (!file || !folder)
        return;
    out = (int)syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (out < 0 || stat(folder, &st) != 0)
        abort();
    if (lseek(out, 0, SEEK_END) == 0)
        put_op((struct fault_op){.kind = OP_ROOT, .ino = st.st_ino}, folder, NULL, NULL);
}

int record_on(void)
{
    return out >= 0;
}

int record_begin(const char *path)
{
    size_t n = folder ? strlen(folder) : 0;
    if (out < 0 || strncmp(path, folder, n) != 0 || (path[n] != '/' && path[n] != 0))
        return 0;
    pthread_mutex_lock(&lock);
    return 1;
}

void record_end(int ok, struct fault_op op, const char *path, const char *other, const void *data)
{
    if (ok)
        put_op(op, path, other, data);
    pthread_mutex_unlock(&lock);
}
