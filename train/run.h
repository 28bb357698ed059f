/* SPDX-License-Identifier: MIT */
/* A training run: from options to a trained network in a run folder.
 *
 *     fn_run_open(&run, options, checkpoint);   everything is opened, planned, printed, checked
 *     fn_run_train(run);                        epochs: train, validate, save, LFW, statistics
 *     fn_run_summary(run)                       what became of it
 *     fn_run_close(&run);
 *
 * All of it in one thread; the loaders have their own. */
#ifndef FN_TRAIN_RUN_H
#define FN_TRAIN_RUN_H

#include "train/train_options.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fn_run;

/* --selftest: opens the device of the options, compares its ops with plain loops, prints a line an
 * op (or, with --json, one object) on stdout. FN_EDEVICE: an op is wrong. */
int fn_run_selftest(const struct fn_train_options *options);

/* checkpoint: folder to go on from, NULL for a new run. */
int fn_run_open(struct fn_run **run, const struct fn_train_options *options,
                const char *checkpoint);

/* FN_OK: trained to the end, and the logs are written; logs that could not be are an error, though
 * all is saved. FN_EINTERRUPTED: a signal came; all is saved, the sentence has the
 * command that goes on. */
int fn_run_train(struct fn_run *run);

/* Object: run logs report step epoch; of this process images seconds train_seconds validate_seconds
 * evaluate_seconds save_seconds images_per_second data_wait host_wait bad_pictures skipped_steps;
 * loss accuracy validation_loss validation_accuracy lfw_accuracy lfw_val, the last ones;
 * best_lfw_accuracy best_lfw_step, of the run; saved. What there is not is null. NULL: out of
 * memory.
 *
 * data_wait and host_wait are shares of the time spent on training steps. data_wait: the steps
 * waited for the loader to have a batch ready. host_wait: the device stood still between two steps
 * because the host had not queued the next one yet, for other reasons than the loader (what it
 * would have stood still, had no step waited for the loader); null where the host itself computes.
 * Two steps count only where nothing but steps lies between them: no validation, no checkpoint. */
json_t *fn_run_summary(const struct fn_run *run);

void fn_run_close(struct fn_run **run);

#ifdef __cplusplus
}
#endif
#endif
