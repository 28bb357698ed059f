/* SPDX-License-Identifier: MIT */
/* The network's description: names, shapes and counts of the published one; the plan of its memory;
 * and the whole of it, forward and backward, against numeric gradients. */
#include <math.h>

#include "base/rng.h"
#include "tests/rig.h"
#include "train/exec_parts.h"

static void open_net(struct fn_net **net, const char *name, int size, int embedding, int classes)
{
    const struct fn_net_options o = {name, size, embedding, classes};
    assert_ok(fn_net_open(net, &o));
}

/* ---- the table ------------------------------------------------------------------------------ */
static void test_counts(void **state)
{
    struct fn_net *net;
    size_t convs = 0, decayed = 0;
    (void)state;
    open_net(&net, "models.inception_resnet_v1", 160, 512, 7);
    for (size_t i = 0; i < net->node_count; i++)
        convs += net->nodes[i].kind == FN_NODE_CONV || net->nodes[i].kind == FN_NODE_UP;
    for (size_t i = 0; i < net->trained_count; i++)
        decayed += net->params[i].kind == FN_PARAM_CONV || net->params[i].kind == FN_PARAM_FC;
    assert_int_equal(convs, 132);
    assert_int_equal(decayed, 134);
    assert_int_equal(fn_net_weights(net), 23467824 + 7 * 512 + 7);
    assert_true(fabs((double)net->macs / 1e9 - 1.418) < 0.0005);
    fn_net_close(&net);
}

/* Maps of 17, 8 and 3 pixels for the three kinds of block. */
static void test_maps(void **state)
{
    static const struct {
        const char *node;
        int side, channels;
    } maps[] = {{"repeat_1.4.conv2d", 17, 256},
                {"repeat_2.9.conv2d", 8, 896},
                {"repeat_3.4.conv2d", 3, 1792},
                {"block8.conv2d", 3, 1792}};
    struct fn_net *net;
    (void)state;
    open_net(&net, "inception_resnet_v1", 160, 512, 0);
    for (size_t m = 0; m < sizeof maps / sizeof *maps; m++) {
        size_t i = 0;
        const struct fn_buffer *b;
        while (i < net->node_count && strcmp(net->nodes[i].name, maps[m].node) != 0)
            i++;
        assert_true(i < net->node_count);
        b = &net->buffers[net->nodes[i].out.buffer];
        assert_int_equal(b->h, maps[m].side);
        assert_int_equal(b->w, maps[m].side);
        assert_int_equal(b->c, maps[m].channels);
    }
    fn_net_close(&net);
}

/* Every tensor of the published file is a parameter (or a gamma) of the same shape, and none is
 * missing. */
static void test_published_names(void **state)
{
    struct fn_safetensors *st = NULL;
    struct fn_net *net;
    size_t gammas = 0;
    (void)state;
    need_data("irv1-vggface2.safetensors");
    assert_ok(fn_safetensors_open(&st, test_data("irv1-vggface2.safetensors")));
    open_net(&net, "inception_resnet_v1", 160, 512, 0);
    for (size_t i = 0; i < net->param_count; i++) {
        const struct fn_net_param *p = &net->params[i];
        const struct fn_named_tensor *t = fn_safetensors_find(st, p->name);
        char gamma[FN_NET_NAME + 8];
        if (!t)
            fail_msg("no %s in the published file", p->name);
        assert_int_equal(t->rank, p->rank);
        for (int k = 0; k < p->rank; k++)
            assert_int_equal(t->shape[k], p->shape[k]);
        if (p->kind != FN_PARAM_MEAN)
            continue;
        fn_weights_bn(p, gamma);
        strcat(gamma, ".weight");
        assert_non_null(fn_safetensors_find(st, gamma));
        gammas++;
    }
    assert_int_equal(net->param_count + gammas, fn_safetensors_count(st));
    assert_int_equal(fn_safetensors_count(st), 602);
    fn_net_close(&net);
    fn_safetensors_close(&st);
}

