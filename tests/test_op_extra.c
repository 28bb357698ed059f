/* SPDX-License-Identifier: MIT */
/* Ops of what goes beyond the originals: margins and smoothed labels, batch norm with constant
 * statistics, sums of gradients, clipping, dropout of a batch in parts, spread of embeddings. */
#include <math.h>

#include "tests/op_probe.h"
#include "tests/test.h"

/* n rows of d, the first `count` of which count. */
struct rows {
    int n, count, d;
    struct fn_margin rule;
};

static const struct fn_margin rules[] = {
    {FN_MARGIN_ARC, 64, 0.5, 0}, {FN_MARGIN_ARC, 30, 1.2, 0.1}, {FN_MARGIN_COS, 64, 0.35, 0},
    {FN_MARGIN_COS, 8, 0, 0.3},  {FN_MARGIN_NONE, 1, 0, 0.1},   {FN_MARGIN_NONE, 1, 0, 0},
};
enum { RULES = sizeof rules / sizeof rules[0] };

static int32_t label_of(int row, int d)
{
    return (row * 7919 + 3) % d;
}

static const int32_t *labels_of(struct fn_check *k, int n, int d)
{
    const uint8_t *images;
    const int32_t *labels;
    uint8_t *image = fn_check_alloc(k, 4, FN_MEM_HOST);
    int32_t *host = fn_check_alloc(k, (size_t)n * sizeof *host, FN_MEM_HOST);
    memset(image, 0, 4);
    for (int i = 0; i < n; i++)
        host[i] = label_of(i, d);
    assert_ok(k->backend->batch_upload(k->dev, 0, image, 3, host, (size_t)n, &images, &labels));
    assert_ok(k->backend->batch_use(k->dev, 0));
    return labels;
}

/* Cosines; the labels' are 1, -1 and past the angle where a margin would turn round, then any. */
static double *cosines(int n, int d)
{
    static const double special[] = {1, -1, -0.99, 0.999};
    double *x = fn_check_host((size_t)n * (size_t)d, 1, 0.9, 0);
    for (int i = 0; i < n && i < 4; i++)
        x[(size_t)i * (size_t)d + (size_t)label_of(i, d)] = special[i];
    return x;
}

static void run_margin(struct fn_check *k, const void *the_case)
{
    const struct rows *r = the_case;
    const int32_t *labels = labels_of(k, r->n, r->d);
    double *host = cosines(r->n, r->d);
    const size_t count = (size_t)r->n * (size_t)r->d;
    for (int backward = 0; backward < 2; backward++) {
        const struct fn_tensor x = {r->n, 1, 1, r->d, 0, r->d, fn_check_vector_of(k, host, count)};
        assert_ok(k->backend->margin_xent(k->dev, &x, labels, r->count, &r->rule, backward));
        if (backward)
            fn_check_keep_rows(k, "gradient", &x);
        fn_check_keep_losses(k);
    }
    free(host);
}

static void test_margin(void **state)
{
    static const struct {
        int n, count, d;
    } sizes[] = {{1, 1, 2}, {5, 5, 5}, {6, 4, 127}, {3, 3, 10007}};
    (void)state;
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
        for (int i = 0; i < RULES; i++) {
            const struct rows r = {sizes[s].n, sizes[s].count, sizes[s].d, rules[i]};
            char title[64];
            snprintf(title, sizeof title, "margin %d (%d, %d)", i, r.n, r.d);
            fn_check_all(title, run_margin, &r, (struct fn_tolerance){2e-5, 5e-5, 1e-7});
        }
}

static double margin_loss(struct fn_probe *p)
{
    const struct rows *r = p->the_case;
    const struct fn_tensor x = fn_probe_tensor(p, r->n, 1, 1, r->d, p->in[0]);
    double losses[FN_LOSS_COUNT];
    assert_ok(p->k.backend->margin_xent(p->k.dev, &x, labels_of(&p->k, r->n, r->d), r->count,
                                        &r->rule, 0));
    fn_check_losses(&p->k, losses);
    fn_check_reset(&p->k);
    return losses[FN_LOSS_XENT];
}

