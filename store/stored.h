/* SPDX-License-Identifier: MIT */
/* Everything a sealed store holds, live or not, in the order of its input: for making another store
 * of it. One thread. */
#ifndef FN_STORE_STORED_H
#define FN_STORE_STORED_H

#include <stddef.h>
#include <stdint.h>

#include "base/file.h"
#include "base/image.h"
#include "store/rejects.h"
#include "store/store.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FN_STORED_END (-1)

/* A text like rejects.tsv, line by line. Set data and bytes, zero the rest. */
struct fn_reject_lines {
    const uint8_t *data; /* kept by the caller */
    size_t bytes, at;
    int collisions;         /* 1: name_collision too */
    struct fn_bytes detail; /* fn_bytes_free it */
};
/* The next reject, as it was before it was escaped; its detail ends with a NUL and is valid until
 * the next call. Those that sealing found (name_collision) are left out unless asked for: their
 * records are there.
 * FN_ECORRUPT: a line that is none; the next call goes on behind it. */
int fn_reject_lines_next(struct fn_reject_lines *lines, struct fn_reject *reject);

struct fn_stored {
    struct fn_store *store;
    struct fn_reader *reader;
    uint64_t group, groups;
    uint32_t entry; /* within the group */
    struct fn_map rejects;
    struct fn_reject_lines lines;
};
int fn_stored_open(struct fn_stored *stored, const char *path);
void fn_stored_close(struct fn_stored *stored); /* also of a zeroed struct */

/* The next record, checked, but for id and label, valid until closing, and its line. */
int fn_stored_record(struct fn_stored *stored, struct fn_record *rec, uint64_t *line);
/* fn_reject_lines_next of its rejects.tsv. */
int fn_stored_reject(struct fn_stored *stored, struct fn_reject *reject);

#ifdef __cplusplus
}
#endif
#endif
