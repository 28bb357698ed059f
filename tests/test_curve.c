/* SPDX-License-Identifier: MIT */
/* Training from scratch follows PyTorch: the shrunken network in double, the same initial weights,
 * batches and optimizer; every loss within 1e-8 of PyTorch's. FN_CURVE_STEPS: how many steps (a few
 * by default; tests/long/curve.sh has 200).
 * ctest labels: slow */
#include "base/rng.h"
#include "tests/python.h"
#include "tests/rig.h"

enum { SIZE = 75, EMBEDDING = 16, CLASSES = 4, N = 8 };
#define BAND 1e-8 /* relative; 2e-12 was seen, but rounding grows along a chaotic path */
#define DECAY 1e-4

struct curve {
    const char *name;
    int optimizer;
    double rate;
    int steps;
};

static int steps_wanted(void)
{
    const char *text = getenv("FN_CURVE_STEPS");
    return text && atoi(text) > 0 ? atoi(text) : 12;
}

static FILE *file_in(const char *dir, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    return f;
}

static void put_weights(struct rig *r, FILE *text, FILE *values)
{
    const struct fn_net *net = r->net;
    for (size_t i = 0; i < net->trained_count; i++) {
        const struct fn_net_param *p = &net->params[i];
        double *host = malloc(p->count * sizeof *host);
        assert_non_null(host);
        assert_ok(fn_model_get(r->model, FN_ARENA_W, i, host, FN_F64));
        assert_int_equal(fwrite(host, sizeof *host, p->count, values), p->count);
        fprintf(text, "param %s %s", p->name, p->kind == FN_PARAM_BIAS ? "bias" : "kernel");
        for (int k = 0; k < p->rank; k++)
            fprintf(text, " %d", p->shape[k]);
        fprintf(text, "\n");
        free(host);
    }
}

static void put_nodes(const struct fn_net *net, FILE *text)
{
    for (size_t i = 0; i < net->node_count; i++) {
        const struct fn_node *n = &net->nodes[i];
        fprintf(text, "node %s %s %s %d %d %d %d %d %d %d %d %d %.17g\n",
                n->kind == FN_NODE_FC ? "fc" : fn_node_kind_name((int)n->kind),
                n->weight < 0 ? "-" : net->params[n->weight].name,
                n->bias < 0 ? "-" : net->params[n->bias].name, n->in.buffer, n->in.c0, n->in.c,
                n->out.buffer, n->out.c0, n->skip, n->stride, n->same, n->relu, n->scale);
    }
}

/* Pictures of class k: its own stripes, with noise; another batch every step. */
static void draw_batch(struct rig *r, uint64_t step)
{
    for (int i = 0; i < N; i++) {
        int label = (int)(fn_rng(step, (uint64_t)i, 0, 7) % CLASSES);
        uint8_t *im = r->images + (size_t)i * r->image_bytes;
        for (size_t p = 0; p < r->image_bytes; p++) {
            size_t x = p / 3 % SIZE, y = p / 3 / SIZE;
            size_t wave = (label & 1 ? x : y) / (label & 2 ? 4u : 9u) % 2;
            im[p] = (uint8_t)(wave * 60 + fn_rng(step, (uint64_t)i, p, 8) % 190);
        }
        r->labels[i] = label;
    }
    rig_upload(r);
}

static void train(struct rig *r, const struct curve *c, const char *dir)
{
    const struct fn_step_options so = {
        .keep = 1, .norm_p = 1, .bn_decay = 0.9, .update = {c->optimizer, DECAY, 0.99}};
    FILE *images = file_in(dir, "images.u8"), *labels = file_in(dir, "labels.i32");
    FILE *out = file_in(dir, "losses.f64");
    for (int i = 0; i < c->steps; i++) {
        const struct fn_step s = {1, (uint64_t)i, c->rate, (uint64_t)i + 1, 0};
        double losses[FN_LOSS_COUNT], total;
        draw_batch(r, (uint64_t)i);
        fwrite(r->images, r->image_bytes, N, images);
        fwrite(r->labels, sizeof *r->labels, N, labels);
        assert_ok(fn_step_train(r->exec, &s, r->dev_images, r->dev_labels, &so));
        rig_losses(r, losses);
        total = fn_step_total(losses, &so);
        fwrite(&total, sizeof total, 1, out);
    }
    fclose(images);
    fclose(labels);
    fclose(out);
}

static void check_curve(const struct curve *c)
{
    const struct rig_options ro = {"ref64", "shrunken",      SIZE,         EMBEDDING, CLASSES, N,
                                   1,       FN_HEAD_SOFTMAX, c->optimizer, 0};
    char *dir = test_folder();
    FILE *text = file_in(dir, "net.txt"), *values = file_in(dir, "weights.f64");
    struct rig r;
    assert_true(rig_open(&r, &ro));
    assert_ok(fn_model_init(r.model, 5));
    fprintf(text, "%d %d %d %s %.17g %.17g %g\n", SIZE, c->steps, N, c->name, c->rate, DECAY, BAND);
    put_weights(&r, text, values);
    put_nodes(r.net, text);
    fclose(text);
    fclose(values);
    train(&r, c, dir);
    rig_close(&r);
    fflush(stdout);
    assert_int_equal(python_run("check_curve.py", dir), 0);
    assert_ok(fn_remove_tree(dir));
    free(dir);
}

static void test_momentum(void **state)
{
    const struct curve c = {"MOM", FN_MOM, 0.01, steps_wanted()};
    (void)state;
    need_python("torch");
    check_curve(&c);
}

static void test_adagrad(void **state)
{
    const struct curve c = {"ADAGRAD", FN_ADAGRAD, 0.02, steps_wanted()};
    (void)state;
    need_python("torch");
    check_curve(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_momentum),
        cmocka_unit_test(test_adagrad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
