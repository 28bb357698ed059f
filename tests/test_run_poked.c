/* SPDX-License-Identifier: MIT */
/* A run whose memory is spoiled under it: NaN in an image batch, a weight, a gradient, a moving
 * statistic, at a step of our choice. It is noticed there, named, and handled: skipped; after three
 * in a row back to the last good checkpoint, once; and what comes out is what an untouched run
 * gives, bit by bit. The backend's table is copied and three of its functions are ours. */
#include <math.h>

#include "tests/run_rig.h"

enum where { NOWHERE = 0, IMAGE, WEIGHT, GRADIENT, STATISTIC };

static struct {
    enum where where;
    uint64_t first, last; /* steps (from 1) */
    int left;             /* how often at most */
    uint64_t step;        /* under way */
    const struct fn_backend *real;
    const struct fn_model *model;
} poke;

static int due(enum where where)
{
    if (poke.where != where || poke.step < poke.first || poke.step > poke.last || !poke.left)
        return 0;
    poke.left--;
    return 1;
}

static void spoil(struct fn_dev *dev, void *scalar)
{
    float bad = NAN;
    assert_ok(poke.real->write(dev, scalar, &bad, sizeof bad));
}

static int poke_begin(struct fn_dev *dev, const struct fn_step *step)
{
    size_t moving = poke.model->net->trained_count;
    poke.step = step->t;
    if (due(WEIGHT))
        spoil(dev, fn_model_at(poke.model, FN_ARENA_W, 3));
    if (due(STATISTIC))
        spoil(dev, fn_model_at(poke.model, FN_ARENA_W, moving + 2));
    return poke.real->step_begin(dev, step);
}

static int poke_images(struct fn_dev *dev, const uint8_t *images, int per_image, int mirror,
                       const struct fn_tensor *y)
{
    int rc = poke.real->standardize(dev, images, per_image, mirror, y);
    if (due(IMAGE))
        spoil(dev, (float *)y->data + 1000);
    return rc;
}

static int poke_check(struct fn_dev *dev, const void *grad, size_t count)
{
    if (grad == poke.model->params.grad && due(GRADIENT))
        spoil(dev, (float *)(uintptr_t)grad + 77);
    return poke.real->check_finite(dev, grad, count);
}

static void install(struct fn_run *run)
{
    static struct fn_backend table;
    poke.real = run->be;
    poke.model = run->model;
    table = *run->be;
    table.step_begin = poke_begin;
    table.standardize = poke_images;
    table.check_finite = poke_check;
    run->be = run->model->be = &table;
}

static const int images[] = {5, 8, 4, 7};

/* Steps in steps.tsv are 1 .. 12, each once. */
static void check_table(const char *logs)
{
    char *text = run_rig_table(logs, "steps.tsv"), *line = strchr(text, '\n');
    for (unsigned long step = 1; step <= 12; step++) {
        char *end;
        assert_non_null(line);
        assert_int_equal(strtoul(line + 1, &end, 10), step);
        assert_int_equal(*end, '\t');
        line = strchr(line + 1, '\n');
    }
    assert_string_equal(line, "\n");
    free(text);
}

/* Trains 12 steps with a checkpoint every 4. */
static int train(struct run_rig *r, enum where where, uint64_t first, uint64_t last, int times)
{
    poke.where = where;
    poke.first = first;
    poke.last = last;
    poke.left = times;
    return run_rig_train(r, NULL, install);
}

/* Whether the weights are those of an untouched run; closes the run. What was said is gone. */
static int same_as_untouched(struct run_rig *r)
{
    size_t count, many;
    float *have = run_rig_weights(r, &count), *want;
    char *logs = strdup(r->run->log_folder);
    int same;
    fn_run_close(&r->run);
    check_table(logs);
    free(logs);
    for (size_t i = 0; i < count; i++)
        assert_true(isfinite(have[i]));
    assert_ok(train(r, NOWHERE, 0, 0, 0));
    want = run_rig_weights(r, &many);
    fn_run_close(&r->run);
    assert_int_equal(count, many);
    same = !memcmp(have, want, count * sizeof *have);
    free(have);
    free(want);
    return same;
}

/* The warning of a step has the names of its batch's pictures, as the sampler has them. */
static void says_batch(const struct run_rig *r, uint64_t step)
{
    char want[4096];
    size_t used = (size_t)snprintf(want, sizeof want, "step %llu: ", (unsigned long long)step);
    const char *found = strstr(r->said, want);
    assert_non_null(found);
    found = strstr(found, "values are not finite; the step is skipped (");
    assert_non_null(found);
    used = (size_t)snprintf(want, sizeof want, "values are not finite; the step is skipped (");
    for (uint64_t i = 0; i < 6; i++) {
        struct fn_example example;
        struct fn_order order = fn_sampler_order(&r->run->sampler);
        char name[200];
        order.at(order.context, (step - 1) * 6 + i, &example);
        used += (size_t)snprintf(
            want + used, sizeof want - used, "%s%s", i ? ", " : "",
            fn_source_name(r->run->source, example.id, name, i ? 60 : sizeof name));
    }
    if (strncmp(found, want, strlen(want)) != 0)
        fail_msg("want '%s' in:\n%s", want, r->said);
}

