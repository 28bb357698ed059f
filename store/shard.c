/* SPDX-License-Identifier: MIT */
/* A sealed shard: its pages are checked, then it is an LMDB file like any other, read in place. */
#include "store/shard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lmdb.h>
#include <xxhash.h>

#include "store/lmdb_call.h"
#include "store/pages.h"

struct fn_shard {
    char *path;
    MDB_env *env;
    MDB_dbi dbi;
};

struct fn_shard_read {
    struct fn_shard *shard;
    MDB_txn *txn;
};

int fn_lmdb_fail(int rc, const char *path, const char *call)
{
    int words = (int)strcspn(call, "(");
    if (rc == 0)
        return FN_OK;
    if (rc > 0) { /* LMDB hands errno through */
        errno = rc;
        return fn_fail_errno("%s: %.*s", path, words, call);
    }
    int code = rc == MDB_MAP_FULL || rc == MDB_TXN_FULL ? FN_EINTERNAL : FN_ECORRUPT;
    return fn_fail(code, "%s: %.*s: %s", path, words, call, mdb_strerror(rc));
}

static int read_at(int fd, const char *path, uint64_t at, void *to, size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t n = pread(fd, (uint8_t *)to + done, bytes - done, (off_t)(at + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fn_fail_errno("cannot read %s", path);
        if (n == 0)
            return fn_fail(FN_ECORRUPT, "%s is cut short", path);
        done += (size_t)n;
    }
    return FN_OK;
}

/* The tree must be the one that its own value lengths give, byte for byte. */
static int check_pages(const char *path, const struct fn_index_shard *facts, const uint8_t *head,
                       const uint8_t *tree, uint64_t tree_bytes)
{
    if (XXH3_64bits(head, FN_PAGES_HEAD) != facts->head_sum)
        return fn_fail(FN_ECORRUPT, "%s: its first pages do not have the checksum of the index",
                       path);
    if (XXH3_64bits(tree, tree_bytes) != facts->tree_sum)
        return fn_fail(FN_ECORRUPT, "%s: its tree pages do not have the checksum of the index",
                       path);
    struct fn_pages pages = {0};
    uint32_t *sizes = malloc((size_t)facts->groups * sizeof *sizes);
    int rc = sizes ? FN_OK : fn_fail(FN_ENOMEM, "no memory to check %s", path);
    if (!rc)
        rc = fn_pages_sizes(tree, tree_bytes, sizes, (size_t)facts->groups);
    if (!rc)
        rc = fn_pages_plan(&pages, facts->first_group, sizes, (size_t)facts->groups);
    if (!rc && (pages.file_bytes != facts->file_bytes || pages.tree_at != facts->tree_at ||
                pages.tree_bytes != tree_bytes || memcmp(pages.head, head, FN_PAGES_HEAD) != 0 ||
                memcmp(pages.tree, tree, tree_bytes) != 0))
        rc = fn_fail(FN_ECORRUPT, "the tree is not the one that belongs to its groups");
    fn_pages_free(&pages);
    free(sizes);
    return rc ? fn_fail_in(rc, "%s", path) : FN_OK;
}

static int check_file(const char *path, const struct fn_index_shard *facts)
{
    uint8_t *head = NULL, *tree = NULL;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int rc = fd < 0 ? fn_fail_errno("cannot open %s", path) : FN_OK;
    if (!rc && fstat(fd, &st) != 0)
        rc = fn_fail_errno("cannot look at %s", path);
    if (rc)
        goto out;
    uint64_t tree_bytes = facts->file_bytes - facts->tree_at;
    if ((uint64_t)st.st_size != facts->file_bytes || facts->tree_at > facts->file_bytes ||
        facts->groups < 1 || facts->groups > tree_bytes / 24) {
        rc = fn_fail(FN_ECORRUPT, "%s has %lld bytes, should have %llu", path,
                     (long long)st.st_size, (unsigned long long)facts->file_bytes);
        goto out;
    }
    head = malloc(FN_PAGES_HEAD);
    tree = malloc(tree_bytes);
    if (!head || !tree)
        rc = fn_fail(FN_ENOMEM, "no memory for the tree of %s", path);
    if (!rc)
        rc = read_at(fd, path, 0, head, FN_PAGES_HEAD);
    if (!rc)
        rc = read_at(fd, path, facts->tree_at, tree, tree_bytes);
    if (!rc)
        rc = check_pages(path, facts, head, tree, tree_bytes);
out:
    free(head);
    free(tree);
    if (fd >= 0)
        close(fd);
    return rc;
}

int fn_shard_open(struct fn_shard **out, const char *path, const struct fn_index_shard *facts)
{
    MDB_txn *txn = NULL;
    *out = NULL;
    int rc = check_file(path, facts);
    if (rc)
        return rc;
    struct fn_shard *shard = calloc(1, sizeof *shard);
    if (!shard || !(shard->path = strdup(path))) {
        rc = fn_fail(FN_ENOMEM, "no memory to open %s", path);
        goto out;
    }
    rc = MDB(path, mdb_env_create(&shard->env));
    if (!rc)
        rc = MDB(path, mdb_env_open(shard->env, path,
                                    MDB_NOSUBDIR | MDB_RDONLY | MDB_NOLOCK | MDB_NOTLS, 0));
    if (!rc)
        rc = MDB(path, mdb_txn_begin(shard->env, NULL, MDB_RDONLY, &txn));
    if (!rc)
        rc = MDB(path, mdb_dbi_open(txn, NULL, 0, &shard->dbi));
    if (txn)
        mdb_txn_abort(txn);
out:
    if (rc)
        fn_shard_close(&shard);
    *out = shard;
    return rc;
}

void fn_shard_close(struct fn_shard **shard)
{
    if (!*shard)
        return;
    if ((*shard)->env)
        mdb_env_close((*shard)->env);
    free((*shard)->path);
    free(*shard);
    *shard = NULL;
}

int fn_shard_read_open(struct fn_shard_read **out, struct fn_shard *shard)
{
    struct fn_shard_read *read = calloc(1, sizeof *read);
    int rc = read ? MDB(shard->path, mdb_txn_begin(shard->env, NULL, MDB_RDONLY, &read->txn))
                  : fn_fail(FN_ENOMEM, "no memory to read %s", shard->path);
    if (rc) {
        free(read);
        read = NULL;
    } else {
        read->shard = shard;
    }
    *out = read;
    return rc;
}

void fn_shard_read_close(struct fn_shard_read **read)
{
    if (!*read)
        return;
    mdb_txn_abort((*read)->txn);
    free(*read);
    *read = NULL;
}

int fn_shard_read_get(struct fn_shard_read *read, uint64_t group, const uint8_t **value,
                      size_t *bytes)
{
    uint8_t name[8];
    for (int i = 0; i < 8; i++)
        name[i] = (uint8_t)(group >> (56 - 8 * i));
    MDB_val k = {.mv_size = sizeof name, .mv_data = name}, v;
    int rc = mdb_get(read->txn, read->shard->dbi, &k, &v);
    if (rc)
        return fn_lmdb_fail(rc, read->shard->path, "mdb_get");
    *value = v.mv_data;
    *bytes = v.mv_size;
    return FN_OK;
}
