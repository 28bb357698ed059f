/* SPDX-License-Identifier: MIT */
/* A run's result is one thing, however it came about: 1 to 16 loader workers, resumed after every
 * step with another number of them, pictures that cannot be read among the others, a checkpoint
 * that was written elsewhere. The same bits of weights, the same rows in the tables.
 * ctest labels: slow */
#include "tests/run_rig.h"

static const int images[] = {5, 8, 4, 7, 6};
enum { CLASSES = 5, STEPS = 12 };

struct result {
    float *weights;
    size_t count;
    char *steps; /* steps.tsv */
};

static void free_result(struct result *r)
{
    free(r->weights);
    free(r->steps);
}

/* What the open run came to; closes it. */
static struct result result_of(struct run_rig *r)
{
    struct result result;
    char *logs = strdup(r->run->log_folder);
    result.weights = run_rig_weights(r, &result.count);
    fn_run_close(&r->run);
    result.steps = run_rig_table(logs, "steps.tsv");
    free(logs);
    return result;
}

/* The run of the options; closes it and compares. */
static void check_same(struct run_rig *r, const struct result *want, const char *what)
{
    struct result have = result_of(r);
    if (have.count != want->count ||
        memcmp(have.weights, want->weights, have.count * sizeof *have.weights) != 0)
        fail_msg("%s: other weights", what);
    if (strcmp(have.steps, want->steps) != 0)
        fail_msg("%s: another steps.tsv:\n%s\nnot:\n%s", what, have.steps, want->steps);
    free_result(&have);
}

/* Stop after `k` steps, go on with another number of workers. */
static void check_resumed(struct run_rig *r, const struct result *want, int64_t k)
{
    char *folder, what[64];
    r->o->workers = 1 + k % 4;
    r->o->max_steps = k;
    assert_ok(run_rig_train(r, NULL, NULL));
    assert_ok(fn_checkpoint_find(r->run->folder, &folder));
    fn_run_close(&r->run);
    r->o->workers = 5 - k % 4;
    r->o->max_steps = STEPS;
    assert_ok(run_rig_train(r, folder, NULL));
    snprintf(what, sizeof what, "Going on from step %lld", (long long)k);
    run_rig_says(r, what);
    check_same(r, want, what);
    free(folder);
}

static void check_loss(struct run_rig *r)
{
    static const int workers[] = {2, 3, 5, 8, 16};
    struct result want;
    char what[64];
    r->o->workers = 1;
    r->o->max_steps = STEPS;
    assert_ok(run_rig_train(r, NULL, NULL));
    want = result_of(r);
    for (size_t i = 0; i < sizeof workers / sizeof *workers; i++) {
        r->o->workers = workers[i];
        assert_ok(run_rig_train(r, NULL, NULL));
        snprintf(what, sizeof what, "%d workers", workers[i]);
        check_same(r, &want, what);
    }
    for (int64_t k = 1; k < STEPS; k++)
        check_resumed(r, &want, k);
    free_result(&want);
}

static void test_softmax(void **state)
{
    struct run_rig r;
    (void)state;
    run_rig_open(&r, images, CLASSES, 0);
    r.o->random_rotate = 1;
    check_loss(&r);
    r.o->random_rotate = 0;
    run_rig_close(&r);
}

static void test_triplets(void **state)
{
    struct run_rig r;
    (void)state;
    run_rig_open(&r, images, CLASSES, 0);
    r.o->loss = "triplet";
    r.o->people_per_batch = 3;
    r.o->images_per_person = 4;
    check_loss(&r);
    r.o->loss = "softmax";
    run_rig_close(&r);
}

/* Every seventh picture cannot be decoded: named, replaced by the same others every time. */
static void test_bad_pictures(void **state)
{
    struct run_rig r;
    (void)state;
    run_rig_open(&r, images, CLASSES, 7);
    r.o->max_steps = 2;
    assert_ok(run_rig_train(&r, NULL, NULL));
    run_rig_says(&r, "cannot be used, another takes its place: ");
    run_rig_says(&r, "record ");
    fn_run_close(&r.run);
    check_loss(&r);
    run_rig_close(&r);
}

/* A byte of a shard goes bad while training: the record's checksum sees it. */
static void test_bad_shard(void **state)
{
    struct run_rig r;
    char *path;
    unsigned char *data = NULL;
    size_t bytes;
    FILE *f;
    (void)state;
    run_rig_open(&r, images, CLASSES, 0);
    path = fn_path_join(r.dir, "db/shard-00000.mdb");
    assert_ok(fn_file_read(path, 1 << 28, &data, &bytes));
    for (size_t at = bytes / 2; at < bytes / 2 + 3000; at += 1000)
        data[at] ^= 0x55;
    assert_non_null(f = fopen(path, "wb"));
    assert_int_equal(fwrite(data, 1, bytes, f), bytes);
    assert_int_equal(fclose(f), 0);
    assert_ok(run_rig_train(&r, NULL, NULL));
    run_rig_says(&r, "cannot be used, another takes its place: ");
    assert_int_equal(r.run->state.step, STEPS);
    fn_run_close(&r.run);
    free(data);
    free(path);
    run_rig_close(&r);
}

/* Resumed where the processor has other instructions: it goes on, and says what that means. The
 * checkpoint comes to say so by an edit of the text it was written with. */
static void test_other_machine(void **state)
{
    struct run_rig r;
    char *folder, *path, *text, *at;
    unsigned char *data = NULL;
    size_t bytes;
    (void)state;
    run_rig_open(&r, images, CLASSES, 0);
    r.o->max_steps = 4;
    assert_ok(run_rig_train(&r, NULL, NULL));
    assert_ok(fn_checkpoint_find(r.run->folder, &folder));
    fn_run_close(&r.run);
    path = fn_path_join(folder, FN_CHECKPOINT_INFO);
    assert_ok(fn_file_read(path, 1 << 20, &data, &bytes));
    text = (char *)data;
    assert_non_null(at = strstr(text, "\"bits\": \""));
    memcpy(at + 9, "Z80", 3);
    assert_ok(fn_file_write(path, text, bytes));
    r.o->max_steps = STEPS;
    assert_ok(run_rig_train(&r, folder, NULL));
    run_rig_says(&r, "results can differ in the last bits");
    run_rig_says(&r, "Z80");
    assert_int_equal(r.run->state.step, STEPS);
    free(folder);
    /* From now on it is a run of this machine. */
    assert_ok(fn_checkpoint_find(r.run->folder, &folder));
    fn_run_close(&r.run);
    r.o->max_steps = STEPS + 1;
    assert_ok(run_rig_train(&r, folder, NULL));
    assert_null(strstr(r.said, "last bits"));
    fn_run_close(&r.run);
    free(folder);
    free(path);
    free(data);
    run_rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_softmax),       cmocka_unit_test(test_triplets),
        cmocka_unit_test(test_bad_pictures),  cmocka_unit_test(test_bad_shard),
        cmocka_unit_test(test_other_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
