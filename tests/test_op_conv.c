/* SPDX-License-Identifier: MIT */
/* Images, tensors and convolutions of every backend against ref64.
 * ctest labels: threads */
#include <math.h>

#include "tests/op_check.h"
#include "tests/test.h"

/* Sums of up to 2,304 products in float: a few units in the last place of the largest. */
static const struct fn_tolerance conv_tolerance = {4e-6, 1e-5, 0};

static const struct fn_conv_shape conv_shapes[] = {
    /* n, h, w, cin, kh, kw, stride, same, cout */
    {1, 7, 5, 16, 1, 1, 1, 1, 16},
    {3, 5, 7, 16, 3, 3, 1, 1, 32},
    {1, 1, 1, 32, 3, 3, 1, 1, 16}, /* padding on every side of one pixel */
    {2, 1, 13, 16, 1, 7, 1, 1, 16},
    {1, 3, 2, 16, 1, 7, 1, 1, 32}, /* narrower than the kernel's half */
    {2, 11, 3, 32, 7, 1, 1, 1, 48},
    {5, 3, 1, 16, 1, 3, 1, 1, 16},
    {5, 3, 3, 48, 3, 1, 1, 1, 32},
    {3, 7, 9, 16, 3, 3, 1, 0, 16},
    {1, 17, 17, 32, 3, 3, 2, 0, 48},
    {2, 8, 6, 16, 3, 3, 2, 0, 16}, /* the last row and column are not read */
    {1, 3, 3, 16, 3, 3, 2, 0, 16},
    {1, 5, 5, 1792, 1, 1, 1, 1, 192},
    {2, 17, 17, 64, 1, 7, 1, 1, 128}, /* enough work for all threads */
    {13, 3, 3, 208, 1, 1, 1, 1, 16},
    {1, 9, 8, 80, 3, 3, 1, 0, 192},
    {2, 3, 3, 192, 3, 1, 1, 1, 192},
    {1, 8, 8, 256, 3, 3, 2, 0, 256},
};

static const struct fn_conv_shape image_shapes[] = {
    {3, 13, 11, 3, 3, 3, 2, 0, 32},
    {1, 3, 3, 3, 3, 3, 2, 0, 16},
    {5, 8, 7, 3, 3, 3, 2, 0, 32},
    {1, 31, 37, 3, 3, 3, 2, 0, 16},
};

static const char *conv_title(const struct fn_conv_shape *s)
{
    static char title[128];
    snprintf(title, sizeof title, "conv (%d,%d,%d,%d) %dx%d/%d %s -> %d", s->n, s->h, s->w, s->cin,
             s->kh, s->kw, s->stride, s->same ? "same" : "valid", s->cout);
    return title;
}

/* Weights in the arena, padding included, must hold nothing but the (o, c, i, j) ones. */
static void keep_weights(struct fn_check *c, const char *name, const struct fn_conv *plan,
                         const void *w, size_t count)
{
    const size_t arena = c->backend->conv_weights(plan);
    double *oihw = malloc(count * sizeof *oihw), *raw = fn_check_read_vector(c, w, arena);
    double sum = 0, raw_sum = 0;
    assert_non_null(oihw);
    assert_ok(c->backend->conv_export(c->dev, plan, w, oihw, FN_F64));
    for (size_t i = 0; i < count; i++)
        sum += oihw[i] * oihw[i];
    for (size_t i = 0; i < arena; i++)
        raw_sum += raw[i] * raw[i];
    if (!(fabs(sum - raw_sum) <= 1e-9 * sum))
        fail_msg(
            "%s: the arena's squares sum to %.9g, those of the weights to %.9g: padding is not 0",
            name, raw_sum, sum);
    fn_check_keep(c, name, oihw, count);
    free(oihw);
    free(raw);
}

struct conv {
    const struct fn_conv_shape *s;
    struct fn_conv *plan;
    size_t count; /* of weights */
    void *w, *dw;
};

static struct conv conv_make(struct fn_check *c, const struct fn_conv_shape *s, int passes)
{
    struct conv v = {.s = s};
    size_t workspace;
    assert_ok(c->backend->conv_plan(c->dev, s, passes, &v.plan, &workspace));
    fn_check_workspace(c, workspace);
    v.count = (size_t)s->cout * (size_t)s->cin * (size_t)s->kh * (size_t)s->kw;
    const size_t arena = c->backend->conv_weights(v.plan);
    const size_t bytes = arena * c->backend->info(c->dev)->param_bytes;
    assert_true(arena >= v.count);
    v.w = fn_check_alloc(c, bytes, FN_MEM_DEVICE);
    v.dw = fn_check_alloc(c, bytes, FN_MEM_DEVICE);
    assert_ok(c->backend->zero(c->dev, v.w, bytes));
    double *oihw = fn_check_host(v.count, 1, 0.5, 0);
    assert_ok(c->backend->conv_import(c->dev, v.plan, oihw, FN_F64, v.w));
    free(oihw);
    return v;
}

