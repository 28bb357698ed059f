/* SPDX-License-Identifier: MIT */
/* Small stores for tests: random smooth pictures, each of its own, in classes of given sizes. */
#ifndef FN_TESTS_MAKE_STORE_H
#define FN_TESTS_MAKE_STORE_H

#include "base/image.h"
#include "base/rng.h"
#include "store/writer.h"
#include "tests/test.h"

/* Picture number `k` of w x h pixels: gradients and blocks from fn_rng. */
static inline void make_picture(struct fn_image *im, uint64_t k, int w, int h)
{
    assert_ok(fn_image_reserve(im, w, h));
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            for (int c = 0; c < 3; c++) {
                uint64_t block = fn_rng(k, (uint64_t)(x / 16 + 64 * (y / 16)), (uint64_t)c, 77);
                im->rgb[((size_t)y * (size_t)w + (size_t)x) * 3 + (size_t)c] =
                    (uint8_t)((block & 127) + (unsigned)(x * (c + 1) + y) / 4 % 128);
            }
}

struct make_store {
    const char *path;
    const int *images; /* [classes]: number of images of each class */
    int classes;
    int w, h;          /* of the pictures */
    int codec;         /* FN_CODEC_JPEG, FN_CODEC_PNG or FN_CODEC_RAW */
    int damaged_every; /* > 0: every so many records the payload is cut short before it is stored */
};

static inline void make_store(const struct make_store *m)
{
    struct fn_store_content content = {
        .codec = fn_codec_name(m->codec), .quality = 95, .inputs = "[]"};
    struct fn_position from, pos = {0, 0, 0, 0};
    struct fn_writer_counts counts;
    struct fn_seal_result result;
    struct fn_writer *writer;
    struct fn_codec *codec;
    struct fn_image im = {0};
    struct fn_bytes bytes = {0};
    uint64_t k = 0;
    assert_ok(fn_codec_open(&codec));
    assert_ok(fn_writer_open(&writer, m->path, &content, 1, &from, &counts));
    for (int c = 0; c < m->classes; c++)
        for (int i = 0; i < m->images[c]; i++, k++) {
            char class_name[32], name[64];
            int a = snprintf(class_name, sizeof class_name, "person%03d", c);
            int b = snprintf(name, sizeof name, "person%03d_%04d", c, i + 1);
            make_picture(&im, k, m->w, m->h);
            struct fn_new_record rec = {.class_name = class_name,
                                        .class_bytes = (size_t)a,
                                        .name = name,
                                        .name_bytes = (size_t)b,
                                        .codec = m->codec,
                                        .w = m->w,
                                        .h = m->h,
                                        .payload = im.rgb,
                                        .payload_bytes = (size_t)m->w * (size_t)m->h * 3};
            if (m->codec != FN_CODEC_RAW) {
                assert_ok(m->codec == FN_CODEC_JPEG ? fn_jpeg_encode(codec, &im, 95, 1, &bytes)
                                                    : fn_png_encode(codec, &im, 1, &bytes));
                rec.payload = bytes.data;
                rec.payload_bytes = bytes.bytes;
            }
            if (m->damaged_every > 0 && k % (uint64_t)m->damaged_every == 0)
                rec.payload_bytes /= 2;
            pos = (struct fn_position){0, k + 1, k, k + 1};
            assert_ok(fn_writer_add(writer, &pos, &rec));
        }
    assert_ok(fn_writer_seal(writer, NULL, &result));
    fn_writer_close(&writer);
    fn_bytes_free(&bytes);
    fn_image_free(&im);
    fn_codec_close(&codec);
}

#endif
