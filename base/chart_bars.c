/* SPDX-License-Identifier: MIT */
/* Columns, upright, as a picture; bars, lying, as a table. */
#include <math.h>
#include <string.h>

#include "base/chart_internal.h"

enum { WIDEST = 72 /* units of a column, however few there are */ };

static double most_of(const struct fn_bars *b, size_t *at)
{
    double most = 0;
    *at = 0;
    for (size_t i = 0; i < b->count; i++)
        if (b->bars[i].value > most) {
            most = b->bars[i].value;
            *at = i;
        }
    return most;
}

static char *text_of(const struct fn_bars *b, double value, char *buf, size_t cap)
{
    return fn_unit_text(b->unit, value, 0, buf, cap);
}

static void table(struct fn_html *h, const struct fn_bars *b)
{
    char titles[2][64];
    snprintf(titles[0], sizeof titles[0], "%s", b->name_title);
    snprintf(titles[1], sizeof titles[1], "#%s", b->value_title);
    const char *columns[] = {titles[0], titles[1]};
    fn_html_put(h, "<details><summary>Figures</summary>\n");
    fn_html_table(h, NULL, columns, 2);
    for (size_t i = 0; i < b->count; i++) {
        char text[64];
        fn_html_cell(h, "%s", b->bars[i].name);
        fn_html_cell(h, "%s", text_of(b, b->bars[i].value, text, sizeof text));
    }
    fn_html_table_end(h);
    fn_html_put(h, "</details>\n");
}

/* Every how many-th name there is room for. */
static size_t thin_out(const struct fn_bars *b, double column)
{
    double longest = 0;
    size_t every;
    for (size_t i = 0; i < b->count; i++)
        longest = fmax(longest, fn_chart_width(b->bars[i].name));
    every = (size_t)ceil((longest + 14) / column);
    return every ? every : 1;
}

static void draw_columns(const struct fn_frame *f, const struct fn_bars *b)
{
    double column = (f->right - f->left) / (double)b->count;
    size_t every = thin_out(b, column);
    for (size_t i = 0; i < b->count; i++) {
        char text[64];
        double x = f->left + (double)i * column, y = fn_frame_y(f, b->bars[i].value);
        double gap = column > 6 ? fmax(fmin(3, column * 0.12), (column - WIDEST) / 2) : 0.5;
        double middle = x + column / 2;
        if (b->bars[i].value > 0 && f->bottom - y < 1) /* what is there is seen */
            y = f->bottom - 1;
        fn_html_put(
            f->html,
            "<rect class=\"f s1\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>",
            x + gap, y, column - 2 * gap, f->bottom - y);
        fn_html_textf(f->html, "%s: %s", b->bars[i].name,
                      text_of(b, b->bars[i].value, text, sizeof text));
        fn_html_put(f->html, "</title></rect>");
        if (i % every == 0) {
            fn_html_put(f->html, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">", middle,
                        f->bottom + 16);
            fn_html_text(f->html, b->bars[i].name, strlen(b->bars[i].name));
            fn_html_put(f->html, "</text>");
        }
        fn_html_put(f->html, "\n");
    }
}

int fn_chart_columns(struct fn_html *h, const struct fn_bars *b)
{
    struct fn_frame f = {.html = h};
    char text[64];
    size_t at;
    double most = most_of(b, &at);
    if (!(most > 0))
        return 0;
    f.x = (struct fn_axis){.title = b->name_title, .max = 1};
    f.y = (struct fn_axis){.title = b->value_title, .unit = b->unit, .zero = 1};
    fn_axis_fit(&f.y, 0, most);
    fn_frame_fit(&f);
    fn_chart_begin(h, b->title, b->text);
    fn_chart_svg(h, b->title);
    fn_html_textf(h, "%zu columns from %s %s to %s; the highest is %s with %s %s.", b->count,
                  b->name_title, b->bars[0].name, b->bars[b->count - 1].name, b->bars[at].name,
                  text_of(b, most, text, sizeof text), b->value_title);
    fn_chart_described(h);
    fn_frame_y_axis(&f);
    draw_columns(&f, b);
    fn_frame_titles(&f);
    fn_html_put(h, "</svg>\n");
    table(h, b);
    fn_html_put(h, "</figure>\n");
    return 1;
}

int fn_chart_bars(struct fn_html *h, const struct fn_bars *b)
{
    size_t at;
    double most = most_of(b, &at);
    if (!(most > 0))
        return 0;
    fn_chart_begin(h, b->title, b->text);
    fn_html_put(h, "<div class=\"scroll\" tabindex=\"0\">\n<table class=\"bars\"><thead><tr>"
                   "<th scope=\"col\">");
    fn_html_text(h, b->name_title, strlen(b->name_title));
    fn_html_put(h, "</th><th scope=\"col\" class=\"n\">");
    fn_html_text(h, b->value_title, strlen(b->value_title));
    fn_html_put(h, "</th><td></td></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < b->count; i++) {
        char text[64];
        double width = b->bars[i].value / most * 100;
        fn_html_put(h, "<tr><th scope=\"row\">");
        fn_html_text(h, b->bars[i].name, strlen(b->bars[i].name));
        fn_html_put(h, "</th><td class=\"n\">");
        text_of(b, b->bars[i].value, text, sizeof text);
        fn_html_text(h, text, strlen(text));
        fn_html_put(h, "</td><td>");
        if (width > 0)
            fn_html_put(h,
                        "<svg viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" "
                        "aria-hidden=\"true\"><rect class=\"f s1\" width=\"%.2f\" "
                        "height=\"10\"/></svg>",
                        width < 0.4 ? 0.4 : width);
        fn_html_put(h, "</td></tr>\n");
    }
    fn_html_put(h, "</tbody></table></div>\n</figure>\n");
    return 1;
}
