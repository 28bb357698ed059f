/* SPDX-License-Identifier: MIT */
/* A network on a device: its parameters, what training keeps beside them, and the memory that the
 * execs (exec.h) of one process share.
 *
 *     fn_model_open(&model, net, backend, dev, &options);
 *     fn_exec_open(&train, model, ...);   plans: no memory yet but for the plans themselves
 *     fn_exec_open(&eval, model, ...);
 *     fn_model_commit(model, ...);        all memory at once: printed, or refused
 *     fn_model_init(model, seed) / fn_model_set(...)
 *     ... fn_exec_forward(train), ...
 *     fn_model_close(&model);             with its execs; before its device and its net
 *
 * Everything of one model is used by one thread at a time. */
#ifndef FN_TRAIN_MODEL_H
#define FN_TRAIN_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/op.h"
#include "train/net.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fn_exec;

/* Parallel arrays of param scalars over the same parameters. */
enum fn_arena {
    FN_ARENA_W = 0, /* weights and moving statistics */
    FN_ARENA_GRAD,  /* trainable ones only */
    FN_ARENA_SLOT1, /* optimizer state, trainable ones only */
    FN_ARENA_SLOT2,
    FN_ARENA_EMA,   /* as W */
    FN_ARENA_BATCH, /* the batch's statistics, in place of the moving ones */
    FN_ARENA_COUNT
};

struct fn_model_options {
    int training;  /* gradients, slots, batch statistics, centers */
    int optimizer; /* enum fn_optimizer */
    int ema;
    /* POSIX extended regular expression: parameters whose names it finds something in are trained,
     * the others frozen; NULL: all are trained. A batch norm whose beta is frozen stays as in
     * evaluation: it normalizes by its moving statistics, and they do not move. */
    const char *trainable;
    int normalized; /* the head is rows of length 1: memory for them (margins, step.h) */
    int parts;      /* a batch is computed in so many parts: memory for their sums; 0 as 1 */
};

#define FN_MODEL_EXECS 8

/* Read it, change it by the functions below only. */
struct fn_model {
    const struct fn_net *net;
    const struct fn_backend *be;
    struct fn_dev *dev;
    struct fn_model_options options;
    uint8_t *frozen; /* [net->param_count]; of the moving statistics, those of a frozen beta */
    size_t *begin, *count; /* [net->param_count]: elements in the arenas; set by the first exec */
    const struct fn_conv **plan;   /* [net->param_count]: of the first exec, for layouts; or NULL */
    struct fn_param_group *groups; /* [net->trained_count] */
    struct fn_params params;       /* arenas: NULL where not used or not yet committed */
    void *shadow;                  /* what the device keeps beside the arenas; or NULL */
    void *centers;                 /* (classes, embedding); NULL without training a head */
    void *directions;              /* (classes, embedding): normalized rows of the head, or NULL */
    void *sums; /* of parts: the gradient, the statistics, the prelogits of all; or NULL */
    struct fn_exec *exec[FN_MODEL_EXECS];
    size_t exec_count;
    void *activations, *workspace;
    size_t activation_bytes, workspace_bytes; /* the most that any exec wants */
    uint64_t planned_bytes;                   /* sum of fn_model_commit's table */
    int committed;
};

/* FN_EUSAGE: `trainable` is no regular expression, or none of the parameters has such a name. */
int fn_model_open(struct fn_model **model, const struct fn_net *net, const struct fn_backend *be,
                  struct fn_dev *dev, const struct fn_model_options *options);
void fn_model_close(struct fn_model **model);

/* A line of the table of memory that is not the model's own: the loader's ring. */
enum fn_memory_kind {
    FN_MEMORY_FIXED = 0, /* whatever the batch */
    FN_MEMORY_GROWS,     /* with the batch of the first exec, in proportion */
    FN_MEMORY_TAKEN      /* fixed, and no longer among what is free */
};
struct fn_memory_row {
    const char *what;
    uint64_t bytes;
    int kind; /* enum fn_memory_kind */
};

/* Allocate everything, zeroed; after a call of fn_info with the table where `print`. FN_ELIMIT: the
 * device has not so much free; the sentence has both sizes and the largest batch that fits. */
int fn_model_commit(struct fn_model *model, const struct fn_memory_row *extra, size_t extra_count,
                    int print);
/* The largest batch of the first exec, up to `most`, with which the model would fit into the
 * device's free memory; 0: none, most: also where that memory is not known. Before fn_model_commit.
 * An estimate where it is larger than the exec's: the workspace is taken to grow with it. */
int fn_model_fits(struct fn_model *model, const struct fn_memory_row *extra, size_t extra_count,
                  int most, int *batch);

/* Initial values: Xavier uniform weights, limit sqrt(6 / (fan_in + fan_out)), fan_in = kh kw cin,
 * fan_out = kh kw cout, element e of parameter p from fn_rng(seed, p, e, FN_RNG_INIT) in the order
 * of the published layout; biases and betas 0; moving mean 0, variance 1; centers 0; optimizer
 * slots as their rule says; EMA = the same values. */
int fn_model_init(struct fn_model *model, uint64_t seed);
/* One parameter's initial values on the host, `count` floats. */
void fn_model_initial(const struct fn_net *net, size_t param, uint64_t seed, float *values);
/* Slots to their start values and EMA := W: after weights were loaded from elsewhere. */
int fn_model_fresh_state(struct fn_model *model);
/* EMA := W, bit by bit. */
int fn_model_copy_to_ema(struct fn_model *model);

/* One parameter in the published layout (OIHW, (d, k) rows, vectors): net->params[param].count
 * numbers of `type` (enum fn_type). get waits for the device. Committed models only, and only
 * arenas that there are (fn_model_has). BATCH: moving statistics only. */
int fn_model_has(const struct fn_model *model, int arena, size_t param);
int fn_model_set(struct fn_model *model, int arena, size_t param, const void *host, int type);
int fn_model_get(struct fn_model *model, int arena, size_t param, void *host, int type);

/* Trainable parameters that are not frozen: how many tensors, and their elements. */
size_t fn_model_trainable(const struct fn_model *model, size_t *elements);

/* Device address of a parameter in an arena. */
void *fn_model_at(const struct fn_model *model, int arena, size_t param);

#ifdef __cplusplus
}
#endif
#endif
