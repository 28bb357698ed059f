/* SPDX-License-Identifier: MIT */
/* Axes: where they end, which values are marked, how a value is written. */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/chart.h"
#include "base/log.h"

/* A billionth of a step: what rounding can do to a multiple of it. */
#define SLACK 1e-9

/* The nearest of 1, 2, 5 times a power of ten, by ratio: so a number of ticks is missed by a factor
 * of 1.6 at most. */
static double round_step(double rough)
{
    static const struct {
        double below, step;
    } of_ten[] = {{1.4142, 1}, {3.1623, 2}, {7.0711, 5}}; /* roots of 1x2, 2x5, 5x10 */
    double ten = pow(10, floor(log10(rough) + SLACK));
    for (size_t i = 0; i < sizeof of_ten / sizeof *of_ten; i++)
        if (rough < of_ten[i].below * ten)
            return of_ten[i].step * ten;
    return 10 * ten;
}

static double step_of(const struct fn_axis *axis, int wanted)
{
    double step = round_step((axis->max - axis->min) / wanted);
    return axis->unit == FN_UNIT_COUNT && step < 1 ? 1 : step;
}

static void fit_linear(struct fn_axis *axis, double low, double high)
{
    enum { FIT = 5 };
    if (axis->zero) {
        low = low < 0 ? low : 0;
        high = high > 0 ? high : 0;
    }
    if (!(high - low > fabs(high) * 1e-12)) { /* one value: it stands in the middle */
        double around = axis->unit == FN_UNIT_COUNT ? 1 : high != 0 ? fabs(high) * 0.1 : 1;
        low = low >= 0 && low < around ? 0 : low - around;
        high += around;
    }
    axis->min = low;
    axis->max = high;
    if (axis->tight)
        return;
    double step = step_of(axis, FIT);
    axis->min = floor(low / step + SLACK) * step;
    axis->max = ceil(high / step - SLACK) * step;
}

static void fit_log(struct fn_axis *axis, double low, double high)
{
    axis->min = low;
    axis->max = high;
    if (!axis->tight) {
        axis->min = pow(10, floor(log10(low) + SLACK));
        axis->max = pow(10, ceil(log10(high) - SLACK));
    }
    if (!(axis->max > axis->min * (1 + SLACK))) {
        axis->min = low / 10;
        axis->max = high * 10;
    }
}

void fn_axis_fit(struct fn_axis *axis, double low, double high)
{
    if (axis->min < axis->max)
        return;
    if (low > high)
        low = axis->scale == FN_SCALE_LOG ? 1 : 0, high = 1;
    if (axis->scale == FN_SCALE_LOG)
        fit_log(axis, low, high);
    else
        fit_linear(axis, low, high);
}

static int ticks_log(const struct fn_axis *axis, int wanted, double *at)
{
    static const double with[] = {1, 2, 5};
    int first = (int)ceil(log10(axis->min) - SLACK), last = (int)floor(log10(axis->max) + SLACK);
    int decades = last - first, step = 1, n = 0;
    while (decades / step + 1 > wanted + 2)
        step++;
    size_t each = decades < 2 ? 3 : 1;
    for (int k = first - (each > 1); k <= last; k += step)
        for (size_t i = 0; i < each && n < FN_TICKS_MAX; i++) {
            double value = with[i] * pow(10, k);
            if (value >= axis->min * (1 - SLACK) && value <= axis->max * (1 + SLACK))
                at[n++] = value;
        }
    return n;
}

int fn_axis_ticks(const struct fn_axis *axis, int wanted, double at[FN_TICKS_MAX])
{
    int n = 0;
    assert(axis->min < axis->max);
    if (axis->scale == FN_SCALE_LOG && (n = ticks_log(axis, wanted, at)) > 1)
        return n;
    n = 0; /* a logarithmic axis shorter than a factor of two is nearly linear */
    double step = step_of(axis, wanted);
    for (double k = ceil(axis->min / step - SLACK);
         k * step <= axis->max + step * SLACK && n < FN_TICKS_MAX; k++)
        at[n++] = k == 0 ? 0 : k * step; /* no -0 */
    return n;
}

double fn_axis_place(const struct fn_axis *axis, double value)
{
    double place;
    if (isnan(value))
        return NAN;
    if (axis->scale == FN_SCALE_LOG)
        place = value > 0 ? log(value / axis->min) / log(axis->max / axis->min) : 0;
    else
        place = (value - axis->min) / (axis->max - axis->min);
    return place < 0 ? 0 : place > 1 ? 1 : place;
}

/* ---- text ----------------------------------------------------------------------------------- */
/* Digits behind the point that a step needs to be written as it is. */
static int decimals(double step)
{
    int n = 0;
    for (; n < 9 && fabs(step - round(step)) > 1e-6 * step; n++)
        step *= 10;
    return n;
}

/* "%.*f" with commas. */
static char *with_commas(double value, int digits, char *buf, size_t cap)
{
    char plain[400];
    int n = snprintf(plain, sizeof plain, "%.*f", digits, value), start = plain[0] == '-';
    int whole = (int)strcspn(plain, ".");
    size_t used = 0;
    for (int i = 0; i < n && used + 2 < cap; i++) {
        if (i > start && i < whole && (whole - i) % 3 == 0)
            buf[used++] = ',';
        buf[used++] = plain[i];
    }
    buf[used] = 0;
    return buf;
}

/* On an axis there is little room: 20k, 1.5M. */
static char *tick_text(double value, double step, char *buf, size_t cap)
{
    static const struct {
        double from;
        const char *letter;
    } large[] = {{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}};
    double size = fabs(value);
    if ((size != 0 && size < 1e-4) || size >= 1e15) {
        snprintf(buf, cap, "%.3g", value);
        return buf;
    }
    for (size_t i = 0; size >= 1e4 && i < sizeof large / sizeof *large; i++)
        if (size >= large[i].from) {
            snprintf(buf, cap, "%.*f%s", decimals(step / large[i].from), value / large[i].from,
                     large[i].letter);
            return buf;
        }
    return with_commas(value, decimals(step), buf, cap);
}

char *fn_unit_text(enum fn_unit unit, double value, double step, char *buf, size_t cap)
{
    double size = fabs(value);
    int digits = isfinite(size) && size >= 1 ? 3 - (int)floor(log10(size) + SLACK) : 3;
    if (!isfinite(value))
        snprintf(buf, cap, "%s", isnan(value) ? "-" : value < 0 ? "-inf" : "inf");
    else if (unit == FN_UNIT_BYTES)
        fn_human_bytes(value, buf, cap);
    else if (unit == FN_UNIT_PERCENT)
        snprintf(buf, cap, "%.*f%%", step > 0 ? decimals(step * 100) : 2, value * 100);
    else if (step > 0)
        tick_text(value, step, buf, cap);
    else if (unit == FN_UNIT_COUNT)
        with_commas(value, 0, buf, cap);
    else if (size != 0 && size < 1e-2)
        snprintf(buf, cap, "%.4g", value);
    else
        with_commas(value, digits < 0 ? 0 : digits, buf, cap);
    return buf;
}
