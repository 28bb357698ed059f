/* SPDX-License-Identifier: MIT */
/* build/shard-N.part: what sealing needs to know of a shard that has its sealed
 * form: the facts for index and manifest, every record without its picture, every reject. Written
 * once, then mapped and walked; so the pictures are read only once, however often sealing is
 * interrupted. */
#ifndef FN_STORE_PART_H
#define FN_STORE_PART_H

#include <stddef.h>
#include <stdint.h>

#include "base/file.h"
#include "store/rejects.h"
#include "store/sink.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FN_PART_MAGIC "FNPART1\n"
#define FN_PART_END (-1)

struct fn_part_facts { /* the end of the file */
    char magic[8];
    uint64_t shard;
    struct fn_index_shard
        index;                 /* groups 0: the store has no records, and there is no sealed file */
    struct fn_sum128 file_sum; /* of the sealed file */
    uint64_t records_bytes, rejects_bytes; /* what stands before: records, then rejects */
    struct fn_sum128 body_sum;
    uint64_t checksum; /* XXH3-64 of the facts up to here */
};

struct fn_part_record { /* followed by class and record name */
    uint64_t location, line, offset;
    struct fn_sum128 payload_sum;
    uint64_t pixels;
    uint32_t input, payload_bytes, w, h;
    uint8_t codec, class_bytes, name_bytes, zero[5];
};
static_assert(sizeof(struct fn_part_record) == 72, "part records have no holes");

int fn_part_put_record(struct fn_sink *sink, const struct fn_record *rec, uint64_t location,
                       uint64_t line);
int fn_part_put_reject(struct fn_sink *sink, const uint8_t *packed, size_t bytes);
/* Writes the facts; fills body_sum and checksum. records_bytes is set by the caller. */
int fn_part_put_facts(struct fn_sink *sink, struct fn_part_facts *facts);

struct fn_part {
    struct fn_map map;
    struct fn_part_facts facts;
    size_t at; /* of the walk */
};
/* FN_ENOENT: no such file. FN_ECORRUPT: not whole. */
int fn_part_open(struct fn_part *part, const char *path);
void fn_part_close(struct fn_part *part);
/* Records from the first one on, then rejects. FN_PART_END after the last of each. */
void fn_part_rewind(struct fn_part *part);
int fn_part_next_record(struct fn_part *part, struct fn_part_record *rec, const char **class_name,
                        const char **name);
int fn_part_next_reject(struct fn_part *part, const uint8_t **packed, size_t *bytes);

#ifdef __cplusplus
}
#endif
#endif
