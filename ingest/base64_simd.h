/* SPDX-License-Identifier: MIT */
/* The vector implementations behind base64.h, each in a file of its own that is compiled for its
 * instruction set. Contract: struct fn_base64_kind's `blocks`. */
#ifndef FN_INGEST_BASE64_SIMD_H
#define FN_INGEST_BASE64_SIMD_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

size_t fn_base64_blocks_avx2(const uint8_t *text, size_t chars, uint8_t *out);
size_t fn_base64_blocks_avx512(const uint8_t *text, size_t chars, uint8_t *out);

#ifdef __cplusplus
}
#endif
#endif
