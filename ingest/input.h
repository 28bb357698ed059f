/* SPDX-License-Identifier: MIT */
/* Inputs. A kind of input is one file read_x.c and one row in the table of input.c; what an input
 * is is found by its content. The reader thread fills chunks with rows or files, in order; workers
 * then ask what an item is called and, if it is wanted, for its picture. Between opening and
 * closing all goes through the functions of the input's type.
 *
 * What a position (struct fn_position) is counted in is the type's affair; it stands in records and
 * rejects, so that what was taken or not can be found in the input again:
 *
 *              line, from 1           offset                        next
 *   tree       number of the picture  that number, from 0           line
 *   archive    number of the picture  that number, from 0           a sum over all up to here
 *   tsv        number of the row      its first byte, unwrapped     the first byte behind it
 *   recordio   number of the record   its first byte, unwrapped     the first byte behind it
 *
 * Pictures of an archive are those of its entries that are not left out, in the order they stand
 * in. So a tree gives the same store, byte for byte, as an archive of it in the tree's own order:
 * classes by bytes, and in each the pictures by bytes. `next` is for seek() alone and stands in no
 * sealed store. */
#ifndef FN_INGEST_INPUT_H
#define FN_INGEST_INPUT_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/err.h"
#include "ingest/chunk.h"
#include "store/store.h"
#include "store/writer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a worker has in hands while it looks at an item. */
struct fn_row {
    const char *class_name; /* into the chunk, the input or `number`, not terminated */
    size_t class_bytes;
    char number[16]; /* room for a class name that is written nowhere */
    char name[FN_NAME_MAX];
    size_t name_bytes;
    uint8_t *image; /* by names(): undecoded, by picture(): the file's bytes */
    size_t image_bytes;
    int reject; /* enum fn_reject_reason with this thread's sentence as detail, or 0 */
};

struct fn_input_options {
    const char *layout; /* of a TSV: "auto" or a name */
};

struct fn_input;
struct fn_stream;

struct fn_input_type {
    const char *kind; /* stands in the identity */
    /* Is it one of ours? input: path and stream, nothing else. The last row of the table takes
     * anything. */
    int (*probe)(const struct fn_input *input);
    int (*open)(struct fn_input *input, const struct fn_input_options *options);
    void (*close)(struct fn_input *input); /* also half-open */
    /* Go behind the row that ends at pos->next, before anything is read. FN_EMISMATCH: it cannot be
     * the same input. */
    int (*seek)(struct fn_input *input, const struct fn_position *pos);
    /* Fill an empty chunk with at least one item, or return FN_OK with none: the end. Items are to
     * do, but the reader may decide them: rejected (only as a row that is too long) or filtered. */
    int (*read)(struct fn_input *input, struct fn_chunk *chunk, struct fn_budget *budget);
    /* Any worker. A code other than FN_OK ends the run; what is wrong with the item goes to
     * row->reject. A blank item has no class name, no name and no reject. names() is cheap and
     * leaves the item's bytes alone; picture(), after it, may change them, and may read into
     * `scratch`. */
    int (*names)(const struct fn_input *input, struct fn_chunk *chunk, const struct fn_item *item,
                 struct fn_row *row);
    int (*picture)(const struct fn_input *input, const struct fn_item *item, struct fn_row *row,
                   struct fn_bytes *scratch);
};

struct fn_input {
    const struct fn_input_type *type;
    uint32_t number; /* of the input on the command line */
    char *path;
    struct fn_stream *stream; /* of a file, opened; NULL: a folder */
    char *described;          /* "TSV, layout aligned7 (...)", for a person */
    void *self;               /* the type's own */
    /* What it is to be known again by. `bytes` is not part of the content: the same rows may come
     * compressed. */
    json_t *identity;  /* {"kind": "tsv", "layout": ..., "head": ...} */
    uint64_t bytes;    /* on disk, 0: unknown */
    uint64_t files;    /* of a tree */
    uint64_t left_out; /* entries of an archive passed over so far: hidden, no pictures. Not rows.
                        * Set by read(), so to be looked at when nothing is read any more */
};

/* Opens the input by what it is: FN_ENOENT, FN_EFORMAT (a sentence says what it is instead), ... */
int fn_input_open(struct fn_input **input, const char *path, uint32_t number,
                  const struct fn_input_options *options);
void fn_input_close(struct fn_input **input);

/* Sets input->described; FN_ENOMEM. For open(). */
int fn_input_describe(struct fn_input *input, const char *fmt, ...) FN_PRINTF(2, 3);

/* 32 hex digits of XXH3-128 over the bytes. */
void fn_hash_text(const void *data, size_t bytes, char text[33]);

extern const struct fn_input_type fn_input_recordio, fn_input_tree, fn_input_archive, fn_input_tsv;

#ifdef __cplusplus
}
#endif
#endif
