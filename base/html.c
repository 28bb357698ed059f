/* SPDX-License-Identifier: MIT */
/* Writing pages: head and foot, escaping, tables, pictures. */
#include "base/html.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/utf8.h"

enum { COLUMNS_MAX = 16, TEXT_MAX = 2048, THUMB_QUALITY = 82 };

struct fn_html {
    struct fn_out *out;
    FILE *f;
    int ids;
    /* the table that is open */
    size_t columns, column;
    int number[COLUMNS_MAX];
};

static void put_head(struct fn_html *h, const char *kind, const char *title, const char *lead)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src "
          "data:; style-src 'unsafe-inline'\"/>\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
          "<meta name=\"color-scheme\" content=\"light dark\"/>\n<title>",
          h->f);
    fn_html_text(h, title, strlen(title));
    fputs(" - ", h->f);
    fn_html_text(h, kind, strlen(kind));
    fputs("</title>\n<style>\n", h->f);
    for (const char *const *line = fn_html_style; *line; line++)
        fputs(*line, h->f);
    fputs("</style>\n</head>\n<body>\n<main>\n<header>\n", h->f);
    fputs("<p class=\"kind\">", h->f);
    fn_html_text(h, kind, strlen(kind));
    fputs("</p>\n<h1><bdi>", h->f);
    fn_html_text(h, title, strlen(title));
    fputs("</bdi></h1>\n", h->f);
    if (*lead) {
        fputs("<p class=\"lead\">", h->f);
        fn_html_text(h, lead, strlen(lead));
        fputs("</p>\n", h->f);
    }
    fputs("</header>\n", h->f);
}

int fn_html_open(struct fn_html **html, const char *path, const char *kind, const char *title,
                 const char *lead)
{
    struct fn_html *h = calloc(1, sizeof *h);
    *html = NULL;
    if (!h)
        return fn_fail(FN_ENOMEM, "no memory for the page %s", path);
    int rc = fn_out_open(&h->out, path);
    if (rc) {
        fn_html_close(&h);
        return rc;
    }
    h->f = fn_out_stream(h->out);
    put_head(h, kind, title, lead);
    *html = h;
    return FN_OK;
}

int fn_html_commit(struct fn_html *h, const char *tool)
{
    fprintf(h->f, "<footer><p>Made by %s %s.</p></footer>\n</main>\n</body>\n</html>\n", tool,
            FN_VERSION);
    return fn_out_commit(h->out);
}

void fn_html_close(struct fn_html **html)
{
    struct fn_html *h = *html;
    if (!h)
        return;
    fn_out_close(&h->out);
    free(h);
    *html = NULL;
}

uint64_t fn_html_bytes(struct fn_html *h)
{
    off_t at = ftello(h->f);
    return at > 0 ? (uint64_t)at : 0;
}

int fn_html_id(struct fn_html *h)
{
    return ++h->ids;
}

/* ---- text ----------------------------------------------------------------------------------- */
void fn_html_put(struct fn_html *h, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vfprintf(h->f, fmt, args);
    va_end(args);
}

/* Bytes of a character that may stand in a page as it is; 0: none. C1 controls and the two
 * characters that are none are not allowed there. */
static size_t shown(const unsigned char *s, size_t left)
{
    size_t n = fn_utf8_length(s, left);
    if (n == 1)
        return s[0] >= 32 && s[0] != 127;
    if ((n == 2 && s[0] == 0xc2 && s[1] < 0xa0) ||
        (n == 3 && s[0] == 0xef && s[1] == 0xbf && s[2] >= 0xbe))
        return 0;
    return n;
}

