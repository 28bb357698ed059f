/* SPDX-License-Identifier: MIT */
/* Bytes that may or may not be UTF-8: names come from strangers. */
#ifndef FN_BASE_UTF8_H
#define FN_BASE_UTF8_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of the well-formed UTF-8 character at s (Unicode 15, table 3-7), 0 if there is none. left:
 * bytes from s to the end, at least 1. */
size_t fn_utf8_length(const unsigned char *s, size_t left);

#ifdef __cplusplus
}
#endif
#endif
