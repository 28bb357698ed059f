/* SPDX-License-Identifier: MIT */
/* cuDNN's handle and the table of plans. */
#include "kernels/cuda/dnn.h"

#include <cudnn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/runtime.h"

enum { BANNED = 32 };

struct entry {
    struct fn_plan_request request;
    struct fn_plan *plan;
    int ran;     /* since distrust was called last */
    int retired; /* its engine was wrong: who has it keeps it, nobody gets it any more */
};

struct fn_cuda_dnn {
    cudnnHandle_t handle;
    struct entry *entries;
    size_t count, room;
    struct fn_plan_ban banned[BANNED];
    int banned_count;
};

void fn_cuda_dnn_version(char *text, size_t size)
{
    const size_t v = cudnnGetVersion();
    snprintf(text, size, "%zu.%zu.%zu", v / 10000, v % 10000 / 100, v % 100);
}

int fn_cuda_dnn_open(struct fn_cuda_dnn **out, struct CUstream_st *stream)
{
    struct fn_cuda_dnn *dnn = calloc(1, sizeof *dnn);
    *out = dnn;
    if (!dnn)
        return fn_fail(FN_ENOMEM, "out of memory for plans");
    cudnnStatus_t status = cudnnCreate(&dnn->handle);
    if (status)
        dnn->handle = NULL;
    else
        status = cudnnSetStream(dnn->handle, stream);
    if (status)
        return fn_fail(
            FN_EDEVICE,
            "cuDNN cannot be used: %s (its parts, libcudnn_*.so, must be of one version, "
            "and for this driver)",
            cudnnGetErrorString(status));
    return FN_OK;
}

void fn_cuda_dnn_close(struct fn_cuda_dnn **dnn)
{
    struct fn_cuda_dnn *d = *dnn;
    if (!d)
        return;
    for (size_t i = 0; i < d->count; i++)
        fn_plan_close(&d->entries[i].plan);
    if (d->handle)
        cudnnDestroy(d->handle);
    free(d->entries);
    free(d);
    *dnn = NULL;
}

static int is_same(const struct fn_plan_request *a, const struct fn_plan_request *b)
{
    const struct fn_conv_shape *s = &a->shape, *t = &b->shape;
    return a->pass == b->pass && a->bf16 == b->bf16 && a->accumulate == b->accumulate &&
           a->allow_tf32 == b->allow_tf32 && s->n == t->n && s->h == t->h && s->w == t->w &&
           s->cin == t->cin && s->kh == t->kh && s->kw == t->kw && s->stride == t->stride &&
           s->same == t->same && s->cout == t->cout;
}

static int make_entry_room(struct fn_cuda_dnn *d)
{
    if (d->count < d->room)
        return FN_OK;
    const size_t room = d->room ? 2 * d->room : 128;
    struct entry *entries = realloc(d->entries, room * sizeof *entries);
    if (!entries)
        return fn_fail(FN_ENOMEM, "out of memory for %zu plans", room);
    d->entries = entries;
    d->room = room;
    return FN_OK;
}

int fn_cuda_plan_get(struct fn_dev *dev, const struct fn_conv_shape *shape, int passes, int bf16,
                     const struct fn_plan **plan)
{
    struct fn_cuda_dnn *d = dev->dnn;
    const struct fn_plan_request request = {.shape = *shape,
                                            .pass = passes & ~FN_ACCUMULATE,
                                            .accumulate = (passes & FN_ACCUMULATE) != 0,
                                            .bf16 = bf16,
                                            .allow_tf32 = dev->allow_tf32 || dev->bf16,
                                            .deterministic = dev->deterministic,
                                            .banned = d->banned,
                                            .banned_count = d->banned_count};
    *plan = NULL;
    for (size_t i = 0; i < d->count && !*plan; i++)
        if (!d->entries[i].retired && is_same(&d->entries[i].request, &request))
            *plan = d->entries[i].plan;
    if (*plan)
        return FN_OK;
    int rc = make_entry_room(d);
    struct entry e = {.request = request};
    if (!rc)
        rc = fn_plan_open(&e.plan, d->handle, NULL, &request);
    if (rc)
        return rc;
    d->entries[d->count++] = e;
    *plan = e.plan;
    return FN_OK;
}

int fn_cuda_plan_run(struct fn_dev *dev, const struct fn_plan *plan, const void *x, const void *w,
                     const void *y)
{
    const size_t wants = fn_plan_workspace(plan);
    if (wants > dev->workspace_bytes)
        return fn_fail(FN_EINTERNAL, "%s wants a workspace of %zu bytes, there are %zu",
                       fn_plan_engine(plan), wants, dev->workspace_bytes);
    for (size_t i = 0; i < dev->dnn->count; i++)
        dev->dnn->entries[i].ran |= dev->dnn->entries[i].plan == plan;
    return fn_plan_run(plan, dev->dnn->handle, (void *)(uintptr_t)x, (void *)(uintptr_t)w,
                       (void *)(uintptr_t)y, dev->workspace);
}

int fn_cuda_distrust(struct fn_dev *dev, int wrong)
{
    struct fn_cuda_dnn *d = dev->dnn;
    int found = 0;
    for (size_t i = 0; i < d->count; i++) {
        struct entry *e = &d->entries[i];
        if (wrong && e->ran && !e->retired && d->banned_count < BANNED) {
            d->banned[d->banned_count++] = (struct fn_plan_ban){e->request.pass, e->request.bf16,
                                                                fn_plan_engine_number(e->plan)};
            e->retired = found = 1;
        }
        e->ran = 0;
    }
    for (size_t i = 0; i < d->count; i++) /* others that took the same engine */
        for (int k = 0; k < d->banned_count; k++)
            d->entries[i].retired |=
                d->banned[k].engine == fn_plan_engine_number(d->entries[i].plan) &&
                d->banned[k].pass == d->entries[i].request.pass &&
                d->banned[k].bf16 == d->entries[i].request.bf16;
    return !wrong || found ? FN_OK : fn_fail(FN_EUNSUPPORTED, "no engine of cuDNN has run");
}
