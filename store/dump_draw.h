/* SPDX-License-Identifier: MIT */
/* Drawing for contact sheets: rectangles, text, pictures, on an fn_image. What lies outside is not
 * drawn. */
#ifndef FN_STORE_DUMP_DRAW_H
#define FN_STORE_DUMP_DRAW_H

#include <stddef.h>
#include <stdint.h>

#include "base/image.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FN_FONT_FIRST 32
#define FN_FONT_GLYPHS 96 /* the last one stands for all that is not ASCII */
#define FN_FONT_W 5
#define FN_FONT_H 12
#define FN_FONT_ADVANCE 6 /* pixels from letter to letter */
extern const uint8_t fn_dump_font[FN_FONT_GLYPHS][FN_FONT_H];

void fn_draw_box(struct fn_image *im, int x, int y, int w, int h, uint32_t rgb);
/* Copy a picture; its left upper corner goes to (x, y). */
void fn_draw_picture(struct fn_image *im, int x, int y, const struct fn_image *picture);

/* Text from (x, y), the upper left corner. scale 1, or 2 with rounded steps. What is longer than
 * `width` pixels ends in "..". Names of any bytes: a character beyond ASCII is one box. */
void fn_draw_text(struct fn_image *im, int x, int y, int scale, int width, uint32_t rgb,
                  const char *text, size_t bytes);
/* Width in pixels of that text, uncut. */
int fn_text_width(const char *text, size_t bytes, int scale);

#ifdef __cplusplus
}
#endif
#endif
