/* SPDX-License-Identifier: MIT */
/* LMDB, wrapped. Nothing else in the project includes <lmdb.h>.
 *
 * Two uses. A `fn_build_db` is the journal of a shard that grows: tables for rejects and for what
 * is done, one writer, transactions. A `fn_shard` is a sealed file, read-only, in place. Neither
 * uses LMDB's lock file: the build folder has a lock of its own and sealed files never change. */
#ifndef FN_STORE_SHARD_H
#define FN_STORE_SHARD_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "store/format.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- growing ---- */

enum fn_table {
    FN_TABLE_REJECTS, /* ordinal, 8 bytes big-endian -> reject, appended in order */
    FN_TABLE_JOURNAL, /* the numbers below -> state, open group */
    FN_TABLE_COUNT
};
enum fn_journal_key { FN_JOURNAL_STATE = 1, FN_JOURNAL_OPEN_GROUP = 2 };

struct fn_build_db;
/* readonly: FN_ENOENT if the file is missing. Else it is made. */
int fn_build_db_open(struct fn_build_db **db, const char *path, int readonly);
void fn_build_db_close(struct fn_build_db **db); /* drops an open transaction */

/* Begin a writing transaction into which `room` bytes fit; the map grows here, never inside one. */
int fn_build_db_begin(struct fn_build_db *db, uint64_t room);
/* On FN_OK everything put is on the disk. On failure nothing is. */
int fn_build_db_commit(struct fn_build_db *db);
/* Store `bytes` bytes under `key`; *value is where to write them, before the next call. */
int fn_build_db_put(struct fn_build_db *db, enum fn_table table, uint64_t key, size_t bytes,
                    uint8_t **value);

/* Reading, outside a writing transaction. fn_build_db_get: FN_ENOENT without a sentence if there is
 * none; *value is valid until fn_build_db_end. */
int fn_build_db_get(struct fn_build_db *db, enum fn_table table, uint64_t key,
                    const uint8_t **value, size_t *bytes);
typedef int fn_build_db_visit(void *context, uint64_t key, const uint8_t *value, size_t bytes);
/* visit every entry in key order; what it returns other than FN_OK ends the walk. */
int fn_build_db_walk(struct fn_build_db *db, enum fn_table table, void *context,
                     fn_build_db_visit *visit);
void fn_build_db_end(struct fn_build_db *db); /* end of reading: pointers end with it */

/* ---- sealed ---- */

struct fn_shard;
/* Checks size, meta and tree pages of the file against `facts` (of the index), then opens it.
 * FN_ECORRUPT: the sentence names the file. */
int fn_shard_open(struct fn_shard **shard, const char *path, const struct fn_index_shard *facts);
void fn_shard_close(struct fn_shard **shard); /* after its transactions */

/* A read transaction: one a thread and shard. */
struct fn_shard_read;
int fn_shard_read_open(struct fn_shard_read **read, struct fn_shard *shard);
void fn_shard_read_close(struct fn_shard_read **read);
/* The value of a group, in place, valid until fn_shard_read_close. */
int fn_shard_read_get(struct fn_shard_read *read, uint64_t group, const uint8_t **value,
                      size_t *bytes);

#ifdef __cplusplus
}
#endif
#endif