void fn_html_text(struct fn_html *h, const char *text, size_t bytes)
{
    static const char *const entities[128] = {
        ['<'] = "&lt;", ['>'] = "&gt;", ['&'] = "&amp;", ['"'] = "&quot;", ['\''] = "&#39;"};
    const unsigned char *s = (const unsigned char *)text;
    for (size_t i = 0; i < bytes;) {
        size_t n = shown(s + i, bytes - i);
        if (n == 1 && entities[s[i]])
            fputs(entities[s[i]], h->f);
        else if (n)
            fwrite(s + i, 1, n, h->f);
        else
            fprintf(h->f, "\\x%02x", s[i]);
        i += n ? n : 1;
    }
}

void fn_html_name(struct fn_html *h, const char *name, size_t bytes)
{
    fputs("<bdi>", h->f);
    for (size_t i = 0, n; i < bytes; i += n) {
        for (n = 0; i + n < bytes && !strchr("_-.", name[i + n]);)
            n++;
        n += i + n < bytes;
        fn_html_text(h, name + i, n);
        if (i + n < bytes)
            fputs("<wbr/>", h->f);
    }
    fputs("</bdi>", h->f);
}

static void text_v(struct fn_html *h, const char *fmt, va_list args)
{
    char text[TEXT_MAX];
    int n = vsnprintf(text, sizeof text, fmt, args);
    if (n < 0)
        return;
    fn_html_text(h, text, strlen(text));
    if ((size_t)n >= sizeof text)
        fputs("...", h->f);
}

void fn_html_textf(struct fn_html *h, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    text_v(h, fmt, args);
    va_end(args);
}

/* ---- parts ---------------------------------------------------------------------------------- */
void fn_html_section(struct fn_html *h, const char *title, const char *lead)
{
    fn_html_put(h, "<section>\n<h2>");
    fn_html_text(h, title, strlen(title));
    fn_html_put(h, "</h2>\n");
    if (lead) {
        fn_html_put(h, "<p class=\"lead\">");
        fn_html_text(h, lead, strlen(lead));
        fn_html_put(h, "</p>\n");
    }
}

void fn_html_section_end(struct fn_html *h)
{
    fn_html_put(h, "</section>\n");
}

void fn_html_grid(struct fn_html *h, int most)
{
    fn_html_put(h, "<div class=\"grid%s\">\n", most > 2 ? " three" : "");
}

void fn_html_grid_end(struct fn_html *h)
{
    fn_html_put(h, "</div>\n");
}

void fn_html_tiles(struct fn_html *h, const struct fn_html_tile *tiles, size_t count)
{
    fn_html_put(h, "<dl class=\"tiles\">\n");
    for (size_t i = 0; i < count; i++) {
        fn_html_put(h, "<div><dt>");
        fn_html_text(h, tiles[i].name, strlen(tiles[i].name));
        fn_html_put(h, "</dt><dd>");
        fn_html_text(h, tiles[i].value, strlen(tiles[i].value));
        if (tiles[i].note) {
            fn_html_put(h, " <span>");
            fn_html_text(h, tiles[i].note, strlen(tiles[i].note));
            fn_html_put(h, "</span>");
        }
        fn_html_put(h, "</dd></div>\n");
    }
    fn_html_put(h, "</dl>\n");
}

void fn_html_facts(struct fn_html *h)
{
    fn_html_put(h, "<dl class=\"facts\">\n");
}

void fn_html_fact(struct fn_html *h, const char *name, const char *fmt, ...)
{
    va_list args;
    fn_html_put(h, "<div><dt>");
    fn_html_name(h, name, strlen(name));
    fn_html_put(h, "</dt><dd><bdi>");
    va_start(args, fmt);
    text_v(h, fmt, args);
    va_end(args);
    fn_html_put(h, "</bdi></dd></div>\n");
}

void fn_html_facts_end(struct fn_html *h)
{
    fn_html_put(h, "</dl>\n");
}

