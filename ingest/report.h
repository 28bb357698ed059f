/* SPDX-License-Identifier: MIT */
/* What a run says about itself: what its content is, how it came to be, how it ended. */
#ifndef FN_INGEST_REPORT_H
#define FN_INGEST_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include "ingest/job.h"
#include "ingest/options.h"

#ifdef __cplusplus
extern "C" {
#endif

/* JSON text for struct fn_store_content: the selection by hashes of its lists, the inputs by their
 * identities. malloc'd. boxes_hash: of the boxes file, or NULL. */
int fn_report_selection(const struct fn_options *options, const struct fn_job *job,
                        const char *boxes_hash, char **text);
int fn_report_inputs(const struct fn_job *job, char **text);

/* JSON text of provenance.json: command, options, inputs, times, host, threads, version. malloc'd.
 * started: seconds since 1970. */
int fn_report_provenance(const struct fn_options *options, const struct fn_job *job, double started,
                         char **text);

/* A sealed store made from these inputs: are they still as large as they were? FN_EMISMATCH; a
 * store without provenance says nothing. */
int fn_report_compare_sizes(const char *store, const struct fn_job *job);

struct fn_summary {
    const char *store; /* NULL: a dry run */
    char content_id[33];
    uint64_t rows, records, classes, duplicates, skipped, filtered;
    uint64_t same_pixels, conflicts; /* as in struct fn_seal_result */
    uint64_t warned;                 /* pictures decoded with warnings; of all that were stored */
    uint64_t rejected[FN_REJECT_COUNT]; /* [0]: the sum */
    uint64_t payload_bytes, store_bytes;
    double seconds;
    uint64_t resumed_at; /* rows done by runs before this one */
};

/* Of a run that was sealed with `result` (NULL: dry run), and of a store that was sealed before. */
void fn_summary_fill(struct fn_summary *summary, const struct fn_options *options,
                     const struct fn_job *job, const struct fn_seal_result *result);
int fn_summary_load(struct fn_summary *summary, const char *store);

/* On stdout: lines for a person, or one JSON object. */
void fn_summary_print(const struct fn_summary *summary);
int fn_summary_print_json(const struct fn_summary *summary, const struct fn_job *job);

/* On stderr: how many entries of archives were passed over, as no pictures. */
void fn_report_left_out(const struct fn_job *job);

/* On stderr: how many entries of the lists fitted nothing, and the first of them. */
void fn_report_unmatched(const struct fn_options *options, const struct fn_job *job);

#ifdef __cplusplus
}
#endif
#endif