static void test_margin_gradient(void **state)
{
    (void)state;
    for (int i = 0; i < RULES; i++) {
        const struct rows r = {6, 5, 11, rules[i]};
        struct fn_probe p;
        double losses[FN_LOSS_COUNT];
        fn_probe_open(&p, &r);
        fn_probe_input(&p, 0, 66, 0.95);
        p.in[0][label_of(2, 11) + 22] = -0.99; /* beyond the turn */
        const struct fn_tensor x = fn_probe_tensor(&p, 6, 1, 1, 11, p.in[0]);
        assert_ok(p.k.backend->margin_xent(p.k.dev, &x, labels_of(&p.k, 6, 11), 5, &r.rule, 1));
        p.analytic[0] = fn_check_read(&p.k, &x);
        fn_check_losses(&p.k, losses);
        fn_check_reset(&p.k);
        fn_probe_check(&p, "margin", margin_loss);
        fn_probe_close(&p);
    }
}

/* Two classes, the label's at an angle of 1, the other's cosine 0; the answer is by the cosine. */
static void test_margin_values(void **state)
{
    const struct fn_margin rule = {FN_MARGIN_ARC, 2, 0.7, 0};
    const double own = 2 * cos(1.7), p = exp(own) / (exp(own) + 1);
    double host[2] = {0, 0}, losses[FN_LOSS_COUNT];
    (void)state;
    host[label_of(0, 2)] = cos(1.0);
    for (int i = -1; i < 0 || fn_check_backend(i); i++) {
        struct fn_check k;
        assert_true(fn_check_open(&k, i < 0 ? "ref64" : fn_check_backend(i), 1));
        const struct fn_tensor x = {1, 1, 1, 2, 0, 2, fn_check_vector_of(&k, host, 2)};
        assert_ok(k.backend->margin_xent(k.dev, &x, labels_of(&k, 1, 2), 1, &rule, 1));
        fn_check_losses(&k, losses);
        double *g = fn_check_read(&k, &x);
        assert_true(fabs(losses[FN_LOSS_XENT] + log(p)) < 1e-6);
        assert_true(losses[FN_LOSS_CORRECT] == 1); /* though 2 cos 1.7 < 0 */
        assert_true(fabs(g[label_of(0, 2)] - (p - 1) * 2 * sin(1.7) / sin(1.0)) < 1e-6);
        assert_true(fabs(g[1 - label_of(0, 2)] - 2 * (1 - p)) < 1e-6);
        free(g);
        fn_check_close(&k);
    }
}

/* ---- batch norm ----------------------------------------------------------------------------- */

/* dy = dz / sqrt(var + 0.001) where z > 0, dbeta its sum: nothing goes through the statistics. */
static void check_fixed(struct fn_check *k, int relu)
{
    enum { N = 3, H = 5, C = 32, PIXELS = N * H * H };
    const struct fn_tensor y = fn_check_tensor(k, N, H, H, C, 1);
    const struct fn_tensor dz = fn_check_tensor(k, N, H, H, C, 2);
    void *stats = fn_check_vector(k, 2 * C, 3, 0.4, 0.5), *beta = fn_check_vector(k, C, 4, 0.5, 0);
    void *dbeta = fn_check_vector(k, C, 5, 1, 0);
    double *ys = fn_check_read(k, &y), *d = fn_check_read(k, &dz), *got, *sum;
    double *s = fn_check_read_vector(k, stats, 2 * C), *b = fn_check_read_vector(k, beta, C);
    assert_ok(k->backend->bn_backward(k->dev, &dz, &y, stats, beta,
                                      (relu ? FN_BN_RELU : 0) | FN_BN_FIXED, &y, dbeta));
    got = fn_check_read(k, &y);
    sum = fn_check_read_vector(k, dbeta, C);
    for (int c = 0; c < C; c++) {
        const double r = 1 / sqrt(s[C + c] + 1e-3);
        double all = 0;
        for (int p = 0; p < PIXELS; p++) {
            const int at = p * C + c;
            const double z = (ys[at] - s[c]) * r + b[c];
            const double g = relu && z <= 0 ? 0 : d[at];
            if (fabs(z) > 1e-5)
                assert_true(fabs(got[at] - g * r) < 1e-5);
            all += g;
        }
        assert_true(fabs(sum[c] - all) < 1e-4);
    }
    free(ys);
    free(d);
    free(got);
    free(sum);
    free(s);
    free(b);
    fn_check_reset(k);
}

