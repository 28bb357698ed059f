/* SPDX-License-Identifier: MIT */
/* A model's memory: counted, shown, refused or allocated, all at once. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "train/exec_parts.h"

enum { ROWS = 16 };

struct table {
    struct fn_memory_row row[ROWS];
    size_t count;
    uint64_t total;
};

static void add(struct table *t, const char *what, uint64_t bytes)
{
    if (!bytes)
        return;
    assert(t->count < ROWS);
    t->row[t->count++] = (struct fn_memory_row){what, bytes, FN_MEMORY_FIXED};
    t->total += bytes;
}

static int slots_of(int optimizer)
{
    return optimizer == FN_ADAGRAD || optimizer == FN_MOM ? 1 : 2;
}

static uint64_t center_bytes(const struct fn_model *m)
{
    if (!m->options.training || !m->net->classes)
        return 0;
    return (uint64_t)m->net->classes * (uint64_t)m->net->embedding_size *
           m->be->info(m->dev)->param_bytes;
}

/* What the device keeps beside the arenas. */
static size_t shadow_bytes(const struct fn_model *m)
{
    return m->be->shadow_bytes ? m->be->shadow_bytes(m->dev, &m->params, m->options.training) : 0;
}

/* Rows of the head, of length 1. */
static uint64_t direction_bytes(const struct fn_model *m)
{
    if (!m->options.normalized || !m->net->classes)
        return 0;
    return (uint64_t)m->net->classes * (uint64_t)m->net->embedding_size *
           m->be->info(m->dev)->param_bytes;
}

/* Gradient and statistics, then the prelogits of the whole batch. */
static uint64_t sum_bytes(const struct fn_model *m)
{
    uint64_t rows = (uint64_t)m->options.parts * (uint64_t)m->exec[0]->options.n;
    if (m->options.parts < 2)
        return 0;
    return (m->params.total + rows * (uint64_t)m->net->embedding_size) *
           m->be->info(m->dev)->param_bytes;
}

static void fill(struct table *t, const struct fn_model *m, const struct fn_memory_row *extra,
                 size_t extra_count)
{
    const struct fn_params *p = &m->params;
    uint64_t scalar = m->be->info(m->dev)->param_bytes;
    memset(t, 0, sizeof *t);
    add(t, "weights", p->total * scalar);
    if (m->options.training) {
        add(t, "gradients", p->trained * scalar);
        add(t, "optimizer", p->trained * scalar * (uint64_t)slots_of(m->options.optimizer));
        add(t, "statistics", (p->total - p->trained) * scalar);
    }
    add(t, "moving averages", m->options.ema ? p->total * scalar : 0);
    add(t, "bf16 weights", shadow_bytes(m));
    add(t, "centers", center_bytes(m));
    add(t, "normalized head", direction_bytes(m));
    add(t, "sums of parts", sum_bytes(m));
    add(t, "activations", m->activation_bytes);
    add(t, "workspace", m->workspace_bytes);
    for (size_t i = 0; i < extra_count; i++)
        add(t, extra[i].what, extra[i].bytes);
}

/* The sum in MB, whatever its size: so that it can be held against what the system says. */
static void show(const struct table *t, uint64_t available)
{
    char a[32], b[32] = "";
    for (size_t i = 0; i < t->count; i++)
        fn_info("  %-16s %10s", t->row[i].what, fn_human_bytes((double)t->row[i].bytes, a, 32));
    if (available)
        fn_human_bytes((double)available, b, sizeof b);
    fn_info("  %-16s %7.1f MB%s%s%s", "memory", (double)t->total / 1e6, available ? " of " : "", b,
            available ? " free" : "");
}

/* Bytes with the first exec's batch at n; the others stay. The workspace of a smaller batch is
 * taken to be no larger, that of a larger one to be so in proportion. */
