/* SPDX-License-Identifier: MIT */
/* Copies a row of pixels from right to left. */
#ifndef FN_TRAIN_MIRROR_H
#define FN_TRAIN_MIRROR_H

#include <stdint.h>

/* to[i] = from[pixels - 1 - i], three bytes a pixel; pixels >= 1; the rows do not overlap. Reads
 * and writes nothing beside them. */
typedef void fn_mirror(uint8_t *to, const uint8_t *from, int pixels);
void fn_mirror_plain(uint8_t *to, const uint8_t *from, int pixels);

fn_mirror *fn_mirror_ssse3(void); /* NULL: not on this machine */

#endif
