/* SPDX-License-Identifier: MIT */
/* The cpu backend in bf16: layers and convolutions against ref64, what a number is rounded to, and
 * what is refused. */
#include "tests/op_narrow.h"

static int have_bf16(void)
{
    struct fn_check c;
    if (!narrow_open(&c, "cpu", 1)) {
        printf("SKIPPED: %s\n", fn_err_text(FN_EUNSUPPORTED));
        return 0;
    }
    printf("%s\n", c.backend->info(c.dev)->device);
    fn_check_close(&c);
    return 1;
}

static void run_bn(struct fn_check *k, const void *the_case)
{
    narrow_bn(k, the_case, narrow_stats);
}

static void test_layers(void **state)
{
    (void)state;
    if (!have_bf16())
        skip();
    narrow_layers("cpu", run_bn);
}

/* ---- convolutions --------------------------------------------------------------------------- */

static const struct fn_conv_shape shapes[] = {
    /* n, h, w, cin, kh, kw, stride, same, cout */
    {8, 3, 3, 16, 3, 3, 1, 1, 16},
    {11, 5, 13, 48, 3, 3, 1, 1, 16},
    {13, 6, 4, 80, 3, 3, 1, 0, 192},
    {5, 3, 3, 192, 1, 1, 1, 1, 400},
    {3, 8, 8, 128, 1, 7, 1, 1, 112},
    {2, 7, 5, 48, 7, 1, 1, 1, 32},
    {6, 3, 3, 192, 1, 3, 1, 1, 192},
    {3, 37, 41, 3, 3, 3, 2, 0, 32},
    /* by Winograd */
    {4, 36, 36, 16, 3, 3, 1, 1, 48},
    {9, 20, 13, 32, 3, 3, 1, 0, 16},
    /* stride 2, with and without rows and columns that no window reaches */
    {6, 17, 17, 48, 3, 3, 2, 0, 32},
    {8, 8, 8, 16, 3, 3, 2, 0, 48},
    {7, 36, 13, 32, 3, 3, 2, 0, 16},
    {3, 12, 18, 16, 3, 3, 2, 0, 32},
    {2, 4, 56, 32, 3, 3, 2, 0, 16},
    /* in pieces: 13 + 12 + 12 and 7 + 6 images with two threads */
    {37, 128, 128, 16, 1, 1, 1, 1, 16},
    {13, 256, 256, 16, 1, 1, 2, 0, 16},
};

/* The statistics are those of what was stored. */
static void check_stats(struct fn_check *k, const struct fn_tensor *y, const void *stats)
{
    const size_t c = (size_t)y->c;
    double *got = fn_check_read_vector(k, stats, 2 * c);
    double *want = fn_check_read_vector(k, narrow_stats(k, y), 2 * c);
    for (size_t i = 0; i < 2 * c; i++)
        if (fabs(got[i] - want[i]) > 1e-6 + 1e-5 * fabs(want[i]))
            fail_msg("statistics %zu are %g, want %g", i, got[i], want[i]);
    free(got);
    free(want);
}

static void run_conv(struct fn_check *c, const void *the_case)
{
    const struct fn_conv_shape *s = the_case;
    const struct fn_backend *k = c->backend;
    const int image = s->cin == 3, passes = FN_FORWARD | FN_BACKWARD_WEIGHTS;
    const int oh = fn_conv_out_h(s), ow = fn_conv_out_w(s);
    const size_t count = (size_t)(s->cout * s->cin * s->kh * s->kw);
    struct fn_conv *plan;
    size_t workspace;
    assert_ok(k->conv_plan(c->dev, s, passes | (image ? 0 : FN_BACKWARD_DATA | FN_ACCUMULATE),
                           &plan, &workspace));
    fn_check_workspace(c, workspace);
    const size_t bytes = k->conv_weights(plan) * k->info(c->dev)->param_bytes;
    void *w = fn_check_alloc(c, bytes, FN_MEM_DEVICE),
         *dw = fn_check_alloc(c, bytes, FN_MEM_DEVICE);
    double *oihw = fn_check_host(count, 1, 0.5, 0);
    for (size_t i = 0; i < count; i++)
        oihw[i] = narrow_rounded(oihw[i]);
    assert_ok(k->conv_import(c->dev, plan, oihw, FN_F64, w));
    const struct fn_tensor x = narrow_slice(c, s->n, s->h, s->w, s->cin, 0, s->cin, 2);
    const struct fn_tensor y = narrow_slice(c, s->n, oh, ow, s->cout, 0, s->cout, 3);
    const struct fn_tensor dx = narrow_slice(c, s->n, s->h, s->w, s->cin, 0, s->cin, 4);
    const struct fn_tensor dy = narrow_slice(c, s->n, oh, ow, s->cout, 0, s->cout, 6);
    void *stats = fn_check_vector(c, 2 * (size_t)s->cout, 5, 1, 0);
    assert_ok(k->conv_forward(c->dev, plan, &x, w, &y, stats));
    fn_check_keep_tensor(c, "y", &y);
    if (k->info(c->dev)->scalar_bytes == 2)
        check_stats(c, &y, stats);
    assert_ok(k->conv_backward(c->dev, plan, &x, w, &dy, image ? NULL : &dx, 1, dw));
    if (!image) {
        fn_check_keep_tensor(c, "+dx added", &dx);
        assert_ok(k->conv_backward(c->dev, plan, &x, w, &dy, &dx, 0, NULL));
        fn_check_keep_tensor(c, "dx", &dx);
    }
    assert_ok(k->conv_export(c->dev, plan, dw, oihw, FN_F64));
    fn_check_keep(c, "=dw", oihw, count);
    free(oihw);
    k->conv_free(&plan);
}

