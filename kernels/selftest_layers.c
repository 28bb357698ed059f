/* SPDX-License-Identifier: MIT */
/* The self-test's cases: images, convolutions, batch norm, residual blocks, pools, rows. */
#include <math.h>
#include <stdlib.h>

#include "kernels/selftest_probe.h"

/* Maps of the two sizes: odd sides and few channels; what a middle layer of the network has. */
struct size {
    int n, h, w, c;
};
static const struct size sizes[] = {{3, 5, 7, 32}, {16, 35, 35, 256}};

static struct fn_tensor map_of(struct fn_probe *p, int stream)
{
    const struct size *s = &sizes[p->large];
    return fn_probe_map(p, s->n, s->h, s->w, s->c, stream);
}

static void run_standardize(struct fn_probe *p, int per_image)
{
    const int n = p->large ? 64 : 3, side = p->large ? 160 : 11;
    const size_t bytes = (size_t)n * (size_t)side * (size_t)side * 3;
    const uint8_t *images = NULL;
    const int32_t *on_device;
    uint8_t *host = fn_probe_memory(p, bytes, FN_MEM_HOST);
    int32_t *labels = fn_probe_memory(p, (size_t)n * sizeof *labels, FN_MEM_HOST);
    const struct fn_tensor y = fn_probe_map(p, n, side, side, 3, 1);
    if (p->rc)
        return;
    for (size_t i = 0; i < bytes; i++)
        host[i] = (uint8_t)(127.5 + 127.4 * fn_probe_random(2, i % 8191));
    for (int i = 0; i < n; i++)
        labels[i] = i;
    p->rc = p->be->batch_upload(p->dev, 1, host, bytes, labels, (size_t)n, &images, &on_device);
    if (!p->rc)
        p->rc = p->be->batch_use(p->dev, 1);
    if (!p->rc)
        p->rc = p->be->batch_release(p->dev, 1, 1);
    FN_PROBE_RUN(p, (double)bytes + fn_probe_bytes(p, &y), 0,
                 p->be->standardize(p->dev, images, per_image, per_image, &y));
    fn_probe_keep(p, &y);
}

/* ---- convolutions --------------------------------------------------------------------------- */

static const struct fn_conv_shape shapes[][2] = {
    {{2, 11, 11, 3, 3, 3, 2, 0, 32}, {32, 160, 160, 3, 3, 3, 2, 0, 32}},
    {{2, 7, 9, 32, 3, 3, 1, 1, 48}, {32, 35, 35, 32, 3, 3, 1, 1, 32}},
    {{2, 5, 7, 48, 1, 1, 1, 1, 32}, {32, 17, 17, 896, 1, 1, 1, 1, 128}},
    {{2, 5, 9, 32, 1, 7, 1, 1, 32}, {32, 17, 17, 128, 1, 7, 1, 1, 128}},
};
enum { ACCUMULATE = 8, SHAPE = 16 }; /* variant: pass, or ACCUMULATE; + SHAPE * index */

static void import_weights(struct fn_probe *p, const struct fn_conv *plan,
                           const struct fn_conv_shape *s, void *w)
{
    const size_t count = (size_t)s->cout * (size_t)s->cin * (size_t)s->kh * (size_t)s->kw;
    float *host = malloc(count * sizeof *host);
    if (!host)
        p->rc = fn_fail(FN_ENOMEM, "out of memory for a self-test");
    for (size_t i = 0; host && i < count; i++)
        host[i] = (float)fn_probe_rounded(p, fn_probe_random(5, i) * 0.2);
    if (!p->rc)
        p->rc = p->be->conv_import(p->dev, plan, host, FN_F32, w);
    free(host);
}

static void keep_weights(struct fn_probe *p, const struct fn_conv *plan,
                         const struct fn_conv_shape *s, const void *dw)
{
    const size_t count = (size_t)s->cout * (size_t)s->cin * (size_t)s->kh * (size_t)s->kw;
    double *oihw = malloc(count * sizeof *oihw);
    if (!oihw)
        p->rc = fn_fail(FN_ENOMEM, "out of memory for a self-test");
    if (!p->rc)
        p->rc = p->be->conv_export(p->dev, plan, dw, oihw, FN_F64);
    if (!p->rc)
        fn_probe_keep_host(p, oihw, count);
    free(oihw);
}

