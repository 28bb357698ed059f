/* SPDX-License-Identifier: MIT */
/* Parameters on a device: where each lies, in and out, initial values. */
#include "train/model.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "train/exec_parts.h"

static int no_memory(void)
{
    return fn_fail(FN_ENOMEM, "no memory for the list of parameters");
}

int fn_model_open(struct fn_model **out, const struct fn_net *net, const struct fn_backend *be,
                  struct fn_dev *dev, const struct fn_model_options *options)
{
    struct fn_model *m = calloc(1, sizeof *m);
    int rc = FN_OK;
    *out = NULL;
    if (!m)
        return no_memory();
    m->net = net;
    m->be = be;
    m->dev = dev;
    m->options = *options;
    m->begin = calloc(net->param_count, sizeof *m->begin);
    m->count = calloc(net->param_count, sizeof *m->count);
    m->plan = calloc(net->param_count, sizeof *m->plan);
    m->groups = calloc(net->trained_count, sizeof *m->groups);
    m->frozen = calloc(net->param_count, sizeof *m->frozen);
    *out = m;
    if (!m->begin || !m->count || !m->plan || !m->groups || !m->frozen)
        rc = no_memory();
    else if (options->trainable)
        rc = fn_model_freeze(m, options->trainable);
    if (rc)
        fn_model_close(out);
    return rc;
}

static size_t aligned(size_t elements)
{
    return (elements + FN_CHANNEL_ALIGN - 1) / FN_CHANNEL_ALIGN * FN_CHANNEL_ALIGN;
}

/* Trainable parameters first, then the moving statistics: each mean directly before its variance.
 */
static void place_all(struct fn_model *m)
{
    const struct fn_net *net = m->net;
    size_t at = 0;
    for (size_t i = 0; i < net->param_count; i++) {
        int kind = (int)net->params[i].kind;
        if (kind != FN_PARAM_VAR)
            at = aligned(at);
        m->begin[i] = at;
        at += m->count[i];
        if (i < net->trained_count) {
            m->groups[i] = (struct fn_param_group){m->begin[i], m->count[i],
                                                   kind == FN_PARAM_CONV || kind == FN_PARAM_FC, 0,
                                                   kind == FN_PARAM_CONV};
            m->groups[i].frozen = m->frozen[i];
            m->params.trained = aligned(at);
        }
    }
    m->params.total = aligned(at);
    m->params.groups = m->groups;
    m->params.group_count = net->trained_count;
}

int fn_model_place(struct fn_model *m, const struct fn_exec *x)
{
    const struct fn_net *net = m->net;
    int first = m->params.total == 0;
    for (size_t i = 0; i < net->param_count; i++) {
        const struct fn_net_param *p = &net->params[i];
        const struct fn_conv *plan = p->kind == FN_PARAM_CONV ? x->units[p->node].plan : NULL;
        size_t count = plan ? m->be->conv_weights(plan) : p->count;
        if (first) {
            m->count[i] = count;
            m->plan[i] = plan;
        } else if (m->count[i] != count) {
            return fn_fail(FN_EINTERNAL, "%s: %zu elements for one batch size, %zu for another",
                           p->name, m->count[i], count);
        }
    }
    if (first)
        place_all(m);
    return FN_OK;
}

static void *arena_of(const struct fn_model *m, int arena)
{
    void *const arenas[FN_ARENA_COUNT] = {m->params.w,     m->params.grad, m->params.slot1,
                                          m->params.slot2, m->params.ema,  m->params.batch};
    return arenas[arena];
}

int fn_model_has(const struct fn_model *m, int arena, size_t param)
{
    int trained = param < m->net->trained_count;
    if (!arena_of(m, arena))
        return 0;
    if (arena == FN_ARENA_BATCH)
        return !trained;
    return trained || arena == FN_ARENA_W || arena == FN_ARENA_EMA;
}

void *fn_model_at(const struct fn_model *m, int arena, size_t param)
{
    size_t begin = m->begin[param] - (arena == FN_ARENA_BATCH ? m->params.trained : 0);
    assert(fn_model_has(m, arena, param));
    return (char *)arena_of(m, arena) + begin * m->be->info(m->dev)->param_bytes;
}

int fn_model_set(struct fn_model *m, int arena, size_t param, const void *host, int type)
{
    void *at = fn_model_at(m, arena, param);
    if (m->plan[param])
        return m->be->conv_import(m->dev, m->plan[param], host, type, at);
    return m->be->vector_import(m->dev, host, type, m->count[param], at);
}

int fn_model_get(struct fn_model *m, int arena, size_t param, void *host, int type)
{
    const void *at = fn_model_at(m, arena, param);
    if (m->plan[param])
        return m->be->conv_export(m->dev, m->plan[param], at, host, type);
    return m->be->vector_export(m->dev, at, m->count[param], host, type);
}

void fn_model_initial(const struct fn_net *net, size_t param, uint64_t seed, float *values)
{
    const struct fn_net_param *p = &net->params[param];
    double limit = 0, start = p->kind == FN_PARAM_VAR ? 1 : 0;
    if (p->kind == FN_PARAM_CONV || p->kind == FN_PARAM_FC) {
        double taps = p->rank == 4 ? (double)p->shape[2] * p->shape[3] : 1;
        limit = sqrt(6 / (taps * p->shape[0] + taps * p->shape[1]));
    }
    for (size_t e = 0; e < p->count; e++) {
        double u = limit > 0 ? fn_rng_unit(fn_rng(seed, param, e, FN_RNG_INIT)) : 0;
        values[e] = (float)(start + limit * (2 * u - 1));
    }
}

int fn_model_copy_to_ema(struct fn_model *m)
{
    size_t bytes = m->params.total * m->be->info(m->dev)->param_bytes, piece = 4u << 20;
    char *host = malloc(piece);
    int rc = host ? FN_OK : fn_fail(FN_ENOMEM, "no memory for a copy of the weights");
    for (size_t at = 0; at < bytes && !rc; at += piece) {
        size_t part = bytes - at < piece ? bytes - at : piece;
        rc = m->be->read(m->dev, (char *)m->params.w + at, host, part);
        if (!rc)
            rc = m->be->write(m->dev, (char *)m->params.ema + at, host, part);
    }
    free(host);
    return rc;
}

int fn_model_fresh_state(struct fn_model *m)
{
    int rc = FN_OK;
    if (m->options.training)
        rc = m->be->update_init(m->dev, &m->params, m->options.optimizer);
    return rc || !m->params.ema ? rc : fn_model_copy_to_ema(m);
}

int fn_model_init(struct fn_model *m, uint64_t seed)
{
    const struct fn_net *net = m->net;
    int rc = FN_OK;
    for (size_t i = 0; i < net->param_count && !rc; i++) {
        float *values = malloc(net->params[i].count * sizeof *values);
        if (!values)
            return no_memory();
        fn_model_initial(net, i, seed, values);
        rc = fn_model_set(m, FN_ARENA_W, i, values, FN_F32);
        free(values);
    }
    if (!rc && m->centers)
        rc = m->be->zero(m->dev, m->centers,
                         (size_t)net->classes * (size_t)net->embedding_size *
                             m->be->info(m->dev)->param_bytes);
    return rc ? rc : fn_model_fresh_state(m);
}
