/* SPDX-License-Identifier: MIT */
/* Losses and the training step. */
#include "train/step.h"

#include <assert.h>
#include <string.h>

#include "base/log.h"
#include "train/exec_parts.h"

static int softmax_backward(struct fn_exec *x)
{
    const struct fn_model *m = x->model;
    size_t weight = (size_t)m->net->logits_weight, bias = (size_t)m->net->logits_bias;
    FN_RUN(x, FN_PROFILE_FC,
           m->be->fc_backward(
               m->dev, &x->rows[FN_ROWS_PRELOGITS], fn_model_at(m, FN_ARENA_W, weight),
               &x->rows[FN_ROWS_LOGITS], &x->rows[FN_ROWS_D_PRELOGITS], 0,
               fn_model_at(m, FN_ARENA_GRAD, weight), fn_model_at(m, FN_ARENA_GRAD, bias)));
    return FN_OK;
}

int fn_loss_softmax(struct fn_exec *x, const int32_t *labels, int count,
                    const struct fn_step_options *o, int backward)
{
    const struct fn_model *m = x->model;
    const struct fn_tensor *prelogits = &x->rows[FN_ROWS_PRELOGITS];
    const struct fn_tensor *logits = &x->rows[FN_ROWS_LOGITS];
    const struct fn_tensor *dx = backward ? &x->rows[FN_ROWS_D_PRELOGITS] : NULL;
    assert(x->options.head == FN_HEAD_SOFTMAX && (!backward || x->options.training));
    FN_RUN(x, FN_PROFILE_FC,
           m->be->fc_forward(
               m->dev, prelogits, fn_model_at(m, FN_ARENA_W, (size_t)m->net->logits_weight),
               fn_model_at(m, FN_ARENA_W, (size_t)m->net->logits_bias), logits, NULL));
    FN_RUN(x, FN_PROFILE_LOSS, m->be->softmax_xent(m->dev, logits, labels, count, backward));
    if (backward) {
        int rc = softmax_backward(x);
        if (rc)
            return rc;
    }
    if (m->centers)
        FN_RUN(
            x, FN_PROFILE_LOSS,
            m->be->center_loss(m->dev, prelogits, labels, count, m->centers, o->center_factor, dx));
    FN_RUN(x, FN_PROFILE_LOSS,
           m->be->norm_loss(m->dev, prelogits, count, o->norm_p, o->norm_factor, dx));
    return FN_OK;
}

int fn_loss_triplet(struct fn_exec *x, int count, const struct fn_step_options *o, int backward)
{
    const struct fn_model *m = x->model;
    int rc;
    assert(x->options.head == FN_HEAD_TRIPLET && x->options.training && count % 3 == 0);
    rc = fn_exec_embed(x);
    if (rc)
        return rc;
    FN_RUN(x, FN_PROFILE_LOSS,
           m->be->triplet_loss(m->dev, &x->rows[FN_ROWS_EMBEDDINGS], count, o->alpha,
                               &x->rows[FN_ROWS_D_EMBEDDINGS]));
    if (backward)
        FN_RUN(x, FN_PROFILE_LOSS,
               m->be->l2norm_backward(m->dev, &x->rows[FN_ROWS_PRELOGITS],
                                      &x->rows[FN_ROWS_D_EMBEDDINGS], &x->rows[FN_ROWS_D_PRELOGITS],
                                      0));
    return FN_OK;
}

int fn_step_update(struct fn_exec *x, const int32_t *labels, int count,
                   const struct fn_step_options *o)
{
    struct fn_model *m = x->model;
    int rc;
    FN_RUN(x, FN_PROFILE_UPDATE, m->be->check_finite(m->dev, m->params.grad, m->params.trained));
    if (labels && m->centers)
        FN_RUN(x, FN_PROFILE_LOSS,
               m->be->center_update(m->dev, &x->rows[FN_ROWS_PRELOGITS], labels, count, m->centers,
                                    o->center_alfa));
    rc = fn_exec_update_moving(x, o->bn_decay);
    if (rc)
        return rc;
    FN_RUN(x, FN_PROFILE_UPDATE, m->be->update(m->dev, &m->params, &o->update));
    return FN_OK;
}

