/* SPDX-License-Identifier: MIT */
/* One training step of the full network against float64 truths (golden/step_*.json), and the
 * published embeddings. Weights, images and constants are defined in the data's README. With
 * FN_GOLDEN_CUDA, the same of the CUDA backend: whole gradients are then compared with the CPU's,
 * which this test has found right, instead of ref64's, which take minutes.
 * ctest labels: slow */
#include <math.h>

#include "base/json.h"
#include "tests/rig.h"

enum { N = 10, D = 512, CLASSES = 5 };
#define WEIGHT_DECAY 5e-4

/* What a backend may differ by. */
struct tolerance {
    const char *backend;
    int precision, exact; /* exact: every sample must fit */
    double loss;          /* relative */
    double prelogits;     /* relative L2 */
    double embedding;
    double mean, var;        /* relative, of the moving statistics */
    double gradient, median; /* relative L2 of a tensor, and their median */
    double sample;           /* of L2 / sqrt(n) */
    double zero;             /* absolute, of block8.conv2d.bias */
};
/* Activations and convolutions' weights keep 8 bits. */
#define NARROW 2e-2, 5e-2, 2e-2, 5e-3, 5e-3, 0.5, 0.2, 0.5, 1e-2
#define SINGLE 1e-5, 2e-5, 5e-6, 2e-6, 1e-6, 2e-2, 5e-3, 0.05, 1e-5
static const struct tolerance runs[] = {
#ifdef FN_GOLDEN_CUDA
    {"cpu", FN_FP32, 0, SINGLE},
    {"cuda", FN_FP32, 0, SINGLE},
    {"cuda", FN_BF16, 0, NARROW},
#else
    {"ref64", FN_FP32, 1, 1e-8, 1e-8, 1e-8, 1e-8, 1e-8, 1e-8, 1e-8, 1e-8, 1e-12},
    {"cpu", FN_FP32, 0, SINGLE},
    {"cpu", FN_BF16, 0, NARROW},
#endif
};
enum { RUNS = sizeof runs / sizeof runs[0] };

/* Gradients of the first run, kept for the others. */
static double **truth;

static double number(const json_t *o, const char *key)
{
    double value = 0;
    assert_ok(fn_json_real(o, key, "golden", &value));
    return value;
}

static const json_t *member(const json_t *o, const char *key)
{
    const json_t *m = json_object_get(o, key);
    if (!m)
        fail_msg("no %s in the golden file", key);
    return m;
}

static void close_to(const char *what, double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("%s: %.17g, want %.17g, off by %g (%g allowed)", what, got, want, fabs(got - want),
                 tolerance);
}

/* |got - want| / |want| over an array of a float32 .bin file. */
static void check_rows(const char *what, const json_t *golden, const double *got, int rows,
                       double tolerance, double absolute)
{
    const double float_rounding = 6e-8;
    char name[64];
    unsigned char *data = NULL;
    size_t bytes = 0, count = (size_t)rows * D;
    double diff = 0, norm = 0, worst = 0;
    snprintf(name, sizeof name, "golden/%s", json_string_value(member(golden, "file")));
    assert_ok(fn_file_read(test_data(name), 1u << 24, &data, &bytes));
    assert_int_equal(bytes, count * sizeof(float));
    for (size_t i = 0; i < count; i++) {
        double d = got[i] - (double)((const float *)(const void *)data)[i];
        diff += d * d;
        norm += got[i] * got[i];
        worst = fabs(d) > worst ? fabs(d) : worst;
    }
    free(data);
    printf("  %s: relative L2 %.2g, largest %.2g\n", what, sqrt(diff / norm), worst);
    close_to(what, sqrt(diff / norm), 0, tolerance + float_rounding);
    close_to(what, worst, 0, absolute + 2 * float_rounding * sqrt(norm / (double)count) * 8);
    close_to(what, sqrt(norm), number(golden, "l2"), tolerance * number(golden, "l2"));
}

