/* SPDX-License-Identifier: MIT */
/* The kernels with bf16 activations against ref64 on the same rounded numbers: the layers, the
 * conversions, the update with narrow gradients. A result is stored with 8 bits: 2^-9 of its own
 * size is the nearest it can be. */
#include <math.h>

#include "kernels/cuda/cuda.h"
#include "tests/cuda/emu_run.h"
#include "tests/cuda/pretend.h"
#include "tests/op_check.h"
#include "tests/test.h"

#define NEAREST (1.0 / 256)
static const struct fn_tolerance stored = {2e-6, NEAREST * 1.01, 0}; /* rounded once */
static const struct fn_tolerance summed = {2e-5, 1e-4, 0};           /* fp32 sums of many */

static float rounded(double x)
{
    float f = (float)x;
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    u = (u + 0x7fff + (u >> 16 & 1)) & 0xffff0000;
    memcpy(&f, &u, sizeof f);
    return f;
}

/* A slice of a buffer filled from a stream; on ref64, too, with numbers that bf16 has. */
static struct fn_tensor slice(struct fn_check *k, int n, int h, int w, int c, int c0, int ctotal,
                              int stream)
{
    struct fn_tensor t = {n, h, w, ctotal, 0, ctotal, NULL};
    const size_t count = (size_t)n * (size_t)h * (size_t)w * (size_t)ctotal;
    double *host = fn_check_host(count, stream, 1, 0);
    for (size_t i = 0; i < count; i++)
        host[i] = rounded(host[i]);
    t.data = fn_check_alloc(k, k->backend->tensor_bytes(k->dev, n, h, w, ctotal), FN_MEM_DEVICE);
    assert_ok(k->backend->tensor_import(k->dev, host, FN_F64, &t));
    free(host);
    t.c = c;
    t.c0 = c0;
    return t;
}

/* The kept arrays whose names begin with '=' must be near as fp32 sums are, the others as stored.
 */
static void compare(const char *what, struct fn_check *got, struct fn_check *want)
{
    assert_int_equal(got->kept_count, want->kept_count);
    for (int i = 0; i < want->kept_count; i++) {
        struct fn_check one = {.kept_count = 1}, other = {.kept_count = 1};
        one.kept[0] = got->kept[i];
        other.kept[0] = want->kept[i];
        fn_check_same(what, &one, &other, want->kept[i].name[0] == '=' ? summed : stored);
    }
}

static void open_bf16(struct fn_check *k)
{
    const struct fn_dev_options options = {.threads = 1, .precision = FN_BF16};
    memset(k, 0, sizeof *k);
    assert_ok(fn_backend_open("cuda", &options, &k->backend, &k->dev, NULL));
    assert_int_equal(k->backend->info(k->dev)->scalar_bytes, 2);
}

/* ref64 once, bf16 in two orders. */
static void check(const char *what, fn_check_run *run, const void *the_case)
{
    struct fn_check want, got, again;
    char title[128];
    snprintf(title, sizeof title, "bf16: %s", what);
    assert_true(fn_check_open(&want, "ref64", 1));
    open_bf16(&got);
    open_bf16(&again);
    run(&want, the_case);
    run(&got, the_case);
    run(&again, the_case);
    compare(title, &got, &want);
    fn_check_same(title, &again, &got, (struct fn_tolerance){0, 0, 0});
    fn_check_close(&want);
    fn_check_close(&got);
    fn_check_close(&again);
}

/* What all that was asked for has left there; the test may write it, too. */
static void *behind(struct fn_check *k, const void *device)
{
    assert_ok(k->backend->sync(k->dev));
    return fn_pretend_behind(device);
}

