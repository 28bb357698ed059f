/* SPDX-License-Identifier: MIT */
/* What differs between the second and the third interface of oneDNN: memory descriptors are structs
 * or handles, and a convolution is described in one step or in two. Only onednn.c includes this. */
#ifndef FN_KERNELS_CPU_ONEDNN_API_H
#define FN_KERNELS_CPU_ONEDNN_API_H

#include <oneapi/dnnl/dnnl.h>

/* A layout: opened by md_open, freed by md_close (also a zeroed one); passed on by md(). */
struct md {
    dnnl_memory_desc_t desc;
};

/* What a convolution primitive is made of. forward NULL: it is the forward pass itself. */
struct conv_desc {
    const struct md *x, *w, *y;
    dnnl_dims_t stride, before, after;
    dnnl_primitive_attr_t attr;
    dnnl_primitive_desc_t forward;
    int weights; /* with forward: the weight gradient, not the input's */
};

#if DNNL_VERSION_MAJOR >= 3

typedef const_dnnl_memory_desc_t md_t;

static inline dnnl_status_t append_sum(dnnl_post_ops_t ops)
{
    return dnnl_post_ops_append_sum(ops, 1, 0, dnnl_data_type_undef); /* what y is made of */
}

static inline md_t md(const struct md *m)
{
    return m->desc;
}

static inline dnnl_status_t md_open(struct md *m, const dnnl_dims_t dims, dnnl_data_type_t type,
                                    dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_create_with_tag(&m->desc, 4, dims, type, tag);
}

static inline void md_close(struct md *m)
{
    if (m->desc)
        dnnl_memory_desc_destroy(m->desc);
    m->desc = NULL;
}

static inline dnnl_status_t conv_create(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                        const struct conv_desc *d)
{
    static const dnnl_dims_t dense = {0, 0};
    const dnnl_alg_kind_t direct = dnnl_convolution_direct;
    if (!d->forward)
        return dnnl_convolution_forward_primitive_desc_create(
            pd, engine, dnnl_forward_training, direct, md(d->x), md(d->w), NULL, md(d->y),
            d->stride, dense, d->before, d->after, d->attr);
    if (d->weights)
        return dnnl_convolution_backward_weights_primitive_desc_create(
            pd, engine, direct, md(d->x), md(d->w), NULL, md(d->y), d->stride, dense, d->before,
            d->after, d->forward, d->attr);
    return dnnl_convolution_backward_data_primitive_desc_create(
        pd, engine, direct, md(d->x), md(d->w), md(d->y), d->stride, dense, d->before, d->after,
        d->forward, d->attr);
}

#else

typedef const dnnl_memory_desc_t *md_t;

static inline dnnl_status_t append_sum(dnnl_post_ops_t ops)
{
    return dnnl_post_ops_append_sum(ops, 1);
}

static inline md_t md(const struct md *m)
{
    return &m->desc;
}

static inline dnnl_status_t md_open(struct md *m, const dnnl_dims_t dims, dnnl_data_type_t type,
                                    dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_init_by_tag(&m->desc, 4, dims, type, tag);
}

static inline void md_close(struct md *m)
{
    (void)m;
}

static inline dnnl_status_t conv_create(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                        const struct conv_desc *d)
{
    const dnnl_alg_kind_t direct = dnnl_convolution_direct;
    dnnl_convolution_desc_t c;
    dnnl_status_t status;
    if (!d->forward)
        status = dnnl_convolution_forward_desc_init(&c, dnnl_forward_training, direct, md(d->x),
                                                    md(d->w), NULL, md(d->y), d->stride, d->before,
                                                    d->after);
    else if (d->weights)
        status = dnnl_convolution_backward_weights_desc_init(
            &c, direct, md(d->x), md(d->w), NULL, md(d->y), d->stride, d->before, d->after);
    else
        status = dnnl_convolution_backward_data_desc_init(&c, direct, md(d->x), md(d->w), md(d->y),
                                                          d->stride, d->before, d->after);
    if (status != dnnl_success)
        return status;
    return dnnl_primitive_desc_create(pd, &c, d->attr, engine, d->forward);
}

#endif
#endif
