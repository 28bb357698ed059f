/* SPDX-License-Identifier: MIT */
/* The bytes of a store: constants, structs as they lie in the files, and the functions that build
 * and take apart records and groups in memory. FORMAT.md is the description; this is its
 * translation. Everything is little-endian and fixed-width; structs have no holes. Pure functions,
 * any thread. */
#ifndef FN_STORE_FORMAT_H
#define FN_STORE_FORMAT_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"
#include "store/writer.h"

#ifdef __cplusplus
extern "C" {
#endif

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "index.bin is used as it is mapped: a big-endian machine would misread it"
#endif

#define FN_STORE_VERSION 1

/* Every size below decides where bytes lie in a sealed store: changing one is a new version. */
#define FN_PAGE 4096u          /* page size of the sealed LMDB files, whatever the machine's is */
#define FN_GROUP_BYTES 262144u /* a group is complete when its records take this many bytes */
#define FN_VALUE_MIN 32752u /* 32 KiB less a page head: an overflow page even with 32 KiB pages */
#define FN_PAYLOAD_MAX (1u << 30)
#define FN_RECORD_ALIGN 8u /* records start at multiples of this within their group */

/* ---- a record: head, class name, record name, payload, zeros up to a multiple of 8 ---- */

#define FN_RECORD_MAGIC 0x31524e46u /* "FNR1" */

struct fn_record_head {
    uint64_t checksum; /* XXH3-64 of all that follows, the zeros too */
    uint32_t magic;
    uint8_t codec, class_bytes, name_bytes, zero;
    uint32_t w, h;
    uint32_t input;
    uint32_t payload_bytes;
    uint64_t offset;
    uint64_t pixels; /* fn_pixels_hash of the picture before encoding; 0: not computed */
};
static_assert(sizeof(struct fn_record_head) == 48, "record heads have no holes");

/* Bytes a record takes in its group. Names and payload within their limits. */
size_t fn_record_size(size_t class_bytes, size_t name_bytes, size_t payload_bytes);

/* Write a record at `at`, which has room for fn_record_size() bytes and is aligned to 8. */
void fn_record_put(uint8_t *at, const struct fn_new_record *rec, uint32_t input, uint64_t offset);

/* Take apart the record at `at`, of whose memory `room` bytes may be read; all lengths are compared
 * with it. Fills *rec but for id and label, and *bytes (may be NULL) with what the record takes.
 * FN_ECORRUPT: no record head, or lengths that do not fit. The checksum is not looked at. */
int fn_record_parse(const uint8_t *at, size_t room, struct fn_record *rec, size_t *bytes);

/* The checksum of a record of `bytes` bytes as it should be. */
uint64_t fn_record_sum(const uint8_t *at, size_t bytes);

/* fn_record_parse, then the checksum. What every reader of records calls. */
int fn_record_check(const uint8_t *at, size_t room, struct fn_record *rec, size_t *bytes);

/* ---- a group: head, table with an entry a record, records, zeros ---- */

#define FN_GROUP_MAGIC 0x31474e46u /* "FNG1" */

struct fn_group_head {
    uint64_t checksum; /* XXH3-64 of the rest of the head and of the table */
    uint32_t magic;
    uint32_t count;  /* records */
    uint64_t number; /* of the group in the store, from 0: its LMDB key */
    uint64_t used;   /* bytes from the head's start to the end of the last record */
};
static_assert(sizeof(struct fn_group_head) == 32, "group heads have no holes");

/* Where a record lies and where it came from: enough to fetch it again when its own bytes are lost.
 */
struct fn_group_entry {
    uint32_t where; /* bytes from the group's start */
    uint32_t input;
    uint64_t line; /* of its input, from 1; not in the record, because parts count from their own
                      start */
    uint64_t offset;
};
static_assert(sizeof(struct fn_group_entry) == 24, "group entries have no holes");

/* Length of the LMDB value of a group with `used` bytes: padded so that a value and its page head
 * fill whole pages and no byte of a shard is left to chance. */
size_t fn_group_value_bytes(uint64_t used);

/* A group being gathered, or one reloaded from the journal. Zero it before first use. */
struct fn_group {
    struct fn_bytes records;      /* one after another */
    struct fn_group_entry *table; /* `where` counted from the start of `records` */
    size_t count, cap;
};
int fn_group_add(struct fn_group *group, const struct fn_position *pos,
                 const struct fn_new_record *rec);
void fn_group_clear(struct fn_group *group); /* keeps the memory */
void fn_group_free(struct fn_group *group);
uint64_t fn_group_used(const struct fn_group *group); /* the head's `used` */
int fn_group_full(const struct fn_group *group);
/* Head and table of the value: all in front of the records. */
void fn_group_put_front(const struct fn_group *group, uint64_t number, uint8_t *out);

/* Check head and table of a value: magic, number, lengths, checksum, order of the entries. *table
 * points into `value`. FN_ECORRUPT with a sentence. */
int fn_group_parse(const uint8_t *value, size_t bytes, uint64_t number, struct fn_group_head *head,
                   const struct fn_group_entry **table);
/* The bytes behind the last record are zero. */
int fn_group_tail_ok(const uint8_t *value, size_t bytes, const struct fn_group_head *head);

/* ---- a location in the index: group and place in one number ---- */

#define FN_WHERE_BITS 24 /* place / 8: groups are closed long before 128 MiB */
static inline uint64_t fn_location(uint64_t group, uint32_t where)
{
    return group << FN_WHERE_BITS | where / FN_RECORD_ALIGN;
}
static inline uint64_t fn_location_group(uint64_t location)
{
    return location >> FN_WHERE_BITS;
}
static inline uint32_t fn_location_where(uint64_t location)
{
    return (uint32_t)(location & ((1u << FN_WHERE_BITS) - 1)) * FN_RECORD_ALIGN;
}

/* ---- hashes ---- */

/* What finds a record by its name within its class. */
uint32_t fn_name_hash(const char *name, size_t bytes);
/* Of a decoded picture: equal pictures have equal ones. Never 0. */
uint64_t fn_pixels_hash(int w, int h, const uint8_t *rgb);
/* XXH3-128 as 32 hex digits, as `xxhsum -H2` prints it. */
struct fn_sum128 {
    uint64_t low, high;
};
struct fn_sum128 fn_sum128(const void *data, size_t bytes);
void fn_sum128_text(struct fn_sum128 sum, char text[33]);

/* ---- index.bin ---- */

#define FN_INDEX_MAGIC "FNINDEX\n"
#define FN_INDEX_BLOCK 65536u

enum fn_index_section {
    FN_INDEX_LOCATIONS, /* u64 a record: fn_location */
    FN_INDEX_LABELS,    /* u32 a record */
    FN_INDEX_MEMBERS,   /* u64 a record: ids by class, ascending within one */
    FN_INDEX_HASHES,    /* u32 a record: fn_name_hash, in the order of the members */
    FN_INDEX_STARTS,    /* u64 a class, and one: where its members start */
    FN_INDEX_NAME_AT,   /* u64 a class, and one: where its name starts */
    FN_INDEX_NAMES,     /* class names, each with a NUL */
    FN_INDEX_SHARDS,    /* struct fn_index_shard a shard */
    FN_INDEX_SECTIONS
};

struct fn_index_head {
    uint64_t checksum; /* XXH3-64 of bytes 8 .. data_at - 1: head, block sums, zeros */
    char magic[8];
    uint32_t version, block_bytes;
    uint64_t file_bytes;
    uint64_t records, classes, groups, shards;
    uint64_t blocks;  /* of block_bytes, from data_at on; the last may be shorter */
    uint64_t data_at; /* multiple of FN_PAGE; the block sums (u64 each) lie between head and here */
    struct {
        uint64_t at, bytes; /* from the start of the file */
    } section[FN_INDEX_SECTIONS];
    uint64_t zero[6];
};
static_assert(sizeof(struct fn_index_head) == 256, "the index head has no holes");

struct fn_index_shard {
    uint64_t first_group, groups;
    uint64_t file_bytes;
    uint64_t tree_at;  /* first byte of leaf and branch pages, which reach to the file's end */
    uint64_t head_sum; /* XXH3-64 of the two meta pages */
    uint64_t tree_sum; /* XXH3-64 of the leaf and branch pages */
    uint64_t records, payload_bytes; /* live or not */
};
static_assert(sizeof(struct fn_index_shard) == 64, "index shards have no holes");

#ifdef __cplusplus
}
#endif
#endif
