/* SPDX-License-Identifier: MIT */
/* Which backends are built in, how to open one by name, and the shapes that all agree on. */
#include "kernels/op.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "kernels/module.h"

static int load_cuda(const struct fn_backend **backend)
{
    return fn_module_load("FN_CUDA_MODULE", "libfn_cuda.so", backend);
}

/* Best first: the order in which "auto" tries. ref64 serves tests and is never taken by itself. */
static const struct entry {
    const char *name;
    const struct fn_backend *backend;               /* NULL: not built in */
    int (*load)(const struct fn_backend **backend); /* a module; or NULL */
    const char *missing;                            /* what would build it in */
    int automatic;
} entries[] = {
    {"cuda", NULL, load_cuda, NULL, 1},
#ifdef FN_HAVE_ONEDNN
    {"cpu", &fn_backend_cpu, NULL, NULL, 1},
#else
    {"cpu", NULL, NULL, "this program was built without oneDNN (CMake option FN_ONEDNN)", 1},
#endif
    {"ref", &fn_backend_ref, NULL, NULL, 1},
    {"ref64", &fn_backend_ref64, NULL, NULL, 0},
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

static int open_best(const struct fn_dev_options *options, const struct fn_backend **backend,
                     struct fn_dev **dev, const char **why)
{
    static _Thread_local char passed[1024];
    size_t length = 0;
    int rc = FN_EUNSUPPORTED;
    passed[0] = '\0';
    for (size_t i = 0; i < ENTRIES; i++) {
        if (!entries[i].automatic)
            continue;
        rc = open_entry(&entries[i], options, backend, dev);
        if (rc == FN_OK)
            break;
        if (rc == FN_ENOMEM) /* no reason to go on with a slower one, and other bits */
            return rc;
        int added = snprintf(passed + length, sizeof passed - length, "%s%s", length ? "; " : "",
                             fn_err_text(rc));
        if (added > 0)
            length += (size_t)added;
        if (length >= sizeof passed)
            length = sizeof passed - 1;
    }
    if (rc != FN_OK)
        return fn_fail(rc, "no device can be used: %s", passed);
    fn_err_clear();
    if (why && length)
        *why = passed;
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
