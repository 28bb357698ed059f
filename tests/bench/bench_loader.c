/* SPDX-License-Identifier: MIT */
/* The loader against the JPEG decoder alone, on the same bytes, taking turns in the same run.
 *
 *     bench_loader [STORE [SECONDS]]   default: 2,000 drawn pictures of 182 px; 2 s a measurement
 *
 * Batches of 90 random 160 px crops, flipped, u8, consumed by a thread that only releases them; the
 * decoder runs in a plain loop over payloads already in memory: no store, no checksum, no crop.
 * Both with 1 and 2 threads. Printed are the best of five turns: images a second, images a second
 * of processor time (which others on the machine change little), and the loader's share of the
 * decoder's rate in both. */
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/time.h>

#include "base/file.h"
#include "base/log.h"
#define FN_SOURCE_DIR "." /* for tests/test.h; its data are not used here */
#include "tests/make_store.h"
#include "train/loader.h"

enum { BATCH = 90, SIZE = 160, SLOTS = FN_LOADER_SLOTS, DRAWN = 2000, TURNS = 5 };

static void check(int rc)
{
    if (rc == FN_OK)
        return;
    fprintf(stderr, "bench_loader: %s\n", fn_err_text(rc));
    exit(1);
}

/* Seconds of wall clock and of processor time, all threads together. */
struct clocks {
    double wall, cpu;
};

static struct clocks now(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (struct clocks){fn_now(), (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
                                         1e-6 * (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec)};
}

struct rates {
    double wall, cpu; /* images a second */
};

static struct rates rates_of(double images, struct clocks from)
{
    struct clocks to = now();
    return (struct rates){images / (to.wall - from.wall), images / (to.cpu - from.cpu)};
}

/* ---- the decoder alone ---- */
struct raw {
    struct fn_store *store;
    const struct fn_examples *examples;
    uint64_t first, step; /* draws of this thread */
    double seconds;
    uint64_t done;
};

static void *decode_loop(void *argument)
{
    struct raw *r = argument;
    struct fn_sampler s = {1, r->examples};
    struct fn_order order = fn_sampler_order(&s);
    struct fn_reader *reader;
    struct fn_codec *codec;
    struct fn_image im = {0};
    enum { MANY = 512 };
    static _Thread_local struct fn_record rec[MANY];
    check(fn_reader_open(&reader, r->store));
    check(fn_codec_open(&codec));
    for (uint64_t i = 0; i < MANY; i++) {
        struct fn_example ex;
        order.at(order.context, r->first + i * r->step, &ex);
        check(fn_reader_get(reader, ex.id, &rec[i]));
    }
    double end = fn_now() + r->seconds;
    for (r->done = 0; fn_now() < end; r->done++) {
        const struct fn_record *one = &rec[r->done % MANY];
        check(fn_image_decode(codec, one->payload, one->payload_bytes, 0, &im, NULL));
    }
    fn_image_free(&im);
    fn_codec_close(&codec);
    fn_reader_close(&reader);
    return NULL;
}

static struct rates decoder(struct fn_store *store, const struct fn_examples *examples,
                            uint64_t threads, double seconds)
{
    struct raw raw[2];
    pthread_t thread[2];
    double images = 0;
    struct clocks from = now();
    for (uint64_t i = 0; i < threads; i++) {
        raw[i] = (struct raw){store, examples, i, threads, seconds, 0};
        if (pthread_create(&thread[i], NULL, decode_loop, &raw[i]) != 0)
            abort();
    }
    for (uint64_t i = 0; i < threads; i++) {
        pthread_join(thread[i], NULL);
        images += (double)raw[i].done;
    }
    return rates_of(images, from);
}

/* ---- the loader ---- */
static struct rates loader(struct fn_source *source, const struct fn_examples *examples,
                           int threads, double seconds)
{
    struct fn_loader_slot slot[SLOTS];
    struct fn_sampler s = {1, examples};
    struct fn_loader_config c = {source, threads, BATCH, SIZE, SLOTS, slot};
    struct fn_loader_job job = {.order = fn_sampler_order(&s), .augment = {SIZE, 1, 1, 0, 1}};
    struct fn_loader *l;
    struct fn_batch b;
    for (int i = 0; i < SLOTS; i++) {
        slot[i].images = malloc((size_t)BATCH * SIZE * SIZE * 3);
        slot[i].labels = malloc(BATCH * sizeof(int32_t));
    }
    check(fn_loader_open(&l, &c));
    check(fn_loader_start(l, &job));
    for (int i = 0; i < SLOTS; i++) { /* warm */
        check(fn_loader_next(l, &b));
        fn_loader_release(l, b.slot);
    }
    double images = 0;
    struct clocks from = now();
    while (fn_now() - from.wall < seconds) {
        check(fn_loader_next(l, &b));
        fn_loader_release(l, b.slot);
        images += BATCH;
    }
    struct rates r = rates_of(images, from);
    fn_loader_close(&l);
    for (int i = 0; i < SLOTS; i++) {
        free(slot[i].images);
        free(slot[i].labels);
    }
    return r;
}

static void keep_best(struct rates *best, struct rates r)
{
    best->wall = r.wall > best->wall ? r.wall : best->wall;
    best->cpu = r.cpu > best->cpu ? r.cpu : best->cpu;
}

static void measure(struct fn_store *store, double seconds)
{
    struct fn_source *source;
    uint64_t records = fn_store_get_info(store)->records;
    struct fn_examples examples = {calloc(records, sizeof(uint64_t)), NULL, records};
    for (uint64_t i = 0; i < records; i++)
        examples.ids[i] = i;
    check(fn_source_store(&source, store));
    printf("%d-pixel crops of %llu pictures, %.1f kB each\n", SIZE, (unsigned long long)records,
           (double)fn_store_get_info(store)->payload_bytes / (double)records / 1000);
    for (int threads = 1; threads <= 2; threads++) {
        struct rates raw = {0}, ours = {0};
        for (int turn = 0; turn < TURNS; turn++) {
            keep_best(&raw, decoder(store, &examples, (uint64_t)threads, seconds));
            keep_best(&ours, loader(source, &examples, threads, seconds));
        }
        printf("%d thread%s: decoder %6.0f images/s (%6.0f a CPU second), loader %6.0f (%6.0f): "
               "%.3f (%.3f)\n",
               threads, threads > 1 ? "s" : " ", raw.wall, raw.cpu, ours.wall, ours.cpu,
               ours.wall / raw.wall, ours.cpu / raw.cpu);
    }
    fn_source_close(&source);
    free(examples.ids);
}

int main(int argc, char **argv)
{
    struct fn_store *store;
    double seconds = argc > 2 ? atof(argv[2]) : 2;
    if (argc > 1) {
        check(fn_store_open(&store, argv[1]));
        measure(store, seconds);
        fn_store_close(&store);
        return 0;
    }
    static const int images[] = {DRAWN};
    char *dir = test_folder(), *path = fn_path_join(dir, "db");
    make_store(&(struct make_store){path, images, 1, 182, 182, FN_CODEC_JPEG, 0});
    check(fn_store_open(&store, path));
    measure(store, seconds);
    fn_store_close(&store);
    check(fn_remove_tree(dir));
    free(path);
    free(dir);
    return 0;
}
