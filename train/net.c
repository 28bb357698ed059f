/* SPDX-License-Identifier: MIT */
/* What turns the network's table into nodes, buffers and parameters. */
#include "train/net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/op.h"
#include "train/net_table.h"

const char *fn_node_kind_name(int kind)
{
    static const char *const names[FN_NODE_KIND_COUNT] = {"conv",    "up",      "maxpool",
                                                          "avgpool", "dropout", "fc"};
    return kind >= 0 && kind < FN_NODE_KIND_COUNT ? names[kind] : "?";
}

struct builder {
    struct fn_net *net;
    struct fn_net_param *moving; /* joined to net->params at the end */
    size_t moving_count;
    size_t caps[4]; /* of buffers, nodes, params, moving */
    const struct fn_net_shape *shape;
    int failed; /* an allocation did */
};

static void *grow(struct builder *b, int which, void *items, size_t count, size_t size)
{
    void *bigger;
    size_t cap = b->caps[which];
    if (count < cap)
        return items;
    cap = cap ? cap * 2 : 64;
    bigger = realloc(items, cap * size);
    if (!bigger) {
        b->failed = 1;
        return items;
    }
    b->caps[which] = cap;
    return bigger;
}

/* The index of a new buffer; 0 once memory ran out. */
static int add_buffer(struct builder *b, int h, int w, int c)
{
    struct fn_net *net = b->net;
    net->buffers = grow(b, 0, net->buffers, net->buffer_count, sizeof *net->buffers);
    if (b->failed)
        return 0;
    net->buffers[net->buffer_count] = (struct fn_buffer){h, w, c};
    return (int)net->buffer_count++;
}

static int add_param(struct builder *b, const char *prefix, const char *suffix,
                     enum fn_param_kind kind, int rank, const int *shape)
{
    struct fn_net *net = b->net;
    int is_moving = kind == FN_PARAM_MEAN || kind == FN_PARAM_VAR;
    struct fn_net_param *p;
    int index;
    net->params = grow(b, 2, net->params, net->param_count, sizeof *p);
    b->moving = grow(b, 3, b->moving, b->moving_count, sizeof *p);
    if (b->failed)
        return -1;
    p = is_moving ? &b->moving[b->moving_count] : &net->params[net->param_count];
    index = (int)(is_moving ? b->moving_count++ : net->param_count++);
    memset(p, 0, sizeof *p);
    snprintf(p->name, sizeof p->name, "%s%s", prefix, suffix);
    p->kind = kind;
    p->rank = rank;
    p->count = 1;
    for (int i = 0; i < rank; i++) {
        p->shape[i] = shape[i];
        p->count *= (size_t)shape[i];
    }
    p->node = (int)net->node_count;
    return index;
}

static struct fn_node *add_node(struct builder *b, enum fn_node_kind kind, const char *name,
                                struct fn_slice in, struct fn_slice out)
{
    struct fn_net *net = b->net;
    struct fn_node *node;
    net->nodes = grow(b, 1, net->nodes, net->node_count, sizeof *net->nodes);
    if (b->failed)
        return NULL;
    node = &net->nodes[net->node_count];
    memset(node, 0, sizeof *node);
    node->kind = kind;
    snprintf(node->name, sizeof node->name, "%s", name);
    node->in = in;
    node->out = out;
    node->skip = node->weight = node->bias = node->moving = -1;
    node->scale = 1;
    return node;
}

static void add_bn(struct builder *b, struct fn_node *node, const char *bn, int c)
{
    char prefix[FN_NET_NAME];
    snprintf(prefix, sizeof prefix, "%.40s%s", node->name, bn);
    node->bias = add_param(b, prefix, ".bias", FN_PARAM_BIAS, 1, &c);
    node->moving = add_param(b, prefix, ".running_mean", FN_PARAM_MEAN, 1, &c);
    add_param(b, prefix, ".running_var", FN_PARAM_VAR, 1, &c);
}

static int channels_of(const struct builder *b, int c)
{
    c /= b->shape->channels_divisor;
    return (c + FN_CHANNEL_ALIGN - 1) / FN_CHANNEL_ALIGN * FN_CHANNEL_ALIGN;
}

/* The buffer that a layer writes when it stands alone. */
static struct fn_buffer shape_after(const struct builder *b, struct fn_buffer in,
                                    const struct fn_layer *l)
{
    struct fn_buffer out = {fn_layer_side(l, in.h, l->kh), fn_layer_side(l, in.w, l->kw),
                            l->kind == FN_LAYER_POOL ? in.c : channels_of(b, l->cout)};
    return out;
}

static struct fn_slice whole(const struct fn_net *net, int buffer)
{
    return (struct fn_slice){buffer, 0, net->buffers[buffer].c};
}

