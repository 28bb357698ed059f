/* SPDX-License-Identifier: MIT */
/* Steps of the shrunken network with what goes beyond the originals: a batch in parts is the whole
 * batch, frozen parameters keep their bits, a margin learns. */
#include <math.h>

#include "base/rng.h"
#include "tests/rig.h"

enum { SIZE = 75, EMBEDDING = 16, CLASSES = 4, N = 12 };

/* Weights and biases are trained, no batch norm is. */
#define NO_BN "\\.weight$|conv2d\\.bias$|^logits"

static const struct fn_step_options options = {
    .keep = 0.8,
    .norm_factor = 1e-4,
    .norm_p = 1,
    .center_factor = 1e-2,
    .center_alfa = 0.9,
    .bn_decay = 0.9,
    .update = {FN_MOM, 1e-4, 0.99},
};

static int open_rig(struct rig *r, const char *backend, const char *trainable, int normalized,
                    int parts)
{
    const struct rig_options ro = {backend, "shrunken",      SIZE,   EMBEDDING, CLASSES, N,
                                   1,       FN_HEAD_SOFTMAX, FN_MOM, 1};
    const struct fn_model_options mo = {.training = 1,
                                        .optimizer = FN_MOM,
                                        .ema = 1,
                                        .trainable = trainable,
                                        .normalized = normalized,
                                        .parts = parts};
    if (!rig_open_with(r, &ro, &mo, parts ? N / parts : N, FN_FP32))
        return 0;
    assert_ok(fn_model_init(r->model, 5));
    return 1;
}

/* Pictures of class k: its own stripes, with noise; another batch every step. */
static void draw_batch(struct rig *r, uint64_t step)
{
    for (int i = 0; i < N; i++) {
        int label = (i * 7 + i / 4) % CLASSES;
        uint8_t *im = r->images + (size_t)i * r->image_bytes;
        for (size_t p = 0; p < r->image_bytes; p++) {
            size_t x = p / 3 % SIZE, y = p / 3 / SIZE;
            size_t wave = (label & 1 ? x : y) / (label & 2 ? 4u : 9u) % 2;
            im[p] = (uint8_t)(wave * 120 + fn_rng(step, (uint64_t)i, p, 8) % 100);
        }
        r->labels[i] = label;
    }
    rig_upload(r);
}

static void train(struct rig *r, uint64_t step, const struct fn_step_options *o, double *losses)
{
    const struct fn_step s = {7, step, 0.05, step + 1, 0};
    draw_batch(r, step);
    assert_ok(fn_step_train(r->exec, &s, r->dev_images, r->dev_labels, o));
    rig_losses(r, losses);
    fn_step_losses(losses, o);
}

/* Every parameter of an arena, one after the other; malloc'd. */
static double *arena(struct rig *r, int which, size_t *count)
{
    const struct fn_net *net = r->net;
    size_t at = 0;
    double *all;
    *count = 0;
    for (size_t i = 0; i < net->param_count; i++)
        *count += net->params[i].count;
    all = calloc(*count, sizeof *all);
    assert_true(all);
    for (size_t i = 0; i < net->param_count; i++) {
        if (fn_model_has(r->model, which, i))
            assert_ok(fn_model_get(r->model, which, i, all + at, FN_F64));
        at += net->params[i].count;
    }
    return all;
}

static double apart(struct rig *a, struct rig *b, int which)
{
    size_t count;
    double *x = arena(a, which, &count), *y = arena(b, which, &count), worst = 0;
    for (size_t i = 0; i < count; i++)
        worst = fmax(worst, fabs(x[i] - y[i]));
    free(x);
    free(y);
    return worst;
}

/* In double, where nothing is normalized by its batch: the same gradients, losses, centers,
 * updates; dropout is on. */
static void test_parts(void **state)
{
    struct fn_step_options whole = options, cut = options;
    (void)state;
    cut.parts = 3;
    cut.clip = whole.clip = 0.5;
    struct rig a, b;
    assert_true(open_rig(&a, "ref64", NO_BN, 0, 1));
    assert_true(open_rig(&b, "ref64", NO_BN, 0, 3));
    for (uint64_t step = 0; step < 3; step++) {
        double la[FN_LOSS_COUNT], lb[FN_LOSS_COUNT], centers[2][CLASSES * EMBEDDING];
        train(&a, step, &whole, la);
        train(&b, step, &cut, lb);
        for (int i = 0; i < FN_LOSS_COUNT; i++)
            assert_true(fabs(la[i] - lb[i]) <= 1e-9 * (1 + fabs(la[i])));
        assert_true(la[FN_LOSS_XENT] > 0 && la[FN_LOSS_GRADIENT] > 0.5);
        assert_true(apart(&a, &b, FN_ARENA_GRAD) < 1e-9 && apart(&a, &b, FN_ARENA_W) < 1e-9);
        assert_ok(
            a.be->vector_export(a.dev, a.model->centers, CLASSES * EMBEDDING, centers[0], FN_F64));
        assert_ok(
            b.be->vector_export(b.dev, b.model->centers, CLASSES * EMBEDDING, centers[1], FN_F64));
        for (int i = 0; i < CLASSES * EMBEDDING; i++)
            assert_true(fabs(centers[0][i] - centers[1][i]) < 1e-9);
    }
    rig_close(&a);
    rig_close(&b);
}

