/* SPDX-License-Identifier: MIT */
/* Buffers, telling formats apart, turning pictures upright, cropping. The formats themselves are in
 * jpeg.c and png.c. */
#include "base/image.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/image_internal.h"

/* A buffer of more than this that is four times too large is given back: one huge picture must not
 * keep a long run's memory high. */
#define KEEP_BYTES ((size_t)32 << 20)

static int reserve(uint8_t **data, size_t *cap, size_t need)
{
    if (need <= *cap && !(*cap > KEEP_BYTES && need < *cap / 4))
        return FN_OK;
    free(*data); /* the contents are not wanted: no realloc, which would copy them */
    *cap = 0;
    *data = malloc(need ? need : 1);
    if (!*data)
        return fn_fail(FN_ENOMEM, "no memory for a picture of %zu bytes", need);
    *cap = need ? need : 1;
    return FN_OK;
}

int fn_image_reserve(struct fn_image *im, int w, int h)
{
    if (w < 1 || h < 1 || w > FN_IMAGE_MAX_SIDE || h > FN_IMAGE_MAX_SIDE)
        return fn_fail(FN_ELIMIT, "a picture of %d x %d pixels; sides go from 1 to %d", w, h,
                       FN_IMAGE_MAX_SIDE);
    int rc = reserve(&im->rgb, &im->cap, (size_t)w * (size_t)h * 3);
    im->w = rc == FN_OK ? w : 0;
    im->h = rc == FN_OK ? h : 0;
    return rc;
}

void fn_image_free(struct fn_image *im)
{
    if (!im)
        return;
    free(im->rgb);
    *im = (struct fn_image){0};
}

int fn_bytes_reserve(struct fn_bytes *b, size_t cap)
{
    if (cap <= b->cap)
        return FN_OK;
    size_t more = b->cap + b->cap / 2;
    more = more > cap ? more : cap;
    uint8_t *data = realloc(b->data, more);
    if (!data)
        return fn_fail(FN_ENOMEM, "no memory for %zu bytes", more);
    b->data = data;
    b->cap = more;
    return FN_OK;
}

void fn_bytes_free(struct fn_bytes *b)
{
    if (!b)
        return;
    free(b->data);
    *b = (struct fn_bytes){0};
}

enum fn_image_format fn_image_sniff(const uint8_t *data, size_t bytes)
{
    if (bytes >= 3 && memcmp(data, "\xff\xd8\xff", 3) == 0)
        return FN_IMAGE_JPEG;
    if (bytes >= 8 && memcmp(data, "\x89PNG\r\n\x1a\n", 8) == 0)
        return FN_IMAGE_PNG;
    return FN_IMAGE_UNKNOWN;
}

/* The sentence for what is neither JPEG nor PNG: other pictures are called by their names. */
static int fail_unknown(const uint8_t *data, size_t bytes)
{
    static const struct {
        const char *name, *magic;
        size_t at, bytes;
    } others[] = {
        {"a GIF", "GIF8", 0, 4},         {"a WebP", "WEBP", 8, 4},
        {"a BMP", "BM", 0, 2},           {"a TIFF", "II*", 0, 4},
        {"a TIFF", "MM\0*", 0, 4},       {"a HEIF or AVIF", "ftyp", 4, 4},
        {"a JPEG XL", "\xff\x0a", 0, 2}, {"a JPEG 2000", "\xff\x4f\xff\x51", 0, 4},
    };
    if (bytes == 0)
        return fn_fail(FN_EFORMAT, "no bytes where a picture should be");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (bytes >= others[i].at + others[i].bytes &&
            memcmp(data + others[i].at, others[i].magic, others[i].bytes) == 0)
            return fn_fail(FN_EFORMAT, "%s; only JPEG and PNG are taken", others[i].name);
    return fn_fail(FN_EFORMAT, "neither a JPEG nor a PNG (%zu bytes)", bytes);
}