static void expect_refused(const char *name, int size, int embedding, int classes, int code,
                           const char *says)
{
    const struct fn_net_options o = {name, size, embedding, classes};
    struct fn_net *net;
    assert_int_equal(fn_net_open(&net, &o), code);
    assert_null(net);
    if (!strstr(fn_err_text(code), says))
        fail_msg("'%s' does not say '%s'", fn_err_text(code), says);
}

static void test_refused(void **state)
{
    struct fn_net *net;
    (void)state;
    expect_refused("models.squeezenet", 160, 128, 0, FN_EUNSUPPORTED, "squeezenet");
    expect_refused("shrunken", 74, 128, 0, FN_EMISMATCH, "75 is the least");
    expect_refused("inception_resnet_v1", 4000, 128, 0, FN_ELIMIT, "2048");
    expect_refused("inception_resnet_v1", 160, 0, 0, FN_ELIMIT, "embedding");
    expect_refused("inception_resnet_v1", 160, 128, -1, FN_ELIMIT, "classes");
    assert_int_equal(fn_net_min_image("inception_resnet_v1"), 75);
    assert_int_equal(fn_net_min_image("dummy"), -1);
    open_net(&net, "inception_resnet_v1", 75, 128, 0);
    fn_net_close(&net);
    fn_net_close(&net);
}

static void test_shrunken(void **state)
{
    struct fn_net *net;
    (void)state;
    open_net(&net, "models.shrunken", 80, 32, 4);
    for (size_t i = 1; i + 2 < net->buffer_count; i++)
        assert_int_equal(net->buffers[i].c % FN_CHANNEL_ALIGN, 0);
    for (size_t i = 0; i < net->node_count; i++) {
        const struct fn_node *node = &net->nodes[i];
        assert_true(node->out.c0 + node->out.c <= net->buffers[node->out.buffer].c);
        assert_int_equal(node->in.c, net->buffers[node->in.buffer].c);
    }
    assert_true(fn_net_weights(net) < 300000);
    assert_true(fn_net_find(net, "repeat_2.1.branch1.2.conv.weight") >= 0);
    assert_true(fn_net_find(net, "repeat_2.2.branch0.conv.weight") < 0);
    fn_net_close(&net);
}

/* ---- the plan of memory --------------------------------------------------------------------- */
/* Buffers that are alive at the same time share no byte; and the sum of all is much more than the
 * arena. */
static void check_layout(const struct fn_layout *l, double share)
{
    size_t sum = 0;
    for (size_t i = 0; i < l->count; i++) {
        const struct fn_span *a = &l->spans[i];
        if (a->first < 0)
            continue;
        sum += a->bytes;
        assert_int_equal(a->offset % FN_SPAN_ALIGN, 0);
        assert_true(a->offset + a->bytes <= l->bytes);
        for (size_t k = 0; k < i; k++) {
            const struct fn_span *b = &l->spans[k];
            if (b->first < 0 || a->last < b->first || b->last < a->first)
                continue;
            if (a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes)
                fail_msg("spans %zu and %zu overlap", i, k);
        }
    }
    printf("  %zu buffers, %.1f MB in %.1f MB\n", l->count, (double)sum / 1e6,
           (double)l->bytes / 1e6);
    assert_true((double)l->bytes < share * (double)sum);
}

static void test_layout(void **state)
{
    static const struct {
        int n, training;
        double share;
    } cases[] = {{1, 1, 0.9}, {7, 1, 0.9}, {90, 1, 0.9}, {1, 0, 0.3}, {90, 0, 0.3}};
    const struct rig_options ro = {"ref", "inception_resnet_v1", 160,    512, 10, 1,
                                   1,     FN_HEAD_SOFTMAX,       FN_MOM, 1};
    struct rig r;
    (void)state;
    assert_true(rig_open(&r, &ro));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct fn_exec_options o = {cases[i].n, cases[i].training, FN_HEAD_SOFTMAX};
        struct fn_layout layout;
        assert_ok(fn_layout_make(&layout, r.model, &o));
        check_layout(&layout, cases[i].share);
        fn_layout_free(&layout);
    }
    rig_close(&r);
}

