/* SPDX-License-Identifier: MIT */
/* fn-dump: what its commands share. One dump_*.c a command; fn_dump.c has the table. */
#ifndef FN_STORE_DUMP_INTERNAL_H
#define FN_STORE_DUMP_INTERNAL_H

#include <stdint.h>

#include "base/args.h"
#include "base/json.h"
#include "store/reader_internal.h"
#include "store/store.h"

struct fn_dump {
    struct fn_common common;
    const char *store;      /* path */
    const char *operand;    /* of the command: ID, DIR, FILE; NULL if it has none */
    const char *class_name; /* --class */
    const char *output;     /* -o */
    const char *format;     /* --format: png jpg keep */
    int64_t rows, cols, seed;
    int rejects; /* --rejects */
    int threads; /* of common, with 0 resolved */
};

int fn_dump_stats(struct fn_dump *d);
int fn_dump_list(struct fn_dump *d);
int fn_dump_show(struct fn_dump *d);
int fn_dump_export(struct fn_dump *d);
int fn_dump_verify(struct fn_dump *d);
int fn_dump_sheet(struct fn_dump *d);
int fn_dump_rejects(struct fn_dump *d);
int fn_dump_diff(struct fn_dump *d);
int fn_dump_report(struct fn_dump *d);

/* ---- dump_text.c: numbers and bars ---- */

/* 1234567 -> "1,234,567"; several calls in one printf: eight buffers take turns. */
const char *fn_dump_number(uint64_t value);
/* "1 picture", "2 pictures": the plural has an s. */
const char *fn_dump_count(uint64_t value, const char *noun);
/* value of most as a bar of at most `cells` cells: eighths of blocks on a terminal that has them.
 */
const char *fn_dump_bar(uint64_t value, uint64_t most, int cells);
/* The reason with the highest count; 0: none has any. */
int fn_dump_commonest(const uint64_t *rejected);
/* Printed to a stdout that is still there? 0: the reader has gone, or the disk is full. */
int fn_dump_writable(void);

/* ---- dump_sizes.c: distributions ---- */

#define FN_DUMP_BINS 40
struct fn_dump_bin {
    uint64_t from, to; /* both ends counted */
    uint64_t count;
    char name[64]; /* "20 - 49" */
};
struct fn_dump_sizes { /* of the classes, in images */
    uint64_t *each;    /* ascending */
    uint32_t count;
    struct fn_dump_bin bins[FN_DUMP_BINS]; /* one a size while sizes are few, else 1, 2, 3-4, ... */
    int bin_count;
};
int fn_dump_sizes_find(struct fn_store *store, struct fn_dump_sizes *sizes);
void fn_dump_sizes_free(struct fn_dump_sizes *sizes); /* also of a zeroed struct */

/* A spread of the manifest as at most 21 bins: quarters of octaves, or halves or whole ones where
 * that gives too many. bytes: large ones are named in KiB. The count. */
int fn_dump_spread(const uint64_t *spread, int bytes, struct fn_dump_bin bins[FN_DUMP_BINS]);

/* ---- dump_picture.c ---- */

/* File name ending of a record's picture in a --format. */
const char *fn_dump_ending(const char *format, int codec);
/* The picture as bytes of a file: those of the record where the format is the same, else made anew
 * in `made` by way of `image`. ending: "png" or "jpg". */
int fn_dump_picture(struct fn_codec *codec, const struct fn_record *rec, const char *ending,
                    struct fn_image *image, struct fn_bytes *made, const uint8_t **data,
                    size_t *bytes);

/* A picture's file as -o and FILE.png ask for it; "-" is standard output, unless that is a terminal
 * (FN_EUSAGE). */
int fn_dump_put(const char *path, const uint8_t *data, size_t bytes);

/* ---- the records a command is about ---- */

/* All records, or those of --class. ids NULL: 0 .. count - 1. */
struct fn_dump_ids {
    const uint64_t *ids;
    uint64_t count;
};
int fn_dump_choose(const struct fn_dump *d, struct fn_store *store, struct fn_dump_ids *chosen);
static inline uint64_t fn_dump_id(const struct fn_dump_ids *chosen, uint64_t i)
{
    return chosen->ids ? chosen->ids[i] : i;
}

/* ---- dump_rejected.c ---- */

/* A record that is stored and not live. */
struct fn_dump_place {
    uint64_t group;
    uint32_t where; /* in the group */
    uint64_t line;  /* in its input */
    int reason;     /* enum fn_reject_reason */
};
/* Those of the rejects that have a picture in the store, in the order of rejects.tsv; *places is
 * malloc'd, also on failure. */
int fn_dump_rejected(const struct fn_dump *d, struct fn_store *store, struct fn_reader *reader,
                     struct fn_dump_place **places, size_t *count);

#endif