static void run_conv(struct fn_probe *p, int variant)
{
    const struct fn_conv_shape *s = &shapes[variant / SHAPE][p->large];
    const int accumulate = (variant & ACCUMULATE) != 0;
    const int pass = accumulate ? FN_BACKWARD_DATA : variant % ACCUMULATE;
    const int oh = fn_conv_out_h(s), ow = fn_conv_out_w(s);
    const struct fn_tensor x = fn_probe_map(p, s->n, s->h, s->w, s->cin, 1);
    const struct fn_tensor y = fn_probe_map(p, s->n, oh, ow, s->cout, 2);
    const double flops = 2.0 * s->n * oh * ow * s->cout * s->cin * s->kh * s->kw;
    struct fn_conv *plan = NULL;
    size_t workspace = 0, scalar = p->be->info(p->dev)->param_bytes;
    if (!p->rc)
        p->rc = p->be->conv_plan(p->dev, s, accumulate ? pass | FN_ACCUMULATE : pass, &plan,
                                 &workspace);
    if (p->rc)
        return;
    const size_t count = p->be->conv_weights(plan);
    void *w = fn_probe_memory(p, count * scalar, FN_MEM_DEVICE);
    void *dw = fn_probe_memory(p, count * scalar, FN_MEM_DEVICE);
    float *stats = fn_probe_vector(p, 2 * (size_t)s->cout, 3, 1, 0);
    const double bytes = fn_probe_bytes(p, &x) + fn_probe_bytes(p, &y) +
                         (double)(count * p->be->info(p->dev)->scalar_bytes);
    fn_probe_workspace(p, workspace);
    if (!p->rc)
        p->rc = p->be->zero(p->dev, w, count * scalar);
    if (!p->rc)
        import_weights(p, plan, s, w);
    if (pass == FN_FORWARD) {
        FN_PROBE_RUN(p, bytes, flops, p->be->conv_forward(p->dev, plan, &x, w, &y, stats));
        fn_probe_keep(p, &y);
        fn_probe_keep_vector(p, stats, 2 * (size_t)s->cout);
    } else if (pass == FN_BACKWARD_DATA) {
        FN_PROBE_RUN(p, bytes, flops,
                     p->be->conv_backward(p->dev, plan, &x, w, &y, &x, accumulate, NULL));
        fn_probe_keep(p, &x);
    } else {
        FN_PROBE_RUN(p, bytes, flops, p->be->conv_backward(p->dev, plan, &x, w, &y, NULL, 0, dw));
        keep_weights(p, plan, s, dw);
    }
    if (p->blocks && p->rc == FN_OK)
        p->rc = p->be->sync(p->dev);
    p->be->conv_free(&plan);
}

/* The weights of a model: a step of the optimizer with a gradient that a convolution left, then the
 * convolution again. Where the device keeps narrow copies beside the arenas, these are used. */
static void run_trained(struct fn_probe *p, int unused)
{
    const struct fn_conv_shape *s = &shapes[1][p->large];
    const struct fn_update rule = {FN_ADAGRAD, 0, 0};
    const struct fn_tensor x = fn_probe_map(p, s->n, s->h, s->w, s->cin, 1);
    const struct fn_tensor y = fn_probe_map(p, s->n, s->h, s->w, s->cout, 2);
    struct fn_conv *plan = NULL;
    size_t workspace = 0, bytes = 0;
    (void)unused;
    if (!p->rc)
        p->rc = p->be->conv_plan(p->dev, s, FN_FORWARD | FN_BACKWARD_WEIGHTS, &plan, &workspace);
    if (p->rc)
        return;
    const size_t count = p->be->conv_weights(plan);
    const struct fn_param_group group = {.count = count, .conv = 1};
    const struct fn_params params = {.trained = count,
                                     .total = count,
                                     .groups = &group,
                                     .group_count = 1,
                                     .w = fn_probe_vector(p, count, 3, 0, 0),
                                     .grad = fn_probe_vector(p, count, 4, 0, 0),
                                     .slot1 = fn_probe_vector(p, count, 5, 0, 0.1),
                                     .slot2 = fn_probe_vector(p, count, 6, 0, 0)};
    fn_probe_workspace(p, workspace);
    if (!p->rc && p->be->shadow_bytes)
        bytes = p->be->shadow_bytes(p->dev, &params, 1);
    void *shadow = bytes ? fn_probe_memory(p, bytes, FN_MEM_DEVICE) : NULL;
    if (!p->rc && shadow)
        p->rc = p->be->zero(p->dev, shadow, bytes);
    if (!p->rc && shadow)
        p->rc = p->be->shadow_bind(p->dev, &params, shadow);
    fn_probe_step(p);
    if (!p->rc)
        import_weights(p, plan, s, params.w);
    if (!p->rc)
        p->rc = p->be->conv_backward(p->dev, plan, &x, params.w, &y, NULL, 0, params.grad);
    if (!p->rc)
        p->rc = p->be->update(p->dev, &params, &rule);
    FN_PROBE_RUN(p, fn_probe_bytes(p, &x) + fn_probe_bytes(p, &y), 0,
                 p->be->conv_forward(p->dev, plan, &x, params.w, &y, NULL));
    fn_probe_keep(p, &y);
    keep_weights(p, plan, s, params.w);
    if (shadow) {
        const int rc = p->be->shadow_bind(p->dev, &params, NULL);
        p->rc = p->rc ? p->rc : rc;
    }
    if (p->blocks && p->rc == FN_OK)
        p->rc = p->be->sync(p->dev);
    p->be->conv_free(&plan);
}

