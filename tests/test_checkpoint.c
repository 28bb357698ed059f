/* SPDX-License-Identifier: MIT */
/* Weights and checkpoints: what is written is what is read, and what does not fit is refused. */
#include <math.h>
#include <sys/stat.h>

#include "base/rng.h"
#include "tests/rig.h"
#include "train/checkpoint.h"
#include "train/model_file.h"

enum { SIZE = 75, EMBEDDING = 16, CLASSES = 3 };

static char *folder;

static int setup(void **state)
{
    (void)state;
    folder = test_folder();
    return folder ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    fn_remove_tree(folder);
    free(folder);
    return 0;
}

static const char *in_folder(const char *name)
{
    static char path[4][4200];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[0], "%s/%s", folder, name);
    return path[turn];
}

static int open_rig(struct rig *r, const char *backend, int n, int embedding, int classes,
                    int optimizer)
{
    const struct rig_options ro = {backend, "shrunken",      SIZE,      embedding, classes, n,
                                   1,       FN_HEAD_SOFTMAX, optimizer, 1};
    return rig_open(r, &ro);
}

/* Every arena and the centers get values of their own. */
static void scramble(struct rig *r, uint64_t seed)
{
    struct fn_model *m = r->model;
    float *values = malloc((size_t)1 << 20);
    assert_non_null(values);
    for (int a = 0; a < FN_ARENA_BATCH; a++)
        for (size_t i = 0; i < r->net->param_count; i++) {
            if (!fn_model_has(m, a, i))
                continue;
            for (size_t k = 0; k < r->net->params[i].count; k++)
                values[k] = (float)fn_rng_unit(fn_rng(seed, i, k, (uint64_t)a + 50));
            assert_ok(fn_model_set(m, a, i, values, FN_F32));
        }
    for (size_t k = 0; k < (size_t)r->net->classes * (size_t)r->net->embedding_size; k++)
        values[k] = (float)fn_rng_unit(fn_rng(seed, 0, k, 49));
    assert_ok(r->be->vector_import(r->dev, values, FN_F32,
                                   (size_t)r->net->classes * (size_t)r->net->embedding_size,
                                   m->centers));
    free(values);
}

/* All but the gradients are the same bits. */
static void assert_same(struct rig *a, struct rig *b)
{
    static const int arenas[] = {FN_ARENA_W, FN_ARENA_SLOT1, FN_ARENA_SLOT2, FN_ARENA_EMA};
    size_t bytes = (size_t)1 << 20, centers = CLASSES * EMBEDDING;
    float *x = malloc(bytes), *y = malloc(bytes);
    assert_true(x && y);
    for (int k = 0; k < 4; k++)
        for (size_t i = 0; i < a->net->param_count; i++) {
            size_t count = a->net->params[i].count;
            assert_int_equal(fn_model_has(a->model, arenas[k], i),
                             fn_model_has(b->model, arenas[k], i));
            if (!fn_model_has(a->model, arenas[k], i))
                continue;
            assert_ok(fn_model_get(a->model, arenas[k], i, x, FN_F32));
            assert_ok(fn_model_get(b->model, arenas[k], i, y, FN_F32));
            assert_memory_equal(x, y, count * sizeof *x);
        }
    assert_ok(a->be->vector_export(a->dev, a->model->centers, centers, x, FN_F32));
    assert_ok(b->be->vector_export(b->dev, b->model->centers, centers, y, FN_F32));
    assert_memory_equal(x, y, centers * sizeof *x);
    free(x);
    free(y);
}

static const struct fn_model_record record = {1, "shrunken", SIZE, 1, EMBEDDING, CLASSES, 0};

static struct fn_train_state state_at(uint64_t step)
{
    struct fn_train_state s = {.step = step,
                               .epoch = 2,
                               .batch = 5,
                               .seed = 666,
                               .average_xent = 1.0 / 3,
                               .average_total = 0.1,
                               .decay = 1e-300,
                               .best_step = -1,
                               .best_accuracy = -1};
    strcpy(s.content_id, "0123456789abcdef0123456789abcdef");
    strcpy(s.backend, "ref");
    strcpy(s.bits, "plain loops");
    strcpy(s.precision, "fp32");
    return s;
}

static int write_at(struct rig *r, uint64_t step, int64_t best)
{
    struct fn_train_state s = state_at(step);
    s.best_step = best;
    return fn_checkpoint_write(r->model, &record, &s, NULL, folder, FN_CHECKPOINT_KEPT);
}