static void conv_forward(struct fn_check *c, const struct conv *v, const struct fn_tensor *x)
{
    const struct fn_conv_shape *s = v->s;
    const struct fn_tensor y =
        fn_check_tensor(c, s->n, fn_conv_out_h(s), fn_conv_out_w(s), s->cout, 2);
    void *stats = fn_check_vector(c, 2 * (size_t)s->cout, 3, 1, 0);
    assert_ok(c->backend->conv_forward(c->dev, v->plan, x, v->w, &y, stats));
    fn_check_keep_tensor(c, "y", &y);
    fn_check_keep_vector(c, "mean", stats, (size_t)s->cout);
    double *host = fn_check_read_vector(c, stats, 2 * (size_t)s->cout);
    fn_check_keep(c, "var", host + s->cout, (size_t)s->cout);
    free(host);
}

static void run_conv(struct fn_check *c, const void *the_case)
{
    const struct fn_conv_shape *s = the_case;
    struct conv v =
        conv_make(c, s, FN_FORWARD | FN_BACKWARD_DATA | FN_BACKWARD_WEIGHTS | FN_ACCUMULATE);
    const struct fn_tensor x = fn_check_tensor(c, s->n, s->h, s->w, s->cin, 4);
    conv_forward(c, &v, &x);
    keep_weights(c, "w", v.plan, v.w, v.count);

    const struct fn_tensor dy =
        fn_check_tensor(c, s->n, fn_conv_out_h(s), fn_conv_out_w(s), s->cout, 5);
    const struct fn_tensor dx = fn_check_tensor(c, s->n, s->h, s->w, s->cin, 6);
    assert_ok(c->backend->conv_backward(c->dev, v.plan, &x, v.w, &dy, &dx, 0, v.dw));
    fn_check_keep_tensor(c, "dx", &dx);
    keep_weights(c, "dw", v.plan, v.dw, v.count);
    const struct fn_tensor sum = fn_check_tensor(c, s->n, s->h, s->w, s->cin, 7);
    assert_ok(c->backend->conv_backward(c->dev, v.plan, &x, v.w, &dy, &sum, 1, NULL));
    fn_check_keep_tensor(c, "dx added", &sum);
    fn_check_keep_tensor(c, "dy unchanged", &dy);
    fn_check_keep_tensor(c, "x unchanged", &x);
    c->backend->conv_free(&v.plan);
    assert_null(v.plan);
}

static void test_conv(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof conv_shapes / sizeof conv_shapes[0]; i++)
        fn_check_all(conv_title(&conv_shapes[i]), run_conv, &conv_shapes[i], conv_tolerance);
}

/* Evaluation plans the forward pass alone and wants no statistics. */
static void run_conv_evaluation(struct fn_check *c, const void *the_case)
{
    const struct fn_conv_shape *s = the_case;
    struct conv v = conv_make(c, s, FN_FORWARD);
    const struct fn_tensor x = fn_check_tensor(c, s->n, s->h, s->w, s->cin, 4);
    const struct fn_tensor y =
        fn_check_tensor(c, s->n, fn_conv_out_h(s), fn_conv_out_w(s), s->cout, 2);
    assert_ok(c->backend->conv_forward(c->dev, v.plan, &x, v.w, &y, NULL));
    fn_check_keep_tensor(c, "y", &y);
    c->backend->conv_free(&v.plan);
}

static void test_conv_evaluation(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof conv_shapes / sizeof conv_shapes[0]; i += 3)
        fn_check_all(conv_title(&conv_shapes[i]), run_conv_evaluation, &conv_shapes[i],
                     conv_tolerance);
}

/* malloc'd (n, h, w, 3) bytes; flat: all are the same. */
static uint8_t *make_images(int n, int h, int w, int flat)
{
    const size_t count = (size_t)n * (size_t)h * (size_t)w * 3;
    uint8_t *images = malloc(count);
    assert_non_null(images);
    for (size_t i = 0; i < count; i++)
        images[i] = flat ? 77 : (uint8_t)(127.5 + 127.4 * fn_check_random(8, i));
    return images;
}

