/* SPDX-License-Identifier: MIT */
/* A recorded training step of the full network on the pretend GPU: what it is made of, what it asks
 * of the runtime while it is replayed, and what our own kernels move. The aims were 950 nodes (a
 * convolution of cuDNN's is one) and 1.3 times the least bytes; what was reached is held: more than
 * that fails.
 *
 * Moved: every load and store of device memory that the kernels make, in sectors of 32 bytes, with
 * a small cache for each block (tests/cuda/tally.h), counted in one real step of a few images. More
 * images move no more for each: blocks take longer runs of rows.
 *
 * Least: what a pass cannot do without, each number read once and written once, given that
 * convolutions and matrix products are cuDNN's and take and give whole tensors:
 *   stats             y: statistics must be known before the first result
 *   bn forward        y -> z
 *   bn sums           dz, y: the sums must be known before the first dy
 *   bn backward       dz, y -> dy
 *   residual          x, up -> out; backward dout, out -> dx, dup
 *   maxpool           x -> y, a byte for each y; backward dy, the bytes -> dx
 *   avgpool, dropout  one read, one write, each way
 *   softmax           logits -> their gradient (a row of 1,000 stays in the block's cache between
 *                     the sum and the gradient; of 100,000 it comes again, from the second one)
 *   bias              nothing forward (the product or softmax could add it); backward the gradient
 *   center, norm      rows, centers, and the rows' gradient read and written
 *   finite, optim     each parameter's numbers once, those that change in and out
 * Not in it: the channels' parameters that every block reads, and scratch. */
#include "tests/cuda/pretend.h"
#include "tests/cuda/tally.h"
#include "tests/rig.h"

enum { N = 4, SIZE = 160, EMBEDDING = 512, CLASSES = 1000, MOST_NODES = 911, NEEDS = 32 };
#define MOST_BYTES 1.1

/* ---- the least ---- */

struct need {
    const char *kernel;
    int step; /* once a step, not for every image */
    double bytes;
};

struct needs {
    struct need need[NEEDS];
    size_t count;
};

static void need(struct needs *all, const char *kernel, int step, double bytes)
{
    size_t i = 0;
    while (i < all->count && strcmp(all->need[i].kernel, kernel) != 0)
        i++;
    assert_true(i < NEEDS);
    all->need[i].kernel = kernel;
    all->need[i].step = step;
    all->need[i].bytes += bytes;
    all->count += i == all->count;
}

/* Bytes of a buffer's c channels; rows are fp32. */
static double bytes_of(const struct fn_buffer *b, int c, int bf16)
{
    return (double)N * b->h * b->w * c * (bf16 && b->h * b->w > 1 ? 2 : 4);
}

static void need_node(struct needs *all, const struct fn_net *net, const struct fn_node *node,
                      int bf16)
{
    const struct fn_buffer *in = &net->buffers[node->in.buffer];
    const struct fn_buffer *out = &net->buffers[node->out.buffer];
    const double x = bytes_of(in, in->c, bf16), y = bytes_of(out, node->out.c, bf16);
    const double index = (double)N * out->h * out->w * node->out.c;
    switch (node->kind) {
    case FN_NODE_UP:
        need(all, "residual forward", 0, 3 * y);
        need(all, "residual backward", 0, 4 * y);
        break;
    case FN_NODE_MAXPOOL:
        need(all, "maxpool forward", 0, x + y + index);
        need(all, "maxpool backward", 0, x + y + index);
        break;
    case FN_NODE_AVGPOOL:
        need(all, "avgpool forward", 0, x + y);
        need(all, "avgpool backward", 0, x + y);
        break;
    case FN_NODE_DROPOUT:
        need(all, "dropout", 0, 2 * 2 * y);
        break;
    default: /* convolutions and the fully connected layer */
        need(all, "stats", 0, y);
        need(all, "bn forward", 0, 2 * y);
        need(all, "bn sums", 0, 2 * y);
        need(all, "bn backward", 0, 3 * y);
    }
}

