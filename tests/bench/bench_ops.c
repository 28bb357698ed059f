/* SPDX-License-Identifier: MIT */
/* How fast a backend's ops are: every distinct convolution of the network, pass by pass, and the
 * memory-bound ops.
 *
 *     bench_ops [DEVICE [PRECISION [THREADS [BATCH...]]]]      default: cpu, fp32, all cores, 32
 *
 * With one thread it is the processor's time that is measured, which others on the machine do not
 * change; with several it is the clock's.
 *
 * A line a shape: how often the network has it, milliseconds of each pass (the least of several
 * runs) and GFLOP/s; then what all convolutions take together, and the images/s that would be if
 * there were nothing else. Then GB/s of the other ops, counting what they must read and write. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/op.h"
#include "kernels/start.h"
#include "train/net.h"

enum { SHAPES = 128, PASSES = 4 };

struct bench {
    const struct fn_backend *backend;
    struct fn_dev *dev;
    int n;
    void *a, *b, *c, *index, *w, *stats, *workspace;
    size_t workspace_bytes;
};

static clockid_t measured = CLOCK_MONOTONIC;

static double now(void)
{
    struct timespec t;
    clock_gettime(measured, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void check(int rc)
{
    if (rc == FN_OK)
        return;
    fprintf(stderr, "bench_ops: %s\n", fn_err_text(rc));
    exit(1);
}

/* The least of several runs: what the machine can do when nothing else wants it. */
#define TIME(seconds, call)                                                                        \
    do {                                                                                           \
        double begin_ = now(), least_ = 1e9;                                                       \
        for (int run_ = 0; run_ < 3 || (run_ < 50 && now() - begin_ < 0.15); run_++) {             \
            double start_ = now();                                                                 \
            check(call);                                                                           \
            check(bench->backend->sync(bench->dev));                                               \
            double took_ = now() - start_;                                                         \
            least_ = took_ < least_ ? took_ : least_;                                              \
        }                                                                                          \
        (seconds) = least_;                                                                        \
    } while (0)

static struct fn_tensor tensor(void *data, int n, int h, int w, int c)
{
    return (struct fn_tensor){.n = n, .h = h, .w = w, .c = c, .ctotal = c, .data = data};
}

static void *fresh(struct bench *bench, size_t bytes)
{
    void *data, *host = calloc(1, bytes);
    float *values = host;
    if (!host)
        exit(1);
    /* Multiples of 1/128: read as bf16 they are numbers with zeros between. */
    for (size_t i = 0; i < bytes / sizeof(float); i++)
        values[i] = (float)((int)(i * 2654435761U % 256) - 128) / 128.0F;
    check(bench->backend->alloc(bench->dev, bytes, FN_MEM_DEVICE, &data));
    check(bench->backend->write(bench->dev, data, host, bytes));
    free(host);
    return data;
}

/* ---- convolutions --------------------------------------------------------------------------- */

static void bench_conv(struct bench *bench, const struct fn_conv_shape *s, double ms[PASSES])
{
    const struct fn_backend *k = bench->backend;
    int passes = FN_FORWARD | FN_BACKWARD_WEIGHTS | (s->cin == 3 ? 0 : FN_BACKWARD_DATA);
    struct fn_conv *plan;
    size_t workspace;
    struct fn_tensor x = tensor(bench->a, s->n, s->h, s->w, s->cin);
    struct fn_tensor y = tensor(bench->b, s->n, fn_conv_out_h(s), fn_conv_out_w(s), s->cout);
    struct fn_tensor dx = tensor(bench->c, s->n, s->h, s->w, s->cin);
    check(k->conv_plan(bench->dev, s, passes, &plan, &workspace));
    if (workspace > bench->workspace_bytes) {
        k->free(bench->dev, FN_MEM_DEVICE, bench->workspace);
        bench->workspace = fresh(bench, workspace);
        bench->workspace_bytes = workspace;
    }
    k->workspace(bench->dev, bench->workspace, bench->workspace_bytes);
    TIME(ms[0], k->conv_forward(bench->dev, plan, &x, bench->w, &y, NULL));
    TIME(ms[1], k->conv_forward(bench->dev, plan, &x, bench->w, &y, bench->stats));
    ms[2] = 0;
    if (passes & FN_BACKWARD_DATA)
        TIME(ms[2], k->conv_backward(bench->dev, plan, &x, bench->w, &y, &dx, 0, NULL));
    TIME(ms[3], k->conv_backward(bench->dev, plan, &x, bench->w, &y, NULL, 0, bench->index));
    k->conv_free(&plan);
    for (int i = 0; i < PASSES; i++)
        ms[i] *= 1e3;
}

