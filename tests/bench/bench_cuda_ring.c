/* SPDX-License-Identifier: MIT */
/* What feeding a GPU adds to the loader: batches of 90 crops that somebody only takes and releases,
 * in turns with the same batches uploaded from pinned memory and trained on, losses read a step
 * late, by a pretend GPU that takes no time for anything (fn_pretend_options.idle 2). So what is
 * added is ours: waiting for slots, uploads, events, the recorded step's launch.
 *
 *     bench_cuda_ring [PAIRS [SECONDS]]   default: 9 pairs of 1 s turns
 *
 * Printed are medians over the pairs: images a second, microseconds of processor time (user and
 * system) an image, and the medians of the pairs' ratios; the aim is less than 3 % more. */
#include <sys/resource.h>

#include "base/log.h"
#include "tests/cuda/pretend.h"
#include "tests/make_store.h"
#include "tests/rig.h"
#include "train/loader.h"

enum { BATCH = 90, SIZE = 160, DRAWN = 600, MOST = 99, WARM = 2 * FN_LOADER_SLOTS };

struct rates {
    double images_s, us; /* a second; of processor time each */
};

static double processor_s(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
           1e-6 * (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

/* As run_step.c does it: upload, step, the losses of the step before, its slot free again. */
static void train_on(struct rig *r, const struct fn_batch *b, struct fn_loader *l, uint64_t t)
{
    static const struct fn_step_options o = {
        .keep = 0.4, .bn_decay = 0.995, .update = {FN_ADAGRAD, 5e-4, 0.9999}, .record = 1};
    static int before;
    const struct fn_step step = {.seed = 1, .step = t, .lr = 0.1, .t = t + 1};
    double losses[FN_LOSS_COUNT];
    assert_ok(r->be->batch_upload(r->dev, b->slot, b->images, BATCH * r->image_bytes, b->labels,
                                  BATCH, &r->dev_images, &r->dev_labels));
    assert_ok(r->be->batch_use(r->dev, b->slot));
    assert_ok(fn_step_train(r->exec, &step, r->dev_images, r->dev_labels, &o));
    assert_ok(r->be->losses_post(r->dev, (int)(t % 4)));
    if (t > 0) {
        assert_ok(r->be->losses_wait(r->dev, (int)((t - 1) % 4), losses));
        assert_ok(r->be->batch_release(r->dev, before, 1));
        fn_loader_release(l, before);
    }
    before = b->slot;
}

/* rig NULL: nobody uses the batches. */
static struct rates turn(struct fn_source *source, const struct fn_examples *examples,
                         const struct fn_loader_slot *slot, struct rig *rig, double seconds)
{
    struct fn_sampler s = {1, examples};
    struct fn_loader_config c = {source, 1, BATCH, SIZE, FN_LOADER_SLOTS, slot};
    struct fn_loader_job job = {.order = fn_sampler_order(&s), .augment = {SIZE, 1, 1, 0, 1}};
    struct fn_loader *l;
    double from = 0, cpu = 0, images = 0;
    assert_ok(fn_loader_open(&l, &c));
    assert_ok(fn_loader_start(l, &job));
    for (uint64_t t = 0; t <= WARM || fn_now() - from < seconds; t++) {
        struct fn_batch b;
        if (t == WARM) {
            from = fn_now();
            cpu = processor_s();
        }
        assert_ok(fn_loader_next(l, &b));
        if (rig)
            train_on(rig, &b, l, t);
        else
            fn_loader_release(l, b.slot);
        images += t >= WARM ? BATCH : 0;
    }
    from = fn_now() - from;
    cpu = processor_s() - cpu;
    if (rig)
        assert_ok(rig->be->sync(rig->dev));
    fn_loader_close(&l);
    return (struct rates){images / from, 1e6 * cpu / images};
}

static int is_less(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, int count)
{
    qsort(v, (size_t)count, sizeof *v, is_less);
    return count % 2 ? v[count / 2] : (v[count / 2 - 1] + v[count / 2]) / 2;
}

static void measure(struct fn_source *source, const struct fn_examples *examples, struct rig *rig,
                    int pairs, double seconds)
{
    struct fn_loader_slot slot[2][FN_LOADER_SLOTS]; /* the host's own, pinned */
    double value[6][MOST];                          /* alone, fed: images/s, us; then the ratios */
    for (int i = 0; i < FN_LOADER_SLOTS; i++) {
        assert_non_null(slot[0][i].images = malloc(BATCH * rig->image_bytes));
        assert_non_null(slot[0][i].labels = malloc(BATCH * sizeof(int32_t)));
        assert_ok(rig->be->alloc(rig->dev, BATCH * rig->image_bytes, FN_MEM_HOST,
                                 (void **)&slot[1][i].images));
        assert_ok(rig->be->alloc(rig->dev, BATCH * sizeof(int32_t), FN_MEM_HOST,
                                 (void **)&slot[1][i].labels));
    }
    for (int p = 0; p < pairs; p++) {
        struct rates r[2];
        for (int i = 0; i < 2; i++) { /* the first of a pair changes */
            const int fed = (i + p) % 2;
            r[fed] = turn(source, examples, slot[fed], fed ? rig : NULL, seconds);
        }
        const double row[] = {
            r[0].images_s,    r[0].us, r[1].images_s, r[1].us, r[1].images_s / r[0].images_s,
            r[1].us / r[0].us};
        for (int k = 0; k < 6; k++)
            value[k][p] = row[k];
    }
    for (int k = 0; k < 6; k++)
        value[k][0] = median(value[k], pairs);
    printf("loader alone  %8.0f images/s %8.1f us of processor an image\n"
           "with a step   %8.0f images/s %8.1f us of processor an image\n"
           "ratio         %8.3f          %8.3f   medians of %d pairs (aim: 0.97, 1.03)\n",
           value[0][0], value[1][0], value[2][0], value[3][0], value[4][0], value[5][0], pairs);
    for (int i = 0; i < FN_LOADER_SLOTS; i++) {
        free(slot[0][i].images);
        free(slot[0][i].labels);
        rig->be->free(rig->dev, FN_MEM_HOST, slot[1][i].images);
        rig->be->free(rig->dev, FN_MEM_HOST, slot[1][i].labels);
    }
}

int main(int argc, char **argv)
{
    static const int images[] = {DRAWN};
    /* The network is planned for two images: what it computes is left out anyhow. */
    const struct rig_options ro = {"cuda", "inception_resnet_v1", SIZE,       512, 1000, BATCH,
                                   1,      FN_HEAD_SOFTMAX,       FN_ADAGRAD, 1};
    const struct fn_model_options model = {.training = 1, .optimizer = FN_ADAGRAD, .ema = 1};
    const int pairs = argc > 1 ? atoi(argv[1]) : 9;
    const double seconds = argc > 2 ? atof(argv[2]) : 1;
    struct fn_pretend_options p = fn_pretend_defaults();
    struct fn_examples examples = {calloc(DRAWN, sizeof(uint64_t)), NULL, DRAWN};
    char *dir = test_folder(), *path = fn_path_join(dir, "db");
    struct fn_store *store;
    struct fn_source *source;
    struct rig rig;
    if (pairs < 1 || pairs > MOST || !(seconds > 0)) {
        fprintf(stderr, "bench_cuda_ring [PAIRS, 1 to %d [SECONDS]]\n", MOST);
        return 2;
    }
    p.idle = 2;
    p.order = FN_PRETEND_EAGER;
    fn_pretend_set(&p);
    make_store(&(struct make_store){path, images, 1, 182, 182, FN_CODEC_JPEG, 0});
    assert_ok(fn_store_open(&store, path));
    assert_ok(fn_source_store(&source, store));
    for (uint64_t i = 0; i < DRAWN; i++)
        examples.ids[i] = i;
    assert_true(rig_open_with(&rig, &ro, &model, 2, FN_BF16));
    measure(source, &examples, &rig, pairs, seconds);
    rig_close(&rig);
    fn_source_close(&source);
    fn_store_close(&store);
    assert_ok(fn_remove_tree(dir));
    free(examples.ids);
    free(path);
    free(dir);
    return 0;
}
