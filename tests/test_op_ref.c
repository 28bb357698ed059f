/* SPDX-License-Identifier: MIT */
/* The oracle itself: layers of ref64 against their definitions, written out once more, and against
 * numeric gradients. */
#include <math.h>

#include "tests/op_probe.h"
#include "tests/test.h"

static size_t elements(const struct fn_tensor *t)
{
    return (size_t)t->n * (size_t)t->h * (size_t)t->w * (size_t)t->c;
}

/* ---- convolution ---- */

static const struct fn_conv_shape convs[] = {
    {2, 3, 5, 16, 3, 3, 1, 1, 16}, {1, 5, 7, 16, 3, 3, 2, 0, 16}, {1, 6, 4, 16, 3, 3, 2, 0, 32},
    {2, 1, 4, 16, 1, 7, 1, 1, 16}, {1, 7, 2, 16, 7, 1, 1, 1, 16}, {3, 2, 2, 32, 1, 1, 1, 1, 16},
    {1, 7, 5, 3, 3, 3, 2, 0, 16},  {1, 5, 4, 16, 3, 3, 1, 0, 16}, {1, 1, 1, 16, 3, 1, 1, 1, 16},
};
enum { CONVS = sizeof convs / sizeof convs[0] };

struct conv {
    struct fn_conv *plan;
    struct fn_tensor x, y; /* y: filled with r */
    void *w;
};

static struct conv conv_make(struct fn_probe *p)
{
    const struct fn_conv_shape *s = p->the_case;
    struct fn_check *k = &p->k;
    struct conv v;
    size_t workspace;
    assert_ok(k->backend->conv_plan(k->dev, s, 15, &v.plan, &workspace));
    fn_check_workspace(k, workspace);
    v.x = fn_probe_tensor(p, s->n, s->h, s->w, s->cin, p->in[0]);
    v.y = fn_probe_tensor(p, s->n, fn_conv_out_h(s), fn_conv_out_w(s), s->cout, NULL);
    v.w = fn_check_alloc(k, k->backend->conv_weights(v.plan) * sizeof(double), FN_MEM_DEVICE);
    assert_ok(k->backend->conv_import(k->dev, v.plan, p->in[1], FN_F64, v.w));
    return v;
}

static double conv_loss(struct fn_probe *p)
{
    struct conv v = conv_make(p);
    assert_ok(p->k.backend->conv_forward(p->k.dev, v.plan, &v.x, v.w, &v.y, NULL));
    p->k.backend->conv_free(&v.plan);
    return fn_probe_weighted(p, &v.y);
}

static void conv_gradients(struct fn_probe *p)
{
    struct conv v = conv_make(p);
    const struct fn_backend *b = p->k.backend;
    const struct fn_tensor dx = fn_probe_tensor(p, v.x.n, v.x.h, v.x.w, v.x.c, NULL);
    void *dw = fn_check_alloc(&p->k, b->conv_weights(v.plan) * sizeof(double), FN_MEM_DEVICE);
    assert_ok(b->conv_backward(p->k.dev, v.plan, &v.x, v.w, &v.y, &dx, 0, dw));
    p->analytic[0] = fn_check_read(&p->k, &dx);
    const struct fn_tensor sum = fn_probe_tensor(p, v.x.n, v.x.h, v.x.w, v.x.c, NULL);
    assert_ok(b->conv_backward(p->k.dev, v.plan, &v.x, v.w, &v.y, &sum, 1, NULL));
    fn_probe_added(p, "conv", &sum, p->analytic[0]);
    p->analytic[1] = malloc(p->count[1] * sizeof(double));
    assert_non_null(p->analytic[1]);
    assert_ok(b->conv_export(p->k.dev, v.plan, dw, p->analytic[1], FN_F64));
    b->conv_free(&v.plan);
    fn_check_reset(&p->k);
}

