/* SPDX-License-Identifier: MIT */
/* Online mining: the chosen triplets against a plain loop over all triples, the gradient against
 * differences of the loss, on every backend. */
#include <math.h>

#include "base/rng.h"
#include "tests/rig.h"
#include "train/triplet_select.h"

enum { MOST = 24 };

/* Few different values: ties are common. */
static void draw(float *d2, int32_t *labels, size_t n, int classes, uint64_t seed)
{
    for (size_t i = 0; i < n; i++) {
        labels[i] = (int32_t)(fn_rng(seed, 1, i, 9) % (uint64_t)classes);
        for (size_t j = 0; j <= i; j++)
            d2[i * n + j] = d2[j * n + i] =
                i == j ? 0 : (float)(fn_rng(seed, i, j, 9) % 12) / 4 + 0.125F;
    }
}

/* Is n a better negative than `best` for the pair? By the words of triplet_online.h. */
static int better(const float *d, size_t p, size_t n, size_t best, int rule)
{
    int far_n = d[n] > d[p], far_best = d[best] > d[p];
    if (rule == FN_SELECT_HARD)
        return d[n] < d[best];
    if (far_n != far_best)
        return far_n;
    return far_n ? d[n] < d[best] : d[n] > d[best];
}

/* Every triple is looked at; the coefficients are added up one by one. */
static size_t plain(const float *d2, const int32_t *labels, size_t n, int rule, double alpha,
                    int32_t *rows, double *c, double *loss, uint64_t *active)
{
    size_t count = 0;
    *loss = 0;
    *active = 0;
    memset(c, 0, n * n * sizeof *c);
    for (size_t a = 0; a < n; a++)
        for (size_t p = 0; p < n; p++) {
            const float *d = d2 + a * n;
            size_t best = n;
            int pair = p != a && labels[p] == labels[a];
            for (size_t q = 0; pair && rule == FN_SELECT_HARD && q < n; q++)
                if (q != a && labels[q] == labels[a] && (d[q] > d[p] || (d[q] == d[p] && q < p)))
                    pair = 0; /* another positive is farther, or as far and before it */
            for (size_t k = 0; pair && k < n; k++)
                if (labels[k] != labels[a] && (best == n || better(d, p, k, best, rule)))
                    best = k;
            if (best == n)
                continue;
            rows[3 * count] = (int32_t)a;
            rows[3 * count + 1] = (int32_t)p;
            rows[3 * count++ + 2] = (int32_t)best;
        }
    for (size_t i = 0; i < count; i++) {
        size_t a = (size_t)rows[3 * i], p = (size_t)rows[3 * i + 1], k = (size_t)rows[3 * i + 2];
        double hinge = (double)d2[a * n + p] - (double)d2[a * n + k] + alpha,
               f = 2.0 / (double)count;
        if (hinge <= 0)
            continue;
        ++*active;
        *loss += hinge / (double)count;
        c[a * n + k] += f, c[a * n + p] -= f; /* da = 2 (n - p) / T */
        c[p * n + p] += f, c[p * n + a] -= f; /* dp = 2 (p - a) / T */
        c[k * n + a] += f, c[k * n + k] -= f; /* dn = 2 (a - n) / T */
    }
    return count;
}

static void test_selection(void **state)
{
    float d2[MOST * MOST], c[MOST * MOST];
    double want_c[MOST * MOST], loss;
    int32_t labels[MOST], rows[3 * MOST * MOST], want[3 * MOST * MOST];
    size_t all = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 400; seed++) {
        size_t n = 1 + seed % MOST;
        int rule = seed & 1 ? FN_SELECT_HARD : FN_SELECT_SEMI_HARD;
        double alpha = seed % 3 ? 0.3 : -0.5;
        struct fn_online_figures f;
        uint64_t active;
        draw(d2, labels, n, 1 + (int)(seed % 5), seed);
        size_t count = plain(d2, labels, n, rule, alpha, want, want_c, &loss, &active);
        fn_triplet_online(d2, labels, n, rule, alpha, c, rows, &f);
        assert_int_equal(f.triplets, count);
        assert_int_equal(f.active, active);
        assert_memory_equal(rows, want, 3 * count * sizeof *rows);
        assert_true(fabs(f.loss - loss) < 1e-12 * (1 + loss));
        for (size_t i = 0; i < n * n; i++)
            assert_true(fabs((double)c[i] - want_c[i]) < 1e-6);
        all += count;
    }
    assert_true(all > 10000);
    d2[1] = NAN; /* nothing is chosen */
    struct fn_online_figures f;
    d2[MOST] = NAN;
    fn_triplet_online(d2, labels, MOST, FN_SELECT_HARD, 0.2, c, NULL, &f);
    assert_true(f.not_finite == 1 && f.triplets == 0 && isnan(f.loss));
}

/* ---- on an exec ----------------------------------------------------------------------------- */

enum { N = 12, D = 16 };

