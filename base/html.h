/* SPDX-License-Identifier: MIT */
/* Pages: one HTML file that needs nothing but itself. No script, no network (a content security
 * policy in the page forbids both), pictures as data URIs, light and dark after the reader's
 * system, printable. Every page is well-formed XML too, so that a strict parser can check it.
 *
 *     fn_html_open(&html, "page.html", "Store", name, "what the page is about");
 *     fn_html_section(html, "Classes", "...");  ... charts (base/chart.h), tables, pictures ...
 *     fn_html_section_end(html);
 *     rc = fn_html_commit(html);                the file is there completely, or as it was before
 *     fn_html_close(&html);
 *
 * Writing goes through stdio: what fails is found at commit, so the calls between return nothing.
 * Names from strangers go through fn_html_text, fn_html_textf, cells, facts and tiles, which
 * escape; fn_html_put alone does not. One thread a page. */
#ifndef FN_BASE_HTML_H
#define FN_BASE_HTML_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "base/image.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fn_html;

/* kind: what sort of page, a word or two above the title. title: any bytes. lead: a sentence below
 * it, or "". Written atomically (fn_out of base/file.h). */
int fn_html_open(struct fn_html **html, const char *path, const char *kind, const char *title,
                 const char *lead);
/* Ends the page with a line that says which tool made it. */
int fn_html_commit(struct fn_html *html, const char *tool);
void fn_html_close(struct fn_html **html);    /* without a commit: nothing is left. NULL is fine */
uint64_t fn_html_bytes(struct fn_html *html); /* written so far */
int fn_html_id(struct fn_html *html);         /* a number that no other element of the page has */

/* Our own markup, as it is. */
void fn_html_put(struct fn_html *html, const char *fmt, ...) FN_PRINTF(2, 3);
/* Any bytes as text or in a quoted attribute: < > & " ' become entities; control characters, what
 * is not UTF-8 and U+FFFE, U+FFFF become \xNN. */
void fn_html_text(struct fn_html *html, const char *text, size_t bytes);
void fn_html_textf(struct fn_html *html, const char *fmt, ...) FN_PRINTF(2, 3);
/* A name, escaped, kept apart from the direction of the text around it, and broken behind its _ - .
 * where a line is too short for it. */
void fn_html_name(struct fn_html *html, const char *name, size_t bytes);

/* A part of the page with a heading; lead NULL: none. */
void fn_html_section(struct fn_html *html, const char *title, const char *lead);
void fn_html_section_end(struct fn_html *html);
/* What follows stands side by side where there is room, up to `most` (2 or 3), until
 * fn_html_grid_end. */
void fn_html_grid(struct fn_html *html, int most);
void fn_html_grid_end(struct fn_html *html);

/* The figures that matter most, large. note NULL: none. */
struct fn_html_tile {
    const char *name, *value, *note;
};
void fn_html_tiles(struct fn_html *html, const struct fn_html_tile *tiles, size_t count);

/* A list of names and values. */
void fn_html_facts(struct fn_html *html);
void fn_html_fact(struct fn_html *html, const char *name, const char *fmt, ...) FN_PRINTF(3, 4);
void fn_html_facts_end(struct fn_html *html);

/* A table. A column whose title begins with '#' holds numbers (the mark is not shown). Then
 * fn_html_cell for each cell, row after row; a row begins by itself. */
void fn_html_table(struct fn_html *html, const char *caption, const char *const *columns,
                   size_t count);
void fn_html_cell(struct fn_html *html, const char *fmt, ...) FN_PRINTF(2, 3);
void fn_html_table_end(struct fn_html *html);

/* Faces in rows, each with up to two lines below it. */
void fn_html_faces(struct fn_html *html);
void fn_html_faces_end(struct fn_html *html);

/* <img> of a JPEG or PNG file's bytes; w, h: its pixels; alt: any bytes. */
void fn_html_image(struct fn_html *html, const uint8_t *data, size_t bytes, int w, int h,
                   const char *alt);
/* The same of pixels: made smaller so that no side is above `side`, as a JPEG. `small` and `made`
 * are scratch. Codes as fn_image_resize's; on failure nothing was written. */
int fn_html_thumb(struct fn_html *html, struct fn_codec *codec, const struct fn_image *image,
                  int side, const char *alt, struct fn_image *small, struct fn_bytes *made);

extern const char *const fn_html_style[]; /* the style sheet, a NULL behind it (html_style.c) */

#ifdef __cplusplus
}
#endif
#endif
