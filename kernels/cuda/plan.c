/* SPDX-License-Identifier: MIT */
/* Plans of cuDNN's backend graph API: an operation graph of one convolution, engine configurations
 * from the heuristics, the first one that may be used and finalizes. */
#include "kernels/cuda/plan.h"

#include <cudnn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef cudnnBackendDescriptor_t desc;

enum { DESCRIPTORS = 16, CONFIGURATIONS = 32, NOTES = 16 };
enum { UID_X = 1, UID_W, UID_Y };

struct fn_plan {
    desc made[DESCRIPTORS]; /* all but the plan, in the order they were made */
    int count;
    desc plan;
    int64_t workspace, number; /* bytes; cuDNN's number of the engine */
    char engine[96];
};

/* ---- descriptors ---- */

/* What a call of cuDNN failed with, as our sentence. */
static int failed(cudnnStatus_t status, const char *call)
{
    char text[512] = "";
    cudnnGetLastErrorString(text, sizeof text);
    return fn_fail(FN_EDEVICE, "%s: %s%s%s", call, cudnnGetErrorString(status), text[0] ? ": " : "",
                   text);
}

#define DNN(call)                                                                                  \
    do {                                                                                           \
        cudnnStatus_t dnn_status_ = (call);                                                        \
        if (dnn_status_ != CUDNN_STATUS_SUCCESS)                                                   \
            return failed(dnn_status_, #call);                                                     \
    } while (0)

static int make(struct fn_plan *p, cudnnBackendDescriptorType_t type, desc *out)
{
    *out = NULL;
    if (p->count == DESCRIPTORS)
        return fn_fail(FN_EINTERNAL, "more than %d descriptors in a plan", DESCRIPTORS);
    DNN(cudnnBackendCreateDescriptor(type, out));
    p->made[p->count++] = *out;
    return FN_OK;
}

static int set(desc d, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
               int64_t count, const void *value)
{
    DNN(cudnnBackendSetAttribute(d, name, type, count, value));
    return FN_OK;
}

static int set_int(desc d, cudnnBackendAttributeName_t name, int64_t value)
{
    return set(d, name, CUDNN_TYPE_INT64, 1, &value);
}

static int set_desc(desc d, cudnnBackendAttributeName_t name, desc value)
{
    return set(d, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value);
}

/* Packed, channels last; size: n, c, h, w. */
static int make_tensor(struct fn_plan *p, int64_t uid, cudnnDataType_t type, const int64_t size[4],
                       desc *out)
{
    const int64_t stride[4] = {size[1] * size[2] * size[3], 1, size[1] * size[3], size[1]};
    int rc = make(p, CUDNN_BACKEND_TENSOR_DESCRIPTOR, out);
    desc t = *out;
    if (!rc)
        rc = set(t, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
    if (!rc)
        rc = set(t, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, size);
    if (!rc)
        rc = set(t, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, stride);
    if (!rc)
        rc = set_int(t, CUDNN_ATTR_TENSOR_UNIQUE_ID, uid);
    if (!rc)
        rc = set_int(t, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, 16);
    if (rc)
        return rc;
    DNN(cudnnBackendFinalize(t));
    return FN_OK;
}

static int make_convolution(struct fn_plan *p, const struct fn_conv_shape *s, desc *out)
{
    const cudnnDataType_t sums = CUDNN_DATA_FLOAT;
    const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
    const int64_t rows = s->same ? s->kh - 1 : 0, columns = s->same ? s->kw - 1 : 0;
    const int64_t before[2] = {rows / 2, columns / 2};
    const int64_t after[2] = {rows - rows / 2, columns - columns / 2};
    const int64_t stride[2] = {s->stride, s->stride}, dilation[2] = {1, 1};
    int rc = make(p, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, out);
    desc c = *out;
    if (!rc)
        rc = set(c, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &sums);
    if (!rc)
        rc = set(c, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
    if (!rc)
        rc = set_int(c, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, 2);
    if (!rc)
        rc = set(c, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, before);
    if (!rc)
        rc = set(c, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, after);
    if (!rc)
        rc = set(c, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, stride);
    if (!rc)
        rc = set(c, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, dilation);
    if (rc)
        return rc;
    DNN(cudnnBackendFinalize(c));
    return FN_OK;
}

/* What the three passes are called. */
static const struct pass {
    int pass;
    const char *name;
    cudnnBackendDescriptorType_t type;
    cudnnBackendAttributeName_t convolution, x, w, y, alpha, beta;
} passes[] = {
    {FN_FORWARD, "forward", CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA},
    {FN_BACKWARD_DATA, "data gradient",
     CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA},
    {FN_BACKWARD_WEIGHTS, "weight gradient",
     CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA},
};

static const struct pass *pass_of(int pass)
{
    return &passes[pass == FN_FORWARD ? 0 : pass == FN_BACKWARD_DATA ? 1 : 2];
}

/* The operation and the graph around it. */
static int make_graph(struct fn_plan *p, struct cudnnContext *handle,
                      const struct fn_plan_request *r, desc *graph)
{
    const struct pass *k = pass_of(r->pass);
    const struct fn_conv_shape *s = &r->shape;
    const cudnnDataType_t type = r->bf16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
    const int64_t x_size[4] = {s->n, s->cin, s->h, s->w};
    const int64_t w_size[4] = {s->cout, s->cin, s->kh, s->kw};
    const int64_t y_size[4] = {s->n, s->cout, fn_conv_out_h(s), fn_conv_out_w(s)};
    const float one = 1, kept = r->accumulate ? 1 : 0; /* of what the result held before */
    desc x, w, y, convolution, operation = NULL;
    int rc = make_tensor(p, UID_X, type, x_size, &x);
    if (!rc)
        rc = make_tensor(p, UID_W, type, w_size, &w);
    if (!rc)
        rc = make_tensor(p, UID_Y, type, y_size, &y);
    if (!rc)
        rc = make_convolution(p, s, &convolution);
    if (!rc)
        rc = make(p, k->type, &operation);
    if (!rc)
        rc = set_desc(operation, k->convolution, convolution);
    if (!rc)
        rc = set_desc(operation, k->x, x);
    if (!rc)
        rc = set_desc(operation, k->w, w);
    if (!rc)
        rc = set_desc(operation, k->y, y);
    if (!rc)
        rc = set(operation, k->alpha, CUDNN_TYPE_FLOAT, 1, &one);
    if (!rc)
        rc = set(operation, k->beta, CUDNN_TYPE_FLOAT, 1, &kept);
    if (rc)
        return rc;
    DNN(cudnnBackendFinalize(operation));
    rc = make(p, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, graph);
    if (!rc)
        rc = set_desc(*graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, operation);
    if (!rc && handle)
        rc = set(*graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &handle);
    if (rc)
        return rc;
    DNN(cudnnBackendFinalize(*graph));
    return FN_OK;
}

/* ---- choice of an engine ---- */

struct notes {
    int64_t engine;
    int tensor_core, down_convert, nondeterministic;
};

static int read_notes(desc configuration, struct notes *n)
{
    cudnnBackendNumericalNote_t note[NOTES];
    int64_t count = 0;
    desc engine = NULL;
    memset(n, 0, sizeof *n);
    DNN(cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine));
    cudnnStatus_t status =
        cudnnBackendGetAttribute(configuration, CUDNN_ATTR_ENGINECFG_ENGINE,
                                 CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count, &engine);
    if (!status)
        status = cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64,
                                          1, &count, &n->engine);
    count = 0;
    if (!status)
        status = cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                                          CUDNN_TYPE_NUMERICAL_NOTE, NOTES, &count, note);
    cudnnBackendDestroyDescriptor(engine);
    if (status)
        return failed(status, "an engine's notes");
    for (int64_t i = 0; i < count && i < NOTES; i++) {
        n->tensor_core |= note[i] == CUDNN_NUMERICAL_NOTE_TENSOR_CORE;
        n->down_convert |= note[i] == CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS;
        n->nondeterministic |= note[i] == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC;
    }
    return FN_OK;
}

