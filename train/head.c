/* SPDX-License-Identifier: MIT */
/* The softmax head: logits = prelogits W^T + b, or, with a margin, cosines between embeddings and
 * the rows of W, both of length 1 (b is not used, and stays). */
#include "train/head.h"

#include "train/exec_parts.h"

/* (classes, embedding): an arena's weights of the head. */
static struct fn_tensor rows_of(const struct fn_model *m, void *data)
{
    return (struct fn_tensor){m->net->classes,        1,   1, m->net->embedding_size, 0,
                              m->net->embedding_size, data};
}

static int cosines(struct fn_exec *x)
{
    const struct fn_model *m = x->model;
    const struct fn_tensor weights =
        rows_of(m, fn_model_at(m, FN_ARENA_W, (size_t)m->net->logits_weight));
    const struct fn_tensor directions = rows_of(m, m->directions);
    int rc = fn_exec_embed(x);
    if (rc)
        return rc;
    FN_RUN(x, FN_PROFILE_FC, m->be->l2norm_forward(m->dev, &weights, &directions));
    FN_RUN(x, FN_PROFILE_FC,
           m->be->fc_forward(m->dev, &x->rows[FN_ROWS_EMBEDDINGS], m->directions, NULL,
                             &x->rows[FN_ROWS_LOGITS], NULL));
    return FN_OK;
}

static int cosines_backward(struct fn_exec *x)
{
    const struct fn_model *m = x->model;
    size_t weight = (size_t)m->net->logits_weight;
    const struct fn_tensor weights = rows_of(m, fn_model_at(m, FN_ARENA_W, weight));
    const struct fn_tensor gradient = rows_of(m, fn_model_at(m, FN_ARENA_GRAD, weight));
    FN_RUN(x, FN_PROFILE_FC,
           m->be->fc_backward(m->dev, &x->rows[FN_ROWS_EMBEDDINGS], m->directions,
                              &x->rows[FN_ROWS_LOGITS], &x->rows[FN_ROWS_D_EMBEDDINGS], 0,
                              gradient.data, NULL));
    FN_RUN(x, FN_PROFILE_FC, m->be->l2norm_backward(m->dev, &weights, &gradient, &gradient, 0));
    FN_RUN(x, FN_PROFILE_LOSS,
           m->be->l2norm_backward(m->dev, &x->rows[FN_ROWS_PRELOGITS],
                                  &x->rows[FN_ROWS_D_EMBEDDINGS], &x->rows[FN_ROWS_D_PRELOGITS],
                                  0));
    return FN_OK;
}

int fn_head_forward(struct fn_exec *x, const struct fn_margin *margin)
{
    const struct fn_model *m = x->model;
    if (margin->kind)
        return cosines(x);
    FN_RUN(x, FN_PROFILE_FC,
           m->be->fc_forward(m->dev, &x->rows[FN_ROWS_PRELOGITS],
                             fn_model_at(m, FN_ARENA_W, (size_t)m->net->logits_weight),
                             fn_model_at(m, FN_ARENA_W, (size_t)m->net->logits_bias),
                             &x->rows[FN_ROWS_LOGITS], NULL));
    return FN_OK;
}

int fn_head_loss(struct fn_exec *x, const int32_t *labels, int count,
                 const struct fn_margin *margin, int backward)
{
    const struct fn_model *m = x->model;
    const struct fn_tensor *logits = &x->rows[FN_ROWS_LOGITS];
    if (margin->kind || margin->smoothing > 0)
        FN_RUN(x, FN_PROFILE_LOSS,
               m->be->margin_xent(m->dev, logits, labels, count, margin, backward));
    else
        FN_RUN(x, FN_PROFILE_LOSS, m->be->softmax_xent(m->dev, logits, labels, count, backward));
    return FN_OK;
}

int fn_head_backward(struct fn_exec *x, const struct fn_margin *margin)
{
    const struct fn_model *m = x->model;
    size_t weight = (size_t)m->net->logits_weight, bias = (size_t)m->net->logits_bias;
    if (margin->kind)
        return cosines_backward(x);
    FN_RUN(x, FN_PROFILE_FC,
           m->be->fc_backward(
               m->dev, &x->rows[FN_ROWS_PRELOGITS], fn_model_at(m, FN_ARENA_W, weight),
               &x->rows[FN_ROWS_LOGITS], &x->rows[FN_ROWS_D_PRELOGITS], 0,
               fn_model_at(m, FN_ARENA_GRAD, weight), fn_model_at(m, FN_ARENA_GRAD, bias)));
    return FN_OK;
}
