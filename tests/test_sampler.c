/* SPDX-License-Identifier: MIT */
/* Orders of examples: every index once a pass, no trace of the store's order, positions by address.
 */
#include "train/sampler.h"

#include <math.h>

#include "base/rng.h"
#include "tests/test.h"

static struct fn_examples make(size_t count)
{
    struct fn_examples e = {calloc(count, sizeof *e.ids), calloc(count, sizeof *e.labels), count};
    for (size_t i = 0; i < count; i++) {
        e.ids[i] = 1000 + 3 * i;
        e.labels[i] = (int32_t)(i / 7);
    }
    return e;
}

static void release(struct fn_examples *e)
{
    free(e->ids);
    free(e->labels);
}

static void every_index_once_a_pass(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 3, 5, 16, 17, 255, 1000};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        struct fn_examples e = make(sizes[k]);
        struct fn_sampler s = {666 + k, &e};
        struct fn_order order = fn_sampler_order(&s);
        uint8_t *seen = calloc(e.count, 1);
        assert_true(order.total == FN_ENDLESS);
        for (uint64_t pass = 0; pass < 3; pass++) {
            memset(seen, 0, e.count);
            for (uint64_t p = 0; p < e.count; p++) {
                struct fn_example ex;
                order.at(order.context, pass * e.count + p, &ex);
                assert_true(ex.pass == pass && ex.position == p);
                size_t i = (size_t)(ex.id - 1000) / 3;
                assert_true(i < e.count && !seen[i]);
                assert_int_equal(ex.label, e.labels[i]);
                seen[i] = 1;
            }
        }
        free(seen);
        release(&e);
    }
}

/* Windows: every index once a pass, whatever the sizes; a draw asked for alone is the same. */
static void windows_cover(void **state)
{
    static const uint64_t kinds[][3] = {{1, 1, 1},   {5, 2, 3},    {16, 4, 2},     {17, 4, 2},
                                        {100, 7, 3}, {99, 256, 1}, {1000, 16, 10}, {1003, 16, 4}};
    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        struct fn_examples e = make((size_t)kinds[k][0]);
        struct fn_window_sampler s = {7 + k, &e, kinds[k][1], kinds[k][2]};
        struct fn_order order = fn_window_order(&s);
        uint64_t n = e.count, moved = 0, pass, position;
        uint8_t *seen = calloc(e.count, 1);
        for (uint64_t draw = 0; draw < 4 * n; draw++) {
            struct fn_example ex;
            order.at(order.context, draw, &ex);
            uint64_t i = (ex.id - 1000) / 3;
            assert_true(ex.pass == draw / n && ex.position == draw % n);
            assert_true(i < n && seen[i] == draw / n);
            assert_int_equal(ex.label, e.labels[i]);
            seen[i]++;
            moved += i != draw % n;
            assert_true(fn_window_index(&s, draw, &pass, &position) == i);
        }
        assert_true(n < 16 || moved > 3 * n);
        free(seen);
        release(&e);
    }
}

/* A window holds as many places of the store as it has blocks, and what is read ahead during one
 * is the whole of the next, block by block. */
static void windows_read_blocks(void **state)
{
    enum { N = 3000, BLOCK = 50, BLOCKS = 6, WINDOW = BLOCK * BLOCKS };
    struct fn_examples e = make(N);
    struct fn_window_sampler s = {3, &e, BLOCK, BLOCKS};
    struct fn_order order = fn_window_order(&s);
    (void)state;
    for (uint64_t w = 0; w < 3 * N / WINDOW; w++) {
        uint8_t used[N] = {0}, ahead[N] = {0};
        uint64_t breaks = 0, runs = 0, last = N;
        for (uint64_t i = 0; i < WINDOW; i++) {
            struct fn_example ex;
            order.at(order.context, (w + 1) * WINDOW + i, &ex);
            used[(ex.id - 1000) / 3] = 1;
            uint64_t id = order.later(order.context, w * WINDOW + i);
            uint64_t at = (id - 1000) / 3;
            breaks += at != (last + 1) % N;
            ahead[last = at] = 1;
        }
        for (size_t i = 0; i < N; i++)
            runs += used[i] && !used[(i + 1) % N];
        assert_memory_equal(used, ahead, N);
        assert_in_range(breaks, 1, BLOCKS);
        assert_in_range(runs, 1, BLOCKS);
    }
    release(&e);
}