static int collect(const struct fn_net *net, int n, struct fn_conv_shape *shapes, int *times)
{
    int count = 0;
    for (size_t i = 0; i < net->node_count; i++) {
        const struct fn_node *node = &net->nodes[i];
        if (node->kind != FN_NODE_CONV && node->kind != FN_NODE_UP)
            continue;
        const struct fn_buffer *in = &net->buffers[node->in.buffer];
        struct fn_conv_shape s;
        int k = 0;
        memset(&s, 0, sizeof s);
        s = (struct fn_conv_shape){n,        in->h,        in->w,      node->in.c, node->kh,
                                   node->kw, node->stride, node->same, node->out.c};
        while (k < count && memcmp(&shapes[k], &s, sizeof s) != 0)
            k++;
        if (k == count && count++ < SHAPES) {
            shapes[k] = s;
            times[k] = 0;
        }
        times[k]++;
    }
    return count;
}

static void bench_convs(struct bench *bench, const struct fn_net *net)
{
    struct fn_conv_shape shapes[SHAPES];
    int times[SHAPES], count = collect(net, bench->n, shapes, times);
    double total[PASSES] = {0}, flop = 0;
    printf("  #  in              kernel      cout   forward       + stats  backward data  "
           "weights\n");
    for (int i = 0; i < count; i++) {
        const struct fn_conv_shape *s = &shapes[i];
        double ms[PASSES];
        double g = 2e-6 * s->n * fn_conv_out_h(s) * fn_conv_out_w(s) * s->cout * s->kh * s->kw *
                   s->cin; /* MFLOP: over ms, GFLOP/s */
        bench_conv(bench, s, ms);
        printf(
            "%3d  %3dx%3dx%-4d %s  %dx%d/%d %s  %4d  %8.2f %4.0f  %8.2f %8.2f %4.0f %8.2f %4.0f\n",
            times[i], s->h, s->w, s->cin, "->", s->kh, s->kw, s->stride,
            s->same ? "same " : "valid", s->cout, ms[0], g / ms[0], ms[1] - ms[0], ms[2],
            ms[2] > 0 ? g / ms[2] : 0, ms[3], g / ms[3]);
        for (int p = 0; p < PASSES; p++)
            total[p] += times[i] * ms[p];
        flop += times[i] * g;
    }
    printf("all convolutions: forward %.1f ms (%.0f GFLOP/s), statistics %.1f, backward data %.1f "
           "(%.0f), weights %.1f (%.0f)\n",
           total[0], flop / total[0], total[1] - total[0], total[2], flop / total[2], total[3],
           flop / total[3]);
    printf("convolutions alone: %.1f images/s forward, %.1f trained\n", 1e3 * bench->n / total[0],
           1e3 * bench->n / (total[0] + total[2] + total[3]));
}

/* ---- the other ops -------------------------------------------------------------------------- */

static void line(const char *what, double seconds, double bytes)
{
    printf("  %-28s %8.2f ms %6.1f GB/s\n", what, seconds * 1e3, bytes / seconds * 1e-9);
}

