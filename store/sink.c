/* SPDX-License-Identifier: MIT */
/* Sequential output with a running checksum. */
#include "store/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/file.h"
#include "store/build.h"

#define BUFFER_BYTES ((size_t)256 << 10)

struct fn_sink {
    int fd;
    char *temporary, *path;
    uint8_t *buffer;
    size_t filled;
    uint64_t bytes;
    XXH3_state_t *hash;
    int committed;
};

int fn_sink_open(struct fn_sink **out, const char *temporary, const char *path)
{
    int rc = FN_OK;
    struct fn_sink *sink = calloc(1, sizeof *sink);
    *out = sink;
    if (!sink)
        return fn_fail(FN_ENOMEM, "no memory to write %s", path);
    sink->fd = -1;
    sink->temporary = strdup(temporary);
    sink->path = strdup(path);
    sink->buffer = malloc(BUFFER_BYTES);
    sink->hash = XXH3_createState();
    if (!sink->temporary || !sink->path || !sink->buffer || !sink->hash) {
        rc = fn_fail(FN_ENOMEM, "no memory to write %s", path);
    } else if ((sink->fd = open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) < 0) {
        rc = fn_fail_errno("cannot create %s", temporary);
    } else {
        XXH3_128bits_reset(sink->hash);
    }
    if (rc)
        fn_sink_close(out);
    return rc;
}

static int write_out(struct fn_sink *sink, const uint8_t *data, size_t bytes)
{
    while (bytes) {
        ssize_t n = write(sink->fd, data, bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fn_fail_errno("cannot write %s", sink->temporary);
        data += n;
        bytes -= (size_t)n;
    }
    return FN_OK;
}

static int flush(struct fn_sink *sink)
{
    size_t filled = sink->filled;
    sink->filled = 0;
    return write_out(sink, sink->buffer, filled);
}

int fn_sink_write(struct fn_sink *sink, const void *data, size_t bytes)
{
    if (!bytes)
        return FN_OK;
    XXH3_128bits_update(sink->hash, data, bytes);
    sink->bytes += bytes;
    if (sink->filled + bytes > BUFFER_BYTES) {
        int rc = flush(sink);
        if (rc || bytes >= BUFFER_BYTES)
            return rc ? rc : write_out(sink, data, bytes);
    }
    memcpy(sink->buffer + sink->filled, data, bytes);
    sink->filled += bytes;
    return FN_OK;
}

uint64_t fn_sink_bytes(const struct fn_sink *sink)
{
    return sink->bytes;
}

struct fn_sum128 fn_sink_sum(const struct fn_sink *sink)
{
    XXH128_hash_t hash = XXH3_128bits_digest(sink->hash);
    return (struct fn_sum128){.low = hash.low64, .high = hash.high64};
}

int fn_sink_sync(struct fn_sink *sink)
{
    int rc = flush(sink);
    if (!rc && fsync(sink->fd) != 0)
        rc = fn_fail_errno("cannot write %s to the disk", sink->temporary);
    return rc;
}

int fn_sink_commit(struct fn_sink *sink)
{
    int rc = fn_sink_sync(sink);
    if (rc)
        return rc;
    if (rename(sink->temporary, sink->path) != 0)
        return fn_fail_errno("cannot rename %s to %s", sink->temporary, sink->path);
    sink->committed = 1;
    return fn_fsync_parent(sink->path);
}

int fn_sink_file(const char *store, const char *name, const void *data, size_t bytes)
{
    char temporary[FN_PATH_MAX], path[FN_PATH_MAX];
    struct fn_sink *sink = NULL;
    fn_temporary_file(temporary, fn_build_file(path, store, name));
    int rc = fn_sink_open(&sink, temporary, fn_store_file(path, store, name));
    if (!rc)
        rc = fn_sink_write(sink, data, bytes);
    if (!rc)
        rc = fn_sink_commit(sink);
    fn_sink_close(&sink);
    return rc;
}

void fn_sink_close(struct fn_sink **out)
{
    struct fn_sink *sink = *out;
    if (!sink)
        return;
    if (sink->fd >= 0) {
        close(sink->fd);
        if (!sink->committed)
            unlink(sink->temporary);
    }
    XXH3_freeState(sink->hash);
    free(sink->buffer);
    free(sink->temporary);
    free(sink->path);
    free(sink);
    *out = NULL;
}
