/* SPDX-License-Identifier: MIT */
/* manifest.json: what a store contains. It is written last, and with it the store is sealed. It
 * holds its own checksum, which is the store's content id. provenance.json: how it came to be. */
#ifndef FN_STORE_MANIFEST_H
#define FN_STORE_MANIFEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "store/writer.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FN_MANIFEST_LIMIT ((size_t)256 << 20) /* bytes */

/* Distributions are counted in four bins an octave: 8-9, 10-11, 12-13, 14-15, 16-19, ... Below 4
 * some bins are empty by nature. */
#define FN_SPREAD_BINS 128
int fn_spread_bin(uint64_t value); /* of a value >= 1 */
uint64_t fn_spread_from(int bin);  /* the least value in it */

struct fn_manifest_file {
    uint64_t bytes;
    char checksum[33]; /* XXH3-128 of the file, hex */
};

struct fn_manifest {
    json_t *json; /* owns the strings below */
    int version;
    char content_id[33];
    int size, quality;
    const char *codec;
    uint64_t shard_bytes, min_images;
    uint64_t max_per_class; /* 0: all */
    int dedupe_pixels;
    uint64_t rows, records, duplicates, skipped, filtered;
    uint64_t small;                     /* of filtered: records of classes below min_images */
    uint64_t surplus;                   /* of filtered: records above max_per_class */
    uint64_t same_pixels;               /* of duplicates */
    uint64_t conflicts;                 /* lines of conflicts.tsv */
    uint64_t rejected[FN_REJECT_COUNT]; /* [0]: their sum */
    uint32_t classes;
    uint64_t payload_bytes;                /* of live records */
    uint64_t stored_records, stored_bytes; /* live or not; bytes of payload */
    int min_w, min_h, max_w, max_h;        /* of live records */
    uint64_t codecs[FN_CODEC_RAW + 1];     /* live records by codec */
    uint64_t bytes_spread[FN_SPREAD_BINS]; /* live records by payload bytes */
    uint64_t sides_spread[FN_SPREAD_BINS]; /* by their longer side */
    uint64_t groups;
    uint64_t shard_count;
    struct fn_manifest_file *shards;
    uint64_t index_bytes, index_sum;        /* the checksum in its head */
    struct fn_manifest_file rejects;        /* rejects.tsv */
    struct fn_manifest_file conflicts_file; /* conflicts.tsv, if dedupe_pixels */
    uint64_t bytes;                         /* of manifest.json itself */
};

/* Parse and check a manifest's text; `where` names it. FN_EFORMAT, FN_EVERSION, FN_ECORRUPT. */
int fn_manifest_parse(struct fn_manifest **manifest, const char *text, size_t bytes,
                      const char *where);
/* store/manifest.json. FN_ENOENT: there is none. */
int fn_manifest_load(struct fn_manifest **manifest, const char *store);
void fn_manifest_free(struct fn_manifest **manifest); /* NULL is fine */
/* That of an open store, and as long as it is open. */
const struct fn_manifest *fn_store_manifest(const struct fn_store *store);
/* {"size", "codec", ...} as fn_content_json makes it; borrowed. */
const json_t *fn_manifest_content(const struct fn_manifest *manifest);

/* The text of a manifest with these numbers; content as fn_content_json makes it. Fills content_id
 * and bytes. *text: malloc'd. */
int fn_manifest_text(struct fn_manifest *manifest, json_t *content, char **text);

/* A text that holds its own checksum: the 32 hex digits of the top-level member `key` are the
 * XXH3-128 of the text with zeros in their place. */
int fn_self_sum_set(char *text, size_t bytes, const char *key);
int fn_self_sum_check(const char *text, size_t bytes, const char *key, const char *where);

/* content, and the numbers that only the manifest has (rows, skipped, filtered but for what the
 * selection left out): what a repair needs where the manifest is lost. run: JSON object text, or
 * NULL. */
int fn_provenance_write(const char *store, const json_t *inputs, json_t *content,
                        const struct fn_manifest *manifest, const char *run);
/* All of it, checked; *all: new reference. FN_ENOENT without the file; FN_ECORRUPT. */
int fn_provenance_load(const char *store, json_t **all);
/* *inputs: new reference. FN_ENOENT without the file; FN_ECORRUPT. */
int fn_provenance_inputs(const char *store, json_t **inputs);

#ifdef __cplusplus
}
#endif
#endif
