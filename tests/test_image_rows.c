/* SPDX-License-Identifier: MIT */
/* Some rows of a picture are bit for bit those of the whole one: every position of the crop, every
 * sampling; and one that is cut is refused or right. */
#include "base/rng.h"
#include "tests/codec.h"

/* Smooth shapes with noise: every kind of block. */
static void draw(struct fn_image *im, uint64_t k, int w, int h)
{
    assert_ok(fn_image_reserve(im, w, h));
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            for (int c = 0; c < 3; c++) {
                uint64_t noise = fn_rng(k, (uint64_t)(y * w + x), (uint64_t)c, 77) % (1 + k * 9);
                unsigned v = (unsigned)(x * (c + 1) + y * (3 - c)) / 2 % 200 + (unsigned)noise;
                im->rgb[(y * w + x) * 3 + c] = (uint8_t)(v > 255 ? 255 : v);
            }
}

struct got {
    const struct fn_image *whole;
    int next, wrong;
};

static void put(void *context, int y, int rows, const uint8_t *rgb)
{
    struct got *g = context;
    size_t row = (size_t)g->whole->w * 3;
    g->wrong += y != g->next || rows < 1 || y + rows > g->whole->h ||
                memcmp(rgb, g->whole->rgb + (size_t)y * row, (size_t)rows * row) != 0;
    g->next = y + rows;
}

/* Rows [y, y + rows) of a picture of which the whole is known. */
static int rows_of(const uint8_t *data, size_t bytes, const struct fn_image *whole, int y, int rows)
{
    struct got g = {whole, y, 0};
    const struct fn_rows want = {whole->w, whole->h, y, rows, put, &g};
    int rc = fn_image_decode_rows(codec, data, bytes, &want);
    if (rc == FN_OK && (g.wrong || g.next != y + rows))
        fail_msg("rows %d to %d of %d x %d: %d times wrong", y, y + rows, whole->w, whole->h,
                 g.wrong);
    return rc;
}

/* From a block of exactly these bytes, so that a sanitizer sees a read past its end. */
static uint8_t *exactly(const uint8_t *data, size_t bytes)
{
    uint8_t *block = malloc(bytes);
    assert_non_null(block);
    memcpy(block, data, bytes);
    return block;
}

/* Every `step`-th first row, several heights. */
static void every_position(const uint8_t *data, size_t bytes, int step)
{
    struct fn_image whole = {0};
    uint8_t *block = exactly(data, bytes);
    assert_ok(fn_image_decode(codec, data, bytes, 0, &whole, NULL));
    for (int y = 0; y < whole.h; y += step) {
        const int heights[] = {1, (whole.h - y + 1) / 2, whole.h - y};
        for (int i = 0; i < 3; i++)
            assert_ok(rows_of(block, bytes, &whole, y, heights[i]));
    }
    free(block);
    fn_image_free(&whole);
}

static void drawn(void **state)
{
    static const struct {
        int w, h, quality, subsample;
    } kinds[] = {{182, 182, 95, 1}, {182, 182, 95, 0}, {33, 57, 80, 1}, {16, 16, 90, 1},
                 {17, 31, 100, 1},  {1, 40, 75, 1},    {64, 1, 95, 1},  {200, 15, 30, 1},
                 {48, 161, 95, 1},  {49, 48, 95, 0}};
    struct fn_image im = {0};
    struct fn_bytes jpeg = {0};
    (void)state;
    for (uint64_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        draw(&im, i, kinds[i].w, kinds[i].h);
        assert_ok(fn_jpeg_encode(codec, &im, kinds[i].quality, kinds[i].subsample, &jpeg));
        every_position(jpeg.data, jpeg.bytes, 1);
        assert_ok(fn_png_encode(codec, &im, 1, &jpeg));
        every_position(jpeg.data, jpeg.bytes, 11);
    }
    fn_image_free(&im);
    fn_bytes_free(&jpeg);
}