struct gradients {
    double relative[512];
    size_t count, samples, far;
};

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void check_samples(const struct tolerance *t, const char *name, const json_t *golden,
                          const double *g, size_t count, struct gradients *sum)
{
    double l2 = number(golden, "l2"), allowed = t->sample * l2 / sqrt((double)count);
    const json_t *index = member(golden, "index"), *value = member(golden, "value");
    for (size_t i = 0; i < json_array_size(index); i++) {
        size_t at = (size_t)json_integer_value(json_array_get(index, i));
        double want = json_number_value(json_array_get(value, i));
        assert_true(at < count);
        sum->samples++;
        if (fabs(g[at] - want) <= allowed + t->zero * 1e-3)
            continue;
        sum->far++;
        if (t->exact)
            fail_msg("%s[%zu]: %.17g, want %.17g", name, at, g[at], want);
    }
}

static void check_gradient(const struct tolerance *t, struct rig *r, size_t param,
                           const json_t *golden, struct gradients *sum)
{
    const struct fn_net_param *p = &r->net->params[param];
    double *g = malloc(p->count * sizeof *g), *w = malloc(p->count * sizeof *w);
    double total = 0, l1 = 0, l2 = 0, diff = 0;
    assert_non_null(g);
    assert_non_null(w);
    assert_ok(fn_model_get(r->model, FN_ARENA_GRAD, param, g, FN_F64));
    assert_ok(fn_model_get(r->model, FN_ARENA_W, param, w, FN_F64));
    for (size_t i = 0; i < p->count; i++) {
        if (r->model->groups[param].decay)
            g[i] += WEIGHT_DECAY * w[i];
        total += g[i];
        l1 += fabs(g[i]);
        l2 += g[i] * g[i];
        if (truth[param])
            diff += (g[i] - truth[param][i]) * (g[i] - truth[param][i]);
    }
    l2 = sqrt(l2);
    if (number(golden, "l2") < 1e-12) { /* a true gradient of zero */
        for (size_t i = 0; i < p->count; i++)
            close_to(p->name, g[i], 0, t->zero);
    } else {
        close_to(p->name, l2, number(golden, "l2"), t->gradient * number(golden, "l2"));
        close_to(p->name, l1, number(golden, "l1"), t->gradient * number(golden, "l1"));
        close_to(p->name, total, number(golden, "sum"), t->gradient * number(golden, "l1"));
        check_samples(t, p->name, golden, g, p->count, sum);
        if (truth[param])
            sum->relative[sum->count++] = sqrt(diff) / number(golden, "l2");
    }
    if (!truth[param])
        truth[param] = g;
    else
        free(g);
    free(w);
}

static void check_gradients(const struct tolerance *t, struct rig *r, const json_t *golden)
{
    const json_t *all = member(golden, "gradients");
    struct gradients sum = {{0}, 0, 0, 0};
    assert_int_equal(json_object_size(all), r->net->trained_count);
    for (size_t i = 0; i < r->net->trained_count; i++)
        check_gradient(t, r, i, member(all, r->net->params[i].name), &sum);
    printf("  gradients: %zu of %zu samples far", sum.far, sum.samples);
    assert_true((double)sum.far <= 0.05 * (double)sum.samples);
    if (sum.count) {
        qsort(sum.relative, sum.count, sizeof *sum.relative, ascending);
        printf(", relative L2 median %.2g, worst %.2g", sum.relative[sum.count / 2],
               sum.relative[sum.count - 1]);
        assert_true(sum.relative[sum.count / 2] < t->median);
        assert_true(sum.relative[sum.count - 1] < (runs[0].exact ? 1 : 2) * t->gradient);
    }
    printf("\n");
}

