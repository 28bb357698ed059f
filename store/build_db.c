/* SPDX-License-Identifier: MIT */
/* The journal of a shard that grows: an LMDB environment with two tables. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <lmdb.h>

#include "store/lmdb_call.h"
#include "store/shard.h"

#define MAP_START (64ULL << 20)
#define FULL_BYTES (1ULL << 20) /* a disk with less than this left is full */
#define MAP_SLACK                                                                                  \
    (16ULL << 20) /* tree pages, and pages of the last two transactions not yet reused */

struct fn_build_db {
    char *path;
    MDB_env *env;
    MDB_txn *write, *read;
    MDB_dbi table[FN_TABLE_COUNT];
    int have_tables;
    int readonly;
};

static const char *const table_names[FN_TABLE_COUNT] = {"rejects", "journal"};

static void key_bytes(uint64_t key, uint8_t out[8])
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(key >> (56 - 8 * i));
}

/* A file that was made and never committed to has at most its two meta pages, perhaps not whole: it
 * holds nothing, and LMDB would refuse the half of one. */
static int drop_unborn(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0 || st.st_size > 2 * sysconf(_SC_PAGESIZE))
        return FN_OK;
    if (unlink(path) != 0)
        return fn_fail_errno("cannot remove %s", path);
    return FN_OK;
}

static int open_tables(struct fn_build_db *db, MDB_txn *txn, unsigned flags)
{
    if (db->have_tables)
        return FN_OK;
    for (int i = 0; i < FN_TABLE_COUNT; i++) {
        int rc = mdb_dbi_open(txn, table_names[i], flags, &db->table[i]);
        if (rc == MDB_NOTFOUND)
            return FN_ENOENT;
        if (rc)
            return fn_lmdb_fail(rc, db->path, "mdb_dbi_open");
    }
    db->have_tables = 1;
    return FN_OK;
}

int fn_build_db_open(struct fn_build_db **out, const char *path, int readonly)
{
    int rc = FN_OK;
    *out = NULL;
    struct fn_build_db *db = calloc(1, sizeof *db);
    if (!db || !(db->path = strdup(path))) {
        rc = fn_fail(FN_ENOMEM, "no memory to open %s", path);
        goto out;
    }
    db->readonly = readonly;
    if (!readonly && (rc = drop_unborn(path)))
        goto out;
    int born = !readonly && access(path, F_OK) != 0;
    rc = MDB(path, mdb_env_create(&db->env));
    if (!rc)
        rc = MDB(path, mdb_env_set_maxdbs(db->env, FN_TABLE_COUNT));
    if (!rc && !readonly)
        rc = MDB(path, mdb_env_set_mapsize(db->env, MAP_START));
    if (!rc)
        rc = MDB(path,
                 mdb_env_open(db->env, path,
                              MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOTLS | (readonly ? MDB_RDONLY : 0u),
                              0644));
    /* The meta pages first: a power cut must not leave a file that has data but is none of LMDB's.
     */
    if (!rc && born)
        rc = MDB(path, mdb_env_sync(db->env, 1));
out:
    if (rc)
        fn_build_db_close(&db);
    *out = db;
    return rc;
}

void fn_build_db_close(struct fn_build_db **db)
{
    if (!*db)
        return;
    if ((*db)->write)
        mdb_txn_abort((*db)->write);
    fn_build_db_end(*db);
    if ((*db)->env)
        mdb_env_close((*db)->env);
    free((*db)->path);
    free(*db);
    *db = NULL;
}

/* mdb_env_set_mapsize wants no transaction to be alive, so the map is made large enough before. */
static int make_room(struct fn_build_db *db, uint64_t room)
{
    MDB_envinfo info;
    MDB_stat stat;
    int rc = MDB(db->path, mdb_env_info(db->env, &info));
    if (!rc)
        rc = MDB(db->path, mdb_env_stat(db->env, &stat));
    if (rc)
        return rc;
    uint64_t used = ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
    uint64_t want = used + room + room / 8 + MAP_SLACK;
    if (want <= info.me_mapsize)
        return FN_OK;
    want = want +
           want / 4; /* in proportion, so that a growing shard is mapped anew only a few times */
    want = (want + MAP_START - 1) / MAP_START * MAP_START;
    return MDB(db->path, mdb_env_set_mapsize(db->env, want));
}

