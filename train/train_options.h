/* SPDX-License-Identifier: MIT */
/* Every option of fn-train: the flags of both originals under their names, with their defaults, and
 * ours. One table (train_options.c) is the only place where defaults stand.
 *
 * A resumed run takes all options as they were recorded in its checkpoint, then those of the new
 * command line. Some cannot change once a run has begun: what decides the order of the data, the
 * network's shape, or what its state means. */
#ifndef FN_TRAIN_TRAIN_OPTIONS_H
#define FN_TRAIN_TRAIN_OPTIONS_H

#include <stdint.h>
#include <stdio.h>

#include "base/args.h"
#include "base/json.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fn_train_options {
    struct fn_common common;
    /* where from, where to */
    const char *store, *data_dir, *data_path, *output_dir, *models_base_dir, *logs_base_dir;
    const char *work_dir;
    const char *pretrained_model, *resume, *report;
    /* the run */
    const char *loss, *device, *precision, *model_def;
    int64_t image_size, embedding_size, batch_size, epoch_size, max_epochs, max_steps, seed;
    /* batch_size: 0 for auto, until the network is planned */
    int64_t save_every; /* steps; 0: at the end of epochs only */
    int allow_tf32, deterministic, no_graph, selftest, profile;
    /* pictures */
    int random_crop, random_flip, random_rotate, fixed;
    int64_t workers; /* 0: 4 with a GPU, else 1 */
    const char *shuffle;
    int bench_loader;
    double split_ratio, min_val;
    int64_t validate_every;
    const char *filter_filename;
    double filter_percentile;
    int64_t filter_min_images;
    /* loss and optimizer */
    double keep, weight_decay, ema_decay, bn_decay;
    double center_factor, center_alfa, norm_factor, norm_p, norm_hist_max;
    const char *optimizer;
    double learning_rate, decay_factor;
    int64_t decay_epochs;
    const char *schedule_file;
    int log_histograms;
    /* beyond the originals */
    const char *margin; /* "none", "arcface", "cosface" */
    double margin_scale, margin_size, label_smoothing;
    int64_t warmup_steps, cosine_steps;
    double cosine_floor;
    int64_t parts; /* of a batch */
    double clip;
    const char *trainable;
    /* triplets */
    int64_t people_per_batch, images_per_person;
    double alpha;
    const char *triplet_selection, *mining;
    /* LFW */
    const char *lfw_dir, *lfw_pairs, *lfw_boxes;
    int64_t lfw_folds, lfw_batch, lfw_metric;
    int lfw_flip, lfw_subtract_mean;
    /* accepted for the sake of old command lines; nothing reads them */
    const char *log_dir;
    double gpu_memory_fraction;
    int64_t num_gpus;
};

/* The tool with its table; values go to the one struct of the process. */
const struct fn_tool *fn_train_tool(void);

/* Parse, check each option by itself and against the others. FN_ARGS_DONE after --help. With
 * --resume the recorded options are read from the run's checkpoint, whose folder is *checkpoint
 * (malloc'd; NULL without --resume). *options is valid until fn_train_options_free. */
int fn_train_options_parse(int argc, char **argv, const struct fn_train_options **options,
                           char **checkpoint);
void fn_train_options_free(void);
/* What --batch_size auto came to: the option from now on. */
void fn_train_options_set_batch(int n);

/* The command line as one could type it again, malloc'd; NULL: out of memory. */
char *fn_train_options_command(void);

/* malloc'd paths, NULL when out of memory: what to train on, LFW's pictures. --store wins; else
 * data_dir/data_path, and lfw_dir below data_dir. Without --data_path, data_dir itself is trained
 * on and lfw_dir is taken as it is: so upstream's scripts have it, which know no --data_path. */
char *fn_train_options_data(void);
char *fn_train_options_lfw(void);

/* What --store would have said: recorded and printed from now on, so that a resumed run finds it.
 * Copied. FN_ENOMEM. */
int fn_train_options_set_store(const char *path);

/* "name: value" a line, as the original's arguments.txt. */
void fn_train_options_print(FILE *out);
/* Object: name -> value as text, for a checkpoint's state. NULL: out of memory. */
json_t *fn_train_options_json(void);
/* How often an option stood on the command line (recorded ones of a resumed run count). */
int fn_train_options_given(const char *name);

/* malloc'd: ~ and ~/x become the home folder; NULL when out of memory (sentence set). */
char *fn_path_home(const char *path);
/* Of the original's rule: base/path, an absolute path (or one with ~) wins; base NULL or "": path.
 */
char *fn_path_under(const char *base, const char *path);

#ifdef __cplusplus
}
#endif
#endif
