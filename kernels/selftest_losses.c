/* SPDX-License-Identifier: MIT */
/* The self-test's cases: losses, optimizers, what a step is made of. */
#include <math.h>
#include <stdlib.h>

#include "kernels/selftest_probe.h"

static void run_softmax(struct fn_probe *p, int unused)
{
    const int n = p->large ? 90 : 5, classes = p->large ? 100000 : 37;
    const struct fn_tensor logits = fn_probe_rows(p, n, classes, 1, 6);
    const int32_t *labels = fn_probe_labels(p, n, classes);
    (void)unused;
    FN_PROBE_RUN(p, 3 * fn_probe_bytes(p, &logits), 0,
                 p->be->softmax_xent(p->dev, &logits, labels, n - !p->large, 1));
    fn_probe_keep(p, &logits);
    fn_probe_keep_losses(p);
}

static void run_margin(struct fn_probe *p, int kind)
{
    const struct fn_margin rule = {kind, 24, 0.35, 0.1};
    const int n = p->large ? 90 : 5, classes = p->large ? 100000 : 37;
    const struct fn_tensor x = fn_probe_rows(p, n, classes, 1, 0.9); /* cosines */
    const int32_t *labels = fn_probe_labels(p, n, classes);
    FN_PROBE_RUN(p, 3 * fn_probe_bytes(p, &x), 0,
                 p->be->margin_xent(p->dev, &x, labels, n, &rule, 1));
    fn_probe_keep(p, &x);
    fn_probe_keep_losses(p);
}

static void run_center(struct fn_probe *p, int update)
{
    const int n = p->large ? 512 : 5, d = p->large ? 512 : 19, classes = 4;
    const struct fn_tensor x = fn_probe_rows(p, n, d, 1, 1), dx = fn_probe_rows(p, n, d, 2, 1);
    const size_t count = (size_t)classes * (size_t)d;
    float *centers = fn_probe_vector(p, count, 3, 1, 0);
    const int32_t *labels = fn_probe_labels(p, n, classes);
    fn_probe_step(p);
    if (update)
        FN_PROBE_RUN(p, fn_probe_bytes(p, &x), 0,
                     p->be->center_update(p->dev, &x, labels, n, centers, 0.9));
    else
        FN_PROBE_RUN(p, 3 * fn_probe_bytes(p, &x), 0,
                     p->be->center_loss(p->dev, &x, labels, n, centers, 0.7, &dx));
    fn_probe_keep(p, &dx);
    fn_probe_keep_vector(p, centers, count);
    fn_probe_keep_losses(p);
}

static void run_norm(struct fn_probe *p, int norm)
{
    const struct fn_tensor x = fn_probe_rows(p, p->large ? 512 : 5, p->large ? 512 : 19, 1, 1);
    const struct fn_tensor dx = fn_probe_rows(p, x.n, x.c, 2, 1);
    FN_PROBE_RUN(p, 3 * fn_probe_bytes(p, &x), 0,
                 p->be->norm_loss(p->dev, &x, x.n, norm, 0.7, &dx));
    fn_probe_keep(p, &dx);
    fn_probe_keep_losses(p);
}

static void run_triplet(struct fn_probe *p, int unused)
{
    const struct fn_tensor e = fn_probe_rows(p, p->large ? 510 : 9, p->large ? 512 : 19, 1, 0.3);
    const struct fn_tensor de = fn_probe_rows(p, e.n, e.c, 2, 1);
    (void)unused;
    FN_PROBE_RUN(p, 2 * fn_probe_bytes(p, &e), 0, p->be->triplet_loss(p->dev, &e, e.n, 0.2, &de));
    fn_probe_keep(p, &de);
    fn_probe_keep_losses(p);
}

static void run_distances(struct fn_probe *p, int unused)
{
    const struct fn_tensor e = fn_probe_rows(p, p->large ? 1800 : 7, p->large ? 128 : 19, 1, 1);
    const size_t count = (size_t)e.n * (size_t)e.n;
    float *d2 = malloc(count * sizeof *d2);
    double *wide = malloc(count * sizeof *wide);
    (void)unused;
    if (!d2 || !wide)
        p->rc = fn_fail(FN_ENOMEM, "out of memory for a self-test");
    FN_PROBE_RUN(p, (double)count * sizeof *d2, 3.0 * (double)count * e.c,
                 p->be->distances(p->dev, &e, e.n, d2));
    for (size_t i = 0; i < count && !p->rc; i++)
        wide[i] = d2[i];
    if (!p->rc)
        fn_probe_keep_host(p, wide, count);
    free(d2);
    free(wide);
}

/* ---- parameters ----------------------------------------------------------------------------- */

