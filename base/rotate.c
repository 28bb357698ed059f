/* SPDX-License-Identifier: MIT */
/* Pillow's Image.rotate(angle, BICUBIC), bit for bit: the cubic's parameter is -1, sums are doubles
 * in Pillow's order, and the result is cut, not rounded. Faster samples are in rotate_avx2.c. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/image_internal.h"

/* Where an output pixel's centre (x, y) lies in the source: u = a x + b y + c, v = -b x + a y + d.
 */
struct turn {
    double a, b, minus_b, c, d;
};

/* Python's round(v, 15): the nearest decimal of 15 places, then the nearest double. */
static double round15(double v)
{
    char text[64];
    snprintf(text, sizeof text, "%.15f", v);
    return strtod(text, NULL);
}

static struct turn turn_by(double degrees, int w, int h)
{
    double t = -(degrees * (3.141592653589793 / 180.0)), x = w / 2.0, y = h / 2.0;
    struct turn m = {.a = round15(cos(t)), .b = round15(sin(t)), .minus_b = round15(-sin(t))};
    m.c = m.a * -x + m.b * -y + 0.0 + x;
    m.d = m.minus_b * -x + m.a * -y + 0.0 + y;
    return m;
}

static double cubic(double p1, double p2, double p3, double p4, double t)
{
    double s1 = -p1 + p3;
    double s2 = 2 * (p1 - p2) + p3 - p4;
    double s3 = -p1 + p2 - p3 + p4;
    return p2 + t * (s1 + t * (s2 + t * s3));
}

static int clip(int i, int n)
{
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

static int floor_of(double v)
{
    int i = (int)v;
    return i - (v < i);
}

/* Columns outside are clamped; so is a row above the first; a row below the last repeats the value
 * across the row before it. */
void fn_rotate_plain(const struct fn_image *in, double u, double v, uint8_t *out)
{
    int i = floor_of(u), j = floor_of(v);
    double tu = u - i, tv = v - j, line[4][3];
    size_t column[4];
    for (int k = 0; k < 4; k++)
        column[k] = 3 * (size_t)clip(i - 1 + k, in->w);
    for (int k = 0; k < 4; k++) {
        int y = j - 1 + k;
        if (k > 0 && (y < 0 || y >= in->h)) {
            memcpy(line[k], line[k - 1], sizeof line[k]);
            continue;
        }
        const uint8_t *row = in->rgb + 3 * (size_t)in->w * (size_t)clip(y, in->h);
        for (size_t c = 0; c < 3; c++)
            line[k][c] = cubic(row[column[0] + c], row[column[1] + c], row[column[2] + c],
                               row[column[3] + c], tu);
    }
    for (int c = 0; c < 3; c++) {
        double value = cubic(line[0][c], line[1][c], line[2][c], line[3][c], tv);
        out[c] = value <= 0.0 ? 0 : value >= 255.0 ? 255 : (uint8_t)value;
    }
}

/* Quarter turns, which Pillow does without interpolation: half a turn always, the others of squares
 * only. Each step to the right or down in the output is a fixed step in the input. */
static int quarter_turn(const struct fn_image *in, double degrees, struct fn_image *out)
{
    ptrdiff_t w = in->w, h = in->h, row = 3 * w, start = 0, right = 3, down = row;
    if (degrees == 180.0) {
        start = (h - 1) * row + (w - 1) * 3, right = -3, down = -row;
    } else if (degrees == 90.0 && w == h) {
        start = (w - 1) * 3, right = row, down = -3;
    } else if (degrees == 270.0 && w == h) {
        start = (h - 1) * row, right = -row, down = 3;
    } else if (degrees != 0.0) {
        return 0;
    }
    uint8_t *to = out->rgb;
    for (ptrdiff_t y = 0; y < h; y++)
        for (ptrdiff_t x = 0; x < w; x++, to += 3)
            memcpy(to, in->rgb + start + y * down + x * right, 3);
    return 1;
}

int fn_rotate_with(fn_rotate_sample *sample, const struct fn_image *in, double degrees,
                   struct fn_image *out)
{
    if (!isfinite(degrees))
        return fn_fail(FN_EUSAGE, "cannot rotate by %g degrees", degrees);
    int rc = fn_image_reserve(out, in->w, in->h);
    if (rc)
        return rc;
    degrees = fmod(degrees, 360.0);
    if (degrees < 0.0)
        degrees += 360.0;
    if (quarter_turn(in, degrees, out))
        return FN_OK;
    struct turn m = turn_by(degrees, in->w, in->h);
    uint8_t *to = out->rgb;
    for (int y = 0; y < in->h; y++)
        for (int x = 0; x < in->w; x++, to += 3) {
            double u = m.a * (x + 0.5) + m.b * (y + 0.5) + m.c;
            double v = m.minus_b * (x + 0.5) + m.a * (y + 0.5) + m.d;
            if (u < 0.0 || u >= in->w || v < 0.0 || v >= in->h)
                memset(to, 0, 3);
            else
                sample(in, u - 0.5, v - 0.5, to);
        }
    return FN_OK;
}

int fn_image_rotate(const struct fn_image *in, double degrees, struct fn_image *out)
{
    fn_rotate_sample *fast = fn_rotate_avx2();
    return fn_rotate_with(fast ? fast : fn_rotate_plain, in, degrees, out);
}
