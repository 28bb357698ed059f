/* SPDX-License-Identifier: MIT */
/* Content and provenance as JSON. */
#include "ingest/report.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"

#define PROVENANCE_MAX ((size_t)64 << 20)

/* Takes over `value`; NULL: out of memory somewhere on the way. */
static int to_text(json_t *value, char **text)
{
    *text = value ? fn_json_dump(value, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(value);
    return *text ? FN_OK : fn_fail(FN_ENOMEM, "no memory for a description of the run");
}

static int set(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value);
}

static json_t *bytes_of(const char *text)
{
    return text ? fn_json_bytes(text, strlen(text)) : json_null();
}

int fn_report_selection(const struct fn_options *o, const struct fn_job *job,
                        const char *boxes_hash, char **text)
{
    json_t *all = json_object();
    int bad = !all;
    if (job->keep)
        bad = bad || set(all, "keep", json_string(fn_name_list_hash(job->keep)));
    if (job->exclude)
        bad = bad || set(all, "exclude", json_string(fn_name_list_hash(job->exclude)));
    if (boxes_hash)
        bad = bad || set(all, "boxes", json_string(boxes_hash));
    if (o->limit)
        bad = bad || set(all, "limit", json_integer(o->limit));
    if (job->share.of)
        bad = bad || set(all, "part", fn_share_json(&job->share));
    if (bad) {
        json_decref(all);
        all = NULL;
    }
    return to_text(all, text);
}

int fn_report_inputs(const struct fn_job *job, char **text)
{
    json_t *all = json_array();
    for (size_t i = 0; all && i < job->input_count; i++) {
        if (json_array_append(all, job->inputs[i]->identity)) {
            json_decref(all);
            all = NULL;
        }
    }
    return to_text(all, text);
}

static json_t *time_text(double seconds)
{
    char text[32];
    time_t t = (time_t)seconds;
    struct tm tm;
    if (!gmtime_r(&t, &tm) || !strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm))
        return json_null();
    return json_string(text);
}

static json_t *options_object(const struct fn_options *o)
{
    char rejects[32];
    json_t *all = json_object();
    fn_limit_show(&o->max_rejects, rejects, sizeof rejects);
    if (all && !set(all, "layout", json_string(o->layout)) &&
        !set(all, "codec", json_string(o->codec)) && !set(all, "size", json_integer(o->size)) &&
        !set(all, "quality", json_integer(o->quality)) &&
        !set(all, "min_images", json_integer(o->min_images)) &&
        !set(all, "max_per_class", json_integer(o->max_per_class)) &&
        !set(all, "dedupe", json_string(o->dedupe)) && !set(all, "limit", json_integer(o->limit)) &&
        !set(all, "part", bytes_of(o->part)) && !set(all, "max_rejects", json_string(rejects)) &&
        !set(all, "shard_bytes", json_integer((json_int_t)o->shard_bytes)) &&
        !set(all, "boxes", bytes_of(o->boxes)) && !set(all, "keep", bytes_of(o->keep)) &&
        !set(all, "exclude", bytes_of(o->exclude)))
        return all;
    json_decref(all);
    return NULL;
}

static json_t *inputs_array(const struct fn_job *job)
{
    json_t *all = json_array();
    for (size_t i = 0; all && i < job->input_count; i++) {
        const struct fn_input *s = job->inputs[i];
        json_t *one = json_object();
        int bad = !one || set(one, "path", bytes_of(s->path)) ||
                  set(one, "described", bytes_of(s->described)) ||
                  set(one, "bytes", json_integer((json_int_t)s->bytes)) ||
                  json_array_append(all, one);
        json_decref(one);
        if (bad) {
            json_decref(all);
            return NULL;
        }
    }
    return all;
}

int fn_report_provenance(const struct fn_options *o, const struct fn_job *job, double started,
                         char **text)
{
    char host[256] = "";
    struct timespec now = {0, 0};
    json_t *all = json_object();
    clock_gettime(CLOCK_REALTIME, &now);
    if (gethostname(host, sizeof host - 1))
        host[0] = '\0';
    double finished = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    int bad = !all || set(all, "tool", json_string("fn-ingest")) ||
              set(all, "version", json_string(FN_VERSION)) ||
              set(all, "command", bytes_of(o->command)) || set(all, "options", options_object(o)) ||
              set(all, "inputs", inputs_array(job)) || set(all, "host", bytes_of(host)) ||
              set(all, "threads", json_integer(job->threads)) ||
              set(all, "started", time_text(started)) || set(all, "read", time_text(finished)) ||
              set(all, "seconds", json_real(finished - started)) ||
              set(all, "warned", json_integer((json_int_t)job->counts.warned)) ||
              set(all, "resumed_at", json_integer((json_int_t)job->before.rows));
    if (bad) {
        json_decref(all);
        all = NULL;
    }
    return to_text(all, text);
}

int fn_report_compare_sizes(const char *store, const struct fn_job *job)
{
    json_t *all = NULL;
    const json_t *inputs = NULL;
    int rc = FN_OK;
    char *path = fn_path_join(store, "provenance.json");
    if (!path)
        return fn_fail(FN_ENOMEM, "no memory to look into %s", store);
    if (fn_is_file(path) && fn_json_load(path, PROVENANCE_MAX, &all) == FN_OK)
        inputs = json_object_get(json_object_get(all, "run"), "inputs");
    for (size_t i = 0; !rc && i < job->input_count; i++) {
        const struct fn_input *input = job->inputs[i];
        const json_t *one = json_array_get(inputs, i);
        const char *described = json_string_value(json_object_get(one, "described"));
        uint64_t was = (uint64_t)json_integer_value(json_object_get(one, "bytes"));
        uint64_t now = input->bytes;
        if (!described || strcmp(described, input->described) != 0)
            continue; /* the same rows, wrapped in another way */
        if (was && now && was != now)
            rc = fn_fail(FN_EMISMATCH,
                         "%s was made from %llu bytes of this input, but %s has %llu now; choose "
                         "another --store, or --overwrite this one",
                         store, (unsigned long long)was, input->path, (unsigned long long)now);
    }
    json_decref(all);
    free(path);
    return rc;
}
