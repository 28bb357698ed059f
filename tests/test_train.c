/* SPDX-License-Identifier: MIT */
/* Training steps of the shrunken network: the loss falls, backends agree, what is not finite
 * changes nothing. */
#include <math.h>

#include "base/rng.h"
#include "tests/rig.h"

enum { SIZE = 75, EMBEDDING = 16, CLASSES = 4, N = 12, STEPS = 40, WIDE = 107, FEW = 20 };

static const struct fn_step_options options = {
    .per_image = 0,
    .keep = 0.9,
    .norm_factor = 1e-4,
    .norm_p = 1,
    .center_factor = 1e-3,
    .center_alfa = 0.95,
    .alpha = 0.2,
    .bn_decay = 0.9,
    .update = {FN_ADAM, 1e-4, 0.99},
};

/* Pictures of class k: its own stripes, with noise; another batch every step. */
static void draw_batch(struct rig *r, uint64_t step)
{
    const size_t size = (size_t)r->net->image_size;
    for (int i = 0; i < N; i++) {
        int label = i % CLASSES;
        uint8_t *im = r->images + (size_t)i * r->image_bytes;
        for (size_t p = 0; p < r->image_bytes; p++) {
            size_t x = p / 3 % size, y = p / 3 / size;
            size_t wave = (label & 1 ? x : y) / (label & 2 ? 4u : 9u) % 2;
            im[p] = (uint8_t)(wave * 120 + fn_rng(step, (uint64_t)i, p, 8) % 100);
        }
        r->labels[i] = label;
    }
    rig_upload(r);
}

static int open_rig_in(struct rig *r, const char *backend, int head, int size, int precision)
{
    const struct rig_options ro = {
        backend, "shrunken", size, EMBEDDING, head == FN_HEAD_SOFTMAX ? CLASSES : 0,
        N,       1,          head, FN_ADAM,   1};
    if (!rig_open_in(r, &ro, precision))
        return 0;
    assert_ok(fn_model_init(r->model, 5));
    return 1;
}

static int open_rig(struct rig *r, const char *backend, int head)
{
    return open_rig_in(r, backend, head, SIZE, FN_FP32);
}

static void train_step(struct rig *r, uint64_t step, double *losses)
{
    const struct fn_step s = {7, step, 0.02, step + 1, 0};
    draw_batch(r, step);
    if (fn_exec_get_options(r->exec)->head == FN_HEAD_TRIPLET)
        for (int i = 0; i < N;
             i += 3) /* anchor, positive, negative: pictures 0 and 4 are of a class */
            memcpy(r->images + (size_t)(i + 1) * r->image_bytes,
                   r->images + (size_t)((i + 4) % N) * r->image_bytes, r->image_bytes);
    assert_ok(fn_step_train(r->exec, &s, r->dev_images, r->dev_labels, &options));
    rig_losses(r, losses);
    assert_true(losses[FN_LOSS_BAD] == 0);
}

/* Loss after each step. */
static int train(const char *backend, int head, int steps, double *curve, double *accuracy)
{
    double losses[FN_LOSS_COUNT];
    struct rig r;
    if (!open_rig(&r, backend, head))
        return 0;
    for (int i = 0; i < steps; i++) {
        train_step(&r, (uint64_t)i, losses);
        curve[i] = fn_step_total(losses, &options);
        *accuracy = losses[FN_LOSS_CORRECT] / N;
    }
    rig_close(&r);
    return 1;
}

static void test_softmax_learns(void **state)
{
    double curve[STEPS], other[STEPS], accuracy = 0;
    (void)state;
    assert_true(train("ref", FN_HEAD_SOFTMAX, STEPS, curve, &accuracy));
    printf("  loss %.3f -> %.3f, accuracy %.2f\n", curve[0], curve[STEPS - 1], accuracy);
    assert_true(curve[STEPS - 1] < 0.3 * curve[0]);
    assert_true(accuracy > 0.9);
    if (!train("cpu", FN_HEAD_SOFTMAX, STEPS, other, &accuracy))
        return;
    for (int i = 0; i < 2; i++) /* later steps amplify the rounding of the first a thousandfold */
        assert_true(fabs(curve[i] - other[i]) < 1e-5 * curve[i]);
    assert_true(other[STEPS - 1] < 0.3 * other[0]);
}

/* Images that leave more than one pixel before the average pool. */
static int train_wide(int precision, double *curve)
{
    double losses[FN_LOSS_COUNT];
    struct rig r;
    if (!open_rig_in(&r, "cpu", FN_HEAD_SOFTMAX, WIDE, precision))
        return 0;
    for (int i = 0; i < FEW; i++) {
        train_step(&r, (uint64_t)i, losses);
        curve[i] = fn_step_total(losses, &options);
    }
    rig_close(&r);
    return 1;
}

