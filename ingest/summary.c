/* SPDX-License-Identifier: MIT */
/* How a run ended, for a person and for a program. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/args.h"
#include "base/json.h"
#include "base/log.h"
#include "ingest/report.h"
#include "store/manifest.h"

#define UNMATCHED_SHOWN 3

void fn_summary_fill(struct fn_summary *s, const struct fn_options *o, const struct fn_job *job,
                     const struct fn_seal_result *result)
{
    const struct fn_writer_counts *c = &job->counts;
    memset(s, 0, sizeof *s);
    s->rows = c->rows;
    s->records = c->records;
    s->skipped = c->skipped;
    s->filtered = c->filtered;
    memcpy(s->rejected, c->rejected, sizeof s->rejected);
    s->payload_bytes = c->payload_bytes;
    s->warned = c->warned;
    s->seconds = job->seconds;
    s->resumed_at = job->before.rows;
    if (!result)
        return;
    s->store = o->store;
    memcpy(s->content_id, result->content_id, sizeof s->content_id);
    s->records = result->records;
    s->classes = result->classes;
    s->duplicates = result->duplicates;
    s->same_pixels = result->same_pixels;
    s->conflicts = result->conflicts;
    s->filtered += result->filtered;
    s->rejected[0] += result->collisions;
    s->rejected[FN_REJECT_NAME_COLLISION] += result->collisions;
    s->payload_bytes = result->payload_bytes;
    s->store_bytes = result->store_bytes;
}

/* Of this run, or of the one that made the store. A store without provenance says nothing. */
static uint64_t warned_of(const char *store)
{
    json_t *all = NULL;
    uint64_t warned = 0;
    if (fn_provenance_load(store, &all) == FN_OK)
        warned =
            (uint64_t)json_integer_value(json_object_get(json_object_get(all, "run"), "warned"));
    json_decref(all);
    return warned;
}

int fn_summary_load(struct fn_summary *s, const char *store)
{
    struct fn_manifest *m = NULL;
    memset(s, 0, sizeof *s);
    int rc = fn_manifest_load(&m, store);
    if (rc)
        return rc;
    s->store = store;
    memcpy(s->content_id, m->content_id, sizeof s->content_id);
    s->rows = s->resumed_at = m->rows;
    s->records = m->records;
    s->classes = m->classes;
    s->duplicates = m->duplicates;
    s->same_pixels = m->same_pixels;
    s->conflicts = m->conflicts;
    s->warned = warned_of(store);
    s->skipped = m->skipped;
    s->filtered = m->filtered;
    memcpy(s->rejected, m->rejected, sizeof s->rejected);
    s->payload_bytes = m->payload_bytes;
    s->store_bytes = m->bytes + m->index_bytes + m->rejects.bytes + m->conflicts_file.bytes;
    for (uint64_t i = 0; i < m->shard_count; i++)
        s->store_bytes += m->shards[i].bytes;
    fn_manifest_free(&m);
    return FN_OK;
}

void fn_summary_print(const struct fn_summary *s)
{
    char a[32], b[32], c[32], reasons[512], word[512];
    if (s->store)
        printf("%s: %" PRIu64 " records in %" PRIu64 " classes\n", s->store, s->records,
               s->classes);
    else
        printf("dry run: %" PRIu64 " records, duplicates not looked for, nothing written\n",
               s->records);
    printf("%" PRIu64 " rows = %" PRIu64 " records + %" PRIu64 " duplicate%s + %" PRIu64
           " skipped + %" PRIu64 " filtered + %" PRIu64 " rejected\n",
           s->rows, s->records, s->duplicates, s->duplicates == 1 ? "" : "s", s->skipped,
           s->filtered, s->rejected[0]);
    if (s->rejected[0])
        printf("rejected: %s%s%s%s\n",
               fn_reject_list(s->rejected, FN_REJECT_COUNT, reasons, sizeof reasons),
               s->store ? "; fn-dump " : "",
               s->store ? fn_args_word(s->store, word, sizeof word) : "",
               s->store ? " rejects" : "");
    if (s->warned)
        printf("decoded with warnings, and taken: %" PRIu64 "\n", s->warned);
    if (s->same_pixels)
        printf("duplicates: %" PRIu64 " with the pixels of another in their class\n",
               s->same_pixels);
    if (s->conflicts)
        printf("labels in conflict: %" PRIu64
               " pictures stand in several classes; %s/conflicts.tsv\n",
               s->conflicts, s->store);
    fn_human_bytes((double)s->payload_bytes, a, sizeof a);
    if (s->store)
        printf("%s of pictures, %s on disk, content %s\n", a,
               fn_human_bytes((double)s->store_bytes, b, sizeof b), s->content_id);
    else
        printf("%s of pictures\n", a);
    if (s->seconds > 0 && s->rows > s->resumed_at)
        printf("%s, %.0f rows/s\n", fn_human_time(s->seconds, c, sizeof c),
               (double)(s->rows - s->resumed_at) / s->seconds);
}

