/* SPDX-License-Identifier: MIT */
/* Learning rates. The schedule file: lines "epoch: rate"; '#' begins a comment, blank lines are
 * fine; the last line whose epoch <= the current epoch counts; a rate of '-' or <= 0 ends training
 * before that epoch. On top, always: staircase exponential decay. */
#ifndef FN_TRAIN_SCHEDULE_H
#define FN_TRAIN_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fn_schedule;

/* FN_EFORMAT: "lr.txt:3: ..." for the first bad line, or no line at all. */
int fn_schedule_open(struct fn_schedule **schedule, const char *path);
/* The same from memory (not NUL-terminated); `where` stands for the path in sentences. */
int fn_schedule_parse(struct fn_schedule **schedule, const char *text, size_t bytes,
                      const char *where);
void fn_schedule_close(struct fn_schedule **schedule);

/* *rate > 0, or 0: training ends before this epoch. FN_EFORMAT: no line speaks of it (the first
 * line's epoch is later). Any thread. */
int fn_schedule_rate(const struct fn_schedule *schedule, int64_t epoch, double *rate);

/* rate * factor^floor(step / (decay_epochs * epoch_size)); step = updates done before this one.
 * decay_epochs, epoch_size >= 1. */
double fn_staircase(double rate, double factor, int64_t decay_epochs, int64_t epoch_size,
                    uint64_t step);

/* What warm-up and cosine leave of a rate: (step + 1) / warmup while step < warmup; then, with
 * t = (step - warmup) / (cosine - warmup), 1 at most, floor + (1 - floor) (1 + cos(pi t)) / 2. */
struct fn_ramp {
    int64_t warmup; /* steps, >= 0 */
    int64_t cosine; /* the step at which the floor is reached, > warmup; 0: no cosine */
    double floor;   /* 0 .. 1 */
};
double fn_ramp_share(const struct fn_ramp *ramp, uint64_t step);

#ifdef __cplusplus
}
#endif
#endif
