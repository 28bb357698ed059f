/* SPDX-License-Identifier: MIT */
/* What a damaged store no longer has, by what its index and the rests of records say. */
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "store/salvage_internal.h"

void fn_lost_names(const struct fn_index *index, uint64_t location, const uint8_t *at, size_t bytes,
                   struct fn_record *rec)
{
    struct fn_record rest;
    const char *class_name = NULL;
    size_t class_bytes = 0;
    uint32_t hash = 0;
    uint64_t id, there;
    int parsed = fn_record_parse(at, bytes, &rest, NULL) == FN_OK;
    int known = index && fn_index_lower_id(index, location, &id) == FN_OK &&
                fn_index_location(index, id, &there) == FN_OK && there == location &&
                fn_index_entry(index, id, &class_name, &class_bytes, &hash) == FN_OK;
    *rec = (struct fn_record){0};
    if (known) {
        rec->class_name = class_name;
        rec->class_bytes = class_bytes;
    } else if (parsed) {
        rec->class_name = rest.class_name;
        rec->class_bytes = rest.class_bytes;
    }
    if (parsed && (!known || fn_name_hash(rest.name, rest.name_bytes) == hash)) {
        rec->name = rest.name;
        rec->name_bytes = rest.name_bytes;
    }
}

int fn_scan_note(struct fn_scan *s, const struct fn_record *rec)
{
    if (s->noted_count == s->noted_cap) {
        size_t cap = s->noted_cap ? 2 * s->noted_cap : 256;
        struct fn_noted *noted = realloc(s->noted, cap * sizeof *noted);
        if (!noted)
            return fn_fail(FN_ENOMEM, "no memory for %zu records", cap);
        s->noted = noted;
        s->noted_cap = cap;
    }
    s->noted[s->noted_count++] = (struct fn_noted){XXH3_64bits(rec->class_name, rec->class_bytes),
                                                   fn_name_hash(rec->name, rec->name_bytes)};
    return FN_OK;
}

static int by_name(const void *a, const void *b)
{
    const struct fn_noted *x = a, *y = b;
    if (x->class_sum != y->class_sum)
        return x->class_sum < y->class_sum ? -1 : 1;
    return x->name_hash < y->name_hash ? -1 : x->name_hash > y->name_hash;
}

#define UNKNOWN (-1)

/* The live records of the index in groups [s->expected, number). UNKNOWN: it does not say. */
static int visit_live(struct fn_scan *s, uint64_t number, struct fn_found *found)
{
    const struct fn_index *index = s->out->index;
    uint64_t id = 0, location = 0;
    if (!index || fn_index_lower_id(index, fn_location(s->expected, 0), &id) != FN_OK)
        return UNKNOWN;
    uint64_t records = fn_index_get_head(index)->records;
    for (; id < records; id++) {
        struct fn_noted key;
        if (fn_index_location(index, id, &location) != FN_OK)
            return UNKNOWN;
        if (fn_location_group(location) >= number)
            break;
        found->kind = FN_FOUND_LOST;
        if (fn_index_entry(index, id, &found->rec.class_name, &found->rec.class_bytes,
                           &key.name_hash))
            found->rec.class_bytes = 0;
        key.class_sum = XXH3_64bits(found->rec.class_name, found->rec.class_bytes);
        if (found->rec.class_bytes && s->noted_count &&
            bsearch(&key, s->noted, s->noted_count, sizeof key, by_name))
            continue;
        s->out->lost++;
        int rc = s->out->visit(s->out->context, found);
        if (rc)
            return rc;
    }
    return FN_OK;
}

int fn_scan_gap(struct fn_scan *s, uint64_t number, const struct fn_position *next)
{
    struct fn_found found = {.kind = FN_FOUND_GAP, .next = *next};
    int rc = FN_OK;
    if (s->noted_count)
        qsort(s->noted, s->noted_count, sizeof *s->noted, by_name);
    if (number > s->expected)
        rc = visit_live(s, number, &found);
    if (rc == UNKNOWN) { /* the index does not know either */
        found.kind = FN_FOUND_GAP;
        found.rec = (struct fn_record){0};
        s->out->gaps++;
        rc = s->out->visit(s->out->context, &found);
    }
    s->noted_count = 0;
    return rc;
}
