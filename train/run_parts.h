/* SPDX-License-Identifier: MIT */
/* What the files of run*.c share: a run, and its parts in the order in which they are opened. */
#ifndef FN_TRAIN_RUN_PARTS_H
#define FN_TRAIN_RUN_PARTS_H

#include "train/checkpoint.h"
#include "train/events.h"
#include "train/exec.h"
#include "train/group_ring.h"
#include "train/lfw_run.h"
#include "train/loader.h"
#include "train/metrics.h"
#include "train/run.h"
#include "train/schedule.h"
#include "train/split.h"
#include "train/step.h"
#include "train/triplet_online.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fn_run;

/* A loader and the host memory of its slots. */
struct fn_ring {
    struct fn_loader *loader;
    struct fn_loader_slot slot[FN_LOADER_SLOTS];
    int n;
};

enum {
    FN_LOG_STEPS = 0,
    FN_LOG_VALIDATION, /* softmax */
    FN_LOG_EPOCHS,
    FN_LOG_LFW,
    FN_LOG_GROUPS,    /* triplet */
    FN_LOG_PRELOGITS, /* softmax */
    FN_LOG_COUNT
};

/* A step that is queued, and not read yet. */
struct fn_flight {
    uint64_t number;            /* the step, from 1 */
    int64_t batch, batches;     /* in its epoch, from 1; of it, as far as was known then */
    int n;                      /* images */
    double rate, begin, wait_s; /* wait_s: for its images */
    int follows;                /* right after another step: nothing else was done between them */
    struct fn_online_figures online; /* of online mining */
    struct fn_batch data;
};
/* The steps under way: one more than r->lag at most. */
struct fn_flights {
    struct fn_flight flight[2];
    int ahead, running; /* running: not drained since the last step */
};

enum fn_why { FN_WHY_EPOCH = 0, FN_WHY_ENOUGH, FN_WHY_INTERRUPTED, FN_WHY_DIVERGED };

/* What differs between the losses. */
struct fn_run_loss {
    const char *name;
    int head, eval_head;                       /* enum fn_head of the execs */
    int64_t first_epoch;                       /* number of the first epoch */
    int (*open_data)(struct fn_run *r);        /* the split is there */
    uint64_t (*bytes)(const struct fn_run *r); /* host and device memory besides the ring */
    int (*open_device)(struct fn_run *r);      /* model and training ring are there */
    void (*close)(struct fn_run *r);
    int (*feed)(
        struct fn_run *r); /* begin at the current step: at the start, and after going back */
    /* Batches until the epoch ends or something else does. */
    int (*epoch)(struct fn_run *r, double rate, enum fn_why *why);
    int (*log_step)(struct fn_run *r, const double losses[FN_LOSS_COUNT],
                    const struct fn_flight *flight, double seconds);
    int accuracy_digits; /* of LFW's accuracy on the console */
};
extern const struct fn_run_loss fn_run_softmax, fn_run_triplet, fn_run_online;
struct fn_triplets; /* run_triplet_parts.h */

/* What is measured, for lines, tables and the summary. NAN: not (yet). */
struct fn_run_figures {
    double loss, accuracy; /* of the last step */
    double gradient;       /* its global norm, where it is clipped */
    int folded;            /* embeddings lie in one point, and that was said */
    int starved;           /* steps of online mining in a row without an active triplet */
    double validation_loss, validation_xent, validation_accuracy;
    double lfw_accuracy, lfw_val;
    double train_s, validate_s, evaluate_s, save_s; /* of this epoch */
    double speed;                                   /* images/s, smoothed */
    double wait_s;                                  /* for the loader, of this epoch */
    double host_s; /* the device's for the host, of this epoch; not because of the loader */
    double all_train_s, all_wait_s, all_host_s, all_validate_s,
        all_evaluate_s; /* of the epochs before */
    double all_save_s;
    double warm, warm_train_s; /* end of this process's first step, fn_now(); what it took */
    uint64_t steps, images, epoch_images; /* of this process; of this epoch */
    uint64_t skipped;                     /* steps of it that were not finite */
    uint64_t bad;                         /* pictures, before the loader was started last */
};

struct fn_run {
    const struct fn_train_options *o;
    const struct fn_run_loss *loss;
    struct fn_triplets *triplets; /* of the triplet loss, mined offline */
    struct fn_online *online;     /* mined online, from */
    struct fn_group_ring *groups;
    const char *resumed; /* checkpoint's folder, or NULL; borrowed */
    struct fn_train_state state;
    /* data */
    struct fn_store *store;
    struct fn_split *split;
    struct fn_class_list *classes;
    struct fn_source *source;
    struct fn_schedule *schedule;
    int64_t last_epoch; /* of the options, or of a schedule that ends before */
    struct fn_sampler sampler;
    struct fn_examples by_place; /* --shuffle window: training examples in the store's order */
    struct fn_window_sampler window;
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
    /* Steps between queueing and reading losses: 1 on devices that run by themselves, but where
     * --log_histograms looks into their memory between steps. */
    int lag;
    float *prelogits; /* of a batch, on the host */
    /* feeding */
    struct fn_ring train_ring, eval_ring;
    /* folders and logs */
    char *name, *folder, *log_folder; /* of the run: models, logs */
    int lock;
    struct fn_metrics *metrics[FN_LOG_COUNT];
    struct fn_events *events;
    struct fn_run_figures figures;
    double began, last_line, last_complaint, last_finish; /* fn_now() */
    double page_done, page_s; /* when the page was written last; how long that took */
    int bad_in_row;
    int saved; /* a checkpoint of the current step is on disk */
};