static void bench_planes(struct bench *bench, int side, int c)
{
    const struct fn_backend *k = bench->backend;
    struct fn_dev *dev = bench->dev;
    int n = bench->n, half = fn_pool_out(side);
    const double scalar = (double)k->info(dev)->scalar_bytes;
    double t, bytes = scalar * n * side * side * c, pooled = scalar * n * half * half * c;
    struct fn_tensor x = tensor(bench->a, n, side, side, c), y = tensor(bench->b, n, side, side, c);
    struct fn_tensor z = tensor(bench->c, n, side, side, c), p = tensor(bench->b, n, half, half, c);
    const void *bias = bench->w;
    printf("(%d, %d, %d, %d), %.1f MB\n", n, side, side, c, bytes * 1e-6);
    TIME(t, k->bn_forward(dev, &x, bench->stats, bias, 1, &y));
    line("bn_forward", t, 2 * bytes);
    TIME(t, k->bn_forward(dev, &x, bench->stats, bias, 1, &x));
    line("bn_forward, in place", t, 2 * bytes);
    TIME(t, k->bn_backward(dev, &y, &x, bench->stats, bias, 1, &y, bench->index));
    line("bn_backward, in place", t, 3 * bytes);
    TIME(t, k->residual_forward(dev, &x, &y, bias, 0.1, 1, &z));
    line("residual_forward", t, 3 * bytes);
    TIME(t, k->residual_backward(dev, &y, &x, 0.1, 1, &y, &z, bench->index));
    line("residual_backward", t, 4 * bytes);
    TIME(t, k->maxpool_forward(dev, &x, &p, bench->index));
    line("maxpool_forward", t, bytes + (1 + 1 / scalar) * pooled);
    TIME(t, k->maxpool_backward(dev, &p, bench->index, &z, 0));
    line("maxpool_backward", t, bytes + (1 + 1 / scalar) * pooled);
    TIME(t, k->maxpool_backward(dev, &p, bench->index, &z, 1));
    line("maxpool_backward, added", t, 2 * bytes + (1 + 1 / scalar) * pooled);
}

static void bench_rows(struct bench *bench, int k, int d)
{
    const struct fn_backend *b = bench->backend;
    struct fn_dev *dev = bench->dev;
    int n = bench->n;
    double t, bytes = 4.0 * k * d;
    size_t workspace;
    void *w = fresh(bench, (size_t)k * (size_t)d * 4),
         *dw = fresh(bench, (size_t)k * (size_t)d * 4);
    void *data = fresh(bench, (size_t)n * (size_t)d * 4);
    struct fn_tensor x = tensor(bench->a, n, 1, 1, k), y = tensor(data, n, 1, 1, d);
    struct fn_tensor dx = tensor(bench->b, n, 1, 1, k);
    int32_t *labels = calloc((size_t)n, sizeof *labels);
    if (!labels)
        exit(1);
    printf("(%d, %d) to (%d, %d), weights %.1f MB\n", n, k, n, d, bytes * 1e-6);
    check(b->fc_plan(dev, n, k, d, &workspace));
    TIME(t, b->fc_forward(dev, &x, w, NULL, &y, NULL));
    line("fc_forward", t, bytes);
    TIME(t, b->softmax_xent(dev, &y, labels, n, 1));
    line("softmax_xent", t, 8.0 * n * d);
    TIME(t, b->fc_backward(dev, &x, w, &y, &dx, 0, dw, NULL));
    line("fc_backward", t, 2 * bytes);
    free(labels);
    b->free(dev, FN_MEM_DEVICE, w);
    b->free(dev, FN_MEM_DEVICE, dw);
    b->free(dev, FN_MEM_DEVICE, data);
}

