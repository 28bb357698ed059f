/* SPDX-License-Identifier: MIT */
/* The network of a run: device, plans, memory, and the weights it begins with. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "train/run_parts.h"
#include "train/weights.h"

static int optimizer_of(const char *name)
{
    static const char *const names[FN_OPTIMIZER_COUNT] = {"ADAGRAD", "ADADELTA", "ADAM", "RMSPROP",
                                                          "MOM"};
    for (int i = 0; i < FN_OPTIMIZER_COUNT; i++)
        if (!strcmp(name, names[i]))
            return i;
    return FN_ADAGRAD;
}

static int open_device(struct fn_run *r)
{
    const struct fn_dev_options options = fn_run_dev_options(r->o);
    const struct fn_dev_info *info;
    const char *why = NULL;
    int rc = fn_backend_open(r->o->device, &options, &r->be, &r->dev, &why);
    if (rc)
        return rc;
    if (why)
        fn_info("%s", why);
    info = r->be->info(r->dev);
    r->lag = !strcmp(r->be->name, "cuda") && !r->o->log_histograms;
    fn_info("Device: %s (%s), %s", r->be->name, info->device, r->o->precision);
    if (r->resumed &&
        (strcmp(r->state.backend, r->be->name) != 0 || strcmp(r->state.bits, info->bits) != 0))
        fn_warn("the run was on %s (%s) and goes on with %s (%s): results can differ in the last "
                "bits",
                r->state.backend, r->state.bits, r->be->name, info->bits);
    snprintf(r->state.backend, sizeof r->state.backend, "%s", r->be->name);
    snprintf(r->state.bits, sizeof r->state.bits, "%s", info->bits);
    snprintf(r->state.precision, sizeof r->state.precision, "%s", r->o->precision);
    return r->lag ? fn_run_selftest_quick(r, &options) : FN_OK;
}

/* Images a batch in validation and LFW: as asked for, but no more than there are. */
static int eval_batch(const struct fn_run *r)
{
    size_t most = r->split->val.count;
    if (r->lfw && r->lfw->lfw->images > most)
        most = r->lfw->lfw->images;
    return most < (size_t)r->o->lfw_batch ? (int)most : (int)r->o->lfw_batch;
}

static void set_step(struct fn_run *r)
{
    const struct fn_train_options *o = r->o;
    r->step = (struct fn_step_options){
        .per_image = !o->fixed,
        .keep = o->keep,
        .norm_factor = o->norm_factor,
        .norm_p = o->norm_p,
        .center_factor = o->center_factor,
        .center_alfa = o->center_alfa,
        .alpha = o->alpha,
        .bn_decay = o->bn_decay,
        .update = {optimizer_of(o->optimizer), o->weight_decay, o->ema_decay},
        .record = !o->no_graph,
    };
    fn_run_extra_step(o, &r->step);
}

/* The model and its execs for training batches of n: no memory yet. */
static int plan_batch(struct fn_run *r, int n)
{
    const struct fn_train_options *o = r->o;
    const struct fn_model_options model = {.training = 1,
                                           .optimizer = optimizer_of(o->optimizer),
                                           .ema = o->ema_decay > 0,
                                           .trainable = o->trainable,
                                           .normalized = r->step.margin.kind != FN_MARGIN_NONE,
                                           .parts = (int)o->parts};
    const struct fn_exec_options train = {n / (int)o->parts, 1, r->loss->head};
    const struct fn_exec_options eval = {eval_batch(r), 0, r->loss->eval_head};
    int rc;
    fn_model_close(&r->model);
    r->train = r->eval = NULL;
    rc = fn_model_open(&r->model, r->net, r->be, r->dev, &model);
    if (!rc)
        rc = fn_exec_open(&r->train, r->model, &train);
    if (!rc && eval.n)
        rc = fn_exec_open(&r->eval, r->model, &eval);
    return rc;
}

/* --batch_size auto: the largest batch that fits, in whole groups of 8 (of 24 for triplets) where
 * it is large, but no more than there are pictures. A plan of another size may want another
 * workspace: so until a plan fits as it is. */
static int plan_largest(struct fn_run *r)
{
    enum { FIRST = 24, TRIES = 8 };
    const int step = r->loss->head == FN_HEAD_TRIPLET ? 3 : 1, whole = 8 * step;
    const size_t pictures = r->split->train.count;
    const int most = pictures < 65536 ? (int)pictures : 65536;
    int n = FIRST, fits = 0, rc = FN_OK;
    for (int i = 0; i < TRIES && !rc && fits != n; i++) {
        struct fn_memory_row rows[FN_RUN_MEMORY];
        n = fits ? fits : n;
        rc = plan_batch(r, n);
        fn_run_memory(r, n, rows);
        if (!rc)
            rc = fn_model_fits(r->model, rows, FN_RUN_MEMORY, i ? n : most, &fits);
        fits -= fits % (fits >= whole ? whole : step);
        if (!rc && fits < 1)
            return fn_fail(FN_ELIMIT, "%s has too little memory free for a batch of %d",
                           r->be->info(r->dev)->device, step);
    }
    if (!rc)
        fn_train_options_set_batch(n);
    return rc;
}