static int open_rig(struct rig *r, struct fn_online **o, const char *backend, int rule)
{
    const struct rig_options ro = {backend, "shrunken", 75, D, 0, N, 1, FN_HEAD_TRIPLET, FN_MOM, 0};
    if (!rig_open(r, &ro))
        return 0;
    assert_ok(fn_online_open(o, r->be, r->dev, N, rule));
    for (int i = 0; i < N; i++)
        r->labels[i] = i / 3;
    (*o)->labels = r->labels;
    return 1;
}

static double loss_of(struct rig *r, struct fn_online *o, const double *x, int backward)
{
    assert_ok(r->be->tensor_import(r->dev, x, FN_F64, fn_exec_rows(r->exec, FN_ROWS_PRELOGITS)));
    assert_ok(fn_loss_online(r->exec, o, 0.5, backward));
    return o->figures.loss;
}

static void check_gradient(const char *backend, int rule, double *want)
{
    double x[N * D], got[N * D], most = 0;
    const double h = 1e-3; /* the distances are floats */
    struct fn_online *o = NULL;
    struct rig r;
    if (!open_rig(&r, &o, backend, rule))
        return;
    for (int i = 0; i < N * D; i++)
        x[i] = sin(1.3 * i) + 0.8 * cos(2.9 * (i % D) + i / (3 * D));
    loss_of(&r, o, x, 1);
    assert_true(o->figures.active > 3);
    rig_rows(&r, FN_ROWS_D_PRELOGITS, got);
    if (strcmp(backend, "ref64") == 0)
        memcpy(want, got, sizeof got);
    for (int i = 0; i < N * D; i++)
        most = fmax(most, fabs(want[i]));
    for (int i = 0; i < N * D; i++)
        assert_true(fabs(got[i] - want[i]) < 1e-5 * most);
    for (int i = 0; strcmp(backend, "ref64") == 0 && i < N * D; i += 7) {
        const double kept = x[i];
        x[i] = kept + h;
        const double above = loss_of(&r, o, x, 0);
        x[i] = kept - h;
        const double below = loss_of(&r, o, x, 0);
        x[i] = kept;
        if (fabs((above - below) / (2 * h) - got[i]) > 1e-3 * most)
            fail_msg("element %d: %.8g, differences say %.8g", i, got[i],
                     (above - below) / (2 * h));
    }
    fn_online_close(&o, r.be, r.dev);
    rig_close(&r);
}

static void test_gradient(void **state)
{
    double want[N * D];
    (void)state;
    for (int hard = 0; hard < 2; hard++) {
        int rule = hard ? FN_SELECT_HARD : FN_SELECT_SEMI_HARD;
        check_gradient("ref64", rule, want);
        check_gradient("ref", rule, want);
        check_gradient("cpu", rule, want);
    }
}

/* Whole steps: the loss falls; a step whose embeddings are not finite is noticed and skipped. */
static void test_steps(void **state)
{
    enum { STEPS = 12 };
    struct fn_step_options so = {
        .keep = 1, .alpha = 0.5, .bn_decay = 0.9, .update = {.optimizer = FN_MOM}};
    double curve[STEPS], losses[FN_LOSS_COUNT];
    struct fn_online *o = NULL;
    struct rig r;
    (void)state;
    if (!open_rig(&r, &o, "cpu", FN_SELECT_SEMI_HARD) &&
        !open_rig(&r, &o, "ref", FN_SELECT_SEMI_HARD))
        return;
    so.online = o;
    assert_ok(fn_model_init(r.model, 3));
    for (size_t i = 0; i < N * r.image_bytes; i++)
        r.images[i] = (uint8_t)(fn_rng(i / r.image_bytes / 3, i % r.image_bytes / 225, 0, 8) % 200 +
                                fn_rng(1, i, 0, 8) % 50);
    rig_upload(&r);
    for (int i = 0; i < STEPS; i++) {
        const struct fn_step s = {7, (uint64_t)i, 0.01, (uint64_t)i + 1, 0};
        assert_ok(fn_step_train(r.exec, &s, r.dev_images, r.dev_labels, &so));
        rig_losses(&r, losses);
        assert_true(losses[FN_LOSS_BAD] == 0 && losses[FN_LOSS_TRIPLET] == 0);
        fn_online_losses(&o->figures, losses);
        curve[i] = fn_step_total(losses, &so);
        assert_true(o->figures.pairs == N * 2 && losses[FN_LOSS_SPREAD] > 0);
    }
    printf("  loss %.3f -> %.3f\n", curve[0], curve[STEPS - 1]);
    assert_true(curve[STEPS - 1] < 0.7 * curve[0]);
    size_t beta = (size_t)fn_net_find(r.net, "last_bn.bias");
    float bad[D] = {NAN};
    assert_ok(fn_model_set(r.model, FN_ARENA_W, beta, bad, FN_F32));
    const struct fn_step s = {7, STEPS, 0.01, STEPS + 1, 0};
    assert_ok(fn_step_train(r.exec, &s, r.dev_images, r.dev_labels, &so));
    rig_losses(&r, losses);
    assert_true(losses[FN_LOSS_BAD] > 0 && o->figures.not_finite > 0);
    fn_online_close(&o, r.be, r.dev);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_selection),
        cmocka_unit_test(test_gradient),
        cmocka_unit_test(test_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
