/* SPDX-License-Identifier: MIT */
/* Every convolution plan that training and evaluation can ask cuDNN for, made for chips that are
 * not there: all shapes of the network, forward, data (also added to what is there) and weight
 * gradient, the fully connected layers, fp32 (exact) and bf16, several batches. FN_TEST_VERBOSE
 * lists the engines. */
#include <time.h>

#include "kernels/cuda/plan.h"
#include "tests/cuda/chips.h"
#include "tests/test.h"
#include "train/net.h"

enum { SHAPES = 64, CLASSES = 100000 };

/* The distinct convolutions of the network, and its fully connected layers; n is left 0. */
static int shapes_of_network(struct fn_conv_shape *shapes)
{
    const struct fn_net_options options = {.name = "inception_resnet_v1",
                                           .image_size = 160,
                                           .embedding_size = 512,
                                           .classes = CLASSES};
    struct fn_net *net;
    int count = 0;
    assert_ok(fn_net_open(&net, &options));
    for (size_t i = 0; i < net->node_count; i++) {
        const struct fn_node *node = &net->nodes[i];
        const struct fn_buffer *in = &net->buffers[node->in.buffer];
        if (node->kind != FN_NODE_CONV && node->kind != FN_NODE_UP)
            continue;
        const struct fn_conv_shape s = {.h = in->h,
                                        .w = in->w,
                                        .cin = node->in.c,
                                        .kh = node->kh,
                                        .kw = node->kw,
                                        .stride = node->stride,
                                        .same = node->same,
                                        .cout = node->out.c};
        int known = 0;
        for (int k = 0; k < count; k++)
            known |= memcmp(&shapes[k], &s, sizeof s) == 0;
        assert_true(count < SHAPES - 2);
        if (!known)
            shapes[count++] = s;
    }
    fn_net_close(&net);
    shapes[count++] = (struct fn_conv_shape){0, 1, 1, 1792, 1, 1, 1, 1, 512};
    shapes[count++] = (struct fn_conv_shape){0, 1, 1, 512, 1, 1, 1, 1, CLASSES};
    return count;
}

struct tally {
    int plans;
    size_t workspace; /* the largest */
    double seconds;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* All passes of one shape; the data gradient twice, written and added to what is there. */
static void plan_shape(void *chip, const struct fn_conv_shape *shape, int bf16, struct tally *tally)
{
    static const struct pass {
        int pass, accumulate;
        const char *name;
    } passes[] = {{FN_FORWARD, 0, "forward"},
                  {FN_BACKWARD_DATA, 0, "data"},
                  {FN_BACKWARD_DATA, 1, "data, added"},
                  {FN_BACKWARD_WEIGHTS, 0, "weights"}};
    const int rows = shape->h == 1 && shape->w == 1; /* are fp32 always, see fc.c */
    for (size_t i = 0; i < sizeof passes / sizeof passes[0]; i++) {
        const struct pass *p = &passes[i];
        const struct fn_plan_request request = {.shape = *shape,
                                                .pass = p->pass,
                                                .bf16 = bf16 && !rows,
                                                .allow_tf32 = bf16 && rows,
                                                .accumulate = p->accumulate,
                                                .deterministic = 1};
        struct fn_plan *plan;
        if (p->pass == FN_BACKWARD_DATA && shape->cin == 3) /* nobody asks for the images' */
            continue;
        assert_ok(fn_plan_open(&plan, NULL, chip, &request));
        if (fn_plan_workspace(plan) > tally->workspace)
            tally->workspace = fn_plan_workspace(plan);
        tally->plans++;
        if (getenv("FN_TEST_VERBOSE"))
            printf("  %dx%d/%d (%d,%d,%d,%d) -> %d, %s: %s, %.1f MB\n", shape->kh, shape->kw,
                   shape->stride, shape->n, shape->h, shape->w, shape->cin, shape->cout, p->name,
                   fn_plan_engine(plan), (double)fn_plan_workspace(plan) * 1e-6);
        fn_plan_close(&plan);
        assert_null(plan);
    }
}

static void plan_chip(const struct chip *c, int bf16, int batch, const struct fn_conv_shape *shapes,
                      int count)
{
    struct tally tally = {0, 0, -now()};
    char json[2048];
    void *chip;
    describe(c, json, sizeof json);
    assert_ok(fn_plan_chip_open(&chip, json));
    for (int i = 0; i < count; i++) {
        struct fn_conv_shape shape = shapes[i];
        shape.n = batch;
        plan_shape(chip, &shape, bf16, &tally);
    }
    fn_plan_chip_close(&chip);
    assert_null(chip);
    tally.seconds += now();
    printf("%-9s sm_%-3d %s batch %3d: %d plans, workspace <= %.1f MB, %.1f s\n", c->name,
           c->capability / 10, bf16 ? "bf16" : "fp32", batch, tally.plans,
           (double)tally.workspace * 1e-6, tally.seconds);
}

static void test_plans(void **state)
{
    static const int batches[] = {1, 90};
    struct fn_conv_shape shapes[SHAPES];
    (void)state;
    const int count = shapes_of_network(shapes);
    printf("%d shapes\n", count);
    for (int c = 0; c < CHIPS; c++)
        for (size_t b = 0; b < sizeof batches / sizeof batches[0]; b++)
            for (int bf16 = 0; bf16 <= chips[c].bf16; bf16++)
                plan_chip(&chips[c], bf16, batches[b], shapes, count);
    plan_chip(&chips[4], 1, 513, shapes, count); /* larger than any usual one, and odd */
}

/* What is not there is said in a sentence. */
static void test_refused(void **state)
{
    const struct fn_plan_request request = {
        .shape = {90, 17, 17, 256, 1, 1, 1, 1, 32}, .pass = FN_FORWARD, .bf16 = 1};
    struct fn_plan *plan;
    char json[2048];
    void *chip;
    (void)state;
    describe(&chips[0], json, sizeof json);
    assert_ok(fn_plan_chip_open(&chip, json));
    assert_int_equal(fn_plan_open(&plan, NULL, chip, &request), FN_EUNSUPPORTED);
    assert_null(plan);
    assert_non_null(strstr(fn_err_text(0), "convolution 1x1/1, (90,17,17,256) to 32 channels"));
    printf("%s\n", fn_err_text(0));
    fn_plan_close(&plan);
    fn_plan_chip_close(&chip);
    assert_int_equal(fn_plan_chip_open(&chip, "{"), FN_EDEVICE);
    assert_null(chip);
    fn_plan_chip_close(&chip);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plans),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
