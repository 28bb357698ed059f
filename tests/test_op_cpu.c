/* SPDX-License-Identifier: MIT */
/* What is the cpu backend's own: convolutions in pieces and by Winograd, weights that any plan
 * reads, threads, denormals. The ops themselves: test_op_*.c.
 * ctest labels: threads */
#include <pthread.h>

#include "tests/op_check.h"
#include "tests/test.h"

/* Winograd's transformations cost some digits; its errors grow with the largest input. */
static const struct fn_tolerance conv_tolerance = {.share = 1e-5, .relative = 1e-5};

static const struct fn_conv_shape shapes[] = {
    /* n, h, w, cin, kh, kw, stride, same, cout; from 8 images on 3x3/1 may be Winograd */
    {8, 3, 3, 16, 3, 3, 1, 1, 16},
    {9, 1, 1, 16, 3, 3, 1, 1, 32},
    {11, 5, 13, 48, 3, 3, 1, 1, 16},
    {8, 9, 7, 16, 3, 3, 1, 0, 80},
    {13, 6, 4, 80, 3, 3, 1, 0, 192},
    {16, 8, 8, 32, 3, 3, 1, 1, 32},
    /* stride 2, tiles of 4 and 3 outputs; the input gradient of the first in tiles of 3, then 4 */
    {6, 17, 17, 48, 3, 3, 2, 0, 32},
    {8, 8, 8, 16, 3, 3, 2, 0, 48},
    {7, 36, 13, 32, 3, 3, 2, 0, 16},
    {9, 11, 18, 16, 3, 3, 2, 0, 16},
    {12, 10, 7, 32, 3, 3, 2, 0, 80},
    /* widths that the library does only by plain loops (AVX2; AVX-512) */
    {3, 12, 18, 16, 3, 3, 2, 0, 32},
    {2, 4, 56, 32, 3, 3, 2, 0, 16},
    /* so large that they run in pieces: 7 + 6 + 6 images with two threads */
    {19, 128, 128, 16, 1, 1, 1, 1, 16},
    {19, 127, 67, 16, 3, 3, 1, 1, 32},
    {19, 171, 259, 3, 3, 3, 2, 0, 32},
};

static const char *title(const struct fn_conv_shape *s)
{
    static char text[128];
    snprintf(text, sizeof text, "conv (%d,%d,%d,%d) %dx%d/%d %s -> %d", s->n, s->h, s->w, s->cin,
             s->kh, s->kw, s->stride, s->same ? "same" : "valid", s->cout);
    return text;
}

static size_t weights_of(const struct fn_conv_shape *s)
{
    return (size_t)s->cout * (size_t)s->cin * (size_t)s->kh * (size_t)s->kw;
}

static void *arena(struct fn_check *c, const struct fn_conv *plan)
{
    return fn_check_alloc(c, c->backend->conv_weights(plan) * c->backend->info(c->dev)->param_bytes,
                          FN_MEM_DEVICE);
}

static struct fn_conv *make_plan(struct fn_check *c, const struct fn_conv_shape *s, int passes)
{
    struct fn_conv *plan;
    size_t workspace;
    assert_ok(c->backend->conv_plan(c->dev, s, passes, &plan, &workspace));
    fn_check_workspace(c, workspace);
    return plan;
}

