/* SPDX-License-Identifier: MIT */
/* Losses and distances: every backend against ref64, and against values worked out by hand. */
#include <math.h>

#include "tests/op_check.h"
#include "tests/test.h"

static const struct fn_tolerance loss_tolerance = {2e-6, 1e-5, 1e-7};

/* n rows of d, the first `count` of which count. */
struct rows {
    int n, count, d;
};
static const struct rows all_rows[] = {
    {1, 1, 1}, {3, 3, 5}, {5, 3, 10}, {5, 1, 127}, {5, 5, 512}, {6, 6, 127}, {3, 2, 1}, {9, 6, 16},
};
enum { ROWS = sizeof all_rows / sizeof all_rows[0] };

static const char *title_of(const char *op, const struct rows *r)
{
    static char title[128];
    snprintf(title, sizeof title, "%s (%d of %d, %d)", op, r->count, r->n, r->d);
    return title;
}

/* Labels on the device, in a slot of its own: 0, the last, then any. */
static const int32_t *labels_of(struct fn_check *k, const int32_t *host, int n)
{
    const uint8_t *images;
    const int32_t *labels;
    uint8_t *image = fn_check_alloc(k, 3, FN_MEM_HOST);
    int32_t *pinned = fn_check_alloc(k, (size_t)n * sizeof *pinned, FN_MEM_HOST);
    memset(image, 0, 3);
    memcpy(pinned, host, (size_t)n * sizeof *pinned);
    assert_ok(k->backend->batch_upload(k->dev, 0, image, 3, pinned, (size_t)n, &images, &labels));
    assert_ok(k->backend->batch_use(k->dev, 0));
    return labels;
}

static const int32_t *extreme_labels(struct fn_check *k, int n, int classes)
{
    int32_t host[64];
    assert_true(n <= 64);
    for (int i = 0; i < n; i++)
        host[i] = i == 0 ? 0 : i == 1 ? classes - 1 : (i * 7919) % classes;
    return labels_of(k, host, n);
}

static void run_softmax(struct fn_check *k, const void *the_case)
{
    static const double scales[] = {3, 100}; /* moderate logits; probabilities of 0 and 1 */
    const struct rows *r = the_case;
    const int32_t *labels = extreme_labels(k, r->n, r->d);
    for (int i = 0; i < 2; i++) {
        const struct fn_tensor x = fn_check_rows(k, r->n, r->d, 1 + i, scales[i]);
        assert_ok(k->backend->softmax_xent(k->dev, &x, labels, r->count, 0));
        fn_check_keep_rows(k, "unchanged", &x);
        assert_ok(k->backend->softmax_xent(k->dev, &x, labels, r->count, 1));
        fn_check_keep_rows(k, "gradient", &x);
    }
    fn_check_keep_losses(k);
}

static void test_softmax(void **state)
{
    static const struct rows wide = {3, 3, 10007}; /* many classes */
    (void)state;
    for (int i = 0; i < ROWS; i++)
        fn_check_all(title_of("softmax", &all_rows[i]), run_softmax, &all_rows[i], loss_tolerance);
    fn_check_all(title_of("softmax", &wide), run_softmax, &wide, loss_tolerance);
}

/* Three equal logits: the first one wins; the loss is log 3. */
static void test_softmax_ties(void **state)
{
    static const double equal[6] = {1, 1, 1, 1, 1, 1};
    static const int32_t host_labels[2] = {0, 1};
    (void)state;
    for (int i = 0; fn_check_backend(i); i++) {
        struct fn_check k;
        double losses[FN_LOSS_COUNT];
        assert_true(fn_check_open(&k, fn_check_backend(i), 1));
        const struct fn_tensor x = {2, 1, 1, 3, 0, 3, fn_check_vector_of(&k, equal, 6)};
        const int32_t *labels = labels_of(&k, host_labels, 2);
        assert_ok(k.backend->losses_post(k.dev, 0));
        assert_ok(k.backend->softmax_xent(k.dev, &x, labels, 2, 1));
        assert_ok(k.backend->softmax_xent(k.dev, &x, labels, 1, 0)); /* its logits: the gradients */
        fn_check_losses(&k, losses);
        assert_true(losses[FN_LOSS_CORRECT] == 1);
        /* row 0 of the gradients: -1/3, 1/6, 1/6 */
        const double second = log(exp(-1 / 3.0) + 2 * exp(1 / 6.0)) + 1 / 3.0;
        assert_true(fabs(losses[FN_LOSS_XENT] - log(3) - second) < 1e-6);
        fn_check_losses(&k, losses); /* from zero again */
        for (int l = 0; l < FN_LOSS_COUNT; l++)
            assert_true(losses[l] == 0);
        fn_check_close(&k);
    }
}

static void run_center(struct fn_check *k, const void *the_case)
{
    enum { CLASSES = 7 };
    const struct rows *r = the_case;
    const struct fn_backend *b = k->backend;
    const size_t count = CLASSES * (size_t)r->d;
    const struct fn_tensor x = fn_check_rows(k, r->n, r->d, 1, 2);
    const struct fn_tensor dx = fn_check_rows(k, r->n, r->d, 2, 1);
    void *centers = fn_check_vector(k, count, 3, 1, 0);
    int32_t host[64];
    for (int i = 0; i < r->n; i++)
        host[i] = i < 2 ? CLASSES - 1 : i == 2 ? 0 : CLASSES - 1; /* several rows of one class */
    const int32_t *labels = labels_of(k, host, r->n);
    assert_ok(b->center_loss(k->dev, &x, labels, r->count, centers, 0.01, NULL));
    assert_ok(b->center_loss(k->dev, &x, labels, r->count, centers, 0.3, &dx));
    fn_check_keep_vector(k, "centers unchanged", centers, count);
    fn_check_keep_rows(k, "dx", &dx);
    assert_ok(b->center_update(k->dev, &x, labels, r->count, centers, 0.95));
    fn_check_keep_vector(k, "centers", centers, count);
    fn_check_keep_losses(k);
}