/* A model's arenas: two groups, and a layer's moving statistics. */
struct arenas {
    struct fn_param_group groups[2];
    struct fn_params params;
    struct fn_moving_group moving;
};

static void make_arenas(struct fn_probe *p, struct arenas *a)
{
    const size_t trained = p->large ? 8u << 20 : 1008, total = trained + 64;
    a->groups[0] = (struct fn_param_group){0, trained - 8, 1, 0, 0};
    a->groups[1] = (struct fn_param_group){trained - 8, 8, 0, 0, 0};
    a->moving = (struct fn_moving_group){trained, 32, 1.1};
    a->params = (struct fn_params){.trained = trained,
                                   .total = total,
                                   .groups = a->groups,
                                   .group_count = 2,
                                   .w = fn_probe_vector(p, total, 1, 1, 0),
                                   .grad = fn_probe_vector(p, trained, 2, 0.3, 0),
                                   .slot1 = fn_probe_vector(p, trained, 3, 0.1, 0.2),
                                   .slot2 = fn_probe_vector(p, trained, 4, 0.1, 0.2),
                                   .ema = fn_probe_vector(p, total, 5, 1, 0),
                                   .batch = fn_probe_vector(p, 64, 6, 1, 1.5)};
}

static void keep_arenas(struct fn_probe *p, const struct arenas *a)
{
    fn_probe_keep_vector(p, a->params.w, a->params.total);
    fn_probe_keep_vector(p, a->params.ema, a->params.total);
    fn_probe_keep_vector(p, a->params.slot1, a->params.trained);
    fn_probe_keep_vector(p, a->params.slot2, a->params.trained);
    fn_probe_keep_losses(p);
}

static void run_update(struct fn_probe *p, int optimizer)
{
    const struct fn_update rule = {optimizer, 1e-3, 0.99};
    struct arenas a;
    make_arenas(p, &a);
    fn_probe_step(p);
    FN_PROBE_RUN(p, (double)a.params.trained * sizeof(float) * 9, 0,
                 p->be->update(p->dev, &a.params, &rule));
    keep_arenas(p, &a);
}

static void run_clip(struct fn_probe *p, int unused)
{
    struct arenas a;
    (void)unused;
    make_arenas(p, &a);
    fn_probe_step(p);
    FN_PROBE_RUN(p, (double)a.params.trained * sizeof(float) * 3, 0,
                 p->be->clip(p->dev, &a.params, 0.5));
    fn_probe_keep_vector(p, a.params.grad, a.params.trained);
    fn_probe_keep_losses(p);
}

static void run_combine(struct fn_probe *p, int unused)
{
    const size_t count = p->large ? 8u << 20 : 1003;
    float *y = fn_probe_vector(p, count, 1, 1, 0), *x = fn_probe_vector(p, count, 2, 1, 0);
    (void)unused;
    FN_PROBE_RUN(p, (double)count * sizeof(float) * 3, 0,
                 p->be->combine(p->dev, y, 0.25, x, -1.5, count));
    fn_probe_keep_vector(p, y, count);
}

/* What the optimizer's state begins with. */
static void run_init(struct fn_probe *p, int optimizer)
{
    struct arenas a;
    make_arenas(p, &a);
    FN_PROBE_RUN(p, (double)a.params.trained * sizeof(float) * 2, 0,
                 p->be->update_init(p->dev, &a.params, optimizer));
    keep_arenas(p, &a);
}

/* There and back, with zeros in the middle. */
static void run_copies(struct fn_probe *p, int unused)
{
    enum { COUNT = 4099, FIRST = 1000, ZEROS = 64 };
    float host[COUNT], back[COUNT] = {0};
    double wide[COUNT];
    char *device = fn_probe_memory(p, sizeof host, FN_MEM_DEVICE);
    (void)unused;
    for (size_t i = 0; i < COUNT; i++)
        host[i] = (float)fn_probe_random(1, i);
    FN_PROBE_RUN(p, sizeof host, 0, p->be->write(p->dev, device, host, sizeof host));
    if (!p->rc)
        p->rc = p->be->zero(p->dev, device + FIRST * sizeof *host, ZEROS * sizeof *host);
    if (!p->rc)
        p->rc = p->be->read(p->dev, device, back, sizeof back);
    for (size_t i = 0; i < COUNT; i++)
        wide[i] = back[i];
    if (!p->rc)
        fn_probe_keep_host(p, wide, COUNT);
}