static void need_all(struct needs *all, const struct fn_net *net, int bf16)
{
    const double logits = 4.0 * N * CLASSES, rows = 4.0 * N * EMBEDDING;
    double weights[2] = {0, 0}, statistics = 0; /* weights: of convolutions, all others */
    for (size_t i = 0; i < net->node_count; i++)
        need_node(all, net, &net->nodes[i], bf16);
    for (size_t i = 0; i < net->param_count; i++) {
        const double count = (double)net->params[i].count;
        if (i < net->trained_count)
            weights[net->params[i].kind != FN_PARAM_CONV] += count;
        else
            statistics += count;
    }
    need(all, "step", 1, sizeof(struct fn_step)); /* its scalars; before the recorded part */
    need(all, "standardize", 0, 3.0 * N * SIZE * SIZE * (1 + (bf16 ? 2 : 4)));
    need(all, "softmax", 0, 2 * logits);
    need(all, "bias forward", 0, 0);
    need(all, "bias backward", 0, logits);
    need(all, "center loss", 0, 4 * rows);
    need(all, "center update", 0, 3 * rows);
    need(all, "norm_loss", 0, 3 * rows);
    need(all, "finite", 1, weights[0] * (bf16 ? 2 : 4) + weights[1] * 4);
    need(all, "moving", 1, 12 * statistics);
    /* w, slot and average in and out; gradient, or gradient and copy in bf16; averages */
    need(all, "optim update", 1, 28 * (weights[0] + weights[1]) + 12 * statistics);
}

/* ---- what is moved ---- */

static int compare_bytes(const void *a, const void *b)
{
    const struct fn_tally *x = a, *y = b;
    const uint64_t p = x->read + x->written, q = y->read + y->written;
    return p < q ? 1 : p > q ? -1 : strcmp(x->kernel, y->kernel);
}

static const struct need *find(const struct needs *all, const char *kernel)
{
    for (size_t i = 0; i < all->count; i++)
        if (strcmp(all->need[i].kernel, kernel) == 0)
            return &all->need[i];
    print_error("no least is known of %s\n", kernel);
    fail();
    return NULL;
}

static double ratio(double moved, double least)
{
    return least > 0 ? moved / least : 0;
}

/* Returns the number of launches; *over: how often a total is too much. */
static uint64_t show_bytes(struct fn_tally *rows, size_t count, const struct needs *all, int *over)
{
    static const char *const what[] = {"MB an image", "MB a step"};
    double moved[2] = {0, 0}, least[2] = {0, 0}, sum = 0;
    uint64_t launches = 0;
    qsort(rows, count, sizeof *rows, compare_bytes);
    for (size_t i = 0; i < count; i++)
        sum += (double)(rows[i].read + rows[i].written);
    printf("  %-18s launches   read MB  written MB  least MB  ratio  share\n", "kernel");
    for (size_t i = 0; i < count; i++) {
        const struct need *n = find(all, rows[i].kernel);
        const double bytes = (double)(rows[i].read + rows[i].written);
        moved[n->step] += bytes / (n->step ? 1 : N);
        least[n->step] += n->bytes / (n->step ? 1 : N);
        launches += rows[i].launches;
        printf("  %-18s %8llu %9.3f %11.3f %9.3f %6.3f %4.1f %%\n", rows[i].kernel,
               (unsigned long long)rows[i].launches, (double)rows[i].read * 1e-6,
               (double)rows[i].written * 1e-6, n->bytes * 1e-6, ratio(bytes, n->bytes),
               100 * bytes / sum);
    }
    assert_int_equal(count, all->count); /* nothing that is needed was left out */
    for (int i = 0; i < 2; i++) {
        printf("  %s: %.2f moved, %.2f the least, %.3f times as much (at most %.1f)\n", what[i],
               moved[i] * 1e-6, least[i] * 1e-6, moved[i] / least[i], MOST_BYTES);
        *over += moved[i] > MOST_BYTES * least[i];
    }
    return launches;
}

/* A copy whose bytes are known is counted right. */
static void check_tally(struct rig *r)
{
    enum { COUNT = 100000 };
    const struct fn_tally *rows;
    void *data;
    assert_ok(r->be->alloc(r->dev, COUNT * sizeof(float), FN_MEM_DEVICE, &data));
    assert_ok(r->be->zero(r->dev, data, COUNT * sizeof(float)));
    fn_tally_begin();
    assert_ok(r->be->combine(r->dev, data, 0.5, data, 1, COUNT));
    assert_ok(r->be->sync(r->dev));
    assert_int_equal(fn_tally_end(&rows), 1);
    assert_string_equal(rows[0].kernel, "gradient combine");
    assert_int_equal(rows[0].read, COUNT * sizeof(float));
    assert_int_equal(rows[0].written, COUNT * sizeof(float));
    r->be->free(r->dev, FN_MEM_DEVICE, data);
}

