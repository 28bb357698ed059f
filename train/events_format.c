/* SPDX-License-Identifier: MIT */
/* Protocol buffers by hand: a key (field number << 3 | wire type), then a varint (0), eight bytes
 * (1), a length and bytes (2) or four bytes (5). */
#include "train/events_format.h"

#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum wire { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

void fn_proto_free(struct fn_proto *p)
{
    free(p->data);
    *p = (struct fn_proto){0};
}

static void put(struct fn_proto *p, const void *data, size_t bytes)
{
    if (p->bytes + bytes > p->cap && !p->failed) {
        size_t cap = 2 * (p->bytes + bytes) + 64;
        unsigned char *more = realloc(p->data, cap);
        if (more) {
            p->data = more;
            p->cap = cap;
        } else {
            p->failed = 1;
        }
    }
    if (p->failed || bytes == 0)
        return;
    memcpy(p->data + p->bytes, data, bytes);
    p->bytes += bytes;
}

static void put_varint(struct fn_proto *p, uint64_t v)
{
    unsigned char b[10];
    size_t n = 0;
    for (; v >= 128; v >>= 7)
        b[n++] = (unsigned char)(v | 128);
    b[n++] = (unsigned char)v;
    put(p, b, n);
}

static void put_little(struct fn_proto *p, uint64_t v, size_t bytes)
{
    unsigned char b[8];
    for (size_t i = 0; i < bytes; i++)
        b[i] = (unsigned char)(v >> 8 * i);
    put(p, b, bytes);
}

static void put_key(struct fn_proto *p, int field, enum wire wire)
{
    put_varint(p, (uint64_t)field << 3 | (uint64_t)wire);
}

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

void fn_proto_int(struct fn_proto *p, int field, int64_t value)
{
    put_key(p, field, WIRE_VARINT);
    put_varint(p, (uint64_t)value);
}

void fn_proto_double(struct fn_proto *p, int field, double value)
{
    put_key(p, field, WIRE_64);
    put_little(p, bits_of(value), 8);
}

void fn_proto_float(struct fn_proto *p, int field, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_key(p, field, WIRE_32);
    put_little(p, bits, 4);
}

void fn_proto_bytes(struct fn_proto *p, int field, const void *data, size_t bytes)
{
    put_key(p, field, WIRE_BYTES);
    put_varint(p, bytes);
    put(p, data, bytes);
}

void fn_proto_message(struct fn_proto *p, int field, const struct fn_proto *inner)
{
    p->failed |= inner->failed;
    fn_proto_bytes(p, field, inner->data, inner->bytes);
}

/* ---- histograms ---- */
static double limits[FN_HISTOGRAM_BUCKETS];
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* TensorFlow's own, by repeated multiplication as there. */
static void make_limits(void)
{
    double v = 1e-12;
    for (int i = 1; i <= FN_HISTOGRAM_SIDE; i++, v *= 1.1) {
        double limit = i == FN_HISTOGRAM_SIDE ? DBL_MAX : v;
        limits[FN_HISTOGRAM_SIDE + i] = limit;
        limits[FN_HISTOGRAM_SIDE - i] = -limit;
    }
}