static void test_round_trip(void **state)
{
    static const char *const backends[] = {"ref", "cpu"};
    struct fn_train_state s, want = state_at(17);
    struct rig a, b;
    char *found = NULL;
    (void)state;
    assert_true(open_rig(&a, "ref", 2, EMBEDDING, CLASSES, FN_ADAM));
    scramble(&a, 1);
    assert_ok(write_at(&a, 17, -1));
    assert_ok(fn_checkpoint_find(folder, &found));
    assert_string_equal(found, in_folder("checkpoint-00000017"));
    assert_ok(fn_checkpoint_state(found, &s));
    assert_int_equal(s.step, 17);
    assert_int_equal(s.batch, want.batch);
    assert_memory_equal(&s.average_xent, &want.average_xent, sizeof s.average_xent);
    assert_memory_equal(&s.decay, &want.decay, sizeof s.decay);
    assert_string_equal(s.bits, want.bits);
    fn_train_state_free(&s);
    for (int i = 0; i < 2; i++) { /* another backend, another batch: the same values */
        if (!open_rig(&b, backends[i], 5, EMBEDDING, CLASSES, FN_ADAM))
            continue;
        assert_ok(fn_checkpoint_load(found, b.model));
        assert_same(&a, &b);
        rig_close(&b);
    }
    free(found);
    rig_close(&a);
}

/* Three newest and the best stay; leftovers of a killed writer are in nobody's way. */
static void test_kept(void **state)
{
    static const uint64_t gone[] = {10, 30}, there[] = {20, 40, 50, 60};
    struct rig r;
    char *found = NULL, name[64];
    (void)state;
    assert_true(open_rig(&r, "ref", 1, EMBEDDING, CLASSES, FN_MOM));
    assert_ok(fn_mkdir_p(in_folder("checkpoint.tmp/half")));
    assert_ok(fn_mkdir_p(in_folder("checkpoint-junk")));
    for (uint64_t step = 10; step <= 60; step += 10)
        assert_ok(write_at(&r, step, step > 20 ? 20 : -1));
    for (size_t i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "checkpoint-%08d", (int)gone[i]);
        assert_false(fn_is_dir(in_folder(name)));
    }
    for (size_t i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "checkpoint-%08d", (int)there[i]);
        assert_true(fn_is_dir(in_folder(name)));
    }
    assert_false(fn_is_dir(in_folder("checkpoint.tmp")));
    assert_ok(write_at(&r, 60, 20)); /* the same step again: replaced */
    assert_ok(fn_checkpoint_cut(folder, 40));
    assert_ok(fn_checkpoint_find(folder, &found));
    assert_string_equal(found, in_folder("checkpoint-00000040"));
    free(found);
    assert_int_equal(fn_checkpoint_find(in_folder("checkpoint-junk"), &found), FN_ENOENT);
    rig_close(&r);
}

static void expect_load(const char *checkpoint, int embedding, int classes, int optimizer, int code,
                        const char *says)
{
    struct rig r;
    assert_true(open_rig(&r, "ref", 1, embedding, classes, optimizer));
    assert_int_equal(fn_checkpoint_load(checkpoint, r.model), code);
    if (!strstr(fn_err_text(code), says))
        fail_msg("'%s' does not say '%s'", fn_err_text(code), says);
    rig_close(&r);
}

static void test_mismatches(void **state)
{
    const char *path;
    struct rig r;
    (void)state;
    assert_true(open_rig(&r, "ref", 1, EMBEDDING, CLASSES, FN_ADAM));
    assert_ok(write_at(&r, 1, -1));
    path = in_folder("checkpoint-00000001");
    expect_load(path, EMBEDDING, CLASSES + 1, FN_ADAM, FN_EMISMATCH, "logits.weight");
    expect_load(path, EMBEDDING + 1, CLASSES, FN_ADAM, FN_EMISMATCH, "last_linear.weight");
    expect_load(path, EMBEDDING, CLASSES, FN_MOM, FN_EMISMATCH, "optimizer");
    rig_close(&r);
    assert_true(open_rig(&r, "ref", 1, EMBEDDING, CLASSES, FN_MOM));
    assert_ok(write_at(&r, 2, -1));
    expect_load(in_folder("checkpoint-00000002"), EMBEDDING, CLASSES, FN_ADAM, FN_EMISMATCH,
                "no slot2.");
    rig_close(&r);
}

static void flip_byte(const char *path, long from_end)
{
    FILE *f = fopen(path, "r+b");
    int c;
    assert_non_null(f);
    assert_int_equal(fseek(f, -from_end, SEEK_END), 0);
    c = fgetc(f);
    assert_int_equal(fseek(f, -from_end, SEEK_END), 0);
    fputc(c ^ 4, f);
    assert_int_equal(fclose(f), 0);
}

