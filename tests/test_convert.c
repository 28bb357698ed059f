/* SPDX-License-Identifier: MIT */
/* Pictures to payloads: what each codec makes, when `keep` keeps, and which fault is which reject.
 */
#include "tests/test.h"

#include "base/file.h"
#include "ingest/convert.h"
#include "store/format.h"

struct file {
    uint8_t *data;
    size_t bytes;
};

static struct file load(const char *name)
{
    char path[256];
    struct file f;
    snprintf(path, sizeof path, "image/decode/%s", name);
    assert_non_null(test_data(path));
    assert_ok(fn_file_read(test_data(path), 1 << 24, &f.data, &f.bytes));
    return f;
}

/* 0, or the reject reason. */
static int convert(const struct fn_convert *how, const struct file *f, const struct fn_box *box,
                   struct fn_converted *out, struct fn_converter *c)
{
    int reject = -1;
    assert_ok(fn_convert_picture(c, how, f->data, f->bytes, box, out, &reject));
    return reject;
}

static void codecs(void **state)
{
    static const struct {
        enum fn_convert_codec codec;
        int stored;
        enum fn_image_format format;
    } all[] = {{FN_CONVERT_JPEG, FN_CODEC_JPEG, FN_IMAGE_JPEG},
               {FN_CONVERT_PNG, FN_CODEC_PNG, FN_IMAGE_PNG},
               {FN_CONVERT_RAW, FN_CODEC_RAW, FN_IMAGE_UNKNOWN}};
    struct fn_converter *c;
    struct fn_converted out;
    uint64_t pixels = 0;
    (void)state;
    need_data("image/decode/j420.jpg");
    struct file f = load("j420.jpg");
    assert_ok(fn_converter_open(&c));
    for (size_t i = 0; i < 3; i++) {
        struct fn_convert how = {all[i].codec, 64, 95, 1};
        assert_int_equal(convert(&how, &f, NULL, &out, c), 0);
        assert_int_equal(out.codec, all[i].stored);
        assert_int_equal(out.w, 64);
        assert_int_equal(out.h, 64);
        assert_int_equal(fn_image_sniff(out.payload, out.bytes), all[i].format);
        pixels = i == 0 ? out.pixels : pixels; /* of the picture, whatever is made of it */
        assert_true(out.pixels != 0 && out.pixels == pixels);
        if (all[i].codec == FN_CONVERT_RAW) {
            assert_int_equal(out.bytes, 64 * 64 * 3);
            assert_true(fn_pixels_hash(64, 64, out.payload) == pixels);
        }
    }
    free(f.data);
    fn_converter_close(&c);
    assert_null(c);
}

/* Kept: the very bytes. Not kept: the same format, of the right size. */
static void keeping(void **state)
{
    static const struct {
        const char *name;
        int upright, stored;
    } files[] = {
        {"j420.jpg", 1, FN_CODEC_JPEG},       {"gray.jpg", 1, FN_CODEC_JPEG},
        {"exif6.jpg", 0, FN_CODEC_JPEG},      {"exif3.jpg", 0, FN_CODEC_JPEG},
        {"cmyk_adobe.jpg", 1, FN_CODEC_JPEG}, {"palette.png", 1, FN_CODEC_PNG},
        {"rgb16.png", 1, FN_CODEC_PNG},
    };
    struct fn_converter *c;
    (void)state;
    need_data("image/decode/j420.jpg");
    assert_ok(fn_converter_open(&c));
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct file f = load(files[i].name);
        struct fn_convert how = {FN_CONVERT_KEEP, 0, 95, 0};
        struct fn_converted out;
        assert_int_equal(convert(&how, &f, NULL, &out, c), 0);
        assert_int_equal(out.codec, files[i].stored);
        assert_int_equal(out.payload == f.data && out.bytes == f.bytes, files[i].upright);
        int w = out.w, h = out.h;

        how.size = w == h ? w : w + h; /* the right size already, or another */
        assert_int_equal(convert(&how, &f, NULL, &out, c), 0);
        assert_int_equal(out.payload == f.data, files[i].upright && w == h);
        assert_int_equal(out.w, how.size);

        how.size = w + 1;
        assert_int_equal(convert(&how, &f, NULL, &out, c), 0);
        assert_int_equal(out.codec, files[i].stored);
        assert_ptr_not_equal(out.payload, f.data);
        assert_int_equal(out.w, w + 1);
        assert_int_equal(out.h, w + 1);

        struct fn_box box = {0, 0, w - 1, h};
        how.size = 0;
        assert_int_equal(convert(&how, &f, &box, &out, c), 0);
        assert_ptr_not_equal(out.payload, f.data);
        assert_int_equal(out.w, w - 1);
        assert_int_equal(out.h, h);
        free(f.data);
    }
    fn_converter_close(&c);
}

static void faults(void **state)
{
    static const struct {
        const char *name;
        int reason;
    } files[] = {
        {"truncated_half.jpg", FN_REJECT_IMAGE_DAMAGED},
        {"truncated_noeoi.jpg", FN_REJECT_IMAGE_DAMAGED},
        {"truncated_progressive.jpg", FN_REJECT_IMAGE_DAMAGED},
        {"truncated.png", FN_REJECT_IMAGE_DAMAGED},
        {"png_bad_crc.png", FN_REJECT_IMAGE_DAMAGED},
        {"not_an_image.jpg", FN_REJECT_NOT_IMAGE},
        {"bomb_65500.jpg", FN_REJECT_IMAGE_LIMIT},
    };
    struct fn_converter *c;
    struct fn_converted out;
    (void)state;
    need_data("image/decode/bomb_65500.jpg");
    assert_ok(fn_converter_open(&c));
    for (int codec = FN_CONVERT_JPEG; codec <= FN_CONVERT_KEEP; codec++) {
        struct fn_convert how = {(enum fn_convert_codec)codec, 0, 95, 0};
        for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
            struct file f = load(files[i].name);
            int reason = convert(&how, &f, NULL, &out, c);
            if (reason != files[i].reason)
                fail_msg("%s: %s, want %s", files[i].name, fn_reject_name(reason),
                         fn_reject_name(files[i].reason));
            free(f.data);
        }
        struct file f = load("j420.jpg");
        static const struct fn_box boxes[] = {
            {-1, 0, 10, 10}, {0, 0, 10, 10000}, {10, 10, 10, 20}, {20, 0, 10, 10}};
        for (size_t i = 0; i < 4; i++)
            assert_int_equal(convert(&how, &f, &boxes[i], &out, c), FN_REJECT_BOX);
        free(f.data);
    }
    fn_converter_close(&c);
}

static void names(void **state)
{
    enum fn_convert_codec codec;
    (void)state;
    assert_ok(fn_convert_codec_named("keep", &codec));
    assert_int_equal(codec, FN_CONVERT_KEEP);
    assert_int_equal(fn_convert_codec_named("jpg", &codec), FN_EUSAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(codecs),
        cmocka_unit_test(keeping),
        cmocka_unit_test(faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
