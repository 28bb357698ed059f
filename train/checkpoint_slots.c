/* SPDX-License-Identifier: MIT */
/* state.safetensors: what the optimizer and the center loss keep beside the weights. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train/checkpoint_parts.h"

enum { NAME = FN_NET_NAME + 8 };
static const char *const prefixes[] = {"slot1.", "slot2."};
static const int arenas[] = {FN_ARENA_SLOT1, FN_ARENA_SLOT2};

struct slots {
    struct fn_model *m;
    struct fn_named_tensor *tensors;
    char (*names)[NAME];
    int *arena; /* -1: the centers */
    size_t *param;
    size_t count;
};

static size_t center_count(const struct fn_model *m)
{
    return m->centers ? (size_t)m->net->classes * (size_t)m->net->embedding_size : 0;
}

static void add(struct slots *s, int arena, size_t param, const char *prefix, const char *name,
                int rank, const int *shape)
{
    struct fn_named_tensor *t = &s->tensors[s->count];
    snprintf(s->names[s->count], NAME, "%s%s", prefix, name);
    t->name = s->names[s->count];
    t->dtype = FN_DTYPE_F32;
    t->rank = rank;
    for (int i = 0; i < rank; i++)
        t->shape[i] = (uint64_t)shape[i];
    s->arena[s->count] = arena;
    s->param[s->count] = param;
    s->count++;
}

/* Everything that this model keeps. */
static int list(struct slots *s, struct fn_model *m)
{
    const struct fn_net *net = m->net;
    size_t most = 2 * net->trained_count + 1;
    const int centers[2] = {net->classes, net->embedding_size};
    memset(s, 0, sizeof *s);
    s->m = m;
    s->tensors = calloc(most, sizeof *s->tensors);
    s->names = calloc(most, sizeof *s->names);
    s->arena = calloc(most, sizeof *s->arena);
    s->param = calloc(most, sizeof *s->param);
    if (!s->tensors || !s->names || !s->arena || !s->param)
        return fn_fail(FN_ENOMEM, "no memory for the list of a checkpoint's tensors");
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < net->trained_count; i++)
            if (fn_model_has(m, arenas[k], i))
                add(s, arenas[k], i, prefixes[k], net->params[i].name, net->params[i].rank,
                    net->params[i].shape);
    if (m->centers)
        add(s, -1, 0, "", "centers", 2, centers);
    return FN_OK;
}

static void free_list(struct slots *s)
{
    free(s->tensors);
    free(s->names);
    free(s->arena);
    free(s->param);
}

static int fill(void *context, size_t index, void *buffer)
{
    const struct slots *s = context;
    if (s->arena[index] >= 0)
        return fn_model_get(s->m, s->arena[index], s->param[index], buffer, FN_F32);
    return s->m->be->vector_export(s->m->dev, s->m->centers, center_count(s->m), buffer, FN_F32);
}

int fn_slots_write(struct fn_model *m, const char *path)
{
    struct slots s;
    int rc = list(&s, m);
    if (!rc)
        rc = fn_safetensors_write(path, s.tensors, s.count, NULL, 0, fill, &s);
    free_list(&s);
    return rc;
}

static int take(const struct slots *s, size_t i, const struct fn_named_tensor *t, const char *where)
{
    const struct fn_named_tensor *want = &s->tensors[i];
    float *values;
    int rc;
    if (t->rank != want->rank || memcmp(t->shape, want->shape, (size_t)t->rank * sizeof *t->shape))
        return fn_fail(FN_EMISMATCH, "%s: %s has another shape than this run's", where, t->name);
    values = malloc(t->count * sizeof *values + 1);
    if (!values)
        return fn_fail(FN_ENOMEM, "no memory for %s", t->name);
    rc = fn_tensor_floats(t, values);
    if (!rc && s->arena[i] >= 0)
        rc = fn_model_set(s->m, s->arena[i], s->param[i], values, FN_F32);
    else if (!rc)
        rc = s->m->be->vector_import(s->m->dev, values, FN_F32, t->count, s->m->centers);
    free(values);
    return rc;
}

int fn_slots_read(struct fn_model *m, const struct fn_safetensors *st, const char *where)
{
    struct slots s;
    int rc = list(&s, m);
    for (size_t i = 0; i < s.count && !rc; i++) {
        const struct fn_named_tensor *t = fn_safetensors_find(st, s.names[i]);
        rc = t ? take(&s, i, t, where)
               : fn_fail(FN_EMISMATCH,
                         "%s: no %s in it: it was trained with another optimizer or loss", where,
                         s.names[i]);
    }
    if (!rc && fn_safetensors_count(st) != s.count)
        rc = fn_fail(FN_EMISMATCH,
                     "%s: %zu tensors, this run keeps %zu: it was trained with another optimizer",
                     where, fn_safetensors_count(st), s.count);
    free_list(&s);
    return rc;
}
