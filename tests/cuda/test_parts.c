/* SPDX-License-Identifier: MIT */
/* A batch in parts and clipping on the pretend GPU, where bf16 keeps the gradients of convolutions
 * in an array of their own: the sum of the parts is their mean, the norm is that of what is there,
 * what is clipped points where it did, and the network follows fp32. Bf16 rounds a gradient to 8
 * bits: at most 2^-8 of itself each time it is written. */
#include <math.h>

#include "base/rng.h"
#include "tests/rig.h"

enum { SIZE = 107, EMBEDDING = 16, CLASSES = 4, N = 8, PARTS = 2, STEPS = 3 };
#define ROUNDED (1.0 / 256)

static const struct fn_step_options options = {
    .keep = 0.8,
    .norm_factor = 1e-4,
    .norm_p = 1,
    .center_factor = 1e-2,
    .center_alfa = 0.9,
    .bn_decay = 0.9,
    .parts = PARTS,
    .update = {FN_MOM, 1e-4, 0.99},
};

static void open_rig(struct rig *r, int precision)
{
    const struct rig_options ro = {"cuda", "shrunken",      SIZE,   EMBEDDING, CLASSES, N,
                                   1,      FN_HEAD_SOFTMAX, FN_MOM, 1};
    const struct fn_model_options mo = {
        .training = 1, .optimizer = FN_MOM, .ema = 1, .parts = PARTS};
    assert_true(rig_open_with(r, &ro, &mo, N / PARTS, precision));
    assert_ok(fn_model_init(r->model, 5));
}

/* Stripes of class k, with noise; another batch every step. */
static void draw(struct rig *r, uint64_t step)
{
    for (int i = 0; i < N; i++) {
        const int label = i % CLASSES;
        uint8_t *im = r->images + (size_t)i * r->image_bytes;
        for (size_t p = 0; p < r->image_bytes; p++) {
            const size_t at = label & 1 ? p / 3 % SIZE : p / 3 / SIZE;
            im[p] = (uint8_t)(at / (label & 2 ? 4u : 9u) % 2 * 120 + fn_rng(step, 7, p, 8) % 100);
        }
        r->labels[i] = label;
    }
    rig_upload(r);
}

static void train(struct rig *r, uint64_t t, double clip, double losses[FN_LOSS_COUNT])
{
    const struct fn_step step = {.seed = 7, .step = t, .lr = 0.02, .t = t + 1};
    struct fn_step_options o = options;
    o.clip = clip;
    draw(r, t);
    assert_ok(fn_step_train(r->exec, &step, r->dev_images, r->dev_labels, &o));
    rig_losses(r, losses);
    fn_step_losses(losses, &o);
    assert_true(losses[FN_LOSS_BAD] == 0);
}

static size_t trained(const struct rig *r)
{
    size_t count = 0;
    for (size_t i = 0; i < r->net->trained_count; i++)
        count += r->net->params[i].count;
    return count;
}

/* All gradients, one parameter after the other; malloc'd. */
static double *gradients(struct rig *r)
{
    double *all = calloc(trained(r), sizeof *all), *at = all;
    assert_non_null(all);
    for (size_t i = 0; i < r->net->trained_count; at += r->net->params[i++].count)
        assert_ok(fn_model_get(r->model, FN_ARENA_GRAD, i, at, FN_F64));
    return all;
}

static double norm_of(const double *x, size_t count)
{
    double squares = 0;
    for (size_t i = 0; i < count; i++)
        squares += x[i] * x[i];
    return sqrt(squares);
}

/* The gradients of one part alone, with the weights as they are. */
static double *part_alone(struct rig *r, int part)
{
    const size_t n = N / PARTS, first = (size_t)part * n;
    const struct fn_step step = {.seed = 7, .lr = 0.02, .t = 1, .first = first};
    double losses[FN_LOSS_COUNT];
    assert_ok(r->be->step_begin(r->dev, &step));
    assert_ok(fn_exec_images(r->exec, r->dev_images + first * r->image_bytes, 0, 0));
    assert_ok(fn_exec_forward(r->exec, options.keep));
    assert_ok(fn_loss_softmax(r->exec, r->dev_labels + first, (int)n, &options, 1));
    assert_ok(fn_exec_backward(r->exec, options.keep));
    rig_losses(r, losses);
    return gradients(r);
}

