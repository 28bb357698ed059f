/* SPDX-License-Identifier: MIT */
/* Crop, flip and rotation against plain pixel loops, on pictures larger, smaller and odd. */
#include "train/augment.h"

#include <math.h>

#include "tests/make_store.h"
#include "train/mirror.h"

/* What pixel (x, y) of the example must be. */
static const uint8_t *want_pixel(const struct fn_augment_plan *p, int size,
                                 const struct fn_image *im, int x, int y)
{
    static const uint8_t black[3];
    int from_x = p->x + (p->flip ? size - 1 - x : x), from_y = p->y + y;
    if (from_x < 0 || from_x >= im->w || from_y < 0 || from_y >= im->h)
        return black;
    return im->rgb + ((size_t)from_y * (size_t)im->w + (size_t)from_x) * 3;
}

static void check(const struct fn_augment_plan *p, int size, const struct fn_image *im)
{
    struct fn_image scratch = {0}, turned = {0};
    size_t bytes = (size_t)size * (size_t)size * 3;
    uint8_t *out = malloc(bytes + 16);
    memset(out, 0xee, bytes + 16);
    assert_ok(fn_augment_apply(p, size, im, &scratch, out));
    if (p->degrees != 0) {
        assert_ok(fn_image_rotate(im, p->degrees, &turned));
        im = &turned;
    }
    for (int y = 0; y < size; y++)
        for (int x = 0; x < size; x++)
            assert_memory_equal(out + ((size_t)y * (size_t)size + (size_t)x) * 3,
                                want_pixel(p, size, im, x, y), 3);
    for (int i = 0; i < 16; i++)
        assert_int_equal(out[bytes + (size_t)i], 0xee);
    free(out);
    fn_image_free(&scratch);
    fn_image_free(&turned);
}

static void pixels(void **state)
{
    (void)state;
    static const int sides[][2] = {{182, 182}, {160, 160}, {161, 163}, {20, 300}, {159, 40},
                                   {1, 1},     {33, 7},    {170, 100}, {2, 200}};
    static const int sizes[] = {160, 32, 1, 2, 33};
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++)
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
            for (uint64_t position = 0; position < 6; position++) {
                struct fn_image im = {0};
                struct fn_augment_plan p;
                struct fn_augment a = {sizes[k], position % 2 == 0, 1, position == 3, 7};
                a.random_crop = a.random_crop && sides[i][0] >= a.size && sides[i][1] >= a.size;
                make_picture(&im, position, sides[i][0], sides[i][1]);
                assert_ok(fn_augment_plan(&a, 3, position, im.w, im.h, &p));
                check(&p, a.size, &im);
                fn_image_free(&im);
            }
}

/* Rows in blocks of their exact size, so that a byte too far is noticed by the sanitizers. */
static void mirrors(void **state)
{
    (void)state;
    for (int n = 1; n <= 70; n++) {
        size_t bytes = (size_t)n * 3;
        uint8_t *from = malloc(bytes), *to = malloc(bytes);
        for (size_t i = 0; i < bytes; i++)
            from[i] = (uint8_t)(i * 37 + (size_t)n);
        for (int fast = 0; fast < 2; fast++) {
            fn_mirror *mirror = fast ? fn_mirror_ssse3() : fn_mirror_plain;
            if (!mirror)
                continue;
            memset(to, 0, bytes);
            mirror(to, from, n);
            for (int i = 0; i < n; i++)
                assert_memory_equal(to + 3 * i, from + 3 * (n - 1 - i), 3);
        }
        free(from);
        free(to);
    }
}

static void centre(void **state)
{
    (void)state;
    static const struct {
        int side, size, x;
    } cases[] = {{182, 160, 11}, {183, 160, 11}, {160, 160, 0},  {159, 160, 0},
                 {158, 160, -1}, {157, 160, -1}, {155, 160, -2}, {161, 160, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fn_augment a = {.size = cases[i].size};
        struct fn_augment_plan p;
        assert_ok(fn_augment_plan(&a, 0, 0, cases[i].side, cases[i].side, &p));
        assert_true(p.x == cases[i].x && p.y == cases[i].x && !p.flip && p.degrees == 0);
    }
}

/* Every offset, both mirrors and the whole range of angles come, about equally often. */
static void uniform(void **state)
{
    (void)state;
    enum { N = 22000 };
    struct fn_augment a = {
        .size = 172, .random_crop = 1, .random_flip = 1, .random_rotate = 1, .seed = 99};
    int x[11] = {0}, y[11] = {0}, flips = 0, angle[20] = {0}, both[121] = {0};
    for (uint64_t i = 0; i < N; i++) {
        struct fn_augment_plan p, again;
        assert_ok(fn_augment_plan(&a, i / 1000, i % 1000, 182, 182, &p));
        assert_ok(fn_augment_plan(&a, i / 1000, i % 1000, 182, 182, &again));
        assert_true(p.x == again.x && p.y == again.y && p.flip == again.flip &&
                    p.degrees == again.degrees);
        assert_in_range(p.x, 0, 10);
        assert_in_range(p.y, 0, 10);
        assert_true(p.degrees >= -10 && p.degrees < 10);
        x[p.x]++;
        y[p.y]++;
        both[p.x * 11 + p.y]++;
        flips += p.flip;
        angle[(int)floor(p.degrees) + 10]++;
    }
    assert_in_range(flips, N / 2 - 370, N / 2 + 370); /* 5 standard deviations */
    for (int i = 0; i < 11; i++) {
        assert_in_range(x[i], N / 11 - 215, N / 11 + 215);
        assert_in_range(y[i], N / 11 - 215, N / 11 + 215);
    }
    for (int i = 0; i < 121; i++)
        assert_in_range(both[i], N / 121 - 70, N / 121 + 70);
    for (int i = 0; i < 20; i++)
        assert_in_range(angle[i], N / 20 - 165, N / 20 + 165);
}

/* Switches do not move each other's numbers: flips are the same with and without crops. */
static void independent(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 100; i++) {
        struct fn_augment all = {
            .size = 32, .random_crop = 1, .random_flip = 1, .random_rotate = 1, .seed = 1};
        struct fn_augment flip = {.size = 32, .random_flip = 1, .seed = 1};
        struct fn_augment crop = {.size = 32, .random_crop = 1, .seed = 1};
        struct fn_augment_plan a, b, c;
        assert_ok(fn_augment_plan(&all, 2, i, 40, 40, &a));
        assert_ok(fn_augment_plan(&flip, 2, i, 40, 40, &b));
        assert_ok(fn_augment_plan(&crop, 2, i, 40, 40, &c));
        assert_true(a.flip == b.flip && a.x == c.x && a.y == c.y && b.x == 4 && !c.flip);
    }
}

static void too_small(void **state)
{
    (void)state;
    struct fn_augment a = {.size = 160, .random_crop = 1};
    struct fn_augment_plan p;
    assert_int_equal(fn_augment_plan(&a, 0, 0, 159, 182, &p), FN_EMISMATCH);
    assert_non_null(strstr(fn_err_text(FN_EMISMATCH), "159 x 182"));
    assert_int_equal(fn_augment_plan(&a, 0, 0, 182, 159, &p), FN_EMISMATCH);
    assert_ok(fn_augment_plan(&a, 0, 0, 160, 160, &p));
    assert_true(p.x == 0 && p.y == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixels),  cmocka_unit_test(mirrors),   cmocka_unit_test(centre),
        cmocka_unit_test(uniform), cmocka_unit_test(too_small), cmocka_unit_test(independent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
