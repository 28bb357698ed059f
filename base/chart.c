/* SPDX-License-Identifier: MIT */
/* Curves: fitting, frame, legend, description, table. */
#include <math.h>
#include <string.h>

#include "base/chart_internal.h"

enum { X_TICKS = 5, Y_TICKS = 5, TABLE_ROWS = 20 /* of a series, evenly spread */ };

/* DejaVu Sans at 12 units. */
double fn_chart_width(const char *text)
{
    double width = 0;
    for (; *text; text++)
        width += strchr(".,: ", *text) ? 3.9 : strchr("%MmWw", *text) ? 11.5 : 7.6;
    return width;
}

/* ---- frame ---------------------------------------------------------------------------------- */
void fn_chart_begin(struct fn_html *h, const char *title, const char *text)
{
    fn_html_put(h, "<figure class=\"card\">\n<figcaption><h3>");
    fn_html_text(h, title, strlen(title));
    fn_html_put(h, "</h3>");
    if (text) {
        fn_html_put(h, "<p>");
        fn_html_text(h, text, strlen(text));
        fn_html_put(h, "</p>");
    }
    fn_html_put(h, "</figcaption>\n");
}

void fn_chart_svg(struct fn_html *h, const char *title)
{
    int id = fn_html_id(h);
    fn_html_put(
        h,
        "<svg class=\"chart\" viewBox=\"0 0 %d %d\" role=\"img\" aria-labelledby=\"t%d d%d\">\n"
        "<title id=\"t%d\">",
        FN_CHART_W, FN_CHART_H, id, id, id);
    fn_html_text(h, title, strlen(title));
    fn_html_put(h, "</title><desc id=\"d%d\">", id);
}

void fn_chart_described(struct fn_html *h)
{
    fn_html_put(h, "</desc>\n");
}

static double step_of(const struct fn_axis *axis, const double *at, int count)
{
    if (axis->scale == FN_SCALE_LOG && axis->max > 10 * axis->min)
        return 0; /* another one at every tick */
    return count > 1 ? at[1] - at[0] : fabs(at[0]);
}

static char *label(const struct fn_axis *axis, double value, double step, char *buf, size_t cap)
{
    if (step == 0 && value > 0)
        step = pow(10, floor(log10(value) + 1e-9));
    return fn_unit_text(axis->unit, value, step, buf, cap);
}

void fn_frame_fit(struct fn_frame *f)
{
    double at[FN_TICKS_MAX];
    int n = fn_axis_ticks(&f->y, Y_TICKS, at);
    double step = n ? step_of(&f->y, at, n) : 0;
    double longest = 0;
    for (int i = 0; i < n; i++) {
        char text[64];
        longest = fmax(longest, fn_chart_width(label(&f->y, at[i], step, text, sizeof text)));
    }
    f->left = longest + FN_CHART_TICK;
    f->right = FN_CHART_W - FN_CHART_RIGHT;
    f->top = FN_CHART_TOP;
    f->bottom = FN_CHART_H - FN_CHART_BOTTOM;
}

void fn_frame_y_axis(const struct fn_frame *f)
{
    double at[FN_TICKS_MAX];
    int n = fn_axis_ticks(&f->y, Y_TICKS, at);
    double step = n ? step_of(&f->y, at, n) : 0;
    for (int i = 0; i < n; i++) {
        char text[64];
        double y = fn_frame_y(f, at[i]);
        fn_html_put(f->html,
                    "<path class=\"g\" d=\"M%.1f %.1fH%.1f\"/>"
                    "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">",
                    f->left, y, f->right, f->left - FN_CHART_TICK, y + 4);
        label(&f->y, at[i], step, text, sizeof text);
        fn_html_text(f->html, text, strlen(text));
        fn_html_put(f->html, "</text>\n");
    }
}

void fn_frame_titles(const struct fn_frame *f)
{
    fn_html_put(f->html, "<text class=\"v\" x=\"0\" y=\"12\">");
    fn_html_text(f->html, f->y.title, strlen(f->y.title));
    fn_html_put(f->html, "</text><text class=\"v\" x=\"%.1f\" y=\"%d\" text-anchor=\"end\">",
                f->right, FN_CHART_H - 4);
    fn_html_text(f->html, f->x.title, strlen(f->x.title));
    fn_html_put(f->html, "</text>\n<path class=\"b\" d=\"M%.1f %.1fH%.1f\"/>\n", f->left, f->bottom,
                f->right);
}

