/* SPDX-License-Identifier: MIT */
/* Optimizers against TensorFlow's own and against ref64; moving averages and statistics; values
 * that are not finite. */
#include <math.h>

#include "base/json.h"
#include "tests/op_check.h"
#include "tests/test.h"

static const char *const names[FN_OPTIMIZER_COUNT] = {"ADAGRAD", "ADADELTA", "ADAM", "RMSPROP",
                                                      "MOM"};

/* Arenas on the device, all `total` long. */
static struct fn_params make_params(struct fn_check *k, const double *w, size_t trained,
                                    size_t total, const struct fn_param_group *groups,
                                    size_t group_count)
{
    return (struct fn_params){.trained = trained,
                              .total = total,
                              .groups = groups,
                              .group_count = group_count,
                              .w = fn_check_vector_of(k, w, total),
                              .ema = fn_check_vector_of(k, w, total),
                              .grad = fn_check_vector(k, trained, 21, 1, 0),
                              .slot1 = fn_check_vector(k, trained, 22, 1, 0),
                              .slot2 = fn_check_vector(k, trained, 23, 1, 0),
                              .batch = fn_check_vector(k, total - trained, 24, 1, 2)};
}

/* ---- golden/optimizers.json ---- */

enum { GOLDEN = 12, STEPS = 25 };

/* The largest difference to a list of the file; 0 where it has none for this step. */
static double off_by(struct fn_check *k, const json_t *step, const char *key, const void *vector)
{
    const json_t *list = json_object_get(step, key);
    double worst = 0;
    if (!step)
        return 0;
    assert_int_equal(json_array_size(list), GOLDEN);
    double *got = fn_check_read_vector(k, vector, GOLDEN);
    for (size_t i = 0; i < GOLDEN; i++)
        worst = fmax(worst, fabs(got[i] - json_real_value(json_array_get(list, i))));
    free(got);
    return worst;
}

static double golden_run(struct fn_check *k, int optimizer, const json_t *steps)
{
    const struct fn_param_group group = {.begin = 0, .count = GOLDEN};
    const struct fn_update rule = {.optimizer = optimizer, .ema_decay = 0.9999};
    double w[GOLDEN], g[GOLDEN], worst = 0;
    for (int i = 0; i < GOLDEN; i++)
        w[i] = (float)sin(i + 1);
    const struct fn_params params = make_params(k, w, GOLDEN, GOLDEN, &group, 1);
    assert_ok(k->backend->update_init(k->dev, &params, optimizer));
    for (int t = 1; t <= STEPS; t++) {
        const struct fn_step step = {.step = (uint64_t)t - 1, .lr = 0.1, .t = (uint64_t)t};
        char key[16];
        for (int i = 0; i < GOLDEN; i++)
            g[i] = (float)((1 + 0.1 * i) * cos(0.3 * t * (i + 1)));
        assert_ok(k->backend->step_begin(k->dev, &step));
        assert_ok(k->backend->vector_import(k->dev, g, FN_F64, GOLDEN, params.grad));
        assert_ok(k->backend->check_finite(k->dev, params.grad, GOLDEN));
        assert_ok(k->backend->update(k->dev, &params, &rule));
        snprintf(key, sizeof key, "%d", t);
        const json_t *golden = json_object_get(steps, key);
        assert_true(golden || t < STEPS);
        worst = fmax(worst, off_by(k, golden, "w", params.w));
        worst = fmax(worst, off_by(k, golden, "ema", params.ema));
    }
    fn_check_reset(k);
    return worst;
}

static void test_golden(void **state)
{
    (void)state;
    need_data("golden/optimizers.json");
    json_t *root;
    assert_ok(fn_json_load(test_data("golden/optimizers.json"), 1 << 20, &root));
    const json_t *optimizers = json_object_get(root, "optimizers");
    for (int b = -1; b < 0 || fn_check_backend(b); b++) {
        const char *backend = b < 0 ? "ref64" : fn_check_backend(b);
        for (int o = 0; o < FN_OPTIMIZER_COUNT; o++) {
            struct fn_check k;
            assert_true(fn_check_open(&k, backend, 0));
            const json_t *steps = json_object_get(json_object_get(optimizers, names[o]), "steps");
            double worst = golden_run(&k, o, steps);
            printf("%s %s: within %.1e of TensorFlow after %d steps\n", backend, names[o], worst,
                   STEPS);
            assert_true(worst <= 5e-6);
            fn_check_close(&k);
        }
    }
    json_decref(root);
}

/* ---- against ref64 ---- */