static void test_center(void **state)
{
    (void)state;
    for (int i = 0; i < ROWS; i++)
        fn_check_all(title_of("center", &all_rows[i]), run_center, &all_rows[i], loss_tolerance);
}

/* c = 1, x = 3 and 7, alfa 0.75: with the center before for both, c = 1 + 0.25 (2 + 6) = 3. */
static void test_center_values(void **state)
{
    static const double two[2] = {3, 7}, one[2] = {9, 1};
    static const int32_t host_labels[2] = {1, 1};
    (void)state;
    for (int i = 0; fn_check_backend(i); i++) {
        struct fn_check k;
        assert_true(fn_check_open(&k, fn_check_backend(i), 1));
        const struct fn_tensor x = {2, 1, 1, 1, 0, 1, fn_check_vector_of(&k, two, 2)};
        void *centers = fn_check_vector_of(&k, one, 2);
        const int32_t *labels = labels_of(&k, host_labels, 2);
        assert_ok(k.backend->center_update(k.dev, &x, labels, 2, centers, 0.75));
        double *got = fn_check_read_vector(&k, centers, 2);
        assert_true(got[0] == 9 && fabs(got[1] - 3) < 1e-6);
        free(got);
        fn_check_close(&k);
    }
}

static void run_norm(struct fn_check *k, const void *the_case)
{
    static const double powers[] = {1, 2, 3.5, 64, INFINITY};
    const struct rows *r = the_case;
    const size_t d = (size_t)r->d, count = (size_t)r->n * d;
    double *host = fn_check_host(count, 1, 4, 0);
    host[0] = 0; /* no direction: gradient 0 */
    if (d > 4)
        host[3] = -(host[4] = 4.5); /* two largest ones */
    const struct fn_tensor x = {r->n, 1, 1, r->d, 0, r->d, fn_check_vector_of(k, host, count)};
    for (int i = 0; i < 5; i++) {
        const struct fn_tensor dx = fn_check_rows(k, r->n, r->d, 2 + i, 1);
        assert_ok(k->backend->norm_loss(k->dev, &x, r->count, powers[i], 0.7, &dx));
        fn_check_keep_rows(k, "dx", &dx);
    }
    assert_ok(k->backend->norm_loss(k->dev, &x, r->count, 1, 0.7, NULL));
    fn_check_keep_losses(k);
    free(host);
}

static void test_norm(void **state)
{
    (void)state;
    for (int i = 0; i < ROWS; i++)
        fn_check_all(title_of("norm", &all_rows[i]), run_norm, &all_rows[i], loss_tolerance);
}

static void run_triplet(struct fn_check *k, const void *the_case)
{
    static const double alphas[] = {0.2, -100,
                                    100}; /* some, none, all of the triplets are active */
    const struct rows *r = the_case;
    for (int i = 0; i < 3; i++) {
        const struct fn_tensor e = fn_check_rows(k, r->n, r->d, 1, 1);
        const struct fn_tensor de = fn_check_rows(k, r->n, r->d, 2, 1);
        assert_ok(k->backend->triplet_loss(k->dev, &e, r->count, alphas[i], &de));
        fn_check_keep_rows(k, "de", &de);
    }
    fn_check_keep_losses(k);
}

static void test_triplet(void **state)
{
    static const struct rows cases[] = {{3, 3, 1},   {9, 9, 5},    {10, 6, 127},
                                        {6, 3, 128}, {30, 30, 10}, {9, 9, 512}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        fn_check_all(title_of("triplet", &cases[i]), run_triplet, &cases[i], loss_tolerance);
}

static void run_distances(struct fn_check *k, const void *the_case)
{
    const struct rows *r = the_case;
    const size_t count = (size_t)r->count * (size_t)r->count;
    const struct fn_tensor e = fn_check_rows(k, r->n, r->d, 1, 0.5);
    float *d2 = malloc(count * sizeof *d2);
    double *wide = malloc(count * sizeof *wide);
    assert_true(d2 && wide);
    assert_ok(k->backend->distances(k->dev, &e, r->count, d2));
    for (size_t i = 0; i < count; i++)
        wide[i] = d2[i];
    for (int i = 0; i < r->count; i++)
        assert_true(d2[i * r->count + i] >= 0 && d2[i * r->count + i] < 1e-4);
    fn_check_keep(k, "d2", wide, count);
    free(d2);
    free(wide);
}

static void test_distances(void **state)
{
    static const struct rows cases[] = {{1, 1, 1},   {3, 3, 5},     {7, 5, 127},
                                        {9, 9, 512}, {45, 37, 128}, {33, 33, 10}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        fn_check_all(title_of("distances", &cases[i]), run_distances, &cases[i],
                     (struct fn_tolerance){2e-6, 1e-5, 0});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_softmax),   cmocka_unit_test(test_softmax_ties),
        cmocka_unit_test(test_center),    cmocka_unit_test(test_center_values),
        cmocka_unit_test(test_norm),      cmocka_unit_test(test_triplet),
        cmocka_unit_test(test_distances),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