static int bytes_at(const struct fn_model *m, const struct table *t, uint64_t growing, int n,
                    uint64_t *bytes)
{
    struct fn_exec_options o = m->exec[0]->options;
    uint64_t batch = (uint64_t)o.n;
    size_t most, other;
    int rc;
    o.n = n;
    rc = fn_exec_activation_bytes(m, &o, &most);
    for (size_t i = 1; i < m->exec_count && !rc; i++) {
        other = m->exec[i]->layout.bytes;
        most = other > most ? other : most;
    }
    *bytes = t->total - m->activation_bytes - growing + most + growing / batch * (uint64_t)n;
    if ((uint64_t)n > batch)
        *bytes += m->workspace_bytes / batch * ((uint64_t)n - batch);
    return rc;
}

/* Largest batch from 0 to below `high` that fits. */
static int search(const struct fn_model *m, const struct table *t, uint64_t growing,
                  uint64_t available, int high, int *batch)
{
    int low = 0; /* fits, high does not */
    while (high - low > 1) {
        int n = low + (high - low) / 2;
        uint64_t bytes;
        int rc = bytes_at(m, t, growing, n, &bytes);
        if (rc)
            return rc;
        if (bytes <= available)
            low = n;
        else
            high = n;
    }
    *batch = low;
    return FN_OK;
}

/* Bytes of the rows of one kind. */
static uint64_t sum_of(const struct fn_memory_row *extra, size_t extra_count, int kind)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < extra_count; i++)
        bytes += extra[i].kind == kind ? extra[i].bytes : 0;
    return bytes;
}

/* What there is for the whole table: free, or taken by a part of it. 0: not known. */
static uint64_t available_of(const struct fn_model *m, const struct fn_memory_row *extra,
                             size_t extra_count)
{
    uint64_t left = m->be->info(m->dev)->memory_free;
    return left ? left + sum_of(extra, extra_count, FN_MEMORY_TAKEN) : 0;
}

/* What the execs want at most. */
static void gather(struct fn_model *m)
{
    for (size_t i = 0; i < m->exec_count; i++) {
        const struct fn_exec *x = m->exec[i];
        if (x->layout.bytes > m->activation_bytes)
            m->activation_bytes = x->layout.bytes;
        if (x->workspace_bytes > m->workspace_bytes)
            m->workspace_bytes = x->workspace_bytes;
    }
}

int fn_model_fits(struct fn_model *m, const struct fn_memory_row *extra, size_t extra_count,
                  int most, int *batch)
{
    const uint64_t available = available_of(m, extra, extra_count);
    const uint64_t growing = sum_of(extra, extra_count, FN_MEMORY_GROWS);
    struct table t;
    assert(m->exec_count && !m->committed && most >= 1);
    *batch = most;
    if (!available)
        return FN_OK;
    gather(m);
    fill(&t, m, extra, extra_count);
    return search(m, &t, growing, available, most + 1, batch);
}

static int refuse(const struct fn_model *m, const struct table *t, uint64_t growing,
                  uint64_t available)
{
    char a[32], b[32];
    int low, rc = search(m, t, growing, available, m->exec[0]->options.n, &low);
    if (rc)
        return rc;
    fn_human_bytes((double)t->total, a, sizeof a);
    fn_human_bytes((double)available, b, sizeof b);
    if (!low)
        return fn_fail(FN_ELIMIT,
                       "a batch of %d needs %s, %s has %s free: even a batch of 1 does not fit",
                       m->exec[0]->options.n, a, m->be->name, b);
    return fn_fail(FN_ELIMIT,
                   "a batch of %d needs %s, %s has %s free: the largest batch that fits is %d",
                   m->exec[0]->options.n, a, m->be->name, b, low);
}

static int take(struct fn_model *m, size_t bytes, void **out)
{
    int rc = m->be->alloc(m->dev, bytes ? bytes : 64, FN_MEM_DEVICE, out);
    return rc ? rc : m->be->zero(m->dev, *out, bytes ? bytes : 64);
}