/* The bytes as the ops find them, after an upload. */
static const uint8_t *upload(struct fn_check *c, int n, int h, int w, const uint8_t *bytes)
{
    const size_t each = (size_t)h * (size_t)w * 3;
    const uint8_t *on_device;
    const int32_t *labels_on_device;
    uint8_t *images = fn_check_alloc(c, (size_t)n * each, FN_MEM_HOST);
    int32_t *labels = fn_check_alloc(c, (size_t)n * sizeof *labels, FN_MEM_HOST);
    memcpy(images, bytes, (size_t)n * each);
    for (int i = 0; i < n; i++)
        labels[i] = i;
    const int slot = FN_UPLOAD_SLOTS - 1;
    assert_ok(c->backend->batch_upload(c->dev, slot, images, (size_t)n * each, labels, (size_t)n,
                                       &on_device, &labels_on_device));
    assert_ok(c->backend->batch_use(c->dev, slot));
    assert_non_null(labels_on_device);
    return on_device;
}

/* The first layer: no gradient for the image. */
static void run_image_conv(struct fn_check *c, const void *the_case)
{
    const struct fn_conv_shape *s = the_case;
    struct conv v = conv_make(c, s, FN_FORWARD | FN_BACKWARD_WEIGHTS);
    const struct fn_tensor x = fn_check_tensor(c, s->n, s->h, s->w, 3, 4);
    uint8_t *bytes = make_images(s->n, s->h, s->w, 0);
    const uint8_t *images = upload(c, s->n, s->h, s->w, bytes);
    free(bytes);
    assert_ok(c->backend->standardize(c->dev, images, 0, 0, &x));
    assert_ok(c->backend->batch_release(c->dev, FN_UPLOAD_SLOTS - 1, 1));
    conv_forward(c, &v, &x);
    const struct fn_tensor dy =
        fn_check_tensor(c, s->n, fn_conv_out_h(s), fn_conv_out_w(s), s->cout, 5);
    assert_ok(c->backend->conv_backward(c->dev, v.plan, &x, v.w, &dy, NULL, 0, v.dw));
    keep_weights(c, "dw", v.plan, v.dw, v.count);
    c->backend->conv_free(&v.plan);
}

static void test_image_conv(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof image_shapes / sizeof image_shapes[0]; i++)
        fn_check_all(conv_title(&image_shapes[i]), run_image_conv, &image_shapes[i],
                     conv_tolerance);
}

struct standardize {
    int n, h, w, per_image, mirror, flat;
};

static void run_standardize(struct fn_check *c, const void *the_case)
{
    const struct standardize *s = the_case;
    const struct fn_tensor y = fn_check_tensor(c, s->n, s->h, s->w, 3, 1);
    uint8_t *bytes = make_images(s->n, s->h, s->w, s->flat);
    const uint8_t *images = upload(c, s->n, s->h, s->w, bytes);
    free(bytes);
    assert_ok(c->backend->standardize(c->dev, images, s->per_image, s->mirror, &y));
    fn_check_keep_tensor(c, "y", &y);
}