/* ---- a step ---- */

static void set_idle(struct rig *r, uint64_t idle)
{
    struct fn_pretend_options p = fn_pretend_defaults();
    if (r->dev)
        assert_ok(r->be->sync(r->dev));
    p.idle = idle;
    fn_pretend_set(&p);
}

static void draw(struct rig *r)
{
    for (size_t i = 0; i < N * r->image_bytes; i++)
        r->images[i] = (uint8_t)(i * 2654435761u >> 13);
    for (int i = 0; i < N; i++)
        r->labels[i] = i * 211 % CLASSES;
}

static void step(struct rig *r, uint64_t t)
{
    const struct fn_step_options o = {.keep = 0.4,
                                      .norm_factor = 5e-4,
                                      .norm_p = 1,
                                      .center_factor = 1e-2,
                                      .center_alfa = 0.95,
                                      .bn_decay = 0.995,
                                      .update = {FN_ADAGRAD, 5e-4, 0.9999},
                                      .record = 1};
    const struct fn_step s = {.seed = 1, .step = t, .lr = 0.1, .t = t + 1};
    draw(r);
    rig_upload(r);
    assert_ok(fn_step_train(r->exec, &s, r->dev_images, r->dev_labels, &o));
    assert_ok(r->be->losses_post(r->dev, (int)t));
}

static int count(int precision)
{
    const struct rig_options ro = {"cuda", "inception_resnet_v1", SIZE,       EMBEDDING, CLASSES, N,
                                   1,      FN_HEAD_SOFTMAX,       FN_ADAGRAD, 1};
    const int bf16 = precision == FN_BF16;
    struct needs needs = {.count = 0};
    struct fn_pretend_counts before, after, made;
    double losses[FN_LOSS_COUNT];
    const struct fn_tally *rows;
    struct rig r = {.be = NULL};
    int over = 0;
    set_idle(&r, 0);
    if (!rig_open_in(&r, &ro, precision))
        return 1;
    assert_ok(fn_model_init(r.model, 5));
    check_tally(&r);
    set_idle(&r, 1);
    step(&r, 0); /* op by op */
    step(&r, 1); /* recorded */
    made = before = fn_pretend_counted();
    step(&r, 2);
    after = fn_pretend_counted();
    const uint64_t nodes = made.captured_kernels + made.captured_plans + made.captured_copies;
    printf("%s: %llu nodes in a recorded step (at most %d): %llu kernels, %llu convolutions, %llu "
           "copies and "
           "fills\n",
           bf16 ? "bf16" : "fp32", (unsigned long long)nodes, MOST_NODES,
           (unsigned long long)made.captured_kernels, (unsigned long long)made.captured_plans,
           (unsigned long long)made.captured_copies);
    printf("  a replayed step: %llu calls, %llu allocations, %llu waits\n",
           (unsigned long long)(after.calls - before.calls),
           (unsigned long long)(after.allocations - before.allocations),
           (unsigned long long)(after.syncs - before.syncs));
    set_idle(&r, 0);
    draw(&r);
    rig_upload(&r);
    fn_tally_begin();
    step(&r, 3);
    assert_ok(r.be->losses_wait(r.dev, 3, losses));
    const size_t row_count = fn_tally_end(&rows);
    assert_true(losses[FN_LOSS_BAD] == 0 && losses[FN_LOSS_XENT] > 0); /* nothing was skipped */
    need_all(&needs, r.net, bf16);
    struct fn_tally *sorted = calloc(row_count, sizeof *sorted);
    assert_non_null(sorted);
    memcpy(sorted, rows, row_count * sizeof *sorted);
    const uint64_t launches = show_bytes(sorted, row_count, &needs, &over);
    assert_int_equal(launches, made.captured_kernels + 1);
    free(sorted);
    rig_close(&r);
    return over + (nodes > MOST_NODES);
}

int main(void)
{
    const int over = count(FN_FP32) + count(FN_BF16);
    if (over)
        printf("TOO MUCH: %d of the figures\n", over);
    return over != 0;
}