static void add_layer(struct builder *b, const char *name, const struct fn_layer *l, int in,
                      struct fn_slice out)
{
    struct fn_net *net = b->net;
    const struct fn_buffer *x = &net->buffers[in], *y = &net->buffers[out.buffer];
    struct fn_node *node;
    node = add_node(b, l->kind == FN_LAYER_POOL ? FN_NODE_MAXPOOL : FN_NODE_CONV, name,
                    whole(net, in), out);
    if (!node)
        return;
    node->kh = l->kh;
    node->kw = l->kw;
    node->stride = l->stride;
    node->same = l->same;
    if (l->kind == FN_LAYER_CONV) {
        const int shape[4] = {out.c, x->c, l->kh, l->kw};
        node->relu = 1;
        node->weight = add_param(b, name, ".conv.weight", FN_PARAM_CONV, 4, shape);
        add_bn(b, node, ".bn", out.c);
        net->macs += (uint64_t)y->h * (uint64_t)y->w * (uint64_t)(shape[0] * shape[1]) *
                     (uint64_t)(shape[2] * shape[3]);
    }
    net->node_count++;
}

/* All branches of a stage from buffer `in` into one new buffer, side by side. */
static int add_branches(struct builder *b, const struct fn_stage *s, const char *prefix, int in)
{
    struct fn_net *net = b->net;
    struct fn_buffer sum = {0, 0, 0};
    int out, c0 = 0;
    for (int i = 0; i < FN_BRANCHES_MAX && s->branch[i][0].kind; i++) {
        struct fn_buffer x = net->buffers[in];
        for (int k = 0; k < fn_layer_count(s->branch[i]); k++)
            x = shape_after(b, x, &s->branch[i][k]);
        sum = (struct fn_buffer){x.h, x.w, sum.c + x.c};
    }
    out = add_buffer(b, sum.h, sum.w, sum.c);
    for (int i = 0; i < FN_BRANCHES_MAX && s->branch[i][0].kind; i++) {
        int count = fn_layer_count(s->branch[i]), x = in;
        for (int k = 0; k < count && !b->failed; k++) {
            const struct fn_layer *l = &s->branch[i][k];
            struct fn_buffer y = shape_after(b, net->buffers[x], l);
            char name[FN_NET_NAME];
            struct fn_slice slice;
            if (s->kind == FN_STAGE_CHAIN)
                snprintf(name, sizeof name, "%s", prefix);
            else if (count == 1)
                snprintf(name, sizeof name, "%.24s.branch%d", prefix, i);
            else
                snprintf(name, sizeof name, "%.24s.branch%d.%d", prefix, i, k);
            if (k < count - 1)
                slice = (struct fn_slice){add_buffer(b, y.h, y.w, y.c), 0, y.c};
            else
                slice = (struct fn_slice){out, c0, y.c};
            if (b->failed)
                return 0;
            add_layer(b, name, l, x, slice);
            x = slice.buffer;
            if (k == count - 1)
                c0 += y.c;
        }
    }
    return out;
}

/* The end of a residual block: x + scale * up(concat). Returns the block's output buffer. */
static int add_up(struct builder *b, const struct fn_stage *s, const char *prefix, int x,
                  int concat)
{
    struct fn_net *net = b->net;
    struct fn_buffer shape = net->buffers[x];
    int out = add_buffer(b, shape.h, shape.w, shape.c);
    const int dims[4] = {shape.c, net->buffers[concat].c, 1, 1};
    struct fn_node *node;
    char name[FN_NET_NAME];
    snprintf(name, sizeof name, "%.24s.conv2d", prefix);
    node = add_node(b, FN_NODE_UP, name, whole(net, concat), whole(net, out));
    if (!node)
        return 0;
    node->skip = x;
    node->kh = node->kw = node->stride = node->same = 1;
    node->relu = s->relu;
    node->scale = s->scale;
    node->weight = add_param(b, name, ".weight", FN_PARAM_CONV, 4, dims);
    node->bias = add_param(b, name, ".bias", FN_PARAM_BIAS, 1, dims);
    net->macs += (uint64_t)shape.h * (uint64_t)shape.w * (uint64_t)dims[0] * (uint64_t)dims[1];
    net->node_count++;
    return out;
}

static int add_stage(struct builder *b, const struct fn_stage *s, int x)
{
    int divisor = b->shape->blocks_divisor, times = (s->times + divisor - 1) / divisor;
    if (s->kind != FN_STAGE_RESIDUAL)
        return add_branches(b, s, s->name, x);
    for (int i = 0; i < times && !b->failed; i++) {
        char prefix[FN_NET_NAME];
        if (s->times == 1)
            snprintf(prefix, sizeof prefix, "%s", s->name);
        else
            snprintf(prefix, sizeof prefix, "%s.%d", s->name, i);
        x = add_up(b, s, prefix, x, add_branches(b, s, prefix, x));
    }
    return x;
}

