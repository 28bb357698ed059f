/* SPDX-License-Identifier: MIT */
/* The looks of a series: one function each. */
#include <math.h>

#include "base/chart_internal.h"

enum { DOTTED = 24 /* points up to which a line's are dotted */ };
#define NEAR 0.35         /* points nearer than that to the last one drawn are not seen */
#define SMOOTH_SHARE 0.05 /* of all points: half the window of the moving average */

/* A pen that draws a path, and leaves out points that would not be seen. */
struct pen {
    struct fn_html *html;
    double x, y;   /* drawn last */
    double sx, sy; /* passed over last */
    int down, skipped;
};

static void pen_flush(struct pen *p)
{
    if (p->skipped)
        fn_html_put(p->html, "L%.1f %.1f", p->sx, p->sy);
    p->skipped = 0;
}

static void pen_to(struct pen *p, double x, double y)
{
    if (isnan(x) || isnan(y)) {
        pen_flush(p);
        p->down = 0;
        return;
    }
    if (p->down && fabs(x - p->x) < NEAR && fabs(y - p->y) < NEAR) {
        p->sx = x;
        p->sy = y;
        p->skipped = 1;
        return;
    }
    pen_flush(p);
    fn_html_put(p->html, "%c%.1f %.1f", p->down ? 'L' : 'M', x, y);
    p->down = 1;
    p->x = x;
    p->y = y;
}

static void begin_path(const struct fn_frame *f, const char *looks, size_t i)
{
    fn_html_put(f->html, "<path class=\"%s s%zu\" d=\"", looks, i + 1);
}

static void end_path(struct pen *p)
{
    pen_flush(p);
    fn_html_put(p->html, "\"/>\n");
}

/* There and back: only where both sides are finite. */
static void draw_band(const struct fn_frame *f, const struct fn_series *s, size_t i)
{
    size_t from = 0;
    if (!s->low || !s->high)
        return;
    begin_path(f, "band", i);
    while (from < s->count) {
        size_t to = from;
        while (to < s->count && isfinite(s->low[to]) && isfinite(s->high[to]))
            to++;
        for (size_t k = from; k < to; k++)
            fn_html_put(f->html, "%c%.1f %.1f", k == from ? 'M' : 'L', fn_frame_x(f, s->x[k]),
                        fn_frame_y(f, s->high[k]));
        for (size_t k = to; k > from; k--)
            fn_html_put(f->html, "L%.1f %.1f", fn_frame_x(f, s->x[k - 1]),
                        fn_frame_y(f, s->low[k - 1]));
        if (to > from)
            fn_html_put(f->html, "Z");
        from = to + 1;
    }
    fn_html_put(f->html, "\"/>\n");
}

static void draw_dots(const struct fn_frame *f, const struct fn_series *s, size_t i)
{
    for (size_t k = 0; k < s->count; k++)
        if (isfinite(s->y[k]))
            fn_html_put(f->html, "<circle class=\"f s%zu\" cx=\"%.1f\" cy=\"%.1f\" r=\"%s\"/>\n",
                        i + 1, fn_frame_x(f, s->x[k]), fn_frame_y(f, s->y[k]),
                        s->look == FN_LOOK_DOTS ? "4" : "2.75");
}

static void draw_path(const struct fn_frame *f, const struct fn_series *s, size_t i,
                      const char *looks)
{
    struct pen pen = {.html = f->html};
    begin_path(f, looks, i);
    for (size_t k = 0; k < s->count; k++)
        pen_to(&pen, fn_frame_x(f, s->x[k]), fn_frame_y(f, s->y[k]));
    end_path(&pen);
}

static void draw_line(const struct fn_frame *f, const struct fn_series *s, size_t i)
{
    draw_band(f, s, i);
    draw_path(f, s, i, "l");
    if (s->count <= DOTTED)
        draw_dots(f, s, i);
}

static void draw_smooth(const struct fn_frame *f, const struct fn_series *s, size_t i)
{
    size_t half = (size_t)((double)s->count * SMOOTH_SHARE);
    struct pen pen = {.html = f->html};
    draw_band(f, s, i);
    if (half < 2) {
        draw_line(f, s, i);
        return;
    }
    draw_path(f, s, i, "l raw");
    begin_path(f, "l", i);
    for (size_t k = 0; k < s->count; k++) { /* the window shrinks at both ends alike */
        size_t side = half < k ? half : k, n = 0;
        side = side < s->count - 1 - k ? side : s->count - 1 - k;
        double sum = 0;
        for (size_t j = k - side; j <= k + side; j++)
            if (isfinite(s->y[j])) {
                sum += s->y[j];
                n++;
            }
        pen_to(&pen, fn_frame_x(f, s->x[k]), n ? fn_frame_y(f, sum / (double)n) : NAN);
    }
    end_path(&pen);
}

static void steps(const struct fn_frame *f, const struct fn_series *s, struct pen *pen)
{
    double y = NAN;
    for (size_t k = 0; k < s->count; k++) {
        double x = fn_frame_x(f, s->x[k]);
        pen_to(pen, x, y);
        y = fn_frame_y(f, s->y[k]);
        pen_to(pen, x, y);
    }
}

static void draw_step(const struct fn_frame *f, const struct fn_series *s, size_t i)
{
    struct pen pen = {.html = f->html};
    begin_path(f, "l", i);
    steps(f, s, &pen);
    end_path(&pen);
}

static void draw_area(const struct fn_frame *f, const struct fn_series *s, size_t i)
{
    struct pen pen = {.html = f->html};
    begin_path(f, "l area", i);
    pen_to(&pen, fn_frame_x(f, s->x[0]), f->bottom);
    steps(f, s, &pen);
    pen_to(&pen, fn_frame_x(f, s->x[s->count - 1]), f->bottom);
    end_path(&pen);
}

static void (*const looks[FN_LOOK_COUNT])(const struct fn_frame *f, const struct fn_series *s,
                                          size_t i) = {
    [FN_LOOK_LINE] = draw_line, [FN_LOOK_SMOOTH] = draw_smooth, [FN_LOOK_STEP] = draw_step,
    [FN_LOOK_AREA] = draw_area, [FN_LOOK_DOTS] = draw_dots,
};

void fn_chart_draw(const struct fn_frame *f, const struct fn_series *series, size_t i)
{
    if (series->count)
        looks[series->look](f, series, i);
}
