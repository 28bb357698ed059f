/* SPDX-License-Identifier: MIT */
/* The oracle itself: rows and losses of ref64 against numeric gradients and worked values. */
#include <math.h>

#include "base/rng.h"
#include "tests/op_probe.h"
#include "tests/test.h"

/* n rows of d, the first `count` of which count; p: of the norm, keep, or alpha. */
struct rows {
    int n, count, d;
    double p;
};

static struct fn_tensor rows_of(struct fn_probe *p, const double *host)
{
    const struct rows *r = p->the_case;
    return fn_probe_tensor(p, r->n, 1, 1, r->d, host);
}

static void open_rows(struct fn_probe *p, const struct rows *r, double scale)
{
    fn_probe_open(p, r);
    fn_probe_input(p, 0, (size_t)r->n * (size_t)r->d, scale);
}

/* One of the losses since the last time; the case's memory is freed. */
static double one_loss(struct fn_probe *p, enum fn_loss which)
{
    double losses[FN_LOSS_COUNT];
    fn_check_losses(&p->k, losses);
    fn_check_reset(&p->k);
    return losses[which];
}

/* ---- dropout ---- */

static double dropout_loss(struct fn_probe *p)
{
    const struct rows *r = p->the_case;
    const struct fn_tensor x = rows_of(p, p->in[0]);
    const struct fn_step step = {.seed = 3, .step = 17};
    assert_ok(p->k.backend->step_begin(p->k.dev, &step));
    assert_ok(p->k.backend->dropout(p->k.dev, &x, r->p, &x));
    return fn_probe_weighted(p, &x);
}

/* Each element is 0 or x / keep, as the generator says; backward is forward with the gradients. */
static void test_dropout(void **state)
{
    static const struct rows r = {5, 5, 112, 0.4};
    (void)state;
    struct fn_probe p;
    open_rows(&p, &r, 1);
    const struct fn_step step = {.seed = 3, .step = 17};
    const struct fn_tensor x = rows_of(&p, p.in[0]), dx = rows_of(&p, NULL);
    assert_ok(p.k.backend->step_begin(p.k.dev, &step));
    assert_ok(p.k.backend->dropout(p.k.dev, &x, r.p, &x));
    assert_ok(p.k.backend->dropout(p.k.dev, &dx, r.p, &dx));
    double *got = fn_check_read(&p.k, &x);
    size_t kept = 0;
    for (size_t i = 0; i < p.count[0]; i++) {
        int keep = fn_rng_unit(fn_rng(3, 17, i, FN_RNG_DROPOUT)) < 0.4;
        assert_true(got[i] == (keep ? p.in[0][i] / 0.4 : 0));
        kept += (size_t)keep;
    }
    assert_in_range(kept, 170, 280); /* 224 of 560 are expected, the standard deviation is 12 */
    free(got);
    p.analytic[0] = fn_check_read(&p.k, &dx);
    fn_check_reset(&p.k);
    fn_probe_check(&p, "dropout", dropout_loss);
    fn_probe_close(&p);
}

/* ---- fully connected ---- */

struct fc {
    int n, k, d;
};

static double fc_loss(struct fn_probe *p)
{
    const struct fc *f = p->the_case;
    const struct fn_tensor x = fn_probe_tensor(p, f->n, 1, 1, f->k, p->in[0]);
    const struct fn_tensor y = fn_probe_tensor(p, f->n, 1, 1, f->d, NULL);
    void *w = fn_check_vector_of(&p->k, p->in[1], p->count[1]);
    void *b = fn_check_vector_of(&p->k, p->in[2], p->count[2]);
    assert_ok(p->k.backend->fc_forward(p->k.dev, &x, w, b, &y, NULL));
    return fn_probe_weighted(p, &y);
}