/* Whether an engine may be used for this request, or why not. */
static int check_engine(const struct notes *n, const struct fn_plan_request *r)
{
    const long long number = (long long)n->engine;
    if (r->deterministic && n->nondeterministic)
        return fn_fail(FN_EUNSUPPORTED, "engine %lld does not repeat its bits", number);
    if (!r->bf16 && !r->allow_tf32 && (n->tensor_core || n->down_convert))
        return fn_fail(FN_EUNSUPPORTED, "engine %lld rounds fp32", number);
    for (int i = 0; i < r->banned_count; i++)
        if (r->banned[i].engine == n->engine && r->banned[i].pass == r->pass &&
            r->banned[i].bf16 == r->bf16)
            return fn_fail(FN_EUNSUPPORTED, "engine %lld gave wrong results", number);
    return FN_OK;
}

/* A finalized plan of this configuration, or why there is none. */
static int try_configuration(struct fn_plan *p, struct cudnnContext *handle, desc configuration,
                             const struct fn_plan_request *r, const char *from)
{
    struct notes n;
    int64_t count = 0;
    int rc = read_notes(configuration, &n);
    if (!rc)
        rc = check_engine(&n, r);
    if (rc)
        return rc;
    DNN(cudnnBackendCreateDescriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, &p->plan));
    rc = set_desc(p->plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration);
    if (!rc && handle)
        rc = set(p->plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &handle);
    cudnnStatus_t status = rc ? CUDNN_STATUS_SUCCESS : cudnnBackendFinalize(p->plan);
    if (!rc && status)
        rc = failed(status, "cudnnBackendFinalize(plan)");
    if (!rc) {
        status = cudnnBackendGetAttribute(p->plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                          CUDNN_TYPE_INT64, 1, &count, &p->workspace);
        if (status)
            rc = failed(status, "a plan's workspace");
    }
    if (rc) {
        cudnnBackendDestroyDescriptor(p->plan);
        p->plan = NULL;
        return rc;
    }
    p->number = n.engine;
    snprintf(p->engine, sizeof p->engine, "engine %lld, %s%s", (long long)n.engine, from,
             n.tensor_core ? ", tensor cores" : "");
    return FN_OK;
}