struct layer {
    int n, h, w, c, c0, ctotal, relu;
    double scale;
};
static const struct layer layers[] = {
    {1, 1, 2, 16, 0, 16, 1, 1.0},     {3, 5, 7, 16, 16, 48, 1, 0.17},
    {1, 17, 17, 32, 32, 96, 1, 0.1},  {5, 3, 3, 192, 0, 384, 1, 0.2},
    {2, 1, 13, 64, 0, 64, 0, 1.0},    {3, 3, 1, 80, 80, 160, 0, 0.17},
    {1, 8, 7, 896, 0, 896, 1, 0.1},   {13, 2, 3, 112, 16, 128, 1, 0.2},
    {7, 31, 29, 48, 16, 80, 1, 0.17},
};
enum { LAYERS = sizeof layers / sizeof layers[0] };

/* Statistics of y; on ref64 by a convolution that changes nothing. */
static void *stats_of(struct fn_check *k, const struct fn_tensor *y)
{
    const size_t c = (size_t)y->c;
    void *stats = fn_check_vector(k, 2 * c, 9, 1, 0);
    if (strcmp(k->backend->name, "cuda") == 0) {
        assert_ok(fn_cuda_stats(k->dev, y, stats));
        return stats;
    }
    double *host = fn_check_read(k, y), *sums = calloc(2 * c, sizeof *sums);
    const size_t pixels = (size_t)y->n * (size_t)y->h * (size_t)y->w;
    assert_non_null(sums);
    for (size_t i = 0; i < pixels * c; i++)
        sums[i % c] += host[i] / (double)pixels;
    for (size_t i = 0; i < pixels * c; i++)
        sums[c + i % c] += pow(host[i] - sums[i % c], 2) / (double)pixels;
    assert_ok(k->backend->vector_import(k->dev, sums, FN_F64, 2 * c, stats));
    free(host);
    free(sums);
    return stats;
}

static void run_bn(struct fn_check *k, const void *the_case)
{
    const struct layer *l = the_case;
    const size_t c = (size_t)l->c;
    const struct fn_tensor y = slice(k, l->n, l->h, l->w, l->c, 0, l->c, 1);
    const struct fn_tensor z = slice(k, l->n, l->h, l->w, l->c, l->c0, l->ctotal, 2);
    const struct fn_tensor dz = slice(k, l->n, l->h, l->w, l->c, l->c0, l->ctotal, 3);
    const struct fn_tensor dy = slice(k, l->n, l->h, l->w, l->c, 0, l->c, 4);
    void *stats = stats_of(k, &y), *beta = fn_check_vector(k, c, 5, 0.5, 0);
    void *dbeta = fn_check_vector(k, c, 6, 1, 0);
    assert_ok(k->backend->bn_forward(k->dev, &y, stats, beta, l->relu, &z));
    assert_ok(k->backend->bn_backward(k->dev, &dz, &y, stats, beta, l->relu, &dy, dbeta));
    fn_check_keep_vector(k, "=stats", stats, 2 * c);
    fn_check_keep_vector(k, "=dbeta", dbeta, c);
    fn_check_keep_tensor(k, "z", &z);
    fn_check_keep_tensor(k, "dy", &dy);
    fn_check_keep_tensor(k, "dz unchanged", &dz);
}

static void run_residual(struct fn_check *k, const void *the_case)
{
    const struct layer *l = the_case;
    const size_t c = (size_t)l->c;
    const struct fn_backend *b = k->backend;
    const struct fn_tensor x = slice(k, l->n, l->h, l->w, l->c, 0, l->c, 1);
    const struct fn_tensor up = slice(k, l->n, l->h, l->w, l->c, 0, l->c, 2);
    const struct fn_tensor out = slice(k, l->n, l->h, l->w, l->c, l->c0, l->ctotal, 3);
    const struct fn_tensor dout = slice(k, l->n, l->h, l->w, l->c, l->c0, l->ctotal, 4);
    const struct fn_tensor dup = slice(k, l->n, l->h, l->w, l->c, 0, l->c, 6);
    void *bias = fn_check_vector(k, c, 7, 0.3, 0), *dbias = fn_check_vector(k, c, 8, 1, 0);
    assert_ok(b->residual_forward(k->dev, &x, &up, bias, l->scale, l->relu, &out));
    assert_ok(b->residual_backward(k->dev, &dout, &out, l->scale, l->relu, &dout, &dup, dbias));
    fn_check_keep_tensor(k, "out", &out);
    fn_check_keep_tensor(k, "dx over dout", &dout);
    fn_check_keep_tensor(k, "dup", &dup);
    fn_check_keep_vector(k, "=dbias", dbias, c);
}

