/* SPDX-License-Identifier: MIT */
/* RecordIO, taken apart. */
#include "ingest/recordio.h"

#include <string.h>

#define MAGIC 0xced7230au
#define LENGTH_BITS 29
#define HEADER_BYTES 24 /* of a picture: n, label, id, its upper half */

static uint32_t u32_at(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint64_t u64_at(const uint8_t *at)
{
    return (uint64_t)u32_at(at) | (uint64_t)u32_at(at + 4) << 32;
}

static float f32_at(const uint8_t *at)
{
    uint32_t bits = u32_at(at);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

int fn_recordio_begins(const uint8_t *at, size_t bytes)
{
    return bytes >= FN_RECORDIO_HEAD && u32_at(at) == MAGIC &&
           u32_at(at + 4) >> LENGTH_BITS <= 1; /* a whole record or a first part */
}

size_t fn_recordio_find(const uint8_t *at, size_t bytes, size_t from)
{
    for (; from + FN_RECORDIO_HEAD <= bytes; from += 4) {
        if (fn_recordio_begins(at + from, bytes - from))
            break;
    }
    return from;
}

/* The first magic at a multiple of 4 in at[from .. to), or `to`. */
static size_t find_magic(const uint8_t *at, size_t from, size_t to)
{
    for (; from + 4 <= to; from += 4) {
        if (u32_at(at + from) == MAGIC)
            return from;
    }
    return to;
}

static struct fn_recordio_frame damaged(const uint8_t *at, size_t bytes, size_t from)
{
    size_t next = fn_recordio_find(at, bytes, from);
    int found = next + FN_RECORDIO_HEAD <= bytes;
    return (struct fn_recordio_frame){.state = FN_RECORDIO_DAMAGED, .bytes = found ? next : 0};
}

struct fn_recordio_frame fn_recordio_frame(const uint8_t *at, size_t bytes)
{
    struct fn_recordio_frame frame = {.state = FN_RECORDIO_MORE};
    size_t part = 0;
    for (;;) {
        if (bytes - part < FN_RECORDIO_HEAD) {
            if (bytes - part >= 4 && u32_at(at + part) != MAGIC)
                return damaged(at, bytes, part ? part : 4);
            return frame;
        }
        uint32_t head = u32_at(at + part + 4), flag = head >> LENGTH_BITS;
        size_t length = head & ((1u << LENGTH_BITS) - 1), padded = (length + 3) & ~(size_t)3;
        int wrong = u32_at(at + part) != MAGIC || flag > 3 || (flag > 1) != (frame.parts > 0);
        if (wrong)
            return damaged(at, bytes, part ? part : 4);
        size_t data = part + FN_RECORDIO_HEAD, left = bytes - data;
        size_t end = data + (padded < left ? padded : left);
        size_t magic = find_magic(at, data, end);
        if (magic < end)
            return damaged(at, bytes, magic);
        if (padded > left)
            return frame;
        frame.data_bytes += length + (frame.parts ? 4 : 0); /* the magic left out between parts */
        frame.parts++;
        part = end;
        if (flag == 0 || flag == 3) {
            frame.state = FN_RECORDIO_WHOLE;
            frame.bytes = end;
            return frame;
        }
    }
}

void fn_recordio_join(uint8_t *at, const struct fn_recordio_frame *frame)
{
    static const uint8_t magic[4] = {0x0a, 0x23, 0xd7, 0xce};
    size_t from = 0, to = FN_RECORDIO_HEAD;
    for (int i = 0; i < frame->parts; i++) {
        size_t length = u32_at(at + from + 4) & ((1u << LENGTH_BITS) - 1);
        if (i) { /* at most as far as the head that is being read: nothing unread is overwritten */
            memcpy(at + to, magic, sizeof magic);
            to += sizeof magic;
        }
        memmove(at + to, at + from + FN_RECORDIO_HEAD, length);
        to += length;
        from += FN_RECORDIO_HEAD + ((length + 3) & ~(size_t)3);
    }
}

int fn_recordio_parse(const uint8_t *data, size_t bytes, struct fn_recordio_picture *out)
{
    if (bytes < HEADER_BYTES)
        return fn_fail(FN_EFORMAT, "a record of %zu bytes, too short for the header of a picture",
                       bytes);
    out->labels = u32_at(data);
    out->label = f32_at(data + 4);
    out->id = u64_at(data + 8);
    out->image_at = HEADER_BYTES;
    if (out->labels > (bytes - HEADER_BYTES) / 4)
        return fn_fail(FN_EFORMAT, "a record of %zu bytes says that it has %lu labels", bytes,
                       (unsigned long)out->labels);
    if (out->labels)
        out->label = f32_at(data + HEADER_BYTES);
    out->image_at += 4 * (size_t)out->labels;
    out->image_bytes = bytes - out->image_at;
    return FN_OK;
}

int fn_recordio_class(float label, uint32_t *number)
{
    *number = 0;
    if (label >= 0 && label <= (float)FN_RECORDIO_CLASS_MAX)
        *number = (uint32_t)label;
    if ((float)*number == label)
        return FN_OK;
    return fn_fail(FN_EFORMAT, "its label is %g, not the number of a class (0 to %u)",
                   (double)label, FN_RECORDIO_CLASS_MAX);
}