int fn_build_db_begin(struct fn_build_db *db, uint64_t room)
{
    fn_build_db_end(db);
    int rc = make_room(db, room);
    if (!rc)
        rc = MDB(db->path, mdb_txn_begin(db->env, NULL, 0, &db->write));
    if (!rc)
        rc = open_tables(db, db->write, MDB_CREATE);
    if (rc && db->write) {
        mdb_txn_abort(db->write);
        db->write = NULL;
    }
    return rc;
}

/* A write cut short by a full disk is EIO to LMDB. */
static int commit_failed(struct fn_build_db *db, int rc)
{
    struct statvfs disk;
    if (rc != EIO || statvfs(db->path, &disk) != 0 ||
        (uint64_t)disk.f_bavail * disk.f_frsize > FULL_BYTES)
        return fn_lmdb_fail(rc, db->path, "mdb_txn_commit");
    return fn_fail(FN_ENOSPC, "%s: the disk is full: %llu bytes are left", db->path,
                   (unsigned long long)disk.f_bavail * disk.f_frsize);
}

int fn_build_db_commit(struct fn_build_db *db)
{
    MDB_txn *txn = db->write;
    db->write = NULL;
    int rc = mdb_txn_commit(txn);
    return rc ? commit_failed(db, rc) : FN_OK;
}

int fn_build_db_put(struct fn_build_db *db, enum fn_table table, uint64_t key, size_t bytes,
                    uint8_t **value)
{
    uint8_t name[8];
    key_bytes(key, name);
    MDB_val k = {.mv_size = sizeof name, .mv_data = name}, v = {.mv_size = bytes};
    unsigned flags = MDB_RESERVE | (table == FN_TABLE_JOURNAL ? 0u : MDB_APPEND);
    int rc = MDB(db->path, mdb_put(db->write, db->table[table], &k, &v, flags));
    *value = v.mv_data;
    return rc;
}

static int read_begin(struct fn_build_db *db)
{
    if (db->read)
        return FN_OK;
    int rc = MDB(db->path, mdb_txn_begin(db->env, NULL, MDB_RDONLY, &db->read));
    if (rc)
        return rc;
    int had = db->have_tables;
    rc = open_tables(db, db->read, 0);
    if (rc || had)
        return rc;
    /* Table handles of a read transaction live on only when it is committed. */
    MDB_txn *txn = db->read;
    db->read = NULL;
    rc = MDB(db->path, mdb_txn_commit(txn));
    return rc ? rc : MDB(db->path, mdb_txn_begin(db->env, NULL, MDB_RDONLY, &db->read));
}

void fn_build_db_end(struct fn_build_db *db)
{
    if (db->read)
        mdb_txn_abort(db->read);
    db->read = NULL;
}

int fn_build_db_get(struct fn_build_db *db, enum fn_table table, uint64_t key,
                    const uint8_t **value, size_t *bytes)
{
    int rc = read_begin(db);
    if (rc)
        return rc;
    uint8_t name[8];
    key_bytes(key, name);
    MDB_val k = {.mv_size = sizeof name, .mv_data = name}, v;
    rc = mdb_get(db->read, db->table[table], &k, &v);
    if (rc == MDB_NOTFOUND)
        return FN_ENOENT;
    if (rc)
        return fn_lmdb_fail(rc, db->path, "mdb_get");
    *value = v.mv_data;
    *bytes = v.mv_size;
    return FN_OK;
}

int fn_build_db_walk(struct fn_build_db *db, enum fn_table table, void *context,
                     fn_build_db_visit *visit)
{
    MDB_cursor *cursor = NULL;
    MDB_val k, v;
    int rc = read_begin(db);
    if (rc)
        return rc == FN_ENOENT ? FN_OK : rc;
    rc = MDB(db->path, mdb_cursor_open(db->read, db->table[table], &cursor));
    while (!rc) {
        int found = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
        if (found == MDB_NOTFOUND)
            break;
        if (found) {
            rc = fn_lmdb_fail(found, db->path, "mdb_cursor_get");
            break;
        }
        uint64_t key = 0;
        for (size_t i = 0; i < k.mv_size && i < 8; i++)
            key = key << 8 | ((const uint8_t *)k.mv_data)[i];
        rc = visit(context, key, v.mv_data, v.mv_size);
    }
    if (cursor)
        mdb_cursor_close(cursor);
    return rc;
}
