/* SPDX-License-Identifier: MIT */
/* The loader beside the decoder alone, and where the difference goes. */
#include "train/bench_loader.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/log.h"
#include "train/run_parts.h"

enum {
    TURNS = 9,         /* the medians count: others work on the machine too */
    TURN_DRAWS = 2048, /* pictures a thread of the ceiling has at hand, taken again and again */
    PIECE = 64,        /* images between two looks at the clock */
    PART_IMAGES = 1000,
    USUAL_BATCH = 90 /* for --batch_size auto, which only the device can tell */
};
#define TURN_S 0.4

enum part { ORDER = 0, FIND, GET, DECODE, EXAMPLE, PARTS };

struct bench {
    struct fn_run *run; /* its data side only */
    struct fn_order order;
    struct fn_augment augment;
    int n, workers;
    double most;  /* images a turn, besides TURN_S */
    uint8_t *out; /* [n][size][size][3] */
};

struct rate {
    double wall, cpu; /* images a second, a processor second */
};

struct result {
    struct rate loader, ceiling, share; /* medians over the turns */
    double us[PARTS], batch_us;
    uint64_t memory; /* bytes, anonymous and shared */
};

static double seconds_of(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double value[TURNS])
{
    qsort(value, TURNS, sizeof *value, by_size);
    return value[TURNS / 2];
}

static struct rate median_rate(const struct rate turn[TURNS])
{
    double wall[TURNS], cpu[TURNS];
    for (int i = 0; i < TURNS; i++) {
        wall[i] = turn[i].wall;
        cpu[i] = turn[i].cpu;
    }
    return (struct rate){median(wall), median(cpu)};
}

/* Draw of a turn that the loader begins with, and the ceiling too. */
static uint64_t first_batch(uint64_t turn)
{
    return turn * 1000;
}

/* ---- the ceiling ---- */
struct decoder {
    const struct bench *b;
    uint64_t first, step; /* draws of this thread */
    double images, wall, cpu;
    int rc;
    struct fn_err_note note;
};

/* Whole pictures of payloads that are at hand, those that the loader decodes, in its order: no
 * index, no checksum, no crop. */
static int decode_some(struct decoder *d, const struct fn_record *rec, struct fn_codec *codec)
{
    struct fn_image image = {0};
    double wall = seconds_of(CLOCK_MONOTONIC), cpu = seconds_of(CLOCK_THREAD_CPUTIME_ID);
    int rc = FN_OK;
    for (size_t i = 0; !rc && d->images < d->b->most; i = (i + 1) % TURN_DRAWS) {
        if (i % PIECE == 0 && seconds_of(CLOCK_MONOTONIC) - wall >= TURN_S)
            break;
        rc = fn_record_decode(codec, &rec[i], &image);
        d->images += !rc;
        rc = fn_fetch_bad(rc) ? FN_OK : rc;
    }
    d->wall = seconds_of(CLOCK_MONOTONIC) - wall;
    d->cpu = seconds_of(CLOCK_THREAD_CPUTIME_ID) - cpu;
    fn_image_free(&image);
    return rc;
}

static void *run_decoder(void *argument)
{
    struct decoder *d = argument;
    const struct bench *b = d->b;
    struct fn_record *rec = calloc(TURN_DRAWS, sizeof *rec);
    struct fn_reader *reader = NULL;
    struct fn_codec *codec = NULL;
    int rc = rec ? FN_OK : fn_fail(FN_ENOMEM, "no memory for a measurement");
    if (!rc)
        rc = fn_codec_open(&codec);
    if (!rc)
        rc = fn_reader_open(&reader, b->run->store);
    for (uint64_t i = 0; i < TURN_DRAWS && !rc; i++) {
        struct fn_example ex;
        b->order.at(b->order.context, d->first + i * d->step, &ex);
        rc = fn_reader_get(reader, ex.id, &rec[i]);
    }
    if (!rc)
        rc = decode_some(d, rec, codec);
    if (rc)
        fn_err_note_take(&d->note, rc);
    d->rc = rc;
    fn_reader_close(&reader);
    fn_codec_close(&codec);
    free(rec);
    return NULL;
}

