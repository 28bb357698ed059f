/* SPDX-License-Identifier: MIT */
/* Charts as inline SVG in a page (base/html.h): curves over two axes, columns, bars. Each is a
 * <figure> with a title, a sentence, a legend where there is more than one thing to tell apart, a
 * picture with a description for those who do not see it, and the figures as a table. Colours come
 * from the page's style; order of series = order of colours.
 *
 * All input is borrowed for the call. What is not finite is a gap. Names may hold any bytes. */
#ifndef FN_BASE_CHART_H
#define FN_BASE_CHART_H

#include <stddef.h>

#include "base/html.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- axes ----------------------------------------------------------------------------------- */
enum fn_scale { FN_SCALE_LINEAR = 0, FN_SCALE_LOG };
enum fn_unit {
    FN_UNIT_NUMBER = 0, /* 0.25; 1e-5 */
    FN_UNIT_COUNT,      /* whole: ticks too; 1,500; 20k */
    FN_UNIT_PERCENT,    /* 0.25 is 25% */
    FN_UNIT_BYTES       /* 11.7 kB */
};

/* min = max: from the data. Then a linear axis ends at round numbers and a logarithmic one at
 * powers of ten, but where `tight`, both end with the data. */
struct fn_axis {
    const char *title;
    enum fn_scale scale;
    enum fn_unit unit;
    double min, max;
    int tight;
    int zero; /* linear, from the data: 0 is on it */
};

/* Fills min and max where they are equal. [low, high]: of the data, finite, of a logarithmic axis
 * above 0; low > high: there is none. */
void fn_axis_fit(struct fn_axis *axis, double low, double high);

/* Round values on the axis, ascending: steps of 1, 2 or 5 times a power of ten, or powers of ten
 * (with their 2 and 5 where there are few). About `wanted` (2 .. 8) of them; the count. */
#define FN_TICKS_MAX 24
int fn_axis_ticks(const struct fn_axis *axis, int wanted, double at[FN_TICKS_MAX]);

/* Where a value lies: 0 at min, 1 at max, cut to that; NAN for NAN. 0 or less is 0 on a
 * logarithmic axis. */
double fn_axis_place(const struct fn_axis *axis, double value);

/* A value for a person, into buf, which is returned. step: of the ticks, decides the decimals; 0:
 * four digits that matter. NAN: "-". */
char *fn_unit_text(enum fn_unit unit, double value, double step, char *buf, size_t cap);

/* ---- curves --------------------------------------------------------------------------------- */
enum fn_look {
    FN_LOOK_LINE = 0, /* points joined; few of them are dotted too */
    FN_LOOK_SMOOTH,   /* the line faint, its moving average over it */
    FN_LOOK_STEP,     /* each value holds until the next x */
    FN_LOOK_AREA,     /* steps, filled down to the axis: histograms that overlap */
    FN_LOOK_DOTS,
    FN_LOOK_COUNT
};

struct fn_series {
    const char *name;
    enum fn_look look;
    const double *x, *y;      /* [count], x ascending */
    const double *low, *high; /* [count] a band around the line, or NULL: what a point sums up */
    size_t count;
};
/* Straight lines across, with their name in the legend. */
struct fn_mark {
    const char *name;
    int level; /* 1: at y values; 0: at x values */
    const double *at;
    size_t count;
};
#define FN_SERIES_MAX 5 /* colours that can be told apart */

struct fn_chart {
    const char *title;
    const char *text; /* what one sees, in a sentence or two; or NULL */
    struct fn_axis x, y;
    const struct fn_series *series;
    size_t count;
    const struct fn_mark *marks;
    size_t mark_count;
};
/* Nothing at all where no series has a finite point: no empty charts. 1: drawn, 0: not. */
int fn_chart_curves(struct fn_html *html, const struct fn_chart *chart);

/* ---- columns and bars ----------------------------------------------------------------------- */
struct fn_bar {
    const char *name;
    double value; /* >= 0 */
};
struct fn_bars {
    const char *title, *text;
    const char *name_title, *value_title; /* "images", "classes" */
    enum fn_unit unit;
    const struct fn_bar *bars;
    size_t count;
};
/* Upright, in an order that matters (a histogram): up to about 40. */
int fn_chart_columns(struct fn_html *html, const struct fn_bars *bars);
/* Lying, one below the other, each with its name and value: reasons, kinds. The table is the
 * picture. */
int fn_chart_bars(struct fn_html *html, const struct fn_bars *bars);

#ifdef __cplusplus
}
#endif
#endif
