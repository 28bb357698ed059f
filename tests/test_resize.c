/* SPDX-License-Identifier: MIT */
/* The fast loops against the plain ones on ugly sizes; views; the cache of weights. */
#include "base/image_internal.h"
#include "base/rng.h"
#include "tests/codec.h"

/* A picture in a block of exactly its size, so that a sanitizer sees a read past its end. kind 0:
 * noise, 1: white, 2: noise of 0 and 255, where sums are largest and smallest. */
static struct fn_image drawn(int w, int h, uint64_t seed, int kind)
{
    size_t n = (size_t)w * (size_t)h * 3;
    struct fn_image im = {w, h, malloc(n), n};
    assert_non_null(im.rgb);
    for (size_t i = 0; i < n; i++) {
        uint64_t r = fn_rng(seed, i, 0, FN_RNG_SAMPLE);
        im.rgb[i] = kind == 0 ? (uint8_t)r : kind == 1 || (r & 1) ? 255 : 0;
    }
    return im;
}

static void compare(const struct fn_image *in, int w, int h)
{
    const struct fn_resize_ops *fast[] = {fn_resize_avx2(), fn_resize_avx512()};
    struct fn_image want = {0}, got = {0};
    size_t n = (size_t)w * (size_t)h * 3;
    fn_resizer_use(codec->resizer, &fn_resize_plain);
    assert_ok(fn_image_resize(codec, in, w, h, &want));
    for (size_t k = 0; k < sizeof fast / sizeof *fast; k++) {
        if (!fast[k])
            continue;
        got.w = w;
        got.h = h;
        got.rgb = malloc(n); /* exactly as large: a store past its end shows */
        got.cap = n;
        fn_resizer_use(codec->resizer, fast[k]);
        assert_ok(fn_image_resize(codec, in, w, h, &got));
        if (memcmp(want.rgb, got.rgb, n) != 0)
            fail_msg("%s differs: %d x %d to %d x %d", fast[k]->name, in->w, in->h, w, h);
        fn_image_free(&got);
    }
    fn_image_free(&want);
    fn_resizer_use(codec->resizer, NULL);
}

static void test_all_small_sizes(void **state)
{
    (void)state;
    for (int in = 1; in <= 21; in++)
        for (int out = 1; out <= 21; out++) {
            struct fn_image a = drawn(in, 5, (uint64_t)(in * 100 + out), in % 3);
            compare(&a, out, 5); /* along rows only */
            compare(&a, out, 3);
            fn_image_free(&a);
            a = drawn(7, in, (uint64_t)(in * 100 + out), out % 3);
            compare(&a, 7, out); /* along columns only */
            compare(&a, 11, out);
            fn_image_free(&a);
        }
}

static void test_random_sizes(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 300; i++) {
        int side[4];
        for (uint64_t k = 0; k < 4; k++) {
            uint64_t most = fn_rng(1, i, k, FN_RNG_CROP_X) & 1 ? 300 : 40;
            side[k] = 1 + (int)fn_rng_below(fn_rng(2, i, k, FN_RNG_CROP_X), most);
        }
        struct fn_image a = drawn(side[0], side[1], i, (int)(i % 3));
        compare(&a, side[2], side[3]);
        fn_image_free(&a);
    }
}

/* Weights far below 1/255, and the largest numbers of them. */
static void test_extreme_sizes(void **state)
{
    static const int size[][4] = {{65500, 3, 1, 1}, {65500, 1, 7, 2},   {3, 65500, 1, 1},
                                  {2, 65500, 2, 3}, {1, 1, 65500, 1},   {1, 1, 1, 65500},
                                  {9000, 2, 5, 2},  {2, 2, 3000, 1000}, {65499, 1, 65500, 1}};
    (void)state;
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
        struct fn_image a = drawn(size[i][0], size[i][1], i, 1 + (int)(i % 2));
        compare(&a, size[i][2], size[i][3]);
        fn_image_free(&a);
    }
}

static void test_white_stays_white(void **state)
{
    struct fn_image a = drawn(997, 13, 0, 1), out = {0};
    (void)state;
    for (int w = 1; w < 400; w += 7) {
        assert_ok(fn_image_resize(codec, &a, w, 9, &out));
        for (size_t i = 0; i < (size_t)w * 27; i++)
            assert_int_equal(out.rgb[i], 255);
    }
    fn_image_free(&a);
    fn_image_free(&out);
}