static void test_fc(void **state)
{
    static const struct fc cases[] = {{1, 1, 1}, {3, 5, 10}, {2, 127, 5}, {5, 16, 130}};
    (void)state;
    for (int i = 0; i < 4; i++) {
        const struct fc *f = &cases[i];
        struct fn_probe p;
        fn_probe_open(&p, f);
        fn_probe_input(&p, 0, (size_t)f->n * (size_t)f->k, 1);
        fn_probe_input(&p, 1, (size_t)f->d * (size_t)f->k, 1);
        fn_probe_input(&p, 2, (size_t)f->d, 1);
        const struct fn_tensor x = fn_probe_tensor(&p, f->n, 1, 1, f->k, p.in[0]);
        const struct fn_tensor dy = fn_probe_tensor(&p, f->n, 1, 1, f->d, NULL);
        void *w = fn_check_vector_of(&p.k, p.in[1], p.count[1]);
        void *dw = fn_check_vector_of(&p.k, p.in[1], p.count[1]);
        void *db = fn_check_vector_of(&p.k, p.in[2], p.count[2]);
        const struct fn_tensor sum = fn_probe_tensor(&p, f->n, 1, 1, f->k, NULL);
        const struct fn_tensor dx = fn_probe_tensor(&p, f->n, 1, 1, f->k, NULL);
        assert_ok(p.k.backend->fc_backward(p.k.dev, &x, w, &dy, &dx, 0, dw, db));
        p.analytic[0] = fn_check_read(&p.k, &dx);
        assert_ok(p.k.backend->fc_backward(p.k.dev, &x, w, &dy, &sum, 1, NULL, NULL));
        fn_probe_added(&p, "fc", &sum, p.analytic[0]);
        p.analytic[1] = fn_check_read_vector(&p.k, dw, p.count[1]);
        p.analytic[2] = fn_check_read_vector(&p.k, db, p.count[2]);
        fn_check_reset(&p.k);
        fn_probe_check(&p, "fc", fc_loss);
        fn_probe_close(&p);
    }
}

/* ---- l2 norm ---- */

static double l2norm_loss(struct fn_probe *p)
{
    const struct fn_tensor x = rows_of(p, p->in[0]);
    assert_ok(p->k.backend->l2norm_forward(p->k.dev, &x, &x));
    return fn_probe_weighted(p, &x);
}

static void test_l2norm(void **state)
{
    static const struct rows cases[] = {{3, 3, 5, 0}, {2, 2, 127, 0}, {1, 1, 512, 0}};
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct fn_probe p;
        open_rows(&p, &cases[i], 2);
        const struct fn_tensor x = rows_of(&p, p.in[0]), d = rows_of(&p, NULL);
        const struct fn_tensor dx = rows_of(&p, NULL), sum = rows_of(&p, NULL);
        assert_ok(p.k.backend->l2norm_backward(p.k.dev, &x, &d, &dx, 0));
        p.analytic[0] = fn_check_read(&p.k, &dx);
        assert_ok(p.k.backend->l2norm_backward(p.k.dev, &x, &d, &sum, 1));
        fn_probe_added(&p, "l2norm", &sum, p.analytic[0]);
        fn_check_reset(&p.k);
        fn_probe_check(&p, "l2norm", l2norm_loss);
        fn_probe_close(&p);
    }
}

/* (3, 4) -> (0.6, 0.8); a row of squares below 1e-10 is multiplied by 1e5. */
static void test_l2norm_values(void **state)
{
    static const double in[4] = {3, 4, 3e-6, -4e-6}, want[4] = {0.6, 0.8, 0.3, -0.4};
    static const struct rows r = {2, 2, 2, 0};
    (void)state;
    struct fn_probe p;
    fn_probe_open(&p, &r);
    const struct fn_tensor x = rows_of(&p, in), d = rows_of(&p, want);
    assert_ok(p.k.backend->l2norm_backward(p.k.dev, &x, &d, &d, 0));
    assert_ok(p.k.backend->l2norm_forward(p.k.dev, &x, &x));
    double *e = fn_check_read(&p.k, &x), *dx = fn_check_read(&p.k, &d);
    for (int i = 0; i < 4; i++)
        assert_true(fabs(e[i] - want[i]) < 1e-14);
    assert_true(fabs(dx[0]) < 1e-14 && fabs(dx[1]) < 1e-14); /* along e nothing changes */
    assert_true(fabs(dx[2] - 0.3e5) < 1e-8 && fabs(dx[3] + 0.4e5) < 1e-8);
    free(e);
    free(dx);
    fn_probe_close(&p);
}

