/* SPDX-License-Identifier: MIT */
/* The pipeline's three stages: reading chunks, writing them in order, and what goes round them.
 * What workers do with a chunk is in work.c. */
#include "ingest/job.h"

#include <stdlib.h>
#include <string.h>

#include "base/args.h"
#include "base/log.h"
#include "base/pipeline.h"
#include "ingest/work.h"

/* Chunks in flight. Two a worker keep all stages busy; the others are rows that workers can get on
 * with while a commit waits for the disk (a third of a second, at two workers' speed). Some 600 kB
 * each. */
#define SLOTS(threads) (6 * (threads) + 40)
/* What long rows may take beside ordinary chunks: two of the longest, so that one can be worked on
 * while the next is read. */
#define LONG_ROWS (2 * ((size_t)64 << 20) + 4 * FN_CHUNK_BYTES)

struct run {
    struct fn_job *job;
    struct fn_budget budget;
    void **chunks; /* struct fn_chunk */
    struct fn_worker **workers;
    /* reader */
    size_t input;  /* being read */
    uint64_t rows; /* handed out, with those from before */
    int interrupted;
    /* writer */
    const struct fn_writer_counts *counts; /* the store's, or our own in a dry run */
    struct fn_writer_counts dry;
    int store_failed;
    double started;           /* seconds */
    double done, done_before; /* share of the inputs: so far, and when the run began */
};

/* ---- reader ---- */

/* The share of all inputs that is read when `done` of input s is. */
static double done_of_all(const struct run *run, size_t s, double done)
{
    const struct fn_job *job = run->job;
    double all = 0, before = 0, this_one = 1;
    int known = 1;
    for (size_t i = 0; i < job->input_count; i++)
        known = known && job->inputs[i]->bytes > 0;
    for (size_t i = 0; i < job->input_count; i++) {
        double weight = known ? (double)job->inputs[i]->bytes : 1;
        all += weight;
        before += i < s ? weight : 0;
        this_one = i == s ? weight : this_one;
    }
    return (before + done * this_one) / all;
}

static int read_chunk(void *context, void *slot)
{
    struct run *run = context;
    struct fn_job *job = run->job;
    struct fn_chunk *chunk = slot;
    fn_chunk_reset(chunk, &run->budget);
    while (run->input < job->input_count && !fn_interrupted()) {
        struct fn_input *input = job->inputs[run->input];
        if (job->row_limit && run->rows >= job->row_limit)
            return FN_PIPELINE_END;
        int rc = input->type->read(input, chunk, &run->budget);
        if (rc == FN_EINTERRUPTED)
            break;
        if (rc)
            return rc;
        if (chunk->count == 0) {
            run->input++;
            continue;
        }
        if (job->share.of && fn_share_trim(&job->share, chunk) && chunk->count == 0)
            return FN_PIPELINE_END;
        if (chunk->count == 0) { /* all of others' shares */
            fn_chunk_reset(chunk, &run->budget);
            continue;
        }
        if (job->row_limit && chunk->count > job->row_limit - run->rows)
            chunk->count = (size_t)(job->row_limit - run->rows);
        run->rows += chunk->count;
        chunk->input = input;
        chunk->done = done_of_all(run, run->input, chunk->done);
        return FN_OK;
    }
    run->interrupted = fn_interrupted();
    return FN_PIPELINE_END;
}

/* ---- worker ---- */

static int work_chunk(void *context, int worker, void *slot)
{
    struct run *run = context;
    int rc = fn_worker_do(run->workers[worker], slot);
    if (rc)
        fn_budget_stop(&run->budget);
    return rc;
}

/* ---- writer ---- */

static void count_dry(struct fn_writer_counts *counts, const struct fn_item *item)
{
    counts->rows++;
    counts->records += item->kind == FN_ITEM_RECORD;
    counts->warned += item->kind == FN_ITEM_RECORD && item->warnings;
    counts->skipped += item->kind == FN_ITEM_SKIPPED;
    counts->filtered += item->kind == FN_ITEM_FILTERED;
    if (item->kind == FN_ITEM_REJECT) {
        counts->rejected[0]++;
        counts->rejected[item->reason]++;
    }
    if (item->kind == FN_ITEM_RECORD)
        counts->payload_bytes += item->payload_bytes;
}

static int store_item(struct fn_writer *writer, const struct fn_chunk *chunk,
                      const struct fn_item *item)
{
    const char *text = (const char *)chunk->out.data + item->text_at;
    switch (item->kind) {
    case FN_ITEM_RECORD: {
        struct fn_new_record record = {.class_name = text,
                                       .class_bytes = item->class_bytes,
                                       .name = text + item->class_bytes,
                                       .name_bytes = item->name_bytes,
                                       .codec = item->codec,
                                       .w = item->w,
                                       .h = item->h,
                                       .pixels = item->pixels,
                                       .warnings = item->warnings,
                                       .payload = chunk->out.data + item->payload_at,
                                       .payload_bytes = item->payload_bytes};
        return fn_writer_add(writer, &item->pos, &record);
    }
    case FN_ITEM_REJECT:
        return fn_writer_reject(writer, &item->pos, item->reason, text);
    case FN_ITEM_SKIPPED:
        return fn_writer_pass(writer, &item->pos, FN_PASS_SKIPPED);
    case FN_ITEM_FILTERED:
        return fn_writer_pass(writer, &item->pos, FN_PASS_FILTERED);
    case FN_ITEM_TODO:
        break;
    }
    return fn_fail(FN_EINTERNAL, "a row that no worker has seen came to the writer");
}