enum { TRAINED = 1003, CHANNELS_A = 16, CHANNELS_B = 48, TOTAL = TRAINED + 2 * 16 + 2 * 48 };

/* A gap at 5, 6 and from 1000 on: no group, so nothing may change there. */
static const struct fn_param_group ugly_groups[] = {
    {0, 5, 1, 0, 0}, {7, 1, 0, 0, 0}, {8, 600, 1, 0, 1}, {608, 33, 1, 1, 0}, {641, 359, 0, 0, 0},
};
static const struct fn_moving_group moving_groups[] = {
    {TRAINED, CHANNELS_A, 12.0 / 11},
    {TRAINED + 2 * CHANNELS_A, CHANNELS_B, 1},
};

struct optim {
    int optimizer, ema;
    double weight_decay;
};

/* One step with new gradients, in the order of a training step. */
static void one_step(struct fn_check *k, const struct fn_params *p, const struct fn_update *rule,
                     int t, double spoil)
{
    const struct fn_step step = {.seed = 1, .step = (uint64_t)t - 1, .lr = 0.05, .t = (uint64_t)t};
    double *g = fn_check_host(p->trained, 30 + t, 0.3, 0);
    if (spoil != 0)
        g[p->trained - 1] = spoil;
    assert_ok(k->backend->step_begin(k->dev, &step));
    assert_ok(k->backend->vector_import(k->dev, g, FN_F64, p->trained, p->grad));
    assert_ok(k->backend->check_finite(k->dev, p->grad, p->trained));
    assert_ok(k->backend->update_moving(k->dev, p, moving_groups, 2, 0.95));
    assert_ok(k->backend->update(k->dev, p, rule));
    free(g);
}

static void keep_params(struct fn_check *k, const struct fn_params *p)
{
    fn_check_keep_vector(k, "w", p->w, p->total);
    fn_check_keep_vector(k, "slot1", p->slot1, p->trained);
    fn_check_keep_vector(k, "slot2", p->slot2, p->trained);
    if (p->ema)
        fn_check_keep_vector(k, "ema", p->ema, p->total);
}

static struct fn_params ugly_params(struct fn_check *k)
{
    double *w = fn_check_host(TOTAL, 20, 1, 0);
    struct fn_params p = make_params(k, w, TRAINED, TOTAL, ugly_groups, 5);
    free(w);
    return p;
}

static void run_optim(struct fn_check *k, const void *the_case)
{
    const struct optim *o = the_case;
    const struct fn_update rule = {o->optimizer, o->weight_decay, 0.3};
    struct fn_params p = ugly_params(k);
    if (!o->ema)
        p.ema = NULL;
    assert_ok(k->backend->update_init(k->dev, &p, o->optimizer));
    for (int t = 1; t <= 4; t++) {
        one_step(k, &p, &rule, t, 0);
        fn_check_keep_losses(k);
    }
    keep_params(k, &p);
}

static void test_update(void **state)
{
    (void)state;
    for (int i = 0; i < FN_OPTIMIZER_COUNT; i++)
        for (int ema = 0; ema < 2; ema++) {
            const struct optim o = {i, ema, ema ? 5e-2 : 0};
            fn_check_all(names[i], run_optim, &o, (struct fn_tolerance){2e-6, 2e-5, 1e-8});
        }
}

/* ---- what may not change ---- */

static void same_bits(struct fn_check *k, const void *vector, size_t first, size_t count,
                      const double *before)
{
    double *now = fn_check_read_vector(k, vector, first + count);
    assert_memory_equal(now + first, before + first, count * sizeof *now);
    free(now);
}

/* moving = 0.95 moving + 0.05 batch; the variance times 12 / 11 in the first layer, 1 in the
 * second. */
static void moved(struct fn_check *k, const struct fn_params *p, const double *before)
{
    double *now = fn_check_read_vector(k, p->w, TOTAL);
    double *batch = fn_check_read_vector(k, p->batch, TOTAL - TRAINED);
    for (size_t i = TRAINED; i < TOTAL; i++) {
        const int unbiased = i >= TRAINED + CHANNELS_A && i < TRAINED + 2 * CHANNELS_A;
        const double fed = batch[i - TRAINED] * (unbiased ? 12.0 / 11 : 1);
        assert_true(fabs(now[i] - (0.95 * before[i] + 0.05 * fed)) < 1e-6);
    }
    free(batch);
    free(now);
}

