/* SPDX-License-Identifier: MIT */
/* The repair as a command: is there anything to repair, where does the new store go, what to say.
 */
#include "ingest/run_repair.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpus.h"
#include "base/json.h"
#include "base/log.h"
#include "ingest/repair.h"
#include "store/manifest.h"
#include "store/verify.h"

#define FINDINGS_SHOWN 5

struct names {
    char store[FN_PATH_MAX]; /* the damaged one, without links */
    char made[FN_PATH_MAX], aside[FN_PATH_MAX], lost[FN_PATH_MAX];
    int swap; /* 1: the new one takes the place of the old one */
};

static int settle_names(const struct fn_options *o, struct names *n)
{
    char *real = realpath(o->inputs[0], NULL);
    const char *path = real ? real : o->inputs[0];
    size_t bytes = strlen(path);
    int rc = real ? fn_path_check(path)
                  : fn_fail(FN_ENOENT, "there is no store %s: no such folder", path);
    while (bytes > 1 && path[bytes - 1] == '/')
        bytes--;
    n->swap = !o->store_given;
    snprintf(n->store, sizeof n->store, "%.*s", (int)bytes, path);
    if (n->swap) {
        snprintf(n->made, sizeof n->made, "%.*s.repairing", (int)bytes, path);
        snprintf(n->aside, sizeof n->aside, "%.*s.damaged", (int)bytes, path);
        snprintf(n->lost, sizeof n->lost, "%.*s.lost.tsv", (int)bytes, path);
    } else {
        rc = rc ? rc : fn_path_check(o->store);
        bytes = strlen(o->store);
        while (bytes > 1 && o->store[bytes - 1] == '/')
            bytes--;
        snprintf(n->made, sizeof n->made, "%s", o->store);
        snprintf(n->lost, sizeof n->lost, "%.*s.lost.tsv", (int)bytes, o->store);
    }
    free(real);
    return rc;
}

static void on_bad(void *context, const struct fn_verify_bad *bad)
{
    uint64_t *shown = context;
    if ((*shown)++ < FINDINGS_SHOWN)
        fn_info("%s", bad->text);
}

static void on_progress(void *context, uint64_t done, uint64_t total)
{
    (void)context;
    fn_progress(10, done == total, "looking: %" PRIu64 " of %" PRIu64 " records", done, total);
}

/* *sound: every byte is as it should be. Not being able to tell is a reason to repair. */
static int look(const char *store, int threads, int *sound)
{
    uint64_t shown = 0;
    struct fn_verify v = {
        .threads = threads, .context = &shown, .bad = on_bad, .progress = on_progress};
    int rc = fn_store_verify(store, &v);
    *sound = !rc && v.bad_count == 0;
    if (rc == FN_ECORRUPT) { /* no manifest.json */
        fn_info("%s", fn_err_text(rc));
        return FN_OK;
    }
    if (!rc && !*sound)
        fn_info("%s: %" PRIu64 " findings in all; repairing", store, v.bad_count);
    return rc;
}

static int print_json(const struct names *n, const struct fn_repair *r, const char *state,
                      double seconds)
{
    json_t *json = json_pack(
        "{s:o, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:f}", "store",
        fn_json_bytes(n->swap ? n->store : n->made, strlen(n->swap ? n->store : n->made)), "state",
        state, "content_id", r->sealed.content_id, "content_id_before", r->was, "rows",
        (json_int_t)r->counts.rows, "records", (json_int_t)r->sealed.records, "classes",
        (json_int_t)r->sealed.classes, "lost", (json_int_t)r->listed, "lost_unlisted",
        (json_int_t)r->unlisted, "lost_rejects", (json_int_t)r->bad_rejects, "bits_mended",
        (json_int_t)r->mended, "lost_file",
        r->listed ? fn_json_bytes(n->lost, strlen(n->lost)) : json_null(), "seconds", seconds);
    int rc = json ? fn_json_print(json) : fn_fail(FN_ENOMEM, "no memory for the summary");
    json_decref(json);
    return rc;
}