/* Convolutions' gradients are rounded, the others are fp32. */
static void check_near(const struct rig *r, const double *got, const double *want, double times)
{
    const double worst = norm_of(want, trained(r)) / sqrt((double)trained(r));
    for (size_t i = 0, at = 0; i < r->net->trained_count; i++) {
        const int conv = r->net->params[i].kind == FN_PARAM_CONV;
        const double share = times * (conv ? ROUNDED * 1.01 : 1e-6);
        for (size_t k = 0; k < r->net->params[i].count; k++, at++)
            if (!(fabs(got[at] - want[at]) <= share * fabs(want[at]) + 1e-6 * worst)) {
                print_error("%s[%zu]: %.9g, want %.9g\n", r->net->params[i].name, k, got[at],
                            want[at]);
                fail();
            }
    }
}

static void test_sum(void **state)
{
    double losses[FN_LOSS_COUNT];
    struct rig r;
    (void)state;
    open_rig(&r, FN_BF16);
    double *mean = calloc(trained(&r), sizeof *mean);
    assert_non_null(mean);
    draw(&r, 0);
    for (int part = 0; part < PARTS; part++) {
        double *one = part_alone(&r, part);
        for (size_t i = 0; i < trained(&r); i++)
            mean[i] += one[i] / PARTS;
        free(one);
    }
    train(&r, 0, 0, losses);
    double *got = gradients(&r);
    assert_true(norm_of(got, trained(&r)) > 0);
    check_near(&r, got, mean, 1);
    free(got);
    free(mean);
    rig_close(&r);
}

/* The first step's gradients with clipping at `most`; its norm before that. */
static double *clipped(double most, double *norm)
{
    double losses[FN_LOSS_COUNT];
    struct rig r;
    open_rig(&r, FN_BF16);
    train(&r, 0, most, losses);
    double *got = gradients(&r);
    *norm = losses[FN_LOSS_GRADIENT];
    rig_close(&r);
    return got;
}

static void test_clip(void **state)
{
    double norm[3], losses[FN_LOSS_COUNT];
    struct rig r;
    (void)state;
    open_rig(&r, FN_BF16);
    train(&r, 0, 0, losses);
    const size_t count = trained(&r);
    double *plain = gradients(&r);
    const double want = norm_of(plain, count);
    double *above = clipped(1.01 * want, &norm[0]), *cut = clipped(0.25 * want, &norm[1]);
    assert_true(fabs(norm[0] - want) < 1e-5 * want && fabs(norm[1] - want) < 1e-5 * want);
    assert_memory_equal(above, plain, count * sizeof *plain);
    assert_true(fabs(norm_of(cut, count) - 0.25 * want) < 1e-3 * want);
    for (size_t i = 0; i < count; i++)
        plain[i] *= 0.25;
    check_near(&r, cut, plain, 1);
    free(plain);
    free(above);
    free(cut);
    rig_close(&r);
}

/* With both, beside fp32. The rounding of activations alone, without parts or clipping, sets the
 * network's gradient a third apart (batch norm over few numbers amplifies it), in a direction of
 * its own at each number: loss and norm hardly feel it. */
static void test_follows_fp32(void **state)
{
    double losses[2][STEPS][FN_LOSS_COUNT], *first[2], apart = 0;
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct rig r;
        open_rig(&r, i ? FN_BF16 : FN_FP32);
        for (uint64_t t = 0; t < STEPS; t++) {
            train(&r, t, 1, losses[i][t]);
            if (t == 0)
                first[i] = gradients(&r);
        }
        for (size_t k = 0; i && k < trained(&r); k++)
            apart += pow(first[1][k] - first[0][k], 2);
        rig_close(&r);
    }
    /* Clipped to a norm of 1. */
    const double loss = losses[1][0][FN_LOSS_XENT] / losses[0][0][FN_LOSS_XENT] - 1;
    const double norm = losses[1][0][FN_LOSS_GRADIENT] / losses[0][0][FN_LOSS_GRADIENT] - 1;
    const double later =
        losses[1][STEPS - 1][FN_LOSS_XENT] / losses[0][STEPS - 1][FN_LOSS_XENT] - 1;
    printf("bf16 beside fp32: loss %+.4f, norm %+.4f, gradient %.2f apart; after %d steps loss "
           "%+.3f\n",
           loss, norm, sqrt(apart), STEPS, later);
    assert_true(losses[0][0][FN_LOSS_GRADIENT] > 1);
    assert_true(fabs(loss) < 0.05 && fabs(norm) < 0.05 && sqrt(apart) < 0.5 && fabs(later) < 0.25);
    free(first[0]);
    free(first[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sum),
        cmocka_unit_test(test_clip),
        cmocka_unit_test(test_follows_fp32),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
