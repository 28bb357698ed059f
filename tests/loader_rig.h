/* SPDX-License-Identifier: MIT */
/* A store of 66 pictures, another with damage, and a loader with memory of its own. */
#ifndef FN_TESTS_LOADER_RIG_H
#define FN_TESTS_LOADER_RIG_H

#include "base/file.h"
#include "base/log.h"
#include "tests/make_store.h"
#include "train/loader.h"

enum { SIZE = 20, BATCH = 7, RECORDS = 66 };
static const int images[] = {5, 20, 1, 30, 10};

struct place {
    char *dir, *path, *bad_path;
    struct fn_store *store, *bad; /* of `bad` every eleventh record is damaged */
};

static inline int rig_set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    p->dir = test_folder();
    p->path = fn_path_join(p->dir, "db");
    p->bad_path = fn_path_join(p->dir, "bad");
    make_store(&(struct make_store){p->path, images, 5, 26, 24, FN_CODEC_JPEG, 0});
    make_store(&(struct make_store){p->bad_path, images, 5, 26, 24, FN_CODEC_PNG, 11});
    assert_ok(fn_store_open(&p->store, p->path));
    assert_ok(fn_store_open(&p->bad, p->bad_path));
    fn_log_setup("test", FN_LOG_QUIET);
    *state = p;
    return 0;
}

static inline int rig_tear_down(void **state)
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

static inline void rig_open(struct rig *r, struct fn_source *source, int workers, int slots, int n)
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

static inline void rig_close(struct rig *r)
{
    fn_loader_close(&r->loader);
    fn_loader_close(&r->loader);
    for (int i = 0; i < 8; i++) {
        free(r->slot[i].images);
        free(r->slot[i].labels);
    }
    fn_source_close(&r->source);
}

static inline struct fn_source *store_source(struct fn_store *store)
{
    struct fn_source *s;
    assert_ok(fn_source_store(&s, store));
    return s;
}

static inline struct fn_examples all_of(struct fn_store *store)
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

static inline void free_examples(struct fn_examples *e)
{
    free(e->ids);
    free(e->labels);
}

static inline struct fn_loader_job job(struct fn_order order, int random, uint64_t first)
{
    return (struct fn_loader_job){
        .order = order, .augment = {SIZE, random, random, random, 17}, .first_batch = first};
}

static inline uint64_t mix(uint64_t h, const void *data, size_t bytes)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < bytes; i++)
        h = (h ^ p[i]) * 0x100000001b3u;
    return h;
}

/* Fingerprint of all that a batch says. */
static inline uint64_t hash_batch(const struct fn_batch *b, int n)
{
    uint64_t h = mix(0xcbf29ce484222325u, &b->number, sizeof b->number);
    h = mix(h, &b->count, sizeof b->count);
    h = mix(h, b->images, (size_t)n * SIZE * SIZE * 3);
    h = mix(h, b->labels, (size_t)n * sizeof *b->labels);
    return mix(h, b->ids, (size_t)n * sizeof *b->ids);
}

static inline uint64_t next_hash(struct rig *r, uint64_t number)
{
    struct fn_batch b;
    assert_ok(fn_loader_next(r->loader, &b));
    assert_true(b.number == number);
    uint64_t h = hash_batch(&b, r->n);
    fn_loader_release(r->loader, b.slot);
    return h;
}

#endif
