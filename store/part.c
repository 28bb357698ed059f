/* SPDX-License-Identifier: MIT */
/* Facts of a sealed shard, written and walked. */
#include "store/part.h"

#include <string.h>

#include <xxhash.h>

int fn_part_put_record(struct fn_sink *sink, const struct fn_record *rec, uint64_t location,
                       uint64_t line)
{
    struct fn_part_record out = {.location = location,
                                 .line = line,
                                 .offset = rec->offset,
                                 .payload_sum = fn_sum128(rec->payload, rec->payload_bytes),
                                 .pixels = rec->pixels,
                                 .input = rec->input,
                                 .payload_bytes = (uint32_t)rec->payload_bytes,
                                 .w = (uint32_t)rec->w,
                                 .h = (uint32_t)rec->h,
                                 .codec = (uint8_t)rec->codec,
                                 .class_bytes = (uint8_t)rec->class_bytes,
                                 .name_bytes = (uint8_t)rec->name_bytes};
    int rc = fn_sink_write(sink, &out, sizeof out);
    if (!rc)
        rc = fn_sink_write(sink, rec->class_name, rec->class_bytes);
    return rc ? rc : fn_sink_write(sink, rec->name, rec->name_bytes);
}

int fn_part_put_reject(struct fn_sink *sink, const uint8_t *packed, size_t bytes)
{
    uint64_t length = bytes;
    int rc = fn_sink_write(sink, &length, sizeof length);
    return rc ? rc : fn_sink_write(sink, packed, bytes);
}

static uint64_t facts_sum(const struct fn_part_facts *facts)
{
    return XXH3_64bits(facts, offsetof(struct fn_part_facts, checksum));
}

int fn_part_put_facts(struct fn_sink *sink, struct fn_part_facts *facts)
{
    memcpy(facts->magic, FN_PART_MAGIC, sizeof facts->magic);
    facts->rejects_bytes = fn_sink_bytes(sink) - facts->records_bytes;
    facts->body_sum = fn_sink_sum(sink);
    facts->checksum = facts_sum(facts);
    return fn_sink_write(sink, facts, sizeof *facts);
}

int fn_part_open(struct fn_part *part, const char *path)
{
    struct fn_part_facts *facts = &part->facts;
    *part = (struct fn_part){0};
    int rc = fn_map_open(&part->map, path);
    if (rc)
        return rc;
    size_t body = part->map.bytes - sizeof *facts;
    if (part->map.bytes < sizeof *facts)
        goto bad;
    memcpy(facts, part->map.data + body, sizeof *facts);
    if (memcmp(facts->magic, FN_PART_MAGIC, sizeof facts->magic) != 0 ||
        facts->checksum != facts_sum(facts) || facts->records_bytes > body ||
        facts->rejects_bytes != body - facts->records_bytes)
        goto bad;
    struct fn_sum128 sum = fn_sum128(part->map.data, body);
    if (sum.low != facts->body_sum.low || sum.high != facts->body_sum.high)
        goto bad;
    return FN_OK;
bad:
    fn_part_close(part);
    return fn_fail(FN_ECORRUPT, "%s is damaged", path);
}

void fn_part_close(struct fn_part *part)
{
    fn_map_close(&part->map);
}

void fn_part_rewind(struct fn_part *part)
{
    part->at = 0;
}

int fn_part_next_record(struct fn_part *part, struct fn_part_record *rec, const char **class_name,
                        const char **name)
{
    if (part->at == part->facts.records_bytes)
        return FN_PART_END;
    const uint8_t *at = part->map.data + part->at;
    memcpy(rec, at, sizeof *rec);
    *class_name = (const char *)at + sizeof *rec;
    *name = *class_name + rec->class_bytes;
    part->at += sizeof *rec + rec->class_bytes + rec->name_bytes;
    return FN_OK;
}

int fn_part_next_reject(struct fn_part *part, const uint8_t **packed, size_t *bytes)
{
    uint64_t length;
    if (part->at == part->facts.records_bytes + part->facts.rejects_bytes)
        return FN_PART_END;
    memcpy(&length, part->map.data + part->at, sizeof length);
    *packed = part->map.data + part->at + sizeof length;
    *bytes = length;
    part->at += sizeof length + length;
    return FN_OK;
}
