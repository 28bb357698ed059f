/* SPDX-License-Identifier: MIT */
/* bench_store FOLDER [RECORDS [LEAST MOST [CLASSES [keep]]]]: the store alone, without any
 * pictures.
 *
 * Writes RECORDS (100,000) records of LEAST to MOST (8,000 to 12,000) random bytes in CLASSES
 * (1,000) classes, seals, opens, reads. Prints, one a line: MB/s and records/s of writing (with its
 * commits) and of sealing, peak anonymous memory, bytes of the store over bytes of the payloads,
 * bytes of the index a record, milliseconds to open, records/s in order and at random (checksums
 * checked), by name. FOLDER must not exist; it is removed at the end. */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/rng.h"
#include "store/store.h"
#include "store/writer.h"

static void must(int rc)
{
    if (rc) {
        fprintf(stderr, "bench_store: %s\n", fn_err_text(rc));
        exit(1);
    }
}

struct bench {
    const char *folder;
    uint64_t records, classes;
    size_t least, most;
};

/* Anonymous memory: what a mapped file takes is the page cache's. Watched by a thread of its own.
 */
static atomic_long peak_kib;
static atomic_int watching = 1;

static void *watch(void *unused)
{
    (void)unused;
    while (atomic_load(&watching)) {
        char line[128];
        long kib;
        FILE *status = fopen("/proc/self/status", "r");
        while (status && fgets(line, sizeof line, status))
            if (sscanf(line, "RssAnon: %ld kB", &kib) == 1 && kib > atomic_load(&peak_kib))
                atomic_store(&peak_kib, kib);
        if (status)
            fclose(status);
        usleep(5000);
    }
    return NULL;
}

static double peak_mib(void)
{
    return (double)atomic_exchange(&peak_kib, 0) / 1024;
}

static void write_store(const struct bench *b)
{
    struct fn_store_content content = {.size = 182, .codec = "jpeg", .quality = 95};
    struct fn_writer *writer = NULL;
    struct fn_writer_counts counts;
    struct fn_position from;
    struct fn_seal_result sealed;
    struct stat st;
    char path[4200];
    size_t noise_bytes = b->most + ((size_t)1 << 20);
    uint8_t *noise = malloc(noise_bytes);
    for (size_t i = 0; i < noise_bytes; i++)
        noise[i] = (uint8_t)fn_rng(1, i, 0, 930);
    must(fn_writer_open(&writer, b->folder, &content, 0, &from, &counts));
    double start = fn_now();
    for (uint64_t i = 0; i < b->records; i++) {
        char class_name[32], name[32];
        int class_bytes = snprintf(class_name, sizeof class_name, "m.%" PRIx64,
                                   fn_rng_below(fn_rng(1, i / 8, 0, 931), b->classes));
        int name_bytes = snprintf(name, sizeof name, "%" PRIu64 "-FaceId-0", i);
        size_t bytes =
            b->least + (size_t)fn_rng_below(fn_rng(1, i, 0, 932), b->most - b->least + 1);
        struct fn_position pos = {.line = i + 1, .offset = i * 14000, .next = i * 14000 + 14000};
        struct fn_new_record rec = {.class_name = class_name,
                                    .name = name,
                                    .class_bytes = (size_t)class_bytes,
                                    .name_bytes = (size_t)name_bytes,
                                    .codec = FN_CODEC_JPEG,
                                    .w = 182,
                                    .h = 182,
                                    .payload = noise + fn_rng(1, i, 0, 933) % (1 << 20),
                                    .payload_bytes = bytes};
        must(fn_writer_add(writer, &pos, &rec));
    }
    must(fn_writer_flush(writer));
    double wrote = fn_now() - start, mb = (double)fn_writer_get_counts(writer)->payload_bytes / 1e6;
    printf("write    %8.0f records/s %8.1f MB/s  peak %.0f MiB\n", (double)b->records / wrote,
           mb / wrote, peak_mib());
    start = fn_now();
    must(fn_writer_seal(writer, NULL, &sealed));
    double took = fn_now() - start;
    printf("seal     %8.0f records/s %8.1f MB/s  peak %.0f MiB, %.2f s\n",
           (double)b->records / took, mb / took, peak_mib(), took);
    snprintf(path, sizeof path, "%s/index.bin", b->folder);
    must(stat(path, &st) ? FN_EIO : FN_OK);
    printf("size     %8.4f x payload; index %.1f bytes/record\n",
           (double)sealed.store_bytes / (double)sealed.payload_bytes,
           (double)st.st_size / (double)(sealed.records ? sealed.records : 1));
    fn_writer_close(&writer);
    free(noise);
}

