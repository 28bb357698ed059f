/* SPDX-License-Identifier: MIT */
/* Calls of LMDB: MDB(path, mdb_x(...)) is FN_OK, or our code with LMDB's own message in a sentence
 * that quotes the call. For the files of this folder that include <lmdb.h>. */
#ifndef FN_STORE_LMDB_CALL_H
#define FN_STORE_LMDB_CALL_H

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MDB(path, call) fn_lmdb_fail((call), (path), #call)

/* rc 0: FN_OK. Errno values become FN_ENOSPC, FN_ENOMEM, FN_ENOENT, FN_EIO. */
int fn_lmdb_fail(int rc, const char *path, const char *call);

#ifdef __cplusplus
}
#endif
#endif
