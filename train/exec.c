/* SPDX-License-Identifier: MIT */
/* Opening an exec: plans of all convolutions, and, once memory is there, every node resolved to
 * tensors and addresses. */
#include "train/exec.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "train/exec_parts.h"

static int is_conv(const struct fn_node *node)
{
    return node->kind == FN_NODE_CONV || node->kind == FN_NODE_UP;
}

static int want_workspace(struct fn_exec *x, size_t bytes)
{
    if (bytes > x->workspace_bytes)
        x->workspace_bytes = bytes;
    return FN_OK;
}

static int plan_node(struct fn_exec *x, size_t i)
{
    const struct fn_model *m = x->model;
    const struct fn_node *node = &m->net->nodes[i];
    const struct fn_buffer *in = &m->net->buffers[node->in.buffer];
    size_t bytes = 0;
    int rc;
    if (is_conv(node)) {
        const struct fn_conv_shape s = {x->options.n, in->h,      in->w,
                                        in->c,        node->kh,   node->kw,
                                        node->stride, node->same, node->out.c};
        int passes = FN_FORWARD;
        if (x->options.training)
            passes |= FN_BACKWARD_WEIGHTS | (node->in.buffer ? FN_BACKWARD_DATA : 0) |
                      (x->layout.node[i].accumulate ? FN_ACCUMULATE : 0);
        rc = m->be->conv_plan(m->dev, &s, passes, &x->units[i].plan, &bytes);
        return rc ? fn_fail_in(rc, "%s", node->name) : want_workspace(x, bytes);
    }
    if (node->kind == FN_NODE_FC) {
        rc = m->be->fc_plan(m->dev, x->options.n, in->c, node->out.c, &bytes);
        return rc ? fn_fail_in(rc, "%s", node->name) : want_workspace(x, bytes);
    }
    return FN_OK;
}

static int plan_nodes(struct fn_exec *x)
{
    const struct fn_model *m = x->model;
    const struct fn_net *net = m->net;
    size_t bytes = 0;
    int rc;
    for (size_t i = 0; i < net->node_count; i++) {
        rc = plan_node(x, i);
        if (rc)
            return rc;
    }
    if (x->options.head == FN_HEAD_TRIPLET) { /* of online mining's gradient */
        rc = m->be->fc_plan(m->dev, x->options.n, net->embedding_size, x->options.n, &bytes);
        return rc ? fn_fail_in(rc, "triplets") : want_workspace(x, bytes);
    }
    if (x->options.head != FN_HEAD_SOFTMAX)
        return FN_OK;
    rc = m->be->fc_plan(m->dev, x->options.n, net->embedding_size, net->classes, &bytes);
    return rc ? fn_fail_in(rc, "logits") : want_workspace(x, bytes);
}

/* Variance: the batch's is divided by n h w, the moving one takes n h w - 1. */
static int make_moving(struct fn_exec *x)
{
    const struct fn_net *net = x->model->net;
    x->moving = calloc(net->node_count, sizeof *x->moving);
    if (!x->moving)
        return fn_fail(FN_ENOMEM, "no memory for the plan of %zu nodes", net->node_count);
    for (size_t i = 0; i < net->node_count; i++) {
        const struct fn_node *node = &net->nodes[i];
        const struct fn_buffer *out = &net->buffers[node->out.buffer];
        double samples = (double)x->options.n * out->h * out->w;
        if (node->moving < 0 || x->model->frozen[node->moving])
            continue;
        x->moving[x->moving_count++] = (struct fn_moving_group){
            x->model->begin[node->moving], node->out.c, samples / (samples > 1 ? samples - 1 : 1)};
    }
    return FN_OK;
}

