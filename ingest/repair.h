/* SPDX-License-Identifier: MIT */
/* A damaged store rewritten from what still verifies. Every record that was not hit comes back, in
 * its place, without its picture being touched; so do those in which a single bit was flipped. What
 * is gone is listed with where it came from, so that it can be fetched again: as rejects (`lost`)
 * of the new store, and in a file beside it. Where nothing but index, manifest or LMDB's pages was
 * hit, the new store has the bytes of the old one from before.
 *
 * What the store was asked to be is taken from its manifest or, where that is lost, from its
 * provenance; rejects from rejects.tsv as far as its lines can be read; everything else is made
 * anew. One bit that is wrong in any of the three is put right too. */
#ifndef FN_INGEST_REPAIR_H
#define FN_INGEST_REPAIR_H

#include <stdint.h>

#include "store/build.h"
#include "store/writer.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fn_repair {
    const char *store; /* the damaged one: only read */
    /* The new one. Made, or gone on with after an interruption; FN_EEXIST as fn_writer_open. */
    const char *to;
    const char *lost_file; /* where to list what is gone; written only if something is */
    int overwrite;         /* replace a store that is at `to` */
    /* What the store is to be where neither manifest nor provenance tells; NULL: FN_ECORRUPT then.
     */
    const struct fn_store_content *fallback;
    const char *command; /* for provenance.json, and for whoever finds it unfinished */

    /* Filled. */
    struct fn_writer_counts counts;
    struct fn_seal_result sealed;
    char was[33];         /* content id of the damaged store; "" where it is not known */
    uint64_t listed;      /* rows that are gone, all in lost_file */
    uint64_t unlisted;    /* records more that are gone, of which nothing is known */
    uint64_t gaps;        /* places where it is not even known how many */
    uint64_t mended;      /* heads, records and texts with a bit put right */
    uint64_t bad_rejects; /* lines of rejects.tsv that could not be read */
    int rejects_unsure;   /* its checksum is wrong, so what was read may be wrong too */
    int by_fallback;      /* 1: neither manifest nor provenance could be read */
    int end_unknown;      /* 1: nor could the index: nobody knows how many groups there were */
};
/* FN_EINTERRUPTED: the same call goes on. FN_ECORRUPT, FN_EVERSION: not possible, and why. */
int fn_repair(struct fn_repair *repair);

/* Put `made` in the place of `store`, which stays as `aside`: at every moment `store` is the one or
 * the other where the file system can exchange folders (Linux: all but network file systems), and a
 * power cut in between is found by fn_repair_swap_settle. FN_EEXIST: `aside` is there. */
int fn_repair_swap(const char *store, const char *made, const char *aside);
/* Before anything else: ends what a power cut left half done. *ready: `made` is complete and has
 * only to be swapped in. *done: it was swapped in just now or by the call that was cut. */
int fn_repair_swap_settle(const char *store, const char *made, const char *aside, int *ready,
                          int *done);

#ifdef __cplusplus
}
#endif
#endif
