/* SPDX-License-Identifier: MIT */
/* JSON by jansson, with our manners: errors are sentences, and names that are not UTF-8 survive:
 * fn_json_bytes() writes such a byte as the four characters \xNN, and a real backslash doubled. */
#ifndef FN_BASE_JSON_H
#define FN_BASE_JSON_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Parse text (not NUL-terminated); `where` names it in the sentence. *out is a new reference. */
int fn_json_parse(const char *text, size_t bytes, const char *where, json_t **out);
int fn_json_load(const char *path, size_t limit, json_t **out);

/* Members with a type and a sentence when they are missing or of another type. */
int fn_json_int(const json_t *obj, const char *key, const char *where, int64_t *out);
int fn_json_real(const json_t *obj, const char *key, const char *where, double *out);
int fn_json_string(const json_t *obj, const char *key, const char *where, const char **out);
int fn_json_member(const json_t *obj, const char *key, json_type type, const char *where,
                   json_t **out); /* borrowed */

/* A JSON string for arbitrary bytes; NULL when out of memory. */
json_t *fn_json_bytes(const char *bytes, size_t count);

/* json_dumps, but NULL (sentence set) also when jansson was denied memory in this thread since the
 * last call: the object may have holes then, whatever its builders looked at. */
char *fn_json_dump(const json_t *value, size_t flags);
/* Deterministic text: sorted keys, indent 2, reals with 17 digits (read back, they are the same),
 * newline at the end; malloc'd. NULL: out of memory, sentence set. */
char *fn_json_text(const json_t *value);
/* One line on stdout, for people and scripts: reals with 15 digits, so that 0.1 is 0.1. A reader
 * that has closed the pipe is no error. */
int fn_json_print(const json_t *value);

#ifdef __cplusplus
}
#endif
#endif