static void test_bn_fixed(void **state)
{
    (void)state;
    for (int i = -1; i < 0 || fn_check_backend(i); i++) {
        struct fn_check k;
        assert_true(fn_check_open(&k, i < 0 ? "ref64" : fn_check_backend(i), 2));
        check_fixed(&k, 0);
        check_fixed(&k, 1);
        fn_check_close(&k);
    }
}

/* ---- gradients ------------------------------------------------------------------------------ */

static void run_combine(struct fn_check *k, const void *the_case)
{
    const size_t count = *(const size_t *)the_case;
    void *x = fn_check_vector(k, count, 1, 1, 0), *y = fn_check_vector(k, count, 2, 1, 0);
    double *bad = fn_check_host(count, 1, 0, NAN);
    void *fresh = fn_check_vector_of(k, bad, count);
    assert_ok(k->backend->combine(k->dev, y, 1, x, 0.25, count));
    assert_ok(k->backend->combine(k->dev, fresh, 0, x, 0.25, count));
    fn_check_keep_vector(k, "sum", y, count);
    fn_check_keep_vector(k, "fresh", fresh, count);
    assert_ok(k->backend->combine(k->dev, y, 0.5, y, 2, count));
    fn_check_keep_vector(k, "in place", y, count);
    free(bad);
}

static void test_combine(void **state)
{
    static const size_t counts[] = {1, 7, 16, 1023, 5000};
    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        fn_check_all("combine", run_combine, &counts[i], (struct fn_tolerance){1e-6, 1e-6, 0});
}

/* Gaps and a frozen group, which neither count nor change. */
enum { TRAINED = 9003 };
static const struct fn_param_group groups[] = {
    {.begin = 0, .count = 5, .decay = 1},    {.begin = 7, .count = 1},
    {.begin = 8, .count = 7000, .decay = 1}, {.begin = 7008, .count = 33, .frozen = 1},
    {.begin = 7041, .count = 1900},
};

static int counts(size_t i)
{
    return i != 5 && i != 6 && !(i >= 7008 && i < 7041) && i < 8941;
}

static void check_clip(struct fn_check *k, double share, double spoil)
{
    const struct fn_step step = {.t = 1};
    struct fn_params p = {.trained = TRAINED,
                          .total = TRAINED,
                          .groups = groups,
                          .group_count = sizeof groups / sizeof groups[0]};
    double *g = fn_check_host(TRAINED, 1, 3, 0), *got, squares = 0, norm;
    double losses[FN_LOSS_COUNT], factor;
    if (spoil != 0)
        g[100] = spoil;
    for (size_t i = 0; i < TRAINED; i++)
        squares += counts(i) ? g[i] * g[i] : 0;
    norm = sqrt(squares);
    factor = share < 1 && spoil == 0 ? share : 1;
    p.grad = fn_check_vector_of(k, g, TRAINED);
    assert_ok(k->backend->step_begin(k->dev, &step));
    assert_ok(k->backend->check_finite(k->dev, p.grad, TRAINED));
    assert_ok(k->backend->clip(k->dev, &p, share * (spoil != 0 ? 1 : norm)));
    fn_check_losses(k, losses);
    if (spoil != 0)
        assert_true(losses[FN_LOSS_GRADIENT] == 0 && losses[FN_LOSS_BAD] == 1);
    else
        assert_true(fabs(losses[FN_LOSS_GRADIENT] - norm) < 1e-5 * norm);
    got = fn_check_read_vector(k, p.grad, TRAINED);
    for (size_t i = 0; i < TRAINED; i++) {
        const double want = counts(i) ? g[i] * factor : g[i];
        if (factor == 1 || !counts(i))
            assert_memory_equal(&got[i], &want, sizeof want); /* NaN too */
        else
            assert_true(fabs(got[i] - want) < 1e-5);
    }
    free(g);
    free(got);
    fn_check_reset(k);
}

