/* SPDX-License-Identifier: MIT */
/* Writing a store. One process, one thread; a lock file in the folder keeps a second writer out.
 *
 *     fn_writer_open -> { fn_writer_add | fn_writer_reject | fn_writer_pass }* -> fn_writer_seal ->
 * close
 *
 * Rows arrive in input order, each with its position. The writer gathers records into groups,
 * groups into shards (boundaries are functions of the records' bytes alone), and commits records,
 * rejects, counters and the position behind them in one transaction, when enough bytes or seconds
 * have gathered; an unfinished group is committed as such. So what a killed process leaves is a
 * prefix of the input, and opening the folder again says where to go on. Until sealing, labels do
 * not exist; sealing gives each shard its tree, finds duplicates, applies the selection, assigns
 * labels, writes index and manifest, and renames the manifest in place last: a store is sealed or
 * it is not. Sealing that was interrupted is done again by the next fn_writer_seal; what it had
 * done stays.
 *
 * All functions: FN_OK, or a code with a sentence. After a failure other than FN_EUSAGE the writer
 * can only be closed; what was committed stays. */
#ifndef FN_STORE_WRITER_H
#define FN_STORE_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "store/store.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where a row stands, and where the next one begins. */
struct fn_position {
    uint32_t input;  /* number of the input, from 0, in the order of the command line */
    uint64_t line;   /* row or file number within the input, from 1 */
    uint64_t offset; /* its first byte in the decompressed input; of a tree or an archive of
                      * pictures the picture's number, from 0 */
    uint64_t next;   /* first byte behind it; of an archive of pictures a sum over all up to here,
                      * by which it is known again */
};

struct fn_new_record {
    const char *class_name, *name; /* fn_name_ok; not necessarily terminated */
    size_t class_bytes, name_bytes;
    int codec, w, h;
    const uint8_t *payload; /* copied before the call returns */
    size_t payload_bytes;   /* 1 .. 2^30; of FN_CODEC_RAW h * w * 3 */
    uint64_t pixels;        /* hash of the picture before it was encoded; 0: not computed */
    int warnings;           /* of its decoder; counted, not stored */
};

/* A record of a store, to be put into another as it is; borrows its names and payload. */
struct fn_new_record fn_record_again(const struct fn_record *rec);

/* Why a row was not taken. Values stand in the files; names in fn_reject_name(). */
enum fn_reject_reason {
    FN_REJECT_COLUMNS = 1,    /* columns: wrong number of columns */
    FN_REJECT_LONG_ROW,       /* long_row: longer than the limit */
    FN_REJECT_NAME,           /* bad_name: class or record name empty or unusable */
    FN_REJECT_BASE64,         /* bad_base64 */
    FN_REJECT_EMPTY,          /* empty_data */
    FN_REJECT_NOT_IMAGE,      /* not_image */
    FN_REJECT_IMAGE_DAMAGED,  /* damaged_image: cut short, bad codes, bad CRC */
    FN_REJECT_IMAGE_LIMIT,    /* image_too_large */
    FN_REJECT_BOX,            /* bad_box: not inside the picture */
    FN_REJECT_NO_FACE,        /* no_face: the boxes file has none for it */
    FN_REJECT_NAME_COLLISION, /* name_collision: same class and name, other bytes (found at sealing)
                               */
    FN_REJECT_IO,             /* unreadable file of a tree */
    FN_REJECT_LOST, /* lost: it was stored, and damaged in the store (found by a repair) */
    FN_REJECT_COUNT
};
const char *fn_reject_name(int reason); /* "?" for unknown */

/* Rows that give neither a record nor a reject. */
enum fn_pass_kind { FN_PASS_SKIPPED = 1 /* blank */, FN_PASS_FILTERED /* --exclude, --keep */ };

/* What the sealed bytes depend on. A later run on the same folder must agree in all of it but
 * `command` (FN_EMISMATCH names the first difference). Everything but `inputs` and `command` goes
 * into the manifest; the same content read from a compressed file has other `inputs` and must still
 * give the same bytes, so they are kept beside it (and end in provenance.json). */
struct fn_store_content {
    int size;
    const char *codec; /* jpeg png raw keep */
    int quality;
    uint64_t shard_bytes;   /* stored bytes after which a new shard begins; 0: FN_SHARD_BYTES */
    uint64_t min_images;    /* classes with fewer live records are left out at sealing */
    uint64_t max_per_class; /* the first so many live records of a class stay; 0: all */
    int dedupe_pixels; /* 1: so does the first of equal pictures in a class (fn_new_record.pixels)
                        */
    const char *selection; /* JSON object text with what else was chosen (lists by hash); or NULL */
    const char *inputs; /* JSON array text: what identifies each input (kind, size, hash of head) */
    const char *command; /* the command line, said to whoever finds the store unsealed; or NULL */
};
#define FN_SHARD_BYTES (4ULL << 30) /* a file that copies in seconds and fits every file system */

struct fn_writer_counts {
    uint64_t rows, records, skipped, filtered;
    uint64_t rejected[FN_REJECT_COUNT]; /* by reason; [0] is their sum */
    uint64_t payload_bytes;
    uint64_t warned; /* records whose picture was decoded with warnings */
};

struct fn_writer;

/* Opens or creates the folder. overwrite: an existing store there (only one of ours) is removed
 * first. FN_EEXIST: sealed already with this content (nothing to do); FN_EMISMATCH: other content
 * or other inputs; FN_EBUSY: another process writes it; FN_EFORMAT: a folder that is not ours and
 * not empty. *from: the position behind the last committed row (input 0, line 0, offset 0, next 0
 * at a start); *counts: what is committed. `content` is copied. */
int fn_writer_open(struct fn_writer **writer, const char *path,
                   const struct fn_store_content *content, int overwrite, struct fn_position *from,
                   struct fn_writer_counts *counts);
int fn_writer_add(struct fn_writer *writer, const struct fn_position *pos,
                  const struct fn_new_record *rec);
/* detail: one line for a person, escaped into the rejects file; name parts may be NULL. */
int fn_writer_reject(struct fn_writer *writer, const struct fn_position *pos, int reason,
                     const char *detail);
int fn_writer_pass(struct fn_writer *writer, const struct fn_position *pos, int kind);

/* A class has lost so many records to damage (a repair; their rows are rejects): where min_images
 * is asked for, they count, so that damage does not take the rest of their class along. Not
 * committed: say it again after opening again. class_name NULL: nobody knows of which classes, so
 * they count for each. */
int fn_writer_lost(struct fn_writer *writer, const char *class_name, size_t class_bytes,
                   uint64_t count);

/* Counts so far, committed or not. */
const struct fn_writer_counts *fn_writer_get_counts(const struct fn_writer *writer);

/* Commit every row so far, now (a signal came, a limit was hit). */
int fn_writer_flush(struct fn_writer *writer);

struct fn_seal_result {
    uint64_t records, classes, duplicates, collisions; /* collisions: rejects found at sealing */
    uint64_t filtered;    /* records of classes below min_images, and above max_per_class */
    uint64_t same_pixels; /* of duplicates: equal pictures under other names */
    uint64_t conflicts;   /* live by then, and their pictures are so in other classes too */
    uint64_t payload_bytes, store_bytes;
    char content_id[33];
};
/* provenance: JSON object text, how it came to be (not part of the content), or NULL. */
int fn_writer_seal(struct fn_writer *writer, const char *provenance, struct fn_seal_result *result);

/* Closes in any state; uncommitted rows are dropped (the next run reads them again). */
void fn_writer_close(struct fn_writer **writer);

#ifdef __cplusplus
}
#endif
#endif