/* The first usable one of what a mode of the heuristics proposes, best first. */
static int try_mode(struct fn_plan *p, struct cudnnContext *handle, void *chip, desc graph,
                    const struct fn_plan_request *r, cudnnBackendHeurMode_t mode, const char *name)
{
    desc heuristics, proposed[CONFIGURATIONS];
    int64_t want = 0, got = 0;
    int rc = make(p, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, &heuristics);
    if (!rc)
        rc = set_desc(heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
    if (!rc)
        rc = set(heuristics, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
    if (!rc && !handle)
        rc = set_desc(heuristics, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, chip);
    if (rc)
        return rc;
    DNN(cudnnBackendFinalize(heuristics));
    DNN(cudnnBackendGetAttribute(heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                 CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, &want, NULL));
    if (want > CONFIGURATIONS)
        want = CONFIGURATIONS;
    int64_t made = 0;
    cudnnStatus_t status = CUDNN_STATUS_SUCCESS;
    while (made < want && !status) {
        status = cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, &proposed[made]);
        made += !status;
    }
    if (!status)
        status = cudnnBackendGetAttribute(heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                          CUDNN_TYPE_BACKEND_DESCRIPTOR, want, &got, proposed);
    rc = status ? failed(status, "the heuristics' results")
                : fn_fail(FN_EUNSUPPORTED, "no engine proposed");
    for (int64_t i = 0; i < got && i < made && rc; i++)
        rc = try_configuration(p, handle, proposed[i], r, name);
    for (int64_t i = 0; i < made; i++)
        cudnnBackendDestroyDescriptor(proposed[i]);
    return rc;
}

/* ---- public ---- */

int fn_plan_chip_open(void **chip, const char *json)
{
    desc d = NULL;
    *chip = NULL;
    DNN(cudnnBackendCreateDescriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &d));
    int rc = set(d, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
                 (int64_t)strlen(json) + 1, json);
    cudnnStatus_t status = rc ? CUDNN_STATUS_SUCCESS : cudnnBackendFinalize(d);
    if (status)
        rc = failed(status, "a description of a chip");
    if (rc)
        cudnnBackendDestroyDescriptor(d);
    else
        *chip = d;
    return rc;
}

void fn_plan_chip_close(void **chip)
{
    if (*chip)
        cudnnBackendDestroyDescriptor(*chip);
    *chip = NULL;
}

int fn_plan_open(struct fn_plan **out, struct cudnnContext *handle, void *chip,
                 const struct fn_plan_request *r)
{
    const struct fn_conv_shape *s = &r->shape;
    desc graph = NULL;
    struct fn_plan *p = calloc(1, sizeof *p);
    *out = NULL;
    if (!p)
        return fn_fail(FN_ENOMEM, "out of memory for a plan");
    int rc = make_graph(p, handle, r, &graph);
    if (!rc)
        rc = try_mode(p, handle, chip, graph, r, CUDNN_HEUR_MODE_A, "heuristics");
    if (rc && graph)
        rc = try_mode(p, handle, chip, graph, r, CUDNN_HEUR_MODE_FALLBACK, "fallback");
    if (rc) {
        fn_plan_close(&p);
        return fn_fail(FN_EUNSUPPORTED,
                       "cuDNN has no plan for the %s of a convolution %dx%d/%d, (%d,%d,%d,%d) to "
                       "%d channels in %s: %s",
                       pass_of(r->pass)->name, s->kh, s->kw, s->stride, s->n, s->h, s->w, s->cin,
                       s->cout, r->bf16 ? "bf16" : "fp32", fn_err_text(rc));
    }
    *out = p;
    return FN_OK;
}

void fn_plan_close(struct fn_plan **plan)
{
    struct fn_plan *p = *plan;
    if (!p)
        return;
    if (p->plan)
        cudnnBackendDestroyDescriptor(p->plan);
    while (p->count)
        cudnnBackendDestroyDescriptor(p->made[--p->count]);
    free(p);
    *plan = NULL;
}

size_t fn_plan_workspace(const struct fn_plan *plan)
{
    return (size_t)plan->workspace;
}

const char *fn_plan_engine(const struct fn_plan *plan)
{
    return plan->engine;
}

int64_t fn_plan_engine_number(const struct fn_plan *plan)
{
    return plan->number;
}

int fn_plan_run(const struct fn_plan *plan, struct cudnnContext *handle, void *x, void *w, void *y,
                void *workspace)
{
    const int64_t uid[3] = {UID_X, UID_W, UID_Y};
    void *const data[3] = {x, w, y};
    desc pack = NULL;
    DNN(cudnnBackendCreateDescriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &pack));
    int rc = set(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, 3, uid);
    if (!rc)
        rc = set(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, 3, data);
    if (!rc)
        rc = set(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &workspace);
    cudnnStatus_t status = rc ? CUDNN_STATUS_SUCCESS : cudnnBackendFinalize(pack);
    if (!rc && !status)
        status = cudnnBackendExecute(handle, plan->plan, pack);
    if (status)
        rc = failed(status, plan->engine);
    cudnnBackendDestroyDescriptor(pack);
    return rc;
}