static void open_conv(struct fn_probe *p, const struct fn_conv_shape *s)
{
    fn_probe_open(p, s);
    fn_probe_input(p, 0, (size_t)s->n * (size_t)s->h * (size_t)s->w * (size_t)s->cin, 1);
    fn_probe_input(p, 1, (size_t)s->cout * (size_t)s->cin * (size_t)s->kh * (size_t)s->kw, 1);
}

static void test_conv_gradients(void **state)
{
    (void)state;
    for (int i = 0; i < CONVS; i++) {
        struct fn_probe p;
        open_conv(&p, &convs[i]);
        conv_gradients(&p);
        fn_probe_check(&p, "conv", conv_loss);
        fn_probe_close(&p);
    }
}

/* One element of the result, as the header of the op table has it. */
static double conv_by_definition(const struct fn_conv_shape *s, const double *x, const double *w,
                                 int n, int oh, int ow, int o)
{
    const int pt = s->same ? (s->kh - 1) / 2 : 0, pl = s->same ? (s->kw - 1) / 2 : 0;
    double sum = 0;
    for (int c = 0; c < s->cin; c++)
        for (int i = 0; i < s->kh; i++)
            for (int j = 0; j < s->kw; j++) {
                int ih = oh * s->stride + i - pt, iw = ow * s->stride + j - pl;
                if (ih >= 0 && ih < s->h && iw >= 0 && iw < s->w)
                    sum += x[((n * s->h + ih) * s->w + iw) * s->cin + c] *
                           w[((o * s->cin + c) * s->kh + i) * s->kw + j];
            }
    return sum;
}

static void test_conv_definition(void **state)
{
    (void)state;
    for (int k = 0; k < CONVS; k++) {
        const struct fn_conv_shape *s = &convs[k];
        const int oh = fn_conv_out_h(s), ow = fn_conv_out_w(s);
        struct fn_probe p;
        open_conv(&p, s);
        struct conv v = conv_make(&p);
        assert_int_equal(oh, s->same ? s->h : (s->h - s->kh) / s->stride + 1);
        assert_ok(p.k.backend->conv_forward(p.k.dev, v.plan, &v.x, v.w, &v.y, NULL));
        p.k.backend->conv_free(&v.plan);
        double *y = fn_check_read(&p.k, &v.y), *at = y;
        for (int n = 0; n < s->n; n++)
            for (int i = 0; i < oh; i++)
                for (int j = 0; j < ow; j++)
                    for (int o = 0; o < s->cout; o++, at++) {
                        double want = conv_by_definition(s, p.in[0], p.in[1], n, i, j, o);
                        assert_true(fabs(*at - want) < 1e-12 * (1 + fabs(want)));
                    }
        free(y);
        fn_probe_close(&p);
    }
}

/* ---- batch norm ---- */

struct layer {
    int n, h, w, c, relu;
};
static const struct layer layers[] = {
    {2, 3, 1, 16, 1}, {1, 5, 3, 80, 1}, {3, 1, 1, 127, 0}, {5, 2, 3, 16, 0}, {2, 1, 1, 10, 0}};
enum { LAYERS = sizeof layers / sizeof layers[0] };

/* Mean and biased variance of each channel of input 0. */
static void *batch_stats(struct fn_probe *p, size_t c)
{
    const size_t pixels = p->count[0] / c;
    double *stats = calloc(2 * c, sizeof *stats);
    assert_non_null(stats);
    for (size_t i = 0; i < p->count[0]; i++)
        stats[i % c] += p->in[0][i] / (double)pixels;
    for (size_t i = 0; i < p->count[0]; i++)
        stats[c + i % c] += pow(p->in[0][i] - stats[i % c], 2) / (double)pixels;
    void *vector = fn_check_vector_of(&p->k, stats, 2 * c);
    free(stats);
    return vector;
}

static double bn_loss(struct fn_probe *p)
{
    const struct layer *l = p->the_case;
    const struct fn_tensor y = fn_probe_tensor(p, l->n, l->h, l->w, l->c, p->in[0]);
    void *stats = batch_stats(p, (size_t)l->c),
         *beta = fn_check_vector_of(&p->k, p->in[1], p->count[1]);
    assert_ok(p->k.backend->bn_forward(p->k.dev, &y, stats, beta, l->relu, &y));
    return fn_probe_weighted(p, &y);
}

