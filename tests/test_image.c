/* SPDX-License-Identifier: MIT */
/* Pictures against Pillow's, to the byte, and back and forth through our own encoders. */
#include "base/file.h"
#include "base/image_internal.h"
#include "base/json.h"
#include "base/rng.h"
#include "tests/codec.h"

static const char *in_folder(const char *folder, const char *file)
{
    static char name[4][512];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(name[turn], sizeof name[turn], "image/%s/%s", folder, file);
    const char *path = test_data(name[turn]);
    assert_non_null(path);
    return path;
}

static void load(const char *path, struct fn_image *im)
{
    unsigned char *data;
    size_t bytes;
    assert_ok(fn_file_read(path, 1 << 24, &data, &bytes));
    assert_ok(fn_image_decode(codec, data, bytes, 0, im, NULL));
    free(data);
}

/* Says how many bytes differ, and where the first one is. */
static void assert_same(const struct fn_image *got, const struct fn_image *want, const char *what)
{
    if (got->w != want->w || got->h != want->h)
        fail_msg("%s: %d x %d, want %d x %d", what, got->w, got->h, want->w, want->h);
    size_t n = (size_t)got->w * (size_t)got->h * 3, differ = 0, first = 0;
    for (size_t i = n; i-- > 0;)
        if (got->rgb[i] != want->rgb[i]) {
            differ++;
            first = i;
        }
    if (differ)
        fail_msg("%s: %zu of %zu bytes differ, the first at %zu: %d, want %d", what, differ, n,
                 first, got->rgb[first], want->rgb[first]);
}

/* A smooth picture with some noise, so that every coder has something to do. */
static void draw(struct fn_image *im, int w, int h, uint64_t seed)
{
    assert_ok(fn_image_reserve(im, w, h));
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            for (int c = 0; c < 3; c++) {
                size_t i = ((size_t)y * (size_t)w + (size_t)x) * 3 + (size_t)c;
                int noise = (int)(fn_rng(seed, i, 0, FN_RNG_SAMPLE) & 15);
                im->rgb[i] = (uint8_t)((x * (c + 1) * 240 / w + y * (3 - c) * 240 / h) / 4 + noise);
            }
}

static json_t *goldens(const char *name)
{
    json_t *json;
    assert_ok(fn_json_load(test_data(name), 1 << 20, &json));
    return json;
}

static const char *text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static int whole(const json_t *object, const char *key)
{
    return (int)json_integer_value(json_object_get(object, key));
}

static void test_resize_equals_pillow(void **state)
{
    need_data("image/resize/resize.json");
    json_t *json = goldens("image/resize/resize.json"), *c;
    struct fn_image in = {0}, want = {0}, got = {0};
    const struct fn_resize_ops *ops[] = {&fn_resize_plain, fn_resize_avx2()};
    size_t i, tried = 0;
    (void)state;
    json_array_foreach(json_object_get(json, "cases"), i, c)
    {
        load(in_folder("resize", text(c, "input")), &in);
        load(in_folder("resize", text(c, "output")), &want);
        for (size_t k = 0; k < 2; k++) {
            fn_resizer_use(codec->resizer, ops[k]);
            assert_ok(fn_image_resize(codec, &in, whole(c, "out_w"), whole(c, "out_h"), &got));
            assert_same(&got, &want, text(c, "output"));
            tried++;
        }
    }
    fn_resizer_use(codec->resizer, NULL);
    assert_int_equal(tried, 16);
    fn_image_free(&in);
    fn_image_free(&want);
    fn_image_free(&got);
    json_decref(json);
}

static void test_rotate_equals_pillow(void **state)
{
    need_data("image/rotate/rotate.json");
    json_t *json = goldens("image/rotate/rotate.json"), *c;
    struct fn_image in = {0}, want = {0}, got = {0};
    size_t i;
    (void)state;
    load(in_folder("rotate", text(json, "input")), &in);
    json_array_foreach(json_object_get(json, "cases"), i, c)
    {
        load(in_folder("rotate", text(c, "output")), &want);
        assert_ok(fn_image_rotate(&in, json_number_value(json_object_get(c, "angle")), &got));
        assert_same(&got, &want, text(c, "output"));
    }
    assert_int_equal(i, 4);
    fn_image_free(&in);
    fn_image_free(&want);
    fn_image_free(&got);
    json_decref(json);
}

