/* SPDX-License-Identifier: MIT */
/* Rejects whose picture is in the store all the same: it was stored, and lost against another of
 * its name when the store was sealed. All others were never stored. */
#include <stdlib.h>
#include <string.h>

#include "store/build.h"
#include "store/dump_internal.h"
#include "store/rejects.h"
#include "store/stored.h"

static int is_behind(const struct fn_group_entry *entry, uint32_t input, uint64_t offset)
{
    return entry->input != input ? entry->input > input : entry->offset > offset;
}

static int table_of(struct fn_reader *reader, uint64_t group, struct fn_group_head *head,
                    const struct fn_group_entry **table)
{
    const uint8_t *value;
    size_t bytes;
    int rc = fn_reader_group(reader, group, &value, &bytes);
    return rc ? rc : fn_group_parse(value, bytes, group, head, table);
}

/* Groups and their entries follow the input: the last group that begins at or before the place. */
static int find_place(struct fn_reader *reader, uint64_t groups, const struct fn_reject *reject,
                      struct fn_dump_place *place, int *found)
{
    struct fn_group_head head;
    const struct fn_group_entry *table;
    uint64_t low = 0, high = groups;
    *found = 0;
    while (low + 1 < high) {
        uint64_t middle = low + (high - low) / 2;
        int rc = table_of(reader, middle, &head, &table);
        if (rc)
            return rc;
        if (is_behind(&table[0], reject->input, reject->offset))
            high = middle;
        else
            low = middle;
    }
    int rc = table_of(reader, low, &head, &table);
    for (uint32_t i = 0; i < head.count && !rc && !*found; i++)
        if (table[i].input == reject->input && table[i].offset == reject->offset) {
            *place = (struct fn_dump_place){low, table[i].where, reject->line, reject->reason};
            *found = 1;
        }
    return rc;
}

int fn_dump_rejected(const struct fn_dump *d, struct fn_store *store, struct fn_reader *reader,
                     struct fn_dump_place **places, size_t *count)
{
    char path[FN_PATH_MAX];
    struct fn_map map = {0};
    size_t cap = store->manifest->rejected[FN_REJECT_NAME_COLLISION];
    *count = 0;
    *places = calloc(cap ? cap : 1, sizeof **places);
    if (!*places)
        return fn_fail(FN_ENOMEM, "no memory for %zu rejects", cap);
    int rc = fn_map_open(&map, fn_store_file(path, d->store, "rejects.tsv"));
    struct fn_reject_lines lines = {.data = map.data, .bytes = map.bytes, .collisions = 1};
    struct fn_reject reject;
    while (!rc && (rc = fn_reject_lines_next(&lines, &reject)) == FN_OK) {
        int found = 0;
        if (reject.reason != FN_REJECT_NAME_COLLISION || *count == cap)
            continue;
        rc = find_place(reader, store->manifest->groups, &reject, &(*places)[*count], &found);
        *count += (size_t)found;
    }
    fn_bytes_free(&lines.detail);
    fn_map_close(&map);
    return rc == FN_STORED_END ? FN_OK : rc;
}