/* bf16 begins as fp32 does and learns as well; run again it gives the same bits. */
static void test_bf16_learns(void **state)
{
    double wide[FEW], narrow[FEW], again[FEW], ends[2] = {0};
    (void)state;
    if (!train_wide(FN_BF16, narrow))
        skip();
    assert_true(train_wide(FN_BF16, again) && train_wide(FN_FP32, wide));
    assert_memory_equal(narrow, again, sizeof narrow);
    for (int i = FEW - 5; i < FEW; i++) {
        ends[0] += wide[i] / 5;
        ends[1] += narrow[i] / 5;
    }
    printf("  loss %.4f -> %.3f in fp32, %.4f -> %.3f in bf16\n", wide[0], ends[0], narrow[0],
           ends[1]);
    assert_true(fabs(narrow[0] - wide[0]) < 2e-2 * wide[0]);
    assert_true(ends[1] < 0.7 * narrow[0] && fabs(ends[1] - ends[0]) < 0.15 * wide[0]);
}

static void test_triplet_learns(void **state)
{
    double curve[STEPS], accuracy = 0, begin, end;
    (void)state;
    assert_true(train("ref", FN_HEAD_TRIPLET, STEPS, curve, &accuracy));
    begin = curve[0] + curve[1] + curve[2];
    end = curve[STEPS - 1] + curve[STEPS - 2] + curve[STEPS - 3];
    printf("  loss %.3f -> %.3f\n", begin / 3, end / 3);
    assert_true(end < 0.7 * begin);
}

/* A step with a NaN in it leaves weights, slots, statistics and centers as they were. */
static void check_not_finite(const char *backend)
{
    double losses[FN_LOSS_COUNT], *before, *after;
    size_t most = 0;
    struct rig r;
    float bad = NAN, good = 0;
    if (!open_rig(&r, backend, FN_HEAD_SOFTMAX))
        return;
    train_step(&r, 0, losses);
    for (size_t i = 0; i < r.net->param_count; i++)
        most = r.net->params[i].count > most ? r.net->params[i].count : most;
    before = malloc(most * sizeof *before);
    after = malloc(most * sizeof *after);
    assert_true(before && after);
    for (size_t i = 0; i < r.net->param_count; i += 7) {
        const struct fn_step s = {7, 1, 0.02, 2, 0};
        size_t bias = (size_t)fn_net_find(r.net, "logits.bias");
        float b[CLASSES];
        assert_ok(fn_model_get(r.model, FN_ARENA_W, i, before, FN_F64));
        assert_ok(fn_model_get(r.model, FN_ARENA_W, bias, b, FN_F32));
        good = b[1];
        b[1] = bad;
        assert_ok(fn_model_set(r.model, FN_ARENA_W, bias, b, FN_F32));
        draw_batch(&r, 1);
        assert_ok(fn_step_train(r.exec, &s, r.dev_images, r.dev_labels, &options));
        rig_losses(&r, losses);
        assert_true(losses[FN_LOSS_BAD] > 0);
        b[1] = good;
        assert_ok(fn_model_set(r.model, FN_ARENA_W, bias, b, FN_F32));
        assert_ok(fn_model_get(r.model, FN_ARENA_W, i, after, FN_F64));
        assert_memory_equal(before, after, r.net->params[i].count * sizeof *before);
        if (i > 40)
            break;
    }
    train_step(&r, 1, losses); /* and training goes on */
    free(before);
    free(after);
    rig_close(&r);
}

static void test_not_finite(void **state)
{
    (void)state;
    check_not_finite("ref");
    check_not_finite("cpu");
}

/* The profile counts every op once and says where the time went. */
static void test_profile(void **state)
{
    struct fn_profile profile;
    double losses[FN_LOSS_COUNT];
    struct rig r;
    size_t convs = 0;
    (void)state;
    assert_true(open_rig(&r, "ref", FN_HEAD_SOFTMAX));
    memset(&profile, 0, sizeof profile);
    fn_exec_profile(r.exec, &profile);
    train_step(&r, 0, losses);
    fn_exec_profile(r.exec, NULL);
    for (size_t i = 0; i < r.net->node_count; i++)
        convs += r.net->nodes[i].kind == FN_NODE_CONV || r.net->nodes[i].kind == FN_NODE_UP;
    assert_int_equal(profile.calls[FN_PROFILE_CONV_FORWARD], convs);
    assert_int_equal(profile.calls[FN_PROFILE_CONV_BACKWARD], convs);
    for (int i = 0; i < FN_PROFILE_COUNT; i++)
        assert_true(profile.seconds[i] >= 0 && profile.calls[i] > 0 && fn_profile_name(i)[0]);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_softmax_learns), cmocka_unit_test(test_bf16_learns),
        cmocka_unit_test(test_triplet_learns), cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_profile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
