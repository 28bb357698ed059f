/* SPDX-License-Identifier: MIT */
/* Parameters from and to safetensors. */
#include "train/weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Published files fold gamma into the kernels: 1 to the last bit of a float, but for rounding. */
#define GAMMA_TOLERANCE 1e-5

void fn_weights_bn(const struct fn_net_param *mean, char prefix[FN_NET_NAME])
{
    size_t bytes = strlen(mean->name) - strlen(".running_mean");
    snprintf(prefix, FN_NET_NAME, "%.*s", (int)bytes, mean->name);
}

static int ends_in(const char *name, const char *end)
{
    size_t a = strlen(name), b = strlen(end);
    return a >= b && !strcmp(name + a - b, end);
}

static int in_tail(const char *name)
{
    return !strncmp(name, "logits.", 7) || !strncmp(name, "last_", 5);
}

static void shape_text(int rank, const uint64_t *shape, char *buf, size_t cap)
{
    size_t used = 0;
    buf[0] = 0;
    for (int i = 0; i < rank && used < cap; i++)
        used += (size_t)snprintf(buf + used, cap - used, "%s%llu", i ? " x " : "",
                                 (unsigned long long)shape[i]);
}

static int shape_equal(const struct fn_named_tensor *t, const struct fn_net_param *p)
{
    if (t->rank != p->rank)
        return 0;
    for (int i = 0; i < p->rank; i++)
        if (t->shape[i] != (uint64_t)p->shape[i])
            return 0;
    return 1;
}

static int wrong_shape(const struct fn_named_tensor *t, const struct fn_net_param *p,
                       const char *where)
{
    uint64_t want[4];
    char a[128], b[128];
    for (int i = 0; i < p->rank; i++)
        want[i] = (uint64_t)p->shape[i];
    shape_text(t->rank, t->shape, a, sizeof a);
    shape_text(p->rank, want, b, sizeof b);
    return fn_fail(FN_EMISMATCH, "%s: %s is %s, this network's is %s: another architecture", where,
                   t->name, a, b);
}

static int read_floats(const struct fn_named_tensor *t, const char *where, float *values)
{
    int rc = fn_tensor_floats(t, values);
    if (rc)
        return fn_fail_in(rc, "%s", where);
    for (size_t i = 0; i < t->count; i++)
        if (!isfinite(values[i]))
            return fn_fail(FN_ECORRUPT, "%s: %s has a value that is not finite", where, t->name);
    return FN_OK;
}

/* Gammas must be 1: the network has none. */
static int check_gamma(const struct fn_safetensors *st, const struct fn_net_param *mean,
                       const char *where, struct fn_weights_report *report)
{
    char name[FN_NET_NAME + 8], prefix[FN_NET_NAME];
    const struct fn_named_tensor *t;
    float *values;
    int rc;
    fn_weights_bn(mean, prefix);
    snprintf(name, sizeof name, "%s.weight", prefix);
    t = fn_safetensors_find(st, name);
    if (!t)
        return FN_OK;
    values = malloc(t->count * sizeof *values + 1);
    if (!values)
        return fn_fail(FN_ENOMEM, "no memory for %s", name);
    rc = read_floats(t, where, values);
    for (size_t i = 0; i < t->count && !rc; i++)
        if (fabs((double)values[i] - 1) > GAMMA_TOLERANCE)
            rc = fn_fail(FN_EMISMATCH,
                         "%s: %s has a scale of %g: this network's batch norm has none (all 1)",
                         where, name, (double)values[i]);
    if (!rc)
        report->loaded++;
    free(values);
    return rc;
}

static int load_param(struct fn_model *m, size_t param, const struct fn_safetensors *st,
                      const char *where, enum fn_weights_rule rule,
                      struct fn_weights_report *report)
{
    const struct fn_net_param *p = &m->net->params[param];
    const struct fn_named_tensor *t = fn_safetensors_find(st, p->name);
    int lenient = rule == FN_WEIGHTS_PRETRAINED && in_tail(p->name);
    float *values;
    int rc;
    if (!t && !lenient)
        return fn_fail(FN_EMISMATCH, "%s: no %s in it: another architecture", where, p->name);
    if (!t) {
        if (!report->missing++)
            snprintf(report->first_missing, sizeof report->first_missing, "%s", p->name);
        return FN_OK;
    }
    if (!shape_equal(t, p)) {
        if (!lenient)
            return wrong_shape(t, p, where);
        if (!report->reset++)
            snprintf(report->first_reset, sizeof report->first_reset, "%s", p->name);
        return FN_OK;
    }
    values = malloc(p->count * sizeof *values);
    if (!values)
        return fn_fail(FN_ENOMEM, "no memory for %s", p->name);
    rc = read_floats(t, where, values);
    if (!rc)
        rc = fn_model_set(m, FN_ARENA_W, param, values, FN_F32);
    if (!rc)
        report->loaded++;
    free(values);
    return rc;
}

