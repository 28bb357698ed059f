/* SPDX-License-Identifier: MIT */
/* The run: inputs -> chunks -> workers -> store, in order, in bounded memory (base/pipeline.h). */
#ifndef FN_INGEST_JOB_H
#define FN_INGEST_JOB_H

#include <stddef.h>
#include <stdint.h>

#include "base/faces.h"
#include "ingest/convert.h"
#include "ingest/input.h"
#include "ingest/limit.h"
#include "ingest/select.h"
#include "ingest/share.h"
#include "store/writer.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fn_job {
    /* Brought by the caller, who keeps them. */
    struct fn_input **inputs;
    size_t input_count;
    struct fn_writer *writer; /* NULL: everything but writing */
    struct fn_convert convert;
    const struct fn_boxes *boxes;        /* or NULL */
    struct fn_name_list *keep, *exclude; /* or NULL */
    struct fn_limit limit;
    uint64_t row_limit;    /* stop after so many rows; 0: read all */
    int threads;           /* workers, >= 1 */
    struct fn_share share; /* of the one input; zeroed: all of all inputs */
    /* Where to begin and what was done before, as fn_writer_open gives it; zeroed at a start. */
    struct fn_position from;
    struct fn_writer_counts before;

    /* Filled by fn_job_run, also when it fails. */
    struct fn_writer_counts counts; /* with those from before */
    uint64_t in_bytes;              /* of rows and files read in this run */
    double seconds;
    int saved; /* what was read up to a failure is committed: the same command continues */
};

/* Reads all inputs to their end. FN_OK; FN_EINTERRUPTED: a signal asked to stop; FN_ELIMIT: too
 * many rejects; other codes: an input or the store failed. In every case but a failure of the store
 * what was read is committed up to the last complete group. */
int fn_job_run(struct fn_job *job);

#ifdef __cplusplus
}
#endif
#endif