static void test_quarter_turns(void **state)
{
    struct fn_image in = {0}, got = {0}, back = {0};
    (void)state;
    draw(&in, 31, 31, 1);
    assert_ok(fn_image_rotate(&in, -360.0, &got));
    assert_same(&got, &in, "-360");
    assert_ok(fn_image_rotate(&in, 90, &got));
    /* counter-clockwise: the right column becomes the top row */
    assert_memory_equal(got.rgb, in.rgb + 30 * 3, 3);
    assert_memory_equal(got.rgb + 30 * 3, in.rgb + (30 * 31 + 30) * 3, 3);
    assert_ok(fn_image_rotate(&got, 270, &back));
    assert_same(&back, &in, "90 + 270");
    draw(&in, 20, 11, 2);
    assert_ok(fn_image_rotate(&in, 180, &got));
    assert_memory_equal(got.rgb, in.rgb + (20 * 11 - 1) * 3, 3);
    assert_ok(fn_image_rotate(&got, -180, &back));
    assert_same(&back, &in, "180 twice");
    assert_int_equal(fn_image_rotate(&in, 0.0 / 0.0, &got), FN_EUSAGE);
    fn_image_free(&in);
    fn_image_free(&got);
    fn_image_free(&back);
}

static void test_decode_equals_pillow(void **state)
{
    need_data(ACCEPTED);
    json_t *json = goldens(ACCEPTED), *c;
    struct fn_image want = {0}, got = {0};
    struct fn_image_info info;
    size_t i;
    (void)state;
    json_array_foreach(json_object_get(json, "accept"), i, c)
    {
        unsigned char *data;
        size_t bytes;
        int warnings = -1;
        load(in_folder("decode", text(c, "expect")), &want);
        assert_ok(fn_file_read(in_folder("decode", text(c, "file")), 1 << 24, &data, &bytes));
        assert_ok(fn_image_decode(codec, data, bytes, 0, &got, &warnings));
        assert_same(&got, &want, text(c, "file"));
        assert_int_equal(warnings, 0);
        assert_int_equal(got.w, whole(c, "w"));
        assert_int_equal(got.h, whole(c, "h"));
        assert_ok(fn_image_probe(codec, data, bytes, &info));
        assert_int_equal(info.w, got.w);
        assert_int_equal(info.h, got.h);
        assert_int_equal(info.format, fn_image_sniff(data, bytes));
        free(data);
    }
    assert_int_equal(i, 32);
    fn_image_free(&want);
    fn_image_free(&got);
    json_decref(json);
}

static int want_code(const char *file)
{
    if (strcmp(file, "not_an_image.jpg") == 0 || strcmp(file, "empty.jpg") == 0)
        return FN_EFORMAT;
    return strcmp(file, "bomb_65500.jpg") == 0 ? FN_ELIMIT : FN_ECORRUPT;
}

static void test_damaged_are_rejected(void **state)
{
    need_data(ACCEPTED);
    json_t *json = goldens(ACCEPTED), *c;
    struct fn_image got = {0};
    size_t i;
    (void)state;
    json_array_foreach(json_object_get(json, "other"), i, c)
    {
        unsigned char *data;
        size_t bytes;
        const char *file = text(c, "file");
        assert_ok(fn_file_read(in_folder("decode", file), 1 << 24, &data, &bytes));
        int rc = fn_image_decode(codec, data, bytes, 0, &got, NULL);
        if (rc != want_code(file))
            fail_msg("%s: %s (%s), want %s", file, fn_strerror(rc), fn_err_text(rc),
                     fn_strerror(want_code(file)));
        free(data);
    }
    assert_int_equal(i, 9);
    fn_image_free(&got);
    json_decref(json);
}

