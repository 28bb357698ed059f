/* SPDX-License-Identifier: MIT */
/* What salvage.c (what is there) and salvage_lost.c (what is not) share. */
#ifndef FN_STORE_SALVAGE_INTERNAL_H
#define FN_STORE_SALVAGE_INTERNAL_H

#include "base/image.h"
#include "store/salvage.h"

struct fn_noted { /* a record found in a group without its head */
    uint64_t class_sum;
    uint32_t name_hash;
};

struct fn_scan {
    struct fn_salvage *out;
    int fd; /* of the shard being read */
    uint64_t size;
    uint64_t expected;            /* number of the next group */
    struct fn_bytes front, value; /* head and table; a group, or a record */
    struct fn_noted *noted;       /* since the last group that has its head */
    size_t noted_count, noted_cap;
};

int fn_scan_note(struct fn_scan *scan, const struct fn_record *rec);
/* The groups from scan->expected up to `number` have no head: visit what the index has in them and
 * was not noted. next: what comes behind them. */
int fn_scan_gap(struct fn_scan *scan, uint64_t number, const struct fn_position *next);

/* The names of the damaged record at `at`, as far as the index (may be NULL) bears them out or,
 * without it, as they stand there. Sets rec->class_name, name and their lengths. */
void fn_lost_names(const struct fn_index *index, uint64_t location, const uint8_t *at, size_t bytes,
                   struct fn_record *rec);

#endif
