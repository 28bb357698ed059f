/* SPDX-License-Identifier: MIT */
/* Pictures: JPEG and PNG bytes <-> 8-bit RGB, resize, rotate, crop. The only folder that knows
 * libjpeg and libpng. Pixels are those that Pillow 9.5 gives (ImageOps.exif_transpose, then
 * convert("RGB")), to the byte; but 16-bit grey keeps its high byte, where Pillow cuts everything
 * above 255. Colour profiles, gamma and transparency are ignored.
 *
 * An fn_image owns a buffer that grows and is reused; zero it before first use. An fn_codec holds
 * the libraries' state and scratch memory; one per thread. No function here prints. */
#ifndef FN_BASE_IMAGE_H
#define FN_BASE_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fn_image {
    int w, h;     /* pixels, >= 1 once filled */
    uint8_t *rgb; /* (h, w, 3), packed rows */
    size_t cap;   /* bytes allocated at rgb */
};
int fn_image_reserve(struct fn_image *im, int w, int h); /* sets w, h; contents undefined */
void fn_image_free(struct fn_image *im);

/* A byte buffer that grows; zero it before first use. */
struct fn_bytes {
    uint8_t *data;
    size_t bytes, cap;
};
int fn_bytes_reserve(struct fn_bytes *b, size_t cap);
void fn_bytes_free(struct fn_bytes *b);

enum fn_image_format { FN_IMAGE_UNKNOWN = 0, FN_IMAGE_JPEG, FN_IMAGE_PNG };
/* By the first bytes, not by a name. */
enum fn_image_format fn_image_sniff(const uint8_t *data, size_t bytes);

/* 100 megapixels: a limit that no photograph of a face meets and that 300 MB hold (while a
 * progressive JPEG of that size is decoded, 600 to 800 MB more). Sides up to 65,500 (libjpeg's
 * own). Judged from the header, before any allocation. */
#define FN_IMAGE_MAX_PIXELS 100000000ULL

struct fn_codec;
int fn_codec_open(struct fn_codec **codec);
void fn_codec_close(struct fn_codec **codec);

/* From the header alone: format, width and height after EXIF orientation, orientation 1..8. */
struct fn_image_info {
    enum fn_image_format format;
    int w, h, orientation;
};
int fn_image_probe(struct fn_codec *codec, const uint8_t *data, size_t bytes,
                   struct fn_image_info *info);

/* Decode JPEG (baseline, progressive, arithmetic; grey, YCbCr of any subsampling, RGB, CMYK, YCCK)
 * or PNG (every colour type, 1-16 bits, Adam7) to RGB, with the orientation applied that a JPEG's
 * first Exif block or a PNG's eXIf chunk says. Bytes after the end are not looked at.
 * FN_EFORMAT: not an image, or of a kind not taken; FN_ELIMIT: more pixels than `max_pixels`
 * (0: FN_IMAGE_MAX_PIXELS), or a JPEG of more than 100 scans or of so many that decoding takes more
 * than seconds; FN_ECORRUPT: premature end (a missing end marker too), bad Huffman or arithmetic
 * code, a marker inside data, progressive scans that do not follow each other, a bad CRC;
 * FN_ENOMEM. After a failure `out` holds nothing of use, but its buffer can be used again.
 * *warnings (may be NULL) counts what the decoder grumbled about and was taken all the same. */
int fn_image_decode(struct fn_codec *codec, const uint8_t *data, size_t bytes, uint64_t max_pixels,
                    struct fn_image *out, int *warnings);

/* Some rows of a picture, for a caller that crops: bit for bit those that fn_image_decode gives.
 * Of a JPEG that is upright as it is stored, nothing below the last row is decoded, and above the
 * first one little more than the Huffman codes; everything else is decoded whole. Damage below the
 * last row is therefore not seen: it is for bytes that a checksum has covered. */
struct fn_rows {
    int w, h;    /* pixels of the picture, as recorded; FN_ECORRUPT: it has others */
    int y, rows; /* which: 0 <= y, rows >= 1, y + rows <= h */
    /* Called with the rows in order, one or more at a time: rows [y, y + rows) of (h, w, 3),
     * packed. */
    void (*put)(void *context, int y, int rows, const uint8_t *rgb);
    void *context;
};
/* Failures as of fn_image_decode; some rows may have been put before one. */
int fn_image_decode_rows(struct fn_codec *codec, const uint8_t *data, size_t bytes,
                         const struct fn_rows *want);

/* Baseline JPEG, JFIF, islow DCT, standard Huffman tables: equal pixels give equal bytes.
 * quality 1..100; subsample 1: 4:2:0, 0: 4:4:4. Replaces out's contents. */
int fn_jpeg_encode(struct fn_codec *codec, const struct fn_image *im, int quality, int subsample,
                   struct fn_bytes *out);
/* 8-bit RGB PNG, no ancillary chunks, zlib level 0..9. */
int fn_png_encode(struct fn_codec *codec, const struct fn_image *im, int level,
                  struct fn_bytes *out);

/* Pillow's Image.resize((w, h), BILINEAR), to the byte: triangle filter with support scaled by the
 * reduction, 22-bit fixed point, horizontal pass first, 8 bits between. 1 <= w, h <= 65,500.
 * `out` must not be `in`. Coefficients are kept in `codec` while sizes repeat. */
int fn_image_resize(struct fn_codec *codec, const struct fn_image *in, int w, int h,
                    struct fn_image *out);

/* Pillow's Image.rotate(degrees, BICUBIC): counter-clockwise, same size, black outside, to the
 * byte. */
int fn_image_rotate(const struct fn_image *in, double degrees, struct fn_image *out);

/* The rectangle [x1, x2) x [y1, y2), which must lie inside and be at least 1 x 1 (FN_ELIMIT). */
int fn_image_crop(const struct fn_image *in, int x1, int y1, int x2, int y2, struct fn_image *out);

#ifdef __cplusplus
}
#endif
#endif