/* A device that says how much it has: the plan is refused with the batch that fits, and that batch
 * then fits. */
static struct fn_dev_info small_info;
static const struct fn_dev_info *info_of_small(const struct fn_dev *dev)
{
    (void)dev;
    return &small_info;
}

static int commit_with(struct rig *r, const struct fn_backend *be, int n)
{
    const struct fn_model_options model = {.training = 1, .optimizer = FN_ADAM, .ema = 1};
    const struct fn_exec_options exec = {n, 1, FN_HEAD_SOFTMAX};
    const struct fn_memory_row ring = {"loader", (uint64_t)n * 100000, FN_MEMORY_GROWS};
    struct fn_model *m;
    struct fn_exec *x;
    int rc;
    assert_ok(fn_model_open(&m, r->net, be, r->dev, &model));
    assert_ok(fn_exec_open(&x, m, &exec));
    rc = fn_model_commit(m, &ring, 1, 0);
    fn_model_close(&m);
    return rc;
}

/* fn_model_fits from a plan of n, for batches up to `most`. */
static int fits_with(struct rig *r, const struct fn_backend *be, int n, int most)
{
    const struct fn_model_options model = {.training = 1, .optimizer = FN_ADAM, .ema = 1};
    const struct fn_exec_options exec = {n, 1, FN_HEAD_SOFTMAX};
    const struct fn_memory_row ring = {"loader", (uint64_t)n * 100000, FN_MEMORY_GROWS};
    struct fn_model *m;
    struct fn_exec *x;
    int fits = -1;
    assert_ok(fn_model_open(&m, r->net, be, r->dev, &model));
    assert_ok(fn_exec_open(&x, m, &exec));
    assert_ok(fn_model_fits(m, &ring, 1, most, &fits));
    fn_model_close(&m);
    return fits;
}

static void test_refused_memory(void **state)
{
    const struct rig_options ro = {"ref", "shrunken", 80, 16, 5, 1, 1, FN_HEAD_SOFTMAX, FN_MOM, 1};
    struct fn_backend be;
    const char *number;
    struct rig r;
    int fits;
    (void)state;
    assert_true(rig_open(&r, &ro));
    be = *r.be;
    be.info = info_of_small;
    small_info = *r.be->info(r.dev);
    small_info.memory_free = 64u << 20;
    assert_int_equal(commit_with(&r, &be, 4000), FN_ELIMIT);
    number = strstr(fn_err_text(FN_ELIMIT), "the largest batch that fits is ");
    assert_non_null(number);
    fits = atoi(number + strlen("the largest batch that fits is "));
    assert_true(fits > 1 && fits < 4000);
    assert_ok(commit_with(&r, &be, fits));
    assert_int_equal(commit_with(&r, &be, fits + 1), FN_ELIMIT);
    assert_int_equal(fits_with(&r, &be, fits, 4000), fits);
    assert_int_equal(fits_with(&r, &be, 4000, 4000), fits);
    assert_int_equal(fits_with(&r, &be, fits, 5), 5);
    const int guess = fits_with(&r, &be, 4, 4000); /* from afar: no more than fits */
    assert_true(guess <= fits && guess >= fits - fits / 8);
    assert_ok(commit_with(&r, &be, guess));
    small_info.memory_free = 1u << 20;
    assert_int_equal(fits_with(&r, &be, 8, 4000), 0);
    small_info.memory_free = 0; /* not known */
    assert_int_equal(fits_with(&r, &be, 8, 4000), 4000);
    small_info.memory_free = 1u << 20;
    assert_int_equal(commit_with(&r, &be, 8), FN_ELIMIT);
    assert_non_null(strstr(fn_err_text(FN_ELIMIT), "even a batch of 1 does not fit"));
    rig_close(&r);
}

