/* SPDX-License-Identifier: MIT */
/* Batch norm, residual, pools, dropout, fully connected, l2 norm: every backend against ref64. */
#include <math.h>

#include "tests/op_check.h"
#include "tests/test.h"

static const struct fn_tolerance element_tolerance = {2e-6, 1e-5, 0};

/* Batch norm and residual blocks. z and dz: a slice from c0 of ctotal channels. */
struct layer {
    int n, h, w, c, c0, ctotal, relu;
    double scale; /* residual only */
};

static const struct layer layers[] = {
    {1, 1, 1, 16, 0, 16, 1, 1.0},    {3, 5, 7, 16, 16, 48, 1, 0.17},
    {1, 17, 17, 32, 32, 96, 1, 0.1}, {5, 3, 3, 192, 0, 384, 1, 0.2},
    {2, 1, 13, 64, 0, 64, 0, 1.0},   {3, 3, 1, 80, 80, 160, 0, 0.17},
    {1, 8, 7, 896, 0, 896, 1, 0.1},  {13, 2, 3, 112, 16, 128, 1, 0.2},
};
enum { LAYERS = sizeof layers / sizeof layers[0] };

/* (n, 1, 1, d) of the bottleneck and the heads: any d. */
struct rows {
    int n, d;
};
static const struct rows all_rows[] = {{1, 1},   {3, 1},   {5, 5},  {3, 10},
                                       {1, 127}, {5, 127}, {3, 512}};
enum { ROWS = sizeof all_rows / sizeof all_rows[0] };

static const char *title_of(const char *op, int n, int h, int w, int c)
{
    static char title[128];
    snprintf(title, sizeof title, "%s (%d,%d,%d,%d)", op, n, h, w, c);
    return title;
}

/* Mean and variance of random stream `stream` taken as (pixels, c): what the forward pass saves. */
static void *stats_of(struct fn_check *k, size_t pixels, size_t c, int stream, double scale)
{
    double *stats = calloc(2 * c, sizeof *stats);
    double *y = fn_check_host(pixels * c, stream, scale, 0);
    assert_non_null(stats);
    for (size_t i = 0; i < pixels * c; i++)
        stats[i % c] += y[i] / (double)pixels;
    for (size_t i = 0; i < pixels * c; i++)
        stats[c + i % c] += (y[i] - stats[i % c]) * (y[i] - stats[i % c]) / (double)pixels;
    for (size_t i = 0; i < 2 * c; i++)
        stats[i] = (float)stats[i];
    void *vector = fn_check_vector_of(k, stats, 2 * c);
    free(stats);
    free(y);
    return vector;
}

static void bn_ops(struct fn_check *k, const struct fn_tensor *y, const struct fn_tensor *z,
                   const struct fn_tensor *dz, const struct fn_tensor *dy, int relu, double scale)
{
    const size_t c = (size_t)y->c, pixels = (size_t)y->n * (size_t)y->h * (size_t)y->w;
    void *stats = stats_of(k, pixels, c, 1, scale);
    void *beta = fn_check_vector(k, c, 2, 0.5, 0), *dbeta = fn_check_vector(k, c, 3, 1, 0);
    assert_ok(k->backend->bn_forward(k->dev, y, stats, beta, relu, z));
    assert_ok(k->backend->bn_backward(k->dev, dz, y, stats, beta, relu, dy, dbeta));
    fn_check_keep_vector(k, "dbeta", dbeta, c);
}