static void run_pools(struct fn_check *k, const void *the_case)
{
    const struct layer *l = the_case;
    const struct fn_backend *b = k->backend;
    const int h = l->h + 4, w = l->w + 4, oh = fn_pool_out(h), ow = fn_pool_out(w);
    const struct fn_tensor x = slice(k, l->n, h, w, l->c, l->c0, l->ctotal, 1);
    const struct fn_tensor y = slice(k, l->n, oh, ow, l->c, l->c0, l->ctotal, 2);
    const struct fn_tensor dy = slice(k, l->n, oh, ow, l->c, 0, l->c, 3);
    const struct fn_tensor dx = slice(k, l->n, h, w, l->c, 0, l->c, 4);
    const struct fn_tensor rows = fn_check_rows(k, l->n, l->c, 5, 1);
    uint8_t *index = fn_check_alloc(k, (size_t)(l->n * oh * ow) * (size_t)l->c, FN_MEM_DEVICE);
    assert_ok(b->maxpool_forward(k->dev, &x, &y, index));
    assert_ok(b->maxpool_backward(k->dev, &dy, index, &dx, 0));
    fn_check_keep_tensor(k, "y", &y);
    fn_check_keep_tensor(k, "dx", &dx);
    assert_ok(b->avgpool_forward(k->dev, &x, &rows));
    fn_check_keep_rows(k, "=rows", &rows);
    assert_ok(b->avgpool_backward(k->dev, &rows, &dx));
    fn_check_keep_tensor(k, "dx of average", &dx);
}

static void test_layers(void **state)
{
    (void)state;
    for (int i = 0; i < LAYERS; i++) {
        check("batch norm", run_bn, &layers[i]);
        check("residual", run_residual, &layers[i]);
        check("pools", run_pools, &layers[i]);
    }
}

struct images {
    int n, h, w, per_image, mirror;
};

static void run_standardize(struct fn_check *k, const void *the_case)
{
    const struct images *s = the_case;
    const size_t count = (size_t)(s->n * s->h * s->w) * 3;
    uint8_t *images = fn_check_alloc(k, count, FN_MEM_DEVICE), *host = malloc(count);
    assert_non_null(host);
    for (size_t i = 0; i < count; i++)
        host[i] = (uint8_t)(fn_check_random(11, i) * 100 + 128);
    assert_ok(k->backend->write(k->dev, images, host, count));
    free(host);
    const struct fn_tensor y = slice(k, s->n, s->h, s->w, 3, 0, 3, 1);
    assert_ok(k->backend->standardize(k->dev, images, s->per_image, s->mirror, &y));
    fn_check_keep_tensor(k, "y", &y);
}

/* Channels behind the third are zeros, the others as with three. */
static void padded_images(int ctotal, int type)
{
    enum { N = 2, H = 3, W = 8, PIXELS = N * H * W };
    struct fn_check k;
    open_bf16(&k);
    uint8_t host[PIXELS * 3], *images = fn_check_alloc(&k, PIXELS * 3, FN_MEM_DEVICE);
    const size_t bytes = type == FN_K_BF16 ? 2 : 4;
    unsigned char *plain = fn_check_alloc(&k, PIXELS * 3 * bytes, FN_MEM_DEVICE);
    unsigned char *padded = fn_check_alloc(&k, (size_t)(PIXELS * ctotal) * bytes, FN_MEM_DEVICE);
    const struct fn_tensor y = {N, H, W, 3, 0, 3, plain}, z = {N, H, W, 3, 0, ctotal, padded};
    for (int i = 0; i < PIXELS * 3; i++)
        host[i] = (uint8_t)(i * 37);
    assert_ok(k.backend->write(k.dev, images, host, sizeof host));
    assert_int_equal(fn_k_standardize(&k.dev->queue, type, images, 1, 1, &y), 0);
    assert_int_equal(fn_k_standardize(&k.dev->queue, type, images, 1, 1, &z), 0);
    for (size_t p = 0; p < PIXELS; p++) {
        const unsigned char *to = behind(&k, padded);
        to += p * (size_t)ctotal * bytes;
        assert_memory_equal((unsigned char *)behind(&k, plain) + p * 3 * bytes, to, 3 * bytes);
        for (size_t i = 3 * bytes; i < (size_t)ctotal * bytes; i++)
            assert_int_equal(to[i], 0);
    }
    fn_check_close(&k);
}