static void bn_gradients(struct fn_probe *p)
{
    const struct layer *l = p->the_case;
    const struct fn_tensor y = fn_probe_tensor(p, l->n, l->h, l->w, l->c, p->in[0]);
    const struct fn_tensor dz = fn_probe_tensor(p, l->n, l->h, l->w, l->c, NULL);
    void *stats = batch_stats(p, (size_t)l->c),
         *beta = fn_check_vector_of(&p->k, p->in[1], p->count[1]);
    void *dbeta = fn_check_vector(&p->k, p->count[1], 1, 1, 0);
    assert_ok(p->k.backend->bn_backward(p->k.dev, &dz, &y, stats, beta, l->relu, &dz, dbeta));
    p->analytic[0] = fn_check_read(&p->k, &dz);
    p->analytic[1] = fn_check_read_vector(&p->k, dbeta, p->count[1]);
    fn_check_reset(&p->k);
}

static void test_bn(void **state)
{
    (void)state;
    for (int i = 0; i < LAYERS; i++) {
        const struct layer *l = &layers[i];
        struct fn_probe p;
        fn_probe_open(&p, l);
        fn_probe_input(&p, 0, (size_t)l->n * (size_t)l->h * (size_t)l->w * (size_t)l->c, 1);
        fn_probe_input(&p, 1, (size_t)l->c, 0.5);
        bn_gradients(&p);
        fn_probe_check(&p, "bn", bn_loss);
        fn_probe_close(&p);
    }
}

/* Statistics as the convolution saves them, and z, for values one can do in one's head. */
static void test_bn_definition(void **state)
{
    (void)state;
    const double y[4] = {1, 3, 5, 7}, stats[2] = {4, 5}, beta = -0.5;
    struct fn_probe p;
    fn_probe_open(&p, NULL);
    struct fn_check *k = &p.k;
    const struct fn_tensor t = {4, 1, 1, 1, 0, 1, fn_check_vector_of(k, y, 4)};
    void *b = fn_check_vector_of(k, &beta, 1), *s = fn_check_vector(k, 2, 1, 1, 0);
    double one = 1, nought = 0;
    assert_ok(k->backend->fc_forward(k->dev, &t, fn_check_vector_of(k, &one, 1),
                                     fn_check_vector_of(k, &nought, 1), &t, s));
    double *got = fn_check_read_vector(k, s, 2);
    assert_true(got[0] == stats[0] && got[1] == stats[1]);
    free(got);
    assert_ok(k->backend->bn_forward(k->dev, &t, s, b, 1, &t));
    got = fn_check_read(k, &t);
    for (int i = 0; i < 4; i++)
        assert_true(fabs(got[i] - fmax(0, (y[i] - 4) / sqrt(5.001) - 0.5)) < 1e-14);
    free(got);
    fn_probe_close(&p);
}

/* ---- residual ---- */

static double residual_loss(struct fn_probe *p)
{
    const struct layer *l = p->the_case;
    const struct fn_tensor x = fn_probe_tensor(p, l->n, l->h, l->w, l->c, p->in[0]);
    const struct fn_tensor up = fn_probe_tensor(p, l->n, l->h, l->w, l->c, p->in[1]);
    void *bias = fn_check_vector_of(&p->k, p->in[2], p->count[2]);
    assert_ok(p->k.backend->residual_forward(p->k.dev, &x, &up, bias, 0.17, l->relu, &x));
    return fn_probe_weighted(p, &x);
}

