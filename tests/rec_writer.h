/* SPDX-License-Identifier: MIT */
/* Writes RecordIO into memory, as dmlc's RecordIOWriter does: for tests. */
#ifndef FN_TESTS_REC_WRITER_H
#define FN_TESTS_REC_WRITER_H

#include "tests/test.h"

#include "base/image.h"

static inline void rec_put(struct fn_bytes *to, const void *data, size_t bytes)
{
    assert_ok(fn_bytes_reserve(to, to->bytes + bytes + 1));
    if (bytes)
        memcpy(to->data + to->bytes, data, bytes);
    to->bytes += bytes;
}

static inline void rec_put_u32(struct fn_bytes *to, uint32_t value)
{
    uint8_t b[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                    (uint8_t)(value >> 24)};
    rec_put(to, b, sizeof b);
}

static inline void rec_part(struct fn_bytes *to, uint32_t flag, const uint8_t *data, size_t bytes)
{
    rec_put_u32(to, 0xced7230au);
    rec_put_u32(to, flag << 29 | (uint32_t)bytes);
    rec_put(to, data, bytes);
    rec_put(to, "\0\0\0", (4 - bytes % 4) % 4);
}

/* One record; returns the number of its parts. */
static inline int rec_record(struct fn_bytes *to, const uint8_t *data, size_t bytes)
{
    static const uint8_t magic[4] = {0x0a, 0x23, 0xd7, 0xce};
    size_t from = 0;
    int parts = 1;
    for (size_t i = 0; i + 4 <= bytes; i += 4) {
        if (memcmp(data + i, magic, 4) != 0)
            continue;
        rec_part(to, from ? 2 : 1, data + from, i - from);
        from = i + 4;
        parts++;
    }
    rec_part(to, from ? 3 : 0, data + from, bytes - from);
    return parts;
}

/* A record of a picture: n labels behind the header, or with n 0 labels[0] in it. */
static inline int rec_picture(struct fn_bytes *to, uint64_t id, uint32_t n, const float *labels,
                              const void *image, size_t bytes)
{
    struct fn_bytes data = {NULL, 0, 0};
    uint32_t bits;
    float in_header = n ? 0 : labels[0];
    rec_put_u32(&data, n);
    memcpy(&bits, &in_header, sizeof bits);
    rec_put_u32(&data, bits);
    rec_put_u32(&data, (uint32_t)id);
    rec_put_u32(&data, (uint32_t)(id >> 32));
    rec_put_u32(&data, 0);
    rec_put_u32(&data, 0);
    for (uint32_t i = 0; i < n; i++) {
        memcpy(&bits, &labels[i], sizeof bits);
        rec_put_u32(&data, bits);
    }
    rec_put(&data, image, bytes);
    int parts = rec_record(to, data.data, data.bytes);
    fn_bytes_free(&data);
    return parts;
}

#endif