/* The first limit above the value. */
static size_t bucket_of(double value)
{
    size_t low = 0, high = FN_HISTOGRAM_BUCKETS - 1;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (value < limits[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

void fn_histogram_add(struct fn_histogram *h, const float *values, size_t count)
{
    pthread_once(&once, make_limits);
    for (size_t i = 0; i < count; i++) {
        double v = (double)values[i];
        if (!isfinite(v)) {
            h->not_finite++;
            continue;
        }
        h->min = h->count == 0 || v < h->min ? v : h->min;
        h->max = h->count == 0 || v > h->max ? v : h->max;
        h->sum += v;
        h->sum_squares += v * v;
        h->count++;
        h->bucket[bucket_of(v)]++;
    }
}

/* A run of empty buckets becomes one, as in TensorFlow. */
void fn_proto_histogram(struct fn_proto *p, const struct fn_histogram *h)
{
    struct fn_proto limit = {0}, bucket = {0};
    pthread_once(&once, make_limits);
    for (size_t i = 0; i < FN_HISTOGRAM_BUCKETS; i++) {
        if (h->bucket[i] == 0 && i + 1 < FN_HISTOGRAM_BUCKETS && h->bucket[i + 1] == 0)
            continue;
        put_little(&limit, bits_of(limits[i]), 8);
        put_little(&bucket, bits_of((double)h->bucket[i]), 8);
    }
    fn_proto_double(p, 1, h->min);
    fn_proto_double(p, 2, h->max);
    fn_proto_double(p, 3, (double)h->count);
    fn_proto_double(p, 4, h->sum);
    fn_proto_double(p, 5, h->sum_squares);
    fn_proto_message(p, 6, &limit);
    fn_proto_message(p, 7, &bucket);
    fn_proto_free(&limit);
    fn_proto_free(&bucket);
}

/* ---- records ---- */
static uint32_t masked(const void *data, size_t bytes)
{
    uint32_t c = fn_crc32c(data, bytes);
    return (c >> 15 | c << 17) + 0xa282ead8u;
}

void fn_proto_frame(struct fn_proto *out, const struct fn_proto *event)
{
    size_t at = out->bytes;
    out->failed |= event->failed;
    put_little(out, event->bytes, 8);
    put_little(out, out->failed ? 0 : masked(out->data + at, 8), 4);
    put(out, event->data, event->bytes);
    put_little(out, masked(event->data, event->bytes), 4);
}

static uint64_t get_little(const unsigned char *p, size_t bytes)
{
    uint64_t v = 0;
    while (bytes-- > 0)
        v = v << 8 | p[bytes];
    return v;
}

struct reader {
    const unsigned char *at, *end;
};

static int get_varint(struct reader *r, uint64_t *v)
{
    *v = 0;
    for (int shift = 0; shift < 64 && r->at < r->end; shift += 7) {
        *v |= (uint64_t)(*r->at & 127) << shift;
        if (!(*r->at++ & 128))
            return 1;
    }
    return 0;
}

/* The next field; a varint's value in *v, or the bytes of a length-delimited one in *inner. */
static int get_field(struct reader *r, uint64_t *field, uint64_t *v, struct reader *inner)
{
    uint64_t key, skip;
    *inner = (struct reader){r->at, r->at};
    if (r->at == r->end || !get_varint(r, &key))
        return 0;
    *field = key >> 3;
    *v = 0;
    switch ((enum wire)(key & 7)) {
    case WIRE_VARINT:
        return get_varint(r, v);
    case WIRE_64:
        skip = 8;
        break;
    case WIRE_32:
        skip = 4;
        break;
    case WIRE_BYTES:
        if (!get_varint(r, &skip))
            return 0;
        break;
    default:
        return 0;
    }
    if (skip > (uint64_t)(r->end - r->at))
        return 0;
    *inner = (struct reader){r->at, r->at + skip};
    r->at += skip;
    return 1;
}

size_t fn_event_read(const unsigned char *data, size_t bytes, struct fn_event_seen *seen)
{
    uint64_t field, v;
    struct reader event, inner, unused;
    *seen = (struct fn_event_seen){0, 0};
    if (bytes < 16 || get_little(data + 8, 4) != masked(data, 8))
        return 0;
    uint64_t length = get_little(data, 8);
    if (length > bytes - 16 || get_little(data + 12 + length, 4) != masked(data + 12, length))
        return 0;
    event = (struct reader){data + 12, data + 12 + length};
    while (get_field(&event, &field, &v, &inner)) {
        if (field == 2)
            seen->step = (int64_t)v;
        while (field == 7 && get_field(&inner, &field, &v, &unused)) {
            seen->checkpoint |= field == 1 && v == 3;
            field = 7;
        }
    }
    return 16 + (size_t)length;
}
