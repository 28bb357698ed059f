/* SPDX-License-Identifier: MIT */
/* ctest labels: threads
 * The loader where pictures are bad: replaced, marked, the end; too many; named once. */
#include <fcntl.h>

#include "tests/loader_rig.h"

/* An order whose few bad ones stay under 1 %: index 0 is the damaged record 0 once in 400 draws. */
static void rare_at(const void *context, uint64_t draw, struct fn_example *out)
{
    (void)context;
    uint64_t id = draw % 400 == 3 ? 11 * (draw / 400 % 3) : 1 + draw % 10;
    *out = (struct fn_example){id, (int32_t)id, 0, draw};
}

static void rare_stand_in(const void *context, uint64_t draw, uint64_t attempt,
                          struct fn_example *out)
{
    rare_at(context, draw, out);
    out->id = attempt == 1 ? 22 : 4; /* the first stand-in is damaged too */
    out->label = (int32_t)out->id;
}

static void replaced(void **state)
{
    struct place *p = *state;
    struct fn_order order = {FN_ENDLESS, rare_at, rare_stand_in, NULL, NULL};
    enum { MANY = 800 };
    uint64_t hash[MANY];
    for (int workers = 1; workers <= 5; workers += 2) {
        struct rig r;
        struct fn_loader_stats st;
        struct fn_loader_job j = job(order, 1, 0);
        rig_open(&r, store_source(p->bad), workers, 3, BATCH);
        assert_ok(fn_loader_start(r.loader, &j));
        uint64_t seen = 0;
        for (uint64_t b = 0; b < MANY; b++) {
            struct fn_batch batch;
            int rc = fn_loader_next(r.loader, &batch);
            if (rc != FN_OK) /* two of 402 read are bad */
                fail_msg("batch %d: %s", (int)b, fn_err_text(rc));
            for (int i = 0; i < batch.count; i++) {
                uint64_t draw = b * BATCH + (uint64_t)i;
                assert_true(batch.ids[i] % 11 != 0);
                if (draw % 400 == 3) {
                    assert_true(batch.ids[i] == 4 && batch.labels[i] == 4);
                    seen++;
                }
            }
            uint64_t h = hash_batch(&batch, BATCH);
            assert_true(workers == 1 || h == hash[b]);
            hash[b] = h;
            fn_loader_release(r.loader, batch.slot);
        }
        fn_loader_get_stats(r.loader, &st);
        assert_true(seen == MANY * BATCH / 400 && st.bad >= 2 * seen && st.bad <= 2 * seen + 2);
        rig_close(&r);
    }
}

static void too_many_bad(void **state)
{
    struct place *p = *state;
    struct fn_examples e = all_of(p->bad);
    struct fn_sampler s = {17, &e};
    struct fn_loader_job j = job(fn_sampler_order(&s), 1, 0);
    struct rig r;
    struct fn_batch b;
    struct fn_loader_stats st;
    int rc;
    rig_open(&r, store_source(p->bad), 3, 3, BATCH);
    assert_ok(fn_loader_start(r.loader, &j));
    uint64_t batches = 0;
    while ((rc = fn_loader_next(r.loader, &b)) == FN_OK) {
        fn_loader_release(r.loader, b.slot);
        batches++;
    }
    assert_int_equal(rc, FN_ECORRUPT);
    assert_non_null(strstr(fn_err_text(rc), "pictures read are bad, more than 1 %"));
    assert_int_equal(fn_loader_next(r.loader, &b), FN_ECORRUPT); /* ever after */
    fn_loader_get_stats(r.loader, &st);
    assert_true(st.read >= FN_BAD_MIN_READ && batches >= FN_BAD_MIN_READ / BATCH / 2);
    /* Every record bad: no need to wait for a thousand. */
    uint64_t bad_ids[] = {0, 11, 22, 33, 44, 55};
    struct fn_examples bad = {bad_ids, NULL, 6};
    struct fn_sampler only_bad = {17, &bad};
    j.order = fn_sampler_order(&only_bad);
    assert_ok(fn_loader_start(r.loader, &j));
    assert_int_equal(fn_loader_next(r.loader, &b), FN_ECORRUPT);
    assert_non_null(strstr(fn_err_text(FN_ECORRUPT), "all bad"));
    rig_close(&r);
    free_examples(&e);
}

static void mark_and_stop(void **state)
{
    struct place *p = *state;
    struct fn_examples e = all_of(p->bad);
    struct fn_list l = {1, 0, &e};
    struct fn_loader_job j = job(fn_list_order(&l), 0, 0);
    struct rig r;
    struct fn_batch b;
    uint64_t at = 0;
    int rc;
    j.on_bad = FN_BAD_MARK;
    rig_open(&r, store_source(p->bad), 3, 3, BATCH);
    assert_ok(fn_loader_start(r.loader, &j));
    while ((rc = fn_loader_next(r.loader, &b)) == FN_OK) {
        for (int i = 0; i < b.count; i++, at++) {
            assert_true(b.ids[i] == (at % 11 == 0 ? FN_NO_ID : at));
            assert_int_equal(b.labels[i], e.labels[at]);
        }
        fn_loader_release(r.loader, b.slot);
    }
    assert_int_equal(rc, FN_LOADER_END);
    assert_true(at == RECORDS);
    struct fn_loader_stats st;
    fn_loader_get_stats(r.loader, &st);
    assert_true(st.read == RECORDS && st.bad == RECORDS / 11);
    j.on_bad = FN_BAD_STOP;
    assert_ok(fn_loader_start(r.loader, &j));
    while ((rc = fn_loader_next(r.loader, &b)) == FN_OK)
        fn_loader_release(r.loader, b.slot);
    assert_true(fn_fetch_bad(rc));
    assert_true(strncmp(fn_err_text(rc), "record ", 7) == 0);
    rig_close(&r);
    free_examples(&e);
}

/* Lines on stderr that say a picture cannot be used, while a list is read twice by one loader. */
static void named_once(void **state)
{
    struct place *p = *state;
    struct fn_examples e = all_of(p->bad);
    struct fn_list l = {1, 0, &e};
    struct fn_loader_job j = job(fn_list_order(&l), 0, 0);
    struct rig r;
    struct fn_batch b;
    char *path = fn_path_join(p->dir, "stderr");
    int saved = dup(2), file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    j.on_bad = FN_BAD_MARK;
    rig_open(&r, store_source(p->bad), 3, 3, BATCH);
    fflush(stderr);
    dup2(file, 2);
    for (int pass = 0; pass < 2; pass++) {
        if (fn_loader_start(r.loader, &j) != FN_OK)
            break;
        while (fn_loader_next(r.loader, &b) == FN_OK)
            fn_loader_release(r.loader, b.slot);
    }
    fflush(stderr);
    dup2(saved, 2);
    close(saved);
    close(file);
    unsigned char *text;
    size_t bytes, lines = 0;
    assert_ok(fn_file_read(path, 1 << 20, &text, &bytes));
    for (const char *at = (char *)text; (at = strstr(at, "cannot be used")); at++)
        lines++;
    assert_int_equal(lines, RECORDS / 11);
    assert_non_null(strstr((char *)text, "warning: record 33 (class person003) cannot be used: "));
    free(text);
    free(path);
    rig_close(&r);
    free_examples(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replaced),
        cmocka_unit_test(too_many_bad),
        cmocka_unit_test(mark_and_stop),
        cmocka_unit_test(named_once),
    };
    return cmocka_run_group_tests(tests, rig_set_up, rig_tear_down);
}
