/* SPDX-License-Identifier: MIT */
/* What the cases of the self-test are made of. */
#include "kernels/selftest_probe.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/rng.h"
#include "kernels/host.h"

void *fn_probe_memory(struct fn_probe *p, size_t bytes, int kind)
{
    void *data = NULL;
    if (!p->rc && p->blocks == FN_PROBE_BLOCKS)
        p->rc = fn_fail(FN_EINTERNAL, "more than %d blocks in a self-test", FN_PROBE_BLOCKS);
    if (!p->rc)
        p->rc = p->be->alloc(p->dev, bytes, kind, &data);
    if (p->rc)
        return NULL;
    p->block[p->blocks].data = data;
    p->block[p->blocks++].kind = kind;
    return data;
}

double fn_probe_random(int stream, size_t i)
{
    return (float)(2 * fn_rng_unit(fn_rng(7, (uint64_t)stream, i, FN_RNG_INIT)) - 1);
}

double fn_probe_rounded(const struct fn_probe *p, double x)
{
    const float f = (float)x;
    return p->narrow ? fn_host_widen(fn_host_narrow(f)) : f;
}

static float *numbers(struct fn_probe *p, size_t count, int stream, double scale, double shift)
{
    enum { PERIOD = 8191 }; /* large arrays are timed only: their numbers may repeat */
    const size_t drawn = p->large && count > PERIOD ? PERIOD : count;
    float *host = malloc((count ? count : 1) * sizeof *host);
    if (!host)
        p->rc = fn_fail(FN_ENOMEM, "out of memory for a self-test");
    for (size_t i = 0; host && i < drawn; i++)
        host[i] = (float)(fn_probe_random(stream, i) * scale + shift);
    for (size_t i = drawn; host && i < count; i++)
        host[i] = host[i - drawn];
    return host;
}

static struct fn_tensor make(struct fn_probe *p, struct fn_tensor t, int stream, double scale,
                             int rounds)
{
    const size_t count = (size_t)fn_probe_count(&t);
    t.data =
        fn_probe_memory(p, p->be->tensor_bytes(p->dev, t.n, t.h, t.w, t.ctotal), FN_MEM_DEVICE);
    float *host = p->rc ? NULL : numbers(p, count, stream, scale, 0);
    for (size_t i = 0; host && rounds && i < count; i++)
        host[i] = (float)fn_probe_rounded(p, host[i]);
    if (!p->rc)
        p->rc = p->be->tensor_import(p->dev, host, FN_F32, &t);
    free(host);
    return t;
}

struct fn_tensor fn_probe_map(struct fn_probe *p, int n, int h, int w, int c, int stream)
{
    return make(p, (struct fn_tensor){n, h, w, c, 0, c, NULL}, stream, 1, 1);
}

struct fn_tensor fn_probe_rows(struct fn_probe *p, int n, int d, int stream, double scale)
{
    return make(p, (struct fn_tensor){n, 1, 1, d, 0, d, NULL}, stream, scale, 0);
}

float *fn_probe_vector(struct fn_probe *p, size_t count, int stream, double scale, double shift)
{
    void *data = fn_probe_memory(p, count * p->be->info(p->dev)->param_bytes, FN_MEM_DEVICE);
    float *host = p->rc ? NULL : numbers(p, count, stream, scale, shift);
    if (!p->rc)
        p->rc = p->be->vector_import(p->dev, host, FN_F32, count, data);
    free(host);
    return data;
}

void fn_probe_workspace(struct fn_probe *p, size_t bytes)
{
    void *data = bytes ? fn_probe_memory(p, bytes, FN_MEM_DEVICE) : NULL;
    if (!p->rc)
        p->be->workspace(p->dev, data, bytes);
}