static void check_statistic(struct rig *r, int param, const json_t *golden, const json_t *index,
                            double tolerance)
{
    const struct fn_net_param *p = &r->net->params[param];
    const json_t *value = member(golden, "value");
    double v[2048], l2 = 0;
    assert_true(p->count <= 2048);
    assert_ok(fn_model_get(r->model, FN_ARENA_W, (size_t)param, v, FN_F64));
    for (size_t i = 0; i < p->count; i++)
        l2 += v[i] * v[i];
    close_to(p->name, sqrt(l2), number(golden, "l2"), tolerance * number(golden, "l2"));
    for (size_t i = 0; i < json_array_size(index); i++)
        close_to(p->name, v[json_integer_value(json_array_get(index, i))],
                 json_number_value(json_array_get(value, i)),
                 tolerance * number(golden, "l2") / sqrt((double)p->count) * 4);
}

static void check_statistics(const struct tolerance *t, struct rig *r, const json_t *golden)
{
    const json_t *all = member(golden, "batchnorm");
    size_t seen = 0;
    for (size_t i = r->net->trained_count; i < r->net->param_count; i += 2, seen++) {
        char bn[FN_NET_NAME];
        const json_t *g;
        fn_weights_bn(&r->net->params[i], bn);
        g = member(all, bn);
        check_statistic(r, (int)i, member(g, "running_mean"), member(g, "index"), t->mean);
        check_statistic(r, (int)i + 1, member(g, "running_var"), member(g, "index"), t->var);
    }
    assert_int_equal(seen, json_object_size(all));
}

static void check_centers(const struct tolerance *t, struct rig *r, const json_t *golden)
{
    const json_t *samples = member(golden, "centers_samples"), *value;
    const char *key;
    double c[CLASSES * D], l2 = 0;
    assert_ok(r->be->vector_export(r->dev, r->model->centers, CLASSES * D, c, FN_F64));
    for (size_t i = 0; i < CLASSES * D; i++)
        l2 += c[i] * c[i];
    close_to("centers", sqrt(l2), number(golden, "centers_l2"), t->loss * sqrt(l2));
    json_object_foreach((json_t *)(uintptr_t)samples, key, value)
        close_to("centers", c[atoi(key)], json_number_value(value), t->prelogits * 8);
}

/* The head's constants, as the README defines them. */
static void set_head(struct rig *r)
{
    double w[CLASSES * D], b[CLASSES], c[CLASSES * D];
    for (int k = 0; k < CLASSES; k++) {
        b[k] = 0.01 * k;
        for (int i = 0; i < D; i++) {
            w[k * D + i] = 0.05 * sin(0.37 * i + 1.3 * k);
            c[k * D + i] = 0.02 * cos(0.11 * i + 0.7 * k);
        }
    }
    assert_ok(fn_model_set(r->model, FN_ARENA_W, (size_t)r->net->logits_weight, w, FN_F64));
    assert_ok(fn_model_set(r->model, FN_ARENA_W, (size_t)r->net->logits_bias, b, FN_F64));
    assert_ok(r->be->vector_import(r->dev, c, FN_F64, CLASSES * D, r->model->centers));
}

static const struct fn_step_options step_options = {
    .keep = 1,
    .norm_factor = 5e-4,
    .norm_p = 1,
    .center_factor = 1e-2,
    .center_alfa = 0.95,
    .alpha = 0.2,
    .bn_decay = 0.995,
    .update = {FN_MOM, WEIGHT_DECAY, 0.9999},
};

/* Losses, in the file's names. */
static void check_losses(const struct tolerance *t, const struct fn_step_options *o,
                         const double *losses, const json_t *golden, int triplet)
{
    const json_t *want = member(golden, "loss");
    const double got[] = {losses[FN_LOSS_DECAY], losses[FN_LOSS_XENT],
                          o->norm_factor * losses[FN_LOSS_NORM],
                          o->center_factor * losses[FN_LOSS_CENTER], losses[FN_LOSS_TRIPLET]};
    static const char *const names[] = {"weight_decay", "cross_entropy", "prelogits_norm", "center",
                                        "triplet"};
    for (int i = 0; i < 5; i++)
        if (i == 0 || (i == 4) == triplet)
            close_to(names[i], got[i], number(want, names[i]),
                     t->loss * fabs(number(want, names[i])) + 1e-12);
    close_to("total", fn_step_total(losses, o), number(golden, "total"),
             t->loss * number(golden, "total"));
    assert_true(losses[FN_LOSS_BAD] == 0);
    if (!triplet)
        close_to("accuracy", losses[FN_LOSS_CORRECT] / N, number(golden, "accuracy"), 0);
}

