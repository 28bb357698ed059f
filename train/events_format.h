/* SPDX-License-Identifier: MIT */
/* The bytes of event files, apart from the files themselves: protocol buffers and TFRecord framing.
 *
 *     Event      1 double wall_time, 2 int64 step, 3 string file_version, 5 Summary summary,
 *                7 SessionLog session_log
 *     Summary    1 repeated Value value
 *     Value      1 string tag, 2 float simple_value, 4 Image image, 5 HistogramProto histo
 *     Image      1 int32 height, 2 int32 width, 3 int32 colorspace, 4 bytes encoded_image_string
 *     HistogramProto  1 min, 2 max, 3 num, 4 sum, 5 sum_squares (doubles),
 *                6 repeated double bucket_limit, 7 repeated double bucket (both packed)
 *     SessionLog 1 enum status (1 START, 2 STOP, 3 CHECKPOINT), 2 string checkpoint_path
 *
 *     TFRecord   u64 length, u32 masked CRC-32C of it, data, u32 masked CRC-32C of the data */
#ifndef FN_TRAIN_EVENTS_FORMAT_H
#define FN_TRAIN_EVENTS_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "train/events.h"

/* A message being built. `failed` is set when memory ran out and stays; zero it before first use.
 */
struct fn_proto {
    unsigned char *data;
    size_t bytes, cap;
    int failed;
};
void fn_proto_free(struct fn_proto *p);
void fn_proto_int(struct fn_proto *p, int field, int64_t value);
void fn_proto_double(struct fn_proto *p, int field, double value);
void fn_proto_float(struct fn_proto *p, int field, float value);
void fn_proto_bytes(struct fn_proto *p, int field, const void *data, size_t bytes);
void fn_proto_message(struct fn_proto *p, int field, const struct fn_proto *inner); /* copies */
void fn_proto_histogram(struct fn_proto *p, const struct fn_histogram *h);

/* Appends the framed record to `out`. */
void fn_proto_frame(struct fn_proto *out, const struct fn_proto *event);

/* What resuming needs to know of a record. */
struct fn_event_seen {
    int64_t step;
    int checkpoint; /* it is a CHECKPOINT mark */
};
/* The record at data[0]: its length in bytes, or 0 where there is no whole, sound one. */
size_t fn_event_read(const unsigned char *data, size_t bytes, struct fn_event_seen *seen);

#endif
