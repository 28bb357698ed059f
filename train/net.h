/* SPDX-License-Identifier: MIT */
/* Inception-ResNet-v1 as data: a table (net_table.c) that is expanded into a flat list of nodes in
 * forward order, the buffers between them, and the parameters by their facenet-pytorch names.
 *
 *     images -> nodes[0] .. nodes[node_count - 1] -> prelogits -> the loss's head (exec.h)
 *
 * A buffer is one activation of (h, w, c) per image. Nodes write channel slices of buffers, so a
 * concat is only a buffer that several nodes write to. The description knows no batch, no device
 * and no bytes. It is constant once opened; any thread may read it. */
#ifndef FN_TRAIN_NET_H
#define FN_TRAIN_NET_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FN_NET_NAME 48 /* bytes of a node's or parameter's name, with its end */

enum fn_node_kind {
    FN_NODE_CONV = 0, /* out slice = relu(bn(conv(in))) */
    FN_NODE_UP,       /* out = skip + scale * (conv(in) + bias), then ReLU where relu */
    FN_NODE_MAXPOOL,  /* 3 x 3, stride 2, VALID */
    FN_NODE_AVGPOOL,  /* global: (h, w, c) -> (1, 1, c) */
    FN_NODE_DROPOUT,  /* in place: in and out are one buffer */
    FN_NODE_FC,       /* out = bn(W in), no activation */
    FN_NODE_KIND_COUNT
};
const char *fn_node_kind_name(int kind); /* "conv", "up", ... */

struct fn_buffer {
    int h, w, c;
};

struct fn_slice {
    int buffer; /* index into fn_net.buffers */
    int c0, c;  /* channels [c0, c0 + c) */
};

struct fn_node {
    enum fn_node_kind kind;
    char name[FN_NET_NAME]; /* "repeat_1.0.branch1.1": the prefix of its parameters */
    struct fn_slice in, out;
    int skip; /* UP: buffer of the block's input */
    int kh, kw, stride, same;
    int relu;
    double scale;
    int weight, bias; /* indices into fn_net.params (bias: a BN's beta too); -1: none */
    int moving;       /* index of the moving mean, the variance is the next; -1: no BN */
};

enum fn_param_kind {
    FN_PARAM_CONV = 0, /* (cout, cin, kh, kw) */
    FN_PARAM_FC,       /* (d, k) */
    FN_PARAM_BIAS,     /* (c): biases and betas */
    FN_PARAM_MEAN,     /* (c): a moving mean; its variance follows it */
    FN_PARAM_VAR
};

struct fn_net_param {
    char name[FN_NET_NAME]; /* "repeat_1.0.branch0.conv.weight" */
    enum fn_param_kind kind;
    int rank, shape[4];
    size_t count; /* product of shape */
    int node;     /* that uses it; -1: the head */
};

struct fn_net {
    char name[FN_NET_NAME];                  /* "inception_resnet_v1" */
    int image_size, embedding_size, classes; /* classes 0: no head */
    struct fn_buffer *buffers;               /* 0 is the image, c = 3 */
    struct fn_node *nodes;
    struct fn_net_param *params; /* trainable ones in forward order, then all moving statistics */
    size_t buffer_count, node_count, param_count, trained_count;
    int prelogits;                  /* buffer written by the last node */
    int logits_weight, logits_bias; /* parameters of the head; -1 without one */
    uint64_t macs;                  /* multiply-adds of one image, forward, without the head */
};

struct fn_net_options {
    const char *name; /* "inception_resnet_v1" or "shrunken", "models." before it is fine */
    int image_size, embedding_size, classes;
};

/* FN_EUNSUPPORTED: no such network; FN_EMISMATCH: the image is too small for it (the sentence has
 * the smallest size that works); FN_ELIMIT: sizes below 1 or absurd. */
int fn_net_open(struct fn_net **net, const struct fn_net_options *options);
void fn_net_close(struct fn_net **net);

/* The smallest image that a network takes, or -1 where there is no such network. */
int fn_net_min_image(const char *name);

/* Index of a parameter by name, or -1. */
int fn_net_find(const struct fn_net *net, const char *name);
/* Sum of count over the trainable parameters. */
size_t fn_net_weights(const struct fn_net *net);

#ifdef __cplusplus
}
#endif
#endif