/* A frozen group and the gaps keep their weights and slots; its EMA goes on. */
static void test_frozen(void **state)
{
    (void)state;
    for (int i = 0; fn_check_backend(i); i++) {
        struct fn_check k;
        const struct fn_update rule = {FN_ADAM, 0.1, 0.1};
        assert_true(fn_check_open(&k, fn_check_backend(i), 0));
        const struct fn_params p = ugly_params(&k);
        double *ones = fn_check_host(TOTAL, 20, 0, 1);
        assert_ok(k.backend->vector_import(k.dev, ones, FN_F64, TOTAL, p.ema));
        assert_ok(k.backend->update_init(k.dev, &p, FN_ADAM));
        double *w = fn_check_read_vector(&k, p.w, TOTAL);
        double *slot = fn_check_read_vector(&k, p.slot1, TRAINED);
        one_step(&k, &p, &rule, 1, 0);
        same_bits(&k, p.w, 5, 2, w);
        same_bits(&k, p.w, 608, 33, w);
        same_bits(&k, p.w, 1000, 3, w);
        same_bits(&k, p.slot1, 608, 33, slot);
        moved(&k, &p, w);
        double *now = fn_check_read_vector(&k, p.w, TOTAL);
        double *ema = fn_check_read_vector(&k, p.ema, TOTAL);
        for (size_t e = 0; e < TOTAL; e++) /* decay min(0.1, 2 / 11) */
            assert_true(fabs(ema[e] - (0.1 + 0.9 * now[e])) < 1e-6);
        for (size_t e = 0; e < TRAINED; e++)
            assert_true(now[e] != w[e] || e == 5 || e == 6 || (e >= 608 && e < 641) || e >= 1000);
        free(ones);
        free(w);
        free(slot);
        free(now);
        free(ema);
        fn_check_close(&k);
    }
}

/* FN_LOSS_DECAY: of the weights before the update, not of frozen groups. */
static void test_decay_loss(void **state)
{
    (void)state;
    for (int i = 0; fn_check_backend(i); i++) {
        struct fn_check k;
        double losses[FN_LOSS_COUNT], want = 0;
        const struct fn_update rule = {FN_MOM, 0.1, 0.5};
        assert_true(fn_check_open(&k, fn_check_backend(i), 0));
        const struct fn_params p = ugly_params(&k);
        assert_ok(k.backend->update_init(k.dev, &p, FN_MOM));
        for (size_t e = 0; e < 608; e++)
            if (e < 5 || e >= 8)
                want += 0.1 * pow(fn_check_random(20, e), 2) / 2;
        one_step(&k, &p, &rule, 1, 0);
        fn_check_losses(&k, losses);
        assert_true(fabs(losses[FN_LOSS_DECAY] - want) < 1e-5 * want);
        assert_true(losses[FN_LOSS_BAD] == 0);
        fn_check_close(&k);
    }
}

/* ---- not finite ---- */

static void nothing_moves(struct fn_check *k, int optimizer, double spoil)
{
    enum { D = 5 };
    const struct fn_update rule = {optimizer, 0.1, 0.5};
    const struct fn_params p = ugly_params(k);
    const struct fn_tensor x = fn_check_rows(k, 1, D, 40, 1);
    void *centers = fn_check_vector(k, D, 41, 1, 0);
    const uint8_t *images;
    const int32_t *labels;
    double losses[FN_LOSS_COUNT];
    int32_t *zero = fn_check_alloc(k, sizeof *zero, FN_MEM_HOST);
    uint8_t *image = fn_check_alloc(k, 3, FN_MEM_HOST);
    memset(image, 0, 3);
    *zero = 0;
    assert_ok(k->backend->batch_upload(k->dev, 1, image, 3, zero, 1, &images, &labels));
    assert_ok(k->backend->batch_use(k->dev, 1));
    assert_ok(k->backend->update_init(k->dev, &p, optimizer));
    one_step(k, &p, &rule, 1, 0); /* slots with something in them */
    fn_check_losses(k, losses);
    double *w = fn_check_read_vector(k, p.w, TOTAL), *ema = fn_check_read_vector(k, p.ema, TOTAL);
    double *slot1 = fn_check_read_vector(k, p.slot1, TRAINED);
    double *slot2 = fn_check_read_vector(k, p.slot2, TRAINED);
    double *center = fn_check_read_vector(k, centers, D);

    one_step(k, &p, &rule, 2, spoil);
    assert_ok(k->backend->center_update(k->dev, &x, labels, 1, centers, 0.5));
    same_bits(k, p.w, 0, TOTAL, w);
    same_bits(k, p.ema, 0, TOTAL, ema);
    same_bits(k, p.slot1, 0, TRAINED, slot1);
    same_bits(k, p.slot2, 0, TRAINED, slot2);
    same_bits(k, centers, 0, D, center);
    fn_check_losses(k, losses);
    assert_true(losses[FN_LOSS_BAD] == 1);

    one_step(k, &p, &rule, 3, 0); /* the next step is free again */
    double *now = fn_check_read_vector(k, p.w, TOTAL);
    assert_true(now[0] != w[0] && now[TRAINED] != w[TRAINED]);
    fn_check_losses(k, losses);
    assert_true(losses[FN_LOSS_BAD] == 0);
    free(w);
    free(ema);
    free(slot1);
    free(slot2);
    free(center);
    free(now);
}

