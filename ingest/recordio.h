/* SPDX-License-Identifier: MIT */
/* RecordIO, as MXNet's tools and insightface write it. Pure functions over bytes, any thread;
 * nothing of a file is trusted. All numbers are little-endian.
 *
 * A file is records, one after another; a record is one part or several; a part is (dmlc-core,
 * include/dmlc/recordio.h):
 *
 *     u32  magic 0xced7230a
 *     u32  flag << 29 | bytes of data; flag 0: all of a record; 1, 2, 3: its first, middle, last
 * part the data, then 0 to 3 bytes up to a multiple of 4
 *
 * Where the magic stands in the data at a multiple of 4, the writer leaves it out and begins a new
 * part. So a magic at a multiple of 4 is always the head of a part, and after damage the next head
 * can be found.
 *
 * A record holds a picture (mxnet/recordio.py, IRHeader):
 *
 *     u32  n
 *     f32  label, if n is 0
 *     u64  id, u64 its upper half
 *     f32  labels[n], of which the first counts
 *     the picture's file
 *
 * or, in insightface's files, none: record 0 has two labels (the first and the last but one record
 * that stands for a class), each of those records has two (the range of its pictures). */
#ifndef FN_INGEST_RECORDIO_H
#define FN_INGEST_RECORDIO_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FN_RECORDIO_HEAD 8 /* bytes in front of a part's data */

/* Do these bytes begin with the head of a record? 1 or 0. */
int fn_recordio_begins(const uint8_t *at, size_t bytes);

/* Where the next head of a record is, from at[from] on in steps of 4; `bytes` or more: there is
 * none among these bytes, and those before the returned place need not be looked at again. */
size_t fn_recordio_find(const uint8_t *at, size_t bytes, size_t from);

enum fn_recordio_state {
    FN_RECORDIO_WHOLE,   /* a record */
    FN_RECORDIO_DAMAGED, /* no record, or one that another begins in the middle of */
    FN_RECORDIO_MORE     /* so far a record, but its end is not among these bytes */
};
struct fn_recordio_frame {
    enum fn_recordio_state state;
    size_t bytes;      /* up to the next record; DAMAGED: 0 if its head is not among these bytes */
    size_t data_bytes; /* WHOLE: of the joined parts */
    int parts;         /* WHOLE */
};
/* What stands at at[0 .. bytes), where a record should begin. */
struct fn_recordio_frame fn_recordio_frame(const uint8_t *at, size_t bytes);

/* Joins the parts of a whole record where it lies: its data then begins at at + FN_RECORDIO_HEAD.
 */
void fn_recordio_join(uint8_t *at, const struct fn_recordio_frame *frame);

struct fn_recordio_picture {
    float label;
    uint32_t labels; /* 0: it has one, in the header */
    uint64_t id;
    size_t image_at, image_bytes; /* in the data */
};
/* Takes the data of a record apart. FN_EFORMAT with a sentence: too short for what it says. */
int fn_recordio_parse(const uint8_t *data, size_t bytes, struct fn_recordio_picture *out);

/* The class that a label stands for: a whole number up to which float32 has all of them.
 * FN_EFORMAT with a sentence: any other. */
#define FN_RECORDIO_CLASS_MAX 16777215u /* 2^24 - 1: eight digits */
int fn_recordio_class(float label, uint32_t *number);

#ifdef __cplusplus
}
#endif
#endif
