/* SPDX-License-Identifier: MIT */
/* Training steps of the shrunken network on the pretend GPU, with uploads beside them: the same
 * bits in every order of work, recorded or not; near ref; nothing allocated and nobody waited for
 * in a step; every wait and every event of the backend is needed: without any one of them some
 * order gives other bits, or the time that a device stands still is not known; which is long where
 * the host is late, and nothing where the device is. */
#include <math.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "base/rng.h"
#include "tests/cuda/pretend.h"
#include "tests/rig.h"

enum { EMBEDDING = 16, CLASSES = 4, N = 4, STEPS = 20, SHORT = 4, ORDERS = 5 };
enum {
    SIZE = 75,
    SIZE_BF16 = 107,
    STEPS_BF16 = 12
}; /* pixels; the last map must be more than one in bf16 */

static const struct fn_step_options options = {
    .keep = 0.9,
    .norm_factor = 1e-4,
    .norm_p = 1,
    .center_factor = 1e-3,
    .center_alfa = 0.95,
    .bn_decay = 0.9,
    .update = {FN_ADAM, 1e-4, 0.99},
};

/* Order of work i, leaving out what a place of the backend says (0: nothing). */
static void in_order(int i, uint64_t skip)
{
    struct fn_pretend_options o = fn_pretend_defaults();
    o.order = (uint64_t)(i < FN_PRETEND_RANDOM ? i : FN_PRETEND_RANDOM);
    o.seed = (uint64_t)i;
    o.skip = skip;
    fn_pretend_set(&o);
}

/* Stripes of class k, with noise; another batch every step. */
static void draw(const struct rig *r, uint64_t step)
{
    const size_t size = (size_t)r->net->image_size;
    for (int i = 0; i < N; i++) {
        const int label = (int)(step + (uint64_t)i) % CLASSES;
        uint8_t *im = r->images + (size_t)i * r->image_bytes;
        for (size_t p = 0; p < r->image_bytes; p++) {
            const size_t at = label & 1 ? p / 3 % size : p / 3 / size;
            im[p] = (uint8_t)(at / (label & 2 ? 4u : 9u) % 2 * 120 + fn_rng(step, 7, p, 8) % 100);
        }
        r->labels[i] = label;
    }
}

static int image_size = SIZE;
static long pause_ns; /* of the host, between two steps */

/* What a run left behind. */
struct result {
    int rc;
    double curve[STEPS], idle[STEPS];    /* loss; seconds that the device stood still before */
    uint64_t bits;                       /* of all losses and weights */
    uint64_t allocations, waits, graphs; /* from the fourth step on */
    uint64_t faults, places;             /* places: known before memory was freed */
};

static void add_bits(uint64_t *bits, const void *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        *bits = (*bits ^ ((const unsigned char *)data)[i]) * UINT64_C(0x100000001b3);
}

static int weights_of(struct rig *r, uint64_t *bits)
{
    int rc = FN_OK;
    for (size_t i = 0; i < r->net->param_count && !rc; i++) {
        float *w = calloc(r->net->params[i].count, sizeof *w);
        assert_non_null(w);
        rc = fn_model_get(r->model, FN_ARENA_W, i, w, FN_F32);
        add_bits(bits, w, r->net->params[i].count * sizeof *w);
        free(w);
    }
    return rc;
}

/* Upload, step, losses of the step before; the host's slot is filled again as soon as that is said
 * to be safe. */
static int one_step(struct rig *r, const struct fn_step_options *o, uint64_t t)
{
    const struct fn_step step = {.seed = 7, .step = t, .lr = 0.02, .t = t + 1};
    const struct fn_backend *be = r->be;
    const struct timespec pause = {0, pause_ns};
    draw(r, t);
    nanosleep(&pause, NULL);
    int rc = be->batch_upload(r->dev, 0, r->images, N * r->image_bytes, r->labels, N,
                              &r->dev_images, &r->dev_labels);
    if (!rc)
        rc = be->batch_use(r->dev, 0);
    if (!rc)
        rc = fn_step_train(r->exec, &step, r->dev_images, r->dev_labels, o);
    if (!rc)
        rc = be->losses_post(r->dev, (int)(t % 4));
    if (!rc && t % 2)
        return be->batch_release(r->dev, 0, 1);
    while (!rc && (rc = be->batch_release(r->dev, 0, 0)) == FN_EBUSY)
        rc = FN_OK;
    return rc;
}

static int losses_of(struct rig *r, uint64_t t, const struct fn_step_options *o, struct result *out)
{
    double losses[FN_LOSS_COUNT] = {0};
    const int rc = r->be->losses_wait(r->dev, (int)(t % 4), losses);
    out->curve[t] = fn_step_total(losses, o);
    add_bits(&out->bits, losses, sizeof losses);
    return rc || !r->be->idle ? rc : r->be->idle(r->dev, (int)(t % 4), &out->idle[t]);
}

static void train(const char *backend, int precision, int record, int steps, struct result *out)
{
    const struct rig_options ro = {backend, "shrunken", image_size,      EMBEDDING, CLASSES,
                                   N,       1,          FN_HEAD_SOFTMAX, FN_ADAM,   1};
    struct fn_step_options o = options;
    struct fn_pretend_counts before = {0}, after;
    struct rig r;
    memset(out, 0, sizeof *out);
    o.record = record;
    assert_true(rig_open_in(&r, &ro, precision));
    out->rc = fn_model_init(r.model, 5);
    for (uint64_t t = 0; t < (uint64_t)steps && !out->rc; t++) {
        if (t == 3)
            before = fn_pretend_counted();
        out->rc = one_step(&r, &o, t);
        if (!out->rc && t > 0)
            out->rc = losses_of(&r, t - 1, &o, out);
    }
    after = fn_pretend_counted();
    if (!out->rc)
        out->rc = losses_of(&r, (uint64_t)steps - 1, &o, out);
    if (!out->rc)
        out->rc = weights_of(&r, &out->bits);
    out->allocations = after.allocations - before.allocations;
    out->waits = after.syncs - before.syncs;
    out->graphs = after.graph_launches - before.graph_launches;
    while (fn_pretend_site(out->places + 1))
        out->places++;
    rig_close(&r);
    out->faults = fn_pretend_counted().faults;
}