int fn_weights_sizes(const struct fn_safetensors *st, const char *where, int *embedding,
                     int *classes)
{
    const struct fn_named_tensor *last = fn_safetensors_find(st, "last_linear.weight");
    const struct fn_named_tensor *logits = fn_safetensors_find(st, "logits.weight");
    *embedding = *classes = 0;
    if (!last || last->rank != 2 || last->shape[0] > 65536)
        return fn_fail(FN_EMISMATCH,
                       "%s: no last_linear.weight in it: not an Inception-ResNet-v1 for faces",
                       where);
    *embedding = (int)last->shape[0];
    if (logits && logits->rank == 2 && logits->shape[0] <= 100000000)
        *classes = (int)logits->shape[0];
    return FN_OK;
}

static size_t count_ignored(const struct fn_net *net, const struct fn_safetensors *st)
{
    size_t ignored = 0;
    for (size_t i = 0; i < fn_safetensors_count(st); i++) {
        const char *name = fn_safetensors_at(st, i)->name;
        if (ends_in(name, ".num_batches_tracked") || ends_in(name, "bn.weight"))
            continue;
        ignored += fn_net_find(net, name) < 0;
    }
    return ignored;
}

int fn_weights_load(struct fn_model *m, const struct fn_safetensors *st, const char *where,
                    enum fn_weights_rule rule, struct fn_weights_report *report)
{
    int rc;
    memset(report, 0, sizeof *report);
    rc = fn_safetensors_verify(st);
    if (!rc)
        rc = fn_weights_sizes(st, where, &report->embedding, &report->classes);
    for (size_t i = 0; i < m->net->param_count && !rc; i++) {
        rc = load_param(m, i, st, where, rule, report);
        if (!rc && m->net->params[i].kind == FN_PARAM_MEAN)
            rc = check_gamma(st, &m->net->params[i], where, report);
    }
    report->ignored = rc ? 0 : count_ignored(m->net, st);
    return rc;
}

/* ---- saving --------------------------------------------------------------------------------- */
struct writer {
    struct fn_model *m;
    int arena;
    int64_t batches;
    struct fn_named_tensor *tensors;
    int *param; /* of a tensor; -1: gamma, -2: num_batches_tracked */
    char (*names)[FN_NET_NAME + 24];
    size_t count;
};

static struct fn_named_tensor *add_tensor(struct writer *w, int param, int dtype)
{
    struct fn_named_tensor *t = &w->tensors[w->count];
    w->param[w->count] = param;
    t->name = w->names[w->count];
    t->dtype = dtype;
    w->count++;
    return t;
}

static void list_tensors(struct writer *w)
{
    const struct fn_net *net = w->m->net;
    for (size_t i = 0; i < net->param_count; i++) {
        const struct fn_net_param *p = &net->params[i];
        struct fn_named_tensor *t = add_tensor(w, (int)i, FN_DTYPE_F32);
        char prefix[FN_NET_NAME];
        snprintf(w->names[w->count - 1], sizeof *w->names, "%s", p->name);
        t->rank = p->rank;
        for (int k = 0; k < p->rank; k++)
            t->shape[k] = (uint64_t)p->shape[k];
        if (p->kind != FN_PARAM_MEAN)
            continue;
        fn_weights_bn(p, prefix);
        t = add_tensor(w, -1, FN_DTYPE_F32);
        snprintf(w->names[w->count - 1], sizeof *w->names, "%s.weight", prefix);
        t->rank = 1;
        t->shape[0] = (uint64_t)p->shape[0];
        add_tensor(w, -2, FN_DTYPE_I64);
        snprintf(w->names[w->count - 1], sizeof *w->names, "%s.num_batches_tracked", prefix);
    }
}

static int fill_tensor(void *context, size_t index, void *buffer)
{
    struct writer *w = context;
    const struct fn_named_tensor *t = &w->tensors[index];
    float *values = buffer;
    if (w->param[index] >= 0)
        return fn_model_get(w->m, w->arena, (size_t)w->param[index], buffer, FN_F32);
    if (w->param[index] == -2)
        memcpy(buffer, &w->batches, sizeof w->batches);
    else
        for (uint64_t i = 0; i < t->shape[0]; i++)
            values[i] = 1;
    return FN_OK;
}

int fn_weights_save(struct fn_model *m, int arena, int64_t batches, const char *path,
                    const struct fn_meta *meta, size_t meta_count)
{
    size_t most = 3 * m->net->param_count;
    struct writer w = {.m = m, .arena = arena, .batches = batches};
    int rc;
    w.tensors = calloc(most, sizeof *w.tensors);
    w.param = calloc(most, sizeof *w.param);
    w.names = calloc(most, sizeof *w.names);
    if (w.tensors && w.param && w.names) {
        list_tensors(&w);
        rc = fn_safetensors_write(path, w.tensors, w.count, meta, meta_count, fill_tensor, &w);
    } else {
        rc = fn_fail(FN_ENOMEM, "no memory to write %s", path);
    }
    free(w.tensors);
    free(w.param);
    free(w.names);
    return rc;
}