/* Average pool, dropout, bottleneck, and the classifier's parameters. */
static void add_tail(struct builder *b, int x)
{
    struct fn_net *net = b->net;
    int pooled = add_buffer(b, 1, 1, net->buffers[x].c);
    struct fn_node *node;
    int k, d = net->embedding_size, shape[2];
    net->prelogits = add_buffer(b, 1, 1, d);
    if (b->failed)
        return;
    k = net->buffers[pooled].c;
    if (!add_node(b, FN_NODE_AVGPOOL, "avgpool_1a", whole(net, x), whole(net, pooled)))
        return;
    net->node_count++;
    if (!add_node(b, FN_NODE_DROPOUT, "dropout", whole(net, pooled), whole(net, pooled)))
        return;
    net->node_count++;
    node = add_node(b, FN_NODE_FC, "last", whole(net, pooled), whole(net, net->prelogits));
    if (!node)
        return;
    shape[0] = d;
    shape[1] = k;
    node->weight = add_param(b, "last_linear", ".weight", FN_PARAM_FC, 2, shape);
    add_bn(b, node, "_bn", d);
    net->macs += (uint64_t)d * (uint64_t)k;
    net->node_count++;
    if (net->classes) {
        shape[0] = net->classes;
        shape[1] = d;
        net->logits_weight = add_param(b, "logits", ".weight", FN_PARAM_FC, 2, shape);
        net->logits_bias = add_param(b, "logits", ".bias", FN_PARAM_BIAS, 1, shape);
    }
}

/* Moving statistics go behind the trainable parameters; the nodes' indices follow. */
static void join_moving(struct builder *b)
{
    struct fn_net *net = b->net;
    struct fn_net_param *all;
    net->trained_count = net->param_count;
    all = realloc(net->params, (net->param_count + b->moving_count) * sizeof *all);
    if (!all) {
        b->failed = 1;
        return;
    }
    memcpy(all + net->param_count, b->moving, b->moving_count * sizeof *all);
    net->params = all;
    net->param_count += b->moving_count;
    for (size_t i = 0; i < net->node_count; i++)
        if (net->nodes[i].moving >= 0)
            net->nodes[i].moving += (int)net->trained_count;
    for (size_t i = 0; i < net->param_count; i++)
        if (net->params[i].node >= (int)net->node_count)
            net->params[i].node = -1;
}

static int check_options(const struct fn_net_options *o, const struct fn_net_shape *shape)
{
    if (!shape)
        return fn_fail(FN_EUNSUPPORTED,
                       "no network %s here: there is inception_resnet_v1 (and shrunken, for tests)",
                       o->name);
    if (o->image_size < fn_net_min_image(o->name))
        return fn_fail(FN_EMISMATCH, "an image of %d pixels is too small for %s: %d is the least",
                       o->image_size, shape->name, fn_net_min_image(o->name));
    if (o->image_size > 2048)
        return fn_fail(FN_ELIMIT, "an image of %d pixels is too large: 2048 is the most",
                       o->image_size);
    if (o->embedding_size < 1 || o->embedding_size > 65536)
        return fn_fail(FN_ELIMIT, "an embedding of %d numbers: 1 to 65536 are possible",
                       o->embedding_size);
    if (o->classes < 0 || o->classes > 100000000)
        return fn_fail(FN_ELIMIT, "%d classes: 0 to 100000000 are possible", o->classes);
    return FN_OK;
}

int fn_net_open(struct fn_net **out, const struct fn_net_options *o)
{
    struct builder b = {.shape = fn_net_shape_find(o->name)};
    int x, rc = check_options(o, b.shape);
    *out = NULL;
    if (rc)
        return rc;
    b.net = calloc(1, sizeof *b.net);
    if (!b.net)
        return fn_fail(FN_ENOMEM, "no memory for the network's description");
    snprintf(b.net->name, sizeof b.net->name, "%s", b.shape->name);
    b.net->image_size = o->image_size;
    b.net->embedding_size = o->embedding_size;
    b.net->classes = o->classes;
    b.net->logits_weight = b.net->logits_bias = -1;
    x = add_buffer(&b, o->image_size, o->image_size, 3);
    for (int i = 0; i < b.shape->stage_count && !b.failed; i++)
        x = add_stage(&b, &b.shape->stages[i], x);
    if (!b.failed)
        add_tail(&b, x);
    if (!b.failed)
        join_moving(&b);
    free(b.moving);
    *out = b.net;
    if (!b.failed)
        return FN_OK;
    fn_net_close(out);
    return fn_fail(FN_ENOMEM, "no memory for the network's description");
}

void fn_net_close(struct fn_net **net)
{
    if (!net || !*net)
        return;
    free((*net)->buffers);
    free((*net)->nodes);
    free((*net)->params);
    free(*net);
    *net = NULL;
}

int fn_net_find(const struct fn_net *net, const char *name)
{
    for (size_t i = 0; i < net->param_count; i++)
        if (!strcmp(net->params[i].name, name))
            return (int)i;
    return -1;
}

size_t fn_net_weights(const struct fn_net *net)
{
    size_t sum = 0;
    for (size_t i = 0; i < net->trained_count; i++)
        sum += net->params[i].count;
    return sum;
}