static void run_bn(struct fn_check *k, const void *the_case)
{
    const struct layer *l = the_case;
    const struct fn_tensor y = fn_check_tensor(k, l->n, l->h, l->w, l->c, 1);
    const struct fn_tensor z = fn_check_slice(k, l->n, l->h, l->w, l->c, l->c0, l->ctotal, 4);
    const struct fn_tensor dz = fn_check_slice(k, l->n, l->h, l->w, l->c, l->c0, l->ctotal, 5);
    const struct fn_tensor dy = fn_check_tensor(k, l->n, l->h, l->w, l->c, 6);
    bn_ops(k, &y, &z, &dz, &dy, l->relu, 1);
    fn_check_keep_tensor(k, "z", &z);
    fn_check_keep_tensor(k, "dy", &dy);
    fn_check_keep_tensor(k, "y unchanged", &y);
    fn_check_keep_tensor(k, "dz unchanged", &dz);
}

static void run_bn_rows(struct fn_check *k, const void *the_case)
{
    const struct rows *r = the_case;
    const struct fn_tensor y = fn_check_rows(k, r->n, r->d, 1, 2);
    const struct fn_tensor z = fn_check_rows(k, r->n, r->d, 4, 1);
    const struct fn_tensor dz = fn_check_rows(k, r->n, r->d, 5, 1);
    const struct fn_tensor dy = fn_check_rows(k, r->n, r->d, 6, 1);
    bn_ops(k, &y, &z, &dz, &dy, 0, 2);
    fn_check_keep_rows(k, "z", &z);
    fn_check_keep_rows(k, "dy", &dy);
}

/* In place: z over y; then dy over dz; then dy over y. */
static void run_bn_in_place(struct fn_check *k, const void *the_case)
{
    const struct layer *l = the_case;
    const size_t c = (size_t)l->c, pixels = (size_t)l->n * (size_t)l->h * (size_t)l->w;
    const struct fn_tensor y = fn_check_tensor(k, l->n, l->h, l->w, l->c, 1);
    const struct fn_tensor over = fn_check_tensor(k, l->n, l->h, l->w, l->c, 1);
    const struct fn_tensor dz = fn_check_tensor(k, l->n, l->h, l->w, l->c, 5);
    const struct fn_tensor dz2 = fn_check_slice(k, l->n, l->h, l->w, l->c, l->c0, l->ctotal, 6);
    void *stats = stats_of(k, pixels, c, 1, 1), *beta = fn_check_vector(k, c, 2, 0.5, 0);
    void *dbeta = fn_check_vector(k, c, 3, 1, 0);
    assert_ok(k->backend->bn_forward(k->dev, &over, stats, beta, l->relu, &over));
    fn_check_keep_tensor(k, "z over y", &over);
    assert_ok(k->backend->bn_backward(k->dev, &dz, &y, stats, beta, l->relu, &dz, dbeta));
    fn_check_keep_tensor(k, "dy over dz", &dz);
    assert_ok(k->backend->bn_backward(k->dev, &dz2, &y, stats, beta, l->relu, &y, dbeta));
    fn_check_keep_tensor(k, "dy over y", &y);
    fn_check_keep_vector(k, "dbeta", dbeta, c);
}

static void test_bn(void **state)
{
    (void)state;
    for (int i = 0; i < LAYERS; i++) {
        const struct layer *l = &layers[i];
        fn_check_all(title_of("bn", l->n, l->h, l->w, l->c), run_bn, l, element_tolerance);
        fn_check_all(title_of("bn in place", l->n, l->h, l->w, l->c), run_bn_in_place, l,
                     element_tolerance);
    }
    for (int i = 0; i < ROWS; i++)
        fn_check_all(title_of("bn rows", all_rows[i].n, 1, 1, all_rows[i].d), run_bn_rows,
                     &all_rows[i], element_tolerance);
}

