/* SPDX-License-Identifier: MIT */
/* Opening backends by name; memory; complete tables; shapes. */
#include "base/file.h"
#include "kernels/host.h"
#include "tests/op_check.h"
#include "tests/test.h"

/* An allocation that cannot succeed returns NULL under the sanitizers too. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static int open_fails(const char *name, const struct fn_dev_options *options)
{
    const struct fn_backend *backend = &fn_backend_ref;
    struct fn_dev *dev = (struct fn_dev *)&backend;
    const char *why = "?";
    fn_err_clear();
    int rc = fn_backend_open(name, options, &backend, &dev, &why);
    if (rc != FN_OK) {
        assert_null(backend);
        assert_null(dev);
        assert_null(why);
    } else {
        backend->close(&dev);
    }
    return rc;
}

static void test_names(void **state)
{
    static const struct fn_dev_options plain = {.threads = 1};
    (void)state;
    assert_int_equal(open_fails("tpu", &plain), FN_EUNSUPPORTED);
    assert_string_equal(fn_err_text(0),
                        "there is no device named tpu; it is auto, cuda, cpu or ref");
    assert_int_equal(open_fails("", &plain), FN_EUNSUPPORTED);
    assert_int_equal(open_fails("ref", &plain), FN_OK);
    assert_int_equal(open_fails("ref64", &plain), FN_OK);
    int rc = open_fails("cuda", &plain);
    assert_true(rc == FN_OK || rc == FN_EUNSUPPORTED || rc == FN_EDEVICE);
    if (rc != FN_OK)
        assert_non_null(strstr(fn_err_text(rc), "cuda"));
}

static void test_precision(void **state)
{
    static const struct fn_dev_options narrow = {.threads = 1, .precision = FN_BF16};
    (void)state;
    assert_int_equal(open_fails("ref", &narrow), FN_EUNSUPPORTED);
    assert_string_equal(fn_err_text(0), "device ref: the reference backend computes in fp32 only");
}

/* "auto" opens something on every machine, and says what it passed over and whoever looks would
 * miss. */
static void test_auto(void **state)
{
    static const struct fn_dev_options plain = {.threads = 1};
    const struct fn_backend *backend;
    struct fn_dev *dev;
    const char *why;
    (void)state;
    assert_ok(fn_backend_open("auto", &plain, &backend, &dev, &why));
    const struct fn_dev_info *info = backend->info(dev);
    assert_string_equal(info->backend, backend->name);
    assert_true(strcmp(backend->name, "ref64") != 0);
    const int told = why && strstr(why, "cuda");
    assert_true(strcmp(backend->name, "cuda") == 0 || told == fn_host_has_nvidia(""));
    printf("auto: %s (%s); passed over: %s\n", info->backend, info->device, why ? why : "nothing");
    backend->close(&dev);
    assert_null(dev);
    backend->close(&dev); /* of nothing: fine */
    assert_ok(fn_backend_open("auto", &plain, &backend, &dev, NULL));
    backend->close(&dev);
}

/* No slot of a table is empty, but for the optional ones at its end. */
static void test_tables(void **state)
{
    (void)state;
    for (int i = -1; i < 0 || fn_check_backend(i); i++) {
        struct fn_check c;
        assert_true(fn_check_open(&c, i < 0 ? "ref64" : fn_check_backend(i), 1));
        for (size_t at = 0; at < offsetof(struct fn_backend, shadow_bytes);
             at += sizeof(void (*)(void))) {
            void (*slot)(void);
            memcpy(&slot, (const char *)c.backend + at, sizeof slot);
            if (!slot)
                fail_msg("%s: the slot at byte %zu of its table is empty", c.backend->name, at);
        }
        const struct fn_dev_info *info = c.backend->info(c.dev);
        assert_true(info->param_bytes == 4 || info->param_bytes == 8);
        assert_true(info->device[0] && info->bits[0]);
        fn_check_close(&c);
    }
}

static void test_memory(void **state)
{
    (void)state;
    for (int i = -1; i < 0 || fn_check_backend(i); i++) {
        struct fn_check c;
        unsigned char in[1000], out[1000];
        void *huge = &c;
        assert_true(fn_check_open(&c, i < 0 ? "ref64" : fn_check_backend(i), 1));
        for (int kind = FN_MEM_DEVICE; kind <= FN_MEM_HOST; kind++) {
            for (size_t bytes = 0; bytes < 200; bytes += 33)
                assert_true((uintptr_t)fn_check_alloc(&c, bytes, kind) % 64 == 0);
            fn_err_clear();
            assert_int_equal(c.backend->alloc(c.dev, SIZE_MAX - 10, kind, &huge), FN_ENOMEM);
            assert_null(huge);
            assert_int_equal(c.backend->alloc(c.dev, (size_t)1 << 60, kind, &huge), FN_ENOMEM);
            assert_null(huge);
            assert_non_null(strpbrk(fn_err_text(0), "0123456789")); /* how much was asked for */
        }
        for (size_t k = 0; k < sizeof in; k++)
            in[k] = (unsigned char)(k * 7);
        char *memory = fn_check_alloc(&c, sizeof in, FN_MEM_DEVICE);
        assert_ok(c.backend->write(c.dev, memory, in, sizeof in));
        assert_ok(c.backend->zero(c.dev, memory + 500, 100));
        assert_ok(c.backend->read(c.dev, memory, out, sizeof out));
        for (size_t k = 0; k < sizeof in; k++)
            assert_int_equal(out[k], k >= 500 && k < 600 ? 0 : in[k]);
        c.backend->free(c.dev, FN_MEM_DEVICE, NULL);
        fn_check_close(&c);
    }
}