static void test_not_finite(void **state)
{
    const double bad[] = {NAN, INFINITY, -INFINITY};
    (void)state;
    for (int i = 0; fn_check_backend(i); i++)
        for (int o = 0; o < FN_OPTIMIZER_COUNT; o++)
            for (int v = 0; v < 3; v++) {
                struct fn_check k;
                assert_true(fn_check_open(&k, fn_check_backend(i), 0));
                nothing_moves(&k, o, bad[v]);
                fn_check_close(&k);
            }
}

/* Every one of them is counted, wherever it stands; so is a loss that is not finite. */
static void test_count_bad(void **state)
{
    enum { COUNT = 9037 }; /* several blocks of a GPU */
    (void)state;
    for (int i = 0; fn_check_backend(i); i++) {
        struct fn_check k;
        double losses[FN_LOSS_COUNT];
        const struct fn_step step = {.t = 1};
        assert_true(fn_check_open(&k, fn_check_backend(i), 0));
        double *host = fn_check_host(COUNT, 1, 1e30, 0);
        host[0] = NAN;
        host[517] = INFINITY;
        host[COUNT - 1] = -INFINITY;
        void *grad = fn_check_vector_of(&k, host, COUNT);
        assert_ok(k.backend->step_begin(k.dev, &step));
        assert_ok(k.backend->check_finite(k.dev, (char *)grad, COUNT));
        fn_check_losses(&k, losses);
        assert_true(losses[FN_LOSS_BAD] == 3);

        const double nan_row[2] = {NAN, 1};
        const struct fn_tensor e = {1, 1, 1, 2, 0, 2, fn_check_vector_of(&k, nan_row, 2)};
        void *fine = fn_check_vector(&k, 8, 2, 1, 0);
        assert_ok(k.backend->step_begin(k.dev, &step));
        assert_ok(k.backend->norm_loss(k.dev, &e, 1, 1, 1, NULL));
        assert_ok(k.backend->check_finite(k.dev, fine, 8));
        fn_check_losses(&k, losses);
        assert_true(isnan(losses[FN_LOSS_NORM]) && losses[FN_LOSS_BAD] == 1);
        free(host);
        fn_check_close(&k);
    }
}

/* A NaN in an activation goes through batch norm, the residual's ReLU and the softmax to the loss.
 */
static void run_nan(struct fn_check *k, const void *unused)
{
    (void)unused;
    const struct fn_backend *b = k->backend;
    const struct fn_tensor x = fn_check_tensor(k, 1, 1, 3, 16, 1);
    const struct fn_tensor z = fn_check_tensor(k, 1, 1, 3, 16, 2);
    const struct fn_tensor out = fn_check_tensor(k, 1, 1, 3, 16, 3);
    const struct fn_tensor rows = fn_check_rows(k, 1, 16, 4, 1);
    double *host = fn_check_read(k, &x);
    host[16 + 5] = NAN;
    assert_ok(b->tensor_import(k->dev, host, FN_F64, &x));
    free(host);
    void *stats = fn_check_vector(k, 32, 5, 0, 1), *beta = fn_check_vector(k, 16, 6, 1, 0);
    assert_ok(b->bn_forward(k->dev, &x, stats, beta, 1, &z));
    fn_check_keep_tensor(k, "z", &z);
    host = fn_check_read(k, &z);
    assert_true(isnan(host[16 + 5]));
    free(host);
    assert_ok(b->residual_forward(k->dev, &z, &z, beta, 0.5, 1, &out));
    fn_check_keep_tensor(k, "out", &out);
    assert_ok(b->avgpool_forward(k->dev, &out, &rows));
    fn_check_keep_rows(k, "rows", &rows);
}

static void test_nan_is_seen(void **state)
{
    (void)state;
    fn_check_all("NaN through ReLU", run_nan, NULL, (struct fn_tolerance){2e-6, 1e-5, 0});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),      cmocka_unit_test(test_update),
        cmocka_unit_test(test_frozen),      cmocka_unit_test(test_decay_loss),
        cmocka_unit_test(test_not_finite),  cmocka_unit_test(test_count_bad),
        cmocka_unit_test(test_nan_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
