/* SPDX-License-Identifier: MIT */
/* ctest labels: threads
 * The loader: any number of workers, any first batch, any slots give the same bytes; lists, sizes,
 * stops. */
#include "train/loader.h"

#include <pthread.h>

#include "tests/loader_rig.h"

/* Every example is what the parts give one by one. */
static void against_parts(void **state)
{
    struct place *p = *state;
    struct fn_examples e = all_of(p->store);
    struct fn_sampler s = {17, &e};
    struct fn_order order = fn_sampler_order(&s);
    struct fn_loader_job j = job(order, 1, 0);
    struct rig r;
    struct fn_fetch *fetch;
    rig_open(&r, store_source(p->store), 3, 3, BATCH);
    assert_ok(fn_loader_start(r.loader, &j));
    assert_ok(fn_fetch_open(&fetch, r.source));
    for (uint64_t b = 0; b < 25; b++) {
        struct fn_batch batch;
        assert_ok(fn_loader_next(r.loader, &batch));
        assert_true(batch.number == b && batch.count == BATCH);
        for (uint64_t i = 0; i < BATCH; i++) {
            uint8_t want[SIZE * SIZE * 3];
            struct fn_example ex;
            order.at(order.context, b * BATCH + i, &ex);
            assert_ok(fn_fetch_example(fetch, ex.id, &j.augment, ex.pass, ex.position, want));
            assert_memory_equal(batch.images + i * sizeof want, want, sizeof want);
            assert_int_equal(batch.labels[i], ex.label);
            assert_true(batch.ids[i] == ex.id);
        }
        fn_loader_release(r.loader, batch.slot);
    }
    struct fn_loader_stats st;
    fn_loader_get_stats(r.loader, &st);
    assert_true(st.batches == 25 && st.bad == 0 && st.read >= 25 * BATCH && st.busy_s > 0);
    fn_fetch_close(&fetch);
    rig_close(&r);
    free_examples(&e);
}

enum { BATCHES = 40 };

static void reference(struct place *p, struct fn_store *store, struct fn_order order,
                      uint64_t *hash)
{
    struct rig r;
    struct fn_loader_job j = job(order, 1, 0);
    (void)p;
    rig_open(&r, store_source(store), 1, 1, BATCH);
    assert_ok(fn_loader_start(r.loader, &j));
    for (uint64_t b = 0; b < BATCHES; b++)
        hash[b] = next_hash(&r, b);
    rig_close(&r);
}

static void any_workers(void **state)
{
    struct place *p = *state;
    struct fn_examples e = all_of(p->store);
    struct fn_sampler s = {17, &e};
    struct fn_order order = fn_sampler_order(&s);
    uint64_t hash[BATCHES];
    reference(p, p->store, order, hash);
    for (int workers = 1; workers <= 16; workers++) {
        struct rig r;
        struct fn_loader_job j = job(order, 1, 0);
        rig_open(&r, store_source(p->store), workers, 1 + workers % 5, BATCH);
        assert_ok(fn_loader_start(r.loader, &j));
        for (uint64_t b = 0; b < BATCHES; b++)
            assert_true(next_hash(&r, b) == hash[b]);
        rig_close(&r);
    }
    free_examples(&e);
}

/* Resumed at every batch, in the same loader and in a fresh one. */
static void any_first_batch(void **state)
{
    struct place *p = *state;
    struct fn_examples e = all_of(p->store);
    struct fn_sampler s = {17, &e};
    struct fn_order order = fn_sampler_order(&s);
    uint64_t hash[BATCHES];
    struct rig same;
    reference(p, p->store, order, hash);
    rig_open(&same, store_source(p->store), 2, 4, BATCH);
    for (uint64_t first = 0; first < BATCHES; first++) {
        struct rig fresh;
        struct fn_loader_job j = job(order, 1, first);
        rig_open(&fresh, store_source(p->store), 3, 2, BATCH);
        assert_ok(fn_loader_start(fresh.loader, &j));
        assert_ok(fn_loader_start(same.loader, &j));
        for (uint64_t b = first; b < first + 3 && b < BATCHES; b++) {
            assert_true(next_hash(&fresh, b) == hash[b]);
            assert_true(next_hash(&same, b) == hash[b]);
        }
        rig_close(&fresh);
    }
    rig_close(&same);
    free_examples(&e);
}