/* A convolution without its scratch is refused, not computed into nowhere. */
static void test_workspace_missing(void **state)
{
    static const struct fn_conv_shape shape = {1, 3, 3, 16, 1, 1, 1, 1, 16};
    (void)state;
    struct fn_check c;
    struct fn_conv *plan;
    size_t workspace;
    assert_true(fn_check_open(&c, "ref", 1));
    assert_ok(c.backend->conv_plan(c.dev, &shape, FN_FORWARD, &plan, &workspace));
    const struct fn_tensor x = fn_check_tensor(&c, 1, 3, 3, 16, 1);
    const struct fn_tensor y = fn_check_tensor(&c, 1, 3, 3, 16, 2);
    void *w = fn_check_vector(&c, 256, 3, 1, 0);
    fn_check_workspace(&c, workspace - 1);
    assert_int_equal(c.backend->conv_forward(c.dev, plan, &x, w, &y, NULL), FN_EINTERNAL);
    assert_int_equal(c.backend->conv_backward(c.dev, plan, &x, w, &y, &x, 0, w), FN_EINTERNAL);
    c.backend->conv_free(&plan);
    c.backend->conv_free(&plan);
    fn_check_close(&c);
}

static void test_shapes(void **state)
{
    static const struct {
        struct fn_conv_shape s;
        int oh, ow;
    } cases[] = {
        {{1, 160, 160, 3, 3, 3, 2, 0, 32}, 79, 79}, {{1, 79, 80, 32, 3, 3, 1, 0, 32}, 77, 78},
        {{1, 5, 7, 16, 1, 7, 1, 1, 16}, 5, 7},      {{1, 3, 4, 16, 3, 3, 2, 0, 16}, 1, 1},
        {{1, 5, 6, 16, 3, 3, 2, 0, 16}, 2, 2},
    };
    static const int pools[][2] = {{3, 1}, {4, 1}, {5, 2}, {17, 8}, {77, 38}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(fn_conv_out_h(&cases[i].s), cases[i].oh);
        assert_int_equal(fn_conv_out_w(&cases[i].s), cases[i].ow);
    }
    for (size_t i = 0; i < sizeof pools / sizeof pools[0]; i++)
        assert_int_equal(fn_pool_out(pools[i][0]), pools[i][1]);
}

static void test_host(void **state)
{
    (void)state;
    assert_true(fn_host_cores() >= 1);
    const uint64_t bytes = fn_host_memory_free();
    printf("%d cores, %.1f GB free\n", fn_host_cores(), (double)bytes * 1e-9);
    assert_true(bytes == 0 || bytes > 1 << 20);
}

/* The machine as its files tell it: a GPU without a driver, another maker's, a sound device. */
static void test_gpu(void **state)
{
    static const struct {
        const char *vendor, *class;
        int found;
    } rows[] = {{"0x1002\n", "0x030000\n", 0},
                {"0x10de\n", "0x040300\n", 0},
                {"0x10de\n", "0x030200\n", 1},
                {"0x10de\n", "0x030000\n", 1}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *root = test_folder(),
             *device = fn_path_join(root, "sys/bus/pci/devices/0000:01:00.0");
        char *vendor = fn_path_join(device, "vendor"), *class = fn_path_join(device, "class");
        assert_int_equal(fn_host_has_nvidia(root), 0);
        assert_ok(fn_mkdir_p(device));
        assert_ok(fn_file_write(vendor, rows[i].vendor, strlen(rows[i].vendor)));
        assert_ok(fn_file_write(class, rows[i].class, strlen(rows[i].class)));
        assert_int_equal(fn_host_has_nvidia(root), rows[i].found);
        assert_ok(fn_remove_tree(root));
        free(class);
        free(vendor);
        free(device);
        free(root);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),  cmocka_unit_test(test_precision),
        cmocka_unit_test(test_auto),   cmocka_unit_test(test_tables),
        cmocka_unit_test(test_memory), cmocka_unit_test(test_workspace_missing),
        cmocka_unit_test(test_shapes), cmocka_unit_test(test_host),
        cmocka_unit_test(test_gpu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