/* ---- softmax ---- */

static const int32_t labels[6] = {0, 4, 2, 2, 1, 3};

static double softmax_loss(struct fn_probe *p)
{
    const struct rows *r = p->the_case;
    const struct fn_tensor x = rows_of(p, p->in[0]);
    assert_ok(p->k.backend->softmax_xent(p->k.dev, &x, labels, r->count, 0));
    return one_loss(p, FN_LOSS_XENT);
}

static void test_softmax(void **state)
{
    static const struct rows cases[] = {{1, 1, 5, 0}, {6, 6, 5, 0}, {6, 4, 127, 0}};
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct fn_probe p;
        open_rows(&p, &cases[i], 3);
        const struct fn_tensor x = rows_of(&p, p.in[0]);
        assert_ok(p.k.backend->softmax_xent(p.k.dev, &x, labels, cases[i].count, 1));
        p.analytic[0] = fn_check_read(&p.k, &x);
        one_loss(&p, FN_LOSS_XENT);
        fn_probe_check(&p, "softmax", softmax_loss);
        fn_probe_close(&p);
    }
}

/* ---- center loss ---- */

/* The gradient is added to what is there: here to zero. */
static struct fn_tensor zero_rows(struct fn_probe *p)
{
    const struct fn_tensor dx = rows_of(p, NULL);
    assert_ok(p->k.backend->zero(p->k.dev, dx.data, p->count[0] * sizeof(double)));
    return dx;
}

static double center_call(struct fn_probe *p, const struct fn_tensor *dx)
{
    const struct rows *r = p->the_case;
    const struct fn_tensor x = rows_of(p, p->in[0]);
    void *centers = fn_check_vector(&p->k, 5 * (size_t)r->d, 60, 1, 0);
    assert_ok(p->k.backend->center_loss(p->k.dev, &x, labels, r->count, centers, 0.25, dx));
    if (dx)
        p->analytic[0] = fn_check_read(&p->k, dx);
    return 0.25 * one_loss(p, FN_LOSS_CENTER);
}

static double center_loss(struct fn_probe *p)
{
    return center_call(p, NULL);
}

static void test_center(void **state)
{
    static const struct rows cases[] = {{1, 1, 5, 0}, {6, 6, 1, 0}, {6, 4, 127, 0}};
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct fn_probe p;
        open_rows(&p, &cases[i], 2);
        const struct fn_tensor dx = zero_rows(&p);
        center_call(&p, &dx);
        fn_probe_check(&p, "center", center_loss);
        fn_probe_close(&p);
    }
}

/* ---- prelogits norm ---- */

static double norm_call(struct fn_probe *p, const struct fn_tensor *dx)
{
    const struct rows *r = p->the_case;
    const struct fn_tensor x = rows_of(p, p->in[0]);
    assert_ok(p->k.backend->norm_loss(p->k.dev, &x, r->count, r->p, 0.5, dx));
    if (dx)
        p->analytic[0] = fn_check_read(&p->k, dx);
    return 0.5 * one_loss(p, FN_LOSS_NORM);
}

static double norm_loss(struct fn_probe *p)
{
    return norm_call(p, NULL);
}

static void test_norm(void **state)
{
    static const struct rows cases[] = {{1, 1, 5, 1},     {3, 2, 127, 1},       {3, 3, 10, 2},
                                        {2, 2, 17, 3.25}, {2, 2, 16, INFINITY}, {2, 2, 5, 300}};
    (void)state;
    for (int i = 0; i < 6; i++) {
        struct fn_probe p;
        open_rows(&p, &cases[i], 2);
        const struct fn_tensor dx = zero_rows(&p);
        norm_call(&p, &dx);
        fn_probe_check(&p, "norm", norm_loss);
        fn_probe_close(&p);
    }
}

/* |(3, -4)| + 1e-4 in three norms; the infinite one's gradient is shared by equal largest values.
 */