/* run.c: data, device and network of a run that leaves no folder: no logs, no rings, no state. */
int fn_run_open_bare(struct fn_run **run, const struct fn_train_options *options);

/* run_folder.c */
int fn_run_folder_open(struct fn_run *r); /* makes or finds the folders, locks, arguments.txt */
void fn_run_folder_close(struct fn_run *r);

/* run_store.c */
/* Opens the store; of a tree under --data_path it makes one first, once. FN_EINTERRUPTED: while it
 * was made. */
int fn_run_store_open(struct fn_run *r);

/* A line of starts.tsv: the process begins here, or goes on from here. */
int fn_run_note_start(struct fn_run *r, const char *what);

/* run_data.c */
int fn_run_data_open(struct fn_run *r);
void fn_run_data_close(struct fn_run *r);
struct fn_order fn_run_order(const struct fn_run *r); /* softmax: endless, by --shuffle */
/* The training ring starts at the state's step; a damaged picture is replaced. */
int fn_run_feed(struct fn_run *r, struct fn_order order, int rotate);
int fn_run_workers(const struct fn_run *r);
int fn_ring_open(struct fn_run *r, struct fn_ring *ring, int n);
void fn_ring_close(struct fn_run *r, struct fn_ring *ring);
/* The learning rate of an epoch, 0: training ends before it. */
int fn_run_rate(const struct fn_run *r, int64_t epoch, double *rate);
/* Of a step in it: with decay, warm-up and cosine. step: updates done before this one. */
double fn_run_step_rate(const struct fn_run *r, double rate, uint64_t step);

/* run_summary.c */
int fn_run_say_plan(struct fn_run *r);                           /* once, before the first step */
void fn_run_say_estimate(const struct fn_run *r, uint64_t step); /* once, after a few */
/* Seconds until the run ends: steps at the present speed, and what came between them so far. */
double fn_run_time_left(const struct fn_run *r, uint64_t step);

/* run_selftest.c */
struct fn_dev_options fn_run_dev_options(const struct fn_train_options *o);
/* Small shapes only, no speeds, well under 2 s: before a run on a GPU. */
int fn_run_selftest_quick(struct fn_run *r, const struct fn_dev_options *options);

/* run_net.c */
int fn_run_net_open(struct fn_run *r); /* device, plans, memory, weights */
void fn_run_net_close(struct fn_run *r);

/* run_memory.c */
/* What a run has of memory beside its model's, for training batches of n. Before it is taken, with
 * the plans made. */
enum { FN_RUN_MEMORY = 5 };
void fn_run_memory(const struct fn_run *r, int n, struct fn_memory_row rows[FN_RUN_MEMORY]);

/* run_extra.c */
/* What goes beyond the originals, from the options into the step's and the model's. */
void fn_run_extra_step(const struct fn_train_options *o, struct fn_step_options *step);
void fn_run_extra_say(const struct fn_run *r); /* the banner's lines of them */

/* run_log.c */
int fn_run_log_open(struct fn_run *r);
int fn_run_log_flush(struct fn_run *r); /* all that is pending; the first failure, untolerated */
int fn_run_log_close(struct fn_run *r);
int fn_run_log_triplet_step(struct fn_run *r, const double losses[FN_LOSS_COUNT],
                            const struct fn_flight *flight, double seconds);
int fn_run_log_step(struct fn_run *r, const double losses[FN_LOSS_COUNT],
                    const struct fn_flight *flight, double seconds);
/* For the lines of other losses: a row, an event (a full disk is tolerated), figures of a step. */
int fn_run_log_row(struct fn_run *r, int table, int64_t key, const double *values);
int fn_run_log_event(struct fn_run *r, const char *tag, int64_t x, double value);
void fn_run_log_figures(struct fn_run *r, const double losses[FN_LOSS_COUNT],
                        const struct fn_flight *flight, double seconds);
/* Whether the line of this step is to be printed; then the end of the line: speed, ETA. */
int fn_run_log_line(struct fn_run *r, const struct fn_flight *flight);
#define FN_LOG_TAIL 160
char *fn_run_log_tail(const struct fn_run *r, const struct fn_flight *flight, char *buf,
                      size_t cap);
