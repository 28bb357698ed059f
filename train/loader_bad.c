/* SPDX-License-Identifier: MIT */
/* Pictures that cannot be read: counted, named once, replaced, marked, or the end. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "train/loader_internal.h"

/* 1: not named before; *last: it is the last that will be. Holds the lock. */
static int name_it(struct fn_loader *l, uint64_t id, int *last)
{
    *last = 0;
    for (size_t i = 0; i < l->named_count; i++)
        if (l->named[i] == id)
            return 0;
    if (l->named_count == NAMED_MAX)
        return 0;
    l->named[l->named_count++] = id;
    *last = l->named_count == NAMED_MAX;
    return 1;
}

int fn_loader_failed(struct fn_loader *l, int code, uint64_t id)
{
    char name[400];
    return fn_fail_in(code, "%s", fn_source_name(l->source, id, name, sizeof name));
}

/* Counts a bad picture, says so the first time; FN_OK, or the failure that ends the run. */
static int count_bad(struct fn_loader *l, int code, uint64_t id)
{
    char name[400];
    int last;
    pthread_mutex_lock(&l->lock);
    uint64_t bad = ++l->stats.bad, read = atomic_fetch_add(&l->read, 1) + 1;
    int first = name_it(l, id, &last);
    pthread_mutex_unlock(&l->lock);
    fn_source_name(l->source, id, name, sizeof name);
    if (l->job.on_bad == FN_BAD_STOP)
        return fn_loader_failed(l, code, id);
    if (first)
        fn_warn("%s cannot be used%s: %s%s", name,
                l->job.on_bad == FN_BAD_REPLACE ? ", another takes its place" : "",
                fn_err_text(code), last ? " (further ones are not named)" : "");
    if (l->job.on_bad == FN_BAD_REPLACE && read >= FN_BAD_MIN_READ &&
        (double)bad > FN_BAD_SHARE * (double)read)
        return fn_fail(FN_ECORRUPT,
                       "%llu of %llu pictures read are bad, more than %g %%; the last one was %s",
                       (unsigned long long)bad, (unsigned long long)read, 100 * FN_BAD_SHARE, name);
    return FN_OK;
}

int fn_loader_bad(struct fn_loader *l, struct fn_fetch *fetch, int code, uint64_t draw,
                  struct fn_example *ex, uint8_t *out)
{
    int rc = count_bad(l, code, ex->id);
    if (rc == FN_OK && l->job.on_bad == FN_BAD_MARK) {
        memset(out, 0, l->image_bytes);
        ex->id = FN_NO_ID;
        return FN_OK;
    }
    for (uint64_t attempt = 1; rc == FN_OK && attempt <= FN_BAD_ATTEMPTS; attempt++) {
        l->job.order.stand_in(l->job.order.context, draw, attempt, ex);
        code = fn_fetch_example(fetch, ex->id, &l->job.augment, ex->pass, ex->position, out);
        if (!fn_fetch_bad(code))
            return code == FN_OK ? FN_OK : fn_loader_failed(l, code, ex->id);
        rc = count_bad(l, code, ex->id);
    }
    if (rc == FN_OK)
        rc = fn_fail(FN_ECORRUPT, "%d pictures tried one after the other are all bad",
                     FN_BAD_ATTEMPTS);
    return rc;
}
