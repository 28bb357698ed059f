/* SPDX-License-Identifier: MIT */
/* More rows, numbers and chunks than a launch has blocks for, so that blocks take several in turn:
 * the shapes of real batches, which the tests of all backends are too small for; and numbers that
 * they do not have. Against ref64, and the same bits in two orders. */
#include <math.h>

#include "tests/op_check.h"
#include "tests/test.h"

static const struct fn_tolerance tolerance = {2e-6, 1e-5, 1e-7};

struct rows {
    int n, count, d;
};

static const int32_t *labels_of(struct fn_check *k, int n, int classes)
{
    const uint8_t *images;
    const int32_t *labels;
    uint8_t *image = fn_check_alloc(k, 3, FN_MEM_HOST);
    int32_t *host = fn_check_alloc(k, (size_t)n * sizeof *host, FN_MEM_HOST);
    memset(image, 0, 3);
    for (int i = 0; i < n; i++)
        host[i] = (int32_t)((unsigned)i * 7919u % (unsigned)classes);
    assert_ok(k->backend->batch_upload(k->dev, 0, image, 3, host, (size_t)n, &images, &labels));
    assert_ok(k->backend->batch_use(k->dev, 0));
    return labels;
}

static void run_softmax(struct fn_check *k, const void *the_case)
{
    const struct rows *r = the_case;
    const int32_t *labels = labels_of(k, r->n, r->d);
    const struct fn_tensor x = fn_check_rows(k, r->n, r->d, 1, 5);
    assert_ok(k->backend->softmax_xent(k->dev, &x, labels, r->count, 1));
    fn_check_keep_rows(k, "gradient", &x);
    fn_check_keep_losses(k);
}

static void run_center(struct fn_check *k, const void *the_case)
{
    enum { CLASSES = 1009 };
    const struct rows *r = the_case;
    const int32_t *labels = labels_of(k, r->n, CLASSES);
    const struct fn_tensor x = fn_check_rows(k, r->n, r->d, 1, 1);
    const struct fn_tensor dx = fn_check_rows(k, r->n, r->d, 2, 1);
    void *centers = fn_check_vector(k, (size_t)(CLASSES * r->d), 3, 1, 0);
    assert_ok(k->backend->center_loss(k->dev, &x, labels, r->count, centers, 0.3, &dx));
    assert_ok(k->backend->center_update(k->dev, &x, labels, r->count, centers, 0.95));
    fn_check_keep_rows(k, "dx", &dx);
    fn_check_keep_vector(k, "centers", centers, (size_t)(CLASSES * r->d));
    fn_check_keep_losses(k);
}

static void run_norm(struct fn_check *k, const void *the_case)
{
    const struct rows *r = the_case;
    const struct fn_tensor x = fn_check_rows(k, r->n, r->d, 1, 1);
    const struct fn_tensor dx = fn_check_rows(k, r->n, r->d, 2, 1);
    assert_ok(k->backend->norm_loss(k->dev, &x, r->count, 2, 0.7, &dx));
    fn_check_keep_rows(k, "dx", &dx);
    fn_check_keep_losses(k);
}

static void run_triplet(struct fn_check *k, const void *the_case)
{
    const struct rows *r = the_case;
    const struct fn_tensor e = fn_check_rows(k, r->n, r->d, 1, 1);
    const struct fn_tensor de = fn_check_rows(k, r->n, r->d, 2, 1);
    assert_ok(k->backend->triplet_loss(k->dev, &e, r->count, 0.2, &de));
    fn_check_keep_rows(k, "de", &de);
    fn_check_keep_losses(k);
}

static void test_rows(void **state)
{
    static const struct rows some = {2051, 2049, 70}, many = {8300, 8210, 3},
                             triplets = {24700, 24699, 1};
    (void)state;
    fn_check_case("cuda", "softmax of 2051 rows", run_softmax, &some, tolerance);
    fn_check_case("cuda", "center loss of 8300 rows", run_center, &many, tolerance);
    fn_check_case("cuda", "norm of 8300 rows", run_norm, &many, tolerance);
    fn_check_case("cuda", "8233 triplets", run_triplet, &triplets, tolerance);
}

/* Batch statistics, sums of the gradients, bias: as many slices as there may be. */
static void run_slices(struct fn_check *k, const void *unused)
{
    enum { N = 5, H = 120, W = 121, C = 16, PIXELS = N * H * W };
    const struct fn_backend *b = k->backend;
    static const struct fn_conv_shape shape = {N, H, W, C, 1, 1, 1, 1, C};
    struct fn_conv *plan;
    size_t workspace;
    (void)unused;
    assert_ok(b->conv_plan(k->dev, &shape, FN_FORWARD, &plan, &workspace));
    fn_check_workspace(k, workspace);
    const struct fn_tensor x = fn_check_tensor(k, N, H, W, C, 1);
    const struct fn_tensor y = fn_check_tensor(k, N, H, W, C, 2);
    const struct fn_tensor dz = fn_check_tensor(k, N, H, W, C, 3);
    void *w = fn_check_vector(k, C * C, 4, 1, 0), *stats = fn_check_vector(k, 2 * C, 5, 1, 0);
    void *beta = fn_check_vector(k, C, 6, 1, 0), *sums = fn_check_vector(k, C, 7, 1, 0);
    assert_ok(b->conv_forward(k->dev, plan, &x, w, &y, stats));
    fn_check_keep_vector(k, "stats", stats, 2 * C);
    assert_ok(b->bn_backward(k->dev, &dz, &y, stats, beta, 0, &dz, sums));
    fn_check_keep_vector(k, "dbeta", sums, C);
    fn_check_keep_tensor(k, "dy", &dz);
    assert_ok(b->residual_backward(k->dev, &x, &y, 0.3, 1, &x, &dz, sums));
    fn_check_keep_vector(k, "dbias", sums, C);
    b->conv_free(&plan);
}

