/* SPDX-License-Identifier: MIT */
/* Selection of triplets. */
#include "train/triplet_select.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/rng.h"

const char *const fn_selection_names[FN_SELECT_COUNT + 1] = {"original", "vgg", "semi-hard", "hard",
                                                             NULL};

struct work {
    const struct fn_select_group *g;
    const struct fn_select_options *o;
    struct fn_selected *out;
    int32_t *candidates; /* [count] */
    size_t cap;          /* triplets that out->rows has room for */
};

static void measure(const struct fn_select_group *g, struct fn_selected *out)
{
    double sum = 0;
    for (size_t i = 0; i < g->count; i++)
        for (size_t j = 0; j < i; j++) {
            double d = g->d2[i * g->count + j];
            if (isfinite(d))
                sum += d;
            else
                out->not_finite++;
        }
    if (g->count > 1)
        out->mean_distance = sum / ((double)g->count * (double)(g->count - 1) / 2);
}

static int is_candidate(const struct work *w, double ap, double an)
{
    if (!(an - ap < w->o->alpha))
        return 0;
    return w->o->rule != FN_SELECT_SEMI_HARD || ap < an;
}

/* The negative of a pair of class c, or -1. */
static int32_t negative_of(const struct work *w, size_t c, size_t a, size_t p)
{
    const struct fn_select_group *g = w->g;
    const float *row = g->d2 + a * g->count;
    size_t found = 0;
    for (size_t n = 0; n < g->count; n++) {
        if (n == g->first[c])
            n = g->first[c + 1];
        if (n >= g->count)
            break;
        if ((g->omit && g->omit[n]) || !is_candidate(w, row[p], row[n]))
            continue;
        if (w->o->rule == FN_SELECT_HARD && found) {
            if (row[n] < row[w->candidates[0]])
                w->candidates[0] = (int32_t)n;
            continue;
        }
        w->candidates[found++] = (int32_t)n;
    }
    if (!found)
        return -1;
    return w->candidates[fn_rng_below(
        fn_rng(w->o->seed, w->o->group, w->out->pairs, FN_RNG_NEGATIVE), found)];
}

static int append(struct work *w, size_t a, size_t p, int32_t n)
{
    struct fn_selected *s = w->out;
    int32_t *row;
    if (s->triplets == w->cap) {
        size_t cap = w->cap ? 2 * w->cap : 1024;
        int32_t *more =
            cap <= SIZE_MAX / 3 / sizeof *more ? realloc(s->rows, cap * 3 * sizeof *more) : NULL;
        if (!more)
            return fn_fail(FN_ENOMEM, "no memory for %zu triplets", cap);
        s->rows = more;
        w->cap = cap;
    }
    row = s->rows + 3 * s->triplets++;
    row[0] = (int32_t)a;
    row[1] = (int32_t)p;
    row[2] = n;
    return FN_OK;
}

static int select_class(struct work *w, size_t c)
{
    const struct fn_select_group *g = w->g;
    int rc = FN_OK;
    for (size_t a = g->first[c]; a < g->first[c + 1]; a++)
        for (size_t p = a + 1; p < g->first[c + 1] && !rc; p++) {
            int32_t n;
            if (g->omit && (g->omit[a] || g->omit[p]))
                continue;
            n = negative_of(w, c, a, p);
            w->out->pairs++;
            if (n >= 0)
                rc = append(w, a, p, n);
        }
    return rc;
}

static void shuffle(const struct fn_select_options *o, struct fn_selected *s)
{
    for (size_t i = s->triplets; i > 1; i--) {
        uint64_t bits = fn_rng(o->seed, o->group, i - 1, FN_RNG_TRIPLETS);
        size_t j = (size_t)fn_rng_below(bits, i);
        int32_t t[3];
        memcpy(t, s->rows + 3 * j, sizeof t);
        memmove(s->rows + 3 * j, s->rows + 3 * (i - 1), sizeof t);
        memcpy(s->rows + 3 * (i - 1), t, sizeof t);
    }
}

int fn_triplet_select(const struct fn_select_group *g, const struct fn_select_options *o,
                      struct fn_selected *out)
{
    struct work w = {g, o, out, NULL, 0};
    size_t anchors = g->classes;
    int rc = FN_OK;
    memset(out, 0, sizeof *out);
    measure(g, out);
    if (out->not_finite)
        return FN_OK;
    w.candidates = malloc((g->count ? g->count : 1) * sizeof *w.candidates);
    if (!w.candidates)
        return fn_fail(FN_ENOMEM, "no memory to select triplets");
    if (o->rule == FN_SELECT_ORIGINAL && o->people < anchors)
        anchors = o->people;
    for (size_t c = 0; c < anchors && !rc; c++)
        rc = select_class(&w, c);
    if (!rc)
        shuffle(o, out);
    free(w.candidates);
    if (rc) {
        free(out->rows);
        out->rows = NULL;
        out->triplets = 0;
    }
    return rc;
}
