/* SPDX-License-Identifier: MIT */
/* Pillow's Image.resize(BILINEAR), bit for bit: the weights, their cache, the order of the passes,
 * and the plain loops. Faster loops with the same results are in resize_avx2.c
 * and resize_avx512.c. */
#include <stdlib.h>
#include <string.h>

#include "base/image_internal.h"

/* Boxes have all sizes, but a data set uses some hundred of them: 128 slots of mostly 10 kB. */
#define AXES 128
#define SMALL_AXIS 4096 /* weights: 48 kB, 6 MB for all slots */
/* Source columns (or output columns) that one sum of the plain downward loop goes over. */
#define LANES 64

struct fn_resizer {
    const struct fn_resize_ops *ops;
    struct fn_resize_axis axes[AXES + 1];
    uint8_t *between; /* (in h, out w, 3): after the pass along rows */
    size_t between_cap;
    uint8_t *edge; /* a copy of the last source row, with room behind it to read into */
    size_t edge_cap;
    double *exact; /* weights of one output pixel before rounding */
    size_t exact_cap;
};

int fn_resizer_open(struct fn_resizer **out)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        return fn_fail(FN_ENOMEM, "no memory for a resizer");
    fn_resizer_use(*out, NULL);
    return FN_OK;
}

void fn_resizer_close(struct fn_resizer **out)
{
    struct fn_resizer *r = *out;
    if (!r)
        return;
    for (size_t i = 0; i <= AXES; i++) {
        free(r->axes[i].first);
        free(r->axes[i].weight);
    }
    free(r->between);
    free(r->edge);
    free(r->exact);
    free(r);
    *out = NULL;
}

void fn_resizer_use(struct fn_resizer *r, const struct fn_resize_ops *ops)
{
    r->ops = ops;
    if (!r->ops)
        r->ops = fn_resize_avx512();
    if (!r->ops)
        r->ops = fn_resize_avx2();
    if (!r->ops)
        r->ops = &fn_resize_plain;
}

/* Room for `need` elements of `size` bytes at `old`, contents lost; NULL when out of memory. */
static void *room(void *old, size_t *cap, size_t need, size_t size)
{
    if (need <= *cap)
        return old;
    free(old);
    void *p = malloc(need * size);
    *cap = p ? need : 0;
    if (!p)
        fn_fail(FN_ENOMEM, "no memory to resize a picture (%zu bytes)", need * size);
    return p;
}

/* The triangle's place and width, in source pixels. The expressions here and below are Pillow's, in
 * Pillow's order (precompute_coeffs), so that they round alike. */
struct triangle {
    double scale,
        support; /* enlarging interpolates: support 1; reducing averages: support = scale */
};

static struct triangle triangle_of(int in, int out)
{
    double scale = (double)in / out;
    return (struct triangle){scale, scale < 1.0 ? 1.0 : scale};
}

/* First source pixel and number of them for every output pixel; returns the largest number. */
static int plan_spans(struct fn_resize_axis *a, int in, int out)
{
    struct triangle t = triangle_of(in, out);
    int widest = 1;
    for (int x = 0; x < out; x++) {
        double center = (x + 0.5) * t.scale;
        int low = (int)(center - t.support + 0.5), high = (int)(center + t.support + 0.5);
        low = low < 0 ? 0 : low;
        high = high > in ? in : high;
        a->first[x] = low;
        a->count[x] = high - low;
        widest = high - low > widest ? high - low : widest;
    }
    return widest;
}

/* The (taps) weights of output pixel x. */
static void plan_weights(const struct fn_resize_axis *a, struct triangle t, int x, double *exact)
{
    double center = (x + 0.5) * t.scale, per_support = 1.0 / t.support, sum = 0.0;
    int32_t *w = a->weight + (size_t)x * (size_t)a->taps;
    for (int i = 0; i < a->count[x]; i++) {
        double distance = (i + a->first[x] - center + 0.5) * per_support;
        distance = distance < 0.0 ? -distance : distance;
        exact[i] = distance < 1.0 ? 1.0 - distance : 0.0;
        sum += exact[i];
    }
    for (int i = 0; i < a->taps; i++) {
        double share = i < a->count[x] ? exact[i] : 0.0;
        if (sum != 0.0)
            share /= sum;
        w[i] = (int32_t)(0.5 + share * (1 << FN_RESIZE_BITS));
    }
}

