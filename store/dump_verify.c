/* SPDX-License-Identifier: MIT */
/* fn-dump verify: what is bad, a line each on stdout; then the verdict. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "store/dump_internal.h"
#include "store/verify.h"

struct report {
    const struct fn_dump *d;
    json_t *list; /* with --json */
    double start;
};

static void on_bad(void *context, const struct fn_verify_bad *bad)
{
    struct report *r = context;
    if (!r->list) {
        printf("%s\n", bad->text);
        return;
    }
    json_t *json =
        json_pack("{s:s, s:o, s:o, s:o}", "file", bad->file, "id",
                  bad->id < 0 ? json_null() : json_integer(bad->id), "record",
                  *bad->record ? fn_json_bytes(bad->record, strlen(bad->record)) : json_null(),
                  "text", fn_json_bytes(bad->text, strlen(bad->text)));
    json_array_append_new(r->list, json);
}

static void on_progress(void *context, uint64_t done, uint64_t total)
{
    const struct report *r = context;
    double seconds = fn_now() - r->start;
    fn_progress(30, done == total, "%s of %s stored pictures, %.0f a second", fn_dump_number(done),
                fn_dump_number(total), seconds > 0 ? (double)done / seconds : 0);
}

static int print_json(struct report *r, const struct fn_verify *v)
{
    const struct fn_dump *d = r->d;
    json_t *json =
        json_pack("{s:o, s:b, s:I, s:I, s:I, s:O, s:f}", "store",
                  fn_json_bytes(d->store, strlen(d->store)), "good", v->bad_count == 0, "files",
                  (json_int_t)v->files, "records", (json_int_t)v->records, "payload_bytes",
                  (json_int_t)v->payload_bytes, "bad", r->list, "seconds", fn_now() - r->start);
    int rc = json ? fn_json_print(json) : fn_fail(FN_ENOMEM, "no memory for the summary");
    json_decref(json);
    return rc;
}

int fn_dump_verify(struct fn_dump *d)
{
    struct report r = {.d = d, .start = fn_now()};
    struct fn_verify v = {
        .threads = d->threads, .context = &r, .bad = on_bad, .progress = on_progress};
    char bytes[32], time[32];
    if (d->common.json && !(r.list = json_array()))
        return fn_fail(FN_ENOMEM, "no memory for the summary");
    int rc = fn_store_verify(d->store, &v);
    if (!rc && r.list)
        rc = print_json(&r, &v);
    else if (!rc && !v.bad_count && !d->common.quiet)
        printf("%s is good: %s, %s of pictures in %s, %s\n", d->store,
               fn_dump_count(v.records, "stored picture"),
               fn_human_bytes((double)v.payload_bytes, bytes, sizeof bytes),
               fn_dump_count(v.files, "file"),
               fn_human_time(fn_now() - r.start, time, sizeof time));
    if (!rc && v.bad_count)
        rc = fn_fail(FN_ECORRUPT, "%s is damaged: %s", d->store,
                     fn_dump_count(v.bad_count, "finding"));
    json_decref(r.list);
    return rc;
}