static int plan(struct fn_run *r)
{
    const struct fn_train_options *o = r->o;
    const int triplet = r->loss->head == FN_HEAD_TRIPLET, is_auto = o->batch_size == 0;
    const struct fn_net_options net = {o->model_def, (int)o->image_size, (int)o->embedding_size,
                                       triplet ? 0 : (int)r->split->classes};
    struct fn_memory_row rows[FN_RUN_MEMORY];
    int rc = fn_net_open(&r->net, &net);
    if (rc)
        return rc;
    fn_info("Network: %s, %.2f M weights, %.3f G multiply-adds an image, %lu classes", r->net->name,
            (double)fn_net_weights(r->net) / 1e6, (double)r->net->macs / 1e9,
            (unsigned long)r->split->classes);
    rc = is_auto ? plan_largest(r) : plan_batch(r, (int)o->batch_size);
    if (rc)
        return rc;
    fn_run_extra_say(r);
    fn_run_memory(r, (int)o->batch_size, rows);
    fn_info("Memory for batches of %d%s:", (int)o->batch_size, is_auto ? ", the largest" : "");
    return fn_model_commit(r->model, rows, FN_RUN_MEMORY, 1);
}

/* A loud warning, not an error: fine-tuning for other pictures is a thing to want. */
static void compare_pictures(const struct fn_run *r, const struct fn_model_file *file)
{
    const struct fn_model_record *m = &file->record;
    const char *whose = m->known ? "was trained" : "was probably trained";
    if (m->image_size != r->o->image_size)
        fn_warn("%s %s on images of %d pixels, this run has %lld", file->path, whose, m->image_size,
                (long long)r->o->image_size);
    if (m->per_image == r->o->fixed)
        fn_warn("%s %s with %s standardization, this run has %s%s", file->path, whose,
                m->per_image ? "per-image" : "fixed", r->o->fixed ? "fixed" : "per-image",
                r->o->fixed ? "" : " (--use_fixed_image_standardization changes that)");
}

static void report_loaded(const struct fn_run *r, const char *path,
                          const struct fn_weights_report *report)
{
    fn_info("Pre-trained model: %s: %zu tensors loaded, %zu reset, %zu missing, %zu not used", path,
            report->loaded, report->reset, report->missing, report->ignored);
    if (report->embedding != r->net->embedding_size)
        fn_warn("%s has an embedding of %d, this run has %d: last_linear and last_bn begin anew "
                "(--embedding_size %d keeps them)",
                path, report->embedding, r->net->embedding_size, report->embedding);
    if (r->loss->head != FN_HEAD_SOFTMAX)
        return;
    if (report->classes && report->classes != r->net->classes)
        fn_info("  its head is for %d classes, this run has %d: logits begin anew", report->classes,
                r->net->classes);
    else if (report->missing)
        fn_info("  it has no %s: the head begins anew", report->first_missing);
}

/* A new head on a trained network begins at 0: random weights would send gradients into the
 * features that have nothing to do with the new classes, and tear apart what was to be kept. Not
 * one of directions: 0 has none. */
static int new_head(struct fn_run *r)
{
    size_t weight = (size_t)r->net->logits_weight;
    float *zeros = calloc(r->net->params[weight].count, sizeof *zeros);
    int rc = zeros ? fn_model_set(r->model, FN_ARENA_W, weight, zeros, FN_F32)
                   : fn_fail(FN_ENOMEM, "no memory for the head");
    free(zeros);
    return rc;
}

static int load_pretrained(struct fn_run *r)
{
    struct fn_model_file *file = NULL;
    struct fn_weights_report report;
    char *path = fn_path_home(r->o->pretrained_model);
    int rc = path ? fn_model_file_open(&file, path, 0) : FN_ENOMEM;
    if (!rc && file->record.known && strcmp(file->record.network, r->net->name) != 0)
        rc = fn_fail(FN_EMISMATCH, "%s is a %s, this run trains a %s", file->path,
                     file->record.network, r->net->name);
    if (!rc)
        rc = fn_weights_load(r->model, file->st, file->path, FN_WEIGHTS_PRETRAINED, &report);
    if (!rc) {
        compare_pictures(r, file);
        report_loaded(r, file->path, &report);
        if (r->loss->head == FN_HEAD_SOFTMAX && !r->step.margin.kind &&
            (report.classes != r->net->classes || report.embedding != r->net->embedding_size))
            rc = new_head(r);
    }
    if (!rc)
        rc = fn_model_fresh_state(r->model);
    fn_model_file_close(&file);
    free(path);
    return rc;
}

int fn_run_net_open(struct fn_run *r)
{
    int rc = open_device(r);
    set_step(r);
    if (!rc)
        rc = plan(r);
    if (rc)
        return rc;
    r->record = (struct fn_model_record){.known = 1,
                                         .image_size = r->net->image_size,
                                         .per_image = r->step.per_image,
                                         .embedding = r->net->embedding_size,
                                         .classes = r->net->classes};
    snprintf(r->record.network, sizeof r->record.network, "%s", r->net->name);
    if (r->resumed) {
        r->saved = 1; /* what is evaluated before the next step has its checkpoint */
        return fn_checkpoint_load(r->resumed, r->model);
    }
    rc = fn_model_init(r->model, (uint64_t)r->o->seed);
    if (!rc && r->o->pretrained_model)
        rc = load_pretrained(r);
    else if (!rc)
        fn_info("Pre-trained model: none, random weights of seed %lld", (long long)r->o->seed);
    return rc;
}

void fn_run_net_close(struct fn_run *r)
{
    r->loss->close(r);
    fn_lfw_run_close(&r->lfw); /* its ring is the device's memory */
    if (r->dev) {
        fn_ring_close(r, &r->train_ring);
        fn_ring_close(r, &r->eval_ring);
    }
    fn_model_close(&r->model);
    fn_net_close(&r->net);
    if (r->dev)
        r->be->close(&r->dev);
}