/* A gradient with a bad value among many good ones: found, and nothing is changed. */
static void run_finite(struct fn_probe *p, int bad)
{
    const struct fn_update rule = {FN_ADAM, 1e-3, 0.99};
    const float spoiled = INFINITY;
    struct arenas a;
    make_arenas(p, &a);
    fn_probe_step(p);
    if (!p->rc && bad)
        p->rc = p->be->vector_import(p->dev, &spoiled, FN_F32, 1,
                                     (char *)a.params.grad +
                                         (a.params.trained - 3) * p->be->info(p->dev)->param_bytes);
    FN_PROBE_RUN(p, (double)a.params.trained * sizeof(float), 0,
                 p->be->check_finite(p->dev, a.params.grad, a.params.trained));
    if (!p->rc)
        p->rc = p->be->update_moving(p->dev, &a.params, &a.moving, 1, 0.9);
    if (!p->rc)
        p->rc = p->be->update(p->dev, &a.params, &rule);
    keep_arenas(p, &a);
}

static void run_moving(struct fn_probe *p, int unused)
{
    struct arenas a;
    (void)unused;
    make_arenas(p, &a);
    fn_probe_step(p);
    FN_PROBE_RUN(p, 0, 0, p->be->update_moving(p->dev, &a.params, &a.moving, 1, 0.9));
    fn_probe_keep_vector(p, a.params.w, a.params.total);
}

/* ---- a recorded step ------------------------------------------------------------------------ */

static int some_ops(struct fn_probe *p, const struct fn_tensor *x, const struct fn_tensor *e,
                    const struct fn_tensor *de)
{
    int rc = p->be->dropout(p->dev, x, 0.7, e);
    if (!rc)
        rc = p->be->l2norm_forward(p->dev, e, de);
    return rc ? rc : p->be->triplet_loss(p->dev, de, e->n, 0.2, e);
}

/* Twice the same ops with other scalars; where the device records, the second time from a
 * recording. */
static void run_recorded(struct fn_probe *p, int unused)
{
    const struct fn_step first = {3, 4, 0.1, 5, 0}, second = {3, 5, 0.2, 6, 0};
    const struct fn_tensor x = fn_probe_rows(p, 9, 37, 1, 1), e = fn_probe_rows(p, 9, 37, 2, 1);
    const struct fn_tensor de = fn_probe_rows(p, 9, 37, 3, 1);
    struct fn_recording *recording = NULL;
    (void)unused;
    if (!p->rc)
        p->rc = p->be->step_begin(p->dev, &first);
    if (!p->rc)
        p->rc = some_ops(p, &x, &e, &de);
    if (!p->rc)
        p->rc = p->be->step_begin(p->dev, &second);
    if (!p->rc && p->be->record_begin) {
        p->rc = p->be->record_begin(p->dev);
        if (!p->rc) {
            int rc = some_ops(p, &x, &e, &de);
            p->rc = p->be->record_end(p->dev, rc ? NULL : &recording);
            p->rc = rc ? rc : p->rc;
        }
        if (!p->rc)
            p->rc = p->be->replay(p->dev, recording);
        if (!p->rc)
            p->rc = p->be->sync(p->dev);
        if (recording)
            p->be->record_free(&recording);
    } else if (!p->rc) {
        p->rc = some_ops(p, &x, &e, &de);
    }
    fn_probe_keep(p, &e);
    fn_probe_keep(p, &de);
    fn_probe_keep_losses(p);
}

const struct fn_probe_case fn_probe_losses[] = {
    {"softmax cross entropy", run_softmax, 0, 0},
    {"margin, arc", run_margin, FN_MARGIN_ARC, 0},
    {"margin, cosine", run_margin, FN_MARGIN_COS, 0},
    {"center loss", run_center, 0, 0},
    {"move of the centers", run_center, 1, 0},
    {"prelogits norm, 1", run_norm, 1, 0},
    {"prelogits norm, 2", run_norm, 2, 0},
    {"triplet loss", run_triplet, 0, 0},
    {"distances", run_distances, 0, 0},
    {"ADAGRAD", run_update, FN_ADAGRAD, 0},
    {"ADADELTA", run_update, FN_ADADELTA, 0},
    {"ADAM", run_update, FN_ADAM, 0},
    {"RMSPROP", run_update, FN_RMSPROP, 0},
    {"MOM", run_update, FN_MOM, 0},
    {"start of ADAGRAD", run_init, FN_ADAGRAD, 0},
    {"start of RMSPROP", run_init, FN_RMSPROP, 0},
    {"copies", run_copies, 0, 0},
    {"clipped gradient", run_clip, 0, 0},
    {"weighted sum", run_combine, 0, 0},
    {"moving statistics", run_moving, 0, 0},
    {"search for bad values", run_finite, 0, 0},
    {"a bad value", run_finite, 1, 0},
    {"a recorded step", run_recorded, 0, 0},
    {0},
};
