/* SPDX-License-Identifier: MIT */
/* The options that fn-eval and fn-embed share: which network, and how it is run. */
#ifndef FN_TRAIN_INFER_ARGS_H
#define FN_TRAIN_INFER_ARGS_H

#include "base/args.h"
#include "train/infer.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fn_infer_args {
    const char *model, *device, *precision;
    int64_t image_size, batch, workers; /* batch: under a name of the tool's own */
    int fixed, ema;
};

/* Rows of the tool's table. */
#define FN_INFER_ARGS(a)                                                                           \
    {.name = "model",                                                                              \
     .letter = 'm',                                                                                \
     .kind = FN_ARG_STRING,                                                                        \
     .value = &(a)->model,                                                                         \
     .metavar = "FILE|RUN",                                                                        \
     .help = "safetensors file, checkpoint or run folder"},                                        \
        {.name = "ema",                                                                            \
         .kind = FN_ARG_FLAG,                                                                      \
         .value = &(a)->ema,                                                                       \
         .help = "use the moving averages of the weights"},                                        \
        {.name = "device",                                                                         \
         .kind = FN_ARG_CHOICE,                                                                    \
         .value = &(a)->device,                                                                    \
         .choices = fn_infer_devices,                                                              \
         .help = "what computes; auto takes the best there is"},                                   \
        {.name = "precision",                                                                      \
         .kind = FN_ARG_CHOICE,                                                                    \
         .value = &(a)->precision,                                                                 \
         .choices = fn_infer_precisions,                                                           \
         .help = "of activations; bf16 where the device has it"},                                  \
        {.name = "image_size",                                                                     \
         .kind = FN_ARG_INT,                                                                       \
         .value = &(a)->image_size,                                                                \
         .max = 2048,                                                                              \
         .help = "side of the network's images in pixels; 0: what the model says. Another size "   \
                 "than the model's is an error"},                                                  \
        {.name = FN_INFER_FIXED,                                                                   \
         .kind = FN_ARG_FLAG,                                                                      \
         .value = &(a)->fixed,                                                                     \
         .help = "insist on fixed standardization (--no-... on per-image); without it, what the "  \
                 "model says"},                                                                    \
    {                                                                                              \
        .name = "nrof_preprocess_threads", .kind = FN_ARG_INT, .value = &(a)->workers, .min = 1,   \
        .max = 1024, .help = "threads that read and decode pictures"                               \
    }
#define FN_INFER_FIXED "use_fixed_image_standardization"
extern const char *const fn_infer_devices[], *const fn_infer_precisions[];

/* table: that of the tool, parsed. */
struct fn_infer_options fn_infer_args_options(const struct fn_infer_args *args,
                                              const struct fn_common *common,
                                              const struct fn_arg *table);

#ifdef __cplusplus
}
#endif
#endif
