/* SPDX-License-Identifier: MIT */
/* One machine's share of an input (--part I/N). A plain TSV is divided by bytes: a row belongs to
 * the share in which it starts. Of everything else (trees, archives, RecordIO, compressed TSVs)
 * every N-th row or picture belongs to one: each machine reads all of it and works on its share.
 * Lines of a plain TSV's share are counted from its own start, all other positions are those of the
 * whole; join.c knows. */
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
    uint64_t size;       /* of the whole: pictures of a tree, else bytes of the file */
    uint64_t begin, end; /* by bytes: its first row starts at begin, its rows before end */
};

/* "I/N", or "auto": rank and size as a launcher put them into the environment (Open MPI, PMI,
 * Slurm's tasks, Slurm's job arrays, in this order). FN_EUSAGE. */
#define FN_SHARE_MAX 100000
int fn_share_parse(const char *text, struct fn_share *share);

/* Finds where it begins and ends in the input. FN_EUSAGE: stdin, which cannot be divided. */
int fn_share_settle(struct fn_share *share, const struct fn_input *input);

/* Leaves only the items of the chunk that are of the share. 1: nothing of it comes behind them. */
int fn_share_trim(const struct fn_share *share, struct fn_chunk *chunk);

/* {"number", "of", "by", "size"}; NULL: no memory. */
json_t *fn_share_json(const struct fn_share *share);

#ifdef __cplusplus
}
#endif
#endif