/* ---- numeric gradients ---------------------------------------------------------------------- */
enum { SIZE = 80, EMBEDDING = 24, CLASSES = 5 };
#define KEEP 0.7

static void fill_random(struct rig *r, int n)
{
    for (size_t i = 0; i < (size_t)n * r->image_bytes; i++)
        r->images[i] = (uint8_t)fn_rng(1, i, 0, 5); /* noise: no two maxima are equal */
    for (int i = 0; i < n; i++)
        r->labels[i] = i % CLASSES;
    rig_upload(r);
}

static const struct fn_step_options options = {
    .per_image = 1,
    .norm_factor = 0.3,
    .norm_p = 1.7,
    .center_factor = 0.5,
    .center_alfa = 0.9,
    .alpha = 0.7,
    .bn_decay = 0.9,
    .update = {FN_MOM, 0, 0.9999},
};

/* Everything that is minimized, but for weight decay; with gradients if wanted. */
static double loss_at(struct rig *r, int backward)
{
    const struct fn_exec_options *o = fn_exec_get_options(r->exec);
    const struct fn_step step = {3, 11, 0.1, 1, 0};
    double losses[FN_LOSS_COUNT];
    assert_ok(r->be->step_begin(r->dev, &step));
    assert_ok(fn_exec_images(r->exec, r->dev_images, options.per_image, 0));
    assert_ok(fn_exec_forward(r->exec, KEEP));
    if (o->head == FN_HEAD_TRIPLET)
        assert_ok(fn_loss_triplet(r->exec, o->n, &options, backward));
    else
        assert_ok(fn_loss_softmax(r->exec, r->dev_labels, o->n, &options, backward));
    if (backward)
        assert_ok(fn_exec_backward(r->exec, KEEP));
    rig_losses(r, losses);
    return fn_step_total(losses, &options);
}

/* Every tensor: the derivative along a random direction in it, against a central difference. */
static void check_tensor(struct rig *r, size_t param, double *worst)
{
    const struct fn_net_param *p = &r->net->params[param];
    const double h = 1e-7;
    double *w = malloc(p->count * sizeof *w), *g = malloc(p->count * sizeof *g);
    double *v = malloc(p->count * sizeof *v), along = 0, sides[2], numeric, scale;
    assert_true(w && g && v);
    assert_ok(fn_model_get(r->model, FN_ARENA_W, param, w, FN_F64));
    assert_ok(fn_model_get(r->model, FN_ARENA_GRAD, param, g, FN_F64));
    for (size_t i = 0; i < p->count; i++) {
        double direction = fn_rng_unit(fn_rng(9, param, i, 3)) - 0.5;
        v[i] = w[i];
        along += g[i] * direction;
        w[i] = direction;
    }
    for (int s = 0; s < 2; s++) {
        for (size_t i = 0; i < p->count; i++)
            g[i] = v[i] + (s ? -h : h) * w[i];
        assert_ok(fn_model_set(r->model, FN_ARENA_W, param, g, FN_F64));
        sides[s] = loss_at(r, 0);
    }
    assert_ok(fn_model_set(r->model, FN_ARENA_W, param, v, FN_F64));
    numeric = (sides[0] - sides[1]) / (2 * h);
    scale = fabs(along) + 1e-3;
    if (fabs(numeric - along) / scale > *worst)
        *worst = fabs(numeric - along) / scale;
    if (fabs(numeric - along) > 1e-4 * scale)
        fail_msg("%s: gradient %.10g, difference quotient %.10g", p->name, along, numeric);
    free(w);
    free(g);
    free(v);
}

