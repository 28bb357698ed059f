/* SPDX-License-Identifier: MIT */
/* Addressed chance: pinned values, ranges, and the bijection that orders a pass. */
#include "tests/test.h"

#include <math.h>

#include "base/rng.h"

/* The promise of repeatable runs: these values never change. They come from a program of its own,
 * written after the description in rng.h. */
static void test_rng_is_pinned(void **state)
{
    (void)state;
    assert_true(fn_rng(0, 0, 0, 0) == UINT64_C(0x2130748aaac80268));
    assert_true(fn_rng(666, 1, 2, 3) == UINT64_C(0x56d926948e1d99ef));
    assert_true(fn_rng(UINT64_MAX, UINT64_MAX, UINT64_MAX, FN_RNG_REPLACE) ==
                UINT64_C(0x84bb3f97971d80ab));
    static const uint64_t order[] = {2, 0, 6, 7, 4, 5, 3, 9, 1, 8};
    for (uint64_t i = 0; i < 10; i++)
        assert_true(fn_rng_permute(666, 0, 10, i) == order[i]);
    assert_true(fn_rng_permute(666, 3, 3000000, 1234567) == 1928297);
    assert_true(fn_rng_permute(1, 2, UINT64_C(1) << 62, 5) == UINT64_C(587075859404186414));
}

static void test_rng_words_matter(void **state)
{
    (void)state;
    /* Neighbouring addresses differ in about half of their 64 bits: mean 32, deviation 4 / sqrt(n).
     */
    double flips = 0;
    enum { N = 4000 };
    for (uint64_t i = 0; i < N; i++) {
        uint64_t x = fn_rng(1, i, 2, 3);
        const uint64_t near[] = {fn_rng(2, i, 2, 3), fn_rng(1, i + 1, 2, 3), fn_rng(1, i, 3, 3),
                                 fn_rng(1, i, 2, 4)};
        for (size_t k = 0; k < 4; k++)
            flips += __builtin_popcountll(x ^ near[k]);
    }
    assert_true(fabs(flips / (4.0 * N) - 32) < 5 * 4 / sqrt(4.0 * N));
    assert_true(fn_rng(1, 2, 3, 4) != fn_rng(2, 1, 3, 4));
    assert_true(fn_rng(1, 2, 3, 4) != fn_rng(1, 3, 2, 4));
}

static void test_rng_ranges(void **state)
{
    (void)state;
    assert_true(fn_rng_unit(0) == 0);
    assert_true(fn_rng_unit(UINT64_MAX) < 1);
    assert_true(fn_rng_unit(UINT64_MAX) == 1 - 0x1p-53);
    assert_true(fn_rng_unit(UINT64_C(1) << 63) == 0.5);
    assert_true(fn_rng_below(UINT64_MAX, 1) == 0);
    assert_true(fn_rng_below(0, UINT64_MAX) == 0);
    assert_true(fn_rng_below(UINT64_MAX, UINT64_MAX) == UINT64_MAX - 1);
    assert_true(fn_rng_below(UINT64_C(1) << 63, 10) == 5);
#ifdef __SIZEOF_INT128__
    __extension__ typedef unsigned __int128 wide;
    for (uint64_t i = 0; i < 100000; i++) {
        uint64_t bits = fn_rng(9, i, 0, 0), n = fn_rng(9, i, 1, 0) >> fn_rng_below(bits, 64);
        assert_true(fn_rng_below(bits, n) == (uint64_t)((wide)bits * n >> 64));
    }
#endif
}

/* Every index exactly once, for every small n, sizes around powers of two, and larger ones. */
static void test_permute_is_a_bijection(void **state)
{
    (void)state;
    static const uint64_t large[] = {1023, 1024,  1025,  4095,  4096,
                                     4097, 13233, 65536, 65537, 250007};
    enum { SMALL = 300 };
    uint8_t *seen = malloc(250007);
    assert_non_null(seen);
    for (size_t k = 0; k < SMALL + sizeof large / sizeof large[0]; k++) {
        uint64_t n = k < SMALL ? k + 1 : large[k - SMALL];
        for (uint64_t pass = 0; pass < 3; pass++) {
            memset(seen, 0, n);
            for (uint64_t i = 0; i < n; i++) {
                uint64_t x = fn_rng_permute(666, pass, n, i);
                assert_true(x < n);
                assert_false(seen[x]);
                seen[x] = 1;
            }
        }
    }
    free(seen);
}

