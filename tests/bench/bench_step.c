/* SPDX-License-Identifier: MIT */
/* Training and inference of the full network, with the share of each kind of op.
 *
 *     bench_step [DEVICE [PRECISION [THREADS [BATCH...]]]]
 *                                      default: auto, fp32, all cores, batches of 32 and 90
 *
 * Random pictures, 1,000 classes, MOM, EMA on, after a warm-up: median over the steps, without the
 * loader. Then one step and one inference with a sync after every op, for the shares. To be
 * compared with PyTorch on the same machine in the same minute: torch_train.py --channels-last
 * (--dtype bf16), see there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/log.h"
#include "base/rng.h"
#include "train/exec.h"
#include "train/step.h"

enum { SIZE = 160, EMBEDDING = 512, CLASSES = 1000, WARM = 2, STEPS = 5 };

static void check(int rc)
{
    if (rc == FN_OK)
        return;
    fprintf(stderr, "bench_step: %s\n", fn_err_text(rc));
    exit(1);
}

struct bench {
    const struct fn_backend *be;
    struct fn_dev *dev;
    struct fn_net *net;
    struct fn_model *model;
    struct fn_exec *exec;
    uint8_t *images;
    int32_t *labels;
    const uint8_t *dev_images;
    const int32_t *dev_labels;
    int n;
};

static void open_bench(struct bench *b, int n, int training)
{
    const struct fn_net_options net = {"inception_resnet_v1", SIZE, EMBEDDING, CLASSES};
    const struct fn_model_options model = {
        .training = training, .optimizer = FN_MOM, .ema = training};
    const struct fn_exec_options exec = {n, training, training ? FN_HEAD_SOFTMAX : FN_HEAD_NONE};
    size_t bytes = (size_t)n * SIZE * SIZE * 3;
    b->n = n;
    check(fn_net_open(&b->net, &net));
    check(fn_model_open(&b->model, b->net, b->be, b->dev, &model));
    check(fn_exec_open(&b->exec, b->model, &exec));
    check(fn_model_commit(b->model, NULL, 0, 0));
    check(fn_model_init(b->model, 1));
    check(b->be->alloc(b->dev, bytes, FN_MEM_HOST, (void **)&b->images));
    check(b->be->alloc(b->dev, (size_t)n * sizeof *b->labels, FN_MEM_HOST, (void **)&b->labels));
    for (size_t i = 0; i < bytes; i++)
        b->images[i] = (uint8_t)fn_rng(1, i, 0, 0);
    for (int i = 0; i < n; i++)
        b->labels[i] = i % CLASSES;
    check(b->be->batch_upload(b->dev, 0, b->images, bytes, b->labels, (size_t)n, &b->dev_images,
                              &b->dev_labels));
    check(b->be->batch_use(b->dev, 0));
}

static void close_bench(struct bench *b)
{
    b->be->free(b->dev, FN_MEM_HOST, b->images);
    b->be->free(b->dev, FN_MEM_HOST, b->labels);
    fn_model_close(&b->model);
    fn_net_close(&b->net);
}

static void run_once(struct bench *b, uint64_t number)
{
    static const struct fn_step_options options = {.keep = 0.8,
                                                   .norm_p = 1,
                                                   .center_alfa = 0.95,
                                                   .bn_decay = 0.995,
                                                   .update = {FN_MOM, 5e-4, 0.9999}};
    const struct fn_step step = {1, number, 0.05, number + 1, 0};
    double losses[FN_LOSS_COUNT];
    if (fn_exec_get_options(b->exec)->training) {
        check(fn_step_train(b->exec, &step, b->dev_images, b->dev_labels, &options));
        check(b->be->losses_post(b->dev, 0));
        check(b->be->losses_wait(b->dev, 0, losses));
    } else {
        check(b->be->step_begin(b->dev, &step));
        check(fn_exec_images(b->exec, b->dev_images, 0, 0));
        check(fn_exec_forward(b->exec, 1));
        check(fn_exec_embed(b->exec));
        check(b->be->sync(b->dev));
    }
}

static int ascending(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

static double processor_s(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
           (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static void measure(struct bench *b, const char *what)
{
    double seconds[STEPS], processor;
    uint64_t number = 0;
    struct rusage usage;
    for (int i = 0; i < WARM; i++)
        run_once(b, number++);
    processor = processor_s();
    for (int i = 0; i < STEPS; i++) {
        double begin = fn_now();
        run_once(b, number++);
        seconds[i] = fn_now() - begin;
    }
    processor = (processor_s() - processor) / STEPS;
    qsort(seconds, STEPS, sizeof *seconds, ascending);
    getrusage(RUSAGE_SELF, &usage);
    printf("%s, batch %d: %.2f images/s (best %.2f; %.2f a processor second), planned %.0f MB, "
           "peak %.0f MB\n",
           what, b->n, b->n / seconds[STEPS / 2], b->n / seconds[0], b->n / processor,
           (double)b->model->planned_bytes / 1e6, (double)usage.ru_maxrss * 1024 / 1e6);
}

static void shares(struct bench *b)
{
    struct fn_profile profile;
    double sum = 0;
    memset(&profile, 0, sizeof profile);
    fn_exec_profile(b->exec, &profile);
    run_once(b, 100);
    fn_exec_profile(b->exec, NULL);
    for (int i = 0; i < FN_PROFILE_COUNT; i++)
        sum += profile.seconds[i];
    for (int i = 0; i < FN_PROFILE_COUNT; i++)
        if (profile.calls[i])
            printf("    %-20s %8.1f ms  %5.1f %%  %4llu calls\n", fn_profile_name(i),
                   1e3 * profile.seconds[i], 100 * profile.seconds[i] / sum,
                   (unsigned long long)profile.calls[i]);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static const int usual[] = {32, 90};
    const int narrow = argc > 2 && !strcmp(argv[2], "bf16");
    const struct fn_dev_options options = {.threads = argc > 3 ? atoi(argv[3]) : 0,
                                           .precision = narrow ? FN_BF16 : FN_FP32};
    int count = argc > 4 ? argc - 4 : 2;
    struct bench b = {0};
    check(fn_backend_open(argc > 1 ? argv[1] : "auto", &options, &b.be, &b.dev, NULL));
    printf("%s\n", b.be->info(b.dev)->device);
    for (int training = 0; training <= 1; training++)
        for (int i = 0; i < count; i++) {
            open_bench(&b, argc > 4 ? atoi(argv[4 + i]) : usual[i], training);
            measure(&b, training ? "training" : "inference");
            shares(&b);
            close_bench(&b);
        }
    b.be->close(&b.dev);
    return 0;
}