static void sorted_by_id(void **state)
{
    uint64_t ids[] = {9, 3, 7, 1};
    int32_t labels[] = {0, 1, 2, 3};
    struct fn_examples sorted, e = {ids, labels, 4};
    (void)state;
    assert_ok(fn_examples_by_id(&sorted, &e));
    assert_memory_equal(sorted.ids, ((uint64_t[]){1, 3, 7, 9}), sizeof ids);
    assert_memory_equal(sorted.labels, ((int32_t[]){3, 1, 2, 0}), sizeof labels);
    fn_examples_free(&sorted);
    assert_null(sorted.ids);
}

/* Passes and seeds give different orders; a draw asked again gives the same. */
static void passes_differ(void **state)
{
    (void)state;
    uint64_t pass, position, same = 0, seeds = 0;
    enum { N = 1000 };
    for (uint64_t p = 0; p < N; p++) {
        uint64_t a = fn_sampler_index(1, N, p, &pass, &position);
        same += a == fn_sampler_index(1, N, N + p, &pass, &position);
        seeds += a == fn_sampler_index(2, N, p, &pass, &position);
        assert_true(a == fn_sampler_index(1, N, p, &pass, &position));
    }
    assert_true(same < 12 && seeds < 12); /* 1 is expected */
}

/* On a store sorted by class, a batch's classes look drawn at random: chi-square over 40 bins of
 * the index for every tenth of a pass, and over the distance of neighbours. */
static void chi_square(void **state)
{
    (void)state;
    enum { N = 40000, BINS = 40, TENTH = N / 10 };
    double worst = 0;
    for (uint64_t seed = 1; seed <= 5; seed++)
        for (int tenth = 0; tenth < 10; tenth++) {
            double bins[BINS] = {0}, steps[BINS] = {0}, a = 0, b = 0;
            uint64_t pass, position, last = 0;
            for (uint64_t p = 0; p < TENTH; p++) {
                uint64_t draw = (uint64_t)tenth * TENTH + p;
                uint64_t i = fn_sampler_index(seed, N, draw, &pass, &position);
                bins[i * BINS / N]++;
                steps[(i + N - last) % N * BINS / N]++;
                last = i;
            }
            for (int k = 0; k < BINS; k++) {
                double want = (double)TENTH / BINS;
                a += (bins[k] - want) * (bins[k] - want) / want;
                b += (steps[k] - want) * (steps[k] - want) / want;
            }
            worst = fmax(worst, fmax(a, b));
        }
    /* 39 degrees of freedom: 1e-6 of values are above 89; 100 were drawn. */
    printf("worst chi-square of 100: %.1f (39 degrees of freedom)\n", worst);
    assert_true(worst < 89);
}

static void stand_ins(void **state)
{
    (void)state;
    struct fn_examples e = make(100);
    struct fn_sampler s = {5, &e};
    struct fn_order order = fn_sampler_order(&s);
    struct fn_example ex, in, again;
    size_t different = 0;
    for (uint64_t draw = 0; draw < 300; draw++) {
        order.at(order.context, draw, &ex);
        for (uint64_t attempt = 1; attempt < 4; attempt++) {
            order.stand_in(order.context, draw, attempt, &in);
            order.stand_in(order.context, draw, attempt, &again);
            assert_true(in.id == again.id);
            assert_true(in.pass == ex.pass && in.position == ex.position);
            assert_int_equal(in.label, e.labels[(in.id - 1000) / 3]);
            different += in.id != ex.id;
        }
    }
    assert_true(different > 850);
    release(&e);
}

static void lists(void **state)
{
    (void)state;
    struct fn_examples e = make(10);
    struct fn_list l = {1, 42, &e};
    struct fn_order order = fn_list_order(&l);
    struct fn_example ex;
    assert_true(order.total == 10);
    for (uint64_t i = 0; i < 10; i++) {
        order.at(order.context, i, &ex);
        assert_true(ex.id == e.ids[i] && ex.label == e.labels[i] && ex.pass == 42 &&
                    ex.position == i);
    }
    free(e.labels);
    e.labels = NULL;
    order.at(order.context, 9, &ex);
    assert_int_equal(ex.label, 0);
    order.stand_in(order.context, 9, 1, &ex);
    assert_true(ex.position == 9 && ex.id >= 1000);
    release(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_index_once_a_pass),
        cmocka_unit_test(windows_cover),
        cmocka_unit_test(windows_read_blocks),
        cmocka_unit_test(sorted_by_id),
        cmocka_unit_test(passes_differ),
        cmocka_unit_test(chi_square),
        cmocka_unit_test(stand_ins),
        cmocka_unit_test(lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
