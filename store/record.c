/* SPDX-License-Identifier: MIT */
/* Records in memory: names, building, taking apart. */
#include <string.h>

#include <xxhash.h>

#include "store/format.h"

const char *fn_codec_name(int codec)
{
    switch (codec) {
    case FN_CODEC_JPEG:
        return "jpeg";
    case FN_CODEC_PNG:
        return "png";
    case FN_CODEC_RAW:
        return "raw";
    default:
        return "?";
    }
}

int fn_name_ok(const char *name, size_t bytes)
{
    if (bytes < 1 || bytes > FN_NAME_MAX)
        return 0;
    if (name[0] == '.' && (bytes == 1 || (bytes == 2 && name[1] == '.')))
        return 0;
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)name[i];
        if (c < 32 || c == 127 || c == '/')
            return 0;
    }
    return 1;
}

size_t fn_record_size(size_t class_bytes, size_t name_bytes, size_t payload_bytes)
{
    size_t n = sizeof(struct fn_record_head) + class_bytes + name_bytes + payload_bytes;
    return (n + FN_RECORD_ALIGN - 1) / FN_RECORD_ALIGN * FN_RECORD_ALIGN;
}

struct fn_new_record fn_record_again(const struct fn_record *rec)
{
    return (struct fn_new_record){.class_name = rec->class_name,
                                  .class_bytes = rec->class_bytes,
                                  .name = rec->name,
                                  .name_bytes = rec->name_bytes,
                                  .codec = rec->codec,
                                  .w = rec->w,
                                  .h = rec->h,
                                  .payload = rec->payload,
                                  .payload_bytes = rec->payload_bytes,
                                  .pixels = rec->pixels};
}

uint64_t fn_record_sum(const uint8_t *at, size_t bytes)
{
    return XXH3_64bits(at + sizeof(uint64_t), bytes - sizeof(uint64_t));
}

void fn_record_put(uint8_t *at, const struct fn_new_record *rec, uint32_t input, uint64_t offset)
{
    struct fn_record_head head = {.magic = FN_RECORD_MAGIC,
                                  .codec = (uint8_t)rec->codec,
                                  .class_bytes = (uint8_t)rec->class_bytes,
                                  .name_bytes = (uint8_t)rec->name_bytes,
                                  .w = (uint32_t)rec->w,
                                  .h = (uint32_t)rec->h,
                                  .input = input,
                                  .payload_bytes = (uint32_t)rec->payload_bytes,
                                  .offset = offset,
                                  .pixels = rec->pixels};
    size_t bytes = fn_record_size(rec->class_bytes, rec->name_bytes, rec->payload_bytes);
    uint8_t *to = at + sizeof head;
    memcpy(to, rec->class_name, rec->class_bytes);
    to += rec->class_bytes;
    memcpy(to, rec->name, rec->name_bytes);
    to += rec->name_bytes;
    memcpy(to, rec->payload, rec->payload_bytes);
    to += rec->payload_bytes;
    memset(to, 0, bytes - (size_t)(to - at));
    memcpy(at, &head, sizeof head);
    head.checksum = fn_record_sum(at, bytes);
    memcpy(at, &head.checksum, sizeof head.checksum);
}

int fn_record_parse(const uint8_t *at, size_t room, struct fn_record *rec, size_t *bytes)
{
    struct fn_record_head head;
    if (room < sizeof head)
        return fn_fail(FN_ECORRUPT, "a record starts %zu bytes before the end of its group", room);
    memcpy(&head, at, sizeof head);
    if (head.magic != FN_RECORD_MAGIC)
        return fn_fail(FN_ECORRUPT, "no record starts here");
    size_t size = fn_record_size(head.class_bytes, head.name_bytes, head.payload_bytes);
    if (size > room || head.payload_bytes < 1 || head.payload_bytes > FN_PAYLOAD_MAX)
        return fn_fail(FN_ECORRUPT, "a record claims %u bytes of picture in a group that has %zu",
                       head.payload_bytes, room);
    const char *names = (const char *)at + sizeof head;
    if (!fn_name_ok(names, head.class_bytes) ||
        !fn_name_ok(names + head.class_bytes, head.name_bytes))
        return fn_fail(FN_ECORRUPT, "a record's names are no names");
    if (head.w < 1 || head.h < 1 || head.w > INT32_MAX || head.h > INT32_MAX)
        return fn_fail(FN_ECORRUPT, "a record claims a picture of %u x %u", head.w, head.h);
    rec->codec = head.codec;
    rec->w = (int)head.w;
    rec->h = (int)head.h;
    rec->class_name = names;
    rec->class_bytes = head.class_bytes;
    rec->name = names + head.class_bytes;
    rec->name_bytes = head.name_bytes;
    rec->input = head.input;
    rec->offset = head.offset;
    rec->pixels = head.pixels;
    rec->payload = (const uint8_t *)rec->name + head.name_bytes;
    rec->payload_bytes = head.payload_bytes;
    rec->checksum = head.checksum;
    if (bytes)
        *bytes = size;
    return FN_OK;
}

int fn_record_check(const uint8_t *at, size_t room, struct fn_record *rec, size_t *bytes)
{
    size_t size = 0;
    int rc = fn_record_parse(at, room, rec, &size);
    if (rc)
        return rc;
    uint64_t sum = fn_record_sum(at, size);
    if (sum != rec->checksum)
        return fn_fail(FN_ECORRUPT, "the checksum is %016llx, should be %016llx",
                       (unsigned long long)sum, (unsigned long long)rec->checksum);
    if (bytes)
        *bytes = size;
    return FN_OK;
}

uint32_t fn_name_hash(const char *name, size_t bytes)
{
    return (uint32_t)XXH3_64bits(name, bytes);
}

uint64_t fn_pixels_hash(int w, int h, const uint8_t *rgb)
{
    size_t bytes = (size_t)w * (size_t)h * 3;
    uint64_t sum = XXH3_64bits_withSeed(rgb, bytes, (uint64_t)w << 32 | (uint64_t)h);
    return sum ? sum : 1;
}

struct fn_sum128 fn_sum128(const void *data, size_t bytes)
{
    XXH128_hash_t hash = XXH3_128bits(data, bytes);
    return (struct fn_sum128){.low = hash.low64, .high = hash.high64};
}

void fn_sum128_text(struct fn_sum128 sum, char text[33])
{
    static const char digit[] = "0123456789abcdef";
    for (int i = 0; i < 16; i++) {
        text[i] = digit[sum.high >> (60 - 4 * i) & 15];
        text[16 + i] = digit[sum.low >> (60 - 4 * i) & 15];
    }
    text[32] = 0;
}
