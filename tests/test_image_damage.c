/* SPDX-License-Identifier: MIT */
/* Pictures that are cut, flipped, lied about: refused or decoded, never a crash, never a cut one
 * taken for whole, and nothing remembered from one picture to the next. */
#include <time.h>

#include "base/image_internal.h"
#include "base/rng.h"
#include "tests/codec.h"

/* Decodes from a block of exactly `bytes`, so that a sanitizer sees a read past its end. */
static int decode(const uint8_t *data, size_t bytes, struct fn_image *out)
{
    uint8_t *copy = malloc(bytes ? bytes : 1);
    assert_non_null(copy);
    if (bytes)
        memcpy(copy, data, bytes);
    int rc = fn_image_decode(codec, copy, bytes, 0, out, NULL);
    free(copy);
    return rc;
}

struct sample {
    const char *name;
    uint8_t *data;
    size_t bytes;
};
enum { MOST = 64 };
static struct sample samples[MOST];
static size_t sample_count;

static void add_sample(void *context, const char *name, const uint8_t *data, size_t bytes)
{
    (void)context;
    struct sample *s = &samples[sample_count++];
    assert_true(sample_count <= MOST);
    *s = (struct sample){strdup(name), malloc(bytes), bytes};
    assert_non_null(s->data);
    memcpy(s->data, data, bytes);
}

/* Drawn ones always; the odd ones of the real data where they are. */
static void gather(void)
{
    struct fn_image im = {0};
    struct fn_bytes b = {0};
    if (sample_count)
        return;
    assert_ok(fn_image_reserve(&im, 75, 52));
    for (size_t i = 0; i < 75 * 52 * 3; i++)
        im.rgb[i] = (uint8_t)((i / 225 * 3 + i % 225 / 2) + (fn_rng(0, i, 0, FN_RNG_SAMPLE) & 7));
    for (int subsample = 0; subsample < 2; subsample++) {
        assert_ok(fn_jpeg_encode(codec, &im, 80, subsample, &b));
        add_sample(NULL, subsample ? "drawn 4:2:0" : "drawn 4:4:4", b.data, b.bytes);
    }
    assert_ok(fn_png_encode(codec, &im, 6, &b));
    add_sample(NULL, "drawn PNG", b.data, b.bytes);
    fn_bytes_free(&b);
    fn_image_free(&im);
    if (test_data(ACCEPTED))
        each_accepted(add_sample, NULL);
}

static void test_cut_is_never_taken(void **state)
{
    struct fn_image out = {0};
    struct fn_image_info info;
    (void)state;
    gather();
    for (size_t i = 0; i < sample_count; i++) {
        struct sample *s = &samples[i];
        assert_ok(decode(s->data, s->bytes, &out));
        size_t step = s->bytes / 50 + 1;
        for (size_t n = 0; n < s->bytes; n += n < 64 || s->bytes - n < 64 ? 1 : step) {
            int rc = decode(s->data, n, &out);
            if (rc != FN_ECORRUPT && !(rc == FN_EFORMAT && n < 8))
                fail_msg("%s cut to %zu of %zu bytes: %s", s->name, n, s->bytes, fn_strerror(rc));
            fn_image_probe(codec, s->data, n, &info);
        }
        assert_ok(decode(s->data, s->bytes, &out)); /* a failure leaves nothing behind */
    }
    fn_image_free(&out);
}

static void test_bytes_after_the_end_are_fine(void **state)
{
    struct fn_image out = {0};
    (void)state;
    gather();
    for (size_t i = 0; i < sample_count; i++) {
        struct sample *s = &samples[i];
        uint8_t *longer = calloc(1, s->bytes + 100);
        assert_non_null(longer);
        memcpy(longer, s->data, s->bytes);
        assert_ok(decode(longer, s->bytes + 100, &out));
        free(longer);
    }
    fn_image_free(&out);
}

static void test_flipped_bytes(void **state)
{
    struct fn_image out = {0};
    int codes[FN_ERR_COUNT] = {0};
    (void)state;
    gather();
    for (size_t i = 0; i < sample_count; i++)
        for (uint64_t k = 0; k < 60; k++) {
            struct sample *s = &samples[i];
            uint64_t flips = 1 + k % 3;
            uint8_t *bad = malloc(s->bytes);
            assert_non_null(bad);
            memcpy(bad, s->data, s->bytes);
            for (uint64_t f = 0; f < flips; f++) {
                uint64_t r = fn_rng(i, k, f, FN_RNG_SAMPLE);
                size_t reach = k % 2 && s->bytes > 700 ? 700 : s->bytes; /* headers get more */
                bad[fn_rng_below(r, reach)] ^= (uint8_t)(1 + (r & 127));
            }
            codes[decode(bad, s->bytes, &out)]++;
            free(bad);
        }
    for (int c = 0; c < FN_ERR_COUNT; c++)
        if (codes[c] && c != FN_OK && c != FN_EFORMAT && c != FN_ECORRUPT && c != FN_ELIMIT)
            fail_msg("%d flips gave '%s'", codes[c], fn_strerror(c));
    for (size_t i = 0; i < sample_count; i++)
        assert_ok(decode(samples[i].data, samples[i].bytes, &out));
    fn_image_free(&out);
}

