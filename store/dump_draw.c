/* SPDX-License-Identifier: MIT */
/* Rectangles, text, pictures. */
#include "store/dump_draw.h"

#include <string.h>

void fn_draw_box(struct fn_image *im, int x, int y, int w, int h, uint32_t rgb)
{
    int x1 = x < 0 ? 0 : x, y1 = y < 0 ? 0 : y;
    int x2 = x + w < im->w ? x + w : im->w, y2 = y + h < im->h ? y + h : im->h;
    for (int row = y1; row < y2; row++) {
        uint8_t *at = im->rgb + ((size_t)row * (size_t)im->w + (size_t)x1) * 3;
        for (int col = x1; col < x2; col++, at += 3) {
            at[0] = (uint8_t)(rgb >> 16);
            at[1] = (uint8_t)(rgb >> 8);
            at[2] = (uint8_t)rgb;
        }
    }
}

void fn_draw_picture(struct fn_image *im, int x, int y, const struct fn_image *picture)
{
    int w = x + picture->w < im->w ? picture->w : im->w - x;
    if (x < 0 || y < 0 || w <= 0)
        return;
    for (int row = 0; row < picture->h && y + row < im->h; row++)
        memcpy(im->rgb + ((size_t)(y + row) * (size_t)im->w + (size_t)x) * 3,
               picture->rgb + (size_t)row * (size_t)picture->w * 3, (size_t)w * 3);
}

/* The next character's glyph; *at moves behind it. A UTF-8 sequence is one character. */
static const uint8_t *next_glyph(const char *text, size_t bytes, size_t *at)
{
    unsigned char c = (unsigned char)text[(*at)++];
    if (c >= FN_FONT_FIRST && c < 127)
        return fn_dump_font[c - FN_FONT_FIRST];
    while (c >= 0xc0 && *at < bytes && ((unsigned char)text[*at] & 0xc0) == 0x80)
        (*at)++;
    return fn_dump_font[FN_FONT_GLYPHS - 1];
}

static int pixel(const uint8_t *glyph, int x, int y)
{
    if (x < 0 || y < 0 || x >= FN_FONT_W || y >= FN_FONT_H)
        return 0;
    return glyph[y] >> (FN_FONT_W - 1 - x) & 1;
}

/* At twice the size a corner between two set neighbours is filled and a lone one is taken off:
 * steps become slopes (the rule of Scale2x). */
static int pixel2(const uint8_t *glyph, int x, int y)
{
    int cx = x / 2, cy = y / 2, dx = x % 2 ? 1 : -1, dy = y % 2 ? 1 : -1;
    int beside = pixel(glyph, cx + dx, cy), above = pixel(glyph, cx, cy + dy);
    int across = pixel(glyph, cx - dx, cy), below = pixel(glyph, cx, cy - dy);
    if (beside == above && beside != across && above != below)
        return beside;
    return pixel(glyph, cx, cy);
}

static void draw_glyph(struct fn_image *im, int x, int y, int scale, uint32_t rgb,
                       const uint8_t *glyph)
{
    for (int row = 0; row < FN_FONT_H * scale; row++)
        for (int col = 0; col < FN_FONT_W * scale; col++)
            if (scale == 2 ? pixel2(glyph, col, row) : pixel(glyph, col, row))
                fn_draw_box(im, x + col, y + row, 1, 1, rgb);
}

static int count_glyphs(const char *text, size_t bytes)
{
    int n = 0;
    for (size_t at = 0; at < bytes; n++)
        next_glyph(text, bytes, &at);
    return n;
}

int fn_text_width(const char *text, size_t bytes, int scale)
{
    int n = count_glyphs(text, bytes);
    return n ? (n * FN_FONT_ADVANCE - 1) * scale : 0;
}

void fn_draw_text(struct fn_image *im, int x, int y, int scale, int width, uint32_t rgb,
                  const char *text, size_t bytes)
{
    int n = count_glyphs(text, bytes), fits = (width / scale + 1) / FN_FONT_ADVANCE;
    int cut = n > fits;
    int shown = cut ? fits - 2 : n;
    size_t at = 0;
    for (int i = 0; i < shown; i++, x += FN_FONT_ADVANCE * scale)
        draw_glyph(im, x, y, scale, rgb, next_glyph(text, bytes, &at));
    for (int i = 0; cut && i < 2 && i < fits; i++, x += FN_FONT_ADVANCE * scale)
        draw_glyph(im, x, y, scale, rgb, fn_dump_font['.' - FN_FONT_FIRST]);
}
