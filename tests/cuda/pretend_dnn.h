/* SPDX-License-Identifier: MIT */
/* What the files of the pretend cuDNN share: descriptors, and what is compiled from them. */
#ifndef FN_TESTS_CUDA_PRETEND_DNN_H
#define FN_TESTS_CUDA_PRETEND_DNN_H

#include <cudnn.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tests/cuda/pretend_conv.h"
#include "tests/cuda/pretend_core.h"

enum { ATTRIBUTES = 16, VALUE = 64, MAGIC = 0x646e6e21 };

struct attribute {
    int name, type;
    int64_t count;
    unsigned char value[VALUE];
};

/* Compiled when a graph is finalized, and handed on to what is made from it. */
struct work {
    struct fn_pretend_conv conv;
    int64_t uid[3]; /* of x, w, y */
    int64_t align;
};

/* An engine of ours. */
struct kind {
    int64_t engine;
    int fallback;
    int tensor_core, down_convert, nondeterministic;
    int scratch; /* wants a workspace */
};

struct descriptor {
    int magic, type, final;
    struct attribute attribute[ATTRIBUTES];
    int count;
    struct work work;      /* graph, heuristics, configuration, plan */
    const struct kind *of; /* engine, configuration, plan: ours */
    int64_t workspace;     /* plan */
    cudnnBackendDescriptor_t real;
};

struct cudnnContext {
    cudaStream_t stream;
};

/* A sentence for cudnnGetLastErrorString; returns status. misuse: and a fault, of a call that no
 * correct program makes; CUDNN_STATUS_BAD_PARAM. */
cudnnStatus_t fn_dnn_wrong(cudnnStatus_t status, const char *what);
cudnnStatus_t fn_dnn_misuse(const char *what);

/* pretend_compile.c: a tensor; an operation, and what it is to do. */
cudnnStatus_t fn_dnn_check_tensor(const struct descriptor *tensor);
cudnnStatus_t fn_dnn_compile(const struct descriptor *operation, struct work *out);

/* ---- reading descriptors ---- */

static inline struct descriptor *check(cudnnBackendDescriptor_t d)
{
    struct descriptor *x = d;
    return x && x->magic == MAGIC ? x : NULL;
}

static inline const struct attribute *find(const struct descriptor *d, int name)
{
    for (int i = 0; d && i < d->count; i++)
        if (d->attribute[i].name == name)
            return &d->attribute[i];
    return NULL;
}

static inline int64_t integer(const struct descriptor *d, int name, int at)
{
    const struct attribute *a = find(d, name);
    int64_t v = 0;
    if (a && at < a->count)
        memcpy(&v, a->value + (size_t)at * sizeof v, sizeof v);
    return v;
}

static inline int word(const struct descriptor *d, int name)
{
    const struct attribute *a = find(d, name);
    int v = -1;
    if (a)
        memcpy(&v, a->value, sizeof v);
    return v;
}

static inline struct descriptor *part(const struct descriptor *d, int name)
{
    const struct attribute *a = find(d, name);
    cudnnBackendDescriptor_t v = NULL;
    if (a)
        memcpy(&v, a->value, sizeof v);
    return check(v);
}

static inline float real(const struct descriptor *d, int name)
{
    const struct attribute *a = find(d, name);
    float v = -1;
    if (a)
        memcpy(&v, a->value, sizeof v);
    return v;
}

#endif