static uint8_t *find_frame(struct sample *s)
{
    for (size_t at = 2; at + 9 < s->bytes;) {
        uint8_t marker = s->data[at + 1];
        if (marker >= 0xc0 && marker <= 0xca && marker != 0xc4 && marker != 0xc8)
            return s->data + at;
        at += 2 + ((size_t)s->data[at + 2] << 8 | s->data[at + 3]);
    }
    return NULL;
}

/* Every JPEG and PNG, its header saying 65500 x 65500 or more: refused at once, with nothing
 * allocated for it. */
static void test_bombs(void **state)
{
    (void)state;
    gather();
    for (size_t i = 0; i < sample_count; i++) {
        struct fn_image out = {0};
        struct sample *s = &samples[i];
        uint8_t saved[8], *size;
        if (fn_image_sniff(s->data, s->bytes) == FN_IMAGE_PNG)
            size = s->data + 16;
        else
            size = find_frame(s) + 5;
        memcpy(saved, size, 8);
        if (fn_image_sniff(s->data, s->bytes) == FN_IMAGE_PNG)
            memcpy(size, "\0\0\xff\xdc\0\0\xff\xdc", 8);
        else
            memcpy(size, "\xff\xdc\xff\xdc", 4);
        clock_t start = clock();
        assert_int_equal(decode(s->data, s->bytes, &out), FN_ELIMIT);
        assert_non_null(strstr(fn_err_text(FN_ELIMIT), "65500"));
        assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 0.05);
        assert_null(out.rgb);
        memset(size, 0xff, fn_image_sniff(s->data, s->bytes) == FN_IMAGE_PNG ? 8 : 4);
        assert_int_equal(decode(s->data, s->bytes, &out), FN_ELIMIT);
        memcpy(size, saved, 8);
    }
}

static void test_limit_is_the_callers(void **state)
{
    struct fn_image out = {0};
    struct sample *s;
    (void)state;
    gather();
    s = &samples[0];
    assert_int_equal(fn_image_decode(codec, s->data, s->bytes, 75 * 52 - 1, &out, NULL), FN_ELIMIT);
    assert_ok(fn_image_decode(codec, s->data, s->bytes, 75 * 52, &out, NULL));
    fn_image_free(&out);
}

/* An 8 x 8 progressive grey picture whose only DC scan is sent `scans` times. */
static size_t many_scans(uint8_t *out, int scans)
{
    static const uint8_t frame[] = {0xff, 0xc2, 0, 11, 8, 0, 8, 0, 8, 1, 1, 0x11, 0};
    static const uint8_t table[] = {0xff, 0xc4, 0, 20, 0, 1, 0, 0, 0, 0, 0,
                                    0,    0,    0, 0,  0, 0, 0, 0, 0, 0, 0};
    static const uint8_t scan[] = {0xff, 0xda, 0, 8, 1, 1, 0, 0, 0, 0, 0x7f};
    uint8_t *p = out;
    memcpy(p, "\xff\xd8\xff\xdb\0\x43\0", 7);
    p += 7;
    memset(p, 1, 64);
    p += 64;
    memcpy(p, frame, sizeof frame);
    p += sizeof frame;
    memcpy(p, table, sizeof table);
    p += sizeof table;
    for (int i = 0; i < scans; i++, p += sizeof scan)
        memcpy(p, scan, sizeof scan);
    memcpy(p, "\xff\xd9", 2);
    return (size_t)(p + 2 - out);
}

static void test_scans_are_bounded(void **state)
{
    struct fn_image out = {0};
    uint8_t data[8192];
    (void)state;
    assert_ok(decode(data, many_scans(data, 1), &out));
    assert_ok(decode(data, many_scans(data, 100), &out));
    assert_int_equal(decode(data, many_scans(data, 101), &out), FN_ELIMIT);
    assert_int_equal(decode(data, many_scans(data, 500), &out), FN_ELIMIT);
    fn_image_free(&out);
}

