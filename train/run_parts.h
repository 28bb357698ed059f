/* SPDX-License-Identifier: MIT */
/* What the files of run*.c share: a run, and its parts in the order in which they are opened. */
#ifndef FN_TRAIN_RUN_PARTS_H
#define FN_TRAIN_RUN_PARTS_H

#include "train/checkpoint.h"
#include "train/events.h"
#include "train/exec.h"
#include "train/lfw_run.h"
#include "train/loader.h"
#include "train/metrics.h"
#include "train/run.h"
#include "train/schedule.h"
#include "train/split.h"
#include "train/step.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A loader and the host memory of its slots. */
struct fn_ring {
    struct fn_loader *loader;
    struct fn_loader_slot slot[FN_LOADER_SLOTS];
    int n;
};

enum { FN_LOG_STEPS = 0, FN_LOG_VALIDATION, FN_LOG_EPOCHS, FN_LOG_LFW, FN_LOG_COUNT };

/* What is measured, for lines, tables and the summary. NAN: not (yet). */
struct fn_run_figures {
    double loss, accuracy; /* of the last step */
    double validation_loss, validation_xent, validation_accuracy;
    double lfw_accuracy, lfw_val;
    double train_s, validate_s, evaluate_s, save_s; /* of this epoch */
    double speed;                                   /* images/s, smoothed */
    double wait_s;                                  /* for the loader, of this epoch */
    double all_train_s, all_wait_s;
    uint64_t steps, epoch_steps; /* of this process; of this epoch */
};

struct fn_run {
    const struct fn_train_options *o;
    const char *resumed; /* checkpoint's folder, or NULL; borrowed */
    struct fn_train_state state;
    /* data */
    struct fn_store *store;
    struct fn_split *split;
    struct fn_class_list *classes;
    struct fn_source *source;
    struct fn_schedule *schedule;
    struct fn_sampler sampler;
    struct fn_list validation;
    struct fn_lfw_run *lfw;
    /* network */
    const struct fn_backend *be;
    struct fn_dev *dev;
    struct fn_net *net;
    struct fn_model *model;
    struct fn_exec *train, *eval; /* eval: NULL without validation and LFW */
    struct fn_step_options step;
    struct fn_model_record record;
    int lag; /* steps between queueing and reading losses: 1 on devices that run by themselves */
    /* feeding */
    struct fn_ring train_ring, eval_ring;
    /* folders and logs */
    char *name, *folder, *log_folder; /* of the run: models, logs */
    int lock;
    struct fn_metrics *metrics[FN_LOG_COUNT];
    struct fn_events *events;
    struct fn_run_figures figures;
    double began, last_line, last_complaint, last_finish; /* fn_now() */
    int bad_in_row;
    int saved; /* a checkpoint of the current step is on disk */
};

/* run_folder.c */
int fn_run_folder_open(struct fn_run *r); /* makes or finds the folders, locks, arguments.txt */
void fn_run_folder_close(struct fn_run *r);

/* run_data.c */
int fn_run_data_open(struct fn_run *r);
void fn_run_data_close(struct fn_run *r);
int fn_run_workers(const struct fn_run *r);
uint64_t fn_ring_bytes(const struct fn_run *r, int n);
int fn_ring_open(struct fn_run *r, struct fn_ring *ring, int n);
void fn_ring_close(struct fn_run *r, struct fn_ring *ring);
/* The learning rate of an epoch, 0: training ends before it. */
int fn_run_rate(const struct fn_run *r, int64_t epoch, double *rate);

/* run_net.c */
int fn_run_net_open(struct fn_run *r); /* device, plans, memory, weights */
void fn_run_net_close(struct fn_run *r);

/* run_log.c */
int fn_run_log_open(struct fn_run *r);
int fn_run_log_close(struct fn_run *r);
int fn_run_log_step(struct fn_run *r, const double losses[FN_LOSS_COUNT], double rate,
                    uint64_t step, int64_t batch, double seconds);
int fn_run_log_validation(struct fn_run *r, uint64_t images);
int fn_run_log_lfw(struct fn_run *r, const struct fn_lfw_result *result);
int fn_run_log_epoch(struct fn_run *r);
int fn_run_log_saved(struct fn_run *r, double seconds);
int fn_run_log_sync(struct fn_run *r); /* all to the disk, with a mark: before a checkpoint */
int fn_run_log_histograms(struct fn_run *r, uint64_t step);

/* run_step.c */
enum fn_why { FN_WHY_EPOCH = 0, FN_WHY_ENOUGH, FN_WHY_INTERRUPTED, FN_WHY_DIVERGED };
/* Batches until the epoch ends or something else does. */
int fn_run_epoch(struct fn_run *r, double rate, enum fn_why *why);
int fn_run_feed(struct fn_run *r); /* (re)start the training loader at the current step */

/* run_eval.c */
int fn_run_validate(struct fn_run *r);
int fn_run_lfw(struct fn_run *r);

/* run_save.c */
int fn_run_save(struct fn_run *r, int must);              /* must: a full disk ends the run */
int fn_run_restore(struct fn_run *r, const char *folder); /* weights and state of a checkpoint */
int fn_run_go_back(struct fn_run *r);                     /* to the last checkpoint, once */

/* Global step at the current epoch's start. */
static inline int64_t fn_run_epoch_start(const struct fn_run *r)
{
    return (int64_t)r->state.step - r->state.batch;
}

#ifdef __cplusplus
}
#endif
#endif
