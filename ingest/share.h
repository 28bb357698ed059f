/* SPDX-License-Identifier: MIT */
/* One machine's share of an input (--part I/N). A plain TSV is divided by bytes: a row belongs to
 * the share in which it starts. Of a tree every N-th picture belongs to one. Lines of a TSV's share
 * are counted from its own start, all other positions are those of the whole; join.c knows. */
#ifndef FN_INGEST_SHARE_H
#define FN_INGEST_SHARE_H

#include <stdint.h>

#include <jansson.h>

#include "ingest/chunk.h"
#include "ingest/input.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fn_share {
    uint32_t number, of; /* 1 .. of; of 0: there are no shares */
    int by_bytes;        /* 0: by entries */
    uint64_t size;       /* of the whole: bytes or entries */
    uint64_t begin, end; /* by bytes: its first row starts at begin, its rows before end */
};

/* "I/N", or "auto": rank and size as a launcher put them into the environment (Open MPI, PMI,
 * Slurm's tasks, Slurm's job arrays, in this order). FN_EUSAGE. */
#define FN_SHARE_MAX 100000
int fn_share_parse(const char *text, struct fn_share *share);

/* Finds where it begins and ends in the input. FN_EUSAGE: an input that cannot be divided. */
int fn_share_settle(struct fn_share *share, const struct fn_input *input);

/* Leaves only the items of the chunk that are of the share. 1: nothing of it comes behind them. */
int fn_share_trim(const struct fn_share *share, struct fn_chunk *chunk);

/* {"number", "of", "by", "size"}; NULL: no memory. */
json_t *fn_share_json(const struct fn_share *share);

#ifdef __cplusplus
}
#endif
#endif