static void test_damage(void **state)
{
    static const char *const files[] = {FN_CHECKPOINT_MODEL, FN_CHECKPOINT_EMA,
                                        FN_CHECKPOINT_STATE};
    struct fn_train_state s;
    struct rig r;
    char name[128];
    (void)state;
    assert_true(open_rig(&r, "ref", 1, EMBEDDING, CLASSES, FN_ADAM));
    for (int i = 0; i < 3; i++) {
        assert_ok(write_at(&r, 5, -1));
        snprintf(name, sizeof name, "checkpoint-00000005/%s", files[i]);
        flip_byte(in_folder(name), 1000);
        assert_int_equal(fn_checkpoint_load(in_folder("checkpoint-00000005"), r.model),
                         FN_ECORRUPT);
        assert_non_null(strstr(fn_err_text(FN_ECORRUPT), files[i]));
    }
    /* Files of two checkpoints, put together by hand. */
    assert_ok(write_at(&r, 5, -1));
    scramble(&r, 3);
    assert_ok(write_at(&r, 6, -1));
    assert_int_equal(rename(in_folder("checkpoint-00000006/model.safetensors"),
                            in_folder("checkpoint-00000005/model.safetensors")),
                     0);
    assert_int_equal(fn_checkpoint_load(in_folder("checkpoint-00000005"), r.model), FN_ECORRUPT);
    assert_non_null(strstr(fn_err_text(FN_ECORRUPT), "is not the file"));
    assert_ok(fn_file_write(in_folder("checkpoint-00000005/state.json"), "{\"format\": 9}", 13));
    assert_int_equal(fn_checkpoint_state(in_folder("checkpoint-00000005"), &s), FN_EVERSION);
    assert_ok(fn_file_write(in_folder("checkpoint-00000005/state.json"), "{\"format\": 1}", 13));
    assert_int_equal(fn_checkpoint_state(in_folder("checkpoint-00000005"), &s), FN_EFORMAT);
    rig_close(&r);
}

static void test_unwritable(void **state)
{
    struct rig r;
    (void)state;
    if (geteuid() == 0) /* root writes anywhere: a file in the way stops it */
        assert_ok(fn_file_write(in_folder("run"), "x", 1));
    else
        assert_int_equal(mkdir(in_folder("run"), 0555), 0);
    assert_true(open_rig(&r, "ref", 1, EMBEDDING, CLASSES, FN_MOM));
    struct fn_train_state s = state_at(1);
    assert_int_not_equal(fn_checkpoint_write(r.model, &record, &s, NULL, in_folder("run"), 3),
                         FN_OK);
    assert_non_null(strstr(fn_err_text(FN_EIO), "run"));
    rig_close(&r);
}

/* ---- weights of others ---------------------------------------------------------------------- */
static void test_pretrained(void **state)
{
    struct fn_weights_report report;
    struct fn_safetensors *st = NULL;
    struct rig a, b;
    char *path;
    (void)state;
    assert_true(open_rig(&a, "ref", 1, EMBEDDING, CLASSES, FN_MOM));
    scramble(&a, 2);
    assert_ok(write_at(&a, 9, -1));
    path = strdup(in_folder("checkpoint-00000009/model.safetensors"));
    assert_ok(fn_safetensors_open(&st, path));

    assert_true(open_rig(&b, "ref", 1, EMBEDDING, CLASSES + 4, FN_MOM));
    assert_ok(fn_weights_load(b.model, st, path, FN_WEIGHTS_PRETRAINED, &report));
    assert_int_equal(report.reset, 2);
    assert_string_equal(report.first_reset, "logits.weight");
    assert_int_equal(report.classes, CLASSES);
    assert_int_equal(fn_weights_load(b.model, st, path, FN_WEIGHTS_ALL, &report), FN_EMISMATCH);
    rig_close(&b);

    assert_true(open_rig(&b, "ref", 1, EMBEDDING * 2, CLASSES, FN_MOM));
    assert_ok(fn_weights_load(b.model, st, path, FN_WEIGHTS_PRETRAINED, &report));
    assert_int_equal(report.embedding, EMBEDDING);
    assert_string_equal(report.first_reset, "last_linear.weight");
    rig_close(&b);

    const struct rig_options full = {"ref", "inception_resnet_v1", SIZE,   EMBEDDING, 0, 1,
                                     0,     FN_HEAD_NONE,          FN_MOM, 0};
    assert_true(rig_open(&b, &full));
    assert_int_equal(fn_weights_load(b.model, st, path, FN_WEIGHTS_PRETRAINED, &report),
                     FN_EMISMATCH);
    assert_non_null(strstr(fn_err_text(FN_EMISMATCH), "another architecture"));
    rig_close(&b);
    fn_safetensors_close(&st);
    free(path);
    rig_close(&a);
}