static int check_options(const struct fn_model *m, const struct fn_exec_options *o)
{
    const struct fn_buffer *last;
    if (o->n < 1 || o->n > 65536)
        return fn_fail(FN_ELIMIT, "a batch of %d images: 1 to 65536 are possible", o->n);
    assert(!o->training || m->options.training);
    assert(o->head != FN_HEAD_SOFTMAX || m->net->classes > 0);
    /* A map of one pixel would be taken for rows, whose scalars are wider. */
    last = &m->net->buffers[m->net->nodes[m->net->node_count - 3].in.buffer];
    if (last->h * last->w == 1 &&
        m->be->info(m->dev)->scalar_bytes != m->be->info(m->dev)->param_bytes)
        return fn_fail(FN_EUNSUPPORTED,
                       "images of %d pixels are too small for this precision: use fp32",
                       m->net->image_size);
    if (m->exec_count == FN_MODEL_EXECS)
        return fn_fail(FN_EINTERNAL, "more than %d batch sizes of one model", FN_MODEL_EXECS);
    return FN_OK;
}

int fn_exec_open(struct fn_exec **out, struct fn_model *m, const struct fn_exec_options *o)
{
    struct fn_exec *x;
    int rc = check_options(m, o);
    *out = NULL;
    if (rc)
        return rc;
    x = calloc(1, sizeof *x);
    if (!x)
        return fn_fail(FN_ENOMEM, "no memory for the plan of a network");
    x->model = m;
    x->options = *o;
    x->units = calloc(m->net->node_count, sizeof *x->units);
    rc = x->units ? fn_layout_make(&x->layout, m, o)
                  : fn_fail(FN_ENOMEM, "no memory for the plan of a network");
    if (!rc)
        rc = plan_nodes(x);
    if (!rc)
        rc = fn_model_place(m, x);
    if (!rc)
        rc = make_moving(x);
    if (!rc && m->committed && x->layout.bytes > m->activation_bytes)
        rc = fn_fail(FN_ELIMIT, "a batch of %d needs more memory than was planned", o->n);
    if (!rc && m->committed)
        rc = fn_model_grow_workspace(m, x->workspace_bytes);
    if (rc) {
        fn_exec_close(&x);
        return rc;
    }
    if (m->committed)
        fn_exec_bind(x);
    m->exec[m->exec_count++] = x;
    *out = x;
    return FN_OK;
}

void fn_exec_close(struct fn_exec **exec)
{
    struct fn_exec *x = *exec;
    if (!x)
        return;
    for (size_t i = 0; x->units && i < x->model->net->node_count; i++)
        if (x->units[i].plan)
            x->model->be->conv_free(&x->units[i].plan);
    if (x->tape.recording)
        x->model->be->record_free(&x->tape.recording);
    fn_layout_free(&x->layout);
    free(x->units);
    free(x->moving);
    free(x);
    *exec = NULL;
}

void fn_exec_release(struct fn_exec **exec)
{
    struct fn_exec *x = *exec;
    struct fn_model *m = x ? x->model : NULL;
    if (!x)
        return;
    assert(m->exec_count > 1 && m->exec[m->exec_count - 1] == x);
    m->exec[--m->exec_count] = NULL;
    fn_exec_close(exec);
}

/* The arena's bytes of a span; NULL for none. */
static void *at_span(const struct fn_exec *x, int span)
{
    return span < 0 ? NULL : (char *)x->model->activations + x->layout.spans[span].offset;
}

static struct fn_tensor tensor_of(const struct fn_exec *x, const int *spans, int buffer, int c0,
                                  int c)
{
    const struct fn_buffer *b = &x->model->net->buffers[buffer];
    return (struct fn_tensor){x->options.n, b->h, b->w, c, c0, b->c, at_span(x, spans[buffer])};
}

static struct fn_tensor packed(const struct fn_exec *x, int span, const struct fn_tensor *like)
{
    return (struct fn_tensor){like->n, like->h, like->w, like->c, 0, like->c, at_span(x, span)};
}

