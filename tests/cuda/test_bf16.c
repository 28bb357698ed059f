/* SPDX-License-Identifier: MIT */
/* The kernels with bf16 activations against ref64 on the same rounded numbers: the layers, the
 * conversions, the update with narrow gradients. */
#include "kernels/cuda/cuda.h"
#include "tests/cuda/emu_run.h"
#include "tests/cuda/pretend.h"
#include "tests/op_narrow.h"

static void open_bf16(struct fn_check *k)
{
    assert_true(narrow_open(k, "cuda", 1));
}

/* What all that was asked for has left there; the test may write it, too. */
static void *behind(struct fn_check *k, const void *device)
{
    assert_ok(k->backend->sync(k->dev));
    return fn_pretend_behind(device);
}

static void *stats_here(struct fn_check *k, const struct fn_tensor *y)
{
    if (strcmp(k->backend->name, "cuda") != 0)
        return narrow_stats(k, y);
    void *stats = fn_check_vector(k, 2 * (size_t)y->c, 9, 1, 0);
    assert_ok(fn_cuda_stats(k->dev, y, stats));
    return stats;
}

static void run_bn(struct fn_check *k, const void *the_case)
{
    narrow_bn(k, the_case, stats_here);
}

static void test_layers(void **state)
{
    (void)state;
    narrow_layers("cuda", run_bn);
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

static void test_padded_images(void **state)
{
    (void)state;
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
            assert_true(back[i] == narrow_rounded(wide[i]));
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
            assert_true(copied[i] == narrow_rounded(weights[i]));
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
        cmocka_unit_test(test_layers),        cmocka_unit_test(test_padded_images),
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