const int32_t *fn_probe_labels(struct fn_probe *p, int count, int classes)
{
    const uint8_t *images;
    const int32_t *on_device = NULL;
    uint8_t *image = fn_probe_memory(p, 4, FN_MEM_HOST);
    int32_t *labels = fn_probe_memory(p, (size_t)count * sizeof *labels, FN_MEM_HOST);
    if (p->rc)
        return NULL;
    memset(image, 0, 4);
    for (int i = 0; i < count; i++)
        labels[i] = (int32_t)((i * 7 + 3) % classes);
    p->rc = p->be->batch_upload(p->dev, 0, image, 4, labels, (size_t)count, &images, &on_device);
    if (!p->rc)
        p->rc = p->be->batch_use(p->dev, 0);
    if (!p->rc)
        p->rc = p->be->batch_release(p->dev, 0, 1);
    return on_device;
}

void fn_probe_step(struct fn_probe *p)
{
    const struct fn_step step = {3, 11, 0.05, 12, 0};
    if (!p->rc)
        p->rc = p->be->step_begin(p->dev, &step);
}

/* ---- keeping -------------------------------------------------------------------------------- */

static double *keep(struct fn_probe *p, size_t count)
{
    double *value = NULL;
    if (!p->rc && p->outs == FN_PROBE_OUTS)
        p->rc = fn_fail(FN_EINTERNAL, "more than %d results in a self-test", FN_PROBE_OUTS);
    if (!p->rc)
        value = malloc((count ? count : 1) * sizeof *value);
    if (!p->rc && !value)
        p->rc = fn_fail(FN_ENOMEM, "out of memory for a self-test");
    if (p->rc)
        return NULL;
    p->out[p->outs].value = value;
    p->out[p->outs++].count = count;
    return value;
}

void fn_probe_keep(struct fn_probe *p, const struct fn_tensor *t)
{
    double *value = p->large ? NULL : keep(p, (size_t)fn_probe_count(t));
    if (value)
        p->rc = p->be->tensor_export(p->dev, t, value, FN_F64);
}

void fn_probe_keep_vector(struct fn_probe *p, const void *data, size_t count)
{
    double *value = p->large ? NULL : keep(p, count);
    if (value)
        p->rc = p->be->vector_export(p->dev, data, count, value, FN_F64);
}

void fn_probe_keep_host(struct fn_probe *p, const double *value, size_t count)
{
    double *copy = p->large ? NULL : keep(p, count);
    if (copy)
        memcpy(copy, value, count * sizeof *copy);
}

void fn_probe_keep_losses(struct fn_probe *p)
{
    double losses[FN_LOSS_COUNT];
    if (!p->rc)
        p->rc = p->be->losses_post(p->dev, 0);
    if (!p->rc)
        p->rc = p->be->losses_wait(p->dev, 0, losses);
    for (int i = 0; i < FN_LOSS_COUNT && !p->rc; i++) /* each by itself: their sizes differ */
        if (losses[i] != 0)
            fn_probe_keep_host(p, &losses[i], 1);
}

void fn_probe_clear(struct fn_probe *p)
{
    if (p->dev && p->blocks) {
        const int rc = p->be->sync(p->dev);
        p->rc = p->rc ? p->rc : rc;
        p->be->workspace(p->dev, NULL, 0);
    }
    for (int i = 0; i < p->blocks; i++)
        p->be->free(p->dev, p->block[i].kind, p->block[i].data);
    for (int i = 0; i < p->outs; i++)
        free(p->out[i].value);
    p->blocks = p->outs = 0;
}

/* ---- time ----------------------------------------------------------------------------------- */

void fn_probe_begin(struct fn_probe *p)
{
    if (!p->rc && p->large)
        p->rc = p->be->sync(p->dev);
    p->begin = fn_now();
}

void fn_probe_end(struct fn_probe *p, int calls, double bytes, double flops)
{
    if (p->rc || !p->large)
        return;
    p->rc = p->be->sync(p->dev);
    p->seconds = (fn_now() - p->begin) / calls;
    p->bytes = bytes;
    p->flops = flops;
}

double fn_probe_bytes(const struct fn_probe *p, const struct fn_tensor *t)
{
    return (double)p->be->tensor_bytes(p->dev, t->n, t->h, t->w, t->c);
}
