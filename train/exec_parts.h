/* SPDX-License-Identifier: MIT */
/* The inside of a model and its execs: for model*.c, exec*.c, and the losses that work on them. */
#ifndef FN_TRAIN_EXEC_PARTS_H
#define FN_TRAIN_EXEC_PARTS_H

#include "train/exec.h"
#include "train/spans.h"
#include "train/step.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Which buffers there are and when they are alive, for a batch size: indices into `spans`, -1:
 * none.
 *
 * Ticks: 0 standardize; node i forward at i + 1; the loss at N + 1; node i backward at 2 N + 1 - i;
 * the update at 2 N + 2. In training
 *   - what a convolution read (x) and wrote before its batch norm (y) is kept until its backward
 * pass, where the gradient of y overwrites y;
 *   - a residual block's input and output share one gradient: dx = dout, then the branches add to
 * it. In evaluation y is normalized in place where it has its own buffer. */
struct fn_layout_node {
    int y, index, dup;
    int accumulate; /* backward adds to dx: another consumer was there first */
};
struct fn_layout {
    struct fn_span *spans;
    size_t count;
    int *value, *grad; /* [net->buffer_count] */
    struct fn_layout_node *node;
    int rows[FN_ROWS_COUNT];
    size_t bytes; /* of the arena */
};
int fn_layout_make(struct fn_layout *layout, const struct fn_model *model,
                   const struct fn_exec_options *options);
void fn_layout_free(struct fn_layout *layout);

/* A node ready to run: everything resolved to plans, tensors and addresses. */
struct fn_unit {
    struct fn_conv *plan;
    struct fn_tensor x, y, z, skip; /* y: what the convolution writes; z: the node's result */
    struct fn_tensor dx, dy, dz, dskip;
    uint8_t *index;
    /* stats: the batch's in training, the moving ones in evaluation and where `fixed` */
    void *w, *bias, *stats;
    void *dw, *dbias; /* dw NULL: its weights are frozen */
    int fixed;        /* training, but the batch norm is frozen */
};

/* A training step as it was run last, and its recording. */
struct fn_tape {
    struct fn_recording *recording; /* NULL: run, but not recorded yet */
    const uint8_t *images;          /* NULL: no step yet */
    const int32_t *labels;
    struct fn_step_options options;
    uint64_t groups; /* hash of the model's */
    int failed;      /* the device could not record one: never tried again */
    int said;        /* how large it is */
};

struct fn_exec {
    struct fn_model *model;
    struct fn_exec_options options;
    struct fn_layout layout;
    struct fn_unit *units; /* [net->node_count] */
    size_t first; /* the first node with something to train: the backward walk ends there */
    struct fn_tensor image, rows[FN_ROWS_COUNT];
    struct fn_moving_group *moving;
    size_t moving_count, workspace_bytes;
    struct fn_profile *profile;
    struct fn_tape tape;
};
void fn_exec_close(struct fn_exec **exec);
/* After the model's memory is there. */
void fn_exec_bind(struct fn_exec *exec);

/* model_freeze.c: fills model->frozen. */
int fn_model_freeze(struct fn_model *model, const char *pattern);

/* The first exec decides where every parameter lies; later ones must want the same sizes. */
int fn_model_place(struct fn_model *model, const struct fn_exec *exec);

/* Of a committed model; nothing happens where it is large enough. Waits for the device. */
int fn_model_grow_workspace(struct fn_model *model, size_t bytes);

/* An op of a walk, timed where a profile is wanted. Returns from the calling function on failure.
 */
#define FN_RUN(exec, row, call)                                                                    \
    do {                                                                                           \
        double run_begin_ = fn_profile_begin(exec);                                                \
        int run_rc_ = fn_profile_end(exec, row, run_begin_, (call));                               \
        if (run_rc_)                                                                               \
            return run_rc_;                                                                        \
    } while (0)

#ifdef __cplusplus
}
#endif
#endif
