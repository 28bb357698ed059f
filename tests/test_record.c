/* SPDX-License-Identifier: MIT */
/* Recorded training steps, on a toy device that records: what is run while it does leaves no trace,
 * and a replay computes the step that was recorded. When a step is run, recorded, replayed; and
 * that all ways end with the same bits. */
#include "tests/rig.h"

enum { SIZE = 80, N = 3, EMBEDDING = 16, CLASSES = 4, STEPS = 6 };

struct fn_recording {
    const uint8_t *images;
    const int32_t *labels;
    struct fn_step_options options;
};

/* What the toy did, and what it shall do. */
static struct {
    struct rig *rig;
    struct fn_backend table;
    struct fn_step step;
    const struct fn_step_options *options; /* of the step under way */
    char *saved;
    int run, begun, recorded, replayed, freed, recording;
    int moved, broken; /* the next replay finds its memory moved; recording fails */
} toy;

static size_t arena_bytes(void)
{
    const struct fn_params *p = &toy.rig->model->params;
    return (2 * p->total + 2 * p->trained + CLASSES * EMBEDDING) * sizeof(float);
}

/* All that a step changes, to or from one block. */
static void copy_state(char *block, int back)
{
    const struct fn_params *p = &toy.rig->model->params;
    const struct {
        void *data;
        size_t count;
    } arena[] = {{p->w, p->total},
                 {p->ema, p->total},
                 {p->slot1, p->trained},
                 {p->slot2, p->trained},
                 {toy.rig->model->centers, CLASSES * EMBEDDING}};
    for (size_t i = 0; i < sizeof arena / sizeof *arena; i++) {
        const size_t bytes = arena[i].count * sizeof(float);
        if (back)
            memcpy(arena[i].data, block, bytes);
        else
            memcpy(block, arena[i].data, bytes);
        block += bytes;
    }
}

static int toy_step_begin(struct fn_dev *dev, const struct fn_step *step)
{
    toy.step = *step;
    return fn_backend_ref.step_begin(dev, step);
}

static int toy_update(struct fn_dev *dev, const struct fn_params *p, const struct fn_update *rule)
{
    toy.run += !toy.recording;
    return fn_backend_ref.update(dev, p, rule);
}

static int toy_record_begin(struct fn_dev *dev)
{
    (void)dev;
    assert_false(toy.recording);
    toy.recording = 1;
    toy.begun++;
    toy.saved = malloc(arena_bytes());
    assert_non_null(toy.saved);
    copy_state(toy.saved, 0);
    return FN_OK;
}

static int toy_record_end(struct fn_dev *dev, struct fn_recording **out)
{
    double losses[FN_LOSS_COUNT];
    assert_true(toy.recording);
    toy.recording = 0;
    copy_state(toy.saved, 1);
    free(toy.saved);
    assert_ok(fn_backend_ref.losses_post(dev, 3));
    assert_ok(fn_backend_ref.losses_wait(dev, 3, losses));
    if (toy.broken)
        return fn_fail(FN_EDEVICE, "the toy is broken");
    struct fn_recording *r = calloc(1, sizeof *r);
    assert_non_null(r);
    *r = (struct fn_recording){toy.rig->dev_images, toy.rig->dev_labels, *toy.options};
    r->options.record = 0;
    toy.recorded++;
    *out = r;
    return FN_OK;
}

static int toy_replay(struct fn_dev *dev, const struct fn_recording *r)
{
    (void)dev;
    if (toy.moved) {
        toy.moved = 0;
        return fn_fail(FN_EBUSY, "the toy's memory has moved");
    }
    toy.replayed++;
    toy.run--; /* of what follows */
    return fn_step_train(toy.rig->exec, &toy.step, r->images, r->labels, &r->options);
}

static void toy_free(struct fn_recording **r)
{
    free(*r);
    *r = NULL;
    toy.freed++;
}

static size_t toy_record_nodes(const struct fn_recording *r)
{
    (void)r;
    return 77;
}

static void open_rig(struct rig *r)
{
    const struct rig_options o = {"ref", "shrunken",      SIZE,    EMBEDDING, CLASSES, N,
                                  1,     FN_HEAD_SOFTMAX, FN_ADAM, 1};
    assert_true(rig_open(r, &o));
    assert_ok(fn_model_init(r->model, 5));
    for (size_t i = 0; i < N * r->image_bytes; i++)
        r->images[i] = (uint8_t)(i * 2654435761u >> 21);
    for (int i = 0; i < N; i++)
        r->labels[i] = i % CLASSES;
    rig_upload(r);
}

