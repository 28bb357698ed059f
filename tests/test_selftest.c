/* SPDX-License-Identifier: MIT */
/* The self-test: the backends that are here pass it; a device on which any op does nothing, or
 * convolutions are wrong until their algorithm was changed twice, is found out. Every slot of the
 * table is called by it. */
#include <math.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernels/selftest.h"
#include "tests/test.h"

static struct fn_backend broken;
static int wrong, asked; /* algorithms that are still wrong; calls of distrust */

static const struct fn_dev_options options = {.threads = 1};

/* The sentence is fn_err_text's. */
static int test_of(const struct fn_backend *be, int speed, struct fn_selftest_row *rows,
                   size_t *count)
{
    struct fn_dev *dev;
    assert_ok(be->open(&dev, &options));
    int rc = fn_selftest(be, dev, &options, speed, rows, count);
    be->close(&dev);
    return rc;
}

/* One backend; 0: it is not here. */
static int passes(const char *name, int precision)
{
    const struct fn_dev_options o = {.threads = 1, .precision = precision};
    struct fn_selftest_row rows[FN_SELFTEST_ROWS];
    const struct fn_backend *be;
    struct fn_dev *dev;
    size_t count;
    double worst = 0;
    if (fn_backend_open(name, &o, &be, &dev, NULL))
        return 0;
    assert_ok(fn_selftest(be, dev, &o, 0, rows, &count));
    be->close(&dev);
    for (size_t r = 0; r < count; r++) {
        assert_true(rows[r].error <= rows[r].allowed && rows[r].retries == 0);
        assert_true(rows[r].seconds == 0);
        worst = fmax(worst, rows[r].error);
    }
    printf("%s, %s: %zu ops, worst %.1e\n", name, precision == FN_BF16 ? "bf16" : "fp32", count,
           worst);
    assert_true(count > 40 && worst > 0);
    return 1;
}

/* FN_TEST_BACKENDS: a backend that must be here, in both precisions. */
static void test_passes(void **state)
{
    const char *named = getenv("FN_TEST_BACKENDS");
    (void)state;
    if (named) {
        assert_true(passes(named, FN_FP32));
        assert_true(passes(named, FN_BF16));
        return;
    }
    assert_true(passes("ref", FN_FP32));
    for (int precision = FN_FP32; precision <= FN_BF16; precision++)
        if (!passes("cpu", precision))
            printf("SKIPPED cpu: %s\n", fn_err_text(0));
}

static int nothing(void)
{
    return FN_OK;
}

/* Every op that computes, by its place in the table: made to do nothing, it is missed. */
static void test_ops_that_do_nothing(void **state)
{
    static const struct {
        const char *name;
        size_t at;
    } ops[] = {
#define OP(name) {#name, offsetof(struct fn_backend, name)}
        OP(standardize),
        OP(conv_forward),
        OP(conv_backward),
        OP(bn_forward),
        OP(bn_backward),
        OP(residual_forward),
        OP(residual_backward),
        OP(maxpool_forward),
        OP(maxpool_backward),
        OP(avgpool_forward),
        OP(avgpool_backward),
        OP(dropout),
        OP(fc_forward),
        OP(fc_backward),
        OP(l2norm_forward),
        OP(l2norm_backward),
        OP(softmax_xent),
        OP(center_loss),
        OP(center_update),
        OP(norm_loss),
        OP(triplet_loss),
        OP(distances),
        OP(update_init),
        OP(write),
        OP(read),
        OP(check_finite),
        OP(update),
        OP(update_moving),
        OP(margin_xent),
        OP(clip),
        OP(combine),
        OP(step_begin),
#undef OP
    };
    int (*const hollow)(void) = nothing;
    struct fn_selftest_row rows[FN_SELFTEST_ROWS];
    (void)state;
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        size_t count;
        broken = fn_backend_ref;
        memcpy((char *)&broken + ops[i].at, &hollow, sizeof hollow);
        int rc = test_of(&broken, 0, rows, &count);
        if (rc != FN_EDEVICE)
            fail_msg("%s does nothing, and that is not noticed", ops[i].name);
        assert_true(rows[count - 1].error > rows[count - 1].allowed);
        assert_non_null(strstr(fn_err_text(rc), "do not train on it"));
        assert_non_null(strstr(fn_err_text(rc), rows[count - 1].op));
    }
}

enum { CALLED = 77 };

static void called(void)
{
    _exit(CALLED);
}

