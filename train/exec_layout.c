/* SPDX-License-Identifier: MIT */
/* Lifetimes of all activations and gradients of one exec, see exec_parts.h. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "train/exec_parts.h"

struct maker {
    struct fn_layout *l;
    const struct fn_model *m;
    const struct fn_exec_options *o;
    int *grad_of; /* [buffer]: the buffer whose gradient it shares */
};

/* Rows are param scalars, other activations activation scalars. */
static size_t buffer_bytes(const struct maker *k, int h, int w, int c)
{
    size_t bytes = k->m->be->tensor_bytes(k->m->dev, k->o->n, h, w, c);
    size_t rows = (size_t)k->o->n * (size_t)c * k->m->be->info(k->m->dev)->param_bytes;
    return h == 1 && w == 1 && rows > bytes ? rows : bytes;
}

static int add_span(struct maker *k, size_t bytes)
{
    struct fn_span *s = &k->l->spans[k->l->count];
    s->bytes = bytes;
    s->first = s->last = -1;
    return (int)k->l->count++;
}

static int add_buffer(struct maker *k, int buffer)
{
    const struct fn_buffer *b = &k->m->net->buffers[buffer];
    return add_span(k, buffer_bytes(k, b->h, b->w, b->c));
}

static void touch(struct maker *k, int span, int tick)
{
    struct fn_span *s = &k->l->spans[span];
    if (s->first < 0)
        s->first = s->last = tick;
    if (tick < s->first)
        s->first = tick;
    if (tick > s->last)
        s->last = tick;
}

static void touch_grad(struct maker *k, int buffer, int tick)
{
    if (buffer > 0) /* the image has none */
        touch(k, k->l->grad[buffer], tick);
}

/* The gradient of a block's input is that of its output, in the same place. */
static void share_gradients(struct maker *k)
{
    const struct fn_net *net = k->m->net;
    for (size_t i = 0; i < net->buffer_count; i++)
        k->grad_of[i] = (int)i;
    for (size_t i = 0; i < net->node_count; i++)
        if (net->nodes[i].kind == FN_NODE_UP)
            k->grad_of[net->nodes[i].out.buffer] = k->grad_of[net->nodes[i].skip];
}

static void add_buffers(struct maker *k)
{
    const struct fn_net *net = k->m->net;
    share_gradients(k);
    for (size_t i = 0; i < net->buffer_count; i++)
        k->l->value[i] = add_buffer(k, (int)i);
    k->l->grad[0] = -1;
    for (size_t i = 1; i < net->buffer_count; i++) {
        if (!k->o->training)
            k->l->grad[i] = -1;
        else if (k->grad_of[i] == (int)i)
            k->l->grad[i] = add_buffer(k, (int)i);
        else
            k->l->grad[i] = k->l->grad[k->grad_of[i]]; /* a block's input comes before its output */
    }
}

static void forward_tick(struct maker *k, int i)
{
    const struct fn_node *node = &k->m->net->nodes[i];
    const struct fn_buffer *out = &k->m->net->buffers[node->out.buffer];
    struct fn_layout_node *n = &k->l->node[i];
    int tick = i + 1, bn = node->moving >= 0;
    size_t bytes = buffer_bytes(k, out->h, out->w, node->out.c);
    n->y = n->index = n->dup = -1;
    touch(k, k->l->value[node->in.buffer], tick);
    touch(k, k->l->value[node->out.buffer], tick);
    if (node->skip >= 0)
        touch(k, k->l->value[node->skip], tick);
    if (bn && (k->o->training || node->out.c != out->c)) {
        n->y = add_span(k, bytes);
        touch(k, n->y, tick);
    }
    if (node->kind == FN_NODE_MAXPOOL && k->o->training) {
        n->index =
            add_span(k, (size_t)k->o->n * (size_t)out->h * (size_t)out->w * (size_t)node->out.c);
        touch(k, n->index, tick);
    }
    if (node->kind == FN_NODE_UP && k->o->training)
        n->dup = add_span(k, bytes);
}