/* The same weights in parts, see image_internal.h. */
static void split_weights(const struct fn_resize_axis *a)
{
    const uint32_t mask = (1u << FN_RESIZE_LOW_BITS) - 1;
    const uint32_t *w = (const uint32_t *)a->weight;
    size_t n = (size_t)a->out * (size_t)a->taps;
    for (size_t i = 0; i < n; i += 2) {
        a->halves[i] = (w[i] & mask) | (w[i + 1] & mask) << 16;
        a->halves[i + 1] = w[i] >> FN_RESIZE_LOW_BITS | w[i + 1] >> FN_RESIZE_LOW_BITS << 16;
    }
    for (size_t i = 0; i < n / 4; i++) {
        uint32_t *d = a->digits + i * 3;
        d[0] = d[1] = d[2] = 0;
        for (size_t k = 0; k < 4; k++) {
            uint32_t v = w[i * 4 + k], shift = 8 * (uint32_t)k;
            /* a digit above 127 stands for itself - 256: the next one is larger by one */
            d[0] |= (v & 255) << shift;
            v = (v + 128) >> 8;
            d[1] |= (v & 255) << shift;
            d[2] |= ((v + 128) >> 8) << shift;
        }
    }
}

/* Small axes are kept by size; large ones, where planning costs little beside the pixels, share a
 * slot. */
static struct fn_resize_axis *slot_for(struct fn_resizer *r, int in, int out)
{
    double most = ((in > out ? 2.0 * in / out : 2.0) + 4.0) * out;
    size_t small = ((unsigned)in * 31u + (unsigned)out) % AXES;
    return &r->axes[most <= SMALL_AXIS ? small : AXES];
}

/* The axis in -> out. Valid until the next call. */
static int axis_for(struct fn_resizer *r, int in, int out, const struct fn_resize_axis **found)
{
    struct fn_resize_axis *a = slot_for(r, in, out);
    size_t n = (size_t)out;
    *found = a;
    if (a->in == in && a->out == out)
        return FN_OK;
    a->in = 0; /* nothing valid until all is filled */
    a->first = room(a->first, &a->out_cap, 2 * n, sizeof *a->first);
    if (!a->first)
        return FN_ENOMEM;
    a->count = a->first + n;
    size_t taps = ((size_t)plan_spans(a, in, out) + 3) / 4 * 4;
    a->weight = room(a->weight, &a->weight_cap, 3 * n * taps, sizeof *a->weight);
    r->exact = room(r->exact, &r->exact_cap, taps, sizeof *r->exact);
    if (!a->weight || !r->exact)
        return FN_ENOMEM;
    a->halves = (uint32_t *)a->weight + n * taps;
    a->digits = a->halves + n * taps;
    a->taps = (int)taps;
    a->out = out;
    for (int x = 0; x < out; x++)
        plan_weights(a, triangle_of(in, out), x, r->exact);
    split_weights(a);
    a->in = in;
    return FN_OK;
}

/* Sums are rounded by half a unit and cut at 255 (rounded weights can add up to a little over 1).
 */
static uint8_t to_byte(int32_t sum)
{
    int32_t v = sum >> FN_RESIZE_BITS;
    return (uint8_t)(v > 255 ? 255 : v);
}

static void across_plain(const struct fn_resize_axis *a, const uint8_t *in, size_t stride, int rows,
                         uint8_t *out)
{
    for (int y = 0; y < rows; y++, in += stride)
        for (int x = 0; x < a->out; x++, out += 3) {
            const uint8_t *p = in + (size_t)a->first[x] * 3;
            const int32_t *w = a->weight + (size_t)x * (size_t)a->taps;
            int32_t red = 1 << (FN_RESIZE_BITS - 1), green = red, blue = red;
            for (int i = 0; i < a->count[x]; i++, p += 3) {
                red += w[i] * p[0];
                green += w[i] * p[1];
                blue += w[i] * p[2];
            }
            out[0] = to_byte(red);
            out[1] = to_byte(green);
            out[2] = to_byte(blue);
        }
}