/* Some records for `seconds`, id by fn; records/s. */
static void read_some(struct fn_reader *reader, uint64_t records, int random, double seconds)
{
    struct fn_record rec;
    uint64_t n = 0, bytes = 0;
    double start = fn_now(), now = start;
    while (now - start < seconds) {
        for (int i = 0; i < 256; i++, n++) {
            uint64_t at = n % records;
            must(fn_reader_get(reader, random ? fn_rng_permute(3, n / records, records, at) : at,
                               &rec));
            bytes += rec.payload_bytes;
        }
        now = fn_now();
    }
    printf("%s %8.0f records/s %8.1f MB/s\n", random ? "random  " : "in order",
           (double)n / (now - start), (double)bytes / 1e6 / (now - start));
}

static void read_names(struct fn_store *store, struct fn_reader *reader, uint64_t records)
{
    struct fn_record rec, found;
    uint64_t n = 0;
    double start = fn_now();
    for (; n < 20000 && fn_now() - start < 2; n++) {
        char name[256];
        const char *class_name;
        must(fn_reader_get(reader, fn_rng_permute(4, 0, records, n % records), &rec));
        must(fn_store_class_name(store, rec.label, &class_name));
        snprintf(name, sizeof name, "%.*s", (int)rec.name_bytes, rec.name);
        must(fn_reader_find(reader, class_name, name, &found));
        must(found.id == rec.id ? FN_OK : FN_EINTERNAL);
    }
    printf("by name  %8.0f records/s\n", (double)n / (fn_now() - start));
}

static void read_store(const struct bench *b)
{
    struct fn_store *store = NULL;
    struct fn_reader *reader = NULL;
    double best = 1e9;
    for (int i = 0; i < 5; i++) {
        double start = fn_now();
        must(fn_store_open(&store, b->folder));
        best = fn_now() - start < best ? fn_now() - start : best;
        fn_store_close(&store);
    }
    printf("open     %8.3f ms, the best of 5\n", best * 1e3);
    must(fn_store_open(&store, b->folder));
    must(fn_reader_open(&reader, store));
    uint64_t records = fn_store_get_info(store)->records;
    read_some(reader, records, 0, 2);
    read_some(reader, records, 1, 2);
    read_names(store, reader, records);
    fn_reader_close(&reader);
    fn_store_close(&store);
}

int main(int argc, char **argv)
{
    struct bench b = {.records = 100000, .classes = 1000, .least = 8000, .most = 12000};
    if (argc < 2 || fn_is_dir(argv[1])) {
        fprintf(
            stderr,
            "usage: bench_store FOLDER [RECORDS [LEAST MOST [CLASSES [keep]]]]; FOLDER is new\n");
        return 2;
    }
    b.folder = argv[1];
    if (argc > 2)
        b.records = strtoull(argv[2], NULL, 10);
    if (argc > 4) {
        b.least = strtoull(argv[3], NULL, 10);
        b.most = strtoull(argv[4], NULL, 10);
    }
    if (argc > 5)
        b.classes = strtoull(argv[5], NULL, 10);
    pthread_t watcher;
    if (pthread_create(&watcher, NULL, watch, NULL) != 0)
        return 1;
    write_store(&b);
    read_store(&b);
    atomic_store(&watching, 0);
    pthread_join(watcher, NULL);
    return argc <= 6 && fn_remove_tree(b.folder) ? 1 : 0;
}