/* The segments of a JPEG with one marker left out. */
static size_t without(const struct sample *s, uint8_t marker, uint8_t *out)
{
    size_t at = 2, n = 2;
    memcpy(out, s->data, 2);
    while (s->data[at + 1] != 0xda) {
        size_t bytes = 2 + ((size_t)s->data[at + 2] << 8 | s->data[at + 3]);
        if (s->data[at + 1] != marker) {
            memcpy(out + n, s->data + at, bytes);
            n += bytes;
        }
        at += bytes;
    }
    memcpy(out + n, s->data + at, s->bytes - at);
    return n + s->bytes - at;
}

/* A picture without tables must not be decoded with those of the picture before it. Without Huffman
 * tables the standard ones are meant (Motion JPEG), which ours are. */
static void test_tables_are_forgotten(void **state)
{
    struct fn_image want = {0}, out = {0};
    (void)state;
    gather();
    struct sample *s = &samples[0];
    uint8_t *bare = malloc(s->bytes);
    assert_non_null(bare);
    assert_ok(decode(s->data, s->bytes, &want));
    for (int i = 0; i < 3; i++) {
        size_t n = without(s, 0xdb, bare);
        assert_true(n < s->bytes);
        assert_int_equal(decode(bare, n, &out), FN_ECORRUPT);
        n = without(s, 0xc4, bare);
        assert_true(n < s->bytes);
        assert_ok(decode(bare, n, &out));
        assert_memory_equal(out.rgb, want.rgb, 75 * 52 * 3);
        assert_ok(decode(samples[1].data, samples[1].bytes, &out));
    }
    free(bare);
    fn_image_free(&want);
    fn_image_free(&out);
}

static void test_hostile_exif(void **state)
{
    uint8_t tiff[64];
    (void)state;
    for (uint64_t i = 0; i < 200000; i++) {
        size_t bytes = i % sizeof tiff;
        for (size_t k = 0; k < sizeof tiff; k += 8) {
            uint64_t r = fn_rng(3, i, k, FN_RNG_SAMPLE);
            memcpy(tiff + k, &r, 8);
        }
        memcpy(tiff, i & 1 ? "II*\0" : "MM\0*", 4);
        if (i % 4 < 2)
            memcpy(tiff + 4, i & 1 ? "\x08\0\0\0" : "\0\0\0\x08", 4);
        if (i % 8 < 4)
            memcpy(tiff + 10, i & 1 ? "\x12\1\3\0\1\0\0" : "\1\x12\0\3\0\0\0", 7);
        uint8_t *exact = malloc(bytes ? bytes : 1);
        assert_non_null(exact);
        memcpy(exact, tiff, bytes);
        int orientation = fn_exif_orientation(exact, bytes);
        assert_in_range(orientation, 1, 8);
        free(exact);
    }
}

static void test_sentences(void **state)
{
    struct fn_image out = {0};
    static const struct {
        const char *bytes;
        size_t n;
        int code;
        const char *says;
    } cases[] = {
        {"", 0, FN_EFORMAT, "no bytes"},
        {"GIF89a......", 12, FN_EFORMAT, "GIF"},
        {"RIFF....WEBPVP8 ", 16, FN_EFORMAT, "WebP"},
        {"<html>", 6, FN_EFORMAT, "neither a JPEG nor a PNG"},
        {"\xff\xd8\xff\xd9", 4, FN_ECORRUPT, "no image"},
        {"\xff\xd8\xff\xe0\0\x10JF", 8, FN_ECORRUPT, "premature end"},
        {"\x89PNG\r\n\x1a\n", 8, FN_ECORRUPT, "premature end"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(decode((const uint8_t *)cases[i].bytes, cases[i].n, &out), cases[i].code);
        if (!strstr(fn_err_text(cases[i].code), cases[i].says))
            fail_msg("'%s' does not say '%s'", fn_err_text(cases[i].code), cases[i].says);
    }
}

static int forget_samples(void **state)
{
    for (size_t i = 0; i < sample_count; i++) {
        free((char *)samples[i].name);
        free(samples[i].data);
    }
    return teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_is_never_taken),
        cmocka_unit_test(test_bytes_after_the_end_are_fine),
        cmocka_unit_test(test_flipped_bytes),
        cmocka_unit_test(test_bombs),
        cmocka_unit_test(test_limit_is_the_callers),
        cmocka_unit_test(test_scans_are_bounded),
        cmocka_unit_test(test_tables_are_forgotten),
        cmocka_unit_test(test_hostile_exif),
        cmocka_unit_test(test_sentences),
    };
    return cmocka_run_group_tests(tests, setup, forget_samples);
}