/* All of a step that can be recorded. */
static int run_ops(struct fn_exec *x, const uint8_t *images, const int32_t *labels,
                   const struct fn_step_options *o)
{
    int triplet = x->options.head == FN_HEAD_TRIPLET, n = x->options.n;
    int rc = fn_exec_images(x, images, o->per_image, 0);
    if (!rc)
        rc = fn_exec_forward(x, o->keep);
    if (!rc)
        rc = triplet ? fn_loss_triplet(x, n, o, 1) : fn_loss_softmax(x, labels, n, o, 1);
    if (!rc)
        rc = fn_exec_backward(x, o->keep);
    return rc ? rc : fn_step_update(x, triplet ? NULL : labels, n, o);
}

/* ---- recorded steps ------------------------------------------------------------------------- */

/* FNV-1a over whole words: which parameters are trained, and how, can change between steps. */
static uint64_t hash_of_groups(const struct fn_model *m)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < m->params.group_count; i++) {
        const struct fn_param_group *g = &m->params.groups[i];
        const uint64_t word[] = {g->begin, g->count,
                                 (uint64_t)(g->decay * 4 + g->frozen * 2 + g->conv)};
        for (size_t k = 0; k < sizeof word / sizeof *word; k++)
            hash = (hash ^ word[k]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

/* Bytes are compared, padding too: a difference that is none costs a step run op by op. */
static int is_last_step(const struct fn_exec *x, const uint8_t *images, const int32_t *labels,
                        const struct fn_step_options *o)
{
    const struct fn_tape *t = &x->tape;
    return t->images == images && t->labels == labels && !memcmp(&t->options, o, sizeof *o) &&
           t->groups == hash_of_groups(x->model);
}

static int run_and_note(struct fn_exec *x, const uint8_t *images, const int32_t *labels,
                        const struct fn_step_options *o)
{
    struct fn_tape *t = &x->tape;
    if (t->recording)
        x->model->be->record_free(&t->recording);
    t->images = images;
    t->labels = labels;
    memcpy(&t->options, o, sizeof *o);
    t->groups = hash_of_groups(x->model);
    return run_ops(x, images, labels, o);
}

/* A device that cannot record what it can run goes on without: slower, and said once. */
static int record(struct fn_exec *x)
{
    const struct fn_backend *be = x->model->be;
    struct fn_dev *dev = x->model->dev;
    struct fn_tape *t = &x->tape;
    int rc = be->record_begin(dev);
    if (!rc) {
        rc = run_ops(x, t->images, t->labels, &t->options);
        if (rc)
            (void)be->record_end(dev, NULL);
        else
            rc = be->record_end(dev, &t->recording);
    }
    if (!rc)
        return FN_OK;
    t->failed = 1;
    fn_warn("a step cannot be recorded, so its operations are started one by one (%s)",
            fn_err_text(rc));
    fn_err_clear();
    return run_ops(x, t->images, t->labels, &t->options);
}

int fn_step_train(struct fn_exec *x, const struct fn_step *step, const uint8_t *images,
                  const int32_t *labels, const struct fn_step_options *o)
{
    const struct fn_backend *be = x->model->be;
    int rc = be->step_begin(x->model->dev, step);
    if (rc)
        return rc;
    if (!o->record || !be->record_begin || x->profile || x->tape.failed)
        return run_ops(x, images, labels, o);
    if (!is_last_step(x, images, labels, o))
        return run_and_note(x, images, labels, o);
    if (!x->tape.recording)
        rc = record(x);
    if (!rc && x->tape.recording)
        rc = be->replay(x->model->dev, x->tape.recording);
    if (rc != FN_EBUSY)
        return rc;
    fn_err_clear();
    return run_and_note(x, images, labels, o);
}

double fn_step_regularization(const double losses[FN_LOSS_COUNT], const struct fn_step_options *o)
{
    return losses[FN_LOSS_DECAY] + o->norm_factor * losses[FN_LOSS_NORM] +
           o->center_factor * losses[FN_LOSS_CENTER];
}

double fn_step_total(const double losses[FN_LOSS_COUNT], const struct fn_step_options *o)
{
    return losses[FN_LOSS_XENT] + losses[FN_LOSS_TRIPLET] + fn_step_regularization(losses, o);
}