static void check_logits(const struct tolerance *t, struct rig *r, const json_t *golden,
                         const struct fn_step_options *o)
{
    double logits[N * CLASSES], losses[FN_LOSS_COUNT];
    assert_ok(fn_loss_softmax(r->exec, r->dev_labels, N, o, 0));
    rig_rows(r, FN_ROWS_LOGITS, logits);
    for (size_t i = 0; i < N * CLASSES; i++)
        close_to("logits", logits[i],
                 json_number_value(json_array_get(
                     json_array_get(member(golden, "logits"), i / CLASSES), i % CLASSES)),
                 t->prelogits * 8);
    rig_losses(r, losses);
}

/* Images of a case: the batch of ten, or the nine of the triplets. */
static void fill_batch(struct rig *r, const json_t *golden, int triplet)
{
    uint8_t *all = malloc(N * r->image_bytes);
    assert_non_null(all);
    rig_parity(all, N);
    for (int i = 0; i < (triplet ? 9 : N); i++) {
        int from = i;
        if (triplet)
            from = (int)json_integer_value(json_array_get(member(golden, "images"), (size_t)i));
        memcpy(r->images + (size_t)i * r->image_bytes, all + (size_t)from * r->image_bytes,
               r->image_bytes);
        r->labels[i] = from % CLASSES;
    }
    free(all);
    rig_upload(r);
}

static void run_case(const char *name, const struct tolerance *t)
{
    struct fn_step_options o = step_options;
    const struct fn_step step = {1, 0, 0.01, 1, 0};
    int triplet = name[0] == 'b', n = triplet ? 9 : N;
    const struct rig_options ro = {t->backend,
                                   "inception_resnet_v1",
                                   160,
                                   D,
                                   triplet ? 0 : CLASSES,
                                   n,
                                   1,
                                   triplet ? FN_HEAD_TRIPLET : FN_HEAD_SOFTMAX,
                                   FN_MOM,
                                   1};
    double losses[FN_LOSS_COUNT], rows[N * D];
    char path[64];
    struct rig r;
    json_t *golden = NULL;
    snprintf(path, sizeof path, "golden/step_%s.json", name);
    assert_ok(fn_json_load(test_data(path), 1u << 26, &golden));
    printf("step_%s on %s%s\n", name, t->backend, t->precision == FN_BF16 ? ", bf16" : "");
    o.per_image = !strcmp(json_string_value(member(golden, "standardization")), "per_image");
    if (rig_open_in(&r, &ro, t->precision)) {
        rig_load(&r, test_data("irv1-vggface2.safetensors"));
        if (!triplet)
            set_head(&r);
        fill_batch(&r, golden, triplet);
        assert_ok(r.be->step_begin(r.dev, &step));
        assert_ok(fn_exec_images(r.exec, r.dev_images, o.per_image, 0));
        assert_ok(fn_exec_forward(r.exec, 1));
        if (!triplet)
            check_logits(t, &r, golden, &o);
        assert_ok(triplet ? fn_loss_triplet(r.exec, n, &o, 1)
                          : fn_loss_softmax(r.exec, r.dev_labels, n, &o, 1));
        assert_ok(fn_exec_embed(r.exec));
        rig_rows(&r, FN_ROWS_PRELOGITS, rows);
        check_rows("prelogits", member(golden, "prelogits"), rows, n, t->prelogits, INFINITY);
        rig_rows(&r, FN_ROWS_EMBEDDINGS, rows);
        check_rows("embeddings", member(golden, "embeddings"), rows, n, t->prelogits, t->embedding);
        assert_ok(fn_exec_backward(r.exec, 1));
        check_gradients(t, &r, golden);
        assert_ok(fn_step_update(r.exec, triplet ? NULL : r.dev_labels, n, &o));
        rig_losses(&r, losses);
        check_losses(t, &o, losses, golden, triplet);
        check_statistics(t, &r, golden);
        if (!triplet)
            check_centers(t, &r, golden);
    }
    rig_close(&r);
    json_decref(golden);
}

