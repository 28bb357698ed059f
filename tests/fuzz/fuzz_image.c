/* SPDX-License-Identifier: MIT */
/* Pictures from strangers: decoded or refused, by a codec that has seen all inputs before exactly
 * as by a new one that leaves JPEGs to libjpeg alone; what the header says is what comes out, as a
 * whole and as rows; every set of resize loops agrees. */
#include <stdlib.h>
#include <string.h>

#include "base/image_internal.h"
#include "tests/fuzz/fuzz.h"

/* Small, so that a second is worth thousands of inputs. */
#define MOST_PIXELS 40000

static void expect(int holds)
{
    if (!holds)
        abort();
}

static size_t bytes_of(const struct fn_image *im)
{
    return (size_t)im->w * (size_t)im->h * 3;
}

static void check_resize(struct fn_codec *codec, const struct fn_image *im, int w, int h)
{
    struct fn_image plain = {0}, fast = {0};
    fn_resizer_use(codec->resizer, &fn_resize_plain);
    expect(fn_image_resize(codec, im, w, h, &plain) == FN_OK);
    fn_resizer_use(codec->resizer, NULL);
    expect(fn_image_resize(codec, im, w, h, &fast) == FN_OK);
    expect(memcmp(plain.rgb, fast.rgb, bytes_of(&plain)) == 0);
    fn_image_free(&plain);
    fn_image_free(&fast);
}

static void same_rows(void *context, int y, int rows, const uint8_t *rgb)
{
    const struct fn_image *whole = context;
    size_t row = (size_t)whole->w * 3;
    expect(memcmp(rgb, whole->rgb + (size_t)y * row, (size_t)rows * row) == 0);
}

static void check_rows(struct fn_codec *codec, const uint8_t *data, size_t size,
                       struct fn_image *whole)
{
    int y = (int)(size % (size_t)whole->h), rows = 1 + (int)(size / 7 % (size_t)(whole->h - y));
    const struct fn_rows want = {whole->w, whole->h, y, rows, same_rows, whole};
    expect(fn_image_decode_rows(codec, data, size, &want) == FN_OK);
}

static uint32_t crc32_of(const uint8_t *data, size_t size)
{
    uint32_t crc = ~0u;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

/* Makes a PNG's checksums right: changes then get past them, to the code behind. */
static void mend(uint8_t *png, size_t size)
{
    for (size_t at = 8; size >= 20 && at <= size - 12;) {
        size_t bytes = (size_t)png[at] << 24 | (size_t)png[at + 1] << 16 |
                       (size_t)png[at + 2] << 8 | png[at + 3];
        if (bytes > size - at - 12)
            break;
        uint32_t crc = crc32_of(png + at + 4, bytes + 4);
        for (size_t k = 0; k < 4; k++)
            png[at + 8 + bytes + k] = (uint8_t)(crc >> (24 - 8 * k));
        at += bytes + 12;
    }
}

static void check(const uint8_t *data, size_t size)
{
    static struct fn_codec *veteran; /* reachable until the end: no leak */
    struct fn_codec *novice;
    struct fn_image im = {0}, again = {0};
    struct fn_image_info info;
    int warnings = 0, same_warnings = 0;
    if (!veteran)
        expect(fn_codec_open(&veteran) == FN_OK);
    expect(fn_codec_open(&novice) == FN_OK);
    fn_jpeg_use_libjpeg(novice->jpeg, 1);
    int probed = fn_image_probe(veteran, data, size, &info);
    int rc = fn_image_decode(veteran, data, size, MOST_PIXELS, &im, &warnings);
    expect(rc == fn_image_decode(novice, data, size, MOST_PIXELS, &again, &same_warnings));
    if (rc == FN_OK) {
        expect(probed == FN_OK && info.w == im.w && info.h == im.h);
        expect(again.w == im.w && again.h == im.h && warnings == same_warnings);
        expect(memcmp(im.rgb, again.rgb, bytes_of(&im)) == 0);
        check_rows(veteran, data, size, &again);
        check_resize(veteran, &im, 1 + (int)(size % 50), 1 + (int)(size / 50 % 50));
    } else {
        expect(rc == FN_EFORMAT || rc == FN_ECORRUPT || rc == FN_ELIMIT);
        expect(probed == FN_OK || rc == probed);
    }
    fn_codec_close(&novice);
    fn_image_free(&im);
    fn_image_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check(data, size);
    if (fn_image_sniff(data, size) == FN_IMAGE_PNG) {
        uint8_t *copy = malloc(size);
        expect(copy != NULL);
        memcpy(copy, data, size);
        mend(copy, size);
        check(copy, size);
        free(copy);
    }
    return 0;
}
