/* SPDX-License-Identifier: MIT */
/* A trained network ready to embed: from a file on disk to an evaluating exec on a device. What
 * fn-eval and fn-embed have in common. */
#ifndef FN_TRAIN_INFER_H
#define FN_TRAIN_INFER_H

#include "train/exec.h"
#include "train/model_file.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fn_infer {
    struct fn_model_file *file;
    const struct fn_backend *be;
    struct fn_dev *dev;
    struct fn_net *net;
    struct fn_model *model;
    struct fn_exec *exec;
};

struct fn_infer_options {
    const char *model; /* file, checkpoint or run */
    int ema;
    const char *device; /* "auto", "cpu", "ref" */
    int precision;      /* enum fn_precision */
    int threads, batch;
    struct fn_preprocessing told;
};

/* The file and its record, then the network on a device. Both say by fn_info what was taken; on
 * failure everything is closed. */
int fn_infer_file(struct fn_infer *infer, const struct fn_infer_options *options);
int fn_infer_open(struct fn_infer *infer, const struct fn_infer_options *options);
void fn_infer_close(struct fn_infer *infer); /* also of a zeroed struct */

#ifdef __cplusplus
}
#endif
#endif