static void x_axis(const struct fn_frame *f)
{
    double at[FN_TICKS_MAX];
    int n = fn_axis_ticks(&f->x, X_TICKS, at);
    double step = n ? step_of(&f->x, at, n) : 0;
    for (int i = 0; i < n; i++) {
        char text[64];
        double x = fn_frame_x(f, at[i]), half;
        const char *anchor = "middle";
        label(&f->x, at[i], step, text, sizeof text);
        half = fn_chart_width(text) / 2;
        fn_html_put(f->html, "<path class=\"b\" d=\"M%.1f %.1fv4\"/>", x, f->bottom);
        if (x + half > FN_CHART_W) {
            x = FN_CHART_W;
            anchor = "end";
        }
        fn_html_put(f->html, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, f->bottom + 17,
                    anchor);
        fn_html_text(f->html, text, strlen(text));
        fn_html_put(f->html, "</text>\n");
    }
}

/* ---- what the data say ---------------------------------------------------------------------- */
struct range {
    double low, high;
    size_t count;
};

static void widen(struct range *r, const double *values, size_t count, enum fn_scale scale)
{
    for (size_t i = 0; values && i < count; i++)
        if (isfinite(values[i]) && (scale == FN_SCALE_LINEAR || values[i] > 0)) {
            r->low = fmin(r->low, values[i]);
            r->high = fmax(r->high, values[i]);
            r->count++;
        }
}

static struct range range_of(const double *values, size_t count)
{
    struct range r = {INFINITY, -INFINITY, 0};
    widen(&r, values, count, FN_SCALE_LINEAR);
    return r;
}

static int fit(struct fn_frame *f, const struct fn_chart *c)
{
    struct range x = {INFINITY, -INFINITY, 0}, y = x;
    for (size_t i = 0; i < c->count; i++) {
        const struct fn_series *s = &c->series[i];
        widen(&x, s->x, s->count, c->x.scale);
        widen(&y, s->y, s->count, c->y.scale);
        widen(&y, s->low, s->count, c->y.scale);
        widen(&y, s->high, s->count, c->y.scale);
    }
    for (size_t i = 0; x.count && y.count && i < c->mark_count; i++)
        widen(c->marks[i].level ? &y : &x, c->marks[i].at, c->marks[i].count, FN_SCALE_LINEAR);
    if (!x.count || !y.count)
        return 0;
    f->x = c->x;
    f->y = c->y;
    fn_axis_fit(&f->x, x.low, x.high);
    fn_axis_fit(&f->y, y.low, y.high);
    fn_frame_fit(f);
    return 1;
}

static void put_value(struct fn_html *h, const struct fn_axis *axis, double value)
{
    char text[64];
    fn_unit_text(axis->unit, value, 0, text, sizeof text);
    fn_html_text(h, text, strlen(text));
}

/* "loss: 3.21 to 0.45, least 0.4, most 3.3, over step 1 to 300." */
static void describe(const struct fn_frame *f, const struct fn_chart *c)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct fn_series *s = &c->series[i];
        struct range y = range_of(s->y, s->count);
        if (!y.count)
            continue;
        fn_html_textf(f->html, "%s: from ", s->name);
        put_value(f->html, &f->y, s->y[0]);
        fn_html_put(f->html, " to ");
        put_value(f->html, &f->y, s->y[s->count - 1]);
        fn_html_put(f->html, ", least ");
        put_value(f->html, &f->y, y.low);
        fn_html_put(f->html, ", most ");
        put_value(f->html, &f->y, y.high);
        fn_html_textf(f->html, ", over %s ", f->x.title);
        put_value(f->html, &f->x, s->x[0]);
        fn_html_put(f->html, " to ");
        put_value(f->html, &f->x, s->x[s->count - 1]);
        fn_html_put(f->html, ". ");
    }
}

/* ---- legend and table ----------------------------------------------------------------------- */
static void key(struct fn_html *h, const char *drawn, const char *name)
{
    fn_html_put(h, "<li><svg viewBox=\"0 0 28 12\" aria-hidden=\"true\">%s</svg>", drawn);
    fn_html_text(h, name, strlen(name));
    fn_html_put(h, "</li>");
}

