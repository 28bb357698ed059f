/* SPDX-License-Identifier: MIT */
/* What a worker does with a chunk: names, selection, box, picture, payload. */
#ifndef FN_INGEST_WORK_H
#define FN_INGEST_WORK_H

#include "ingest/chunk.h"
#include "ingest/job.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fn_worker; /* one a thread */
int fn_worker_open(struct fn_worker **worker, const struct fn_job *job);
void fn_worker_close(struct fn_worker **worker);

/* Decide every item of the chunk that the reader has not decided. A row's faults become rejects;
 * what is returned ends the run. */
int fn_worker_do(struct fn_worker *worker, struct fn_chunk *chunk);

#ifdef __cplusplus
}
#endif
#endif
