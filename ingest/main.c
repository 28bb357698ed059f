/* SPDX-License-Identifier: MIT */
/* fn-ingest: faces into a store. Parses, opens inputs and store, runs, seals, reports. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/args.h"
#include "base/cpus.h"
#include "base/file.h"
#include "base/log.h"
#include "ingest/job.h"
#include "ingest/join.h"
#include "ingest/options.h"
#include "ingest/report.h"
#include "ingest/run_repair.h"

struct session {
    struct fn_options o;
    struct fn_job job;
    struct fn_boxes *boxes;
    struct fn_join *join;
    char boxes_hash[33];
    char *selection, *inputs, *provenance;
    double started; /* seconds since 1970 */
    double begun;   /* fn_now() then */
};

static int open_lists(struct session *s)
{
    int rc = FN_OK;
    if (s->o.keep)
        rc = fn_name_list_open(&s->job.keep, s->o.keep);
    if (!rc && s->o.exclude)
        rc = fn_name_list_open(&s->job.exclude, s->o.exclude);
    if (!rc && s->o.boxes) {
        struct fn_map map = {NULL, 0};
        rc = fn_boxes_open(&s->boxes, s->o.boxes);
        if (!rc)
            rc = fn_map_open(&map, s->o.boxes);
        if (!rc)
            fn_hash_text(map.data, map.bytes, s->boxes_hash);
        fn_map_close(&map);
        s->job.boxes = s->boxes;
    }
    return rc;
}

static int open_inputs(struct session *s)
{
    struct fn_input_options how = {.layout = s->o.layout};
    s->job.inputs = calloc(s->o.input_count, sizeof *s->job.inputs);
    if (!s->job.inputs)
        return fn_fail(FN_ENOMEM, "no memory for %zu inputs", s->o.input_count);
    s->job.input_count = s->o.input_count;
    for (size_t i = 0; i < s->o.input_count; i++) {
        int rc = fn_input_open(&s->job.inputs[i], s->o.inputs[i], (uint32_t)i, &how);
        if (rc)
            return rc;
        fn_info("%s: %s", s->o.inputs[i], s->job.inputs[i]->described);
    }
    return FN_OK;
}

static int open_job(struct session *s)
{
    s->job.limit = s->o.max_rejects;
    s->job.row_limit = (uint64_t)s->o.limit;
    s->job.threads = s->o.common.threads ? (int)s->o.common.threads : fn_cpu_count();
    s->job.convert.size = (int)s->o.size;
    s->job.convert.quality = (int)s->o.quality;
    s->job.convert.pixels = strcmp(s->o.dedupe, "pixels") == 0;
    int rc = fn_convert_codec_named(s->o.codec, &s->job.convert.codec);
    if (!rc)
        rc = open_lists(s);
    if (!rc)
        rc = open_inputs(s);
    s->job.share = s->o.share;
    if (!rc && s->o.part)
        rc = fn_share_settle(&s->job.share, s->job.inputs[0]);
    return rc;
}

/* FN_EEXIST: sealed already, with just this. */
static int open_writer(struct session *s)
{
    int lossy = strcmp(s->o.codec, "jpeg") == 0 || strcmp(s->o.codec, "keep") == 0;
    int rc = fn_report_selection(&s->o, &s->job, s->boxes ? s->boxes_hash : NULL, &s->selection);
    if (!rc)
        rc = fn_report_inputs(&s->job, &s->inputs);
    if (rc)
        return rc;
    struct fn_store_content content = {.size = (int)s->o.size,
                                       .codec = s->o.codec,
                                       .quality = lossy ? (int)s->o.quality : 0,
                                       .shard_bytes = s->o.shard_bytes,
                                       .min_images = (uint64_t)s->o.min_images,
                                       .max_per_class = (uint64_t)s->o.max_per_class,
                                       .dedupe_pixels = s->job.convert.pixels,
                                       .selection = s->selection,
                                       .inputs = s->inputs,
                                       .command = s->o.command};
    rc = fn_writer_open(&s->job.writer, s->o.store, &content, s->o.overwrite, &s->job.from,
                        &s->job.before);
    if (!rc && s->job.before.rows)
        fn_info("%s: going on after row %llu", s->o.store, (unsigned long long)s->job.before.rows);
    return rc;
}

/* What a person can do about a run that ended early. */
static int advise(const struct session *s, int rc)
{
    char word[512];
    const char *store = fn_args_word(s->o.store, word, sizeof word);
    struct fn_err_note note;
    if (s->o.dry_run || rc == FN_EMISMATCH)
        return rc;
    fn_err_note_take(&note, rc);
    if (rc == FN_EINTERRUPTED)
        return fn_fail(rc, "%s; the same command goes on from there", note.text);
    if (rc == FN_ELIMIT && s->job.saved)
        return fn_fail(rc,
                       "%s; `fn-dump %s rejects` lists them, and the same command with a higher "
                       "--max-rejects goes on from there",
                       note.text, store);
    return fn_fail(rc,
                   "%s; what was stored before is kept: put that right, and the same command goes "
                   "on from there",
                   note.text);
}