static void run_conv(struct fn_check *c, const void *the_case)
{
    const struct fn_conv_shape *s = the_case;
    const struct fn_backend *k = c->backend;
    const int image = s->cin == 3;
    struct fn_conv *plan =
        make_plan(c, s, FN_FORWARD | FN_BACKWARD_WEIGHTS | (image ? 0 : FN_BACKWARD_DATA));
    void *w = arena(c, plan), *dw = arena(c, plan);
    double *oihw = fn_check_host(weights_of(s), 1, 0.5, 0);
    assert_ok(k->conv_import(c->dev, plan, oihw, FN_F64, w));
    const int oh = fn_conv_out_h(s), ow = fn_conv_out_w(s);
    struct fn_tensor x = fn_check_tensor(c, s->n, s->h, s->w, s->cin, 2);
    struct fn_tensor y = fn_check_tensor(c, s->n, oh, ow, s->cout, 3);
    struct fn_tensor dx = fn_check_tensor(c, s->n, s->h, s->w, s->cin, 4);
    void *stats = fn_check_vector(c, 2 * (size_t)s->cout, 5, 1, 0);
    assert_ok(k->conv_forward(c->dev, plan, &x, w, &y, stats));
    fn_check_keep_tensor(c, "y", &y);
    fn_check_keep_vector(c, "stats", stats, 2 * (size_t)s->cout);
    struct fn_tensor dy = fn_check_tensor(c, s->n, oh, ow, s->cout, 6);
    assert_ok(k->conv_backward(c->dev, plan, &x, w, &dy, image ? NULL : &dx, 1, dw));
    if (!image)
        fn_check_keep_tensor(c, "dx added", &dx);
    assert_ok(k->conv_export(c->dev, plan, dw, oihw, FN_F64));
    fn_check_keep(c, "dw", oihw, weights_of(s));
    free(oihw);
    k->conv_free(&plan);
}

static int have_cpu(void)
{
    struct fn_check c;
    if (!fn_check_open(&c, "cpu", 1)) {
        printf("SKIPPED: %s\n", fn_err_text(FN_EUNSUPPORTED));
        return 0;
    }
    fn_check_close(&c);
    return 1;
}

static void test_conv(void **state)
{
    (void)state;
    if (!have_cpu())
        skip();
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        fn_check_case("cpu", title(&shapes[i]), run_conv, &shapes[i], conv_tolerance);
}

static void same_bits(const char *what, const double *a, const double *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(&a[i], &b[i], sizeof *a) != 0)
            fail_msg("%s: element %zu is %.9g, not %.9g", what, i, b[i], a[i]);
}

/* A plan for one image and one for many read the same arena. */
static void test_weights_of_any_batch(void **state)
{
    static const struct fn_conv_shape one = {1, 5, 5, 48, 3, 3, 1, 1, 32};
    struct fn_conv_shape many = one;
    struct fn_check c;
    (void)state;
    if (!have_cpu())
        skip();
    assert_true(fn_check_open(&c, "cpu", 2));
    many.n = 17;
    many.h = 9;
    struct fn_conv *first = make_plan(&c, &one, FN_FORWARD);
    struct fn_conv *second = make_plan(&c, &many, FN_FORWARD | FN_BACKWARD_WEIGHTS);
    size_t count = weights_of(&one);
    double *in = fn_check_host(count, 1, 1, 0), *out = fn_check_host(count, 2, 1, 0);
    void *w = arena(&c, first);
    assert_int_equal(c.backend->conv_weights(first), c.backend->conv_weights(second));
    assert_ok(c.backend->conv_import(c.dev, first, in, FN_F64, w));
    assert_ok(c.backend->conv_export(c.dev, second, w, out, FN_F64));
    same_bits("weights through two plans", in, out, count);
    free(in);
    free(out);
    c.backend->conv_free(&first);
    c.backend->conv_free(&second);
    fn_check_close(&c);
}

/* Kernels that lie side by side are one kernel of their sum (onednn.h). */
static void test_neighbours(void **state)
{
    static const struct fn_conv_shape part = {3, 4, 4, 32, 1, 1, 1, 1, 16};
    struct fn_conv_shape whole = part;
    struct fn_check c;
    (void)state;
    if (!have_cpu())
        skip();
    assert_true(fn_check_open(&c, "cpu", 2));
    whole.cout = 48;
    struct fn_conv *small = make_plan(&c, &part, FN_FORWARD);
    struct fn_conv *large = make_plan(&c, &whole, FN_FORWARD);
    size_t count = weights_of(&part);
    double *in = fn_check_host(3 * count, 1, 1, 0), *out = fn_check_host(3 * count, 2, 1, 0);
    char *w = arena(&c, large);
    for (size_t i = 0; i < 3; i++)
        assert_ok(c.backend->conv_import(c.dev, small, in + i * count, FN_F64,
                                         w + i * count * sizeof(float)));
    assert_ok(c.backend->conv_export(c.dev, large, w, out, FN_F64));
    same_bits("three kernels as one", in, out, 3 * count);
    free(in);
    free(out);
    c.backend->conv_free(&small);
    c.backend->conv_free(&large);
    fn_check_close(&c);
}