/* One value of one tensor of a published-like file is changed. */
static int load_with(struct rig *r, const char *tensor, float value)
{
    const char *const path = in_folder("other.safetensors");
    struct fn_weights_report report;
    struct fn_safetensors *st = NULL;
    struct fn_named_tensor *tensors;
    float *changed;
    size_t count;
    int rc;
    assert_ok(write_at(r, 9, -1));
    assert_ok(fn_safetensors_open(&st, in_folder("checkpoint-00000009/model.safetensors")));
    count = fn_safetensors_count(st);
    tensors = calloc(count, sizeof *tensors);
    assert_non_null(tensors);
    changed = NULL;
    for (size_t i = 0; i < count; i++) {
        tensors[i] = *fn_safetensors_at(st, i);
        if (strcmp(tensors[i].name, tensor) != 0)
            continue;
        changed = malloc(tensors[i].bytes);
        assert_non_null(changed);
        memcpy(changed, tensors[i].data, tensors[i].bytes);
        changed[0] = value;
        tensors[i].data = changed;
    }
    assert_non_null(changed);
    assert_ok(fn_safetensors_write(path, tensors, count, NULL, 0, NULL, NULL));
    fn_safetensors_close(&st);
    assert_ok(fn_safetensors_open(&st, path));
    rc = fn_weights_load(r->model, st, path, FN_WEIGHTS_PRETRAINED, &report);
    fn_safetensors_close(&st);
    free(tensors);
    free(changed);
    return rc;
}

static void test_strange_values(void **state)
{
    struct rig r;
    (void)state;
    assert_true(open_rig(&r, "ref", 1, EMBEDDING, CLASSES, FN_MOM));
    assert_ok(fn_model_init(r.model, 1));
    assert_ok(load_with(&r, "conv2d_1a.bn.weight", 1.000001f));
    assert_int_equal(load_with(&r, "conv2d_1a.bn.weight", 0.7f), FN_EMISMATCH);
    assert_non_null(strstr(fn_err_text(FN_EMISMATCH), "scale of 0.7"));
    assert_int_equal(load_with(&r, "repeat_1.0.conv2d.bias", NAN), FN_ECORRUPT);
    assert_non_null(strstr(fn_err_text(FN_ECORRUPT), "not finite"));
    rig_close(&r);
}

/* ---- the record of pictures ----------------------------------------------------------------- */
static void expect_agree(const char *path, int size, int per_image, int code, const char *says)
{
    const struct fn_preprocessing told = {size, per_image};
    struct fn_model_file *f = NULL;
    assert_ok(fn_model_file_open(&f, path, 0));
    assert_int_equal(fn_model_file_agree(f, &told), code);
    if (code && !strstr(fn_err_text(code), says))
        fail_msg("'%s' does not say '%s'", fn_err_text(code), says);
    fn_model_file_close(&f);
}

static void test_record(void **state)
{
    struct fn_model_file *f = NULL;
    struct rig r;
    char *path;
    (void)state;
    assert_true(open_rig(&r, "ref", 1, EMBEDDING, CLASSES, FN_MOM));
    assert_ok(fn_model_init(r.model, 1));
    assert_ok(write_at(&r, 12, -1));
    assert_ok(fn_model_file_open(&f, folder, 0)); /* by its run */
    assert_true(f->record.known);
    assert_int_equal(f->record.image_size, SIZE);
    assert_int_equal(f->record.per_image, 1);
    assert_int_equal(f->record.embedding, EMBEDDING);
    assert_int_equal(f->record.classes, CLASSES);
    assert_string_equal(f->record.network, "shrunken");
    fn_model_file_close(&f);
    assert_ok(fn_model_file_open(&f, folder, 1));
    assert_non_null(strstr(f->path, FN_CHECKPOINT_EMA));
    fn_model_file_close(&f);
    path = strdup(in_folder("checkpoint-00000012/model.safetensors"));
    assert_int_equal(fn_model_file_open(&f, path, 1), FN_ENOENT);
    expect_agree(path, -1, -1, FN_OK, "");
    expect_agree(path, SIZE, 1, FN_OK, "");
    expect_agree(path, 160, -1, FN_EMISMATCH, "75 pixels, not 160");
    expect_agree(path, -1, 0, FN_EMISMATCH, "per-image standardization, not fixed");
    assert_ok(load_with(&r, "conv2d_1a.bn.weight", 1)); /* a file without a record */
    expect_agree(in_folder("other.safetensors"), -1, -1, FN_OK, "");
    assert_int_equal(fn_model_file_open(&f, in_folder("nothing"), 0), FN_ENOENT);
    free(path);
    rig_close(&r);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_round_trip), TEST(test_kept),           TEST(test_mismatches),
        TEST(test_damage),     TEST(test_unwritable),     TEST(test_pretrained),
        TEST(test_record),     TEST(test_strange_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