static int seal(struct session *s, struct fn_seal_result *result)
{
    if (s->job.counts.records == 0 && !s->o.part) /* a part may be empty, its store too */
        return fn_fail(FN_EFORMAT,
                       "nothing to store: of %llu rows %llu are skipped, %llu filtered and %llu "
                       "rejected",
                       (unsigned long long)s->job.counts.rows,
                       (unsigned long long)s->job.counts.skipped,
                       (unsigned long long)s->job.counts.filtered,
                       (unsigned long long)s->job.counts.rejected[0]);
    int rc = fn_report_provenance(&s->o, &s->job, s->started, &s->provenance);
    fn_info("%s: all is read, sealing", s->o.store);
    if (!rc)
        rc = fn_writer_seal(s->job.writer, s->provenance, result);
    return rc ? advise(s, rc) : FN_OK;
}

static int print_summary(const struct session *s, const struct fn_summary *summary)
{
    if (s->o.common.json)
        return fn_summary_print_json(summary, &s->job);
    if (!s->o.common.quiet)
        fn_summary_print(summary);
    return FN_OK;
}

static int already_sealed(struct session *s)
{
    struct fn_summary summary;
    int rc = fn_report_compare_sizes(s->o.store, &s->job);
    if (!rc)
        rc = fn_summary_load(&summary, s->o.store);
    if (rc)
        return rc;
    fn_info("%s is there already, made from the same input with the same options: nothing to do",
            s->o.store);
    return print_summary(s, &summary);
}

static int run(struct session *s)
{
    struct fn_summary summary;
    struct fn_seal_result result;
    int rc = open_job(s);
    if (!rc && !s->o.dry_run)
        rc = open_writer(s);
    if (rc == FN_EEXIST)
        return already_sealed(s);
    if (rc)
        return rc;
    rc = fn_job_run(&s->job);
    fn_report_left_out(&s->job);
    if (rc)
        return advise(s, rc);
    if (!s->o.dry_run)
        rc = seal(s, &result);
    if (rc)
        return rc;
    fn_report_unmatched(&s->o, &s->job);
    s->job.seconds = fn_now() - s->begun; /* sealing too */
    fn_summary_fill(&summary, &s->o, &s->job, s->o.dry_run ? NULL : &result);
    rc = print_summary(s, &summary);
    if (!rc && !s->o.dry_run && result.records == 0 && !s->o.part)
        rc =
            fn_fail(FN_EFORMAT, "%s is sealed but empty: no class has %lld pictures (--min-images)",
                    s->o.store, (long long)s->o.min_images);
    return rc;
}

/* The parts' stores into one. */
static int run_join(struct session *s)
{
    struct fn_summary summary;
    struct fn_seal_result result;
    s->job.threads = 1;
    int rc = fn_join_open(&s->join, s->o.inputs, s->o.input_count);
    if (rc)
        return rc;
    struct fn_store_content content = *fn_join_content(s->join);
    content.command = s->o.command;
    rc = fn_writer_open(&s->job.writer, s->o.store, &content, s->o.overwrite, &s->job.from,
                        &s->job.before);
    if (rc == FN_EEXIST)
        return already_sealed(s);
    if (rc)
        return rc;
    rc = fn_join_run(s->join, s->job.writer, &s->job.from);
    if (rc)
        return advise(s, rc);
    s->job.counts = *fn_writer_get_counts(s->job.writer);
    s->job.counts.warned = fn_join_warned(s->join);
    rc = seal(s, &result);
    if (rc)
        return rc;
    s->job.seconds = fn_now() - s->begun;
    fn_summary_fill(&summary, &s->o, &s->job, &result);
    return print_summary(s, &summary);
}

static void close_session(struct session *s)
{
    fn_writer_close(&s->job.writer);
    fn_join_close(&s->join);
    for (size_t i = 0; s->job.inputs && i < s->job.input_count; i++)
        fn_input_close(&s->job.inputs[i]);
    free(s->job.inputs);
    fn_name_list_close(&s->job.keep);
    fn_name_list_close(&s->job.exclude);
    fn_boxes_close(&s->boxes);
    free(s->selection);
    free(s->inputs);
    free(s->provenance);
    fn_options_free(&s->o);
}

int main(int argc, char **argv)
{
    const struct fn_tool *tool;
    struct session s = {.started = (double)time(NULL), .begun = fn_now()};
    fn_signals_setup();
    int rc = fn_options_parse(&s.o, argc, argv, &tool);
    if (!rc) {
        fn_tool_level(tool, &s.o.common);
        rc = s.o.repair ? fn_run_repair(&s.o, s.begun) : s.o.join ? run_join(&s) : run(&s);
    }
    close_session(&s);
    return fn_tool_exit(tool, rc);
}
