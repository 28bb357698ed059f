/* SPDX-License-Identifier: MIT */
/* What the files behind image.h share: the codec's parts, views, the resizer's inner loops.
 * Included by base's image files and by their tests only. */
#ifndef FN_BASE_IMAGE_INTERNAL_H
#define FN_BASE_IMAGE_INTERNAL_H

#include "base/image.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fn_jpeg;        /* jpeg.c */
struct fn_jpeg_writer; /* jpeg_write.c */
struct fn_png;         /* png.c */
struct fn_resizer;     /* resize.c */

struct fn_codec {
    struct fn_jpeg *jpeg;
    struct fn_jpeg_writer *jpeg_writer;
    struct fn_png *png;
    struct fn_resizer *resizer;
    struct fn_image upright; /* a picture as stored, before its EXIF orientation is applied */
    struct fn_image whole;   /* of which some rows are wanted */
};

/* libjpeg's JPEG_MAX_DIMENSION, also taken as the longest side of every other picture. */
#define FN_IMAGE_MAX_SIDE 65500

/* FN_OK where a header's w x h may be decoded: 1 <= w, h <= FN_IMAGE_MAX_SIDE, w h <= max_pixels
 * (0: FN_IMAGE_MAX_PIXELS); else FN_ELIMIT, or FN_ECORRUPT for an empty picture. */
int fn_image_check_size(uint64_t w, uint64_t h, uint64_t max_pixels);

/* Orientation 1..8 of a TIFF block (what follows "Exif\0\0" in a JPEG, a PNG's eXIf): the last
 * entry 0x0112 of the first directory, a SHORT or LONG, signed or not; 1 if there is none or it is
 * nonsense. Never reads outside [tiff, tiff + bytes). */
int fn_exif_orientation(const uint8_t *tiff, size_t bytes);

/* JPEG and PNG, one state each. header: as fn_image_probe, but w and h as stored. pixels: decodes
 * the data of the last header call, which must still be there, without applying the orientation; to
 * be called at most once for a header, and not at all is fine too. write: as fn_..._encode. */
int fn_jpeg_open(struct fn_jpeg **jpeg);
void fn_jpeg_close(struct fn_jpeg **jpeg);
int fn_jpeg_header(struct fn_jpeg *jpeg, const uint8_t *data, size_t bytes,
                   struct fn_image_info *info);
int fn_jpeg_pixels(struct fn_jpeg *jpeg, struct fn_image *out, int *warnings);
/* Instead of pixels: some rows, see fn_image_decode_rows. */
int fn_jpeg_rows(struct fn_jpeg *jpeg, const struct fn_rows *want);
/* For tests: every picture by libjpeg alone; whether the last one was by our decoder of its Huffman
 * codes (jpeg_huffman.h), to its end. */
void fn_jpeg_use_libjpeg(struct fn_jpeg *jpeg, int only);
int fn_jpeg_was_ours(const struct fn_jpeg *jpeg);
int fn_jpeg_writer_open(struct fn_jpeg_writer **jpeg);
void fn_jpeg_writer_close(struct fn_jpeg_writer **jpeg);
int fn_jpeg_write(struct fn_jpeg_writer *jpeg, const struct fn_image *im, int quality,
                  int subsample, struct fn_bytes *out);

int fn_png_open(struct fn_png **png);
void fn_png_close(struct fn_png **png);
int fn_png_header(struct fn_png *png, const uint8_t *data, size_t bytes,
                  struct fn_image_info *info);
int fn_png_pixels(struct fn_png *png, struct fn_image *out, int *warnings);
int fn_png_write(struct fn_png *png, const struct fn_image *im, int level, struct fn_bytes *out);

/* A rectangle of a picture in place: rows of w pixels, `stride` bytes apart. */
struct fn_view {
    const uint8_t *rgb; /* (h, w, 3) */
    int w, h;
    size_t stride; /* bytes, >= 3 w */
};
/* fn_image_resize of a view; out must not hold the view's pixels. */
int fn_resizer_open(struct fn_resizer **resizer);
void fn_resizer_close(struct fn_resizer **resizer);
int fn_resize_view(struct fn_resizer *resizer, const struct fn_view *in, int w, int h,
                   struct fn_image *out);

/* One axis of a resize: output pixel x is the sum of weight[x * taps + i] times source pixel
 * first[x] + i, rounded, over 2^FN_RESIZE_BITS (Pillow's PRECISION_BITS: 32 - 8 for a byte - 2 for
 * the sum). A weight is at most 2^22, and the fast multiply-adds of processors are narrower: so it
 * is there three times, whole and in two kinds of parts. */
#define FN_RESIZE_BITS 22
#define FN_RESIZE_LOW_BITS 15
struct fn_resize_axis {
    int in, out;      /* pixels; in = 0: nothing here yet */
    int taps;         /* a multiple of 4, >= every count; weights past a pixel's count are 0 */
    int32_t *first;   /* (out), does not fall */
    int32_t *count;   /* (out) >= 1; first + count <= in */
    int32_t *weight;  /* (out, taps) */
    uint32_t *halves; /* (out, taps / 2, 2): of two weights w & 32767, then w >> 15, 16 bits each */
    uint32_t *digits; /* (out, taps / 4, 3): of four weights d0, d1, d2, signed bytes with
                         w = d0 + 2^8 d1 + 2^16 d2 */
    size_t out_cap, weight_cap; /* elements allocated */
};

/* The two passes, one set per instruction set. */
struct fn_resize_ops {
    const char *name;
    /* Along rows: in (rows, axis->in, 3), rows `stride` bytes apart, to out (rows, axis->out, 3).
     * Reads as far as fn_resize_reach() bytes from the start of a row. */
    void (*across)(const struct fn_resize_axis *axis, const uint8_t *in, size_t stride, int rows,
                   uint8_t *out);
    /* Along columns: in (axis->in, row_bytes), rows `stride` bytes apart, to (axis->out,
     * row_bytes). */
    void (*down)(const struct fn_resize_axis *axis, const uint8_t *in, size_t stride,
                 size_t row_bytes, uint8_t *out);
};
/* Bytes that the widest of the loops may touch from the start of a source row, >= 3 axis->in. */
size_t fn_resize_reach(const struct fn_resize_axis *axis);
extern const struct fn_resize_ops fn_resize_plain;
/* NULL where the processor, or the build, has none. */
const struct fn_resize_ops *fn_resize_avx2(void);
const struct fn_resize_ops *fn_resize_avx512(void);
/* For tests: the loops in use; ops NULL chooses the best again. */
void fn_resizer_use(struct fn_resizer *resizer, const struct fn_resize_ops *ops);

/* One pixel of a rotation, -0.5 <= u < w - 0.5, -0.5 <= v < h - 0.5: cubic in both directions
 * around columns floor(u) - 1 .. + 2 and the rows likewise. */
typedef void fn_rotate_sample(const struct fn_image *in, double u, double v, uint8_t *out);
fn_rotate_sample fn_rotate_plain;
fn_rotate_sample *fn_rotate_avx2(void); /* NULL where the processor, or the build, has none */
/* fn_image_rotate with a given sample, for tests. */
int fn_rotate_with(fn_rotate_sample *sample, const struct fn_image *in, double degrees,
                   struct fn_image *out);

#ifdef __cplusplus
}
#endif
#endif