static void warn(const struct names *n, const struct fn_repair *r)
{
    if (r->by_fallback)
        fn_warn("neither manifest.json nor provenance.json could be read: the options given now "
                "were taken for those the store was made with, and blank and filtered rows are not "
                "counted");
    if (r->listed)
        fn_warn("%" PRIu64 " records are gone: %s lists where in the input each came from",
                r->listed, n->lost);
    if (r->unlisted)
        fn_warn("%" PRIu64 " records more are gone of which nothing is known: duplicates, or left "
                "out by the selection, or in damaged parts of the index too",
                r->unlisted);
    else if (r->gaps)
        fn_warn("in %" PRIu64
                " places records are missing, and it is not known how many: the index "
                "is damaged too",
                r->gaps);
    if (r->end_unknown)
        fn_warn("whether more is missing behind the last record is not known: manifest and index "
                "are both lost");
    if (r->bad_rejects)
        fn_warn("%" PRIu64 " lines of rejects.tsv could not be read and are gone", r->bad_rejects);
    else if (r->rejects_unsure)
        fn_warn("rejects.tsv is missing or not as it was: its lines were taken as they are");
}

static void print_text(const struct names *n, const struct fn_repair *r)
{
    const char *store = n->swap ? n->store : n->made;
    printf("%s: %" PRIu64 " records in %" PRIu64 " classes; %" PRIu64 " lost, %" PRIu64
           " flipped bits put right\n",
           store, r->sealed.records, r->sealed.classes, r->listed + r->unlisted, r->mended);
    printf("content %s%s\n", r->sealed.content_id,
           strcmp(r->was, r->sealed.content_id) == 0 ? ", as before the damage" : "");
    if (n->swap)
        printf("the damaged store is now %s\n", n->aside);
}

static int rewrite(const struct fn_options *o, const struct names *n, struct fn_repair *r)
{
    struct fn_store_content content = {
        .size = (int)o->size,
        .codec = o->codec,
        .quality =
            strcmp(o->codec, "jpeg") == 0 || strcmp(o->codec, "keep") == 0 ? (int)o->quality : 0,
        .shard_bytes = o->shard_bytes,
        .min_images = (uint64_t)o->min_images,
        .max_per_class = (uint64_t)o->max_per_class,
        .dedupe_pixels = strcmp(o->dedupe, "pixels") == 0};
    *r = (struct fn_repair){.store = n->store,
                            .to = n->made,
                            .lost_file = n->lost,
                            .overwrite = o->overwrite,
                            .fallback = o->content_given ? &content : NULL,
                            .command = o->command};
    return fn_repair(r);
}

/* Of a store that is there already: what a summary needs. */
static int load_sealed(const char *store, struct fn_repair *r)
{
    struct fn_manifest *m = NULL;
    int rc = fn_manifest_load(&m, store);
    if (rc)
        return rc;
    r->counts.rows = m->rows;
    r->sealed.records = m->records;
    r->sealed.classes = m->classes;
    memcpy(r->sealed.content_id, m->content_id, sizeof m->content_id);
    memcpy(r->was, m->content_id, sizeof m->content_id);
    fn_manifest_free(&m);
    return FN_OK;
}

int fn_run_repair(const struct fn_options *o, double begun)
{
    struct names n;
    struct fn_repair r = {0};
    int ready = 0, done = 0, sound = 0;
    const char *state = "repaired";
    int rc = settle_names(o, &n);
    if (!rc && n.swap)
        rc = fn_repair_swap_settle(n.store, n.made, n.aside, &ready, &done);
    if (!rc && !ready)
        rc = look(n.store, o->common.threads ? (int)o->common.threads : fn_cpu_count(), &sound);
    if (rc)
        return rc;
    if (sound) {
        fn_info("%s is sound: %s", n.store, done ? "it was repaired" : "nothing to repair");
        state = done ? "repaired" : "sound";
        n.swap = 1;
        rc = load_sealed(n.store, &r);
        return rc || !o->common.json ? rc : print_json(&n, &r, state, fn_now() - begun);
    }
    if (ready)
        rc = load_sealed(n.made, &r);
    else
        rc = rewrite(o, &n, &r);
    if (rc == FN_EEXIST)
        return fn_fail(FN_EEXIST,
                       "%s is there already, repaired: nothing to do (--overwrite does it "
                       "again)",
                       n.made);
    if (!rc && n.swap)
        rc = fn_repair_swap(n.store, n.made, n.aside);
    if (rc)
        return rc;
    warn(&n, &r);
    if (o->common.json)
        return print_json(&n, &r, state, fn_now() - begun);
    if (!o->common.quiet)
        print_text(&n, &r);
    return FN_OK;
}