/* ---- tables --------------------------------------------------------------------------------- */
void fn_html_table(struct fn_html *h, const char *caption, const char *const *columns, size_t count)
{
    h->columns = count < COLUMNS_MAX ? count : COLUMNS_MAX;
    h->column = 0;
    /* The box scrolls on a narrow screen, so the keyboard must reach it. */
    fn_html_put(h, "<div class=\"scroll\" tabindex=\"0\">\n<table>\n");
    if (caption) {
        fn_html_put(h, "<caption>");
        fn_html_text(h, caption, strlen(caption));
        fn_html_put(h, "</caption>\n");
    }
    fn_html_put(h, "<thead><tr>");
    for (size_t i = 0; i < h->columns; i++) {
        h->number[i] = columns[i][0] == '#';
        fn_html_put(h, "<th scope=\"col\"%s>", h->number[i] ? " class=\"n\"" : "");
        fn_html_text(h, columns[i] + h->number[i], strlen(columns[i]) - (size_t)h->number[i]);
        fn_html_put(h, "</th>");
    }
    fn_html_put(h, "</tr></thead>\n<tbody>\n");
}

void fn_html_cell(struct fn_html *h, const char *fmt, ...)
{
    va_list args;
    if (h->column == 0)
        fn_html_put(h, "<tr>");
    fn_html_put(h, h->number[h->column] ? "<td class=\"n\">" : "<td><bdi>");
    va_start(args, fmt);
    text_v(h, fmt, args);
    va_end(args);
    fn_html_put(h, h->number[h->column] ? "</td>" : "</bdi></td>");
    h->column = (h->column + 1) % h->columns;
    if (h->column == 0)
        fn_html_put(h, "</tr>\n");
}

void fn_html_table_end(struct fn_html *h)
{
    if (h->column)
        fn_html_put(h, "</tr>\n");
    fn_html_put(h, "</tbody>\n</table>\n</div>\n");
}

/* ---- pictures ------------------------------------------------------------------------------- */
void fn_html_faces(struct fn_html *h)
{
    fn_html_put(h, "<div class=\"faces\">\n");
}

void fn_html_faces_end(struct fn_html *h)
{
    fn_html_put(h, "</div>\n");
}

static void put_base64(FILE *f, const uint8_t *data, size_t bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes; i += 3) {
        size_t n = bytes - i < 3 ? bytes - i : 3;
        uint32_t v = (uint32_t)data[i] << 16 | (n > 1 ? (uint32_t)data[i + 1] << 8 : 0) |
                     (n > 2 ? (uint32_t)data[i + 2] : 0);
        char four[4] = {digits[v >> 18], digits[v >> 12 & 63], n > 1 ? digits[v >> 6 & 63] : '=',
                        n > 2 ? digits[v & 63] : '='};
        fwrite(four, 1, sizeof four, f);
    }
}

void fn_html_image(struct fn_html *h, const uint8_t *data, size_t bytes, int w, int h_pixels,
                   const char *alt)
{
    const char *type = fn_image_sniff(data, bytes) == FN_IMAGE_PNG ? "png" : "jpeg";
    fn_html_put(h, "<img width=\"%d\" height=\"%d\" alt=\"", w, h_pixels);
    fn_html_text(h, alt, strlen(alt));
    fn_html_put(h, "\" src=\"data:image/%s;base64,", type);
    put_base64(h->f, data, bytes);
    fn_html_put(h, "\"/>");
}

int fn_html_thumb(struct fn_html *h, struct fn_codec *codec, const struct fn_image *image, int side,
                  const char *alt, struct fn_image *small, struct fn_bytes *made)
{
    int longer = image->w > image->h ? image->w : image->h, rc = FN_OK;
    const struct fn_image *shown_image = image;
    if (longer > side) {
        int w = (int)((int64_t)image->w * side / longer);
        int tall = (int)((int64_t)image->h * side / longer);
        rc = fn_image_resize(codec, image, w ? w : 1, tall ? tall : 1, small);
        shown_image = small;
    }
    if (!rc)
        rc = fn_jpeg_encode(codec, shown_image, THUMB_QUALITY, 1, made);
    if (!rc)
        fn_html_image(h, made->data, made->bytes, shown_image->w, shown_image->h, alt);
    return rc;
}
