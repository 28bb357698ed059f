/* SPDX-License-Identifier: MIT */
/* Which backends are built in, how to open one by name, and the shapes that all agree on. */
#include "kernels/op.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/host.h"
#include "kernels/module.h"

#define CUDA_MODULE "FN_CUDA_MODULE" /* environment: a module by its path */

static int load_cuda(const struct fn_backend **backend)
{
    return fn_module_load(CUDA_MODULE, "libfn_cuda.so", backend);
}

static int expect_cuda(void)
{
    const char *named = getenv(CUDA_MODULE);
    return (named && named[0]) || fn_host_has_nvidia("");
}

/* Best first: the order in which "auto" tries. ref64 serves tests and is never taken by itself. */
static const struct entry {
    const char *name;
    const struct fn_backend *backend;               /* NULL: not built in */
    int (*load)(const struct fn_backend **backend); /* a module; or NULL */
    const char *missing;                            /* what would build it in */
    int automatic;
    int (*expected)(void); /* whether "auto" has to tell of its absence; NULL: always */
} entries[] = {
    {"cuda", NULL, load_cuda, NULL, 1, expect_cuda},
#ifdef FN_HAVE_ONEDNN
    {"cpu", &fn_backend_cpu, NULL, NULL, 1, NULL},
#else
    {"cpu", NULL, NULL, "this program was built without oneDNN (CMake option FN_ONEDNN)", 1, NULL},
#endif
    {"ref", &fn_backend_ref, NULL, NULL, 1, NULL},
    {"ref64", &fn_backend_ref64, NULL, NULL, 0, NULL},
};
enum { ENTRIES = sizeof entries / sizeof entries[0] };

static int open_entry(const struct entry *e, const struct fn_dev_options *options,
                      const struct fn_backend **backend, struct fn_dev **dev)
{
    const struct fn_backend *table = e->backend;
    int rc = FN_OK;
    if (!table && !e->load)
        return fn_fail(FN_EUNSUPPORTED, "no device %s: %s", e->name, e->missing);
    if (!table)
        rc = e->load(&table);
    if (rc == FN_OK)
        rc = table->open(dev, options);
    if (rc != FN_OK)
        return fn_fail_in(rc, "device %s", e->name);
    *backend = table;
    return FN_OK;
}

/* Sentences one after the other, as far as there is room. */
struct sentences {
    char text[1024];
    size_t length;
};

static void say(struct sentences *s, const char *sentence)
{
    size_t room = sizeof s->text - s->length;
    int added = snprintf(s->text + s->length, room, "%s%s", s->length ? "; " : "", sentence);
    s->length += added < 0 ? 0 : (size_t)added < room ? (size_t)added : room - 1;
}

static int open_best(const struct fn_dev_options *options, const struct fn_backend **backend,
                     struct fn_dev **dev, const char **why)
{
    static _Thread_local struct sentences told;
    struct sentences passed = {"", 0};
    int rc = FN_EUNSUPPORTED;
    told = passed;
    for (size_t i = 0; i < ENTRIES; i++) {
        if (!entries[i].automatic)
            continue;
        rc = open_entry(&entries[i], options, backend, dev);
        if (rc == FN_OK)
            break;
        if (rc == FN_ENOMEM) /* no reason to go on with a slower one, and other bits */
            return rc;
        say(&passed, fn_err_text(rc));
        if (!entries[i].expected || entries[i].expected())
            say(&told, fn_err_text(rc));
    }
    if (rc != FN_OK)
        return fn_fail(rc, "no device can be used: %s", passed.text);
    fn_err_clear();
    if (why && told.length)
        *why = told.text;
    return FN_OK;
}

int fn_backend_open(const char *name, const struct fn_dev_options *options,
                    const struct fn_backend **backend, struct fn_dev **dev, const char **why)
{
    *backend = NULL;
    *dev = NULL;
    if (why)
        *why = NULL;
    if (strcmp(name, "auto") == 0)
        return open_best(options, backend, dev, why);
    for (size_t i = 0; i < ENTRIES; i++)
        if (strcmp(name, entries[i].name) == 0)
            return open_entry(&entries[i], options, backend, dev);
    return fn_fail(FN_EUNSUPPORTED, "there is no device named %s; it is auto, cuda, cpu or ref",
                   name);
}

static int conv_out(int in, int k, int stride, int same)
{
    assert(in >= 1 && k >= 1 && stride >= 1 && (!same || stride == 1) && (same || in >= k));
    return same ? in : (in - k) / stride + 1;
}

int fn_conv_out_h(const struct fn_conv_shape *s)
{
    return conv_out(s->h, s->kh, s->stride, s->same);
}

int fn_conv_out_w(const struct fn_conv_shape *s)
{
    return conv_out(s->w, s->kw, s->stride, s->same);
}

int fn_pool_out(int in)
{
    return conv_out(in, 3, 2, 0);
}
