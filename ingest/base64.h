/* SPDX-License-Identifier: MIT */
/* Strict base64 (RFC 4648, section 4): the alphabet A-Z a-z 0-9 + / and nothing else, in whole
 * groups of four, padded with '=' where the last group is short, unused bits zero. So every byte
 * string has exactly one spelling, and whatever is not one is refused with its place.
 *
 * Pure functions, any thread. The instruction set is chosen at run time; all give the same result,
 * byte for byte and fault for fault. */
#ifndef FN_INGEST_BASE64_H
#define FN_INGEST_BASE64_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum fn_base64_fault {
    FN_BASE64_OK = 0,
    FN_BASE64_CHAR,    /* a byte that is not of the alphabet, '=' before the end included */
    FN_BASE64_LENGTH,  /* the number of characters is not a multiple of four */
    FN_BASE64_PADDING, /* '=' in the last group where none may be: "A===", "AB=C" */
    FN_BASE64_BITS     /* bits behind the last byte are not zero: not a canonical spelling */
};
/* What is wrong, for a person: "a byte outside the base64 alphabet". Never NULL. */
const char *fn_base64_fault_text(enum fn_base64_fault fault);

/* Most bytes that `chars` characters can give. */
#define FN_BASE64_BYTES(chars) ((chars) / 4 * 3)

/* Decode text[0 .. chars) into out, which has room for FN_BASE64_BYTES(chars) bytes and either does
 * not overlap text or starts where text starts (decoding in place). Nothing behind that room is
 * written. Returns FN_BASE64_OK and *bytes, or the first fault from the left with *bytes = the
 * position in text where it was noticed; what out holds is then unspecified.
 * No characters at all are no bytes, and no fault. */
enum fn_base64_fault fn_base64_decode(const uint8_t *text, size_t chars, uint8_t *out,
                                      size_t *bytes);

/* The implementations, plain first, for tests and benchmarks: `blocks` decodes from the left while
 * whole blocks of the alphabet last and returns the number of characters it took, a multiple of
 * four (0 is always right); the last group is never taken. NULL for the plain one. */
struct fn_base64_kind {
    const char *name; /* "plain", "avx2", "avx512" */
    int (*usable)(void);
    size_t (*blocks)(const uint8_t *text, size_t chars, uint8_t *out);
};
const struct fn_base64_kind *fn_base64_kinds(size_t *count);
/* fn_base64_decode by a given implementation, which must be usable. */
enum fn_base64_fault fn_base64_decode_by(const struct fn_base64_kind *kind, const uint8_t *text,
                                         size_t chars, uint8_t *out, size_t *bytes);

#ifdef __cplusplus
}
#endif
#endif
