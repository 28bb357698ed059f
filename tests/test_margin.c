/* SPDX-License-Identifier: MIT */
/* The head with margins and smoothed labels against PyTorch's values (margin_golden.h). */
#include <math.h>

#include "tests/rig.h"

#include "tests/margin_golden.h"

/* As in tests/python/make_margin.py. */
static void inputs(double *x, double *w)
{
    for (int i = 0; i < N * D; i++)
        x[i] = 2 * sin(1.7 * i + 0.3);
    for (int i = 0; i < K * D; i++)
        w[i] = cos(2.3 * i);
    for (int j = 0; j < D; j++)
        w[4 * D + j] = -x[2 * D + j] + 0.05 * w[4 * D + j];
}

static double worst_of(const double *got, const double *want, size_t count, double *most)
{
    double worst = 0;
    for (size_t i = 0; i < count; i++) {
        worst = fmax(worst, fabs(got[i] - want[i]));
        *most = fmax(*most, fabs(want[i]));
    }
    return worst;
}

/* tolerance: of the loss, and of the largest gradient. */
static void check_case(const char *backend, int c, double tolerance)
{
    const struct rig_options ro = {backend, "shrunken",      75,      D, K, N,
                                   1,       FN_HEAD_SOFTMAX, FN_ADAM, 0};
    const struct fn_model_options mo = {
        .training = 1, .optimizer = FN_ADAM, .normalized = golden[c].rule.kind != FN_MARGIN_NONE};
    const struct fn_step_options so = {.keep = 1, .norm_p = 1, .margin = golden[c].rule};
    double x[N * D], w[K * D], dx[N * D], dw[K * D], losses[FN_LOSS_COUNT], most = 0, off;
    struct rig r;
    if (!rig_open_with(&r, &ro, &mo, N, FN_FP32))
        return;
    inputs(x, w);
    memset(r.images, 0, N * r.image_bytes);
    memcpy(r.labels, golden_labels, sizeof golden_labels);
    rig_upload(&r);
    assert_ok(fn_model_init(r.model, 1));
    assert_ok(fn_model_set(r.model, FN_ARENA_W, (size_t)r.net->logits_weight, w, FN_F64));
    assert_ok(r.be->tensor_import(r.dev, x, FN_F64, fn_exec_rows(r.exec, FN_ROWS_PRELOGITS)));
    assert_ok(fn_loss_softmax(r.exec, r.dev_labels, N, &so, 1));
    rig_losses(&r, losses);
    rig_rows(&r, FN_ROWS_D_PRELOGITS, dx);
    assert_ok(fn_model_get(r.model, FN_ARENA_GRAD, (size_t)r.net->logits_weight, dw, FN_F64));
    off = fmax(worst_of(dx, golden[c].dx, N * D, &most), worst_of(dw, golden[c].dw, K * D, &most));
    printf("  %s, case %d: loss %.10g (off by %.1e), gradients off by %.1e of %.3g\n", backend, c,
           losses[FN_LOSS_XENT], fabs(losses[FN_LOSS_XENT] - golden[c].loss), off, most);
    assert_true(fabs(losses[FN_LOSS_XENT] - golden[c].loss) <= tolerance * golden[c].loss);
    assert_true(off <= tolerance * most);
    rig_close(&r);
}

static void test_pytorch(void **state)
{
    (void)state;
    for (int c = 0; c < CASES; c++) {
        check_case("ref64", c, 1e-8);
        check_case("ref", c, 1e-4); /* the scale is that of the logits' rounding */
        check_case("cpu", c, 1e-4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pytorch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
