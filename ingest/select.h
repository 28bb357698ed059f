/* SPDX-License-Identifier: MIT */
/* Selection by lists: which rows are wanted at all.
 *
 * A list is a text file; a line is a class name, or class/record name, the latter also with the
 * ending of a picture, and also as the published clean lists of MS-Celeb have it, `MID <tab> path`,
 * of which the last two parts of the path count (the MID, where the path is a file name alone).
 * Blank lines are nothing. Lookups may come from any thread. */
#ifndef FN_INGEST_SELECT_H
#define FN_INGEST_SELECT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fn_name_list;

/* Reads the file. FN_ENOENT, FN_EIO, FN_ENOMEM; FN_EFORMAT: it is empty, or a line has a NUL byte
 * or is too long for a name. */
int fn_name_list_open(struct fn_name_list **list, const char *path);
/* The same from memory, which is taken over (malloc'd) whatever is returned; `where` for sentences.
 */
int fn_name_list_parse(struct fn_name_list **list, char *text, size_t bytes, const char *where);
void fn_name_list_close(struct fn_name_list **list);

/* Does the list name this class or this record of it? Notes what was found. 1 or 0. */
int fn_name_list_has(struct fn_name_list *list, const char *class_name, size_t class_bytes,
                     const char *name, size_t name_bytes);

size_t fn_name_list_count(const struct fn_name_list *list);     /* different entries */
size_t fn_name_list_unmatched(const struct fn_name_list *list); /* that nothing matched so far */
/* Call visit for at most `limit` of those. */
void fn_name_list_each_unmatched(const struct fn_name_list *list, size_t limit, void *context,
                                 void (*visit)(void *context, const char *name, size_t bytes));
/* 32 hex digits of XXH3-128 over the file's bytes: what the manifest knows the list by. */
const char *fn_name_list_hash(const struct fn_name_list *list);

#ifdef __cplusplus
}
#endif
#endif
