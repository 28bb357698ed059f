/* SPDX-License-Identifier: MIT */
/* The one function that a fuzz target defines. Returns 0. It must not keep anything of `data`, and
 * must do the same for the same bytes. */
#ifndef FN_TESTS_FUZZ_H
#define FN_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#ifdef __cplusplus
}
#endif
#endif
