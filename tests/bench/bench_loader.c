/* SPDX-License-Identifier: MIT */
/* The loader against libjpeg(-turbo) alone, on the same bytes in the same order, taking turns.
 *
 *     bench_loader [STORE [SECONDS [ROUNDS]]]   default: 2,000 drawn pictures of 182 px; 0.5 s, 15
 *
 * Batches of 90 random 160 px crops, flipped, u8, consumed by a thread that only releases them. The
 * ceiling is a plain loop over JPEG bytes at hand that calls libjpeg itself: whole pictures, its
 * defaults, always into the same memory; no store, no checksum, no crop. Both with 1 and 2 threads.
 * Printed are the medians over the rounds of images a second, of microseconds of processor time an
 * image (user + system: others on the machine change it little), and of each round's ratios. */
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/time.h>

#include <jpeglib.h>

#include "base/file.h"
#include "base/log.h"
#define FN_SOURCE_DIR "." /* for tests/test.h; its data are not used here */
#include "tests/make_store.h"
#include "train/loader.h"

enum { BATCH = 90, SIZE = 160, SLOTS = FN_LOADER_SLOTS, DRAWN = 2000, ROUNDS_MAX = 1000 };
enum { THREADS_MAX = 2, DRAWS = 8192 };

static void check(int rc)
{
    if (rc == FN_OK)
        return;
    fprintf(stderr, "bench_loader: %s\n", fn_err_text(rc));
    exit(1);
}

/* Seconds of wall clock, and of processor time of all threads together. */
struct clocks {
    double wall, cpu;
};

static double seconds_of(struct timeval t)
{
    return (double)t.tv_sec + 1e-6 * (double)t.tv_usec;
}

static struct clocks now(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (struct clocks){fn_now(), seconds_of(r.ru_utime) + seconds_of(r.ru_stime)};
}

struct rates {
    double rate, us; /* images a second; microseconds of processor time an image */
};

static struct rates rates_of(double images, struct clocks from)
{
    struct clocks to = now();
    return (struct rates){images / (to.wall - from.wall), 1e6 * (to.cpu - from.cpu) / images};
}

/* ---- libjpeg alone ---- */
struct raw {
    const struct fn_record *rec; /* [DRAWS] */
    uint64_t first, step;
    double seconds;
    uint64_t done;
};

static void decode(struct jpeg_decompress_struct *in, const struct fn_record *rec, uint8_t *rgb)
{
    jpeg_mem_src(in, rec->payload, (unsigned long)rec->payload_bytes);
    jpeg_read_header(in, TRUE);
    in->out_color_space = JCS_RGB;
    jpeg_start_decompress(in);
    while (in->output_scanline < in->output_height) {
        JSAMPROW rows[4];
        for (JDIMENSION i = 0; i < 4; i++)
            rows[i] = rgb + (size_t)(in->output_scanline + i) * in->output_width * 3;
        jpeg_read_scanlines(in, rows, 4);
    }
    jpeg_finish_decompress(in);
}

static void *decode_loop(void *argument)
{
    struct raw *r = argument;
    struct jpeg_error_mgr errors; /* its way with an error is to end the program: fine here */
    struct jpeg_decompress_struct in = {.err = jpeg_std_error(&errors)};
    size_t most = 0;
    jpeg_create_decompress(&in);
    for (uint64_t i = 0; i < DRAWS; i++) {
        size_t bytes = (size_t)(r->rec[i].w) * (size_t)(r->rec[i].h + 4) * 3;
        most = bytes > most ? bytes : most;
    }
    uint8_t *rgb = malloc(most);
    double end = fn_now() + r->seconds;
    for (r->done = 0; fn_now() < end; r->done++)
        decode(&in, &r->rec[(r->first + r->done * r->step) % DRAWS], rgb);
    jpeg_destroy_decompress(&in);
    free(rgb);
    return NULL;
}

