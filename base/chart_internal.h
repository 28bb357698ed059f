/* SPDX-License-Identifier: MIT */
/* What the files of chart*.c share: the frame of a picture. Lengths are in units of the viewBox, of
 * which a page 1,100 pixels wide shows two pictures beside each other at 1.2 pixels a unit. */
#ifndef FN_BASE_CHART_INTERNAL_H
#define FN_BASE_CHART_INTERNAL_H

#include "base/chart.h"

enum {
    FN_CHART_W = 440,
    FN_CHART_H = 256,
    FN_CHART_TOP = 26,    /* the y axis' title stands above the plot */
    FN_CHART_BOTTOM = 42, /* tick labels, the x axis' title */
    FN_CHART_RIGHT = 14,
    FN_CHART_TICK = 6 /* from a tick's label to the plot */
};

struct fn_frame {
    struct fn_html *html;
    struct fn_axis x, y; /* fitted */
    double left, right, top, bottom;
};

static inline double fn_frame_x(const struct fn_frame *f, double value)
{
    return f->left + fn_axis_place(&f->x, value) * (f->right - f->left);
}
static inline double fn_frame_y(const struct fn_frame *f, double value)
{
    return f->bottom - fn_axis_place(&f->y, value) * (f->bottom - f->top);
}

/* chart.c */
double fn_chart_width(const char *text); /* of a label, in the widest face that is common */
void fn_chart_begin(struct fn_html *html, const char *title, const char *text);
/* <svg> with a title, and the text that follows until fn_chart_described as its description. */
void fn_chart_svg(struct fn_html *html, const char *title);
void fn_chart_described(struct fn_html *html);
/* The left margin for these labels; grid lines and labels of the y axis, both axes' titles. */
void fn_frame_fit(struct fn_frame *f);
void fn_frame_y_axis(const struct fn_frame *f);
void fn_frame_titles(const struct fn_frame *f);

/* chart_draw.c: series number i of a chart. */
void fn_chart_draw(const struct fn_frame *f, const struct fn_series *series, size_t i);

#endif