static void legend(struct fn_html *h, const struct fn_chart *c)
{
    static const char *const keys[FN_LOOK_COUNT] = {
        [FN_LOOK_LINE] = "<path class=\"l s%zu\" d=\"M1 6H27\"/>",
        [FN_LOOK_SMOOTH] = "<path class=\"l s%zu\" d=\"M1 6H27\"/>",
        [FN_LOOK_STEP] = "<path class=\"l s%zu\" d=\"M1 6H27\"/>",
        [FN_LOOK_AREA] = "<path class=\"l area s%zu\" d=\"M1 11V2H27V11\"/>",
        [FN_LOOK_DOTS] = "<circle class=\"f s%zu\" cx=\"14\" cy=\"6\" r=\"4\"/>",
    };
    if (c->count + c->mark_count < 2)
        return;
    fn_html_put(h, "<ul class=\"legend\">");
    for (size_t i = 0; i < c->count; i++) {
        char drawn[128];
        snprintf(drawn, sizeof drawn, keys[c->series[i].look], i + 1);
        key(h, drawn, c->series[i].name);
    }
    for (size_t i = 0; i < c->mark_count; i++) {
        char drawn[128];
        snprintf(drawn, sizeof drawn, "<path class=\"m m%zu\" d=\"%s\"/>", i,
                 c->marks[i].level ? "M1 6H27" : "M14 0V12");
        key(h, drawn, c->marks[i].name);
    }
    fn_html_put(h, "</ul>\n");
}

static void marks(const struct fn_frame *f, const struct fn_chart *c)
{
    for (size_t i = 0; i < c->mark_count; i++)
        for (size_t k = 0; k < c->marks[i].count; k++) {
            double at = c->marks[i].at[k];
            if (!isfinite(at))
                continue;
            fn_html_put(f->html, "<path class=\"m m%zu\" d=\"", i);
            if (c->marks[i].level)
                fn_html_put(f->html, "M%.1f %.1fH%.1f\"/>\n", f->left, fn_frame_y(f, at), f->right);
            else
                fn_html_put(f->html, "M%.1f %.1fV%.1f\"/>\n", fn_frame_x(f, at), f->bottom, f->top);
        }
}

static void cell_of(struct fn_html *h, const struct fn_axis *axis, double value)
{
    char text[64];
    fn_html_cell(h, "%s", fn_unit_text(axis->unit, value, 0, text, sizeof text));
}

/* Series on the same x stand side by side, others below each other. */
static void table(struct fn_html *h, const struct fn_frame *f, const struct fn_chart *c)
{
    const char *columns[FN_SERIES_MAX + 1];
    char titles[FN_SERIES_MAX + 1][64];
    fn_html_put(h, "<details><summary>Figures</summary>\n");
    for (size_t i = 0, n; i < c->count; i += n) {
        const struct fn_series *s = &c->series[i];
        for (n = 1; i + n < c->count && n < FN_SERIES_MAX && s[n].x == s->x;)
            n++;
        snprintf(titles[0], sizeof titles[0], "#%s", f->x.title);
        for (size_t k = 0; k < n; k++)
            snprintf(titles[k + 1], sizeof titles[0], "#%s", s[k].name);
        for (size_t k = 0; k <= n; k++)
            columns[k] = titles[k];
        if (!s->count)
            continue;
        size_t rows = s->count < TABLE_ROWS ? s->count : TABLE_ROWS;
        fn_html_table(h, NULL, columns, n + 1);
        for (size_t row = 0; row < rows; row++) {
            size_t at = rows > 1 ? row * (s->count - 1) / (rows - 1) : 0;
            cell_of(h, &f->x, s->x[at]);
            for (size_t k = 0; k < n; k++)
                cell_of(h, &f->y, s[k].y[at]);
        }
        fn_html_table_end(h);
    }
    fn_html_put(h, "</details>\n");
}

int fn_chart_curves(struct fn_html *h, const struct fn_chart *c)
{
    struct fn_frame f = {.html = h};
    if (!fit(&f, c))
        return 0;
    fn_chart_begin(h, c->title, c->text);
    legend(h, c);
    fn_chart_svg(h, c->title);
    describe(&f, c);
    fn_chart_described(h);
    fn_frame_y_axis(&f);
    x_axis(&f);
    for (size_t i = 0; i < c->count; i++)
        fn_chart_draw(&f, &c->series[i], i);
    marks(&f, c);
    fn_frame_titles(&f);
    fn_html_put(h, "</svg>\n");
    table(h, &f, c);
    fn_html_put(h, "</figure>\n");
    return 1;
}