static void test_standardize(void **state)
{
    static const struct standardize cases[] = {
        {1, 1, 1, 0, 0, 0}, {3, 7, 5, 0, 1, 0}, {1, 1, 1, 1, 0, 0},   {5, 7, 5, 1, 0, 0},
        {3, 8, 3, 1, 1, 0}, {1, 5, 7, 1, 0, 1}, {1, 97, 89, 1, 0, 0}, {2, 16, 16, 1, 1, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        fn_check_all("standardize", run_standardize, &cases[i],
                     (struct fn_tolerance){1e-7, 1e-6, 0});
}

/* Standardized bytes of one image (1, 1, 2, 3), malloc'd. */
static double *standardized(struct fn_check *c, const uint8_t *pixels, int per_image, int mirror)
{
    const struct fn_tensor y = fn_check_tensor(c, 1, 1, 2, 3, 1);
    const uint8_t *there = upload(c, 1, 1, 2, pixels);
    assert_ok(c->backend->standardize(c->dev, there, per_image, mirror, &y));
    return fn_check_read(c, &y);
}

/* Two pixels per image, by hand: mean 3, variance 4; and one of mean 10 without any: zeros. */
static void test_standardize_per_image(void **state)
{
    static const uint8_t pixels[6] = {1, 5, 1, 5, 1, 5}, flat[6] = {10, 10, 10, 10, 10, 10};
    static const uint8_t faint[6] = {10, 10, 10, 10, 10, 11}; /* stddev 0.373 < 1 / sqrt(6) */
    (void)state;
    for (int i = 0; fn_check_backend(i); i++) {
        struct fn_check c;
        assert_true(fn_check_open(&c, fn_check_backend(i), 1));
        double *got = standardized(&c, pixels, 1, 0), *zeros = standardized(&c, flat, 1, 0);
        double *least = standardized(&c, faint, 1, 0);
        for (int k = 0; k < 6; k++) {
            assert_true(fabs(got[k] - (pixels[k] - 3) / 2.0) < 1e-6);
            assert_true(zeros[k] == 0);
            assert_true(fabs(least[k] - (faint[k] - 61 / 6.0) * sqrt(6)) < 1e-6);
        }
        free(got);
        free(zeros);
        free(least);
        fn_check_close(&c);
    }
}

/* What standardize does, by hand: two pixels, mirrored or not. */
static void test_standardize_values(void **state)
{
    static const uint8_t pixels[6] = {0, 255, 127, 128, 64, 10};
    (void)state;
    for (int i = 0; fn_check_backend(i); i++) {
        struct fn_check c;
        assert_true(fn_check_open(&c, fn_check_backend(i), 1));
        for (int mirror = 0; mirror < 2; mirror++) {
            double *got = standardized(&c, pixels, 0, mirror);
            for (int k = 0; k < 6; k++)
                assert_true(fabs(got[k] - (pixels[mirror ? (k + 3) % 6 : k] - 127.5) / 128) < 1e-6);
            free(got);
        }
        fn_check_close(&c);
    }
}

struct slice {
    int n, h, w, c, c0, ctotal;
};

/* Whole buffers and slices come back as they went in; in both types. */
static void run_tensor(struct fn_check *c, const void *the_case)
{
    const struct slice *s = the_case;
    const size_t count = (size_t)s->n * (size_t)s->h * (size_t)s->w * (size_t)s->c;
    const struct fn_tensor t = fn_check_slice(c, s->n, s->h, s->w, s->c, s->c0, s->ctotal, 1);
    double *host = fn_check_host(count, 2, 3, 1);
    assert_ok(c->backend->tensor_import(c->dev, host, FN_F64, &t));
    fn_check_keep_tensor(c, "buffer", &t);
    double *back = fn_check_read(c, &t);
    assert_memory_equal(host, back, count * sizeof *host);

    float *narrow = malloc(count * sizeof *narrow);
    assert_non_null(narrow);
    assert_ok(c->backend->tensor_export(c->dev, &t, narrow, FN_F32));
    for (size_t i = 0; i < count; i++)
        assert_true(narrow[i] == (float)host[i]);
    for (size_t i = 0; i < count; i++)
        narrow[i] = -narrow[i];
    assert_ok(c->backend->tensor_import(c->dev, narrow, FN_F32, &t));
    fn_check_keep_tensor(c, "negated", &t);
    free(narrow);
    free(back);
    free(host);
}

static void test_tensor(void **state)
{
    static const struct slice cases[] = {
        {1, 1, 1, 16, 0, 16},     {3, 5, 7, 32, 0, 32},   {2, 3, 1, 16, 16, 48},
        {1, 7, 2, 32, 64, 96},    {5, 3, 3, 48, 16, 80},  {3, 5, 2, 3, 0, 3},
        {4, 1, 1, 5, 0, 5},       {3, 1, 1, 127, 0, 127}, {2, 1, 1, 512, 0, 512},
        {1, 17, 17, 896, 0, 896},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        fn_check_all("tensor", run_tensor, &cases[i], (struct fn_tolerance){0, 0, 0});
}

/* The reference adds in one order whatever the threads. */
static void test_ref_threads(void **state)
{
    static const struct fn_conv_shape shape = {2, 11, 11, 64, 3, 3, 1, 1, 64};
    struct fn_check one, three;
    (void)state;
    assert_true(fn_check_open(&one, "ref", 1) && fn_check_open(&three, "ref", 3));
    run_conv(&one, &shape);
    run_conv(&three, &shape);
    fn_check_same("ref with 1 and 3 threads", &three, &one, (struct fn_tolerance){0, 0, 0});
    fn_check_close(&one);
    fn_check_close(&three);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tensor),
        cmocka_unit_test(test_standardize),
        cmocka_unit_test(test_standardize_values),
        cmocka_unit_test(test_standardize_per_image),
        cmocka_unit_test(test_conv),
        cmocka_unit_test(test_conv_evaluation),
        cmocka_unit_test(test_image_conv),
        cmocka_unit_test(test_ref_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