static void residual_gradients(struct fn_probe *p)
{
    const struct layer *l = p->the_case;
    struct fn_check *k = &p->k;
    const struct fn_tensor x = fn_probe_tensor(p, l->n, l->h, l->w, l->c, p->in[0]);
    const struct fn_tensor up = fn_probe_tensor(p, l->n, l->h, l->w, l->c, p->in[1]);
    const struct fn_tensor d = fn_probe_tensor(p, l->n, l->h, l->w, l->c, NULL);
    void *bias = fn_check_vector_of(k, p->in[2], p->count[2]);
    assert_ok(k->backend->residual_forward(k->dev, &x, &up, bias, 0.17, l->relu, &x));
    assert_ok(k->backend->residual_backward(k->dev, &d, &x, 0.17, l->relu, &d, &up, bias));
    p->analytic[0] = fn_check_read(k, &d);
    p->analytic[1] = fn_check_read(k, &up);
    p->analytic[2] = fn_check_read_vector(k, bias, p->count[2]);
    fn_check_reset(k);
}

static void test_residual(void **state)
{
    (void)state;
    for (int i = 0; i < LAYERS; i++) {
        const struct layer *l = &layers[i];
        const size_t count = (size_t)l->n * (size_t)l->h * (size_t)l->w * (size_t)l->c;
        struct fn_probe p;
        fn_probe_open(&p, l);
        fn_probe_input(&p, 0, count, 1);
        fn_probe_input(&p, 1, count, 1);
        fn_probe_input(&p, 2, (size_t)l->c, 1);
        residual_gradients(&p);
        fn_probe_check(&p, "residual", residual_loss);
        fn_probe_close(&p);
    }
}

/* ---- pools ---- */

static void maxpool(struct fn_probe *p, struct fn_tensor *y, uint8_t **index)
{
    const struct layer *l = p->the_case;
    const struct fn_tensor x = fn_probe_tensor(p, l->n, l->h, l->w, l->c, p->in[0]);
    *y = fn_probe_tensor(p, l->n, fn_pool_out(l->h), fn_pool_out(l->w), l->c, NULL);
    *index = fn_check_alloc(&p->k, elements(y), FN_MEM_DEVICE);
    assert_ok(p->k.backend->maxpool_forward(p->k.dev, &x, y, *index));
}

static double maxpool_loss(struct fn_probe *p)
{
    struct fn_tensor y;
    uint8_t *index;
    maxpool(p, &y, &index);
    return fn_probe_weighted(p, &y);
}

static double avgpool_loss(struct fn_probe *p)
{
    const struct layer *l = p->the_case;
    const struct fn_tensor x = fn_probe_tensor(p, l->n, l->h, l->w, l->c, p->in[0]);
    const struct fn_tensor y = fn_probe_tensor(p, l->n, 1, 1, l->c, NULL);
    assert_ok(p->k.backend->avgpool_forward(p->k.dev, &x, &y));
    return fn_probe_weighted(p, &y);
}

static void test_pools(void **state)
{
    static const struct layer cases[] = {{1, 3, 3, 16, 0}, {2, 5, 7, 16, 0}, {1, 6, 4, 32, 0}};
    (void)state;
    for (int i = 0; i < 3; i++) {
        const struct layer *l = &cases[i];
        struct fn_probe p;
        struct fn_tensor y;
        uint8_t *index;
        fn_probe_open(&p, l);
        fn_probe_input(&p, 0, (size_t)l->n * (size_t)l->h * (size_t)l->w * (size_t)l->c, 1);
        maxpool(&p, &y, &index);
        const struct fn_tensor dy = fn_probe_tensor(&p, y.n, y.h, y.w, y.c, NULL);
        const struct fn_tensor dx = fn_probe_tensor(&p, l->n, l->h, l->w, l->c, NULL);
        assert_ok(p.k.backend->maxpool_backward(p.k.dev, &dy, index, &dx, 0));
        p.analytic[0] = fn_check_read(&p.k, &dx);
        const struct fn_tensor sum = fn_probe_tensor(&p, l->n, l->h, l->w, l->c, NULL);
        assert_ok(p.k.backend->maxpool_backward(p.k.dev, &dy, index, &sum, 1));
        fn_probe_added(&p, "maxpool", &sum, p.analytic[0]);
        fn_check_reset(&p.k);
        fn_probe_check(&p, "maxpool", maxpool_loss);

        const struct fn_tensor da = fn_probe_tensor(&p, l->n, 1, 1, l->c, NULL);
        const struct fn_tensor dxa = fn_probe_tensor(&p, l->n, l->h, l->w, l->c, NULL);
        assert_ok(p.k.backend->avgpool_backward(p.k.dev, &da, &dxa));
        free(p.analytic[0]);
        p.analytic[0] = fn_check_read(&p.k, &dxa);
        fn_check_reset(&p.k);
        fn_probe_check(&p, "avgpool", avgpool_loss);
        fn_probe_close(&p);
    }
}

