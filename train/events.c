/* SPDX-License-Identifier: MIT */
/* The event file of a run: new, or the newest one cut back to a checkpoint. */
#include "train/events.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "train/append.h"
#include "train/events_format.h"

#define PREFIX "events.out.tfevents."

struct fn_events {
    struct fn_append *file;
    /* Reused, so that a step allocates nothing: a part of a value or event, the value, ... */
    struct fn_proto part, value, summary, event, record;
};

static double wall_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* malloc'd path of the newest event file; NULL and FN_OK: there is none. */
static int newest(const char *folder, char **path)
{
    int rc = FN_OK;
    char *best = NULL;
    struct dirent *d;
    *path = NULL;
    DIR *dir = opendir(folder);
    if (!dir)
        return fn_fail_errno("%s: cannot look for event files", folder);
    while (rc == FN_OK && (d = readdir(dir))) {
        if (strncmp(d->d_name, PREFIX, strlen(PREFIX)) != 0 ||
            (best && strcmp(d->d_name, best) <= 0))
            continue;
        free(best);
        if (!(best = strdup(d->d_name)))
            rc = fn_fail(FN_ENOMEM, "%s: out of memory", folder);
    }
    closedir(dir);
    if (best && rc == FN_OK && !(*path = fn_path_join(folder, best)))
        rc = FN_ENOMEM;
    free(best);
    return rc;
}

static int new_path(const char *folder, char **path)
{
    char host[256], name[320];
    if (gethostname(host, sizeof host) != 0)
        snprintf(host, sizeof host, "localhost");
    host[sizeof host - 1] = 0;
    snprintf(name, sizeof name, PREFIX "%010lld.%s", (long long)time(NULL), host);
    return (*path = fn_path_join(folder, name)) ? FN_OK : FN_ENOMEM;
}

/* Bytes of the file that belong to the checkpoint at `step`. */
static int find_cut(const char *path, int64_t step, uint64_t *keep)
{
    struct fn_map map;
    struct fn_event_seen seen;
    size_t at = 0, bytes, mark = 0, later = 0;
    int rc = fn_map_open(&map, path);
    if (rc != FN_OK)
        return rc;
    while ((bytes = fn_event_read(map.data + at, map.bytes - at, &seen)) > 0) {
        if (!later && seen.step > step)
            later = at;
        at += bytes;
        if (seen.checkpoint && seen.step == step)
            mark = at;
    }
    *keep = mark ? mark : later ? later : at;
    fn_map_close(&map);
    return FN_OK;
}

static int append_event(struct fn_events *e)
{
    e->record.bytes = 0;
    fn_proto_frame(&e->record, &e->event);
    int failed = e->record.failed;
    e->part.bytes = e->value.bytes = e->summary.bytes = 0;
    e->part.failed = e->value.failed = e->summary.failed = e->event.failed = e->record.failed = 0;
    if (failed)
        return fn_fail(FN_ENOMEM, "no memory for an event");
    return fn_append_entry(e->file, e->record.data, e->record.bytes);
}

static void begin_event(struct fn_events *e, int64_t step)
{
    e->event.bytes = 0;
    fn_proto_double(&e->event, 1, wall_time());
    if (step)
        fn_proto_int(&e->event, 2, step);
}

int fn_events_open(struct fn_events **events, const char *folder, int64_t resume)
{
    char *path = NULL;
    uint64_t keep = 0;
    struct fn_events *e = calloc(1, sizeof *e);
    *events = NULL;
    int rc = e ? FN_OK : fn_fail(FN_ENOMEM, "%s: out of memory", folder);
    if (rc == FN_OK && resume >= 0)
        rc = newest(folder, &path);
    if (rc == FN_OK && path)
        rc = find_cut(path, resume, &keep);
    if (rc == FN_OK && !path)
        rc = new_path(folder, &path);
    if (rc == FN_OK)
        rc = fn_append_open(&e->file, path, keep);
    if (rc == FN_OK && keep == 0) {
        static const char version[] = "brain.Event:2";
        begin_event(e, 0);
        fn_proto_bytes(&e->event, 3, version, strlen(version));
        rc = append_event(e);
    }
    free(path);
    if (rc != FN_OK) {
        struct fn_err_note note;
        fn_err_note_take(&note, rc);
        fn_events_close(&e); /* its own failure would hide the first */
        return fn_err_note_raise(&note);
    }
    *events = e;
    return FN_OK;
}

/* e->value holds the fields of a Value but its tag. */
static int append_value(struct fn_events *e, const char *tag, int64_t x)
{
    fn_proto_bytes(&e->value, 1, tag, strlen(tag));
    fn_proto_message(&e->summary, 1, &e->value);
    begin_event(e, x);
    fn_proto_message(&e->event, 5, &e->summary);
    return append_event(e);
}

int fn_events_scalar(struct fn_events *events, const char *tag, int64_t x, double value)
{
    fn_proto_float(&events->value, 2, (float)value);
    return append_value(events, tag, x);
}

int fn_events_histogram(struct fn_events *events, const char *tag, int64_t x,
                        const struct fn_histogram *h)
{
    fn_proto_histogram(&events->part, h);
    fn_proto_message(&events->value, 5, &events->part);
    return append_value(events, tag, x);
}

int fn_events_image(struct fn_events *events, const char *tag, int64_t x, int w, int h,
                    const void *png, size_t bytes)
{
    fn_proto_int(&events->part, 1, h);
    fn_proto_int(&events->part, 2, w);
    fn_proto_int(&events->part, 3, 3); /* RGB */
    fn_proto_bytes(&events->part, 4, png, bytes);
    fn_proto_message(&events->value, 4, &events->part);
    return append_value(events, tag, x);
}

int fn_events_checkpoint(struct fn_events *events, int64_t step)
{
    fn_proto_int(&events->part, 1, 3);
    begin_event(events, step);
    fn_proto_message(&events->event, 7, &events->part);
    int rc = append_event(events);
    int sync = fn_append_sync(events->file);
    return rc != FN_OK ? rc : sync;
}

int fn_events_flush(struct fn_events *events)
{
    return fn_append_flush(events->file);
}

int fn_events_close(struct fn_events **events)
{
    struct fn_events *e = *events;
    if (!e)
        return FN_OK;
    int rc = fn_append_close(&e->file);
    fn_proto_free(&e->part);
    fn_proto_free(&e->value);
    fn_proto_free(&e->summary);
    fn_proto_free(&e->event);
    fn_proto_free(&e->record);
    free(e);
    *events = NULL;
    return rc;
}