static struct rates decoder(const struct fn_record *rec, uint64_t threads, double seconds)
{
    struct raw raw[THREADS_MAX];
    pthread_t thread[THREADS_MAX];
    double images = 0;
    struct clocks from = now();
    for (uint64_t i = 0; i < threads; i++) {
        raw[i] = (struct raw){rec, i, threads, seconds, 0};
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
static struct rates loader(struct fn_loader *l, const struct fn_order *order, double seconds)
{
    struct fn_loader_job job = {.order = *order, .augment = {SIZE, 1, 1, 0, 1}};
    struct fn_batch b;
    check(fn_loader_start(l, &job));
    for (int i = 0; i < SLOTS; i++) { /* a full ring is no part of the rate */
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
    fn_loader_stop(l);
    return r;
}

/* ---- in turns ---- */
static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, by_size);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static void compare(struct fn_loader *l, const struct fn_order *order, const struct fn_record *rec,
                    int threads, double seconds, int rounds)
{
    static double rate[2][ROUNDS_MAX], us[2][ROUNDS_MAX], by_clock[ROUNDS_MAX], by_cpu[ROUNDS_MAX];
    static const char *const name[2] = {"libjpeg alone", "the loader"};
    for (int i = 0; i < rounds; i++) {
        struct rates raw = decoder(rec, (uint64_t)threads, seconds);
        struct rates ours = loader(l, order, seconds);
        rate[0][i] = raw.rate;
        rate[1][i] = ours.rate;
        us[0][i] = raw.us;
        us[1][i] = ours.us;
        by_clock[i] = ours.rate / raw.rate;
        by_cpu[i] = raw.us / ours.us;
    }
    printf("%d thread%s\n", threads, threads > 1 ? "s" : "");
    for (int k = 0; k < 2; k++)
        printf("  %-13s %7.0f images/s %8.2f us of processor time an image\n", name[k],
               median(rate[k], rounds), median(us[k], rounds));
    printf("  ratio         %7.3f          %8.3f\n", median(by_clock, rounds),
           median(by_cpu, rounds));
}

static void measure(struct fn_store *store, double seconds, int rounds)
{
    struct fn_source *source;
    struct fn_reader *reader;
    struct fn_loader *l;
    struct fn_loader_slot slot[SLOTS];
    uint64_t records = fn_store_get_info(store)->records;
    struct fn_examples examples = {calloc(records, sizeof(uint64_t)), NULL, records};
    struct fn_sampler sampler = {1, &examples};
    struct fn_order order = fn_sampler_order(&sampler);
    struct fn_record *rec = calloc(DRAWS, sizeof *rec);
    for (uint64_t i = 0; i < records; i++)
        examples.ids[i] = i;
    check(fn_source_store(&source, store));
    check(fn_reader_open(&reader, store));
    for (uint64_t i = 0; i < DRAWS; i++) {
        struct fn_example ex;
        order.at(order.context, i, &ex);
        check(fn_reader_get(reader, ex.id, &rec[i]));
        if (rec[i].codec != FN_CODEC_JPEG)
            check(fn_fail(FN_EFORMAT, "record %llu is not a JPEG", (unsigned long long)ex.id));
    }
    printf("%d-pixel crops of %llu pictures, %.1f kB each\n", SIZE, (unsigned long long)records,
           (double)fn_store_get_info(store)->payload_bytes / (double)records / 1000);
    for (int i = 0; i < SLOTS; i++) {
        slot[i].images = malloc((size_t)BATCH * SIZE * SIZE * 3);
        slot[i].labels = malloc(BATCH * sizeof(int32_t));
    }
    for (int threads = 1; threads <= THREADS_MAX; threads++) {
        struct fn_loader_config c = {source, threads, BATCH, SIZE, SLOTS, slot};
        check(fn_loader_open(&l, &c));
        compare(l, &order, rec, threads, seconds, rounds);
        fn_loader_close(&l);
    }
    for (int i = 0; i < SLOTS; i++) {
        free(slot[i].images);
        free(slot[i].labels);
    }
    fn_reader_close(&reader);
    fn_source_close(&source);
    free(rec);
    free(examples.ids);
}

int main(int argc, char **argv)
{
    struct fn_store *store;
    double seconds = argc > 2 ? atof(argv[2]) : 0.5;
    int rounds = argc > 3 ? atoi(argv[3]) : 15;
    rounds = rounds < 1 ? 1 : rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds;
    if (argc > 1) {
        check(fn_store_open(&store, argv[1]));
        measure(store, seconds, rounds);
        fn_store_close(&store);
        return 0;
    }
    static const int images[] = {DRAWN};
    char *dir = test_folder(), *path = fn_path_join(dir, "db");
    make_store(&(struct make_store){path, images, 1, 182, 182, FN_CODEC_JPEG, 0});
    check(fn_store_open(&store, path));
    measure(store, seconds, rounds);
    fn_store_close(&store);
    check(fn_remove_tree(dir));
    free(path);
    free(dir);
    return 0;
}
