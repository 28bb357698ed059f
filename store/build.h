/* SPDX-License-Identifier: MIT */
/* The folder `build` inside an unsealed store: what is in it, who may write it, how far it is.
 *
 *     build/lock               who writes; held by an open-file-description lock, so it ends with
 * its process build/content.json       what was asked for, and the inputs build/shard-00000.values
 * groups of the shard as it grows (values.h) build/shard-00000.mdb    its rejects and journal
 * (build_db.c) build/shard-00000.part   facts of a shard that has its sealed form (part.h)
 *     build/...tmp             files not yet renamed
 *
 * The journal that counts is that of the highest shard that has one. */
#ifndef FN_STORE_BUILD_H
#define FN_STORE_BUILD_H

#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "store/shard.h"
#include "store/writer.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FN_PATH_MAX 4096
#define FN_STORE_PATH_MAX 3800 /* leaves room for the names inside */

/* ---- paths; buf has FN_PATH_MAX bytes and is returned ---- */
char *fn_store_file(char *buf, const char *store, const char *name);     /* store/name */
char *fn_build_file(char *buf, const char *store, const char *name);     /* store/build/name */
char *fn_shard_file(char *buf, const char *store, uint64_t shard);       /* store/shard-N.mdb */
char *fn_build_shard_file(char *buf, const char *store, uint64_t shard); /* build/shard-N.mdb */
char *fn_values_file(char *buf, const char *store, uint64_t shard);      /* build/shard-N.values */
char *fn_part_file(char *buf, const char *store, uint64_t shard);        /* build/shard-N.part */
char *fn_temporary_file(char *buf, const char *path);                    /* path.tmp */
int fn_path_check(const char *store);                                    /* FN_ELIMIT: too long */

/* ---- the lock ---- */

/* Take the lock of an existing build folder; shared: for looking only. FN_EBUSY names the holder.
 * *fd: close it to let go. FN_ENOENT: the folder went away meanwhile. */
int fn_build_lock(const char *store, int shared, int *fd);

/* ---- content.json ---- */

/* What the manifest has of it, as a JSON object with sorted keys. */
int fn_content_json(const struct fn_store_content *content, json_t **out);
/* FN_EMISMATCH with the first difference. Both objects as made above, or inputs arrays. */
int fn_content_compare(const char *store, const json_t *was, const json_t *now);
int fn_inputs_compare(const char *store, const json_t *was, const json_t *now);
int fn_build_content_write(const char *store, const struct fn_store_content *content);
/* *content: {"version", "content", "inputs", "command"}. */
int fn_build_content_load(const char *store, json_t **content);

/* ---- the journal ---- */

#define FN_STATE_REASONS 32 /* room for reasons of later versions */

struct fn_build_state {
    char magic[8];  /* FN_STATE_MAGIC */
    uint64_t ended; /* 1: the last row has been seen and the last group is closed */
    uint64_t input, line, offset, next; /* of the last row */
    uint64_t rows, records, skipped, filtered, payload_bytes;
    uint64_t rejected[FN_STATE_REASONS];
    uint64_t groups;      /* closed ones */
    uint64_t shard;       /* number of the one that grows */
    uint64_t shard_bytes; /* of the values in it */
    uint64_t first_group; /* of it */
    uint64_t warned;      /* records whose picture was decoded with warnings */
    uint64_t rejects;     /* entries of the rejects tables so far */
    uint64_t checksum;    /* XXH3-64 of all before */
};
#define FN_STATE_MAGIC "FNSTATE2"

void fn_state_start(struct fn_build_state *state);
void fn_state_counts(const struct fn_build_state *state, struct fn_writer_counts *counts);
/* How long the file of its values is at that state. */
uint64_t fn_state_values_bytes(const struct fn_build_state *state);
void fn_state_position(const struct fn_build_state *state, struct fn_position *pos);
int fn_state_put(struct fn_build_db *db, struct fn_build_state *state);
/* FN_ENOENT without a sentence: none was committed. */
int fn_state_get(struct fn_build_db *db, const char *path, struct fn_build_state *state);

/* The shard whose journal counts: opened, its state read. FN_ENOENT (no sentence): nothing was ever
 * committed. readonly: for looking; else files without a commit are removed. */
int fn_build_resume(const char *store, int readonly, struct fn_build_db **db,
                    struct fn_build_state *state);

int fn_open_group_put(struct fn_build_db *db, const struct fn_group *group);
int fn_open_group_get(struct fn_build_db *db, const char *path, struct fn_group *group);

/* Remove build/ with all it holds, the lock last. The caller holds it. */
int fn_build_remove(const char *store);
int fn_build_empty(const char *store); /* all but the folder and its lock */
/* 1: files of a sealed store lie there, whole or not. */
int fn_store_files_any(const char *store);
/* Every name in the folder is one of a store's: FN_OK; else FN_EFORMAT names the stranger. */
int fn_store_names_check(const char *store);
/* Remove what a store consists of, manifest first, build/ not. */
int fn_store_files_remove(const char *store);

#ifdef __cplusplus
}
#endif
#endif
