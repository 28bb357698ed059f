/* SPDX-License-Identifier: MIT */
/* Reading a store: a folder of sealed LMDB shards, an index and a manifest (FORMAT.md has every
 * byte).
 *
 *     struct fn_store *store;  struct fn_reader *reader;  struct fn_record rec;
 *     fn_store_open(&store, "db");            once a process; any thread may ask it afterwards
 *     fn_reader_open(&reader, store);         one a thread: it holds a read transaction a shard
 *     fn_reader_get(reader, id, &rec);        rec.payload points into the mapped shard
 *     fn_reader_close(&reader);               ends the loan of every rec of this reader
 *     fn_store_close(&store);                 after all its readers
 *
 * A sealed store never changes. Nothing in it is trusted: sizes are compared with the manifest
 * before mapping, index blocks and tree pages are checked before they are first used, every record
 * against its own checksum on each get. Damage is FN_ECORRUPT with a sentence that names file and
 * record, never a crash. No process may fork with a store open (LMDB's rule). */
#ifndef FN_STORE_STORE_H
#define FN_STORE_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/image.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How a payload is encoded. Values stand in the files. */
enum fn_codec_id {
    FN_CODEC_JPEG = 1,
    FN_CODEC_PNG = 2,
    FN_CODEC_RAW = 3 /* h * w * 3 bytes RGB */
};
const char *fn_codec_name(int codec); /* "jpeg", "png", "raw"; "?" for others */

/* A class or record name: 1..255 bytes, no '/', no byte below 32, not 127, not "." or "..". Any
 * other bytes, UTF-8 or not. Such a name is safe as one part of a path. 1: yes, 0: no. */
#define FN_NAME_MAX 255
int fn_name_ok(const char *name, size_t bytes);

struct fn_store;

struct fn_store_info {
    const char *path;
    char content_id[33]; /* 32 hex digits: the same content has the same id */
    int format_version;  /* of the folder, FN_STORE_VERSION or older */
    int size;            /* every picture is size x size; 0: sizes as they came */
    int min_w, min_h;    /* smallest sides of any live record; 0 in an empty store */
    int max_w, max_h;
    const char *codec;    /* what was asked for: jpeg png raw keep */
    int quality;          /* of jpeg; 0 for others */
    uint64_t shard_bytes; /* stored bytes after which a new shard begins */
    uint64_t min_images;  /* classes with fewer were left out */
    uint64_t records;     /* live records: ids 0 .. records - 1 */
    uint32_t classes;     /* labels 0 .. classes - 1 */
    uint32_t shards;
    uint64_t payload_bytes; /* encoded pictures of live records */
    uint64_t store_bytes;   /* all files but provenance.json */
    /* Of the ingest: rows = records + duplicates + skipped + filtered + rejected. */
    uint64_t rows, duplicates, skipped, filtered, rejected;
};

/* FN_ENOENT: no such folder. FN_EFORMAT: not a store, or not sealed (the sentence has the command
 * that finishes it). FN_EBUSY: it is being built just now. FN_EVERSION, FN_ECORRUPT as said above.
 * Milliseconds, whatever the size. */
int fn_store_open(struct fn_store **store, const char *path);
void fn_store_close(struct fn_store **store); /* half-open or NULL is fine */
const struct fn_store_info *fn_store_get_info(const struct fn_store *store);

/* Index, any thread. Names are NUL-terminated and live as long as the store. The first use of an
 * index block checks it: FN_ECORRUPT. label < classes, id < records, else FN_ENOENT. */
int fn_store_class_name(const struct fn_store *store, uint32_t label, const char **name);
int fn_store_class_find(const struct fn_store *store, const char *name, uint32_t *label);
int fn_store_label(const struct fn_store *store, uint64_t id, uint32_t *label);
/* The ids of a class, ascending; *ids (count of them) lives as long as the store. */
int fn_store_members(const struct fn_store *store, uint32_t label, const uint64_t **ids,
                     uint64_t *count);

struct fn_record {
    uint64_t id;
    uint32_t label;
    int codec;                     /* enum fn_codec_id */
    int w, h;                      /* pixels, as decoded */
    const char *class_name, *name; /* NOT terminated: with their lengths */
    size_t class_bytes, name_bytes;
    uint32_t input;  /* number of the input it came from, as in provenance.json */
    uint64_t offset; /* of its row or file in the decompressed input, bytes */
    uint64_t pixels; /* hash of the picture before it was encoded; 0: not computed */
    const uint8_t *payload;
    size_t payload_bytes;
    uint64_t checksum; /* XXH3-64 over all of the above but id and label (see FORMAT.md) */
};

struct fn_reader;
int fn_reader_open(struct fn_reader **reader, struct fn_store *store);
void fn_reader_close(struct fn_reader **reader);

/* Record by id, checked. Pointers in *rec are valid until fn_reader_close. One thread a reader. */
int fn_reader_get(struct fn_reader *reader, uint64_t id, struct fn_record *rec);
/* The same without looking at the picture's bytes or the checksum: for lists. Lengths are checked.
 */
int fn_reader_peek(struct fn_reader *reader, uint64_t id, struct fn_record *rec);
/* Record by class and record name (not terminated ones have their length). FN_ENOENT: none. */
int fn_reader_find(struct fn_reader *reader, const char *class_name, const char *name,
                   struct fn_record *rec);
/* Line (row or file number) of the record in its input, from 1; it stands in the head of its group.
 */
int fn_reader_line(struct fn_reader *reader, uint64_t id, uint64_t *line);
/* Tell the kernel that these records will be read soon (readahead). */
void fn_reader_prefetch(struct fn_reader *reader, const uint64_t *ids, size_t count);

/* Payload -> RGB, by the one decoder of base/image.h. FN_ECORRUPT also where the picture's sides
 * are not those of the record. */
int fn_record_decode(struct fn_codec *codec, const struct fn_record *rec, struct fn_image *out);
/* Rows [y, y + rows) of it only, handed to `put`: see fn_image_decode_rows. The record must have
 * come from fn_reader_get: of what is not decoded, its checksum alone says that it is sound. */
int fn_record_decode_rows(struct fn_codec *codec, const struct fn_record *rec, int y, int rows,
                          void (*put)(void *context, int y, int rows, const uint8_t *rgb),
                          void *context);

#ifdef __cplusplus
}
#endif
#endif