static void open_toy(struct rig *r)
{
    memset(&toy, 0, sizeof toy);
    open_rig(r);
    toy.rig = r;
    toy.table = fn_backend_ref;
    toy.table.step_begin = toy_step_begin;
    toy.table.update = toy_update;
    toy.table.record_begin = toy_record_begin;
    toy.table.record_end = toy_record_end;
    toy.table.replay = toy_replay;
    toy.table.record_free = toy_free;
    toy.table.record_nodes = toy_record_nodes;
    r->model->be = &toy.table;
}

static struct fn_step_options plain(int record)
{
    return (struct fn_step_options){.keep = 0.8,
                                    .norm_factor = 1e-3,
                                    .norm_p = 1,
                                    .center_factor = 0.01,
                                    .center_alfa = 0.9,
                                    .bn_decay = 0.9,
                                    .update = {FN_ADAM, 1e-4, 0.99},
                                    .record = record};
}

static void one_step(struct rig *r, int number, const struct fn_step_options *o)
{
    const struct fn_step step = {9, (uint64_t)number, 0.01 / (1 + number), (uint64_t)number + 1, 0};
    double losses[FN_LOSS_COUNT];
    toy.options = o;
    assert_ok(fn_step_train(r->exec, &step, r->dev_images, r->dev_labels, o));
    rig_losses(r, losses);
    assert_true(losses[FN_LOSS_XENT] > 0);
}

#define DID(r, e, p, f)                                                                            \
    do {                                                                                           \
        assert_int_equal(toy.run, r);                                                              \
        assert_int_equal(toy.recorded, e);                                                         \
        assert_int_equal(toy.replayed, p);                                                         \
        assert_int_equal(toy.freed, f);                                                            \
    } while (0)

/* The same steps, op by op and replayed: learning rates and dropout masks differ from step to step.
 */
static void test_same_bits(void **state)
{
    const struct fn_step_options replayed = plain(1), eager = plain(0);
    struct rig a, b;
    (void)state;
    open_rig(&a);
    open_toy(&b);
    for (int i = 0; i < STEPS; i++) {
        one_step(&a, i, &eager);
        one_step(&b, i, &replayed);
        assert_int_equal(fn_exec_recorded(b.exec), i ? 77 : 0);
    }
    DID(1, 1, STEPS - 1, 0);
    assert_memory_equal(a.model->params.w, b.model->params.w,
                        a.model->params.total * sizeof(float));
    assert_memory_equal(a.model->params.slot2, b.model->params.slot2,
                        a.model->params.trained * sizeof(float));
    rig_close(&b);
    assert_int_equal(toy.freed, 1);
    rig_close(&a);
}

/* Whatever a recording depends on makes the next step one op by op again. */
static void test_anew(void **state)
{
    struct fn_step_options o = plain(1);
    struct rig r;
    (void)state;
    open_toy(&r);
    for (int i = 0; i < 3; i++)
        one_step(&r, i, &o);
    DID(1, 1, 2, 0);
    o.update.weight_decay = 2e-4;
    one_step(&r, 3, &o);
    DID(2, 1, 2, 1);
    one_step(&r, 4, &o);
    DID(2, 2, 3, 1);
    toy.moved = 1;
    one_step(&r, 5, &o);
    DID(3, 2, 3, 2);
    one_step(&r, 6, &o);
    DID(3, 3, 4, 2);
    r.model->groups[3].frozen = 1;
    one_step(&r, 7, &o);
    DID(4, 3, 4, 3);
    one_step(&r, 8, &o);
    DID(4, 4, 5, 3);
    o.record = 0;
    one_step(&r, 10, &o);
    DID(5, 4, 5, 3);
    rig_close(&r);
}

/* A device that fails to record trains all the same. */
static void test_broken(void **state)
{
    const struct fn_step_options o = plain(1), eager = plain(0);
    struct rig a, b;
    (void)state;
    open_rig(&a);
    open_toy(&b);
    toy.broken = 1;
    for (int i = 0; i < 4; i++) {
        one_step(&a, i, &eager);
        one_step(&b, i, &o);
    }
    DID(4, 0, 0, 0);
    assert_int_equal(toy.begun, 1); /* and is not asked again */
    assert_memory_equal(a.model->params.w, b.model->params.w,
                        a.model->params.total * sizeof(float));
    rig_close(&b);
    rig_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bits),
        cmocka_unit_test(test_anew),
        cmocka_unit_test(test_broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