/* ---- tests ---- */

static void test_learns(void **state)
{
    struct result exact, fp32, bf16;
    (void)state;
    image_size = SIZE_BF16;
    in_order(FN_PRETEND_LAZY, 0);
    train("ref", FN_FP32, 0, STEPS, &exact);
    train("cuda", FN_FP32, 1, STEPS, &fp32);
    train("cuda", FN_BF16, 1, STEPS_BF16, &bf16);
    printf("ref %.4f -> %.4f, fp32 %.4f -> %.4f, bf16 %.4f -> %.4f\n", exact.curve[0],
           exact.curve[STEPS - 1], fp32.curve[0], fp32.curve[STEPS - 1], bf16.curve[0],
           bf16.curve[STEPS_BF16 - 1]);
    assert_int_equal(exact.rc | fp32.rc | bf16.rc, FN_OK);
    assert_int_equal(fp32.faults + bf16.faults, 0);
    for (int i = 0; i < 2; i++) /* later steps amplify the rounding of the first a thousandfold */
        assert_true(fabs(fp32.curve[i] - exact.curve[i]) < 1e-5 * exact.curve[i]);
    assert_true(fabs(bf16.curve[0] - exact.curve[0]) < 5e-2 * exact.curve[0]);
    assert_true(exact.curve[STEPS - 1] < 0.8 * exact.curve[0]);
    assert_true(fp32.curve[STEPS - 1] < 0.8 * exact.curve[0]);
    assert_true(bf16.curve[STEPS_BF16 - 1] < 0.8 * exact.curve[0]);
}

static void test_same_bits(void **state)
{
    (void)state;
    for (int precision = FN_FP32; precision <= FN_BF16; precision++) {
        struct result first;
        image_size = precision == FN_BF16 ? SIZE_BF16 : SIZE;
        in_order(0, 0);
        train("cuda", precision, 0, SHORT, &first);
        assert_int_equal(first.rc, FN_OK);
        for (int i = 0; i < (precision == FN_FP32 ? 2 * ORDERS : 2); i++) {
            struct result r;
            in_order(precision == FN_FP32 ? i / 2 : FN_PRETEND_RANDOM, 0);
            train("cuda", precision, i % 2, SHORT, &r);
            assert_int_equal(r.rc, FN_OK);
            assert_int_equal(r.faults, 0);
            assert_true(r.bits == first.bits);
            assert_int_equal(r.graphs, i % 2 ? SHORT - 3 : 0);
            assert_int_equal(r.allocations, 0);
            /* Losses one step late, and every other slot; nothing else. */
            assert_int_equal(r.waits, SHORT - 3 + 1);
        }
    }
}

/* In a process of its own, which a wild pointer may end. */
static int is_noticed(uint64_t place, uint64_t right)
{
    int status = 0;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        FILE *quiet = freopen("/dev/null", "w", stderr);
        (void)quiet;
        signal(SIGSEGV, SIG_DFL); /* cmocka would go on */
        signal(SIGABRT, SIG_DFL);
        for (int i = 0; i < ORDERS; i++) {
            struct result r;
            in_order(i, place);
            train("cuda", FN_FP32, 1, SHORT, &r);
            if (r.rc || r.faults || r.bits != right)
                _exit(1);
        }
        _exit(0);
    }
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    return status != 0;
}

/* Not those that come when memory is freed: freeing waits by itself. */
static void test_every_place_is_needed(void **state)
{
    struct result right;
    int missed = 0;
    (void)state;
    image_size = SIZE;
    in_order(0, 0);
    train("cuda", FN_FP32, 1, SHORT, &right);
    assert_int_equal(right.rc, FN_OK);
    assert_int_equal(is_noticed(0, right.bits), 0);
    for (uint64_t place = 1; place <= right.places; place++) {
        const int noticed = is_noticed(place, right.bits);
        printf("place %d, %s, left out: %s\n", (int)place, fn_pretend_site(place),
               noticed ? "noticed" : "NOT noticed");
        missed += !noticed;
    }
    assert_int_equal(right.places, 11);
    assert_int_equal(missed, 0);
}

/* A device that is done at once stands still for as long as the host pauses; one that takes seconds
 * for a step never does. */
static void test_idle(void **state)
{
    static const long pause = 30000000;
    (void)state;
    image_size = SIZE;
    for (int slow = 0; slow < 2; slow++)
        for (int order = 0; order < ORDERS; order++) {
            struct fn_pretend_options o;
            struct result r;
            o = fn_pretend_defaults();
            o.order = (uint64_t)(order < FN_PRETEND_RANDOM ? order : FN_PRETEND_RANDOM);
            o.idle = 1;
            o.kernel_ns = slow ? 100000000 : 0;
            fn_pretend_set(&o);
            pause_ns = pause;
            train("cuda", FN_FP32, order % 2, SHORT, &r);
            pause_ns = 0;
            assert_int_equal(r.rc, FN_OK);
            assert_true(r.idle[0] == 0);
            for (int t = 1; t < SHORT; t++)
                assert_true(slow ? r.idle[t] == 0 : r.idle[t] > 0.9e-9 * (double)pause);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_place_is_needed), /* before any place of freeing is known */
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_learns),
        cmocka_unit_test(test_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
