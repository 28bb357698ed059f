/* SPDX-License-Identifier: MIT */
/* Walking a sealed store group by group, and its rejects line by line. */
#include "store/stored.h"

#include <stdlib.h>
#include <string.h>

#include "store/build.h"
#include "store/reader_internal.h"

int fn_stored_open(struct fn_stored *stored, const char *path)
{
    char file[FN_PATH_MAX];
    *stored = (struct fn_stored){0};
    int rc = fn_store_open(&stored->store, path);
    if (!rc)
        rc = fn_reader_open(&stored->reader, stored->store);
    if (!rc)
        rc = fn_map_open(&stored->rejects, fn_store_file(file, path, "rejects.tsv"));
    if (!rc)
        stored->groups = stored->store->manifest->groups;
    stored->lines =
        (struct fn_reject_lines){.data = stored->rejects.data, .bytes = stored->rejects.bytes};
    return rc;
}

void fn_stored_close(struct fn_stored *stored)
{
    fn_reader_close(&stored->reader);
    fn_store_close(&stored->store);
    fn_map_close(&stored->rejects);
    fn_bytes_free(&stored->lines.detail);
    *stored = (struct fn_stored){0};
}

int fn_stored_record(struct fn_stored *stored, struct fn_record *rec, uint64_t *line)
{
    while (stored->group < stored->groups) {
        const uint8_t *value;
        const struct fn_group_entry *table;
        struct fn_group_head head;
        size_t bytes;
        int rc = fn_reader_group(stored->reader, stored->group, &value, &bytes);
        if (!rc)
            rc = fn_group_parse(value, bytes, stored->group, &head, &table);
        if (rc)
            return rc;
        if (stored->entry == head.count) {
            stored->group++;
            stored->entry = 0;
            continue;
        }
        const struct fn_group_entry *entry = &table[stored->entry++];
        *line = entry->line;
        return fn_record_check(value + entry->where, head.used - entry->where, rec, NULL);
    }
    return FN_STORED_END;
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The inverse of fn_escape. */
static int unescape(struct fn_bytes *out, const char *text, size_t bytes)
{
    int rc = fn_bytes_reserve(out, bytes + 1);
    out->bytes = 0;
    for (size_t i = 0; i < bytes && !rc; i++) {
        uint8_t byte = (uint8_t)text[i];
        if (text[i] == '\\' && i + 1 < bytes && text[i + 1] == '\\') {
            i++;
        } else if (text[i] == '\\') {
            int high = i + 3 < bytes && text[i + 1] == 'x' ? hex(text[i + 2]) : -1;
            int low = high >= 0 ? hex(text[i + 3]) : -1;
            if (low < 0)
                return fn_fail(FN_ECORRUPT, "rejects.tsv has a detail that nobody escaped");
            byte = (uint8_t)(high << 4 | low);
            i += 3;
        }
        out->data[out->bytes++] = byte;
    }
    if (!rc)
        out->data[out->bytes] = 0;
    return rc;
}

static int reason_named(const char *name, size_t bytes)
{
    for (int i = 1; i < FN_REJECT_COUNT; i++)
        if (strlen(fn_reject_name(i)) == bytes && memcmp(fn_reject_name(i), name, bytes) == 0)
            return i;
    return 0;
}

static int parse_line(struct fn_reject_lines *lines, const char *at, const char *end,
                      struct fn_reject *reject)
{
    const char *field[5] = {at};
    for (int i = 1; i < 5; i++) {
        const char *tab = memchr(field[i - 1], '\t', (size_t)(end - field[i - 1]));
        if (!tab)
            return fn_fail(FN_ECORRUPT, "rejects.tsv has a line of %d fields", i);
        field[i] = tab + 1;
    }
    /* The digits end at a tab, so strtoull stays within the line. */
    reject->input = (uint32_t)strtoull(field[0], NULL, 10);
    reject->line = strtoull(field[1], NULL, 10);
    reject->offset = strtoull(field[2], NULL, 10);
    reject->reason = reason_named(field[3], (size_t)(field[4] - field[3]) - 1);
    if (!reject->reason)
        return fn_fail(FN_ECORRUPT, "rejects.tsv has a reason that is none");
    int rc = unescape(&lines->detail, field[4], (size_t)(end - field[4]));
    reject->detail = (const char *)lines->detail.data;
    reject->detail_bytes = lines->detail.bytes;
    return rc;
}

int fn_reject_lines_next(struct fn_reject_lines *lines, struct fn_reject *reject)
{
    while (lines->at < lines->bytes) {
        const char *at = (const char *)lines->data + lines->at;
        const char *end = memchr(at, '\n', lines->bytes - lines->at);
        int title = lines->at == 0;
        lines->at = end ? lines->at + (size_t)(end - at) + 1 : lines->bytes;
        if (!end)
            return fn_fail(FN_ECORRUPT, "rejects.tsv ends in the middle of a line");
        if (title)
            continue;
        int rc = parse_line(lines, at, end, reject);
        if (rc || lines->collisions || reject->reason != FN_REJECT_NAME_COLLISION)
            return rc;
    }
    return FN_STORED_END;
}

int fn_stored_reject(struct fn_stored *stored, struct fn_reject *reject)
{
    return fn_reject_lines_next(&stored->lines, reject);
}