static void test_standardize(void **state)
{
    static const struct images cases[] = {
        {1, 1, 2, 0, 0}, {2, 3, 5, 1, 1}, {3, 16, 16, 0, 1}, {2, 40, 36, 1, 0}, {1, 7, 160, 0, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check("standardize", run_standardize, &cases[i]);
    for (int type = FN_K_F32; type <= FN_K_BF16; type++) {
        padded_images(4, type);
        padded_images(8, type);
    }
}

/* fp32 -> bf16 -> fp32 is rounding, whatever the number and the length. */
static void test_conversions(void **state)
{
    static const float special[] = {0.0f,    -0.0f,       INFINITY,    -INFINITY, 1e-40f,
                                    3.4e38f, 1.00390625f, 1.01171875f, -65504,    1e38f};
    (void)state;
    for (size_t count = 1; count < 2200; count += 61) {
        struct fn_check k;
        open_bf16(&k);
        const struct fn_k_queue *q = &k.dev->queue;
        float *dev_wide = fn_check_vector(&k, count, 1, 5, 0), *wide = behind(&k, dev_wide);
        for (size_t i = 0; i < count && i < sizeof special / sizeof special[0]; i++)
            wide[i] = special[i];
        uint16_t *narrow = fn_check_alloc(&k, count * 2, FN_MEM_DEVICE);
        float *dev_back = fn_check_alloc(&k, count * 4, FN_MEM_DEVICE);
        assert_int_equal(fn_k_narrow(q, dev_wide, narrow, count), 0);
        assert_int_equal(fn_k_widen(q, narrow, dev_back, count), 0);
        const float *back = behind(&k, dev_back);
        for (size_t i = 0; i < count; i++)
            assert_true(back[i] == rounded(wide[i]));
        wide[count - 1] = NAN;
        assert_int_equal(fn_k_narrow(q, dev_wide, narrow, count), 0);
        assert_int_equal(((uint16_t *)behind(&k, narrow))[count - 1], 0x7fff);
        fn_check_close(&k);
    }
}

/* Gradients in bf16, weights copied to bf16: as with the same gradients in fp32. */
static void test_narrow_update(void **state)
{
    enum { COUNT = 4099 };
    (void)state;
    for (int optimizer = 0; optimizer < FN_OPTIMIZER_COUNT; optimizer++) {
        struct fn_check k;
        const struct fn_step step = {.lr = 0.1, .t = 3};
        open_bf16(&k);
        const struct fn_k_queue *q = &k.dev->queue;
        struct fn_k_chunk *chunks = fn_check_alloc(&k, 4 * sizeof *chunks, FN_MEM_DEVICE);
        float *w[2], *a[2], *d[2], *grad = fn_check_vector(&k, COUNT, 4, 1, 0);
        uint16_t *grad16 = fn_check_alloc(&k, COUNT * 2, FN_MEM_DEVICE);
        uint16_t *w16 = fn_check_alloc(&k, COUNT * 2, FN_MEM_DEVICE);
        assert_int_equal(fn_k_narrow(q, grad, grad16, COUNT), 0);
        assert_int_equal(fn_k_widen(q, grad16, grad, COUNT), 0);
        assert_ok(k.backend->step_begin(k.dev, &step));
        for (int i = 0; i < 2; i++) {
            const uint32_t flags = FN_K_TRAIN | FN_K_DECAY | (i ? FN_K_NARROW : 0u);
            w[i] = fn_check_vector(&k, COUNT, 1, 1, 0);
            a[i] = fn_check_vector(&k, COUNT, 2, 0.5, 1);
            d[i] = fn_check_vector(&k, COUNT, 3, 0.5, 1);
            struct fn_k_chunk *list = behind(&k, chunks + 2 * i);
            list[0] = (struct fn_k_chunk){0, FN_K_CHUNK, flags};
            list[1] = (struct fn_k_chunk){FN_K_CHUNK, COUNT - FN_K_CHUNK, flags};
            const struct fn_k_arenas arenas = {.chunks = chunks + 2 * i,
                                               .chunk_count = 2,
                                               .w = w[i],
                                               .slot1 = a[i],
                                               .slot2 = d[i],
                                               .grad = i ? NULL : grad,
                                               .grad16 = i ? grad16 : NULL,
                                               .w16 = i ? w16 : NULL,
                                               .weight_decay = 0.01};
            assert_int_equal(fn_k_update(q, optimizer, &arenas), 0);
        }
        assert_memory_equal(behind(&k, w[0]), behind(&k, w[1]), COUNT * sizeof(float));
        assert_memory_equal(behind(&k, a[0]), behind(&k, a[1]), COUNT * sizeof(float));
        assert_memory_equal(behind(&k, d[0]), behind(&k, d[1]), COUNT * sizeof(float));
        assert_int_equal(fn_k_widen(q, w16, grad, COUNT), 0);
        const float *copied = behind(&k, grad), *weights = behind(&k, w[1]);
        for (int i = 0; i < COUNT; i++)
            assert_true(copied[i] == rounded(weights[i]));
        fn_check_close(&k);
    }
}

static void test_narrow_finite(void **state)
{
    static const uint16_t bad[] = {0x7f80, 0xff80, 0x7fff};
    enum { COUNT = 8 * 1024 + 5 };
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct fn_check k;
        double losses[FN_LOSS_COUNT];
        const struct fn_step step = {.t = 1};
        open_bf16(&k);
        uint16_t *grad = fn_check_alloc(&k, COUNT * 2, FN_MEM_DEVICE), *host = behind(&k, grad);
        struct fn_k_chunk *chunk = fn_check_alloc(&k, sizeof *chunk, FN_MEM_DEVICE);
        const struct fn_k_runs runs = {chunk, 1, COUNT};
        *(struct fn_k_chunk *)behind(&k, chunk) =
            (struct fn_k_chunk){0, COUNT, FN_K_TRAIN | FN_K_NARROW};
        memset(host, 0, COUNT * 2);
        host[17] = host[COUNT - 1] = bad[i];
        host[100] = 0x7f7f; /* the largest finite one */
        assert_ok(k.backend->step_begin(k.dev, &step));
        assert_int_equal(fn_k_check_finite(&k.dev->queue, &runs, (struct fn_k_numbers){NULL, grad}),
                         0);
        fn_check_losses(&k, losses);
        const struct fn_k_state *left = behind(&k, k.dev->queue.state);
        assert_true(losses[FN_LOSS_BAD] == 2 && left->step.bad == 1);
        fn_check_close(&k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layers),        cmocka_unit_test(test_standardize),
        cmocka_unit_test(test_conversions),   cmocka_unit_test(test_narrow_update),
        cmocka_unit_test(test_narrow_finite),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    const struct fn_emu_counts c = fn_emu_counted();
    printf("emulator: %llu launches, %llu blocks, %llu threads, %llu switches\n",
           (unsigned long long)c.launches, (unsigned long long)c.blocks,
           (unsigned long long)c.threads, (unsigned long long)c.switches);
    return failed;
}
