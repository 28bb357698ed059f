/* SPDX-License-Identifier: MIT */
/* Which records train, which validate, which classes are kept. */
#include "train/split.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

struct work {
    const struct fn_store *store;
    const struct fn_split_options *options;
    struct fn_split *split;
    uint32_t store_classes;
    uint64_t *ids; /* of one class, shuffled */
    uint64_t cap;
};

static int check_options(const struct fn_split_options *o)
{
    if (!(o->ratio >= 0 && o->ratio < 1))
        return fn_fail(FN_EUSAGE, "the validation split ratio must be in [0, 1), not %g", o->ratio);
    if (!(o->min_val >= 0))
        return fn_fail(FN_EUSAGE, "the minimum number of images per class must not be %g",
                       o->min_val);
    return FN_OK;
}

/* The records of a class that were not dropped, shuffled if they are to be split, in w->ids. */
static int gather(struct work *w, uint32_t label, uint64_t *count)
{
    const uint64_t *ids;
    uint64_t n, kept = 0;
    int rc = fn_store_members(w->store, label, &ids, &n);
    if (rc != FN_OK)
        return rc;
    if (n > w->cap) {
        uint64_t *more = n > SIZE_MAX / sizeof *ids ? NULL : realloc(w->ids, n * sizeof *ids);
        if (!more)
            return fn_fail(FN_ENOMEM, "no memory for the %llu records of a class",
                           (unsigned long long)n);
        w->ids = more;
        w->cap = n;
    }
    for (uint64_t i = 0; i < n; i++)
        if (!w->options->dropped || !w->options->dropped[ids[i]])
            w->ids[kept++] = ids[i];
    for (uint64_t i = kept; w->options->ratio > 0 && i > 1; i--) {
        uint64_t bits = fn_rng(w->options->seed, label, i - 1, FN_RNG_SPLIT);
        uint64_t j = fn_rng_below(bits, i), id = w->ids[j];
        w->ids[j] = w->ids[i - 1];
        w->ids[i - 1] = id;
    }
    *count = kept;
    return FN_OK;
}

/* How many of n images train; 0 and *keep = 0 where the class is left out. */
static uint64_t train_share(const struct fn_split_options *o, uint64_t n, int *keep)
{
    *keep = n > 0;
    if (n == 0 || o->ratio == 0)
        return n;
    uint64_t split = (uint64_t)floor((double)n * (1 - o->ratio));
    if (split >= n)
        split = n - 1;
    *keep = (double)split >= o->min_val;
    return *keep ? split : 0;
}

static int append(struct fn_examples *e, size_t cap, const uint64_t *ids, uint64_t count,
                  int32_t label)
{
    if (count > cap - e->count)
        return fn_fail(FN_EINTERNAL, "the split has more records than the store");
    for (uint64_t i = 0; i < count; i++) {
        e->ids[e->count] = ids[i];
        e->labels[e->count++] = label;
    }
    return FN_OK;
}

/* Both sets stand in one pair of arrays of the store's size while it is not known how large each
 * is: training from the front; validation records wait in the second pair. */
static int split_class(struct work *w, uint32_t label, size_t cap)
{
    struct fn_split *s = w->split;
    uint64_t n = 0;
    int keep, rc = gather(w, label, &n);
    if (rc != FN_OK)
        return rc;
    uint64_t train = train_share(w->options, n, &keep);
    s->new_label[label] = -1;
    if (!keep)
        return FN_OK;
    int32_t new_label = (int32_t)s->classes;
    struct fn_split_class *c = &s->kept[s->classes++];
    *c = (struct fn_split_class){label, s->train.count, train, n - train};
    s->new_label[label] = new_label;
    s->val_classes += c->val > 0;
    rc = append(&s->train, cap, w->ids, train, new_label);
    return rc == FN_OK ? append(&s->val, cap, w->ids + train, n - train, new_label) : rc;
}

static int reserve(struct fn_examples *e, uint64_t count)
{
    if (count > SIZE_MAX / 16)
        return 0;
    e->ids = malloc((count ? count : 1) * sizeof *e->ids);
    e->labels = malloc((count ? count : 1) * sizeof *e->labels);
    return e->ids && e->labels;
}

/* Gives back what is not needed; a realloc that fails leaves the larger block. */
static void shrink(struct fn_examples *e)
{
    size_t n = e->count ? e->count : 1;
    uint64_t *ids = realloc(e->ids, n * sizeof *ids);
    e->ids = ids ? ids : e->ids;
    int32_t *labels = realloc(e->labels, n * sizeof *labels);
    e->labels = labels ? labels : e->labels;
}

static int nothing_left(const struct work *w)
{
    const struct fn_store_info *info = fn_store_get_info(w->store);
    return fn_fail(
        FN_EFORMAT,
        "%s: nothing to train on: of %u classes (%llu records) none is left with a training "
        "image (validation split ratio %g, at least %g images per class%s)",
        info->path, info->classes, (unsigned long long)info->records, w->options->ratio,
        w->options->min_val, w->options->dropped ? ", after filtering" : "");
}

static int run(struct work *w)
{
    const struct fn_store_info *info = fn_store_get_info(w->store);
    struct fn_split *s = w->split;
    int rc = FN_OK;
    w->store_classes = info->classes;
    if (info->classes > INT32_MAX)
        return fn_fail(FN_ELIMIT, "%s: %u classes are too many", info->path, info->classes);
    size_t classes = info->classes ? info->classes : 1;
    s->kept = calloc(classes, sizeof *s->kept);
    s->new_label = calloc(classes, sizeof *s->new_label);
    /* Untouched pages cost nothing: the larger arrays are cut down below. */
    if (!s->kept || !s->new_label || !reserve(&s->train, info->records) ||
        !reserve(&s->val, w->options->ratio > 0 ? info->records : 0))
        return fn_fail(FN_ENOMEM, "no memory for the list of %llu records",
                       (unsigned long long)info->records);
    for (uint32_t label = 0; rc == FN_OK && label < info->classes; label++)
        rc = split_class(w, label, info->records);
    shrink(&s->train);
    shrink(&s->val);
    if (rc == FN_OK && s->train.count == 0)
        rc = nothing_left(w);
    return rc;
}

int fn_split_open(struct fn_split **out, const struct fn_store *store,
                  const struct fn_split_options *options)
{
    struct work w = {.store = store, .options = options};
    *out = NULL;
    int rc = check_options(options);
    if (rc != FN_OK)
        return rc;
    w.split = calloc(1, sizeof *w.split);
    rc = w.split ? run(&w) : fn_fail(FN_ENOMEM, "no memory for a list of records");
    free(w.ids);
    if (rc == FN_OK)
        *out = w.split;
    else
        fn_split_close(&w.split);
    return rc;
}

void fn_split_close(struct fn_split **split)
{
    struct fn_split *s = *split;
    if (!s)
        return;
    free(s->kept);
    free(s->new_label);
    free(s->train.ids);
    free(s->train.labels);
    free(s->val.ids);
    free(s->val.labels);
    free(s);
    *split = NULL;
}