/* ---- batch norm, residual blocks ------------------------------------------------------------ */

static void run_bn(struct fn_probe *p, int backward)
{
    const struct fn_tensor y = map_of(p, 1), z = map_of(p, 2);
    const size_t c = (size_t)y.c;
    float *beta = fn_probe_vector(p, c, 4, 0.3, 0), *dbeta = fn_probe_vector(p, c, 5, 1, 0);
    float *stats = fn_probe_vector(p, 2 * c, 6, 0.1, 0.35); /* near what random maps have */
    const double one = fn_probe_bytes(p, &y);
    if (!backward)
        FN_PROBE_RUN(p, 2 * one, 0, p->be->bn_forward(p->dev, &y, stats, beta, 1, &z));
    else
        FN_PROBE_RUN(p, 5 * one, 0,
                     p->be->bn_backward(p->dev, &z, &y, stats, beta, 1, p->large ? &z : &y, dbeta));
    fn_probe_keep(p, backward ? &y : &z);
    if (backward)
        fn_probe_keep_vector(p, dbeta, c);
}

static void run_residual(struct fn_probe *p, int backward)
{
    const struct fn_tensor x = map_of(p, 1), up = map_of(p, 2), out = map_of(p, 3);
    const size_t c = (size_t)x.c;
    float *bias = fn_probe_vector(p, c, 4, 0.3, 0);
    const double one = fn_probe_bytes(p, &x);
    if (!backward) {
        FN_PROBE_RUN(p, 3 * one, 0, p->be->residual_forward(p->dev, &x, &up, bias, 0.17, 1, &out));
        fn_probe_keep(p, &out);
        return;
    }
    FN_PROBE_RUN(p, 4 * one, 0, p->be->residual_backward(p->dev, &x, &out, 0.17, 1, &x, &up, bias));
    fn_probe_keep(p, &x);
    fn_probe_keep(p, &up);
    fn_probe_keep_vector(p, bias, c);
}

/* ---- pools ---------------------------------------------------------------------------------- */

static void run_maxpool(struct fn_probe *p, int backward)
{
    const struct fn_tensor x = map_of(p, 1);
    const int oh = fn_pool_out(x.h), ow = fn_pool_out(x.w);
    const struct fn_tensor y = fn_probe_map(p, x.n, oh, ow, x.c, 2);
    uint8_t *index = fn_probe_memory(p, (size_t)fn_probe_count(&y), FN_MEM_DEVICE);
    const double bytes = fn_probe_bytes(p, &x) + fn_probe_bytes(p, &y) + fn_probe_count(&y);
    if (!backward) {
        FN_PROBE_RUN(p, bytes, 0, p->be->maxpool_forward(p->dev, &x, &y, index));
        fn_probe_keep(p, &y);
        return;
    }
    if (!p->rc)
        p->rc = p->be->maxpool_forward(p->dev, &x, &y, index);
    FN_PROBE_RUN(p, bytes, 0, p->be->maxpool_backward(p->dev, &y, index, &x, 1));
    fn_probe_keep(p, &x);
}

static void run_avgpool(struct fn_probe *p, int backward)
{
    const struct fn_tensor x = map_of(p, 1), y = fn_probe_rows(p, x.n, x.c, 2, 1);
    const double bytes = fn_probe_bytes(p, &x);
    if (backward)
        FN_PROBE_RUN(p, bytes, 0, p->be->avgpool_backward(p->dev, &y, &x));
    else
        FN_PROBE_RUN(p, bytes, 0, p->be->avgpool_forward(p->dev, &x, &y));
    fn_probe_keep(p, backward ? &x : &y);
}

/* ---- rows ----------------------------------------------------------------------------------- */