static void test_slices(void **state)
{
    (void)state;
    fn_check_case("cuda", "72600 pixels", run_slices, NULL, (struct fn_tolerance){4e-6, 1e-5, 0});
}

/* A mean far from 0, and one row far from the others: nothing may cancel. */
static void run_far(struct fn_check *k, const void *unused)
{
    enum { N = 40, D = 33 };
    double *host = fn_check_host(N * D, 1, 1, 0), unit[D * D] = {0};
    size_t workspace;
    (void)unused;
    for (int i = 0; i < N * D; i++)
        host[i] = (float)(host[i] * 0.01 + (i % D < 11 ? 1000 : i % D < 22 ? 0 : -3));
    for (int i = 11; i < 22; i++) /* the first row of these */
        host[i] = 1e4;
    for (int i = 0; i < D; i++)
        unit[i * D + i] = 1;
    assert_ok(k->backend->fc_plan(k->dev, N, D, D, &workspace));
    fn_check_workspace(k, workspace);
    const struct fn_tensor x = {N, 1, 1, D, 0, D, fn_check_vector_of(k, host, N * D)};
    const struct fn_tensor y = fn_check_rows(k, N, D, 2, 1);
    void *w = fn_check_vector_of(k, unit, D * D), *stats = fn_check_vector(k, 2 * D, 3, 1, 0);
    assert_ok(k->backend->fc_forward(k->dev, &x, w, NULL, &y, stats));
    fn_check_keep_vector(k, "stats", stats, 2 * D);
    free(host);
}

static void test_far(void **state)
{
    (void)state;
    fn_check_case("cuda", "statistics far from 0", run_far, NULL,
                  (struct fn_tolerance){0, 2e-5, 1e-9});
}

/* Where x + beta is 0, ReLU's gradient is 0, as TensorFlow's. */
static void run_zero(struct fn_check *k, const void *unused)
{
    enum { C = 16 };
    const struct fn_tensor y = fn_check_rows(k, 3, C, 1, 0), dz = fn_check_rows(k, 3, C, 2, 1);
    void *stats = fn_check_vector(k, 2 * C, 3, 0, 0), *beta = fn_check_vector(k, C, 4, 0, 0);
    void *sums = fn_check_vector(k, C, 5, 1, 0);
    (void)unused;
    assert_ok(k->backend->bn_backward(k->dev, &dz, &y, stats, beta, 1, &dz, sums));
    fn_check_keep_vector(k, "dbeta", sums, C);
    const struct fn_tensor dout = fn_check_rows(k, 3, C, 6, 1);
    assert_ok(k->backend->residual_backward(k->dev, &dout, &y, 0.3, 1, &dout, &dz, sums));
    fn_check_keep_vector(k, "dbias", sums, C);
    fn_check_keep_rows(k, "dx", &dout);
}

static void test_zero(void **state)
{
    (void)state;
    fn_check_case("cuda", "ReLU at 0", run_zero, NULL, (struct fn_tolerance){0, 0, 0});
}

/* More chunks than blocks; the last block's gradient and the tail of the search for bad values. */
static void run_update(struct fn_check *k, const void *unused)
{
    enum { COUNT = 4300003, SHOWN = 5000 };
    static const struct fn_param_group groups[] = {{0, 2100001, 1, 0, 0},
                                                   {2100001, 2200002, 0, 0, 0}};
    const struct fn_step step = {.lr = 0.05, .t = 2};
    const struct fn_update rule = {FN_MOM, 5e-4, 0.5};
    struct fn_params p = {.trained = COUNT, .total = COUNT, .groups = groups, .group_count = 2};
    (void)unused;
    p.w = fn_check_vector(k, COUNT, 1, 1, 0);
    p.grad = fn_check_vector(k, COUNT, 2, 1, 0);
    p.slot1 = fn_check_vector(k, COUNT, 3, 1, 0);
    p.ema = fn_check_vector(k, COUNT, 4, 1, 0);
    assert_ok(k->backend->step_begin(k->dev, &step));
    assert_ok(k->backend->check_finite(k->dev, p.grad, COUNT));
    assert_ok(k->backend->update(k->dev, &p, &rule));
    fn_check_keep_vector(k, "w", p.w, COUNT);
    fn_check_keep_vector(k, "ema", p.ema, COUNT);
    fn_check_keep_losses(k);
}

static void test_update(void **state)
{
    (void)state;
    fn_check_case("cuda", "4.3 M parameters", run_update, NULL, tolerance);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows), cmocka_unit_test(test_slices), cmocka_unit_test(test_far),
        cmocka_unit_test(test_zero), cmocka_unit_test(test_update),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