static int measure_ceiling(const struct bench *b, uint64_t turn, struct rate *result)
{
    struct decoder *d = calloc((size_t)b->workers, sizeof *d);
    pthread_t *thread = calloc((size_t)b->workers, sizeof *thread);
    double images = 0, cpu = 0, rate = 0;
    int started = 0, rc = d && thread ? FN_OK : fn_fail(FN_ENOMEM, "no memory for threads");
    while (!rc && started < b->workers) {
        uint64_t first = first_batch(turn) * (uint64_t)b->n + (uint64_t)started;
        d[started] = (struct decoder){.b = b, .first = first, .step = (uint64_t)b->workers};
        int error = pthread_create(&thread[started], NULL, run_decoder, &d[started]);
        if (error)
            rc = fn_fail(FN_ENOMEM, "cannot start a thread: %s", strerror(error));
        else
            started++;
    }
    for (int i = 0; i < started; i++) {
        pthread_join(thread[i], NULL);
        images += d[i].images;
        cpu += d[i].cpu;
        rate += d[i].wall > 0 ? d[i].images / d[i].wall : 0;
        if (d[i].rc && !rc)
            rc = fn_err_note_raise(&d[i].note);
    }
    *result = (struct rate){rate, cpu > 0 ? images / cpu : 0};
    free(d);
    free(thread);
    return rc;
}

/* ---- the loader ---- */
static int use_batch(struct fn_loader *loader, double *images)
{
    struct fn_batch batch;
    int rc = fn_loader_next(loader, &batch);
    if (!rc) {
        *images += batch.count;
        fn_loader_release(loader, batch.slot);
    }
    return rc;
}

static int measure_loader(const struct bench *b, struct fn_loader *loader, uint64_t turn,
                          struct rate *result)
{
    const struct fn_loader_job job = {
        .order = b->order, .augment = b->augment, .first_batch = first_batch(turn)};
    double images = 0, wall, cpu;
    int rc = fn_loader_start(loader, &job);
    for (int i = 0; i < FN_LOADER_SLOTS && !rc; i++) /* a full ring is no part of the rate */
        rc = use_batch(loader, &images);
    images = 0;
    wall = seconds_of(CLOCK_MONOTONIC);
    cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    while (!rc && seconds_of(CLOCK_MONOTONIC) - wall < TURN_S && images < b->most)
        rc = use_batch(loader, &images);
    wall = seconds_of(CLOCK_MONOTONIC) - wall;
    cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    fn_loader_stop(loader);
    *result = (struct rate){images / wall, images / cpu};
    return rc;
}

/* ---- the parts ---- */
static void put_nowhere(void *context, int y, int rows, const uint8_t *rgb)
{
    (void)context;
    (void)y;
    (void)rows;
    (void)rgb;
}

struct tools {
    struct fn_fetch *fetch;
    struct fn_reader *reader;
    struct fn_codec *codec;
    struct fn_image image;
};

/* What the crop needs of a record whose picture is at hand. */
static int decode_part(const struct bench *b, struct tools *t, const struct fn_example *ex,
                       const struct fn_record *rec)
{
    struct fn_augment_plan plan;
    int top, end, rc = fn_augment_plan(&b->augment, ex->pass, ex->position, rec->w, rec->h, &plan);
    if (rc)
        return rc;
    if (plan.degrees != 0)
        return fn_record_decode(t->codec, rec, &t->image);
    top = plan.y > 0 ? plan.y : 0;
    end = plan.y + b->augment.size < rec->h ? plan.y + b->augment.size : rec->h;
    return fn_record_decode_rows(t->codec, rec, top, end - top, put_nowhere, NULL);
}

static int do_part(const struct bench *b, struct tools *t, enum part part, uint64_t draw)
{
    struct fn_example ex;
    struct fn_record rec;
    size_t bytes = (size_t)b->augment.size * (size_t)b->augment.size * 3;
    uint8_t *out = b->out + draw % (uint64_t)b->n * bytes;
    int rc = FN_OK;
    b->order.at(b->order.context, draw, &ex);
    if (part == FIND || part == DECODE)
        rc = fn_reader_peek(t->reader, ex.id, &rec);
    if (part == GET)
        rc = fn_reader_get(t->reader, ex.id, &rec);
    if (part == DECODE && !rc)
        rc = decode_part(b, t, &ex, &rec);
    if (part == EXAMPLE)
        rc = fn_fetch_example(t->fetch, ex.id, &b->augment, ex.pass, ex.position, out);
    return fn_fetch_bad(rc) ? FN_OK : rc;
}

