/* SPDX-License-Identifier: MIT */
/* What is left of a damaged store, in the order of its input. Neither LMDB's tree nor the manifest
 * is needed: groups are found by their heads, records in groups without one by theirs, and each
 * counts only if its own checksum is right. The index, where it is whole, tells what else there
 * was. A single flipped bit in a head or a record is put right (mend.h). Files are read, not
 * mapped: what the disk refuses counts as zeros. One thread; memory: the largest group. */
#ifndef FN_STORE_SALVAGE_H
#define FN_STORE_SALVAGE_H

#include <stdint.h>

#include "store/index.h"
#include "store/mend.h"

#ifdef __cplusplus
extern "C" {
#endif

enum fn_found_kind {
    FN_FOUND_RECORD, /* checked */
    FN_FOUND_LOST,   /* there was a record; this is what is known of it */
    FN_FOUND_GAP     /* there were records, nobody knows how many */
};

struct fn_found {
    enum fn_found_kind kind;
    /* RECORD: all but id and label, until the visit ends. LOST: input and offset if it is placed,
     * and the names as far as they are known: else their lengths are 0. */
    struct fn_record rec;
    uint64_t line; /* 0: not known: the table of its group is gone */
    int placed;    /* LOST: it stood at this input, line and offset; 0: behind what was visited
                    * before, and before `next` (line 0: the end) */
    struct fn_position next;
};

struct fn_salvage {
    const char *store;
    const struct fn_index *index; /* or NULL */
    uint64_t shards;              /* files to look for, at least; those that lie there are found */
    uint64_t groups;              /* of the whole store, or 0: not known */
    struct fn_mend mend;
    void *context;
    /* A code other than FN_OK ends it. */
    int (*visit)(void *context, const struct fn_found *found);
    /* Filled. */
    uint64_t records, lost, gaps; /* gaps: how often it is not known how many records are missing */
    uint64_t mended;              /* records and heads of groups with a bit put right */
};

/* FN_OK however little is found. Other codes: visit's, FN_ENOMEM, FN_EINTERRUPTED. */
int fn_salvage(struct fn_salvage *salvage);

#ifdef __cplusplus
}
#endif
#endif