/* Whether the self-test calls the slot at this place of the table, in a process of its own. */
static int is_called(const struct fn_backend *be, const struct fn_dev_options *o, size_t at)
{
    void (*const trap)(void) = called;
    struct fn_selftest_row rows[FN_SELFTEST_ROWS];
    struct fn_backend trapped = *be;
    size_t count;
    int status = 0;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct fn_dev *dev;
        if (be->open(&dev, o))
            _exit(1);
        memcpy((char *)&trapped + at, &trap, sizeof trap);
        _exit(fn_selftest(&trapped, dev, o, 0, rows, &count) ? 1 : 0);
    }
    assert_true(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
    assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == CALLED);
    return WEXITSTATUS(status) == CALLED;
}

/* A slot that is added to the table must be added to the self-test, or to the few here. Those that
 * ref does not have are looked for where FN_TEST_BACKENDS says that there is one that has. */
static void test_every_slot(void **state)
{
    static const size_t others[] = {
        offsetof(struct fn_backend, open),         /* whoever calls the self-test opens, */
        offsetof(struct fn_backend, close),        /* and closes */
        offsetof(struct fn_backend, record_nodes), /* figures for a person */
        offsetof(struct fn_backend, idle),
    };
    const char *named = getenv("FN_TEST_BACKENDS");
    const struct fn_dev_options o = {.threads = 1, .precision = named ? FN_BF16 : FN_FP32};
    const struct fn_backend *be = &fn_backend_ref;
    struct fn_dev *dev;
    int slots = 0, missed = 0;
    (void)state;
    if (named) {
        assert_ok(fn_backend_open(named, &o, &be, &dev, NULL));
        be->close(&dev);
    }
    for (size_t at = offsetof(struct fn_backend, open); at < sizeof *be;
         at += sizeof(void (*)(void))) {
        void (*slot)(void), (*of_ref)(void);
        int is_other = 0;
        memcpy(&slot, (const char *)be + at, sizeof slot);
        memcpy(&of_ref, (const char *)&fn_backend_ref + at, sizeof of_ref);
        for (size_t i = 0; i < sizeof others / sizeof *others; i++)
            is_other |= others[i] == at;
        if (!slot || is_other || (named && of_ref))
            continue;
        slots++;
        if (!is_called(be, &o, at)) {
            printf("slot %zu of the table is not called\n", at / sizeof slot);
            missed++;
        }
    }
    printf("%d slots of %s's table are called\n", slots - missed, be->name);
    assert_int_equal(missed, 0);
    assert_true(slots >= (named ? 7 : 45));
}

static int forward(struct fn_dev *dev, const struct fn_conv *plan, const struct fn_tensor *x,
                   const void *w, const struct fn_tensor *y, void *stats)
{
    int rc = fn_backend_ref.conv_forward(dev, plan, x, w, y, stats);
    if (wrong > 0)
        ((float *)y->data)[0] += 0.1f;
    return rc;
}

static int distrust(struct fn_dev *dev, int is_wrong)
{
    (void)dev;
    asked += is_wrong;
    if (is_wrong && wrong-- == 0)
        return fn_fail(FN_EUNSUPPORTED, "no other");
    return FN_OK;
}

static void test_next_algorithm(void **state)
{
    struct fn_selftest_row rows[FN_SELFTEST_ROWS];
    size_t count;
    (void)state;
    broken = fn_backend_ref;
    broken.conv_forward = forward;
    broken.distrust = distrust;
    wrong = 2;
    assert_ok(test_of(&broken, 0, rows, &count));
    assert_int_equal(asked, 2);
    int retries = 0;
    for (size_t i = 0; i < count; i++) {
        retries += rows[i].retries;
        assert_true(rows[i].error <= rows[i].allowed);
    }
    assert_int_equal(retries, 2);
    broken.distrust = NULL;
    wrong = 1;
    assert_int_equal(test_of(&broken, 0, rows, &count), FN_EDEVICE);
    printf("%s\n", fn_err_text(0));
    assert_true(count < 5);
}

static int fails(struct fn_dev *dev, const struct fn_tensor *e, int count, float *d2)
{
    (void)dev, (void)e, (void)count, (void)d2;
    return fn_fail(FN_ENOMEM, "out of GPU memory");
}

static void test_op_that_fails(void **state)
{
    struct fn_selftest_row rows[FN_SELFTEST_ROWS];
    size_t count;
    (void)state;
    broken = fn_backend_ref;
    broken.distances = fails;
    assert_int_equal(test_of(&broken, 0, rows, &count), FN_ENOMEM);
    assert_string_equal(fn_err_text(0), "self-test: distances: out of GPU memory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_passes),        cmocka_unit_test(test_ops_that_do_nothing),
        cmocka_unit_test(test_every_slot),    cmocka_unit_test(test_next_algorithm),
        cmocka_unit_test(test_op_that_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
