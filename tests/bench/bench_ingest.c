/* SPDX-License-Identifier: MIT */
/* How near ingest comes to the machine's own ceiling: rows/s of a whole run (read, base64, decode,
 * resize, encode, store, seal) against decode + resize + encode alone of the same pictures from
 * memory, on the same number of threads, taken in turns in the same run.
 *
 *     bench_ingest FILE.tsv [THREADS [ROUNDS]]      default: all cores, 3; the store goes to
 * $TMPDIR
 *
 * Wall time says what a person waits; processor time is what others on the machine change little.
 * Of each the best round counts. And base64: GB/s of text by each implementation. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/args.h"
#include "base/cpus.h"
#include "base/file.h"
#include "base/log.h"
#include "base/pipeline.h"
#include "base/rng.h"
#include "ingest/base64.h"
#include "ingest/job.h"

#define BATCH 16

struct picture {
    uint8_t *data;
    size_t bytes;
};

struct bench {
    const char *path;
    int threads;
    struct fn_convert how;
    struct picture *pictures;
    size_t count;
    struct fn_converter **converters;
};

struct cost {
    double wall, cpu; /* seconds */
};

static void check(int rc)
{
    if (rc == FN_OK)
        return;
    fprintf(stderr, "bench_ingest: %s\n", fn_err_text(rc));
    exit(1);
}

static struct cost now(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    double cpu = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
                 1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
    return (struct cost){fn_now(), cpu};
}

static struct cost best(struct cost a, struct cost since)
{
    struct cost b = now();
    b.wall -= since.wall;
    b.cpu -= since.cpu;
    return (struct cost){a.wall < b.wall ? a.wall : b.wall, a.cpu < b.cpu ? a.cpu : b.cpu};
}

static struct fn_input *open_input(const char *path)
{
    struct fn_input_options how = {"auto"};
    struct fn_input *input;
    check(fn_input_open(&input, path, 0, &how));
    return input;
}

/* All good pictures of the file, as JPEG or PNG bytes in memory. */
static void load(struct bench *b)
{
    struct fn_input *input = open_input(b->path);
    struct fn_chunk *chunk;
    struct fn_budget budget;
    size_t cap = 0;
    check(fn_budget_open(&budget, 4 * ((size_t)64 << 20)));
    check(fn_chunk_open(&chunk));
    for (;;) {
        fn_chunk_reset(chunk, &budget);
        check(input->type->read(input, chunk, &budget));
        if (chunk->count == 0)
            break;
        for (size_t i = 0; i < chunk->count; i++) {
            struct fn_row row = {0};
            struct fn_bytes scratch = {0};
            if (chunk->items[i].kind == FN_ITEM_TODO)
                check(input->type->names(input, chunk, &chunk->items[i], &row));
            if (!row.class_name || row.reject)
                continue;
            check(input->type->picture(input, &chunk->items[i], &row, &scratch));
            if (row.reject)
                continue;
            if (b->count == cap) {
                cap = cap ? cap * 2 : 1024;
                b->pictures = realloc(b->pictures, cap * sizeof *b->pictures);
            }
            uint8_t *copy = malloc(row.image_bytes);
            if (!b->pictures || !copy)
                check(fn_fail(FN_ENOMEM, "no memory for the pictures"));
            memcpy(copy, row.image, row.image_bytes);
            b->pictures[b->count++] = (struct picture){copy, row.image_bytes};
            fn_bytes_free(&scratch);
        }
    }
    fn_chunk_close(&chunk);
    fn_budget_close(&budget);
    fn_input_close(&input);
}

static int convert_batch(void *context, int worker, size_t batch)
{
    struct bench *b = context;
    struct fn_converted out;
    int rc = FN_OK, reject;
    for (size_t i = batch * BATCH; i < (batch + 1) * BATCH && i < b->count && !rc; i++)
        rc = fn_convert_picture(b->converters[worker], &b->how, b->pictures[i].data,
                                b->pictures[i].bytes, NULL, &out, &reject);
    return rc;
}

