/* SPDX-License-Identifier: MIT */
/* The walks: every node forward, every node backward. */
#include "train/exec_parts.h"

static void now_at(struct fn_exec *x, int node)
{
    if (x->profile)
        x->profile->node = node;
}

static int forward_node(struct fn_exec *x, const struct fn_node *node, struct fn_unit *u,
                        double keep)
{
    const struct fn_backend *be = x->model->be;
    struct fn_dev *dev = x->model->dev;
    void *stats = x->options.training && !u->fixed ? u->stats : NULL;
    switch (node->kind) {
    case FN_NODE_CONV:
        FN_RUN(x, FN_PROFILE_CONV_FORWARD,
               be->conv_forward(dev, u->plan, &u->x, u->w, &u->y, stats));
        FN_RUN(x, FN_PROFILE_BN_FORWARD,
               be->bn_forward(dev, &u->y, u->stats, u->bias, node->relu, &u->z));
        break;
    case FN_NODE_UP:
        FN_RUN(x, FN_PROFILE_CONV_FORWARD,
               be->conv_forward(dev, u->plan, &u->x, u->w, &u->z, NULL));
        FN_RUN(x, FN_PROFILE_RESIDUAL,
               be->residual_forward(dev, &u->skip, &u->z, u->bias, node->scale, node->relu, &u->z));
        break;
    case FN_NODE_MAXPOOL:
        FN_RUN(x, FN_PROFILE_POOL, be->maxpool_forward(dev, &u->x, &u->z, u->index));
        break;
    case FN_NODE_AVGPOOL:
        FN_RUN(x, FN_PROFILE_POOL, be->avgpool_forward(dev, &u->x, &u->z));
        break;
    case FN_NODE_DROPOUT:
        if (keep < 1)
            FN_RUN(x, FN_PROFILE_FC, be->dropout(dev, &u->x, keep, &u->z));
        break;
    default: /* FC */
        FN_RUN(x, FN_PROFILE_FC, be->fc_forward(dev, &u->x, u->w, NULL, &u->y, stats));
        FN_RUN(x, FN_PROFILE_FC, be->bn_forward(dev, &u->y, u->stats, u->bias, node->relu, &u->z));
    }
    return FN_OK;
}

/* last: nothing before it is trained. */
static int backward_node(struct fn_exec *x, const struct fn_node *node, struct fn_unit *u,
                         int accumulate, double keep, int last)
{
    const struct fn_backend *be = x->model->be;
    struct fn_dev *dev = x->model->dev;
    const struct fn_tensor *dx = u->dx.data && !last ? &u->dx : NULL;
    int mode = (node->relu ? FN_BN_RELU : 0) | (u->fixed ? FN_BN_FIXED : 0);
    switch (node->kind) {
    case FN_NODE_CONV:
        FN_RUN(x, FN_PROFILE_BN_BACKWARD,
               be->bn_backward(dev, &u->dz, &u->y, u->stats, u->bias, mode, &u->dy, u->dbias));
        FN_RUN(x, FN_PROFILE_CONV_BACKWARD,
               be->conv_backward(dev, u->plan, &u->x, u->w, &u->dy, dx, accumulate, u->dw));
        break;
    case FN_NODE_UP:
        FN_RUN(x, FN_PROFILE_RESIDUAL,
               be->residual_backward(dev, &u->dz, &u->z, node->scale, node->relu, &u->dskip, &u->dy,
                                     u->dbias));
        FN_RUN(x, FN_PROFILE_CONV_BACKWARD,
               be->conv_backward(dev, u->plan, &u->x, u->w, &u->dy, dx, accumulate, u->dw));
        break;
    case FN_NODE_MAXPOOL:
        FN_RUN(x, FN_PROFILE_POOL, be->maxpool_backward(dev, &u->dz, u->index, dx, accumulate));
        break;
    case FN_NODE_AVGPOOL:
        FN_RUN(x, FN_PROFILE_POOL, be->avgpool_backward(dev, &u->dz, dx));
        break;
    case FN_NODE_DROPOUT:
        if (keep < 1)
            FN_RUN(x, FN_PROFILE_FC, be->dropout(dev, &u->dz, keep, dx));
        break;
    default: /* FC */
        FN_RUN(x, FN_PROFILE_FC,
               be->bn_backward(dev, &u->dz, &u->y, u->stats, u->bias, mode, &u->dy, u->dbias));
        FN_RUN(x, FN_PROFILE_FC,
               be->fc_backward(dev, &u->x, u->w, &u->dy, dx, accumulate, u->dw, NULL));
    }
    return FN_OK;
}

int fn_exec_images(struct fn_exec *x, const uint8_t *dev_images, int per_image, int mirror)
{
    const struct fn_model *m = x->model;
    FN_RUN(x, FN_PROFILE_INPUT,
           m->be->standardize(m->dev, dev_images, per_image, mirror, &x->image));
    return FN_OK;
}

int fn_exec_forward(struct fn_exec *x, double keep)
{
    const struct fn_net *net = x->model->net;
    for (size_t i = 0; i < net->node_count; i++) {
        now_at(x, (int)i);
        int rc = forward_node(x, &net->nodes[i], &x->units[i], keep);
        if (rc)
            return fn_fail_in(rc, "%s", net->nodes[i].name);
    }
    now_at(x, -1);
    return FN_OK;
}

int fn_exec_embed(struct fn_exec *x)
{
    const struct fn_model *m = x->model;
    FN_RUN(
        x, FN_PROFILE_LOSS,
        m->be->l2norm_forward(m->dev, &x->rows[FN_ROWS_PRELOGITS], &x->rows[FN_ROWS_EMBEDDINGS]));
    return FN_OK;
}

int fn_exec_backward(struct fn_exec *x, double keep)
{
    const struct fn_net *net = x->model->net;
    for (size_t i = net->node_count; i-- > x->first;) {
        now_at(x, (int)i);
        int rc = backward_node(x, &net->nodes[i], &x->units[i], x->layout.node[i].accumulate, keep,
                               i == x->first);
        if (rc)
            return fn_fail_in(rc, "%s, backward", net->nodes[i].name);
    }
    now_at(x, -1);
    return FN_OK;
}

int fn_exec_update_moving(struct fn_exec *x, double decay)
{
    const struct fn_model *m = x->model;
    FN_RUN(x, FN_PROFILE_UPDATE,
           m->be->update_moving(m->dev, &m->params, x->moving, x->moving_count, decay));
    return FN_OK;
}