static void test_permute_of_huge_sets(void **state)
{
    (void)state;
    const uint64_t sizes[] = {UINT64_C(1) << 62, (UINT64_C(1) << 62) - 1, (UINT64_C(1) << 60) + 1,
                              UINT64_C(5000000000)};
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        uint64_t n = sizes[k], upper = 0;
        for (uint64_t i = 0; i < 2000; i++) {
            uint64_t x = fn_rng_permute(1, 0, n, i);
            assert_true(x < n);
            assert_true(fn_rng_permute(1, 0, n, n - 1 - i) < n);
            upper += x >= n / 2;
        }
        assert_true(upper > 850 && upper < 1150); /* 1000 expected, deviation 22 */
    }
}

/* Pearson's statistic of `cells` counts against equal shares, as deviations from its mean. */
static double chi_square_z(const uint32_t *counts, size_t cells, double total)
{
    double expected = total / (double)cells, sum = 0;
    for (size_t i = 0; i < cells; i++)
        sum += (counts[i] - expected) * (counts[i] - expected) / expected;
    return (sum - (double)(cells - 1)) / sqrt(2.0 * (double)(cells - 1));
}

/* Over many seeds each index comes to each position equally often, also as pairs of neighbours. */
static void test_permute_is_uniform(void **state)
{
    (void)state;
    enum { SEEDS = 20000, MOST = 37 };
    static const uint64_t sizes[] = {1, 2, 3, 5, 8, 16, 17, MOST};
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        uint64_t n = sizes[k];
        uint32_t place[MOST * MOST] = {0}, step[MOST] = {0};
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            uint64_t before = fn_rng_permute(seed, 5, n, n - 1);
            for (uint64_t i = 0; i < n; i++) {
                uint64_t x = fn_rng_permute(seed, 5, n, i);
                place[i * n + x]++;
                step[(x + n - before) % n]++;
                before = x;
            }
        }
        for (uint64_t i = 0; i < n && n > 1; i++) {
            double z = chi_square_z(place + i * n, n, SEEDS);
            if (fabs(z) > 6)
                fail_msg("n %d, position %d: indices are off by %.1f deviations", (int)n, (int)i,
                         z);
        }
        assert_true(n == 1 || step[0] == 0); /* no index follows itself */
        if (n > 2) {
            double z = chi_square_z(step + 1, n - 1, (double)SEEDS * (double)n);
            if (fabs(z) > 8)
                fail_msg("n %d: steps are off by %.1f deviations", (int)n, z);
        }
    }
}

static void test_permute_passes_differ(void **state)
{
    (void)state;
    enum { N = 10000 };
    int same_pass = 0, same_seed = 0, fixed = 0;
    for (uint64_t i = 0; i < N; i++) {
        uint64_t x = fn_rng_permute(1, 1, N, i);
        same_pass += x == fn_rng_permute(1, 2, N, i);
        same_seed += x == fn_rng_permute(2, 1, N, i);
        fixed += x == i;
    }
    /* Each is Poisson with mean 1. */
    assert_true(same_pass < 9 && same_seed < 9 && fixed < 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rng_is_pinned),
        cmocka_unit_test(test_rng_words_matter),
        cmocka_unit_test(test_rng_ranges),
        cmocka_unit_test(test_permute_is_a_bijection),
        cmocka_unit_test(test_permute_of_huge_sets),
        cmocka_unit_test(test_permute_is_uniform),
        cmocka_unit_test(test_permute_passes_differ),
    };
    return cmocka_run_group_tests_name("rng", tests, NULL, NULL);
}
