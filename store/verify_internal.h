/* SPDX-License-Identifier: MIT */
/* What verify.c (files) and verify_groups.c (contents) share. */
#ifndef FN_STORE_VERIFY_INTERNAL_H
#define FN_STORE_VERIFY_INTERNAL_H

#include <pthread.h>

#include "store/reader_internal.h"
#include "store/verify.h"

struct fn_verify_worker {
    struct fn_reader *reader;
    struct fn_codec *codec;
    struct fn_image image;
};

struct fn_verifying {
    const char *path;
    struct fn_verify *verify;
    struct fn_manifest *manifest;
    struct fn_store *store;
    struct fn_verify_worker *workers;
    uint8_t *unreadable;        /* a shard: 1 if it must not be mapped */
    pthread_mutex_t lock;       /* of the report, the counts and the failure */
    struct fn_err_note failure; /* the first that says nothing about the store: no memory */
};

/* Report this thread's sentence; what is no finding (FN_ENOMEM, FN_EINTERRUPTED) ends verifying. */
void fn_verify_report(struct fn_verifying *v, const char *file, int64_t id, const char *record,
                      int rc);

/* Jobs for fn_parallel_for. */
int fn_verify_block(void *context, int worker, size_t block);
int fn_verify_class(void *context, int worker, size_t label);
int fn_verify_group(void *context, int worker, size_t group);

#endif
