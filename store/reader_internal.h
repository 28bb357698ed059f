/* SPDX-License-Identifier: MIT */
/* The reader's inside, for the files of this folder that read a store. */
#ifndef FN_STORE_READER_INTERNAL_H
#define FN_STORE_READER_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/index.h"
#include "store/manifest.h"
#include "store/shard.h"

struct fn_shard_slot {
    struct fn_index_shard facts;
    _Atomic(struct fn_shard *) shard; /* opened and checked on first use, under the store's lock */
};

struct fn_store {
    char *path;
    struct fn_store_info info;
    struct fn_manifest *manifest;
    struct fn_index *index;
    struct fn_shard_slot *shards;
    pthread_mutex_t lock;
};

/* fn_store_open; whole 0: files that are missing or cut short are found when they are used. */
int fn_store_open_as(struct fn_store **store, const char *path, int whole);
/* The opened shard; the first call checks its pages. Any thread. */
int fn_store_shard(struct fn_store *store, uint64_t number, struct fn_shard **shard);
/* Number of the shard that holds a group, which must exist. */
uint64_t fn_store_shard_of(const struct fn_store *store, uint64_t group);

/* The value of a group, valid until fn_reader_close. */
int fn_reader_group(struct fn_reader *reader, uint64_t group, const uint8_t **value, size_t *bytes);

#endif
