/* SPDX-License-Identifier: MIT */
/* Losses and the training step. */
#include "train/step.h"

#include <assert.h>

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

int fn_step_train(struct fn_exec *x, const struct fn_step *step, const uint8_t *images,
                  const int32_t *labels, const struct fn_step_options *o)
{
    int triplet = x->options.head == FN_HEAD_TRIPLET, n = x->options.n;
    int rc = x->model->be->step_begin(x->model->dev, step);
    if (!rc)
        rc = fn_exec_images(x, images, o->per_image, 0);
    if (!rc)
        rc = fn_exec_forward(x, o->keep);
    if (!rc)
        rc = triplet ? fn_loss_triplet(x, n, o, 1) : fn_loss_softmax(x, labels, n, o, 1);
    if (!rc)
        rc = fn_exec_backward(x, o->keep);
    return rc ? rc : fn_step_update(x, triplet ? NULL : labels, n, o);
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