static void show_progress(const struct run *run, int last)
{
    double done = run->done;
    char eta[32] = "", bytes[32];
    const struct fn_writer_counts *c = run->counts;
    double seconds = fn_now() - run->started;
    double part = done - run->done_before;
    if (seconds <= 0 || (!last && seconds < 1))
        return;
    if (!last && part > 0 && done < 1)
        fn_human_time(seconds * (1 - done) / part, eta, sizeof eta);
    double rate = (double)(c->rows - run->job->before.rows) / seconds;
    fn_human_bytes((double)run->job->in_bytes / seconds, bytes, sizeof bytes);
    fn_progress(10, last, "%llu rows, %.1f %%, %.0f rows/s, %s/s, %llu rejected%s%s",
                (unsigned long long)c->rows, 100 * done, rate, bytes,
                (unsigned long long)c->rejected[0], eta[0] ? ", ETA " : "", eta);
}

static int write_chunk(void *context, void *slot)
{
    struct run *run = context;
    struct fn_job *job = run->job;
    struct fn_chunk *chunk = slot;
    int rc = FN_OK;
    for (size_t i = 0; i < chunk->count && !rc; i++) {
        const struct fn_item *item = &chunk->items[i];
        if (job->writer)
            rc = store_item(job->writer, chunk, item);
        else
            count_dry(&run->dry, item);
        run->store_failed = rc != FN_OK;
        if (!rc)
            rc = fn_limit_judge(&job->limit, run->counts, 0);
    }
    job->in_bytes += chunk->in_bytes;
    run->done = chunk->done;
    fn_chunk_reset(chunk, &run->budget); /* long rows' memory goes back as soon as possible */
    if (rc)
        fn_budget_stop(&run->budget);
    else
        show_progress(run, 0);
    return rc;
}

/* ---- around them ---- */

static int prepare(struct run *run)
{
    struct fn_job *job = run->job;
    size_t slots = (size_t)SLOTS(job->threads);
    int rc = fn_budget_open(&run->budget, LONG_ROWS);
    if (rc)
        return rc;
    run->chunks = calloc(slots, sizeof *run->chunks);
    run->workers = calloc((size_t)job->threads, sizeof *run->workers);
    if (!run->chunks || !run->workers)
        return fn_fail(FN_ENOMEM, "no memory for %d threads", job->threads);
    for (size_t i = 0; !rc && i < slots; i++) {
        struct fn_chunk *chunk = NULL;
        rc = fn_chunk_open(&chunk);
        run->chunks[i] = chunk;
    }
    for (int i = 0; !rc && i < job->threads; i++)
        rc = fn_worker_open(&run->workers[i], job);
    if (rc)
        return rc;
    run->input = job->from.input;
    run->rows = job->before.rows;
    run->dry = job->before;
    run->counts = job->writer ? fn_writer_get_counts(job->writer) : &run->dry;
    if (run->input >= job->input_count)
        return fn_fail(FN_EMISMATCH, "there were more inputs before");
    struct fn_input *input = job->inputs[run->input];
    if (job->from.next)
        rc = input->type->seek(input, &job->from);
    else if (job->share.begin)
        rc = input->type->seek(input, &(struct fn_position){.next = job->share.begin});
    return rc;
}

static void clean_up(struct run *run)
{
    for (int i = 0; run->workers && i < run->job->threads; i++)
        fn_worker_close(&run->workers[i]);
    for (int i = 0; run->chunks && i < SLOTS(run->job->threads); i++) {
        struct fn_chunk *chunk = run->chunks[i];
        fn_chunk_close(&chunk);
    }
    free(run->workers);
    free(run->chunks);
    fn_budget_close(&run->budget);
}

/* Commit what was read, keeping the sentence of what stopped the run. */
static int save(struct run *run, int rc)
{
    struct fn_err_note note;
    run->job->saved = 0;
    if (run->store_failed || !run->job->writer)
        return rc;
    fn_err_note_take(&note, rc);
    int flushed = fn_writer_flush(run->job->writer);
    if (flushed)
        return flushed;
    run->job->saved = 1;
    return fn_err_note_raise(&note);
}

int fn_job_run(struct fn_job *job)
{
    struct run run = {.job = job, .started = fn_now()};
    job->in_bytes = 0;
    job->counts = job->before;
    job->saved = job->writer != NULL;
    int rc = prepare(&run);
    if (rc)
        goto out;
    run.done = run.done_before = job->from.next ? done_of_all(&run, run.input, 0) : 0;
    struct fn_pipeline pipeline = {.workers = job->threads,
                                   .slots = SLOTS(job->threads),
                                   .slot = run.chunks,
                                   .context = &run,
                                   .read = read_chunk,
                                   .work = work_chunk,
                                   .write = write_chunk};
    rc = fn_pipeline_run(&pipeline);
    job->seconds = fn_now() - run.started;
    if (!rc && run.interrupted)
        rc = fn_fail(FN_EINTERRUPTED, "interrupted after row %llu",
                     (unsigned long long)run.counts->rows);
    if (!rc)
        rc = fn_limit_judge(&job->limit, run.counts, 1);
    run.done = rc ? run.done : 1;
    show_progress(&run, 1);
    job->counts = *run.counts;
    if (rc)
        rc = save(&run, rc);
out:
    clean_up(&run);
    return rc;
}