static void check_gradients(int head, int n)
{
    const struct rig_options ro = {
        "ref64", "shrunken", SIZE, EMBEDDING, head == FN_HEAD_SOFTMAX ? CLASSES : 0,
        n,       1,          head, FN_MOM,    0};
    double worst = 0, loss;
    struct rig r;
    assert_true(rig_open(&r, &ro));
    assert_ok(fn_model_init(r.model, 4));
    /* Betas and biases away from 0, so that no ReLU starts at its corner; centers away from 0. */
    for (size_t i = 0; i < r.net->trained_count; i++)
        if (r.net->params[i].kind == FN_PARAM_BIAS) {
            float beta[2048];
            for (size_t k = 0; k < r.net->params[i].count; k++)
                beta[k] = (float)(fn_rng_unit(fn_rng(2, i, k, 3)) - 0.4);
            assert_ok(fn_model_set(r.model, FN_ARENA_W, i, beta, FN_F32));
        }
    if (r.model->centers) {
        float centers[CLASSES * EMBEDDING];
        for (size_t i = 0; i < CLASSES * EMBEDDING; i++)
            centers[i] = (float)fn_rng_unit(fn_rng(6, 0, i, 3));
        assert_ok(
            r.be->vector_import(r.dev, centers, FN_F32, CLASSES * EMBEDDING, r.model->centers));
    }
    fill_random(&r, n);
    loss = loss_at(&r, 1);
    assert_true(isfinite(loss) && loss > 0);
    for (size_t i = 0; i < r.net->trained_count; i++)
        check_tensor(&r, i, &worst);
    printf("  %zu tensors, loss %.4f, worst relative difference %.2g\n", r.net->trained_count, loss,
           worst);
    rig_close(&r);
}

static void test_gradients_softmax(void **state)
{
    (void)state;
    check_gradients(FN_HEAD_SOFTMAX, 5);
}

static void test_gradients_triplet(void **state)
{
    (void)state;
    check_gradients(FN_HEAD_TRIPLET, 6);
}

/* ---- one walk for all: evaluation, padding, sharing ----------------------------------------- */
/* In evaluation an image's embedding does not depend on its batch; a second exec opened later, with
 * a smaller batch, gives the same; a larger one is refused. */
static void check_evaluation(const char *backend)
{
    const struct rig_options ro = {backend, "shrunken", SIZE,         EMBEDDING, 0,
                                   3,       0,          FN_HEAD_NONE, FN_MOM,    0};
    const struct fn_exec_options one = {1, 0, FN_HEAD_NONE}, many = {64, 0, FN_HEAD_NONE};
    double all[3 * EMBEDDING], again[3 * EMBEDDING];
    struct fn_exec *x;
    struct rig r;
    if (!rig_open(&r, &ro))
        return;
    assert_ok(fn_model_init(r.model, 4));
    fill_random(&r, 3);
    assert_ok(fn_exec_images(r.exec, r.dev_images, 0, 0));
    assert_ok(fn_exec_forward(r.exec, 1));
    assert_ok(fn_exec_embed(r.exec));
    rig_rows(&r, FN_ROWS_EMBEDDINGS, all);
    assert_ok(fn_exec_open(&x, r.model, &one));
    for (int i = 0; i < 3; i++) {
        assert_ok(fn_exec_images(x, r.dev_images + (size_t)i * r.image_bytes, 0, 0));
        assert_ok(fn_exec_forward(x, 1));
        assert_ok(fn_exec_embed(x));
        assert_ok(r.be->tensor_export(r.dev, fn_exec_rows(x, FN_ROWS_EMBEDDINGS),
                                      again + i * EMBEDDING, FN_F64));
    }
    for (int i = 0; i < 3 * EMBEDDING; i++)
        assert_true(fabs(all[i] - again[i]) < 1e-5);
    assert_int_equal(fn_exec_open(&x, r.model, &many), FN_ELIMIT);
    rig_close(&r);
}

static void test_evaluation(void **state)
{
    (void)state;
    check_evaluation("ref");
    check_evaluation("cpu");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_maps),
        cmocka_unit_test(test_published_names),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_shrunken),
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_refused_memory),
        cmocka_unit_test(test_gradients_softmax),
        cmocka_unit_test(test_gradients_triplet),
        cmocka_unit_test(test_evaluation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