/* ---- threads -------------------------------------------------------------------------------- */

static const struct fn_conv_shape threaded = {9, 11, 7, 32, 3, 3, 1, 1, 48};

/* Any number of threads agrees with ref64; one and the same number gives one and the same result.
 */
static void test_threads(void **state)
{
    struct fn_check want;
    (void)state;
    if (!have_cpu())
        skip();
    assert_true(fn_check_open(&want, "ref64", 2));
    run_conv(&want, &threaded);
    for (int threads = 1; threads <= 5; threads += 2) {
        struct fn_check got;
        char text[32];
        assert_true(fn_check_open(&got, "cpu", threads));
        snprintf(text, sizeof text, "%d thread", threads);
        assert_non_null(strstr(got.backend->info(got.dev)->device, text));
        assert_non_null(strstr(got.backend->info(got.dev)->bits, text));
        run_conv(&got, &threaded);
        fn_check_same(text, &got, &want, conv_tolerance);
        fn_check_close(&got);
    }
    fn_check_close(&want);
}

static void *run_elsewhere(void *check)
{
    run_conv(check, &threaded);
    return NULL;
}

/* Another thread than the one that opened the device: its own pool, the same bits. */
static void test_other_thread(void **state)
{
    struct fn_check here, there;
    pthread_t thread;
    (void)state;
    if (!have_cpu())
        skip();
    assert_true(fn_check_open(&here, "cpu", 3));
    assert_true(fn_check_open(&there, "cpu", 3));
    run_conv(&here, &threaded);
    assert_int_equal(pthread_create(&thread, NULL, run_elsewhere, &there), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    fn_check_same("another thread", &there, &here, (struct fn_tolerance){.share = 0});
    fn_check_close(&here);
    fn_check_close(&there);
}

/* Two devices with their own numbers of threads, in turns. */
static void test_two_devices(void **state)
{
    struct fn_check one, two, again;
    (void)state;
    if (!have_cpu())
        skip();
    assert_true(fn_check_open(&one, "cpu", 1));
    assert_true(fn_check_open(&two, "cpu", 2));
    assert_true(fn_check_open(&again, "cpu", 1));
    run_conv(&one, &threaded);
    run_conv(&two, &threaded);
    run_conv(&again, &threaded);
    fn_check_same("after another device", &again, &one, (struct fn_tolerance){.share = 0});
    fn_check_close(&one);
    fn_check_close(&two);
    fn_check_close(&again);
}

/* ---- numbers -------------------------------------------------------------------------------- */

/* Denormals are zeros in every thread. */
static void test_denormals(void **state)
{
    enum { N = 64, C = 32 };
    struct fn_check c;
    (void)state;
    if (!have_cpu())
        skip();
    assert_true(fn_check_open(&c, "cpu", 4));
    float *tiny = malloc(N * C * sizeof *tiny), *out = malloc(N * C * sizeof *out);
    assert_true(tiny && out);
    for (size_t i = 0; i < N * C; i++)
        tiny[i] = 1e-38F; /* the smallest normal number is 1.2e-38 */
    struct fn_tensor x = fn_check_tensor(&c, N, 1, 1, C, 1);
    const struct fn_tensor up = fn_check_tensor(&c, N, 1, 1, C, 2);
    const double zeros[C] = {0};
    void *bias = fn_check_vector_of(&c, zeros, C);
    assert_ok(c.backend->tensor_import(c.dev, tiny, FN_F32, &x));
    assert_ok(c.backend->tensor_import(c.dev, tiny, FN_F32, &up));
    assert_ok(c.backend->residual_forward(c.dev, &x, &up, bias, 1, 0, &x));
    assert_ok(c.backend->tensor_export(c.dev, &x, out, FN_F32));
    for (size_t i = 0; i < N * C; i++)
        assert_true(out[i] == 0);
    free(tiny);
    free(out);
    fn_check_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv),         cmocka_unit_test(test_weights_of_any_batch),
        cmocka_unit_test(test_neighbours),   cmocka_unit_test(test_threads),
        cmocka_unit_test(test_other_thread), cmocka_unit_test(test_two_devices),
        cmocka_unit_test(test_denormals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