int fn_run_log_every(struct fn_run *r, uint64_t step); /* histograms, where they are due */
/* A full disk must not end a run: what could not be written is said, once a minute at most. */
int fn_run_tolerate(struct fn_run *r, int rc);
int fn_run_log_validation(struct fn_run *r, uint64_t images);
int fn_run_log_lfw(struct fn_run *r, const struct fn_lfw_result *result);
int fn_run_log_epoch(struct fn_run *r);
int fn_run_log_saved(struct fn_run *r, double seconds);
int fn_run_log_sync(struct fn_run *r); /* all to the disk, with a mark: before a checkpoint */

/* run_log_detail.c */
int fn_run_log_detailed(const struct fn_run *r, uint64_t step); /* --log_histograms, and due */
int fn_run_log_histograms(struct fn_run *r, uint64_t step);     /* weights and gradients */
int fn_run_log_crops(struct fn_run *r, const uint8_t *images, int n); /* of the first batch */
/* Counts those of the step that was read last; not on a device that is already at the next one. */
int fn_run_log_prelogits(struct fn_run *r, int n, uint64_t step);
int fn_run_log_prelogits_epoch(struct fn_run *r); /* writes the counts down, and begins anew */

/* run_step.c */
/* Queue the loader's next batch on this exec; read the losses of the one before, if there is one
 * too many. *why is set where it diverged. */
int fn_run_batch(struct fn_run *r, struct fn_exec *exec, double rate, struct fn_flights *flights,
                 enum fn_why *why);
/* Batches of the training exec until the epoch ends, or something else does. */
int fn_run_batches(struct fn_run *r, double rate, enum fn_why *why);
int fn_run_drain(struct fn_run *r, struct fn_flights *flights, enum fn_why *why);
int fn_run_ended(const struct fn_run *r, enum fn_why *why); /* stopped by a signal or --max_steps */
/* --save_every_n_steps, within an epoch. */
int fn_run_save_due(struct fn_run *r, struct fn_flights *flights, enum fn_why *why);

/* run_eval.c */
int fn_run_validate(struct fn_run *r);
int fn_run_lfw(struct fn_run *r);

/* run_save.c */
/* The page of the run, from its logs; not too often unless it must be. */
int fn_run_put_page(struct fn_run *r, int must);
int fn_run_save(struct fn_run *r, int must); /* must: a full disk ends the run */
/* Before a checkpoint, with no step under way: *why is FN_WHY_DIVERGED where weights or moving
 * statistics are not finite, so that a checkpoint is always one to go back to. */
int fn_run_check_weights(struct fn_run *r, enum fn_why *why);
int fn_run_restore(struct fn_run *r, const char *folder); /* weights and state of a checkpoint */
int fn_run_go_back(struct fn_run *r);                     /* to the last checkpoint, once */

/* Global step at the current epoch's start. */
static inline int64_t fn_run_epoch_start(const struct fn_run *r)
{
    return (int64_t)r->state.step - r->state.batch;
}

/* All batches of the current epoch are done: triplet epochs end with a group. */
static inline int fn_run_epoch_over(const struct fn_run *r)
{
    return r->state.batch >= r->o->epoch_size && !r->state.triplets;
}

/* Batches of the current epoch, as far as is known: epoch_size, or, once a group's triplets are
 * selected that end behind it, those up to that end. */
static inline int64_t fn_run_epoch_batches(const struct fn_run *r)
{
    const int64_t n = r->o->batch_size, rows = (int64_t)r->state.triplet_rows;
    const int64_t end = r->state.batch - r->state.group_batches + (rows + n - 1) / n;
    return r->state.triplets && end > r->o->epoch_size ? end : r->o->epoch_size;
}

/* Number of the next epoch; of the last one. Triplet epochs can be longer than epoch_size. */
static inline int64_t fn_run_next_epoch(const struct fn_run *r)
{
    return r->loss->head == FN_HEAD_TRIPLET ? (int64_t)r->state.step / r->o->epoch_size
                                            : r->state.epoch + 1;
}
static inline int64_t fn_run_last_epoch(const struct fn_run *r)
{
    return r->o->max_epochs - 1 + r->loss->first_epoch;
}

/* --max_steps are done. */
static inline int fn_run_enough(const struct fn_run *r)
{
    return r->o->max_steps && r->state.step >= (uint64_t)r->o->max_steps;
}

/* Nothing is trained after the current epoch; it is validated. A run that goes on from here with
 * other options may find that neither holds any more. */
static inline int fn_run_last(const struct fn_run *r)
{
    return fn_run_enough(r) || fn_run_next_epoch(r) > fn_run_last_epoch(r);
}
static inline int fn_run_validates(const struct fn_run *r)
{
    return fn_run_last(r) || r->state.epoch % r->o->validate_every == 0;
}

#ifdef __cplusplus
}
#endif
#endif