static void test_convolutions(void **state)
{
    (void)state;
    if (!have_bf16())
        skip();
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        const struct fn_conv_shape *s = &shapes[i];
        char title[96];
        snprintf(title, sizeof title, "conv (%d,%d,%d,%d) %dx%d/%d -> %d", s->n, s->h, s->w, s->cin,
                 s->kh, s->kw, s->stride, s->cout);
        narrow_check("cpu", title, run_conv, s);
    }
}

/* Maps of one pixel are rows of floats. */
static void test_refused_shapes(void **state)
{
    static const struct fn_conv_shape in = {2, 1, 1, 16, 1, 1, 1, 1, 32},
                                      out = {2, 3, 3, 16, 3, 3, 1, 0, 32};
    struct fn_check c;
    struct fn_conv *plan;
    size_t workspace;
    (void)state;
    if (!have_bf16())
        skip();
    assert_true(narrow_open(&c, "cpu", 1));
    assert_int_equal(c.backend->conv_plan(c.dev, &in, FN_FORWARD, &plan, &workspace),
                     FN_EUNSUPPORTED);
    assert_int_equal(c.backend->conv_plan(c.dev, &out, FN_FORWARD, &plan, &workspace),
                     FN_EUNSUPPORTED);
    assert_string_equal(fn_err_text(0), "a convolution 3x3 from (3,3) to (1,1) cannot be computed "
                                        "in bf16: use fp32");
    assert_null(plan);
    fn_check_close(&c);
}

/* ---- numbers -------------------------------------------------------------------------------- */

/* Halves of floats, stored by a loop and by an import: the nearest, ties to even; what is not
 * finite stays so; denormals are zeros. */
static void test_rounding(void **state)
{
    enum { C = 4096 };
    static const float special[] = {0.0F,     -0.0F,      INFINITY,   -INFINITY, 1e-39F,
                                    3.4e38F,  2.0078125F, 2.0234375F, -65504,    1e38F,
                                    2.00781F, 2.00782F,   NAN,        1.2e-38F};
    struct fn_check c;
    float rows[C], out[2 * C];
    (void)state;
    if (!have_bf16())
        skip();
    assert_true(narrow_open(&c, "cpu", 1));
    const struct fn_tensor dy = fn_check_rows(&c, 1, C, 1, 1);
    const struct fn_tensor dx = narrow_slice(&c, 1, 1, 2, C, 0, C, 2);
    for (size_t i = 0; i < C; i++)
        rows[i] = (float)fn_check_random(3, i);
    memcpy(rows, special, sizeof special);
    assert_ok(c.backend->tensor_import(c.dev, rows, FN_F32, &dy));
    for (int by_import = 0; by_import <= 1; by_import++) {
        if (by_import)
            for (size_t i = 0; i < C; i++)
                out[i] = out[C + i] = rows[i] / 2;
        assert_ok(by_import ? c.backend->tensor_import(c.dev, out, FN_F32, &dx)
                            : c.backend->avgpool_backward(c.dev, &dy, &dx));
        assert_ok(c.backend->tensor_export(c.dev, &dx, out, FN_F32));
        for (size_t i = 0; i < C; i++) {
            const float half = rows[i] / 2;
            const int tiny = fabsf(half) < 1.17549435e-38F;
            if (isnan(half))
                assert_true(isnan(out[i]));
            else if (!tiny || !by_import)
                assert_true(out[i] == (tiny ? 0 : narrow_rounded((double)half)));
            assert_true(out[C + i] == out[i] || isnan(out[i]));
        }
    }
    fn_check_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_convolutions),
        cmocka_unit_test(test_refused_shapes),
        cmocka_unit_test(test_rounding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