static void test_norm_values(void **state)
{
    static const double powers[3] = {1, 2, INFINITY}, in[2] = {3, -4}, equal[2] = {-4, 4},
                        nought[2] = {0, 5};
    const double want[3] = {7.0002, sqrt(3.0001 * 3.0001 + 4.0001 * 4.0001), 4.0001};
    static const struct rows r = {1, 1, 2, 0};
    (void)state;
    struct fn_probe p;
    fn_probe_open(&p, &r);
    for (int i = 0; i < 3; i++) {
        const struct fn_tensor x = rows_of(&p, in);
        assert_ok(p.k.backend->norm_loss(p.k.dev, &x, 1, powers[i], 0.5, NULL));
        assert_true(fabs(one_loss(&p, FN_LOSS_NORM) - want[i]) < 1e-14);
    }
    p.count[0] = 2;
    const struct fn_tensor x = rows_of(&p, equal), dx = zero_rows(&p);
    assert_ok(p.k.backend->norm_loss(p.k.dev, &x, 1, INFINITY, 1, &dx));
    double *got = fn_check_read(&p.k, &dx);
    assert_true(got[0] == -0.5 && got[1] == 0.5);
    free(got);
    const struct fn_tensor x0 = rows_of(&p, nought), d0 = zero_rows(&p);
    assert_ok(p.k.backend->norm_loss(p.k.dev, &x0, 1, 1, 1, &d0));
    got = fn_check_read(&p.k, &d0);
    assert_true(got[0] == 0 && got[1] == 1); /* 0 has no direction */
    free(got);
    fn_probe_close(&p);
}

/* ---- triplets ---- */

static double triplet_call(struct fn_probe *p, enum fn_loss which)
{
    const struct rows *r = p->the_case;
    const struct fn_tensor e = rows_of(p, p->in[0]), de = rows_of(p, NULL);
    assert_ok(p->k.backend->triplet_loss(p->k.dev, &e, r->count, r->p, &de));
    if (!p->analytic[0])
        p->analytic[0] = fn_check_read(&p->k, &de);
    return one_loss(p, which);
}

static double triplet_loss(struct fn_probe *p)
{
    return triplet_call(p, FN_LOSS_TRIPLET);
}

static void test_triplet(void **state)
{
    static const struct rows cases[] = {{3, 3, 5, 100}, {15, 12, 10, 0.2}, {9, 9, 127, -1}};
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct fn_probe p;
        open_rows(&p, &cases[i], 1);
        triplet_call(&p, FN_LOSS_TRIPLET);
        fn_probe_check(&p, "triplet", triplet_loss);
        fn_probe_close(&p);
    }
}

/* Two triplets on a line: 1 - 4 + 0.2 < 0 and 4 - 1 + 0.2; distances. */
static void test_triplet_values(void **state)
{
    static const double in[6] = {0, 1, 2, 0, 2, 1};
    static const struct rows r = {6, 6, 1, 0.2};
    (void)state;
    struct fn_probe p;
    float d2[36];
    open_rows(&p, &r, 1);
    memcpy(p.in[0], in, sizeof in);
    assert_true(fabs(triplet_call(&p, FN_LOSS_TRIPLET) - 3.2 / 2) < 1e-15);
    assert_true(triplet_call(&p, FN_LOSS_ACTIVE) == 1);
    for (int i = 0; i < 6; i++) /* 2 (n - p) / T, 2 (p - a) / T, 2 (a - n) / T */
        assert_true(p.analytic[0][i] == (i < 3 ? 0 : i == 3 ? -1 : i == 4 ? 2 : -1));
    const struct fn_tensor e = rows_of(&p, in);
    assert_ok(p.k.backend->distances(p.k.dev, &e, 6, d2));
    for (int i = 0; i < 36; i++)
        assert_true(d2[i] == (float)((in[i / 6] - in[i % 6]) * (in[i / 6] - in[i % 6])));
    fn_probe_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dropout), cmocka_unit_test(test_fc),
        cmocka_unit_test(test_l2norm),  cmocka_unit_test(test_l2norm_values),
        cmocka_unit_test(test_softmax), cmocka_unit_test(test_center),
        cmocka_unit_test(test_norm),    cmocka_unit_test(test_norm_values),
        cmocka_unit_test(test_triplet), cmocka_unit_test(test_triplet_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