int fn_image_check_size(uint64_t w, uint64_t h, uint64_t max_pixels)
{
    max_pixels = max_pixels ? max_pixels : FN_IMAGE_MAX_PIXELS;
    if (w == 0 || h == 0)
        return fn_fail(FN_ECORRUPT, "the header says %llu x %llu pixels", (unsigned long long)w,
                       (unsigned long long)h);
    if (w > FN_IMAGE_MAX_SIDE || h > FN_IMAGE_MAX_SIDE || w * h > max_pixels)
        return fn_fail(FN_ELIMIT, "%llu x %llu pixels; at most %llu are taken, %d a side",
                       (unsigned long long)w, (unsigned long long)h, (unsigned long long)max_pixels,
                       FN_IMAGE_MAX_SIDE);
    return FN_OK;
}

int fn_codec_open(struct fn_codec **codec)
{
    int rc = FN_OK;
    struct fn_codec *c = calloc(1, sizeof *c);
    *codec = c;
    if (!c)
        return fn_fail(FN_ENOMEM, "no memory for a codec");
    if ((rc = fn_jpeg_open(&c->jpeg)) || (rc = fn_jpeg_writer_open(&c->jpeg_writer)) ||
        (rc = fn_png_open(&c->png)) || (rc = fn_resizer_open(&c->resizer)))
        fn_codec_close(codec);
    return rc;
}

void fn_codec_close(struct fn_codec **codec)
{
    struct fn_codec *c = *codec;
    if (!c)
        return;
    fn_jpeg_close(&c->jpeg);
    fn_jpeg_writer_close(&c->jpeg_writer);
    fn_png_close(&c->png);
    fn_resizer_close(&c->resizer);
    fn_image_free(&c->upright);
    fn_image_free(&c->whole);
    free(c);
    *codec = NULL;
}

static int header(struct fn_codec *codec, const uint8_t *data, size_t bytes,
                  struct fn_image_info *info)
{
    *info = (struct fn_image_info){.format = fn_image_sniff(data, bytes)};
    switch (info->format) {
    case FN_IMAGE_JPEG:
        return fn_jpeg_header(codec->jpeg, data, bytes, info);
    case FN_IMAGE_PNG:
        return fn_png_header(codec->png, data, bytes, info);
    case FN_IMAGE_UNKNOWN:
        break;
    }
    return fail_unknown(data, bytes);
}

int fn_image_probe(struct fn_codec *codec, const uint8_t *data, size_t bytes,
                   struct fn_image_info *info)
{
    int rc = header(codec, data, bytes, info);
    if (rc == FN_OK && info->orientation >= 5) {
        int w = info->w;
        info->w = info->h;
        info->h = w;
    }
    return rc;
}

/* EXIF's eight orientations: where the stored picture's first row and first column belong. Walks
 * the output in order; each step to the right and down is a fixed step in the input. */
static int turn(const struct fn_image *in, int orientation, struct fn_image *out)
{
    ptrdiff_t w = in->w, h = in->h, px = 3, row = 3 * w;
    ptrdiff_t last_x = (w - 1) * px, last_y = (h - 1) * row;
    const struct {
        ptrdiff_t start, right, down;
    } step[9] = {
        [1] = {0, px, row},                 /* as it is */
        [2] = {last_x, -px, row},           /* mirrored left to right */
        [3] = {last_x + last_y, -px, -row}, /* half a turn */
        [4] = {last_y, px, -row},           /* upside down */
        [5] = {0, row, px},                 /* mirrored on the main diagonal */
        [6] = {last_y, -row, px},           /* a quarter clockwise to be upright */
        [7] = {last_x + last_y, -row, -px}, /* mirrored on the other diagonal */
        [8] = {last_x, row, -px},           /* a quarter counter-clockwise */
    };
    int rc =
        fn_image_reserve(out, orientation >= 5 ? in->h : in->w, orientation >= 5 ? in->w : in->h);
    if (rc)
        return rc;
    uint8_t *to = out->rgb;
    for (int y = 0; y < out->h; y++) {
        ptrdiff_t at = step[orientation].start + y * step[orientation].down;
        for (int x = 0; x < out->w; x++, to += 3, at += step[orientation].right) {
            to[0] = in->rgb[at];
            to[1] = in->rgb[at + 1];
            to[2] = in->rgb[at + 2];
        }
    }
    return FN_OK;
}