static void run_residual(struct fn_check *k, const void *the_case)
{
    const struct layer *l = the_case;
    const size_t c = (size_t)l->c;
    const struct fn_tensor x = fn_check_tensor(k, l->n, l->h, l->w, l->c, 1);
    const struct fn_tensor up = fn_check_tensor(k, l->n, l->h, l->w, l->c, 2);
    const struct fn_tensor out = fn_check_slice(k, l->n, l->h, l->w, l->c, l->c0, l->ctotal, 3);
    const struct fn_tensor dout = fn_check_slice(k, l->n, l->h, l->w, l->c, l->c0, l->ctotal, 4);
    const struct fn_tensor dx = fn_check_tensor(k, l->n, l->h, l->w, l->c, 5);
    const struct fn_tensor dup = fn_check_tensor(k, l->n, l->h, l->w, l->c, 6);
    void *bias = fn_check_vector(k, c, 7, 0.3, 0), *dbias = fn_check_vector(k, c, 8, 1, 0);
    const struct fn_backend *b = k->backend;

    assert_ok(b->residual_forward(k->dev, &x, &up, bias, l->scale, l->relu, &out));
    fn_check_keep_tensor(k, "out", &out);
    assert_ok(b->residual_backward(k->dev, &dout, &out, l->scale, l->relu, &dx, &dup, dbias));
    fn_check_keep_tensor(k, "dx", &dx);
    fn_check_keep_tensor(k, "dup", &dup);
    fn_check_keep_vector(k, "dbias", dbias, c);
    fn_check_keep_tensor(k, "dout unchanged", &dout);
    assert_ok(b->residual_backward(k->dev, &dout, &out, l->scale, l->relu, &dout, &dup, dbias));
    fn_check_keep_tensor(k, "dx over dout", &dout);
    fn_check_keep_tensor(k, "dup again", &dup);
    fn_check_keep_vector(k, "dbias again", dbias, c);

    const struct fn_tensor x2 = fn_check_tensor(k, l->n, l->h, l->w, l->c, 1);
    assert_ok(b->residual_forward(k->dev, &x2, &up, bias, l->scale, l->relu, &x2));
    fn_check_keep_tensor(k, "out over x", &x2);
    assert_ok(b->residual_forward(k->dev, &x, &up, bias, l->scale, l->relu, &up));
    fn_check_keep_tensor(k, "out over up", &up);
}

static void test_residual(void **state)
{
    (void)state;
    for (int i = 0; i < LAYERS; i++)
        fn_check_all(title_of("residual", layers[i].n, layers[i].h, layers[i].w, layers[i].c),
                     run_residual, &layers[i], element_tolerance);
}

struct pool {
    int n, h, w, c, c0, ctotal;
    int coarse; /* few distinct values: many equal ones in a window */
};

static void run_maxpool(struct fn_check *k, const void *the_case)
{
    const struct pool *p = the_case;
    const int oh = fn_pool_out(p->h), ow = fn_pool_out(p->w);
    const struct fn_backend *b = k->backend;
    const struct fn_tensor x = fn_check_slice(k, p->n, p->h, p->w, p->c, p->c0, p->ctotal, 1);
    if (p->coarse) {
        double *host = fn_check_read(k, &x);
        for (size_t i = 0; i < (size_t)p->n * (size_t)p->h * (size_t)p->w * (size_t)p->c; i++)
            host[i] = floor(host[i] * 2);
        assert_ok(b->tensor_import(k->dev, host, FN_F64, &x));
        free(host);
    }
    const struct fn_tensor y = fn_check_slice(k, p->n, oh, ow, p->c, p->c0, p->ctotal, 2);
    const struct fn_tensor dy = fn_check_slice(k, p->n, oh, ow, p->c, p->c0, p->ctotal, 3);
    const struct fn_tensor dx = fn_check_slice(k, p->n, p->h, p->w, p->c, p->c0, p->ctotal, 4);
    const size_t count = (size_t)p->n * (size_t)oh * (size_t)ow * (size_t)p->c;
    uint8_t *index = fn_check_alloc(k, count, FN_MEM_DEVICE);
    assert_ok(b->maxpool_forward(k->dev, &x, &y, index));
    fn_check_keep_tensor(k, "y", &y);
    assert_ok(b->maxpool_backward(k->dev, &dy, index, &dx, 0));
    fn_check_keep_tensor(k, "dx", &dx);
    assert_ok(b->maxpool_backward(k->dev, &dy, index, &x, 1));
    fn_check_keep_tensor(k, "dx added", &x);

    const struct fn_tensor y2 = fn_check_slice(k, p->n, oh, ow, p->c, p->c0, p->ctotal, 2);
    assert_ok(b->maxpool_forward(k->dev, &dx, &y2, NULL));
    fn_check_keep_tensor(k, "y without index", &y2);
}

