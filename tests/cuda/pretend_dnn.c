/* SPDX-License-Identifier: MIT */
/* A pretend cuDNN: descriptors of the backend graph API as lists of what was set, checked as the
 * library checks them; engines of our own, one of each kind that plan.c tells apart; plans that
 * compute in plain C on the pretend GPU. With the option real_dnn, NVIDIA's own library is asked,
 * too, about everything but running (it needs no GPU for that): descriptors, heuristics, plans and
 * workspaces are then its own. */
#include "tests/cuda/pretend_dnn.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/cuda/pretend_real.h"

static char last_error[256];

cudnnStatus_t fn_dnn_wrong(cudnnStatus_t status, const char *what)
{
    snprintf(last_error, sizeof last_error, "%s", what);
    return status;
}

cudnnStatus_t fn_dnn_misuse(const char *what)
{
    fn_pretend_refuse(cudaErrorInvalidValue, "cuDNN: %s", what);
    return fn_dnn_wrong(CUDNN_STATUS_BAD_PARAM, what);
}

static size_t size_of(cudnnBackendAttributeType_t type)
{
    switch (type) {
    case CUDNN_TYPE_INT64:
        return sizeof(int64_t);
    case CUDNN_TYPE_HANDLE:
    case CUDNN_TYPE_VOID_PTR:
    case CUDNN_TYPE_BACKEND_DESCRIPTOR:
        return sizeof(void *);
    case CUDNN_TYPE_CHAR:
        return 1;
    default:
        return sizeof(int); /* enums, floats */
    }
}

/* ---- engines ---- */

/* What is proposed, best first: as the library does, the fastest are not those that a careful
 * program may take. */
static const struct kind kinds[] = {
    {100, 0, 1, 1, 1, 1},
    {101, 0, 1, 1, 0, 1},
    {102, 0, 0, 0, 0, 1},
    {103, 1, 0, 0, 0, 0},
};
enum { KINDS = sizeof kinds / sizeof kinds[0], NARROWEST = 80 };

static int is_proposed(const struct kind *k, const struct descriptor *heuristics)
{
    const int fallback =
        word(heuristics, CUDNN_ATTR_ENGINEHEUR_MODE) == (int)CUDNN_HEUR_MODE_FALLBACK;
    return k->fallback == fallback &&
           !(heuristics->work.conv.bf16 && fn_pretend.options.capability < NARROWEST);
}

static int64_t workspace_of(const struct kind *k, const struct fn_pretend_conv *c)
{
    size_t bytes[3];
    fn_pretend_conv_bytes(c, bytes);
    return k->scratch && c->kh * c->kw > 1 ? (int64_t)bytes[1] + 1000 : 0;
}

/* ---- descriptors ---- */

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type,
                                           cudnnBackendDescriptor_t *out)
{
    struct descriptor *d = calloc(1, sizeof *d);
    *out = d;
    if (!d)
        return CUDNN_STATUS_BAD_PARAM;
    d->magic = MAGIC;
    d->type = (int)type;
    const struct fn_real_dnn *real_dnn = fn_real_dnn();
    return real_dnn ? real_dnn->create(type, &d->real) : CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t descriptor)
{
    struct descriptor *d = check(descriptor);
    if (!d)
        return fn_dnn_misuse("no descriptor is destroyed");
    if (d->real)
        fn_real_dnn()->destroy(d->real);
    d->magic = 0;
    free(d);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t descriptor,
                                       cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t count,
                                       const void *value)
{
    struct descriptor *d = check(descriptor);
    const size_t bytes = (size_t)count * size_of(type);
    cudnnBackendDescriptor_t inner = NULL;
    if (!d || d->final || d->count == ATTRIBUTES || count < 1)
        return fn_dnn_misuse("an attribute is set where none can be");
    if (type == CUDNN_TYPE_BACKEND_DESCRIPTOR) {
        memcpy(&inner, value, sizeof inner);
        const struct descriptor *x = check(inner);
        if (count != 1 || !x || (!x->final && x->type != CUDNN_BACKEND_ENGINECFG_DESCRIPTOR))
            return fn_dnn_misuse("a descriptor is used that is not finalized");
        inner = x->real;
    }
    struct attribute *a = &d->attribute[d->count++];
    *a = (struct attribute){.name = (int)name, .type = (int)type, .count = count};
    if (bytes <= VALUE)
        memcpy(a->value, value, bytes);
    else if (type != CUDNN_TYPE_CHAR)
        return fn_dnn_misuse("an attribute with more values than there can be");
    if (!d->real || type == CUDNN_TYPE_HANDLE) /* the handle is not the library's */
        return CUDNN_STATUS_SUCCESS;
    return fn_real_dnn()->set(d->real, name, type, count, inner ? &inner : value);
}

static cudnnStatus_t finalize(struct descriptor *d)
{
    const struct descriptor *from;
    switch (d->type) {
    case CUDNN_BACKEND_TENSOR_DESCRIPTOR:
        return fn_dnn_check_tensor(d);
    case CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR:
        from = part(d, CUDNN_ATTR_OPERATIONGRAPH_OPS);
        return from ? fn_dnn_compile(from, &d->work)
                    : fn_dnn_misuse("a graph without an operation");
    case CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR:
        from = part(d, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH);
        if (!from)
            return fn_dnn_misuse("heuristics without a graph");
        d->work = from->work;
        return CUDNN_STATUS_SUCCESS;
    case CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR:
        from = part(d, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
        if (!from)
            return fn_dnn_misuse("a plan without a configuration");
        d->work = from->work;
        d->of = from->of;
        d->workspace = d->of ? workspace_of(d->of, &d->work.conv) : 0;
        return CUDNN_STATUS_SUCCESS;
    case CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR: /* JSON: the library reads it */
    default:
        return CUDNN_STATUS_SUCCESS;
    }
}

cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t descriptor)
{
    struct descriptor *d = check(descriptor);
    if (!d || d->final)
        return fn_dnn_misuse("no descriptor, or one that is final, is finalized");
    cudnnStatus_t status = finalize(d);
    if (status)
        return status;
    if (d->real && d->type == CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR &&
        !find(d, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP))
        status = fn_real_dnn_chip(d->real);
    if (!status && d->real && d->type != CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR)
        status = fn_real_dnn()->finalize(d->real);
    d->final = !status;
    return status;
}

