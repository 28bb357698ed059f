/* SPDX-License-Identifier: MIT */
/* fn-ingest's command line: the values, with their defaults, and the table that parses them. */
#ifndef FN_INGEST_OPTIONS_H
#define FN_INGEST_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

#include "base/args.h"
#include "ingest/limit.h"
#include "ingest/share.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fn_options {
    const char *store, *layout, *codec, *dedupe;
    const char *boxes, *exclude, *keep; /* files or NULL */
    const char *part;                   /* as given, or NULL */
    struct fn_share share;              /* what it says; `store` has got its name behind */
    int64_t size, quality, min_images, max_per_class, limit;
    struct fn_limit max_rejects;
    uint64_t shard_bytes;
    int overwrite, dry_run, join, repair;
    int store_given, content_given; /* --store; one of the options that say what a store is like */
    struct fn_common common;

    const char **inputs; /* operands, as given */
    size_t input_count;
    char *part_store; /* malloc'd, or NULL */
    char *command;    /* the whole line, quoted for a shell; malloc'd */
};

/* Parse. Returns what fn_args_parse does. *tool points into static storage: for fn_tool_exit. */
int fn_options_parse(struct fn_options *options, int argc, char **argv,
                     const struct fn_tool **tool);
void fn_options_free(struct fn_options *options);

#ifdef __cplusplus
}
#endif
#endif