static void bind_node(struct fn_exec *x, size_t i)
{
    const struct fn_model *m = x->model;
    const struct fn_node *node = &m->net->nodes[i];
    const struct fn_layout_node *l = &x->layout.node[i];
    const int *value = x->layout.value, *grad = x->layout.grad;
    struct fn_unit *u = &x->units[i];
    int training = x->options.training;
    u->x = tensor_of(x, value, node->in.buffer, node->in.c0, node->in.c);
    u->z = tensor_of(x, value, node->out.buffer, node->out.c0, node->out.c);
    u->y = l->y >= 0 ? packed(x, l->y, &u->z) : u->z;
    u->dx = tensor_of(x, grad, node->in.buffer, node->in.c0, node->in.c);
    u->dz = tensor_of(x, grad, node->out.buffer, node->out.c0, node->out.c);
    u->dy = l->dup >= 0 ? packed(x, l->dup, &u->z) : u->y;
    if (node->skip >= 0) {
        int c = m->net->buffers[node->skip].c;
        u->skip = tensor_of(x, value, node->skip, 0, c);
        u->dskip = tensor_of(x, grad, node->skip, 0, c);
    }
    u->index = at_span(x, l->index);
    if (node->weight >= 0) {
        u->w = fn_model_at(m, FN_ARENA_W, (size_t)node->weight);
        u->bias = fn_model_at(m, FN_ARENA_W, (size_t)node->bias);
    }
    if (node->weight >= 0 && training) {
        if (!m->frozen[node->weight])
            u->dw = fn_model_at(m, FN_ARENA_GRAD, (size_t)node->weight);
        u->dbias = fn_model_at(m, FN_ARENA_GRAD, (size_t)node->bias);
    }
    if (node->moving >= 0) {
        u->fixed = training && m->frozen[node->moving];
        u->stats = fn_model_at(m, training && !u->fixed ? FN_ARENA_BATCH : FN_ARENA_W,
                               (size_t)node->moving);
    }
}

/* With a head alone to train there is no node: the count of them. */
static size_t first_trained(const struct fn_model *m)
{
    size_t i = 0;
    while (i < m->net->node_count &&
           (m->net->nodes[i].weight < 0 ||
            (m->frozen[m->net->nodes[i].weight] && m->frozen[m->net->nodes[i].bias])))
        i++;
    return i;
}

void fn_exec_bind(struct fn_exec *x)
{
    const struct fn_net *net = x->model->net;
    for (size_t i = 0; i < net->node_count; i++)
        bind_node(x, i);
    x->first = first_trained(x->model);
    x->image = tensor_of(x, x->layout.value, 0, 0, net->buffers[0].c);
    for (int i = 0; i < FN_ROWS_COUNT; i++) {
        int d = i == FN_ROWS_LOGITS ? net->classes : net->embedding_size;
        x->rows[i] = (struct fn_tensor){x->options.n, 1, 1, d, 0, d, at_span(x, x->layout.rows[i])};
    }
}

const struct fn_exec_options *fn_exec_get_options(const struct fn_exec *x)
{
    return &x->options;
}

struct fn_model *fn_exec_model(const struct fn_exec *x)
{
    return x->model;
}

const struct fn_tensor *fn_exec_rows(const struct fn_exec *x, int which)
{
    assert(which >= 0 && which < FN_ROWS_COUNT && x->rows[which].data);
    return &x->rows[which];
}

const char *fn_profile_name(int row)
{
    static const char *const names[FN_PROFILE_COUNT] = {"input",
                                                        "conv forward",
                                                        "conv backward",
                                                        "batch norm forward",
                                                        "batch norm backward",
                                                        "residual",
                                                        "pool",
                                                        "fully connected",
                                                        "loss",
                                                        "update"};
    return row >= 0 && row < FN_PROFILE_COUNT ? names[row] : "?";
}

size_t fn_exec_recorded(const struct fn_exec *x)
{
    return x->tape.recording ? x->model->be->record_nodes(x->tape.recording) : 0;
}

void fn_exec_profile(struct fn_exec *x, struct fn_profile *profile)
{
    x->profile = profile;
    if (profile)
        profile->node = -1;
}

double fn_profile_begin(struct fn_exec *x)
{
    return x->profile ? fn_now() : 0;
}

int fn_profile_end(struct fn_exec *x, int row, double begin, int rc)
{
    struct fn_profile *p = x->profile;
    double seconds;
    if (rc || !p)
        return rc;
    rc = x->model->be->sync(x->model->dev);
    seconds = fn_now() - begin;
    p->seconds[row] += seconds;
    p->calls[row]++;
    if (p->node_seconds && p->node >= 0)
        p->node_seconds[p->node][row] += seconds;
    return rc;
}