/* ---- answers ---- */

static cudnnStatus_t proposals(const struct descriptor *heuristics, int64_t room, int64_t *count,
                               cudnnBackendDescriptor_t *out)
{
    cudnnBackendDescriptor_t inner[64];
    cudnnStatus_t status = CUDNN_STATUS_SUCCESS;
    *count = 0;
    for (int64_t i = 0; i < room && i < 64; i++)
        inner[i] = check(out[i])->real;
    if (heuristics->real) {
        status = fn_real_dnn()->get(heuristics->real, CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                    CUDNN_TYPE_BACKEND_DESCRIPTOR, room > 64 ? 64 : room, count,
                                    room ? inner : NULL);
    } else {
        for (int k = 0; k < KINDS; k++)
            if (is_proposed(&kinds[k], heuristics)) {
                if (*count < room)
                    check(out[*count])->of = &kinds[k];
                ++*count;
            }
    }
    for (int64_t i = 0; i < *count && i < room; i++)
        check(out[i])->work = heuristics->work;
    return status;
}

static cudnnStatus_t notes(const struct kind *k, int64_t room, int64_t *count, int *out)
{
    const int have[3] = {k->tensor_core, k->down_convert, k->nondeterministic};
    const int note[3] = {CUDNN_NUMERICAL_NOTE_TENSOR_CORE, CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS,
                         CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC};
    *count = 0;
    for (int i = 0; i < 3; i++)
        if (have[i] && *count < room)
            out[(*count)++] = note[i];
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t descriptor,
                                       cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t room,
                                       int64_t *count, void *value)
{
    struct descriptor *d = check(descriptor), *engine;
    if (!d || (!d->final && d->type != CUDNN_BACKEND_ENGINECFG_DESCRIPTOR &&
               d->type != CUDNN_BACKEND_ENGINE_DESCRIPTOR))
        return fn_dnn_misuse("an attribute of what is not final is asked for");
    if (name == CUDNN_ATTR_ENGINEHEUR_RESULTS)
        return proposals(d, value ? room : 0, count, value);
    if (name == CUDNN_ATTR_ENGINECFG_ENGINE) {
        engine = check(*(cudnnBackendDescriptor_t *)value);
        engine->of = d->of;
        *count = 1;
        return d->real ? fn_real_dnn()->get(d->real, name, type, room, count, &engine->real)
                       : CUDNN_STATUS_SUCCESS;
    }
    if (d->real) {
        const cudnnStatus_t status = fn_real_dnn()->get(d->real, name, type, room, count, value);
        if (!status && name == CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE)
            memcpy(&d->workspace, value, sizeof d->workspace);
        return status;
    }
    *count = 1;
    switch (name) {
    case CUDNN_ATTR_ENGINE_GLOBAL_INDEX:
        memcpy(value, &d->of->engine, sizeof d->of->engine);
        return CUDNN_STATUS_SUCCESS;
    case CUDNN_ATTR_ENGINE_NUMERICAL_NOTE:
        return notes(d->of, room, count, value);
    case CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE:
        memcpy(value, &d->workspace, sizeof d->workspace);
        return CUDNN_STATUS_SUCCESS;
    default:
        return fn_dnn_misuse("an attribute is asked for that is not pretended");
    }
}

/* ---- the handle ---- */

cudnnStatus_t cudnnCreate(cudnnHandle_t *handle)
{
    const cudaError_t error = fn_pretend_leave(fn_pretend_enter());
    *handle = error ? NULL : calloc(1, sizeof **handle);
    return *handle ? CUDNN_STATUS_SUCCESS : fn_dnn_wrong(CUDNN_STATUS_NOT_INITIALIZED, "no device");
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle)
{
    free(handle);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream)
{
    handle->stream = stream;
    return CUDNN_STATUS_SUCCESS;
}

size_t cudnnGetVersion(void)
{
    return 91900;
}

const char *cudnnGetErrorString(cudnnStatus_t status)
{
    static const struct {
        cudnnStatus_t status;
        const char *name;
    } known[] = {{CUDNN_STATUS_SUCCESS, "CUDNN_STATUS_SUCCESS"},
                 {CUDNN_STATUS_NOT_INITIALIZED, "CUDNN_STATUS_NOT_INITIALIZED"},
                 {CUDNN_STATUS_BAD_PARAM, "CUDNN_STATUS_BAD_PARAM"},
                 {CUDNN_STATUS_NOT_SUPPORTED, "CUDNN_STATUS_NOT_SUPPORTED"},
                 {CUDNN_STATUS_EXECUTION_FAILED, "CUDNN_STATUS_EXECUTION_FAILED"}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i].status == status)
            return known[i].name;
    return "another CUDNN_STATUS";
}

void cudnnGetLastErrorString(char *text, size_t size)
{
    snprintf(text, size, "%s", last_error);
}