static void run_dropout(struct fn_probe *p, int unused)
{
    const struct fn_tensor x = fn_probe_rows(p, p->large ? 512 : 5, p->large ? 1792 : 37, 1, 1);
    const struct fn_tensor y = fn_probe_rows(p, x.n, x.c, 2, 1);
    (void)unused;
    fn_probe_step(p);
    FN_PROBE_RUN(p, 2 * fn_probe_bytes(p, &x), 0, p->be->dropout(p->dev, &x, 0.6, &y));
    fn_probe_keep(p, &y);
}

static void run_fc(struct fn_probe *p, int backward)
{
    const int n = p->large ? 90 : 5, k = p->large ? 512 : 29, d = p->large ? 10575 : 13;
    const struct fn_tensor x = fn_probe_rows(p, n, k, 1, 1), y = fn_probe_rows(p, n, d, 2, 1);
    const size_t weights = (size_t)k * (size_t)d;
    float *w = fn_probe_vector(p, weights, 3, 0.2, 0), *b = fn_probe_vector(p, (size_t)d, 4, 1, 0);
    float *dw = fn_probe_vector(p, weights, 5, 1, 0);
    const double bytes =
        fn_probe_bytes(p, &x) + fn_probe_bytes(p, &y) + (double)weights * sizeof(float);
    const double flops = 2.0 * n * k * d;
    size_t workspace = 0;
    if (!p->rc)
        p->rc = p->be->fc_plan(p->dev, n, k, d, &workspace);
    fn_probe_workspace(p, workspace);
    if (!backward) {
        FN_PROBE_RUN(p, bytes, flops, p->be->fc_forward(p->dev, &x, w, b, &y, NULL));
        fn_probe_keep(p, &y);
        return;
    }
    FN_PROBE_RUN(p, 2 * bytes, 2 * flops,
                 p->be->fc_backward(p->dev, &x, w, &y, p->large ? &x : NULL, 0, dw, b));
    fn_probe_keep_vector(p, dw, weights);
    fn_probe_keep_vector(p, b, (size_t)d);
    if (!p->rc && !p->large)
        p->rc = p->be->fc_backward(p->dev, &x, w, &y, &x, 1, NULL, NULL);
    fn_probe_keep(p, &x);
}

static void run_l2norm(struct fn_probe *p, int backward)
{
    const struct fn_tensor x = fn_probe_rows(p, p->large ? 512 : 5, p->large ? 512 : 37, 1, 1);
    const struct fn_tensor e = fn_probe_rows(p, x.n, x.c, 2, 1);
    const struct fn_tensor dx = fn_probe_rows(p, x.n, x.c, 3, 1);
    const double one = fn_probe_bytes(p, &x);
    if (backward)
        FN_PROBE_RUN(p, 3 * one, 0, p->be->l2norm_backward(p->dev, &x, &e, &dx, 1));
    else
        FN_PROBE_RUN(p, 2 * one, 0, p->be->l2norm_forward(p->dev, &x, &dx));
    fn_probe_keep(p, &dx);
}

#define CONV(name, index)                                                                          \
    {"conv " name " forward", run_conv, FN_FORWARD + SHAPE * (index), 1},                          \
        {"conv " name " data", run_conv, FN_BACKWARD_DATA + SHAPE * (index), 1},                   \
        {"conv " name " data, added", run_conv, ACCUMULATE + SHAPE * (index), 1},                  \
    {                                                                                              \
        "conv " name " weights", run_conv, FN_BACKWARD_WEIGHTS + SHAPE *(index), 1                 \
    }

const struct fn_probe_case fn_probe_layers[] = {
    {"standardize, fixed", run_standardize, 0, 0},
    {"standardize, per image", run_standardize, 1, 0},
    {"conv of images forward", run_conv, FN_FORWARD, 1},
    {"conv of images weights", run_conv, FN_BACKWARD_WEIGHTS, 1},
    CONV("3x3", 1),
    CONV("1x1", 2),
    CONV("1x7", 3),
    {"conv after an update", run_trained, 0, 1},
    {"batch norm", run_bn, 0, 0},
    {"batch norm backward", run_bn, 1, 0},
    {"residual", run_residual, 0, 0},
    {"residual backward", run_residual, 1, 0},
    {"max pool", run_maxpool, 0, 0},
    {"max pool backward", run_maxpool, 1, 0},
    {"average pool", run_avgpool, 0, 0},
    {"average pool backward", run_avgpool, 1, 0},
    {"dropout", run_dropout, 0, 0},
    {"fully connected", run_fc, 0, 1},
    {"fully connected backward", run_fc, 1, 1},
    {"l2 norm", run_l2norm, 0, 0},
    {"l2 norm backward", run_l2norm, 1, 0},
    {0},
};
