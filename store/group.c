/* SPDX-License-Identifier: MIT */
/* Groups: several records in one LMDB value, so that little is lost to whole pages. */
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "store/format.h"

size_t fn_group_value_bytes(uint64_t used)
{
    uint64_t head = 16; /* of an LMDB page */
    uint64_t bytes = (used + head + FN_PAGE - 1) / FN_PAGE * FN_PAGE - head;
    return (size_t)(bytes < FN_VALUE_MIN ? FN_VALUE_MIN : bytes);
}

static int grow(struct fn_group *group, size_t more)
{
    int rc = fn_bytes_reserve(&group->records, group->records.bytes + more);
    if (rc)
        return rc;
    if (group->count == group->cap) {
        size_t cap = group->cap ? 2 * group->cap : 64;
        struct fn_group_entry *table = realloc(group->table, cap * sizeof *table);
        if (!table)
            return fn_fail(FN_ENOMEM, "no memory for a group of %zu records", cap);
        group->table = table;
        group->cap = cap;
    }
    return FN_OK;
}

int fn_group_add(struct fn_group *group, const struct fn_position *pos,
                 const struct fn_new_record *rec)
{
    size_t bytes = fn_record_size(rec->class_bytes, rec->name_bytes, rec->payload_bytes);
    int rc = grow(group, bytes);
    if (rc)
        return rc;
    group->table[group->count++] = (struct fn_group_entry){.where = (uint32_t)group->records.bytes,
                                                           .input = pos->input,
                                                           .line = pos->line,
                                                           .offset = pos->offset};
    fn_record_put(group->records.data + group->records.bytes, rec, pos->input, pos->offset);
    group->records.bytes += bytes;
    return FN_OK;
}

void fn_group_clear(struct fn_group *group)
{
    group->records.bytes = 0;
    group->count = 0;
}

void fn_group_free(struct fn_group *group)
{
    fn_bytes_free(&group->records);
    free(group->table);
    *group = (struct fn_group){0};
}

static size_t table_bytes(size_t count)
{
    return count * sizeof(struct fn_group_entry);
}

uint64_t fn_group_used(const struct fn_group *group)
{
    return sizeof(struct fn_group_head) + table_bytes(group->count) + group->records.bytes;
}

int fn_group_full(const struct fn_group *group)
{
    return group->records.bytes >= FN_GROUP_BYTES;
}

void fn_group_put_front(const struct fn_group *group, uint64_t number, uint8_t *out)
{
    struct fn_group_head head = {.magic = FN_GROUP_MAGIC,
                                 .count = (uint32_t)group->count,
                                 .number = number,
                                 .used = fn_group_used(group)};
    size_t front = sizeof head + table_bytes(group->count);
    for (size_t i = 0; i < group->count; i++) {
        struct fn_group_entry entry = group->table[i];
        entry.where += (uint32_t)front;
        memcpy(out + sizeof head + i * sizeof entry, &entry, sizeof entry);
    }
    memcpy(out, &head, sizeof head);
    head.checksum = XXH3_64bits(out + sizeof head.checksum, front - sizeof head.checksum);
    memcpy(out, &head.checksum, sizeof head.checksum);
}

int fn_group_parse(const uint8_t *value, size_t bytes, uint64_t number, struct fn_group_head *head,
                   const struct fn_group_entry **table)
{
    if (bytes < sizeof *head)
        return fn_fail(FN_ECORRUPT, "a group of %zu bytes", bytes);
    memcpy(head, value, sizeof *head);
    size_t front = sizeof *head + table_bytes(head->count);
    if (head->magic != FN_GROUP_MAGIC || front > head->used || head->used > bytes ||
        fn_group_value_bytes(head->used) != bytes)
        return fn_fail(FN_ECORRUPT, "the head of group %llu is damaged",
                       (unsigned long long)number);
    uint64_t sum = XXH3_64bits(value + sizeof sum, front - sizeof sum);
    if (sum != head->checksum)
        return fn_fail(FN_ECORRUPT, "the table of group %llu has checksum %016llx, not %016llx",
                       (unsigned long long)number, (unsigned long long)sum,
                       (unsigned long long)head->checksum);
    if (head->number != number)
        return fn_fail(FN_ECORRUPT, "group %llu stands where %llu belongs",
                       (unsigned long long)head->number, (unsigned long long)number);
    const struct fn_group_entry *entry = (const void *)(value + sizeof *head);
    for (size_t i = 0; i < head->count; i++) {
        size_t least = i ? entry[i - 1].where + sizeof(struct fn_record_head) : front;
        if (entry[i].where < least || entry[i].where >= head->used ||
            entry[i].where % FN_RECORD_ALIGN)
            return fn_fail(FN_ECORRUPT, "record %zu of group %llu has no place", i,
                           (unsigned long long)number);
    }
    *table = entry;
    return FN_OK;
}

int fn_group_tail_ok(const uint8_t *value, size_t bytes, const struct fn_group_head *head)
{
    for (size_t i = head->used; i < bytes; i++)
        if (value[i])
            return 0;
    return 1;
}