static void bench_params(struct bench *bench, size_t count)
{
    static const char *const names[] = {"ADAGRAD", "ADADELTA", "ADAM", "RMSPROP", "MOM"};
    static const int slots[] = {1, 2, 2, 2, 1};
    const struct fn_backend *k = bench->backend;
    size_t bytes = count * sizeof(float);
    struct fn_param_group all = {.begin = 0, .count = count, .decay = 1};
    struct fn_params p = {.trained = count, .total = count, .groups = &all, .group_count = 1};
    struct fn_step step = {.lr = 1e-3, .t = 1};
    void **arrays[] = {&p.w, &p.grad, &p.slot1, &p.slot2, &p.ema};
    double t;
    printf("%zu parameters\n", count);
    for (int i = 0; i < 5; i++)
        *arrays[i] = fresh(bench, bytes);
    check(k->step_begin(bench->dev, &step));
    TIME(t, k->check_finite(bench->dev, p.grad, count));
    line("check_finite", t, (double)bytes);
    for (int o = 0; o < FN_OPTIMIZER_COUNT; o++) {
        struct fn_update rule = {.optimizer = o, .weight_decay = 5e-4, .ema_decay = 0.9999};
        check(k->update_init(bench->dev, &p, o));
        TIME(t, k->update(bench->dev, &p, &rule));
        line(names[o], t, (double)bytes * (5 + 2 * slots[o]));
    }
    for (int i = 0; i < 5; i++)
        k->free(bench->dev, FN_MEM_DEVICE, *arrays[i]);
}

static void bench_batch(struct bench *bench, const struct fn_net *net)
{
    size_t most = 0;
    for (size_t i = 0; i < net->buffer_count; i++) {
        const struct fn_buffer *b = &net->buffers[i];
        size_t bytes = bench->backend->tensor_bytes(bench->dev, bench->n, b->h, b->w, b->c);
        most = bytes > most ? bytes : most;
    }
    void **arrays[] = {&bench->a, &bench->b, &bench->c};
    for (int i = 0; i < 3; i++)
        *arrays[i] = fresh(bench, most);
    bench->w = fresh(bench, 4 << 20);
    bench->index = fresh(bench, most > 8 << 20 ? most : 8 << 20);
    bench->stats = fresh(bench, 8 * 1792);
    bench->workspace = fresh(bench, 1 << 20);
    bench->workspace_bytes = 1 << 20;
    printf("batch %d\n", bench->n);
    bench_convs(bench, net);
    bench_planes(bench, 77, 64);
    bench_planes(bench, 17, 256);
    bench_planes(bench, 8, 896);
    void *done[] = {bench->a,     bench->b,     bench->c,        bench->w,
                    bench->index, bench->stats, bench->workspace};
    for (size_t i = 0; i < sizeof done / sizeof done[0]; i++)
        bench->backend->free(bench->dev, FN_MEM_DEVICE, done[i]);
}

int main(int argc, char **argv)
{
    struct bench bench = {0};
    struct fn_dev_options options = {0};
    struct fn_net_options wanted = {"inception_resnet_v1", 160, 512, 0};
    struct fn_net *net;
    fn_start(argv);
    options.precision = argc > 2 && !strcmp(argv[2], "bf16") ? FN_BF16 : FN_FP32;
    options.threads = argc > 3 ? atoi(argv[3]) : 0;
    if (options.threads == 1)
        measured = CLOCK_THREAD_CPUTIME_ID;
    check(fn_backend_open(argc > 1 ? argv[1] : "cpu", &options, &bench.backend, &bench.dev, NULL));
    check(fn_net_open(&net, &wanted));
    printf("%s: %s\n", bench.backend->name, bench.backend->info(bench.dev)->device);
    for (int i = 4; i < argc || i == 4; i++) {
        bench.n = argc > 4 ? atoi(argv[i]) : 32;
        if (bench.n < 1) {
            fprintf(stderr, "bench_ops: %s is no batch size\n", argv[i]);
            return 2;
        }
        bench_batch(&bench, net);
    }
    bench.a = fresh(&bench, 4 << 20);
    bench.b = fresh(&bench, 4 << 20);
    bench_rows(&bench, 512, 10000);
    bench.backend->free(bench.dev, FN_MEM_DEVICE, bench.a);
    bench.backend->free(bench.dev, FN_MEM_DEVICE, bench.b);
    bench_params(&bench, fn_net_weights(net));
    fn_net_close(&net);
    bench.backend->close(&bench.dev);
    return 0;
}