static int measure_parts(const struct bench *b, struct result *r)
{
    struct tools t = {0};
    double us[PARTS][TURNS];
    int rc = fn_fetch_open(&t.fetch, b->run->source);
    if (!rc)
        rc = fn_reader_open(&t.reader, b->run->store);
    if (!rc)
        rc = fn_codec_open(&t.codec);
    for (int turn = 0; turn < TURNS && !rc; turn++)
        for (int part = 0; part < PARTS && !rc; part++) {
            double from = seconds_of(CLOCK_THREAD_CPUTIME_ID);
            for (uint64_t i = 0; i < PART_IMAGES && !rc; i++)
                rc = do_part(b, &t, (enum part)part, i);
            us[part][turn] = (seconds_of(CLOCK_THREAD_CPUTIME_ID) - from) / PART_IMAGES * 1e6;
        }
    for (int part = 0; part < PARTS && !rc; part++)
        r->us[part] = median(us[part]);
    fn_image_free(&t.image);
    fn_codec_close(&t.codec);
    fn_reader_close(&t.reader);
    fn_fetch_close(&t.fetch);
    return rc;
}

/* RssAnon + RssShmem; 0: unknown. */
static uint64_t memory_used(void)
{
    FILE *file = fopen("/proc/self/status", "re");
    unsigned long long sum = 0, kb;
    char line[256];
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "RssAnon: %llu", &kb) == 1 || sscanf(line, "RssShmem: %llu", &kb) == 1)
            sum += kb;
    if (file)
        fclose(file);
    return sum * 1024;
}

/* ---- all of it ---- */
static int measure(struct bench *b, struct result *r)
{
    struct fn_loader_slot slot[FN_LOADER_SLOTS] = {{NULL, NULL}};
    const struct fn_loader_config config = {b->run->source,  b->workers,      b->n,
                                            b->augment.size, FN_LOADER_SLOTS, slot};
    size_t bytes = (size_t)b->n * (size_t)b->augment.size * (size_t)b->augment.size * 3;
    struct rate ours[TURNS], ceiling[TURNS], share[TURNS];
    struct fn_loader *loader = NULL;
    int rc = FN_OK;
    for (int i = 0; i < FN_LOADER_SLOTS; i++) {
        slot[i].images = malloc(bytes);
        slot[i].labels = malloc((size_t)b->n * sizeof *slot[i].labels);
        if (!slot[i].images || !slot[i].labels)
            rc = fn_fail(FN_ENOMEM, "no memory for batches of %d", b->n);
    }
    b->out = slot[0].images;
    if (!rc)
        rc = fn_loader_open(&loader, &config);
    for (uint64_t turn = 0; turn < TURNS && !rc && !fn_interrupted(); turn++) {
        rc = measure_loader(b, loader, turn, &ours[turn]);
        r->memory = memory_used();
        if (!rc)
            rc = measure_ceiling(b, turn, &ceiling[turn]);
        share[turn] =
            (struct rate){ours[turn].wall / ceiling[turn].wall, ours[turn].cpu / ceiling[turn].cpu};
    }
    fn_loader_close(&loader);
    if (!rc)
        rc = fn_interrupted() ? fn_fail(FN_EINTERRUPTED, "interrupted") : measure_parts(b, r);
    if (!rc) {
        r->loader = median_rate(ours);
        r->ceiling = median_rate(ceiling);
        r->share = median_rate(share);
        r->batch_us = 1e6 / r->loader.cpu - r->us[EXAMPLE];
    }
    for (int i = 0; i < FN_LOADER_SLOTS; i++) {
        free(slot[i].images);
        free(slot[i].labels);
    }
    return rc;
}