int fn_image_decode(struct fn_codec *codec, const uint8_t *data, size_t bytes, uint64_t max_pixels,
                    struct fn_image *out, int *warnings)
{
    struct fn_image_info info;
    int grumbles = 0;
    int rc = header(codec, data, bytes, &info);
    if (rc == FN_OK)
        rc = fn_image_check_size((uint64_t)info.w, (uint64_t)info.h, max_pixels);
    if (rc)
        return rc;
    struct fn_image *stored = info.orientation > 1 ? &codec->upright : out;
    rc = info.format == FN_IMAGE_JPEG ? fn_jpeg_pixels(codec->jpeg, stored, &grumbles)
                                      : fn_png_pixels(codec->png, stored, &grumbles);
    if (rc == FN_OK && info.orientation > 1)
        rc = turn(stored, info.orientation, out);
    if (warnings)
        *warnings = grumbles;
    return rc;
}

int fn_image_decode_rows(struct fn_codec *codec, const uint8_t *data, size_t bytes,
                         const struct fn_rows *want)
{
    struct fn_image_info info;
    int rc = fn_image_probe(codec, data, bytes, &info);
    if (rc)
        return rc;
    if (info.w != want->w || info.h != want->h)
        return fn_fail(FN_ECORRUPT, "the picture is %d x %d, its record says %d x %d", info.w,
                       info.h, want->w, want->h);
    assert(want->y >= 0 && want->rows >= 1 && want->y <= want->h - want->rows);
    if (info.format == FN_IMAGE_JPEG && info.orientation == 1) {
        rc = fn_image_check_size((uint64_t)info.w, (uint64_t)info.h, 0);
        return rc ? rc : fn_jpeg_rows(codec->jpeg, want);
    }
    rc = fn_image_decode(codec, data, bytes, 0, &codec->whole, NULL);
    if (rc == FN_OK)
        want->put(want->context, want->y, want->rows,
                  codec->whole.rgb + (size_t)want->y * (size_t)want->w * 3);
    return rc;
}

int fn_jpeg_encode(struct fn_codec *codec, const struct fn_image *im, int quality, int subsample,
                   struct fn_bytes *out)
{
    return fn_jpeg_write(codec->jpeg_writer, im, quality, subsample, out);
}

int fn_png_encode(struct fn_codec *codec, const struct fn_image *im, int level,
                  struct fn_bytes *out)
{
    return fn_png_write(codec->png, im, level, out);
}

int fn_image_resize(struct fn_codec *codec, const struct fn_image *in, int w, int h,
                    struct fn_image *out)
{
    struct fn_view view = {in->rgb, in->w, in->h, (size_t)in->w * 3};
    return fn_resize_view(codec->resizer, &view, w, h, out);
}

int fn_image_crop(const struct fn_image *in, int x1, int y1, int x2, int y2, struct fn_image *out)
{
    if (x1 < 0 || y1 < 0 || x1 >= x2 || y1 >= y2 || x2 > in->w || y2 > in->h)
        return fn_fail(FN_ELIMIT, "crop %d %d %d %d does not lie inside %d x %d pixels", x1, y1, x2,
                       y2, in->w, in->h);
    int rc = fn_image_reserve(out, x2 - x1, y2 - y1);
    if (rc)
        return rc;
    size_t stride = (size_t)in->w * 3, row = (size_t)out->w * 3;
    const uint8_t *from = in->rgb + (size_t)y1 * stride + (size_t)x1 * 3;
    for (size_t y = 0; y < (size_t)out->h; y++)
        memcpy(out->rgb + y * row, from + y * stride, row);
    return FN_OK;
}
