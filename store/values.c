/* SPDX-License-Identifier: MIT */
/* Values of a growing shard, in place. */
#include "store/values.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "store/pages.h"

/* The disk is asked to begin writing when so much has gathered, so that a commit waits for little.
 */
#define BEGIN_BYTES (8ULL << 20)

struct fn_values {
    int fd;
    char *path;
    uint64_t bytes; /* of the file */
    uint64_t begun; /* up to here the disk has been asked to write */
    int dirty;
    struct fn_bytes front; /* page head, group head and table */
};

int fn_values_open(struct fn_values **out, const char *path, uint64_t bytes)
{
    struct fn_values *v = calloc(1, sizeof *v);
    struct stat st;
    int rc = FN_OK, fresh = bytes == FN_PAGES_HEAD;
    *out = v;
    if (v)
        v->fd = -1;
    if (!v || !(v->path = strdup(path)))
        rc = fn_fail(FN_ENOMEM, "no memory to write %s", path);
    else if ((v->fd = open(path, O_RDWR | O_CLOEXEC | (fresh ? O_CREAT : 0), 0644)) < 0)
        rc = fn_fail_errno("cannot open %s", path);
    else if (fstat(v->fd, &st) != 0)
        rc = fn_fail_errno("cannot look at %s", path);
    else if (!fresh && (uint64_t)st.st_size < bytes)
        rc = fn_fail(FN_ECORRUPT, "%s has %lld bytes, the journal knows of %llu", path,
                     (long long)st.st_size, (unsigned long long)bytes);
    else if (ftruncate(v->fd, (off_t)bytes) != 0)
        rc = fn_fail_errno("cannot make %s %llu bytes long", path, (unsigned long long)bytes);
    if (rc)
        fn_values_close(out);
    else
        v->bytes = v->begun = bytes;
    return rc;
}

void fn_values_close(struct fn_values **out)
{
    struct fn_values *v = *out;
    if (!v)
        return;
    if (v->fd >= 0)
        close(v->fd);
    fn_bytes_free(&v->front);
    free(v->path);
    free(v);
    *out = NULL;
}

/* All of the pieces, which are changed. */
static int write_pieces(const struct fn_values *v, struct iovec *piece, int count, uint64_t at)
{
    while (count) {
        ssize_t n = pwritev(v->fd, piece, count, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fn_fail_errno("cannot write %s", v->path);
        at += (uint64_t)n;
        for (; count && (size_t)n >= piece->iov_len; piece++, count--)
            n -= (ssize_t)piece->iov_len;
        if (count) {
            piece->iov_base = (uint8_t *)piece->iov_base + n;
            piece->iov_len -= (size_t)n;
        }
    }
    return FN_OK;
}

int fn_values_put(struct fn_values *v, const struct fn_group *group, uint64_t number)
{
    static uint8_t zeros[FN_VALUE_MIN];
    uint64_t used = fn_group_used(group);
    size_t front = (size_t)used - group->records.bytes, bytes = fn_group_value_bytes(used);
    int rc = fn_bytes_reserve(&v->front, FN_PAGES_NODE_HEAD + front);
    if (rc)
        return rc;
    fn_pages_value_head(v->front.data, v->bytes / FN_PAGE, (uint32_t)bytes);
    fn_group_put_front(group, number, v->front.data + FN_PAGES_NODE_HEAD);
    struct iovec piece[3] = {{v->front.data, FN_PAGES_NODE_HEAD + front},
                             {group->records.data, group->records.bytes},
                             {zeros, bytes - (size_t)used}};
    v->dirty = 1;
    rc = write_pieces(v, piece, bytes > used ? 3 : 2, v->bytes);
    if (rc)
        return rc;
    v->bytes += FN_PAGES_NODE_HEAD + bytes;
    if (v->bytes - v->begun >= BEGIN_BYTES) {
        /* Only a hint: where it is not taken, the commit does all of it. */
        sync_file_range(v->fd, (off_t)v->begun, (off_t)(v->bytes - v->begun),
                        SYNC_FILE_RANGE_WRITE);
        v->begun = v->bytes;
    }
    return FN_OK;
}

int fn_values_sync(struct fn_values *v)
{
    if (!v)
        return FN_OK;
    if (v->dirty && fdatasync(v->fd) != 0)
        return fn_fail_errno("cannot write %s to the disk", v->path);
    v->dirty = 0;
    return FN_OK;
}

int fn_values_map_open(struct fn_values_map *m, const char *path, uint64_t bytes)
{
    *m = (struct fn_values_map){.end = bytes};
    int rc = fn_map_open(&m->map, path);
    if (!rc && m->map.bytes < bytes)
        rc = fn_fail(FN_ECORRUPT, "%s has %zu bytes, the journal knows of %llu", path, m->map.bytes,
                     (unsigned long long)bytes);
    fn_values_rewind(m);
    return rc;
}

void fn_values_map_close(struct fn_values_map *m)
{
    fn_map_close(&m->map);
}

void fn_values_rewind(struct fn_values_map *m)
{
    m->at = FN_PAGES_HEAD;
}

int fn_values_next(struct fn_values_map *m, uint64_t number, const uint8_t **value, size_t *bytes)
{
    struct fn_group_head head;
    uint8_t node[FN_PAGES_NODE_HEAD];
    const uint8_t *at = m->map.data + m->at;
    uint64_t room = m->end - m->at;
    if (room < sizeof node + sizeof head)
        return fn_fail(FN_ECORRUPT, "group %llu is missing", (unsigned long long)number);
    memcpy(&head, at + sizeof node, sizeof head);
    if (head.used > room)
        return fn_fail(FN_ECORRUPT, "the head of group %llu is damaged",
                       (unsigned long long)number);
    *bytes = fn_group_value_bytes(head.used);
    *value = at + sizeof node;
    fn_pages_value_head(node, m->at / FN_PAGE, (uint32_t)*bytes);
    if (*bytes > room - sizeof node || head.number != number || memcmp(node, at, sizeof node) != 0)
        return fn_fail(FN_ECORRUPT, "the head of group %llu is damaged",
                       (unsigned long long)number);
    m->at += sizeof node + *bytes;
    return FN_OK;
}

int fn_values_finish(const char *path, uint64_t bytes, const uint8_t *head, const uint8_t *tree,
                     uint64_t tree_bytes)
{
    struct fn_values v = {.path = (char *)(uintptr_t)path};
    struct iovec front = {(void *)(uintptr_t)head, FN_PAGES_HEAD};
    struct iovec back = {(void *)(uintptr_t)tree, tree_bytes};
    v.fd = open(path, O_RDWR | O_CLOEXEC);
    int rc = v.fd < 0 ? fn_fail_errno("cannot open %s", path) : FN_OK;
    if (!rc && ftruncate(v.fd, (off_t)bytes) != 0)
        rc = fn_fail_errno("cannot make %s %llu bytes long", path, (unsigned long long)bytes);
    if (!rc)
        rc = write_pieces(&v, &back, 1, bytes);
    if (!rc)
        rc = write_pieces(&v, &front, 1, 0);
    if (!rc && fsync(v.fd) != 0)
        rc = fn_fail_errno("cannot write %s to the disk", path);
    if (v.fd >= 0)
        close(v.fd);
    return rc;
}
