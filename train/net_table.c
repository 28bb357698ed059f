/* SPDX-License-Identifier: MIT */
/* Inception-ResNet-v1, row by row, and the sizes that follow from it. */
#include "train/net_table.h"

#include <stddef.h>
#include <string.h>

#include "train/net.h"

/* clang-format off */
/* Kernel height, kernel width, channels. */
#define SAME(h, w, c) {FN_LAYER_CONV, h, w, c, 1, 1}
#define VALID(h, w, c) {FN_LAYER_CONV, h, w, c, 1, 0}
#define HALF(h, w, c) {FN_LAYER_CONV, h, w, c, 2, 0} /* stride 2, VALID */
#define MAXPOOL {FN_LAYER_POOL, 3, 3, 0, 2, 0}
#define CONCAT .kind = FN_STAGE_CONCAT
#define RESIDUAL(n, s, r) .kind = FN_STAGE_RESIDUAL, .times = n, .scale = s, .relu = r

/* As in inception_resnet_v1.py of davidsandberg/facenet. */
static const struct fn_stage inception_resnet_v1[] = {
    {"conv2d_1a", .branch = {{HALF(3, 3, 32)}}},
    {"conv2d_2a", .branch = {{VALID(3, 3, 32)}}},
    {"conv2d_2b", .branch = {{SAME(3, 3, 64)}}},
    {"maxpool_3a", .branch = {{MAXPOOL}}},
    {"conv2d_3b", .branch = {{VALID(1, 1, 80)}}},
    {"conv2d_4a", .branch = {{VALID(3, 3, 192)}}},
    {"conv2d_4b", .branch = {{HALF(3, 3, 256)}}},
    {"repeat_1", RESIDUAL(5, 0.17, 1), .branch = {
        {SAME(1, 1, 32)},
        {SAME(1, 1, 32), SAME(3, 3, 32)},
        {SAME(1, 1, 32), SAME(3, 3, 32), SAME(3, 3, 32)}}},
    {"mixed_6a", CONCAT, .branch = {
        {HALF(3, 3, 384)},
        {SAME(1, 1, 192), SAME(3, 3, 192), HALF(3, 3, 256)},
        {MAXPOOL}}},
    {"repeat_2", RESIDUAL(10, 0.10, 1), .branch = {
        {SAME(1, 1, 128)},
        {SAME(1, 1, 128), SAME(1, 7, 128), SAME(7, 1, 128)}}},
    {"mixed_7a", CONCAT, .branch = {
        {SAME(1, 1, 256), HALF(3, 3, 384)},
        {SAME(1, 1, 256), HALF(3, 3, 256)},
        {SAME(1, 1, 256), SAME(3, 3, 256), HALF(3, 3, 256)},
        {MAXPOOL}}},
    {"repeat_3", RESIDUAL(5, 0.20, 1), .branch = {
        {SAME(1, 1, 192)},
        {SAME(1, 1, 192), SAME(1, 3, 192), SAME(3, 1, 192)}}},
    {"block8", RESIDUAL(1, 1.0, 0), .branch = {
        {SAME(1, 1, 192)},
        {SAME(1, 1, 192), SAME(1, 3, 192), SAME(3, 1, 192)}}},
};
/* clang-format on */

/* The shrunken network has the same table with an eighth of the channels and a fifth of the blocks:
 * for tests that need many steps. */
enum { STAGES = sizeof inception_resnet_v1 / sizeof *inception_resnet_v1 };
static const struct fn_net_shape networks[] = {
    {"inception_resnet_v1", inception_resnet_v1, STAGES, 1, 1},
    {"shrunken", inception_resnet_v1, STAGES, 8, 5},
};
enum { NETWORKS = sizeof networks / sizeof *networks };

const struct fn_net_shape *fn_net_shape_find(const char *name)
{
    if (!strncmp(name, "models.", 7))
        name += 7;
    for (int i = 0; i < NETWORKS; i++)
        if (!strcmp(name, networks[i].name))
            return &networks[i];
    return NULL;
}

int fn_layer_count(const struct fn_layer *branch)
{
    int n = 0;
    while (n < FN_LAYERS_MAX && branch[n].kind != FN_LAYER_NONE)
        n++;
    return n;
}

int fn_layer_side(const struct fn_layer *l, int in, int k)
{
    if (l->same)
        return in;
    return in < k ? 0 : (in - k) / l->stride + 1;
}

/* Side of the last map for an image of `size`: 0 where it does not fit. Only strides and VALID
 * kernels count, and the branches of a stage agree. */
static int last_side(const struct fn_net_shape *net, int size)
{
    for (int i = 0; i < net->stage_count && size > 0; i++) {
        const struct fn_layer *branch = net->stages[i].branch[0];
        if (net->stages[i].kind == FN_STAGE_RESIDUAL)
            continue;
        for (int k = 0; k < fn_layer_count(branch); k++)
            size = fn_layer_side(&branch[k], size, branch[k].kh);
    }
    return size;
}

int fn_net_min_image(const char *name)
{
    const struct fn_net_shape *net = fn_net_shape_find(name);
    int size = 1;
    if (!net)
        return -1;
    while (last_side(net, size) < 1)
        size++;
    return size;
}