static void test_clip(void **state)
{
    (void)state;
    for (int i = -1; i < 0 || fn_check_backend(i); i++) {
        struct fn_check k;
        assert_true(fn_check_open(&k, i < 0 ? "ref64" : fn_check_backend(i), 2));
        check_clip(&k, 0.25, 0);
        check_clip(&k, 1.5, 0);
        check_clip(&k, 0.25, INFINITY);
        fn_check_close(&k);
    }
}

/* ---- rows ----------------------------------------------------------------------------------- */

/* The masks of a batch in parts are those of the whole. */
static void test_dropout_parts(void **state)
{
    enum { N = 6, D = 37, PART = 2 };
    (void)state;
    for (int i = -1; i < 0 || fn_check_backend(i); i++) {
        struct fn_check k;
        struct fn_step step = {.seed = 9, .step = 4};
        assert_true(fn_check_open(&k, i < 0 ? "ref64" : fn_check_backend(i), 2));
        const struct fn_tensor whole = fn_check_rows(&k, N, D, 1, 1);
        assert_ok(k.backend->step_begin(k.dev, &step));
        assert_ok(k.backend->dropout(k.dev, &whole, 0.5, &whole));
        double *all = fn_check_read(&k, &whole), *host = fn_check_host(N * D, 1, 1, 0);
        for (int first = 0; first < N; first += PART) {
            const struct fn_tensor x = {
                PART, 1, 1, D, 0, D, fn_check_vector_of(&k, host + first * D, PART * D)};
            step.first = (uint64_t)first;
            assert_ok(k.backend->step_begin(k.dev, &step));
            assert_ok(k.backend->dropout(k.dev, &x, 0.5, &x));
            double *got = fn_check_read(&k, &x);
            assert_memory_equal(got, all + first * D, PART * D * sizeof *got);
            free(got);
        }
        free(all);
        free(host);
        fn_check_close(&k);
    }
}

/* FN_LOSS_SPREAD is the mean of the distances. */
static void test_spread(void **state)
{
    static const int sizes[][3] = {{3, 3, 1}, {12, 9, 127}, {30, 30, 512}};
    (void)state;
    for (int i = -1; i < 0 || fn_check_backend(i); i++) {
        struct fn_check k;
        assert_true(fn_check_open(&k, i < 0 ? "ref64" : fn_check_backend(i), 2));
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            const int count = sizes[s][1];
            const struct fn_tensor e = fn_check_rows(&k, sizes[s][0], sizes[s][2], 1, 0.3);
            const struct fn_tensor de = fn_check_rows(&k, sizes[s][0], sizes[s][2], 2, 1);
            float d2[900];
            double losses[FN_LOSS_COUNT], sum = 0;
            assert_ok(k.backend->distances(k.dev, &e, count, d2));
            for (int a = 0; a < count * count; a++)
                sum += d2[a];
            sum /= (double)count * (count - 1);
            assert_ok(k.backend->triplet_loss(k.dev, &e, count, 0.2, &de));
            fn_check_losses(&k, losses);
            assert_true(fabs(losses[FN_LOSS_SPREAD] - sum) < 1e-5 * sum);
        }
        fn_check_close(&k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_margin),        cmocka_unit_test(test_margin_gradient),
        cmocka_unit_test(test_margin_values), cmocka_unit_test(test_bn_fixed),
        cmocka_unit_test(test_combine),       cmocka_unit_test(test_clip),
        cmocka_unit_test(test_dropout_parts), cmocka_unit_test(test_spread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