static void test_maxpool(void **state)
{
    static const struct pool cases[] = {
        {1, 3, 3, 16, 0, 16, 0},   {3, 5, 7, 16, 16, 48, 0}, {2, 4, 6, 32, 0, 32, 1},
        {1, 17, 17, 64, 0, 64, 0}, {5, 3, 11, 16, 0, 32, 1}, {1, 8, 7, 896, 0, 896, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        fn_check_all(title_of("maxpool", cases[i].n, cases[i].h, cases[i].w, cases[i].c),
                     run_maxpool, &cases[i], element_tolerance);
}

static void run_avgpool(struct fn_check *k, const void *the_case)
{
    const struct layer *l = the_case;
    const struct fn_tensor x = fn_check_tensor(k, l->n, l->h, l->w, l->c, 1);
    const struct fn_tensor dx = fn_check_tensor(k, l->n, l->h, l->w, l->c, 2);
    const struct fn_tensor y = fn_check_rows(k, l->n, l->c, 3, 1);
    const struct fn_tensor dy = fn_check_rows(k, l->n, l->c, 4, 1);
    assert_ok(k->backend->avgpool_forward(k->dev, &x, &y));
    assert_ok(k->backend->avgpool_backward(k->dev, &dy, &dx));
    fn_check_keep_rows(k, "y", &y);
    fn_check_keep_tensor(k, "dx", &dx);
}

static void test_avgpool(void **state)
{
    (void)state;
    for (int i = 0; i < LAYERS; i++)
        fn_check_all(title_of("avgpool", layers[i].n, layers[i].h, layers[i].w, layers[i].c),
                     run_avgpool, &layers[i], element_tolerance);
}

static void run_dropout(struct fn_check *k, const void *the_case)
{
    static const double keeps[] = {0.4, 0.8, 1.0};
    const struct rows *r = the_case;
    for (int i = 0; i < 3; i++) {
        const struct fn_step step = {.seed = 7, .step = (uint64_t)i + ((uint64_t)1 << 33), .t = 1};
        const struct fn_tensor x = fn_check_rows(k, r->n, r->d, 1, 1);
        const struct fn_tensor y = fn_check_rows(k, r->n, r->d, 2, 1);
        assert_ok(k->backend->step_begin(k->dev, &step));
        assert_ok(k->backend->dropout(k->dev, &x, keeps[i], &y));
        assert_ok(k->backend->dropout(k->dev, &x, keeps[i], &x));
        fn_check_keep_rows(k, "y", &y);
        fn_check_keep_rows(k, "y over x", &x);
    }
}

static void test_dropout(void **state)
{
    static const struct rows cases[] = {{1, 16}, {3, 112}, {5, 1792}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        fn_check_all("dropout", run_dropout, &cases[i], (struct fn_tolerance){0, 1e-6, 0});
}

struct fc {
    int n, k, d, bias;
};

static void run_fc(struct fn_check *k, const void *the_case)
{
    const struct fc *f = the_case;
    const size_t in = (size_t)f->k, out = (size_t)f->d;
    const struct fn_backend *b = k->backend;
    size_t workspace;
    assert_ok(b->fc_plan(k->dev, f->n, f->k, f->d, &workspace));
    fn_check_workspace(k, workspace);
    const struct fn_tensor x = fn_check_rows(k, f->n, f->k, 1, 1);
    const struct fn_tensor y = fn_check_rows(k, f->n, f->d, 2, 1);
    const struct fn_tensor dy = fn_check_rows(k, f->n, f->d, 3, 1);
    const struct fn_tensor dx = fn_check_rows(k, f->n, f->k, 4, 1);
    const struct fn_tensor sum = fn_check_rows(k, f->n, f->k, 5, 1);
    void *w = fn_check_vector(k, in * out, 6, 0.5, 0), *bias = fn_check_vector(k, out, 7, 1, 0);
    void *dw = fn_check_vector(k, in * out, 8, 1, 0), *db = fn_check_vector(k, out, 9, 1, 0);
    void *stats = fn_check_vector(k, 2 * out, 10, 1, 0);
    assert_ok(b->fc_forward(k->dev, &x, w, f->bias ? bias : NULL, &y, f->bias ? NULL : stats));
    assert_ok(b->fc_backward(k->dev, &x, w, &dy, &dx, 0, dw, f->bias ? db : NULL));
    assert_ok(b->fc_backward(k->dev, &x, w, &dy, &sum, 1, NULL, NULL));
    fn_check_keep_rows(k, "y", &y);
    fn_check_keep_rows(k, "dx", &dx);
    fn_check_keep_rows(k, "dx added", &sum);
    fn_check_keep_vector(k, "dw", dw, in * out);
    fn_check_keep_vector(k, "db", db, out);
    fn_check_keep_vector(k, "stats", stats, 2 * out);
}

static void test_fc(void **state)
{
    static const struct fc cases[] = {
        {1, 1, 1, 1},      {3, 5, 10, 1},     {5, 127, 5, 1},     {3, 512, 127, 1},
        {5, 1792, 512, 0}, {1, 1792, 128, 0}, {10, 128, 1000, 1}, {3, 16, 10, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        fn_check_all(title_of("fc", cases[i].n, 1, cases[i].k, cases[i].d), run_fc, &cases[i],
                     (struct fn_tolerance){4e-6, 1e-5, 0});
}

/* The last row is tiny: its norm is below the least one. */
static void run_l2norm(struct fn_check *k, const void *the_case)
{
    const struct rows *r = the_case;
    const size_t d = (size_t)r->d, count = (size_t)r->n * d;
    double *host = fn_check_host(count, 1, 3, 0);
    for (size_t i = count - d; r->n > 1 && i < count; i++)
        host[i] = (float)(host[i] * 1e-8);
    const struct fn_tensor x = {r->n, 1, 1, r->d, 0, r->d, fn_check_vector_of(k, host, count)};
    const struct fn_tensor e = fn_check_rows(k, r->n, r->d, 2, 1);
    const struct fn_tensor de = fn_check_rows(k, r->n, r->d, 3, 1);
    const struct fn_tensor dx = fn_check_rows(k, r->n, r->d, 4, 1);
    const struct fn_tensor sum = fn_check_rows(k, r->n, r->d, 5, 1);
    assert_ok(k->backend->l2norm_forward(k->dev, &x, &e));
    assert_ok(k->backend->l2norm_backward(k->dev, &x, &de, &dx, 0));
    assert_ok(k->backend->l2norm_backward(k->dev, &x, &de, &sum, 1));
    fn_check_keep_rows(k, "e", &e);
    fn_check_keep_rows(k, "dx", &dx);
    fn_check_keep_rows(k, "dx added", &sum);
    free(host);
}

static void test_l2norm(void **state)
{
    (void)state;
    for (int i = 0; i < ROWS; i++)
        fn_check_all(title_of("l2norm", all_rows[i].n, 1, 1, all_rows[i].d), run_l2norm,
                     &all_rows[i], (struct fn_tolerance){2e-6, 1e-5, 1e-6});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bn),      cmocka_unit_test(test_residual),
        cmocka_unit_test(test_maxpool), cmocka_unit_test(test_avgpool),
        cmocka_unit_test(test_dropout), cmocka_unit_test(test_fc),
        cmocka_unit_test(test_l2norm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