static void down_plain(const struct fn_resize_axis *a, const uint8_t *in, size_t stride,
                       size_t row_bytes, uint8_t *out)
{
    for (int y = 0; y < a->out; y++, out += row_bytes) {
        const int32_t *w = a->weight + (size_t)y * (size_t)a->taps;
        const uint8_t *top = in + (size_t)a->first[y] * stride;
        for (size_t x = 0; x < row_bytes; x += LANES) {
            size_t n = row_bytes - x < LANES ? row_bytes - x : LANES;
            int32_t sum[LANES];
            for (size_t j = 0; j < n; j++)
                sum[j] = 1 << (FN_RESIZE_BITS - 1);
            for (int i = 0; i < a->count[y]; i++)
                for (size_t j = 0; j < n; j++)
                    sum[j] += w[i] * top[(size_t)i * stride + x + j];
            for (size_t j = 0; j < n; j++)
                out[x + j] = to_byte(sum[j]);
        }
    }
}

const struct fn_resize_ops fn_resize_plain = {"plain", across_plain, down_plain};

size_t fn_resize_reach(const struct fn_resize_axis *a)
{
    size_t row = (size_t)a->in * 3;
    /* four pixels are read as 16 bytes, and first[] does not fall */
    size_t reach = ((size_t)a->first[a->out - 1] + (size_t)a->taps) * 3 + 4;
    return reach > row ? reach : row;
}

/* The pass along rows. The last rows of a picture, behind which there may be nothing to read, go
 * through a copy that has something behind it. */
static int pass_across(struct fn_resizer *r, const struct fn_view *in, int w, uint8_t *out)
{
    const struct fn_resize_axis *a;
    int rc = axis_for(r, in->w, w, &a);
    if (rc)
        return rc;
    size_t reach = fn_resize_reach(a), row = (size_t)in->w * 3;
    size_t short_rows = (reach - row + in->stride - 1) / in->stride;
    int last = in->h - (int)(short_rows < (size_t)in->h ? short_rows : (size_t)in->h);
    r->edge = room(r->edge, &r->edge_cap, reach, 1);
    if (!r->edge)
        return FN_ENOMEM;
    r->ops->across(a, in->rgb, in->stride, last, out);
    memset(r->edge + row, 0, reach - row);
    for (int y = last; y < in->h; y++) {
        memcpy(r->edge, in->rgb + (size_t)y * in->stride, row);
        r->ops->across(a, r->edge, row, 1, out + (size_t)y * (size_t)w * 3);
    }
    return FN_OK;
}

static int pass_down(struct fn_resizer *r, const uint8_t *in, size_t stride, int in_h,
                     struct fn_image *out)
{
    const struct fn_resize_axis *a;
    int rc = axis_for(r, in_h, out->h, &a);
    if (rc == FN_OK)
        r->ops->down(a, in, stride, (size_t)out->w * 3, out->rgb);
    return rc;
}

int fn_resize_view(struct fn_resizer *r, const struct fn_view *in, int w, int h,
                   struct fn_image *out)
{
    size_t row = (size_t)w * 3;
    int rc = fn_image_reserve(out, w, h);
    if (rc)
        return rc;
    if (w == in->w && h == in->h) {
        for (size_t y = 0; y < (size_t)h; y++)
            memcpy(out->rgb + y * row, in->rgb + y * in->stride, row);
        return FN_OK;
    }
    if (w == in->w)
        return pass_down(r, in->rgb, in->stride, in->h, out);
    if (h == in->h)
        return pass_across(r, in, w, out->rgb);
    r->between = room(r->between, &r->between_cap, (size_t)in->h * row, 1);
    if (!r->between)
        return FN_ENOMEM;
    rc = pass_across(r, in, w, r->between);
    return rc ? rc : pass_down(r, r->between, row, in->h, out);
}