/* Microseconds an image of what is timed together with other parts. */
static void split_parts(const struct result *r, const char *name[6], double us[6])
{
    static const char *const names[] = {"order", "find", "checksum", "decode", "crop", "batch"};
    const double *t = r->us;
    const double values[] = {t[ORDER],
                             t[FIND] - t[ORDER],
                             t[GET] - t[FIND],
                             t[DECODE] - t[FIND],
                             t[EXAMPLE] - t[GET] - (t[DECODE] - t[FIND]),
                             r->batch_us};
    for (int i = 0; i < 6; i++) {
        name[i] = names[i];
        us[i] = values[i] > 0 ? values[i] : 0;
    }
}

static int print_json(const struct bench *b, const struct result *r)
{
    const char *name[6];
    double us[6];
    json_t *parts = json_object(), *o;
    int rc;
    split_parts(r, name, us);
    for (int i = 0; i < 6; i++)
        json_object_set_new(parts, name[i], json_real(us[i]));
    o = json_pack("{s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:o}", "workers", b->workers,
                  "batch_size", b->n, "images_per_second", r->loader.wall,
                  "images_per_processor_second", r->loader.cpu, "ceiling_per_second",
                  r->ceiling.wall, "ceiling_per_processor_second", r->ceiling.cpu, "share",
                  r->share.wall, "share_of_processor", r->share.cpu, "memory_bytes",
                  (json_int_t)r->memory, "microseconds", parts);
    rc = o ? fn_json_print(o) : fn_fail(FN_ENOMEM, "no memory for the summary");
    json_decref(o);
    return rc;
}

static void print_table(FILE *out, const struct bench *b, const struct result *r)
{
    const struct fn_store_info *info = fn_store_get_info(b->run->store);
    const char *name[6];
    char size[32], memory[32];
    double us[6], all = 1e6 / r->loader.cpu;
    split_parts(r, name, us);
    fn_human_bytes((double)info->payload_bytes / (double)info->records, size, sizeof size);
    fn_human_bytes((double)r->memory, memory, sizeof memory);
    fprintf(out,
            "%llu pictures of %s, batches of %d crops of %d x %d, %d thread%s, %s of memory\n\n",
            (unsigned long long)info->records, size, b->n, b->augment.size, b->augment.size,
            b->workers, b->workers == 1 ? "" : "s", memory);
    fprintf(out, "                     images/s   a processor second\n");
    fprintf(out, "  loader             %8.0f   %8.0f\n", r->loader.wall, r->loader.cpu);
    fprintf(out, "  decoding alone     %8.0f   %8.0f   whole pictures: the ceiling\n",
            r->ceiling.wall, r->ceiling.cpu);
    fprintf(out, "  share              %8.3f   %8.3f\n\n", r->share.wall, r->share.cpu);
    for (int i = 0; i < 6; i++)
        fprintf(out, "  %-16s %8.2f us an image %5.1f %%\n", name[i], us[i], 100 * us[i] / all);
    fprintf(out, "  %-16s %8.2f us an image\n", "all", all);
}

int fn_bench_loader(const struct fn_train_options *o, FILE *out)
{
    struct fn_run *run = calloc(1, sizeof *run);
    struct bench b = {.run = run,
                      .augment = {(int)o->image_size, o->random_crop, o->random_flip,
                                  o->random_rotate, (uint64_t)o->seed},
                      .n = o->batch_size ? (int)o->batch_size : USUAL_BATCH,
                      .workers = o->workers ? (int)o->workers : 1,
                      .most = o->max_steps ? (double)o->max_steps : 1e12};
    b.most *= b.n;
    struct result r = {0};
    int rc = run ? FN_OK : fn_fail(FN_ENOMEM, "no memory for a run");
    if (rc)
        return rc;
    run->o = o;
    run->loss = &fn_run_softmax;
    rc = fn_run_data_open(run);
    if (!rc) {
        b.order = fn_run_order(run);
        fn_info("Measuring, about %.0f s", 2 * TURNS * TURN_S + 2);
        rc = measure(&b, &r);
    }
    if (!rc && o->common.json)
        rc = print_json(&b, &r);
    else if (!rc)
        print_table(out, &b, &r);
    fn_run_data_close(run);
    free(run);
    return rc;
}