static int take_all(struct fn_model *m)
{
    struct fn_params *p = &m->params;
    size_t scalar = m->be->info(m->dev)->param_bytes, trained = p->trained * scalar;
    size_t centers = (size_t)center_bytes(m), shadow = shadow_bytes(m);
    int rc = take(m, p->total * scalar, &p->w);
    if (!rc && m->options.training)
        rc = take(m, trained, &p->grad);
    if (!rc && m->options.training)
        rc = take(m, trained, &p->slot1);
    if (!rc && m->options.training && slots_of(m->options.optimizer) > 1)
        rc = take(m, trained, &p->slot2);
    if (!rc && m->options.training)
        rc = take(m, (p->total - p->trained) * scalar, &p->batch);
    if (!rc && m->options.ema)
        rc = take(m, p->total * scalar, &p->ema);
    if (!rc && shadow)
        rc = take(m, shadow, &m->shadow);
    if (!rc && shadow)
        rc = m->be->shadow_bind(m->dev, p, m->shadow);
    if (!rc && centers)
        rc = take(m, centers, &m->centers);
    if (!rc && direction_bytes(m))
        rc = take(m, (size_t)direction_bytes(m), &m->directions);
    if (!rc && sum_bytes(m))
        rc = take(m, (size_t)sum_bytes(m), &m->sums);
    if (!rc)
        rc = take(m, m->activation_bytes, &m->activations);
    if (!rc && m->workspace_bytes)
        rc = take(m, m->workspace_bytes, &m->workspace);
    return rc;
}

int fn_model_commit(struct fn_model *m, const struct fn_memory_row *extra, size_t extra_count,
                    int print)
{
    const uint64_t available = available_of(m, extra, extra_count);
    struct table t;
    int rc;
    assert(m->exec_count && !m->committed);
    gather(m);
    fill(&t, m, extra, extra_count);
    if (print)
        show(&t, available);
    if (available && t.total > available)
        return refuse(m, &t, sum_of(extra, extra_count, FN_MEMORY_GROWS), available);
    m->planned_bytes = t.total;
    rc = take_all(m);
    if (rc)
        return rc;
    m->be->workspace(m->dev, m->workspace, m->workspace_bytes);
    for (size_t i = 0; i < m->exec_count; i++)
        fn_exec_bind(m->exec[i]);
    m->committed = 1;
    return FN_OK;
}

int fn_model_grow_workspace(struct fn_model *m, size_t bytes)
{
    void *larger = NULL;
    int rc;
    if (bytes <= m->workspace_bytes)
        return FN_OK;
    rc = m->be->sync(m->dev);
    if (!rc)
        rc = m->be->alloc(m->dev, bytes, FN_MEM_DEVICE, &larger);
    if (rc)
        return rc;
    if (m->workspace)
        m->be->free(m->dev, FN_MEM_DEVICE, m->workspace);
    m->workspace = larger;
    m->workspace_bytes = bytes;
    m->be->workspace(m->dev, larger, bytes);
    return FN_OK;
}

void fn_model_close(struct fn_model **model)
{
    struct fn_model *m = model ? *model : NULL;
    void *taken[12];
    if (!m)
        return;
    if (m->shadow)
        (void)m->be->shadow_bind(m->dev, &m->params, NULL);
    for (size_t i = 0; i < m->exec_count; i++)
        fn_exec_close(&m->exec[i]);
    memcpy(taken,
           (void *[]){m->params.w, m->params.grad, m->params.slot1, m->params.slot2, m->params.ema,
                      m->params.batch, m->shadow, m->centers, m->directions, m->sums,
                      m->activations, m->workspace},
           sizeof taken);
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (taken[i])
            m->be->free(m->dev, FN_MEM_DEVICE, taken[i]);
    free(m->begin);
    free(m->count);
    free(m->plan);
    free(m->groups);
    free(m->frozen);
    free(m);
    *model = NULL;
}