/* Mean absolute difference. */
static double distance(const struct fn_image *a, const struct fn_image *b)
{
    size_t n = (size_t)a->w * (size_t)a->h * 3;
    double sum = 0;
    assert_int_equal(a->w, b->w);
    assert_int_equal(a->h, b->h);
    for (size_t i = 0; i < n; i++)
        sum += abs(a->rgb[i] - b->rgb[i]);
    return sum / (double)n;
}

static void test_encode_and_back(void **state)
{
    static const int sides[][2] = {{1, 1},    {2, 3},     {17, 9},   {182, 182},
                                   {250, 33}, {640, 480}, {65500, 9}};
    struct fn_image im = {0}, back = {0};
    struct fn_bytes first = {0}, again = {0};
    (void)state;
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        draw(&im, sides[i][0], sides[i][1], i);
        for (int subsample = 0; subsample < 2; subsample++) {
            assert_ok(fn_jpeg_encode(codec, &im, 95, subsample, &first));
            assert_int_equal(fn_image_sniff(first.data, first.bytes), FN_IMAGE_JPEG);
            assert_ok(fn_image_decode(codec, first.data, first.bytes, 0, &back, NULL));
            assert_true(distance(&im, &back) < (im.w < 100 || im.h < 10 ? 16.0 : 8.0));
            assert_ok(fn_jpeg_encode(codec, &im, 10, subsample, &again)); /* other tables between */
            assert_ok(fn_jpeg_encode(codec, &im, 95, subsample, &again));
            assert_int_equal(first.bytes, again.bytes);
            assert_memory_equal(first.data, again.data, first.bytes);
        }
        for (int level = 0; level <= 9; level += 3) {
            assert_ok(fn_png_encode(codec, &im, level, &first));
            assert_ok(fn_image_decode(codec, first.data, first.bytes, 0, &back, NULL));
            assert_same(&back, &im, "PNG");
        }
    }
    im.w = 65501;
    assert_int_equal(fn_jpeg_encode(codec, &im, 95, 1, &first), FN_ELIMIT);
    assert_int_equal(fn_png_encode(codec, &im, 6, &first), FN_ELIMIT);
    fn_image_free(&im);
    fn_image_free(&back);
    fn_bytes_free(&first);
    fn_bytes_free(&again);
}

static void test_crop(void **state)
{
    struct fn_image in = {0}, out = {0};
    (void)state;
    draw(&in, 40, 30, 5);
    assert_ok(fn_image_crop(&in, 7, 3, 39, 30, &out));
    assert_int_equal(out.w, 32);
    assert_int_equal(out.h, 27);
    for (int y = 0; y < 27; y++)
        assert_memory_equal(out.rgb + y * 32 * 3, in.rgb + ((y + 3) * 40 + 7) * 3, 32 * 3);
    assert_int_equal(fn_image_crop(&in, 7, 3, 41, 30, &out), FN_ELIMIT);
    assert_int_equal(fn_image_crop(&in, -1, 3, 20, 30, &out), FN_ELIMIT);
    assert_int_equal(fn_image_crop(&in, 7, 3, 7, 30, &out), FN_ELIMIT);
    assert_int_equal(fn_image_crop(&in, 7, 30, 9, 31, &out), FN_ELIMIT);
    fn_image_free(&in);
    fn_image_free(&out);
}

/* What opening leaves behind when it fails in between, and nothing. */
static void test_close_half_open(void **state)
{
    struct fn_codec *none = NULL, *half = calloc(1, sizeof *half);
    (void)state;
    assert_non_null(half);
    fn_codec_close(&none);
    fn_codec_close(&half);
    assert_null(half);
    half = calloc(1, sizeof *half);
    assert_non_null(half);
    assert_ok(fn_jpeg_open(&half->jpeg));
    fn_codec_close(&half);
    assert_null(half);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resize_equals_pillow),
        cmocka_unit_test(test_rotate_equals_pillow),
        cmocka_unit_test(test_quarter_turns),
        cmocka_unit_test(test_decode_equals_pillow),
        cmocka_unit_test(test_damaged_are_rejected),
        cmocka_unit_test(test_encode_and_back),
        cmocka_unit_test(test_crop),
        cmocka_unit_test(test_close_half_open),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
