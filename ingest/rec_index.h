/* SPDX-License-Identifier: MIT */
/* What may lie beside a RecordIO file, as text: `train.idx`, where each record begins and what it
 * is called, and `train.lst`, the pictures it was made from. Borrowed bytes (a mapped file) that
 * must outlive what is made of them; lookups from any thread. */
#ifndef FN_INGEST_REC_INDEX_H
#define FN_INGEST_REC_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the index: `key <tab> byte offset` a line, by offset ---- */

struct fn_rec_index {
    const char *text;
    size_t bytes;
    uint64_t lines, last; /* offset of the last one */
};
/* Looks through all of it: FN_EFORMAT where a line is something else, an offset is not larger than
 * the one before, or no multiple of 4. `where` is for the sentence. */
int fn_rec_index_open(struct fn_rec_index *index, const char *text, size_t bytes,
                      const char *where);

struct fn_rec_line {
    const char *key; /* not terminated */
    size_t key_bytes;
    uint64_t offset;
    size_t next; /* where the next line begins in the text */
};
/* The line that begins at text[at]: 1, or 0 behind the last one. Of an opened index. */
int fn_rec_index_line(const struct fn_rec_index *index, size_t at, struct fn_rec_line *line);

/* ---- the list: names of the classes ---- */

struct fn_rec_list;

/* Lines are, by what stands in the first one, im2rec's `number <tab> label... <tab> path`, or
 * insightface's `aligned <tab> path <tab> label...`, or `path <tab> label`. A class is called as
 * the folder of its pictures, the last but one part of the path.
 * FN_EFORMAT: a line is something else, or its folder cannot be a name; FN_EMISMATCH: labels and
 * folders are not one to one. In both cases the sentence says where, and the list names nothing. */
int fn_rec_list_open(struct fn_rec_list **list, const char *text, size_t bytes, const char *where);
void fn_rec_list_close(struct fn_rec_list **list);
uint32_t fn_rec_list_classes(const struct fn_rec_list *list);
/* The name of the class with this number, not terminated; NULL: it is not in the list. */
const char *fn_rec_list_name(const struct fn_rec_list *list, uint32_t number, size_t *bytes);

#ifdef __cplusplus
}
#endif
#endif