static void one_case(const char *name)
{
    truth = calloc(1024, sizeof *truth);
    assert_non_null(truth);
    for (int i = 0; i < RUNS; i++) /* in bf16 one of each head */
        if (runs[i].precision == FN_FP32 || !strcmp(name, "a") || !strcmp(name, "b2"))
            run_case(name, &runs[i]);
    for (int i = 0; i < 1024; i++)
        free(truth[i]);
    free(truth);
    truth = NULL;
}

/* The whole network in double, in plain loops: minutes without optimization. */
static int too_slow(const char *name)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
    printf("SKIPPED %s: too slow in this build\n", name);
    return 1;
#else
    (void)name;
    return 0;
#endif
}

static void test_step(void **state)
{
    need_data("golden/step_a.json");
    need_data("irv1-vggface2.safetensors");
    if (too_slow("test_step"))
        skip();
    one_case(*state);
}

static void check_distances(const char *backend)
{
    static const double published[PARITY_IMAGES][PARITY_IMAGES] = {
        {0, 1.481770, 0.866562, 1.436502, 1.436768},
        {1.481770, 0, 1.334183, 1.052093, 1.081338},
        {0.866562, 1.334183, 0, 1.383814, 1.344235},
        {1.436502, 1.052093, 1.383814, 0, 1.096777},
        {1.436768, 1.081338, 1.344235, 1.096777, 0}};
    const struct rig_options ro = {backend, "inception_resnet_v1", 160,    D, 0, PARITY_IMAGES,
                                   0,       FN_HEAD_NONE,          FN_MOM, 0};
    double e[PARITY_IMAGES * D], worst = 0;
    struct rig r;
    if (rig_open(&r, &ro)) {
        rig_load(&r, test_data("irv1-vggface2.safetensors"));
        rig_parity(r.images, PARITY_IMAGES);
        rig_upload(&r);
        assert_ok(fn_exec_images(r.exec, r.dev_images, 0, 0));
        assert_ok(fn_exec_forward(r.exec, 1));
        assert_ok(fn_exec_embed(r.exec));
        rig_rows(&r, FN_ROWS_EMBEDDINGS, e);
        for (int i = 0; i < PARITY_IMAGES; i++)
            for (int k = 0; k < PARITY_IMAGES; k++) {
                double d2 = 0, off;
                for (int j = 0; j < D; j++)
                    d2 += (e[i * D + j] - e[k * D + j]) * (e[i * D + j] - e[k * D + j]);
                off = fabs(sqrt(d2) - published[i][k]);
                worst = off > worst ? off : worst;
            }
        printf("distances on %s: largest difference %.2g\n", backend, worst);
        assert_true(worst < 1e-5);
    }
    rig_close(&r);
}

static void test_distances(void **state)
{
    (void)state;
    need_data("irv1-vggface2.safetensors");
    if (too_slow("test_distances"))
        skip();
#ifdef FN_GOLDEN_CUDA
    check_distances("cuda");
#else
    check_distances("ref");
    check_distances("cpu");
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distances),
        cmocka_unit_test_prestate(test_step, (void *)(uintptr_t) "a"),
        cmocka_unit_test_prestate(test_step, (void *)(uintptr_t) "c"),
        cmocka_unit_test_prestate(test_step, (void *)(uintptr_t) "b2"),
        cmocka_unit_test_prestate(test_step, (void *)(uintptr_t) "b"),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