static void see(void *context, const char *file, const uint8_t *data, size_t bytes)
{
    (void)context;
    (void)file;
    every_position(data, bytes, 5);
}

/* Grey, 4:1:1, 4:4:0, progressive, arithmetic, restarts, CMYK, turned by EXIF. */
static void real(void **state)
{
    (void)state;
    need_data(ACCEPTED);
    each_accepted(see, NULL);
}

static void count_streamed(void *context, int y, int rows, const uint8_t *rgb)
{
    (void)y;
    (void)rows;
    *(int *)context += (uintptr_t)rgb % 16 == 0;
}

/* A row that begins at a multiple of 16 bytes is written past the caches by libjpeg-turbo, and slow
 * to read: none does, whatever the width and wherever the memory. */
static void not_streamed(void **state)
{
    static const int widths[] = {16, 160, 182, 224};
    struct fn_image im = {0};
    struct fn_bytes jpeg = {0};
    int streamed = 0;
    (void)state;
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        const struct fn_rows want = {widths[i], 32, 1, 30, count_streamed, &streamed};
        draw(&im, i, widths[i], 32);
        assert_ok(fn_jpeg_encode(codec, &im, 90, (int)i % 2, &jpeg));
        assert_ok(fn_image_decode_rows(codec, jpeg.data, jpeg.bytes, &want));
    }
    assert_int_equal(streamed, 0);
    fn_image_free(&im);
    fn_bytes_free(&jpeg);
}

/* Cut anywhere: refused, or the rows are right. */
static void cut(void **state)
{
    struct fn_image im = {0};
    struct fn_bytes jpeg = {0};
    int taken = 0, refused = 0;
    (void)state;
    draw(&im, 3, 60, 61);
    assert_ok(fn_jpeg_encode(codec, &im, 95, 1, &jpeg));
    assert_ok(fn_image_decode(codec, jpeg.data, jpeg.bytes, 0, &im, NULL));
    for (size_t bytes = 2; bytes < jpeg.bytes; bytes++) {
        uint8_t *block = exactly(jpeg.data, bytes);
        int rc = rows_of(block, bytes, &im, 10, 20);
        taken += rc == FN_OK;
        refused += rc == FN_ECORRUPT;
        assert_true(rc != FN_OK || bytes > jpeg.bytes / 3); /* 30 of 61 rows */
        /* The last row needs everything but the end marker. */
        if (bytes < jpeg.bytes - 2) {
            rc = rows_of(block, bytes, &im, 60, 1);
            if (rc != FN_ECORRUPT && !(rc == FN_EFORMAT && bytes < 3))
                fail_msg("%zu of %zu bytes: %s", bytes, jpeg.bytes, fn_strerror(rc));
        }
        free(block);
    }
    assert_true(taken > 100 && refused > 1000);
    fn_image_free(&im);
    fn_bytes_free(&jpeg);
}

static void other_size(void **state)
{
    struct fn_image im = {0};
    struct fn_bytes jpeg = {0};
    struct got g = {&im, 0, 0};
    struct fn_rows want = {41, 30, 0, 10, put, &g};
    (void)state;
    draw(&im, 1, 40, 30);
    assert_ok(fn_jpeg_encode(codec, &im, 95, 1, &jpeg));
    assert_int_equal(fn_image_decode_rows(codec, jpeg.data, jpeg.bytes, &want), FN_ECORRUPT);
    assert_non_null(strstr(fn_err_text(FN_ECORRUPT), "40 x 30"));
    assert_int_equal(fn_image_decode_rows(codec, jpeg.data, 0, &want), FN_EFORMAT);
    assert_int_equal(g.next, 0);
    fn_image_free(&im);
    fn_bytes_free(&jpeg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(drawn), cmocka_unit_test(real),
                                       cmocka_unit_test(not_streamed), cmocka_unit_test(cut),
                                       cmocka_unit_test(other_size)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