/* Every output of a larger image. */
static void test_maxpool_windows(void **state)
{
    enum { H = 8, W = 7, C = 16, OH = 3, OW = 3 };
    (void)state;
    struct fn_probe p;
    fn_probe_open(&p, NULL);
    fn_probe_input(&p, 0, H * W * C, 1);
    const struct fn_tensor x = fn_probe_tensor(&p, 1, H, W, C, p.in[0]);
    const struct fn_tensor y = fn_probe_tensor(&p, 1, OH, OW, C, NULL);
    assert_ok(p.k.backend->maxpool_forward(p.k.dev, &x, &y, NULL));
    double *got = fn_check_read(&p.k, &y);
    for (int o = 0; o < OH * OW * C; o++) {
        const int c = o % C, col = o / C % OW * 2, row = o / C / OW * 2;
        double want = -2;
        for (int tap = 0; tap < 9; tap++)
            want = fmax(want, p.in[0][((row + tap / 3) * W + col + tap % 3) * C + c]);
        assert_true(got[o] == want);
    }
    free(got);
    fn_probe_close(&p);
}

/* One window: the largest, the first of equals, and where the gradient goes. */
static void test_maxpool_definition(void **state)
{
    static const double windows[][9] = {{1, 2, 3, 4, 9, 5, 6, 7, 8},
                                        {0, 7, 7, 1, 7, 0, 0, 0, 7},
                                        {-1, -2, -3, -4, -5, -6, -7, -8, -9},
                                        {2, 2, 2, 2, 2, 2, 2, 2, 2},
                                        {1, 1, 1, 1, 1, 1, 1, 1, 3}};
    static const int taken[] = {4, 1, 0, 0, 8};
    (void)state;
    struct fn_probe p;
    fn_probe_open(&p, NULL);
    struct fn_check *k = &p.k;
    for (int i = 0; i < 5; i++) { /* in the first of 16 channels of a 4 x 4 image */
        uint8_t *index = fn_check_alloc(k, 16, FN_MEM_DEVICE);
        double image[4 * 4 * 16] = {0}, *got;
        for (int tap = 0; tap < 9; tap++)
            image[(tap / 3 * 4 + tap % 3) * 16] = windows[i][tap];
        const struct fn_tensor x = fn_probe_tensor(&p, 1, 4, 4, 16, image);
        const struct fn_tensor y = fn_probe_tensor(&p, 1, 1, 1, 16, NULL);
        assert_ok(k->backend->maxpool_forward(k->dev, &x, &y, index));
        got = fn_check_read(k, &y);
        assert_true(got[0] == windows[i][taken[i]] && index[0] == taken[i]);
        free(got);
        got = NULL;
        assert_ok(k->backend->maxpool_backward(k->dev, &y, index, &x, 0));
        got = fn_check_read(k, &x);
        for (int tap = 0; tap < 9; tap++)
            assert_true(got[(tap / 3 * 4 + tap % 3) * 16] ==
                        (tap == taken[i] ? windows[i][tap] : 0));
        free(got);
        fn_check_reset(k);
    }
    fn_probe_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv_definition), cmocka_unit_test(test_conv_gradients),
        cmocka_unit_test(test_bn_definition),   cmocka_unit_test(test_bn),
        cmocka_unit_test(test_residual),        cmocka_unit_test(test_pools),
        cmocka_unit_test(test_maxpool_windows), cmocka_unit_test(test_maxpool_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
