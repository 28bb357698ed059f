/* SPDX-License-Identifier: MIT */
/* Online mining. */
#include "train/triplet_online.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "train/exec_parts.h"
#include "train/triplet_select.h"

struct work {
    const float *d2;
    const int32_t *labels;
    size_t n;
    double alpha, loss;
    float *c;
    int32_t *rows;
    struct fn_online_figures *f;
};

static void measure(const struct work *w)
{
    double sum = 0;
    for (size_t i = 0; i < w->n; i++)
        for (size_t j = 0; j < i; j++) {
            double d = (double)w->d2[i * w->n + j];
            if (isfinite(d))
                sum += d;
            else
                w->f->not_finite++;
        }
    if (w->n > 1)
        w->f->mean_distance = sum / ((double)w->n * (double)(w->n - 1) / 2);
}

/* One triplet more; n == w->n: there is no negative. */
static void add(struct work *w, size_t a, size_t p, size_t n)
{
    const size_t count = w->n;
    double hinge;
    w->f->pairs++;
    if (n == count)
        return;
    if (w->rows) {
        int32_t *row = w->rows + 3 * w->f->triplets;
        row[0] = (int32_t)a;
        row[1] = (int32_t)p;
        row[2] = (int32_t)n;
    }
    w->f->triplets++;
    hinge = (double)w->d2[a * count + p] - (double)w->d2[a * count + n] + w->alpha;
    if (hinge <= 0)
        return;
    w->f->active++;
    w->loss += hinge;
    w->c[a * count + n] += 1;
    w->c[a * count + p] -= 1;
    w->c[p * count + p] += 1;
    w->c[p * count + a] -= 1;
    w->c[n * count + a] += 1;
    w->c[n * count + n] -= 1;
}

/* The nearest row of another label that is farther than `least`, else the farthest; w->n: none. */
static size_t semi_hard(const struct work *w, size_t a, float least)
{
    const float *d = w->d2 + a * w->n;
    size_t nearest = w->n, farthest = w->n;
    for (size_t n = 0; n < w->n; n++) {
        if (w->labels[n] == w->labels[a])
            continue;
        if (d[n] > least && (nearest == w->n || d[n] < d[nearest]))
            nearest = n;
        if (farthest == w->n || d[n] > d[farthest])
            farthest = n;
    }
    return nearest < w->n ? nearest : farthest;
}

static void anchor_semi_hard(struct work *w, size_t a)
{
    for (size_t p = 0; p < w->n; p++)
        if (p != a && w->labels[p] == w->labels[a])
            add(w, a, p, semi_hard(w, a, w->d2[a * w->n + p]));
}

static void anchor_hard(struct work *w, size_t a)
{
    const float *d = w->d2 + a * w->n;
    size_t p = w->n, n = w->n;
    for (size_t i = 0; i < w->n; i++) {
        if (w->labels[i] != w->labels[a])
            n = n == w->n || d[i] < d[n] ? i : n;
        else if (i != a)
            p = p == w->n || d[i] > d[p] ? i : p;
    }
    if (p < w->n)
        add(w, a, p, n);
}

void fn_triplet_online(const float *d2, const int32_t *labels, size_t n, int rule, double alpha,
                       float *coefficients, int32_t *rows, struct fn_online_figures *figures)
{
    struct work w = {d2, labels, n, alpha, 0, coefficients, rows, figures};
    memset(figures, 0, sizeof *figures);
    memset(coefficients, 0, n * n * sizeof *coefficients);
    measure(&w);
    if (figures->not_finite) {
        figures->loss = NAN;
        return;
    }
    for (size_t a = 0; a < n; a++)
        if (rule == FN_SELECT_HARD)
            anchor_hard(&w, a);
        else
            anchor_semi_hard(&w, a);
    if (!figures->triplets)
        return;
    figures->loss = w.loss / (double)figures->triplets;
    for (size_t i = 0; i < n * n; i++)
        coefficients[i] = (float)(2 * (double)coefficients[i] / (double)figures->triplets);
}

/* ---- a training step ------------------------------------------------------------------------ */

uint64_t fn_online_bytes(size_t n, size_t scalar)
{
    return (uint64_t)n * n * (scalar + 2 * sizeof(float));
}

int fn_online_open(struct fn_online **out, const struct fn_backend *be, struct fn_dev *dev,
                   size_t n, int rule)
{
    struct fn_online *o = calloc(1, sizeof *o);
    int rc = FN_OK;
    *out = o;
    if (!o)
        return fn_fail(FN_ENOMEM, "no memory for online mining");
    o->rule = rule;
    o->matrix = (struct fn_tensor){(int)n, 1, 1, (int)n, 0, (int)n, NULL};
    o->d2 = malloc(n * n * sizeof *o->d2);
    o->coefficients = malloc(n * n * sizeof *o->coefficients);
    if (!o->d2 || !o->coefficients)
        rc = fn_fail(FN_ENOMEM, "no memory for the distances of %zu images", n);
    if (!rc)
        rc = be->alloc(dev, n * n * be->info(dev)->param_bytes, FN_MEM_DEVICE, &o->matrix.data);
    if (rc)
        fn_online_close(out, be, dev);
    return rc;
}

void fn_online_close(struct fn_online **online, const struct fn_backend *be, struct fn_dev *dev)
{
    struct fn_online *o = online ? *online : NULL;
    if (!o)
        return;
    if (o->matrix.data)
        be->free(dev, FN_MEM_DEVICE, o->matrix.data);
    free(o->d2);
    free(o->coefficients);
    free(o);
    *online = NULL;
}

static int gradient(struct fn_exec *x, struct fn_online *o)
{
    const struct fn_model *m = x->model;
    const struct fn_tensor *e = &x->rows[FN_ROWS_EMBEDDINGS];
    const size_t n = (size_t)e->n;
    FN_RUN(x, FN_PROFILE_LOSS,
           m->be->vector_import(m->dev, o->coefficients, FN_F32, n * n, o->matrix.data));
    FN_RUN(x, FN_PROFILE_LOSS,
           m->be->fc_backward(m->dev, e, e->data, &o->matrix, &x->rows[FN_ROWS_D_EMBEDDINGS], 0,
                              NULL, NULL));
    FN_RUN(x, FN_PROFILE_LOSS,
           m->be->l2norm_backward(m->dev, &x->rows[FN_ROWS_PRELOGITS],
                                  &x->rows[FN_ROWS_D_EMBEDDINGS], &x->rows[FN_ROWS_D_PRELOGITS],
                                  0));
    return FN_OK;
}

int fn_loss_online(struct fn_exec *x, struct fn_online *o, double alpha, int backward)
{
    const struct fn_model *m = x->model;
    const struct fn_tensor *e = &x->rows[FN_ROWS_EMBEDDINGS];
    int rc = fn_exec_embed(x);
    if (rc)
        return rc;
    FN_RUN(x, FN_PROFILE_LOSS, m->be->distances(m->dev, e, e->n, o->d2));
    fn_triplet_online(o->d2, o->labels, (size_t)e->n, o->rule, alpha, o->coefficients, NULL,
                      &o->figures);
    return backward ? gradient(x, o) : FN_OK;
}

void fn_online_losses(const struct fn_online_figures *f, double losses[FN_LOSS_COUNT])
{
    losses[FN_LOSS_TRIPLET] = f->loss;
    losses[FN_LOSS_ACTIVE] = (double)f->active;
    losses[FN_LOSS_SPREAD] = f->mean_distance;
}
