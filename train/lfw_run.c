/* SPDX-License-Identifier: MIT */
/* The LFW evaluation from end to end. */
#include "train/lfw_run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"

/* Pictures of a tree are taken as they are: a raw photograph is not an aligned face. */
static void hint_raw(const struct fn_lfw_run *r)
{
    enum { MUCH = 3, OF = 2, FILE_MAX = 64 << 20 };
    char *path = fn_path_join(r->root, r->lfw->paths[0]);
    struct fn_codec *codec = NULL;
    struct fn_image_info info;
    unsigned char *data = NULL;
    size_t bytes = 0;
    int size = r->options.image_size;
    int rc = path ? fn_file_read(path, FILE_MAX, &data, &bytes) : FN_ENOMEM;
    if (!rc)
        rc = fn_codec_open(&codec);
    if (!rc)
        rc = fn_image_probe(codec, data, bytes, &info);
    if (!rc && (info.w * OF > size * MUCH || info.h * OF > size * MUCH))
        fn_warn("%s is %d x %d: pictures are cropped at the centre to %d; raw photographs need "
                "the aligner's boxes",
                path, info.w, info.h, size);
    fn_codec_close(&codec);
    free(data);
    free(path);
}

static int open_pictures(struct fn_lfw_run *r)
{
    const struct fn_lfw_run_options *o = &r->options;
    int rc;
    if (o->store) {
        rc = fn_store_open(&r->store, o->store);
        if (!rc)
            rc = fn_lfw_from_store(&r->lfw, r->pairs, r->store);
        return rc ? rc : fn_source_store(&r->source, r->store);
    }
    r->root = strdup(o->tree);
    if (!r->root)
        return fn_fail(FN_ENOMEM, "no memory for a path");
    rc = o->boxes ? fn_boxes_open(&r->boxes, o->boxes) : FN_OK;
    if (!rc)
        rc = fn_lfw_from_tree(&r->lfw, r->pairs, o->tree, r->boxes);
    if (!rc)
        rc = fn_source_files(&r->source, r->root, (const char *const *)r->lfw->paths,
                             r->lfw->images, r->boxes, o->image_size);
    if (!rc && !o->boxes)
        hint_raw(r);
    return rc;
}

static void say_missing(const struct fn_lfw_run *r)
{
    const struct fn_lfw *l = r->lfw;
    char names[sizeof l->first_missing + 8] = "";
    for (int i = 0; i < 3 && l->first_missing[i][0]; i++) {
        strcat(names, i ? ", " : "");
        strcat(names, l->first_missing[i]);
    }
    if (l->skipped)
        fn_warn("%zu of %zu pairs are skipped: %zu pictures are missing, first %s", l->skipped,
                l->skipped + l->pairs, l->missing, names);
}

int fn_lfw_run_open(struct fn_lfw_run **out, const struct fn_lfw_run_options *options)
{
    struct fn_lfw_run *r = calloc(1, sizeof *r);
    int rc;
    *out = NULL;
    if (!r)
        return fn_fail(FN_ENOMEM, "no memory for an evaluation");
    r->options = *options;
    rc = fn_pairs_open(&r->pairs, options->pairs);
    if (!rc)
        rc = open_pictures(r);
    if (!rc && (size_t)options->evaluate.folds > r->lfw->pairs)
        rc = fn_fail(FN_EUSAGE, "--lfw_nrof_folds %d: there are only %zu pairs",
                     options->evaluate.folds, r->lfw->pairs);
    if (rc) {
        fn_lfw_run_close(&r);
        return rc;
    }
    say_missing(r);
    r->options.pairs = r->options.tree = r->options.boxes = r->options.store = NULL;
    *out = r;
    return FN_OK;
}

int fn_lfw_run_attach(struct fn_lfw_run *r, struct fn_exec *exec,
                      const struct fn_embed_options *options)
{
    return fn_embed_open(&r->embed, exec, r->source, options);
}

void fn_lfw_run_close(struct fn_lfw_run **run)
{
    struct fn_lfw_run *r = run ? *run : NULL;
    if (!r)
        return;
    fn_embed_close(&r->embed);
    fn_source_close(&r->source);
    fn_lfw_close(&r->lfw);
    fn_store_close(&r->store);
    fn_boxes_close(&r->boxes);
    fn_pairs_close(&r->pairs);
    free(r->root);
    free(r);
    *run = NULL;
}