static json_t *rejected_object(const struct fn_summary *s)
{
    json_t *all = json_object();
    for (int r = 1; all && r < FN_REJECT_COUNT; r++) {
        if (s->rejected[r] &&
            json_object_set_new(all, fn_reject_name(r), json_integer((json_int_t)s->rejected[r]))) {
            json_decref(all);
            return NULL;
        }
    }
    return all;
}

static json_t *unmatched_of(const struct fn_name_list *list)
{
    return list ? json_integer((json_int_t)fn_name_list_unmatched(list)) : json_null();
}

int fn_summary_print_json(const struct fn_summary *s, const struct fn_job *job)
{
    double rate = s->seconds > 0 ? (double)(s->rows - s->resumed_at) / s->seconds : 0;
    json_t *all = json_pack(
        "{s:o, s:o, s:I, s:I, s:I, s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:I}",
        "store", s->store ? fn_json_bytes(s->store, strlen(s->store)) : json_null(), "content_id",
        s->store ? json_string(s->content_id) : json_null(), "rows", (json_int_t)s->rows, "records",
        (json_int_t)s->records, "classes", (json_int_t)s->classes, "warned", (json_int_t)s->warned,
        "rejected", rejected_object(s), "duplicates", (json_int_t)s->duplicates, "same_pixels",
        (json_int_t)s->same_pixels, "label_conflicts", (json_int_t)s->conflicts, "skipped",
        (json_int_t)s->skipped, "filtered", (json_int_t)s->filtered, "payload_bytes",
        (json_int_t)s->payload_bytes, "store_bytes", (json_int_t)s->store_bytes, "seconds",
        s->seconds, "rows_per_second", rate, "resumed_at", (json_int_t)s->resumed_at);
    if (all && (job->keep || job->exclude)) {
        json_t *lists = json_pack("{s:o, s:o}", "keep", unmatched_of(job->keep), "exclude",
                                  unmatched_of(job->exclude));
        if (!lists || json_object_set_new(all, "unmatched", lists)) {
            json_decref(all);
            all = NULL;
        }
    }
    int rc = all ? fn_json_print(all) : fn_fail(FN_ENOMEM, "no memory for the summary");
    json_decref(all);
    return rc;
}

static void show_name(void *context, const char *name, size_t bytes)
{
    (void)context;
    fn_info("  %.*s", (int)bytes, name);
}

static void unmatched(const char *option, const char *path, const struct fn_name_list *list,
                      uint64_t resumed_at)
{
    size_t n = list ? fn_name_list_unmatched(list) : 0;
    if (n == 0)
        return;
    fn_warn("%zu of the %zu entries of --%s %s matched nothing%s%s", n, fn_name_list_count(list),
            option, path, resumed_at ? " in the rows read by this run" : "",
            n > UNMATCHED_SHOWN ? "; the first:" : ":");
    fn_name_list_each_unmatched(list, UNMATCHED_SHOWN, NULL, show_name);
}

void fn_report_left_out(const struct fn_job *job)
{
    for (size_t i = 0; i < job->input_count; i++) {
        const struct fn_input *input = job->inputs[i];
        if (input->left_out)
            fn_info("%s: %llu other %s left out", input->path, (unsigned long long)input->left_out,
                    input->left_out == 1 ? "entry was" : "entries were");
    }
}

void fn_report_unmatched(const struct fn_options *o, const struct fn_job *job)
{
    unmatched("keep", o->keep, job->keep, job->before.rows);
    unmatched("exclude", o->exclude, job->exclude, job->before.rows);
}