/* Two processes of a global batch of 14 see what one process with batch 14 sees. */
static void shared_batch(void **state)
{
    struct place *p = *state;
    struct fn_examples e = all_of(p->store);
    struct fn_sampler s = {17, &e};
    struct fn_loader_job j = job(fn_sampler_order(&s), 1, 3);
    struct rig whole, half;
    struct fn_batch a, b;
    size_t bytes = (size_t)BATCH * SIZE * SIZE * 3;
    rig_open(&whole, store_source(p->store), 2, 2, 2 * BATCH);
    rig_open(&half, store_source(p->store), 2, 2, BATCH);
    assert_ok(fn_loader_start(whole.loader, &j));
    assert_ok(fn_loader_next(whole.loader, &a));
    for (uint64_t rank = 0; rank < 2; rank++) {
        j.stride = 2 * BATCH;
        j.offset = rank * BATCH;
        assert_ok(fn_loader_start(half.loader, &j));
        assert_ok(fn_loader_next(half.loader, &b));
        assert_memory_equal(a.images + rank * bytes, b.images, bytes);
        assert_memory_equal(a.labels + rank * BATCH, b.labels, BATCH * sizeof *b.labels);
    }
    rig_close(&whole);
    rig_close(&half);
    free_examples(&e);
}

/* Evaluation: each once, in order, the rest of the last batch black. */
static void lists(void **state)
{
    struct place *p = *state;
    struct fn_examples e = all_of(p->store);
    struct rig r;
    rig_open(&r, store_source(p->store), 4, 3, BATCH);
    for (size_t count = 1; count <= 2 * BATCH + 1; count++) {
        struct fn_list l = {1, 0, &e};
        struct fn_loader_job j;
        struct fn_batch b;
        size_t seen = 0;
        e.count = count;
        j = job(fn_list_order(&l), 0, 0);
        assert_ok(fn_loader_start(r.loader, &j));
        while (seen < count) {
            assert_ok(fn_loader_next(r.loader, &b));
            assert_int_equal(b.count, count - seen < BATCH ? count - seen : BATCH);
            for (int i = 0; i < BATCH; i++) {
                const uint8_t *im = b.images + (size_t)i * SIZE * SIZE * 3;
                int black = 1;
                for (int k = 0; k < SIZE * SIZE * 3; k++)
                    black &= im[k] == 0;
                assert_int_equal(black, i >= b.count);
                assert_true(b.ids[i] == (i < b.count ? seen + (size_t)i : FN_NO_ID));
                assert_int_equal(b.labels[i], i < b.count ? e.labels[seen + (size_t)i] : 0);
            }
            seen += (size_t)b.count;
            fn_loader_release(r.loader, b.slot);
        }
        assert_int_equal(fn_loader_next(r.loader, &b), FN_LOADER_END);
        assert_int_equal(fn_loader_next(r.loader, &b), FN_LOADER_END);
    }
    rig_close(&r);
    free_examples(&e);
}

