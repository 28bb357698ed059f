/* SPDX-License-Identifier: MIT */
/* TensorBoard event files: TFRecord framing (length, masked CRC32C, data, masked CRC32C) around
 * protocol buffers Event { wall_time, step, summary { tag, value } }, written by hand: the few
 * fields needed are listed in events.c.
 *
 * One file a run: <folder>/events.out.tfevents.<start time>.<host>. A resumed run goes on in it:
 * fn_events_checkpoint puts a mark (TensorFlow's own session_log CHECKPOINT) behind what belongs to
 * the checkpoint at a step; fn_events_open with that step cuts the file behind the mark, so that
 * nothing stands twice, whatever the x axis of a tag counts. Where there is no such mark, before
 * the first event of a later step. A torn end is cut off too.
 *
 * Writing is buffered (see append.h). One thread. */
#ifndef FN_TRAIN_EVENTS_H
#define FN_TRAIN_EVENTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fn_events;

/* resume < 0: a new file. Else go on in the newest event file of the folder (a new one if there is
 * none), cut back to the checkpoint at step `resume`. The folder must exist. */
int fn_events_open(struct fn_events **events, const char *folder, int64_t resume);

/* x: what TensorBoard calls the step. tag: "lfw/accuracy". */
int fn_events_scalar(struct fn_events *events, const char *tag, int64_t x, double value);

/* A histogram with TensorFlow's buckets: limits 1e-12 * 1.1^k below 1e20 and DBL_MAX, mirrored,
 * with zero between. Zero it before first use. Values that are not finite are counted apart and
 * left out. */
#define FN_HISTOGRAM_SIDE 775 /* limits on one side */
#define FN_HISTOGRAM_BUCKETS (2 * FN_HISTOGRAM_SIDE + 1)
struct fn_histogram {
    double min, max, sum, sum_squares;
    uint64_t count, not_finite;
    uint64_t bucket[FN_HISTOGRAM_BUCKETS]; /* bucket i: limit i - 1 <= value < limit i */
};
void fn_histogram_add(struct fn_histogram *h, const float *values, size_t count);
int fn_events_histogram(struct fn_events *events, const char *tag, int64_t x,
                        const struct fn_histogram *h);

/* png: an encoded w x h picture. */
int fn_events_image(struct fn_events *events, const char *tag, int64_t x, int w, int h,
                    const void *png, size_t bytes);

/* What was written so far belongs to the checkpoint at this step; also to the disk. Call it before
 * the checkpoint is renamed in place. */
int fn_events_checkpoint(struct fn_events *events, int64_t step);

int fn_events_flush(struct fn_events *events);
int fn_events_close(struct fn_events **events); /* flushes */

/* The checksum of TFRecords: CRC-32C (Castagnoli, reflected 0x82F63B78), not masked. */
uint32_t fn_crc32c(const void *data, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