static void backward_tick(struct maker *k, int i, char *written)
{
    const struct fn_node *node = &k->m->net->nodes[i];
    struct fn_layout_node *n = &k->l->node[i];
    int tick = 2 * (int)k->m->net->node_count + 1 - i;
    touch_grad(k, node->out.buffer, tick);
    touch_grad(k, node->in.buffer, tick);
    if (node->kind == FN_NODE_CONV || node->kind == FN_NODE_FC || node->kind == FN_NODE_UP)
        touch(k, k->l->value[node->in.buffer], tick);
    if (n->y >= 0)
        touch(k, n->y, tick);
    if (n->index >= 0)
        touch(k, n->index, tick);
    if (node->kind == FN_NODE_UP) {
        touch(k, k->l->value[node->out.buffer], tick); /* where its ReLU was open */
        touch(k, n->dup, tick);
        assert(!written[node->skip]); /* dx = dout overwrites: it must be the first */
        written[node->skip] = 1;
    }
    n->accumulate = written[node->in.buffer];
    written[node->in.buffer] = 1;
}

static void head_ticks(struct maker *k)
{
    const struct fn_net *net = k->m->net;
    int head = (int)net->node_count + 1, end = 2 * (int)net->node_count + 2;
    struct fn_layout *l = k->l;
    for (int i = 0; i < FN_ROWS_COUNT; i++)
        l->rows[i] = -1;
    l->rows[FN_ROWS_PRELOGITS] = l->value[net->prelogits];
    touch(k, l->rows[FN_ROWS_PRELOGITS], end);
    l->rows[FN_ROWS_EMBEDDINGS] = add_span(k, buffer_bytes(k, 1, 1, net->embedding_size));
    touch(k, l->rows[FN_ROWS_EMBEDDINGS], head);
    touch(k, l->rows[FN_ROWS_EMBEDDINGS], end);
    if (k->o->head == FN_HEAD_SOFTMAX) {
        l->rows[FN_ROWS_LOGITS] = add_span(k, buffer_bytes(k, 1, 1, net->classes));
        touch(k, l->rows[FN_ROWS_LOGITS], head);
    }
    if (k->o->training) {
        l->rows[FN_ROWS_D_PRELOGITS] = l->grad[net->prelogits];
        touch(k, l->rows[FN_ROWS_D_PRELOGITS], head);
    }
    if (k->o->training && (k->o->head == FN_HEAD_TRIPLET ||
                           (k->o->head == FN_HEAD_SOFTMAX && k->m->options.normalized))) {
        l->rows[FN_ROWS_D_EMBEDDINGS] = add_span(k, buffer_bytes(k, 1, 1, net->embedding_size));
        touch(k, l->rows[FN_ROWS_D_EMBEDDINGS], head);
    }
}

int fn_layout_make(struct fn_layout *l, const struct fn_model *m, const struct fn_exec_options *o)
{
    size_t buffers = m->net->buffer_count, nodes = m->net->node_count;
    struct maker k = {l, m, o, calloc(buffers, sizeof(int))};
    char *written = calloc(buffers, 1);
    int rc = FN_OK;
    memset(l, 0, sizeof *l);
    l->spans = calloc(2 * buffers + 3 * nodes + FN_ROWS_COUNT, sizeof *l->spans);
    l->value = calloc(buffers, sizeof *l->value);
    l->grad = calloc(buffers, sizeof *l->grad);
    l->node = calloc(nodes, sizeof *l->node);
    if (!k.grad_of || !written || !l->spans || !l->value || !l->grad || !l->node) {
        rc = fn_fail(FN_ENOMEM, "no memory for the plan of %zu buffers", buffers);
        goto out;
    }
    add_buffers(&k);
    touch(&k, l->value[0], 0);
    for (size_t i = 0; i < nodes; i++)
        forward_tick(&k, (int)i);
    head_ticks(&k);
    if (o->training)
        for (size_t i = nodes; i-- > 0;)
            backward_tick(&k, (int)i, written);
    rc = fn_spans_place(l->spans, l->count, &l->bytes);
out:
    free(k.grad_of);
    free(written);
    if (rc)
        fn_layout_free(l);
    return rc;
}

void fn_layout_free(struct fn_layout *l)
{
    free(l->spans);
    free(l->value);
    free(l->grad);
    free(l->node);
    memset(l, 0, sizeof *l);
}

int fn_exec_activation_bytes(const struct fn_model *model, const struct fn_exec_options *options,
                             size_t *bytes)
{
    struct fn_layout layout;
    int rc = fn_layout_make(&layout, model, options);
    if (rc)
        return rc;
    *bytes = layout.bytes;
    fn_layout_free(&layout);
    return FN_OK;
}