uint64_t fn_lfw_run_bytes(const struct fn_lfw_run *r, const struct fn_net *net, int batch, int flip)
{
    const uint64_t d = (uint64_t)net->embedding_size, dims = flip ? 2 * d : d;
    const uint64_t rows = (uint64_t)batch * (d + dims) + (uint64_t)r->lfw->images * dims;
    return fn_loader_bytes(batch, net->image_size) + rows * sizeof(float) +
           2 * r->lfw->pairs * sizeof(double);
}

struct gathered {
    float *rows;
    uint8_t *bad;
    size_t dims, total, unreadable;
};

static int gather(void *context, uint64_t first, size_t count, const float *rows,
                  const uint8_t *bad)
{
    struct gathered *g = context;
    memcpy(g->rows + first * g->dims, rows, count * g->dims * sizeof *rows);
    memcpy(g->bad + first, bad, count);
    for (size_t i = 0; i < count; i++)
        g->unreadable += bad[i];
    fn_progress(10, first + count == g->total, "embedding %zu of %zu pictures",
                (size_t)first + count, g->total);
    return FN_OK;
}

/* In the pictures' own order. */
static void picture_at(const void *context, uint64_t draw, struct fn_example *out)
{
    const struct fn_lfw *l = context;
    *out = (struct fn_example){l->ids ? l->ids[draw] : draw, 0, 0, draw};
}

static void picture_stand_in(const void *context, uint64_t draw, uint64_t attempt,
                             struct fn_example *out)
{
    const struct fn_lfw *l = context;
    picture_at(context, (draw + attempt) % l->images, out);
}

int fn_lfw_run_evaluate(struct fn_lfw_run *r, struct fn_lfw_result *result)
{
    struct gathered g = {.dims = fn_embed_dims(r->embed), .total = r->lfw->images};
    struct fn_order order = {r->lfw->images, picture_at, picture_stand_in, NULL, r->lfw};
    int rc;
    memset(result, 0, sizeof *result);
    g.rows = malloc(g.total * g.dims * sizeof *g.rows);
    g.bad = calloc(g.total, 1);
    rc = g.rows && g.bad ? fn_embed_run(r->embed, &order, gather, &g)
                         : fn_fail(FN_ENOMEM, "no memory for %zu embeddings", g.total);
    if (!rc && g.unreadable) {
        size_t before = r->lfw->pairs;
        rc = fn_lfw_drop(r->lfw, g.bad);
        if (!rc && r->lfw->pairs < before)
            fn_warn("%zu more pairs are skipped: %zu pictures cannot be read",
                    before - r->lfw->pairs, g.unreadable);
    }
    if (!rc)
        rc = fn_lfw_evaluate(g.rows, g.dims, r->lfw, &r->options.evaluate, result);
    free(g.rows);
    free(g.bad);
    return rc;
}

static int put(json_t *o, const char *key, double value)
{
    return json_object_set_new(o, key, isfinite(value) ? json_real(value) : json_null());
}

static json_t *fold_json(const struct fn_lfw_fold *f)
{
    json_t *o = json_object();
    int bad = !o || put(o, "accuracy", f->accuracy) || put(o, "threshold", f->threshold) ||
              put(o, "val", f->val) || put(o, "far", f->far) ||
              put(o, "val_threshold", f->val_threshold);
    if (bad) {
        json_decref(o);
        return NULL;
    }
    return o;
}

json_t *fn_lfw_run_json(const struct fn_lfw_run *run, const struct fn_lfw_result *r)
{
    json_t *o = json_object(), *folds = json_array();
    int bad = !o || !folds || put(o, "accuracy", r->accuracy) ||
              put(o, "accuracy_std", r->accuracy_std) || put(o, "val", r->val) ||
              put(o, "val_std", r->val_std) || put(o, "far", r->far) || put(o, "auc", r->auc) ||
              put(o, "eer", r->eer) || put(o, "threshold", r->threshold) ||
              json_object_set_new(o, "pairs", json_integer((json_int_t)r->pairs)) ||
              json_object_set_new(o, "skipped", json_integer((json_int_t)run->lfw->skipped));
    for (int i = 0; i < r->folds && !bad; i++)
        bad = json_array_append_new(folds, fold_json(&r->fold[i]));
    if (!bad)
        bad = json_object_set(o, "folds", folds);
    json_decref(folds);
    if (!bad)
        return o;
    json_decref(o);
    return NULL;
}