/* With batch norm: the first layer's moving mean is that of the whole batch, its variance is less
 * by what lies between the parts' means. */
static void test_parts_statistics(void **state)
{
    struct fn_step_options cut = options;
    double losses[FN_LOSS_COUNT], mean[2][16], var[2][16];
    struct rig r[2];
    (void)state;
    cut.parts = 4;
    for (int i = 0; i < 2; i++) {
        assert_true(open_rig(&r[i], "ref64", NULL, 0, i ? 4 : 1));
        train(&r[i], 0, i ? &cut : &options, losses);
        size_t at = (size_t)r[i].net->nodes[0].moving;
        assert_int_equal(r[i].net->params[at].count, 16);
        assert_ok(fn_model_get(r[i].model, FN_ARENA_W, at, mean[i], FN_F64));
        assert_ok(fn_model_get(r[i].model, FN_ARENA_W, at + 1, var[i], FN_F64));
        rig_close(&r[i]);
    }
    for (int c = 0; c < 16; c++) {
        assert_true(fabs(mean[0][c] - mean[1][c]) < 1e-12);
        assert_true(var[1][c] <= 1.001 * var[0][c] && var[1][c] > 0.9);
    }
}

/* What is not finite in one part changes nothing at all. */
static void check_bad_part(const char *backend)
{
    struct fn_step_options cut = options;
    double losses[FN_LOSS_COUNT];
    struct rig r;
    cut.parts = 3;
    if (!open_rig(&r, backend, NULL, 0, 3))
        return;
    train(&r, 0, &cut, losses);
    size_t count, bias = (size_t)fn_net_find(r.net, "logits.bias");
    float b[CLASSES], good;
    assert_ok(fn_model_get(r.model, FN_ARENA_W, bias, b, FN_F32));
    double *before = arena(&r, FN_ARENA_W, &count);
    good = b[1];
    b[1] = NAN;
    assert_ok(fn_model_set(r.model, FN_ARENA_W, bias, b, FN_F32));
    train(&r, 1, &cut, losses);
    assert_true(losses[FN_LOSS_BAD] > 0);
    b[1] = good;
    assert_ok(fn_model_set(r.model, FN_ARENA_W, bias, b, FN_F32));
    double *after = arena(&r, FN_ARENA_W, &count);
    assert_memory_equal(before, after, count * sizeof *before);
    train(&r, 1, &cut, losses);
    assert_true(losses[FN_LOSS_BAD] == 0);
    free(before);
    free(after);
    rig_close(&r);
}

static void test_bad_part(void **state)
{
    (void)state;
    check_bad_part("ref");
    check_bad_part("cpu");
}

/* Parameters and statistics of what is frozen keep their bits; all else moves. */
static void check_frozen(const char *backend, const char *pattern, const char *last)
{
    double losses[FN_LOSS_COUNT];
    size_t count, at = 0, elements;
    struct rig r;
    if (!open_rig(&r, backend, pattern, 0, 1))
        return;
    double *before = arena(&r, FN_ARENA_W, &count);
    for (uint64_t step = 0; step < 3; step++)
        train(&r, step, &options, losses);
    double *after = arena(&r, FN_ARENA_W, &count), *ema = arena(&r, FN_ARENA_EMA, &count);
    for (size_t i = 0; i < r.net->param_count; i++) {
        const struct fn_net_param *p = &r.net->params[i];
        int same = !memcmp(before + at, after + at, p->count * sizeof *before);
        int wanted = strncmp(p->name, last, strlen(last)) == 0 || !strncmp(p->name, "logits", 6);
        if (same == wanted)
            fail_msg("%s with --trainable %s: %s %s", backend, pattern, p->name,
                     same ? "stays" : "moves");
        if (!wanted)
            assert_memory_equal(ema + at, before + at, p->count * sizeof *before);
        at += p->count;
    }
    assert_true(fn_model_trainable(r.model, &elements) < r.net->trained_count && elements > 0);
    free(before);
    free(after);
    free(ema);
    rig_close(&r);
}

static void test_frozen(void **state)
{
    (void)state;
    check_frozen("ref", "^(last_|logits)", "last_");
    check_frozen("cpu", "^(last_|logits)", "last_");
    check_frozen("cpu", "^(repeat_2|logits)", "repeat_2"); /* frozen before and behind */
    check_frozen("cpu", "^logits", "logits");              /* no node at all */
}

