/* SPDX-License-Identifier: MIT */
/* fn-dump export: DIR/class/name.ending, the tree that the original decoder writes. All cores, many
 * pictures a job. A damaged record is named and left out, the rest is written. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/pipeline.h"
#include "store/dump_internal.h"

#define JOB_RECORDS 32

struct worker {
    struct fn_reader *reader;
    struct fn_codec *codec;
    struct fn_image image;
    struct fn_bytes made;
};

struct export
{
    const struct fn_dump *d;
    struct fn_store *store;
    struct fn_dump_ids chosen;
    struct worker *workers;
    pthread_mutex_t lock; /* of the counts and of what is said */
    uint64_t done, bytes, bad;
};

/* The names were checked when the store was made; checked again, for they become paths. */
static int write_file(const char *dir, const struct fn_record *rec, const char *ending,
                      const uint8_t *data, size_t bytes)
{
    char name[2 * FN_NAME_MAX + 16], *path;
    if (!fn_name_ok(rec->class_name, rec->class_bytes) || !fn_name_ok(rec->name, rec->name_bytes))
        return fn_fail(FN_ECORRUPT, "its names cannot be paths");
    snprintf(name, sizeof name, "%.*s/%.*s.%s", (int)rec->class_bytes, rec->class_name,
             (int)rec->name_bytes, rec->name, ending);
    path = fn_path_join(dir, name);
    if (!path)
        return FN_ENOMEM;
    int rc = FN_OK;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        rc = fn_fail_errno("cannot create %s", path);
    while (!rc && bytes) {
        ssize_t n = write(fd, data, bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            rc = fn_fail_errno("cannot write %s", path);
        } else {
            data += n;
            bytes -= (size_t)n;
        }
    }
    if (fd >= 0 && close(fd) != 0 && !rc)
        rc = fn_fail_errno("cannot write %s", path);
    free(path);
    return rc;
}

/* FN_ECORRUPT and the like: of this record alone; the disk's failures end the whole. */
static int export_one(struct export *e, struct worker *w, uint64_t id, size_t *written)
{
    struct fn_record rec;
    const uint8_t *data = NULL;
    int rc = fn_reader_get(w->reader, id, &rec);
    if (rc)
        return rc;
    const char *ending = fn_dump_ending(e->d->format, rec.codec);
    rc = fn_dump_picture(w->codec, &rec, ending, &w->image, &w->made, &data, written);
    if (rc)
        return fn_fail_in(rc, "%s: record %" PRIu64, e->d->store, id);
    return write_file(e->d->operand, &rec, ending, data, *written);
}

static int export_some(void *context, int worker, size_t job)
{
    struct export *e = context;
    uint64_t i = job * JOB_RECORDS, end = i + JOB_RECORDS;
    if (fn_interrupted())
        return fn_fail(FN_EINTERRUPTED, "interrupted: %s is not complete", e->d->operand);
    for (; i < end && i < e->chosen.count; i++) {
        size_t bytes = 0;
        int rc = export_one(e, &e->workers[worker], fn_dump_id(&e->chosen, i), &bytes);
        if (rc == FN_EIO || rc == FN_ENOSPC || rc == FN_ENOMEM || rc == FN_ENOENT)
            return rc;
        pthread_mutex_lock(&e->lock);
        if (rc) {
            fn_error("%s", fn_err_text(rc));
            e->bad++;
        } else {
            e->done++;
            e->bytes += bytes;
        }
        fn_progress(30, 0, "%s of %s", fn_dump_number(e->done),
                    fn_dump_count(e->chosen.count, "picture"));
        pthread_mutex_unlock(&e->lock);
    }
    return FN_OK;
}

