/* SPDX-License-Identifier: MIT */
/* The writer's inside, for the files that are the writer: writer.c, writer_open.c, seal*.c. */
#ifndef FN_STORE_WRITER_INTERNAL_H
#define FN_STORE_WRITER_INTERNAL_H

#include "store/build.h"
#include "store/seal_internal.h"
#include "store/values.h"

struct fn_writer {
    char *path;
    int lock; /* descriptor, or -1 */
    uint64_t shard_bytes;
    struct fn_choice choice;
    struct fn_build_db *db;   /* the shard that grows: its journal, */
    struct fn_values *values; /* its groups */
    struct fn_build_state state;
    struct fn_writer_counts counts;
    struct fn_group open;    /* the group that grows */
    struct fn_bytes rejects; /* not yet in the database: each after its length */
    uint64_t uncommitted;    /* bytes taken since the last commit */
    double committed_at;     /* fn_now() */
    int dirty;               /* rows since the last commit */
    int failed;              /* what failed, once */
    struct fn_ahead ahead;   /* seals complete shards meanwhile */
};

int fn_writer_begin_shard(struct fn_writer *w); /* the files of state.shard */
int fn_writer_commit(struct fn_writer *w);
int fn_writer_prepare(struct fn_writer *w, size_t bytes, int closing);
int fn_writer_close_group(struct fn_writer *w);

#ifdef __cplusplus
}
#endif
#endif
