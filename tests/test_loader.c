/* SPDX-License-Identifier: MIT */
/* ctest labels: threads
 * The loader: any number of workers, any first batch, any slots give the same bytes; bad records,
 * stops and failures; picture files as a source. */
#include "train/loader.h"

#include <fcntl.h>
#include <pthread.h>

#include "base/file.h"
#include "base/log.h"
#include "base/rng.h"
#include "tests/make_store.h"

enum { SIZE = 20, BATCH = 7, RECORDS = 66 };
static const int images[] = {5, 20, 1, 30, 10};

struct place {
    char *dir, *path, *bad_path;
    struct fn_store *store, *bad; /* of `bad` every eleventh record is damaged */
};

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    p->dir = test_folder();
    p->path = fn_path_join(p->dir, "db");
    p->bad_path = fn_path_join(p->dir, "bad");
    make_store(&(struct make_store){p->path, images, 5, 26, 24, FN_CODEC_JPEG, 0});
    make_store(&(struct make_store){p->bad_path, images, 5, 26, 24, FN_CODEC_PNG, 11});
    assert_ok(fn_store_open(&p->store, p->path));
    assert_ok(fn_store_open(&p->bad, p->bad_path));
    fn_log_setup("test_loader", FN_LOG_QUIET);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    fn_store_close(&p->store);
    fn_store_close(&p->bad);
    assert_ok(fn_remove_tree(p->dir));
    free(p->path);
    free(p->bad_path);
    free(p->dir);
    free(p);
    return 0;
}

/* A loader with memory of its own, poisoned. */
struct rig {
    struct fn_loader_slot slot[8];
    struct fn_source *source;
    struct fn_loader *loader;
    int n;
};

static void rig_open(struct rig *r, struct fn_source *source, int workers, int slots, int n)
{
    *r = (struct rig){.source = source, .n = n};
    for (int i = 0; i < slots; i++) {
        size_t bytes = (size_t)n * SIZE * SIZE * 3;
        r->slot[i].images = malloc(bytes);
        r->slot[i].labels = malloc((size_t)n * sizeof(int32_t));
        memset(r->slot[i].images, 0xee, bytes);
        memset(r->slot[i].labels, 0xee, (size_t)n * sizeof(int32_t));
    }
    struct fn_loader_config c = {source, workers, n, SIZE, slots, r->slot};
    assert_ok(fn_loader_open(&r->loader, &c));
}

static void rig_close(struct rig *r)
{
    fn_loader_close(&r->loader);
    fn_loader_close(&r->loader);
    for (int i = 0; i < 8; i++) {
        free(r->slot[i].images);
        free(r->slot[i].labels);
    }
    fn_source_close(&r->source);
}

static struct fn_source *store_source(struct fn_store *store)
{
    struct fn_source *s;
    assert_ok(fn_source_store(&s, store));
    return s;
}

static struct fn_examples all_of(struct fn_store *store)
{
    struct fn_examples e = {calloc(RECORDS, sizeof *e.ids), calloc(RECORDS, sizeof *e.labels),
                            RECORDS};
    for (uint64_t i = 0; i < RECORDS; i++) {
        uint32_t label;
        assert_ok(fn_store_label(store, i, &label));
        e.ids[i] = i;
        e.labels[i] = (int32_t)label;
    }
    return e;
}

static void free_examples(struct fn_examples *e)
{
    free(e->ids);
    free(e->labels);
}

static struct fn_loader_job job(struct fn_order order, int random, uint64_t first)
{
    return (struct fn_loader_job){
        .order = order, .augment = {SIZE, random, random, random, 17}, .first_batch = first};
}

static uint64_t mix(uint64_t h, const void *data, size_t bytes)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < bytes; i++)
        h = (h ^ p[i]) * 0x100000001b3u;
    return h;
}

/* Fingerprint of all that a batch says. */
static uint64_t hash_batch(const struct fn_batch *b, int n)
{
    uint64_t h = mix(0xcbf29ce484222325u, &b->number, sizeof b->number);
    h = mix(h, &b->count, sizeof b->count);
    h = mix(h, b->images, (size_t)n * SIZE * SIZE * 3);
    h = mix(h, b->labels, (size_t)n * sizeof *b->labels);
    return mix(h, b->ids, (size_t)n * sizeof *b->ids);
}

static uint64_t next_hash(struct rig *r, uint64_t number)
{
    struct fn_batch b;
    assert_ok(fn_loader_next(r->loader, &b));
    assert_true(b.number == number);
    uint64_t h = hash_batch(&b, r->n);
    fn_loader_release(r->loader, b.slot);
    return h;
}

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

