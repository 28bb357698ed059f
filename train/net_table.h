/* SPDX-License-Identifier: MIT */
/* The table of the network (net_table.c) and how its rows are to be read. For net.c alone. */
#ifndef FN_TRAIN_NET_TABLE_H
#define FN_TRAIN_NET_TABLE_H

#ifdef __cplusplus
extern "C" {
#endif

enum { FN_LAYERS_MAX = 4, FN_BRANCHES_MAX = 4 };
enum fn_layer_kind { FN_LAYER_NONE = 0, FN_LAYER_CONV, FN_LAYER_POOL };
enum fn_stage_kind { FN_STAGE_CHAIN = 0, FN_STAGE_CONCAT, FN_STAGE_RESIDUAL };

struct fn_layer {
    enum fn_layer_kind kind;
    int kh, kw, cout, stride, same;
};

/* CHAIN: its one layer follows the last stage. CONCAT: branches side by side. RESIDUAL: `times`
 * blocks of branches side by side, a 1 x 1 convolution back up to the block's channels, added with
 * `scale`. */
struct fn_stage {
    const char *name; /* as facenet-pytorch names it */
    enum fn_stage_kind kind;
    int times;
    double scale;
    int relu;
    struct fn_layer branch[FN_BRANCHES_MAX][FN_LAYERS_MAX]; /* up to the first NONE */
};

/* A network is the table with its channels divided (and rounded up to FN_CHANNEL_ALIGN), and its
 * number of blocks. */
struct fn_net_shape {
    const char *name;
    const struct fn_stage *stages;
    int stage_count;
    int channels_divisor, blocks_divisor;
};

/* NULL: no such network. "models." before the name is skipped. */
const struct fn_net_shape *fn_net_shape_find(const char *name);

int fn_layer_count(const struct fn_layer *branch);
/* Output rows (or columns) of a layer with a kernel of k; 0: the input is too small. */
int fn_layer_side(const struct fn_layer *layer, int in, int k);

#ifdef __cplusplus
}
#endif
#endif