/* One bad batch or gradient: that step does nothing, the others are as they are. */
static void one_step(enum where where)
{
    struct run_rig r;
    run_rig_open(&r, images, 4, 0);
    assert_ok(train(&r, where, 6, 6, 1));
    assert_int_equal(poke.left, 0);
    assert_int_equal(r.run->state.step, 12);
    says_batch(&r, 6);
    assert_null(strstr(r.said, "going back"));
    assert_null(strstr(r.said, "step 7: "));
    assert_false(same_as_untouched(&r));
    run_rig_close(&r);
}

static void test_image(void **state)
{
    (void)state;
    one_step(IMAGE);
}

static void test_gradient(void **state)
{
    (void)state;
    one_step(GRADIENT);
}

/* A bad weight stays bad: three steps, then back to the checkpoint, and all is as if nothing had
 * been. */
static void test_weight(void **state)
{
    struct run_rig r;
    (void)state;
    run_rig_open(&r, images, 4, 0);
    assert_ok(train(&r, WEIGHT, 6, 6, 1));
    for (uint64_t step = 6; step <= 8; step++)
        says_batch(&r, step);
    run_rig_says(&r, "three steps in a row were not finite: going back to ");
    run_rig_says(&r, "checkpoint-00000004, once");
    assert_int_equal(r.run->state.went_back, 1);
    assert_true(same_as_untouched(&r));
    run_rig_close(&r);
}

/* A checkpoint falls due before three steps are over, or nothing notices: what is bad is not
 * saved, and the run goes back at once. */
static void test_not_saved(void **state)
{
    static const enum where places[] = {WEIGHT, STATISTIC};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct run_rig r;
        run_rig_open(&r, images, 4, 0);
        assert_ok(train(&r, places[i], 8, 8, 1));
        run_rig_says(&r, "after step 8 1 weights are not finite (");
        run_rig_says(&r, "checkpoint-00000004, once");
        assert_true(same_as_untouched(&r));
        run_rig_close(&r);
    }
}

/* The same at the end of an epoch, which is the end of training. */
static void test_not_saved_at_the_end(void **state)
{
    struct run_rig r;
    (void)state;
    run_rig_open(&r, images, 4, 0);
    assert_ok(train(&r, STATISTIC, 12, 12, 1));
    run_rig_says(&r, "after step 12 1 weights are not finite (");
    run_rig_says(&r, "checkpoint-00000008, once");
    assert_true(same_as_untouched(&r));
    run_rig_close(&r);
}

/* Triplets: the distances between the group's embeddings are found to be bad before any step. */
static void test_triplets(void **state)
{
    struct run_rig r;
    (void)state;
    run_rig_open(&r, images, 4, 0);
    r.o->loss = "triplet";
    r.o->people_per_batch = 3;
    r.o->images_per_person = 4;
    assert_ok(train(&r, WEIGHT, 6, 6, 1));
    run_rig_says(&r, "checkpoint-00000004, once");
    assert_true(same_as_untouched(&r));
    assert_ok(train(&r, GRADIENT, 6, 6, 1));
    run_rig_says(&r, "step 6: 1 values are not finite; the step is skipped (record ");
    assert_null(strstr(r.said, "going back"));
    assert_false(same_as_untouched(&r));
    r.o->loss = "softmax";
    run_rig_close(&r);
}

static void test_stops(void **state)
{
    struct run_rig r;
    char *newest;
    (void)state;
    run_rig_open(&r, images, 4, 0);
    assert_int_equal(train(&r, GRADIENT, 6, 12, 100), FN_ELIMIT);
    run_rig_says(&r, "going back to ");
    assert_non_null(strstr(fn_err_text(FN_ELIMIT), "again after going back to a checkpoint"));
    assert_ok(fn_checkpoint_find(r.run->folder, &newest));
    assert_non_null(strstr(newest, "checkpoint-00000004"));
    free(newest);
    fn_run_close(&r.run);
    assert_int_equal(train(&r, WEIGHT, 2, 2, 1), FN_ELIMIT);
    assert_non_null(strstr(fn_err_text(FN_ELIMIT), "there is no checkpoint yet"));
    fn_run_close(&r.run);
    run_rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_image),
        cmocka_unit_test(test_gradient),
        cmocka_unit_test(test_weight),
        cmocka_unit_test(test_not_saved),
        cmocka_unit_test(test_not_saved_at_the_end),
        cmocka_unit_test(test_triplets),
        cmocka_unit_test(test_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