static void test_patterns(void **state)
{
    const struct rig_options ro = {"ref", "shrunken",      SIZE,   EMBEDDING, CLASSES, N,
                                   1,     FN_HEAD_SOFTMAX, FN_MOM, 1};
    static const char *const bad[] = {"(", "nothing_of_that_name", "^running_mean"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct fn_model_options mo = {.training = 1, .trainable = bad[i]};
        const struct fn_dev_options dev = {.threads = 1};
        const struct fn_net_options net = {ro.network, SIZE, EMBEDDING, CLASSES};
        struct rig r;
        memset(&r, 0, sizeof r);
        assert_ok(fn_backend_open("ref", &dev, &r.be, &r.dev, NULL));
        assert_ok(fn_net_open(&r.net, &net));
        assert_int_equal(fn_model_open(&r.model, r.net, r.be, r.dev, &mo), FN_EUSAGE);
        assert_true(strstr(fn_err_text(FN_EUSAGE), bad[i]) && !r.model);
        fn_net_close(&r.net);
        r.be->close(&r.dev);
    }
}

/* Through constant statistics in the middle of the network: against differences of the loss. */
static void test_frozen_gradient(void **state)
{
    struct fn_step_options o = options;
    double losses[FN_LOSS_COUNT], at[2], w[8000], g[8000];
    const double h = 1e-7; /* few ReLUs turn within it */
    struct rig r;
    (void)state;
    o.center_factor = 0;
    assert_true(open_rig(&r, "ref64", "^conv2d_1a|weight$", 0, 1));
    draw_batch(&r, 0);
    size_t param = (size_t)fn_net_find(r.net, "conv2d_2a.conv.weight");
    size_t elements = r.net->params[param].count;
    assert_true(elements <= 8000);
    assert_ok(fn_model_get(r.model, FN_ARENA_W, param, w, FN_F64));
    for (size_t e = 0; e < elements; e += elements / 3 + 1) {
        const struct fn_step s = {7, 0, 0, 1, 0};
        const double kept = w[e];
        for (int side = 0; side < 2; side++) {
            w[e] = kept + (side ? h : -h);
            assert_ok(fn_model_set(r.model, FN_ARENA_W, param, w, FN_F64));
            assert_ok(r.be->step_begin(r.dev, &s));
            assert_ok(fn_exec_images(r.exec, r.dev_images, 0, 0));
            assert_ok(fn_exec_forward(r.exec, o.keep));
            assert_ok(fn_loss_softmax(r.exec, r.dev_labels, N, &o, 0));
            rig_losses(&r, losses);
            at[side] = fn_step_total(losses, &o);
        }
        w[e] = kept;
        assert_ok(fn_model_set(r.model, FN_ARENA_W, param, w, FN_F64));
        assert_ok(r.be->step_begin(r.dev, &s));
        assert_ok(fn_exec_images(r.exec, r.dev_images, 0, 0));
        assert_ok(fn_exec_forward(r.exec, o.keep));
        assert_ok(fn_loss_softmax(r.exec, r.dev_labels, N, &o, 1));
        assert_ok(fn_exec_backward(r.exec, o.keep));
        rig_losses(&r, losses);
        assert_ok(fn_model_get(r.model, FN_ARENA_GRAD, param, g, FN_F64));
        double want = (at[1] - at[0]) / (2 * h);
        printf("  element %zu: %.8g, differences say %.8g\n", e, g[e], want);
        assert_true(fabs(g[e] - want) <= 1e-5 * fabs(want) + 1e-7);
    }
    rig_close(&r);
}

/* Cross entropy without the margin's scale in it is not comparable; right answers are. */
static void check_learns(const char *backend, int kind, double margin)
{
    enum { STEPS = 20 };
    struct fn_step_options o = options;
    double losses[FN_LOSS_COUNT], right = 0;
    struct rig r;
    o.margin = (struct fn_margin){kind, 16, margin, 0.05};
    o.clip = 1;
    if (!open_rig(&r, backend, NULL, 1, 1))
        return;
    for (int step = 0; step < STEPS; step++) {
        train(&r, (uint64_t)step, &o, losses);
        assert_true(losses[FN_LOSS_BAD] == 0);
        right += step >= STEPS - 5 ? losses[FN_LOSS_CORRECT] : 0;
    }
    printf("  %s, margin %d: %.2f right at the end\n", backend, kind, right / (5 * N));
    assert_true(right > 0.85 * 5 * N);
    rig_close(&r);
}

static void test_margin_learns(void **state)
{
    (void)state;
    check_learns("cpu", FN_MARGIN_ARC, 0.3);
    check_learns("ref", FN_MARGIN_COS, 0.2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),         cmocka_unit_test(test_parts_statistics),
        cmocka_unit_test(test_bad_part),      cmocka_unit_test(test_frozen),
        cmocka_unit_test(test_patterns),      cmocka_unit_test(test_frozen_gradient),
        cmocka_unit_test(test_margin_learns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
