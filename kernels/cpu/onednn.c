/* SPDX-License-Identifier: MIT */
#include "kernels/cpu/onednn.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernels/cpu/onednn_api.h"

struct fn_dnn {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    int block;
};

static int failed(dnnl_status_t status, const char *call)
{
    static const struct {
        dnnl_status_t status;
        int code;
        const char *text;
    } known[] = {
        {dnnl_out_of_memory, FN_ENOMEM, "out of memory"},
        {dnnl_unimplemented, FN_EUNSUPPORTED, "the library has no code for this on this processor"},
        {dnnl_invalid_arguments, FN_EDEVICE, "invalid arguments"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].status == status)
            return fn_fail(known[i].code, "oneDNN: %s, in %s", known[i].text, call);
    return fn_fail(FN_EDEVICE, "oneDNN: failure (status %d) in %s", (int)status, call);
}

/* Only where `rc` and the label `out` are. */
#define DNN(call)                                                                                  \
    do {                                                                                           \
        dnnl_status_t status_ = (call);                                                            \
        if (status_ != dnnl_success) {                                                             \
            rc = failed(status_, #call);                                                           \
            goto out;                                                                              \
        }                                                                                          \
    } while (0)

/* ---- the library ---------------------------------------------------------------------------- */

int fn_dnn_open(struct fn_dnn **dnn)
{
    int rc = FN_OK;
    struct fn_dnn *d = calloc(1, sizeof *d);
    *dnn = d;
    if (!d)
        return fn_fail(FN_ENOMEM, "out of memory: %zu bytes were asked for", sizeof *d);
    /* What the library's kernels for these processors are made for; others have plain ones. */
    d->block = fn_dnn_isa() == FN_DNN_AVX512 ? 16 : 8;
    DNN(dnnl_engine_create(&d->engine, dnnl_cpu, 0));
    DNN(dnnl_stream_create(&d->stream, d->engine, dnnl_stream_default_flags));
out:
    if (rc != FN_OK)
        fn_dnn_close(dnn);
    return rc;
}

void fn_dnn_close(struct fn_dnn **dnn)
{
    if (!*dnn)
        return;
    dnnl_stream_destroy((*dnn)->stream);
    dnnl_engine_destroy((*dnn)->engine);
    free(*dnn);
    *dnn = NULL;
}

int fn_dnn_block(const struct fn_dnn *dnn)
{
    return dnn->block;
}

#if defined(__x86_64__)
static int isa_has(dnnl_cpu_isa_t wanted)
{
    return ((unsigned)dnnl_get_effective_cpu_isa() & (unsigned)wanted) == (unsigned)wanted;
}
#endif

enum fn_dnn_isa fn_dnn_isa(void)
{
#if defined(__x86_64__)
    return isa_has(dnnl_cpu_isa_avx512_core) ? FN_DNN_AVX512
           : isa_has(dnnl_cpu_isa_avx2)      ? FN_DNN_AVX2
                                             : FN_DNN_BASE;
#else
    return FN_DNN_BASE;
#endif
}

int fn_dnn_bf16(void)
{
#if defined(__x86_64__)
    return isa_has(dnnl_cpu_isa_avx512_core_bf16);
#else
    return 0;
#endif
}

const char *fn_dnn_isa_name(void)
{
#if defined(__x86_64__)
    static const struct {
        dnnl_cpu_isa_t isa;
        const char *name;
    } names[] = {
        {dnnl_cpu_isa_avx512_core_amx, "avx512_core_amx"},
        {dnnl_cpu_isa_avx512_core_bf16, "avx512_core_bf16"},
        {dnnl_cpu_isa_avx512_core_vnni, "avx512_core_vnni"},
        {dnnl_cpu_isa_avx512_core, "avx512_core"},
        {dnnl_cpu_isa_avx2_vnni, "avx2_vnni"},
        {dnnl_cpu_isa_avx2, "avx2"},
        {dnnl_cpu_isa_avx, "avx"},
        {dnnl_cpu_isa_sse41, "sse41"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (isa_has(names[i].isa))
            return names[i].name;
#endif
    return "baseline";
}

const char *fn_dnn_version(void)
{
    static _Thread_local char text[32];
    const dnnl_version_t *v = dnnl_version();
    snprintf(text, sizeof text, "%d.%d.%d", v->major, v->minor, v->patch);
    return text;
}

/* ---- layouts -------------------------------------------------------------------------------- */

static dnnl_status_t activation(const struct fn_dnn *dnn, dnnl_data_type_t type, struct md *m,
                                int n, int c, int h, int w)
{
    const dnnl_dims_t dims = {n, c, h, w};
    dnnl_format_tag_t blocked = dnn->block == 16 ? dnnl_nChw16c : dnnl_nChw8c;
    return md_open(m, dims, type, c % dnn->block == 0 ? blocked : dnnl_nchw);
}

static dnnl_status_t kernel(const struct fn_conv_shape *s, dnnl_data_type_t type,
                            dnnl_format_tag_t tag, struct md *m)
{
    const dnnl_dims_t dims = {s->cout, s->cin, s->kh, s->kw};
    return md_open(m, dims, type, tag);
}

static dnnl_format_tag_t arena_tag(const struct fn_dnn *dnn, const struct fn_conv_shape *s)
{
    if (s->cin % dnn->block == 0)
        return dnn->block == 16 ? dnnl_OIhw16i16o : dnnl_OIhw8i8o;
    return dnn->block == 16 ? dnnl_Ohwi16o : dnnl_Ohwi8o;
}

size_t fn_dnn_weights(const struct fn_dnn *dnn, const struct fn_conv_shape *shape)
{
    (void)dnn; /* no channel count is padded: those of the image are not blocked */
    return (size_t)shape->cout * (size_t)shape->cin * (size_t)shape->kh * (size_t)shape->kw;
}

/* ---- reorders ------------------------------------------------------------------------------- */

struct reorder {
    dnnl_primitive_t primitive;
    dnnl_memory_t from, to;
};

static void reorder_close(struct reorder *r)
{
    if (r->primitive)
        dnnl_primitive_destroy(r->primitive);
    if (r->from)
        dnnl_memory_destroy(r->from);
    if (r->to)
        dnnl_memory_destroy(r->to);
}

static int reorder_open(struct fn_dnn *dnn, md_t from, md_t to, struct reorder *r)
{
    int rc = FN_OK;
    dnnl_primitive_desc_t pd = NULL;
    DNN(dnnl_reorder_primitive_desc_create(&pd, from, dnn->engine, to, dnn->engine, NULL));
    DNN(dnnl_primitive_create(&r->primitive, pd));
    DNN(dnnl_memory_create(&r->from, from, dnn->engine, DNNL_MEMORY_NONE));
    DNN(dnnl_memory_create(&r->to, to, dnn->engine, DNNL_MEMORY_NONE));
out:
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    return rc;
}

/* oneDNN takes all pointers without const, also to what it only reads. */
static dnnl_status_t point(dnnl_memory_t memory, const void *data)
{
    union {
        const void *read;
        void *any;
    } pointer = {.read = data};
    return dnnl_memory_set_data_handle(memory, pointer.any);
}

static int reorder_run(struct fn_dnn *dnn, const struct reorder *r, const void *from,
                       const void *to)
{
    int rc = FN_OK;
    const dnnl_exec_arg_t args[2] = {{DNNL_ARG_FROM, r->from}, {DNNL_ARG_TO, r->to}};
    DNN(point(r->from, from));
    DNN(point(r->to, to));
    DNN(dnnl_primitive_execute(r->primitive, dnn->stream, 2, args));
out:
    return rc;
}

static int reorder_kernel(struct fn_dnn *dnn, const struct fn_conv_shape *s, dnnl_format_tag_t from,
                          dnnl_format_tag_t to, const float *source, float *target)
{
    int rc = FN_OK;
    struct md source_md = {0}, target_md = {0};
    struct reorder r = {0};
    DNN(kernel(s, dnnl_f32, from, &source_md));
    DNN(kernel(s, dnnl_f32, to, &target_md));
    rc = reorder_open(dnn, md(&source_md), md(&target_md), &r);
    if (rc == FN_OK)
        rc = reorder_run(dnn, &r, source, target);
out:
    reorder_close(&r);
    md_close(&source_md);
    md_close(&target_md);
    return rc;
}

int fn_dnn_weights_import(struct fn_dnn *dnn, const struct fn_conv_shape *shape, const float *oihw,
                          float *w)
{
    return reorder_kernel(dnn, shape, dnnl_oihw, arena_tag(dnn, shape), oihw, w);
}

int fn_dnn_weights_export(struct fn_dnn *dnn, const struct fn_conv_shape *shape, const float *w,
                          float *oihw)
{
    return reorder_kernel(dnn, shape, arena_tag(dnn, shape), dnnl_oihw, w, oihw);
}

/* ---- convolution ---------------------------------------------------------------------------- */

struct fn_dnn_conv {
    int pass, how;
    dnnl_primitive_t primitive;
    dnnl_memory_t x, w, y, scratch;
    struct reorder reorder; /* primitive NULL: the caller's layout is this pass's own */
    size_t weight_bytes;    /* of the copy in this pass's own layout, 0 without one */
    size_t scratch_bytes;
    char kind[64];
};

static size_t round_up(size_t bytes)
{
    const size_t page = 4096;
    return (bytes + page - 1) / page * page;
}

struct conv_descs {
    struct md x, w, y; /* w: any layout */
    dnnl_primitive_attr_t attr;
    dnnl_primitive_desc_t forward, pd; /* pd: of the pass; forward itself, or with it as a hint */
};

static void descs_close(struct conv_descs *d)
{
    if (d->pd && d->pd != d->forward)
        dnnl_primitive_desc_destroy(d->pd);
    if (d->forward)
        dnnl_primitive_desc_destroy(d->forward);
    if (d->attr)
        dnnl_primitive_attr_destroy(d->attr);
    md_close(&d->x);
    md_close(&d->w);
    md_close(&d->y);
}

static int attr_open(int add, dnnl_primitive_attr_t *attr)
{
    int rc = FN_OK;
    dnnl_post_ops_t ops = NULL;
    DNN(dnnl_primitive_attr_create(attr));
    DNN(dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user));
    if (add) {
        DNN(dnnl_post_ops_create(&ops));
        DNN(append_sum(ops));
        DNN(dnnl_primitive_attr_set_post_ops(*attr, ops));
    }
out:
    if (ops)
        dnnl_post_ops_destroy(ops);
    return rc;
}

static int descs_open(struct fn_dnn *dnn, const struct fn_conv_shape *s, int pass, int how,
                      struct conv_descs *d)
{
    int rc = FN_OK;
    const dnnl_data_type_t type = how & FN_DNN_NARROW ? dnnl_bf16 : dnnl_f32;
    int oh = fn_conv_out_h(s), ow = fn_conv_out_w(s);
    int top = s->same ? (s->kh - 1) / 2 : 0, left = s->same ? (s->kw - 1) / 2 : 0;
    struct conv_desc c = {
        .x = &d->x,
        .w = &d->w,
        .y = &d->y,
        .stride = {s->stride, s->stride},
        .before = {top, left},
        /* < 0: rows that no window reaches */
        .after = {(oh - 1) * s->stride + s->kh - s->h - top,
                  (ow - 1) * s->stride + s->kw - s->w - left},
        .weights = pass == FN_BACKWARD_WEIGHTS,
    };
    DNN(activation(dnn, type, &d->x, s->n, s->cin, s->h, s->w));
    DNN(activation(dnn, type, &d->y, s->n, s->cout, oh, ow));
    DNN(kernel(s, type, dnnl_format_tag_any, &d->w));
    rc = attr_open(how & FN_DNN_ADD, &d->attr);
    if (rc != FN_OK)
        goto out;
    c.attr = d->attr;
    DNN(conv_create(&d->forward, dnn->engine, &c));
    d->pd = d->forward;
    if (pass == FN_FORWARD)
        goto out;
    c.forward = d->forward;
    if (pass == FN_BACKWARD_WEIGHTS && type != dnnl_f32) {
        md_close(&d->w);
        DNN(kernel(s, dnnl_f32, dnnl_format_tag_any, &d->w));
    }
    DNN(conv_create(&d->pd, dnn->engine, &c));
out:
    return rc;
}

/* What the caller has: the arena's layout, or that of the copies in bf16. */
static dnnl_status_t given_kernel(const struct fn_dnn *dnn, const struct fn_conv_shape *s,
                                  const struct fn_dnn_conv *c, struct md *m)
{
    if (!(c->how & FN_DNN_NARROW) || c->pass == FN_BACKWARD_WEIGHTS || s->cin % dnn->block != 0)
        return kernel(s, dnnl_f32, arena_tag(dnn, s), m);
    return kernel(s, dnnl_bf16, c->pass == FN_FORWARD ? dnnl_OIhw8i16o2i : dnnl_OIhw8o16i2o, m);
}

/* The weights' memory, and the copy between the caller's layout and the pass's own. */
static int weights_open(struct fn_dnn *dnn, const struct fn_conv_shape *s, md_t own,
                        struct fn_dnn_conv *c)
{
    int rc = FN_OK;
    struct md given = {0};
    DNN(given_kernel(dnn, s, c, &given));
    DNN(dnnl_memory_create(&c->w, own, dnn->engine, DNNL_MEMORY_NONE));
    if (dnnl_memory_desc_equal(own, md(&given)))
        goto out;
    c->weight_bytes = dnnl_memory_desc_get_size(own);
    rc = c->pass == FN_BACKWARD_WEIGHTS ? reorder_open(dnn, own, md(&given), &c->reorder)
                                        : reorder_open(dnn, md(&given), own, &c->reorder);
out:
    md_close(&given);
    return rc;
}

int fn_dnn_conv_open(struct fn_dnn *dnn, const struct fn_conv_shape *shape, int pass, int how,
                     struct fn_dnn_conv **conv)
{
    int rc = FN_OK;
    struct conv_descs d = {0};
    md_t own, scratch;
    const char *kind = "";
    struct fn_dnn_conv *c = calloc(1, sizeof *c);
    *conv = c;
    if (!c)
        return fn_fail(FN_ENOMEM, "out of memory: %zu bytes were asked for", sizeof *c);
    assert(pass == FN_FORWARD ||
           (!(how & FN_DNN_ADD) && (pass == FN_BACKWARD_DATA || pass == FN_BACKWARD_WEIGHTS)));
    c->pass = pass;
    c->how = how;
    rc = descs_open(dnn, shape, pass, how, &d);
    if (rc != FN_OK)
        goto out;
    DNN(dnnl_primitive_desc_query(d.pd, dnnl_query_impl_info_str, 0, &kind));
    snprintf(c->kind, sizeof c->kind, "%s", kind);
    own = dnnl_primitive_desc_query_md(
        d.pd, pass == FN_BACKWARD_WEIGHTS ? dnnl_query_diff_weights_md : dnnl_query_weights_md, 0);
    scratch = dnnl_primitive_desc_query_md(d.pd, dnnl_query_scratchpad_md, 0);
    c->scratch_bytes = dnnl_memory_desc_get_size(scratch);
    DNN(dnnl_primitive_create(&c->primitive, d.pd));
    DNN(dnnl_memory_create(&c->x, md(&d.x), dnn->engine, DNNL_MEMORY_NONE));
    DNN(dnnl_memory_create(&c->y, md(&d.y), dnn->engine, DNNL_MEMORY_NONE));
    DNN(dnnl_memory_create(&c->scratch, scratch, dnn->engine, DNNL_MEMORY_NONE));
    rc = weights_open(dnn, shape, own, c);
out:
    descs_close(&d);
    if (rc != FN_OK) {
        fn_dnn_conv_close(conv);
        rc = fn_fail_in(rc, "convolution %dx%d of (%d, %d, %d, %d) to %d channels", shape->kh,
                        shape->kw, shape->n, shape->h, shape->w, shape->cin, shape->cout);
    }
    return rc;
}

void fn_dnn_conv_close(struct fn_dnn_conv **conv)
{
    struct fn_dnn_conv *c = *conv;
    if (!c)
        return;
    reorder_close(&c->reorder);
    dnnl_memory_t memories[] = {c->x, c->w, c->y, c->scratch};
    for (size_t i = 0; i < sizeof memories / sizeof memories[0]; i++)
        if (memories[i])
            dnnl_memory_destroy(memories[i]);
    if (c->primitive)
        dnnl_primitive_destroy(c->primitive);
    free(c);
    *conv = NULL;
}

size_t fn_dnn_conv_workspace(const struct fn_dnn_conv *conv)
{
    return round_up(conv->weight_bytes) + round_up(conv->scratch_bytes);
}

const char *fn_dnn_conv_kind(const struct fn_dnn_conv *conv)
{
    return conv->kind;
}

int fn_dnn_conv_run(struct fn_dnn *dnn, const struct fn_dnn_conv *conv, const void *x,
                    const void *w, const void *y, void *workspace)
{
    int rc = FN_OK;
    static const int names[3][3] = {{DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST},
                                    {DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_DST},
                                    {DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_DST}};
    const int *name = names[conv->pass == FN_FORWARD ? 0 : conv->pass == FN_BACKWARD_DATA ? 1 : 2];
    const dnnl_exec_arg_t args[4] = {{name[0], conv->x},
                                     {name[1], conv->w},
                                     {name[2], conv->y},
                                     {DNNL_ARG_SCRATCHPAD, conv->scratch}};
    void *own = workspace;
    char *scratch = workspace;
    if (scratch)
        scratch += round_up(conv->weight_bytes);
    if (conv->weight_bytes && conv->pass != FN_BACKWARD_WEIGHTS) {
        rc = reorder_run(dnn, &conv->reorder, w, own);
        if (rc != FN_OK)
            return rc;
    }
    DNN(point(conv->x, x));
    DNN(point(conv->w, conv->weight_bytes ? own : w));
    DNN(point(conv->y, y));
    DNN(point(conv->scratch, conv->scratch_bytes ? scratch : NULL));
    DNN(dnnl_primitive_execute(conv->primitive, dnn->stream, 4, args));
    if (conv->weight_bytes && conv->pass == FN_BACKWARD_WEIGHTS)
        rc = reorder_run(dnn, &conv->reorder, own, w);
out:
    return rc;
}

/* ---- matrix product ------------------------------------------------------------------------- */

int fn_dnn_sgemm(const struct fn_dnn_matmul *s, const float *a, const float *b, float *c)
{
    int rc = FN_OK;
    DNN(dnnl_sgemm(s->transpose_a ? 'T' : 'N', s->transpose_b ? 'T' : 'N', (dnnl_dim_t)s->m,
                   (dnnl_dim_t)s->n, (dnnl_dim_t)s->k, 1, a, (dnnl_dim_t)s->lda, b,
                   (dnnl_dim_t)s->ldb, s->keep, c, (dnnl_dim_t)s->ldc));
out:
    return rc;
}