static void ingest(const struct bench *b, const char *store, uint64_t *rows, double *read_seconds)
{
    struct fn_input *input = open_input(b->path);
    struct fn_job job = {.inputs = &input,
                         .input_count = 1,
                         .convert = b->how,
                         .limit = {1, 100},
                         .threads = b->threads};
    struct fn_store_content content = {.size = b->how.size, .codec = "jpeg", .quality = 95};
    struct fn_seal_result sealed;
    check(fn_writer_open(&job.writer, store, &content, 1, &job.from, &job.before));
    check(fn_job_run(&job));
    check(fn_writer_seal(job.writer, NULL, &sealed));
    *rows = job.counts.rows;
    *read_seconds = job.seconds < *read_seconds ? job.seconds : *read_seconds;
    fn_writer_close(&job.writer);
    fn_input_close(&input);
}

static void bench_base64(void)
{
    enum { CHARS = 16384, TIMES = 20000 };
    static uint8_t text[CHARS], out[CHARS];
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t count;
    const struct fn_base64_kind *kinds = fn_base64_kinds(&count);
    for (size_t i = 0; i < CHARS; i++)
        text[i] = (uint8_t)digit[fn_rng(1, i, 0, FN_RNG_SAMPLE) & 63];
    for (size_t k = 0; k < count; k++) {
        if (!kinds[k].usable())
            continue;
        double least = 1e9;
        for (int round = 0; round < 5; round++) {
            size_t bytes;
            struct cost start = now();
            for (int t = 0; t < TIMES / 5; t++)
                if (fn_base64_decode_by(&kinds[k], text, CHARS, out, &bytes) != FN_BASE64_OK)
                    abort();
            double cpu = now().cpu - start.cpu;
            least = cpu < least ? cpu : least;
        }
        printf("base64 %-7s %6.2f GB/s of text\n", kinds[k].name,
               (double)CHARS * (TIMES / 5) / least / 1e9);
    }
}

int main(int argc, char **argv)
{
    struct bench b = {.path = argc > 1 ? argv[1] : NULL, .how = {FN_CONVERT_JPEG, 182, 95}};
    int rounds = argc > 3 ? atoi(argv[3]) : 3;
    char store[4096];
    struct cost ceiling = {1e9, 1e9}, whole = {1e9, 1e9};
    double read_seconds = 1e9;
    uint64_t rows = 0;
    b.threads = argc > 2 ? atoi(argv[2]) : fn_cpu_count();
    if (!b.path || b.threads < 1 || rounds < 1) {
        fprintf(stderr, "usage: bench_ingest FILE.tsv [THREADS [ROUNDS]]\n");
        return 2;
    }
    fn_log_setup("bench_ingest", FN_LOG_QUIET);
    bench_base64();
    load(&b);
    snprintf(store, sizeof store, "%s/bench-ingest-%ld",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp", (long)getpid());
    b.converters = calloc((size_t)b.threads, sizeof *b.converters);
    if (!b.converters)
        check(fn_fail(FN_ENOMEM, "no memory"));
    for (int i = 0; i < b.threads; i++)
        check(fn_converter_open(&b.converters[i]));
    for (int round = 0; round < rounds; round++) {
        struct cost start = now();
        check(fn_parallel_for(b.threads, (b.count + BATCH - 1) / BATCH, &b, convert_batch));
        ceiling = best(ceiling, start);
        check(fn_remove_tree(store)); /* the last round's: not part of the work */
        start = now();
        ingest(&b, store, &rows, &read_seconds);
        whole = best(whole, start);
    }
    check(fn_remove_tree(store));
    double n = (double)b.count;
    printf("%zu pictures of %llu rows, %d threads, best of %d\n", b.count, (unsigned long long)rows,
           b.threads, rounds);
    printf("decode + resize + encode  %8.0f rows/s, %6.1f us of processor time each\n",
           n / ceiling.wall, 1e6 * ceiling.cpu / n);
    printf("fn-ingest, without sealing %7.0f rows/s\n", (double)rows / read_seconds);
    printf("fn-ingest, whole          %8.0f rows/s, %6.1f us\n", (double)rows / whole.wall,
           1e6 * whole.cpu / (double)rows);
    printf(
        "ratio                     %8.1f %% of the ceiling by wall time (%.1f %% without sealing), "
        "%.1f %% by processor time\n",
        100 * ceiling.wall / whole.wall * (double)rows / n,
        100 * ceiling.wall / read_seconds * (double)rows / n,
        100 * ceiling.cpu / whole.cpu * (double)rows / n);
    for (int i = 0; i < b.threads; i++)
        fn_converter_close(&b.converters[i]);
    for (size_t i = 0; i < b.count; i++)
        free(b.pictures[i].data);
    free(b.pictures);
    free(b.converters);
    return 0;
}