/* Released in any order, held while others are filled. */
static void held_slots(void **state)
{
    struct place *p = *state;
    struct fn_examples e = all_of(p->store);
    struct fn_sampler s = {17, &e};
    struct fn_loader_job j = job(fn_sampler_order(&s), 1, 0);
    uint64_t hash[BATCHES];
    struct rig r;
    struct fn_batch b[3], more;
    reference(p, p->store, j.order, hash);
    rig_open(&r, store_source(p->store), 2, 3, BATCH);
    assert_ok(fn_loader_start(r.loader, &j));
    for (uint64_t k = 0; k < 12; k += 3) {
        for (uint64_t i = 0; i < 3; i++)
            assert_ok(fn_loader_next(r.loader, &b[i]));
        assert_int_equal(fn_loader_next(r.loader, &more), FN_EINTERNAL);
        for (uint64_t i = 0; i < 3; i++) /* none of them was touched meanwhile */
            assert_true(hash_batch(&b[i], BATCH) == hash[k + i]);
        fn_loader_release(r.loader, b[1].slot);
        fn_loader_release(r.loader, b[2].slot);
        fn_loader_release(r.loader, b[0].slot);
    }
    rig_close(&r);
    free_examples(&e);
}

static void too_small(void **state)
{
    struct place *p = *state;
    struct fn_source *source = store_source(p->store);
    struct fn_loader_slot slot = {malloc(25 * 25 * 3), malloc(sizeof(int32_t))};
    struct fn_loader_config c = {source, 1, 1, 25, 1, &slot};
    struct fn_examples e = all_of(p->store);
    struct fn_sampler s = {17, &e};
    struct fn_loader_job j = {.order = fn_sampler_order(&s),
                              .augment = {.size = 25, .random_crop = 1}};
    struct fn_loader *loader;
    struct fn_batch b;
    assert_ok(fn_loader_open(&loader, &c));
    assert_int_equal(fn_loader_next(loader, &b), FN_EINTERRUPTED); /* not started */
    assert_int_equal(fn_loader_start(loader, &j), FN_EMISMATCH);   /* 26 x 24 */
    assert_non_null(strstr(fn_err_text(FN_EMISMATCH), "26 wide or 24 high"));
    j.augment.random_crop = 0;
    assert_ok(fn_loader_start(loader, &j));
    assert_ok(fn_loader_next(loader, &b));
    fn_loader_close(&loader);
    fn_source_close(&source);
    free(slot.images);
    free(slot.labels);
    free_examples(&e);
}

static void *stop_later(void *loader)
{
    usleep(20000);
    fn_loader_stop(loader);
    return NULL;
}

static void stops(void **state)
{
    struct place *p = *state;
    struct fn_examples e = all_of(p->store);
    struct fn_sampler s = {17, &e};
    struct fn_loader_job j = job(fn_sampler_order(&s), 1, 0);
    struct rig r;
    struct fn_batch b;
    int rc;
    rig_open(&r, store_source(p->store), 4, 2, BATCH);
    for (int round = 0; round < 3; round++) {
        pthread_t thread;
        assert_ok(fn_loader_start(r.loader, &j));
        assert_int_equal(pthread_create(&thread, NULL, stop_later, r.loader), 0);
        while ((rc = fn_loader_next(r.loader, &b)) == FN_OK)
            fn_loader_release(r.loader, b.slot);
        assert_int_equal(rc, FN_EINTERRUPTED);
        assert_int_equal(fn_loader_next(r.loader, &b), FN_EINTERRUPTED);
        pthread_join(thread, NULL);
    }
    /* Closing with workers busy, waiting for a slot, and never started. */
    assert_ok(fn_loader_start(r.loader, &j));
    rig_close(&r);
    rig_open(&r, store_source(p->store), 4, 2, BATCH);
    assert_ok(fn_loader_start(r.loader, &j));
    usleep(20000);
    rig_close(&r);
    rig_open(&r, store_source(p->store), 16, 1, 1);
    rig_close(&r);
    free_examples(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_parts),   cmocka_unit_test(any_workers),
        cmocka_unit_test(any_first_batch), cmocka_unit_test(shared_batch),
        cmocka_unit_test(lists),           cmocka_unit_test(held_slots),
        cmocka_unit_test(too_small),       cmocka_unit_test(stops),
    };
    return cmocka_run_group_tests(tests, rig_set_up, rig_tear_down);
}