/* A new folder, or one with nothing in it. */
static int make_folder(const char *path)
{
    int rc = fn_mkdir_p(path);
    DIR *dir = rc ? NULL : opendir(path);
    if (!rc && !dir)
        rc = fn_fail_errno("cannot look into %s", path);
    for (struct dirent *entry; !rc && (entry = readdir(dir)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            rc = fn_fail(FN_EEXIST, "%s is not empty; export makes a new folder", path);
    if (dir)
        closedir(dir);
    return rc;
}

static int make_classes(const struct export *e, uint32_t *made)
{
    uint32_t from = 0, to = e->store->info.classes;
    int rc = FN_OK;
    if (e->d->class_name) {
        rc = fn_store_class_find(e->store, e->d->class_name, &from);
        to = from + 1;
    }
    *made = to - from;
    for (uint32_t label = from; label < to && !rc; label++) {
        const char *name;
        rc = fn_store_class_name(e->store, label, &name);
        char *path = rc ? NULL : fn_path_join(e->d->operand, name);
        if (!rc && !path)
            rc = FN_ENOMEM;
        if (!rc && mkdir(path, 0777) != 0)
            rc = fn_fail_errno("cannot create %s", path);
        free(path);
    }
    return rc;
}

static int open_workers(struct export *e)
{
    int threads = e->d->threads;
    e->workers = calloc((size_t)threads, sizeof *e->workers);
    int rc = e->workers ? FN_OK : fn_fail(FN_ENOMEM, "no memory for %d threads", threads);
    for (int i = 0; i < threads && !rc; i++) {
        rc = fn_reader_open(&e->workers[i].reader, e->store);
        if (!rc)
            rc = fn_codec_open(&e->workers[i].codec);
    }
    return rc;
}

static void close_workers(struct export *e)
{
    for (int i = 0; e->workers && i < e->d->threads; i++) {
        fn_reader_close(&e->workers[i].reader);
        fn_codec_close(&e->workers[i].codec);
        fn_image_free(&e->workers[i].image);
        fn_bytes_free(&e->workers[i].made);
    }
    free(e->workers);
}

static int report(const struct export *e, uint32_t classes, double seconds)
{
    char bytes[32];
    const struct fn_dump *d = e->d;
    int rc = FN_OK;
    if (d->common.json) {
        json_t *json =
            json_pack("{s:o, s:o, s:I, s:I, s:I, s:I, s:f}", "store",
                      fn_json_bytes(d->store, strlen(d->store)), "folder",
                      fn_json_bytes(d->operand, strlen(d->operand)), "pictures",
                      (json_int_t)e->done, "classes", (json_int_t)classes, "bytes",
                      (json_int_t)e->bytes, "bad", (json_int_t)e->bad, "seconds", seconds);
        rc = json ? fn_json_print(json) : fn_fail(FN_ENOMEM, "no memory for the summary");
        json_decref(json);
    } else if (!d->common.quiet) {
        printf("%s: %s of %s, %s\n", d->operand, fn_dump_count(e->done, "picture"),
               fn_dump_count(classes, "class"),
               fn_human_bytes((double)e->bytes, bytes, sizeof bytes));
    }
    if (!rc && e->bad)
        rc = fn_fail(FN_ECORRUPT, "%s of %s could not be exported", fn_dump_count(e->bad, "record"),
                     d->store);
    return rc;
}

int fn_dump_export(struct fn_dump *d)
{
    struct export e = {.d = d};
    uint32_t classes = 0;
    double start = fn_now();
    pthread_mutex_init(&e.lock, NULL);
    int rc = fn_store_open(&e.store, d->store);
    if (!rc)
        rc = fn_dump_choose(d, e.store, &e.chosen);
    if (!rc)
        rc = make_folder(d->operand);
    if (!rc)
        rc = make_classes(&e, &classes);
    if (!rc)
        rc = open_workers(&e);
    if (!rc)
        rc = fn_parallel_for(d->threads, (size_t)((e.chosen.count + JOB_RECORDS - 1) / JOB_RECORDS),
                             &e, export_some);
    if (!rc)
        rc = report(&e, classes, fn_now() - start);
    close_workers(&e);
    fn_store_close(&e.store);
    pthread_mutex_destroy(&e.lock);
    return rc;
}