/* A crop that decodes only the rows it needs is the crop of the whole picture. */
static void only_rows(void **state)
{
    struct place *p = *state;
    static const struct fn_augment kinds[] = {
        {20, 1, 1, 0, 3}, {20, 0, 1, 0, 3}, {24, 1, 0, 0, 3}, {25, 0, 1, 0, 3}, {41, 0, 1, 0, 3}};
    struct fn_source *source = store_source(p->store);
    struct fn_fetch *fetch;
    struct fn_reader *reader;
    struct fn_codec *codec;
    struct fn_image whole = {0}, rotated = {0};
    uint8_t *want = malloc(41 * 41 * 3), *got = malloc(41 * 41 * 3);
    assert_ok(fn_fetch_open(&fetch, source));
    assert_ok(fn_reader_open(&reader, p->store));
    assert_ok(fn_codec_open(&codec));
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (uint64_t id = 0; id < RECORDS; id++) {
            const struct fn_augment *a = &kinds[k];
            struct fn_record rec;
            struct fn_augment_plan plan;
            assert_ok(fn_reader_get(reader, id, &rec));
            assert_ok(fn_augment_plan(a, k, id, rec.w, rec.h, &plan));
            assert_ok(fn_record_decode(codec, &rec, &whole));
            assert_ok(fn_augment_apply(&plan, a->size, &whole, &rotated, want));
            memset(got, 0xee, 41 * 41 * 3);
            assert_ok(fn_fetch_example(fetch, id, a, k, id, got));
            assert_memory_equal(got, want, (size_t)a->size * (size_t)a->size * 3);
        }
    fn_image_free(&whole);
    fn_codec_close(&codec);
    fn_reader_close(&reader);
    fn_fetch_close(&fetch);
    fn_source_close(&source);
    free(want);
    free(got);
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

/* ---- bad records ---- */

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

/* ---- stopping ---- */

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

/* ---- picture files ---- */

static void files(void **state)
{
    struct place *p = *state;
    static const char *const paths[] = {"A/A_0001.jpg", "A/A_0002.png", "B/B_0001.jpg",
                                        "B/B_0009.jpg", "B/text.jpg"};
    char *root = fn_path_join(p->dir, "tree"), path[4096];
    struct fn_codec *codec;
    struct fn_image im = {0}, whole = {0};
    struct fn_bytes bytes = {0};
    assert_ok(fn_codec_open(&codec));
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%c", root, paths[i][0]);
        assert_ok(fn_mkdir_p(path));
        make_picture(&im, (uint64_t)i, 30 + i, 24);
        assert_ok(i == 1 ? fn_png_encode(codec, &im, 1, &bytes)
                         : fn_jpeg_encode(codec, &im, 95, 1, &bytes));
        snprintf(path, sizeof path, "%s/%s", root, paths[i]);
        assert_ok(fn_file_write(path, bytes.data, bytes.bytes));
    }
    snprintf(path, sizeof path, "%s/B/text.jpg", root);
    assert_ok(fn_file_write(path, "not a picture", 13));
    struct fn_source *source;
    struct rig r;
    struct fn_batch b;
    uint64_t ids[] = {0, 1, 2, 3, 4};
    struct fn_examples e = {ids, NULL, 5};
    struct fn_list l = {1, 0, &e};
    struct fn_loader_job j = job(fn_list_order(&l), 0, 0);
    j.on_bad = FN_BAD_MARK;
    assert_ok(fn_source_files(&source, root, paths, 5, NULL, 0));
    rig_open(&r, source, 2, 2, BATCH);
    assert_ok(fn_loader_start(r.loader, &j));
    assert_ok(fn_loader_next(r.loader, &b));
    assert_int_equal(b.count, 5);
    assert_true(b.ids[0] == 0 && b.ids[1] == 1 && b.ids[2] == 2);
    assert_true(b.ids[3] == FN_NO_ID && b.ids[4] == FN_NO_ID);
    /* The centre of what the decoder gives. */
    make_picture(&im, 1, 31, 24);
    for (size_t y = 0; y < SIZE; y++)
        assert_memory_equal(b.images + ((SIZE + y) * SIZE) * 3, im.rgb + ((y + 2) * 31 + 5) * 3,
                            SIZE * 3);
    rig_close(&r);
    /* Boxes: cropped, resized straight to the size. */
    struct fn_boxes *boxes;
    char *list = fn_path_join(p->dir, "boxes.txt");
    const char *text = "A/A_0001.png 1 2 30 24\nA/A_0002.png 3 4 28 20\nB/B_0001.png\n";
    assert_ok(fn_file_write(list, text, strlen(text)));
    assert_ok(fn_boxes_open(&boxes, list));
    assert_ok(fn_source_files(&source, root, paths, 5, boxes, SIZE));
    rig_open(&r, source, 2, 2, BATCH);
    assert_ok(fn_loader_start(r.loader, &j));
    assert_ok(fn_loader_next(r.loader, &b));
    assert_true(b.ids[0] == 0 && b.ids[1] == 1 && b.ids[2] == FN_NO_ID);
    assert_ok(fn_image_crop(&im, 3, 4, 28, 20, &whole));
    assert_ok(fn_image_resize(codec, &whole, SIZE, SIZE, &im));
    assert_memory_equal(b.images + SIZE * SIZE * 3, im.rgb, SIZE * SIZE * 3);
    rig_close(&r);
    fn_boxes_close(&boxes);
    free(list);
    free(root);
    fn_bytes_free(&bytes);
    fn_image_free(&im);
    fn_image_free(&whole);
    fn_codec_close(&codec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_parts), cmocka_unit_test(only_rows),
        cmocka_unit_test(any_workers),   cmocka_unit_test(any_first_batch),
        cmocka_unit_test(shared_batch),  cmocka_unit_test(lists),
        cmocka_unit_test(held_slots),    cmocka_unit_test(too_small),
        cmocka_unit_test(replaced),      cmocka_unit_test(too_many_bad),
        cmocka_unit_test(mark_and_stop), cmocka_unit_test(named_once),
        cmocka_unit_test(stops),         cmocka_unit_test(files),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