static void test_view_is_crop_then_resize(void **state)
{
    struct fn_image a = drawn(61, 47, 9, 0), cropped = {0}, want = {0}, got = {0};
    (void)state;
    for (int i = 0; i < 40; i++) {
        int x1 = i % 7, y1 = i % 5, x2 = 61 - i % 11, y2 = 47 - i % 3, w = 1 + i * 3, h = 90 - i;
        struct fn_view view = {a.rgb + (y1 * 61 + x1) * 3, x2 - x1, y2 - y1, 61 * 3};
        assert_ok(fn_image_crop(&a, x1, y1, x2, y2, &cropped));
        assert_ok(fn_image_resize(codec, &cropped, w, h, &want));
        assert_ok(fn_resize_view(codec->resizer, &view, w, h, &got));
        assert_memory_equal(got.rgb, want.rgb, (size_t)w * (size_t)h * 3);
        assert_ok(fn_resize_view(codec->resizer, &view, view.w, view.h, &got));
        assert_memory_equal(got.rgb, cropped.rgb, (size_t)view.w * (size_t)view.h * 3);
    }
    fn_image_free(&a);
    fn_image_free(&cropped);
    fn_image_free(&want);
    fn_image_free(&got);
}

/* More sizes than the cache has slots, twice over: the second time as the first. */
static void test_cache_of_weights(void **state)
{
    struct fn_image a = drawn(31, 29, 4, 0), first[200] = {{0}}, again = {0};
    (void)state;
    for (int i = 0; i < 200; i++)
        assert_ok(fn_image_resize(codec, &a, i + 1, 200 - i, &first[i]));
    for (int i = 199; i >= 0; i--) {
        assert_ok(fn_image_resize(codec, &a, i + 1, 200 - i, &again));
        assert_memory_equal(again.rgb, first[i].rgb, (size_t)(i + 1) * (size_t)(200 - i) * 3);
        fn_image_free(&first[i]);
    }
    fn_image_free(&a);
    fn_image_free(&again);
}

static void test_impossible_sizes(void **state)
{
    struct fn_image a = drawn(3, 3, 4, 0), out = {0};
    (void)state;
    assert_int_equal(fn_image_resize(codec, &a, 0, 5, &out), FN_ELIMIT);
    assert_int_equal(fn_image_resize(codec, &a, 5, -1, &out), FN_ELIMIT);
    assert_int_equal(fn_image_resize(codec, &a, 65501, 1, &out), FN_ELIMIT);
    assert_int_equal(fn_image_reserve(&out, 1, 65501), FN_ELIMIT);
    fn_image_free(&a);
    fn_image_free(&out);
}

static void test_rotations_agree(void **state)
{
    static const double degrees[] = {0.001, 5, -7.3, 10, 33, 45, 89.9, 90, 123.4, 180, 200, 315};
    fn_rotate_sample *fast = fn_rotate_avx2();
    struct fn_image want = {0}, got = {0};
    (void)state;
    for (int i = 0; fast && i < 60; i++) {
        int w = 1 + i % 13 * (i % 4), h = 1 + i % 11 * (i % 3);
        struct fn_image a = drawn(w, h, (uint64_t)i, i % 3);
        for (size_t k = 0; k < sizeof degrees / sizeof *degrees; k++) {
            assert_ok(fn_rotate_with(fn_rotate_plain, &a, degrees[k], &want));
            assert_ok(fn_rotate_with(fast, &a, degrees[k], &got));
            if (memcmp(want.rgb, got.rgb, (size_t)w * (size_t)h * 3) != 0)
                fail_msg("%d x %d by %g degrees", w, h, degrees[k]);
        }
        fn_image_free(&a);
    }
    fn_image_free(&want);
    fn_image_free(&got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_small_sizes),  cmocka_unit_test(test_random_sizes),
        cmocka_unit_test(test_extreme_sizes),    cmocka_unit_test(test_white_stays_white),
        cmocka_unit_test(test_cache_of_weights), cmocka_unit_test(test_view_is_crop_then_resize),
        cmocka_unit_test(test_impossible_sizes), cmocka_unit_test(test_rotations_agree),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
