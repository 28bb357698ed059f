/* SPDX-License-Identifier: MIT */
/* Names as fields of tab-separated files: any bytes, one line. */
#ifndef FN_TRAIN_FIELD_H
#define FN_TRAIN_FIELD_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Control bytes and the backslash as \xNN, all else as it is. Errors are the stream's. */
void fn_field_put(FILE *f, const char *bytes, size_t count);

/* \\ and \xNN -> bytes, in place. 1: a name of a class or record (fn_name_ok); 0: another escape,
 * or none. */
int fn_field_name(char *text);

/* The field up to the next tab, which becomes its end; *row moves behind it, NULL after the last
 * field. NULL where *row is. */
char *fn_field_next(char **row);

/* Decimal digits, 18 at most. 1: it is one. text may be NULL. */
int fn_field_whole(const char *text, uint64_t *value);

#ifdef __cplusplus
}
#endif
#endif
