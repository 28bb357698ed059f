/* SPDX-License-Identifier: MIT */
/* Event files and metrics: checksums, framing, cutting back, torn ends, a full disk; TensorBoard's
 * own reader on the result. */
#include "train/events.h"

#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/file.h"
#include "tests/python.h"
#include "train/append.h"
#include "train/events_format.h"
#include "train/metrics.h"

static void crc(void **state)
{
    (void)state;
    unsigned char bytes[32];
    /* RFC 3720, B.4 */
    memset(bytes, 0, 32);
    assert_int_equal(fn_crc32c(bytes, 32), 0x8a9136aau);
    memset(bytes, 0xff, 32);
    assert_int_equal(fn_crc32c(bytes, 32), 0x62a8ab43u);
    for (int i = 0; i < 32; i++)
        bytes[i] = (unsigned char)i;
    assert_int_equal(fn_crc32c(bytes, 32), 0x46dd794eu);
    assert_int_equal(fn_crc32c("123456789", 9), 0xe3069283u);
    assert_int_equal(fn_crc32c("", 0), 0);
}

/* The one event file of a folder, malloc'd. */
static char *event_file(const char *folder)
{
    char *found = NULL;
    DIR *dir = opendir(folder);
    for (struct dirent *d; (d = readdir(dir));)
        if (strncmp(d->d_name, "events.out.tfevents.", 20) == 0) {
            assert_null(found);
            found = fn_path_join(folder, d->d_name);
        }
    closedir(dir);
    assert_non_null(found);
    return found;
}

static size_t records(const char *path, size_t *whole)
{
    struct fn_map map;
    struct fn_event_seen seen;
    size_t n = 0, at = 0, bytes;
    assert_ok(fn_map_open(&map, path));
    while ((bytes = fn_event_read(map.data + at, map.bytes - at, &seen)) > 0) {
        at += bytes;
        n++;
    }
    *whole = at == map.bytes;
    fn_map_close(&map);
    return n;
}

/* What a trainer does: ten steps an epoch, save, then more after the mark. */
static void epochs(struct fn_events *e, int from, int to, int last_is_cut)
{
    for (int epoch = from; epoch <= to; epoch++) {
        for (int s = (epoch - 1) * 10 + 1; s <= epoch * 10; s++)
            assert_ok(fn_events_scalar(e, "loss", s, 1.0 / s));
        assert_ok(fn_events_scalar(e, "lfw/accuracy", (epoch - 1) * 10, 0.25 + (epoch - 1) * 10));
        assert_ok(fn_events_scalar(e, "time/save", epoch, 7));
        if (!last_is_cut || epoch < to)
            assert_ok(fn_events_checkpoint(e, epoch * 10));
    }
}

static void resume(void **state)
{
    (void)state;
    char *dir = test_folder();
    struct fn_events *e;
    assert_ok(fn_events_open(&e, dir, -1));
    epochs(e, 1, 3, 1);
    assert_ok(fn_events_close(&e));
    char *path = event_file(dir);
    size_t whole;
    assert_int_equal(records(path, &whole), 1 + 12 * 3 + 2);
    /* Killed in the middle of a record. */
    assert_int_equal(truncate(path, 2000), 0);
    assert_ok(fn_events_open(&e, dir, 20)); /* the mark of step 20 is there */
    epochs(e, 3, 3, 0);
    static struct fn_histogram h;
    float row[1000];
    for (int i = 0; i < 1000; i++)
        row[i] = (float)(i - 500) / 100.0f;
    fn_histogram_add(&h, row, 1000);
    fn_histogram_add(&h, (const float[]){NAN, INFINITY}, 2);
    assert_int_equal(h.not_finite, 2);
    assert_int_equal(h.count, 1000);
    assert_ok(fn_events_histogram(e, "weights", 30, &h));
    static const unsigned char png[] = "\x89PNG\r\n\x1a\n...";
    assert_ok(fn_events_image(e, "crops/image/0", 30, 2, 1, png, sizeof png));
    assert_ok(fn_events_close(&e));
    assert_int_equal(records(path, &whole), 1 + 13 * 3 + 2);
    assert_true(whole);
    if (python_has("tensorboard"))
        assert_int_equal(python_run("check_events.py", dir), 0);
    else
        printf("SKIPPED comparison with TensorBoard: %s cannot import it (set FN_PYTHON)\n",
               python());
    /* Without a mark: before the first event of a later step. */
    assert_ok(fn_events_open(&e, dir, 15));
    assert_ok(fn_events_close(&e));
    assert_int_equal(records(path, &whole), 1 + 13 + 5);
    /* An empty folder is no reason to fail. */
    assert_int_equal(unlink(path), 0);
    free(path);
    assert_ok(fn_events_open(&e, dir, 15));
    assert_ok(fn_events_close(&e));
    path = event_file(dir);
    assert_int_equal(records(path, &whole), 1);
    free(path);
    assert_ok(fn_remove_tree(dir));
    assert_int_equal(fn_events_open(&e, dir, 3), FN_ENOENT);
    assert_int_equal(fn_events_open(&e, dir, -1), FN_ENOENT);
    free(dir);
}

/* Cut anywhere or with any byte changed, a file is read as a prefix of what it was. */
static void torn(void **state)
{
    (void)state;
    char *dir = test_folder();
    struct fn_events *e;
    struct fn_map map;
    struct fn_event_seen seen;
    assert_ok(fn_events_open(&e, dir, -1));
    epochs(e, 1, 1, 0);
    assert_ok(fn_events_close(&e));
    char *path = event_file(dir);
    assert_ok(fn_map_open(&map, path));
    unsigned char *copy = malloc(map.bytes);
    size_t first = fn_event_read(map.data, map.bytes, &seen);
    for (size_t n = 0; n <= map.bytes; n++) {
        memcpy(copy, map.data, n);
        assert_int_equal(fn_event_read(copy, n, &seen), n < first ? 0 : first);
    }
    for (size_t i = 0; i < first * 8; i++) {
        copy[i / 8] ^= (unsigned char)(1 << i % 8);
        assert_int_equal(fn_event_read(copy, map.bytes, &seen), 0);
        copy[i / 8] ^= (unsigned char)(1 << i % 8);
    }
    free(copy);
    fn_map_close(&map);
    free(path);
    assert_ok(fn_remove_tree(dir));
    free(dir);
}

static char *slurp(const char *path)
{
    unsigned char *data;
    size_t bytes;
    assert_ok(fn_file_read(path, 1 << 20, &data, &bytes));
    return (char *)data;
}

static void expect_text(const char *path, const char *want)
{
    char *have = slurp(path);
    assert_string_equal(have, want);
    free(have);
}

static void metrics(void **state)
{
    (void)state;
    static const struct fn_metrics_column columns[] = {{"loss", -1}, {"accuracy", 3}};
    char *dir = test_folder(), *path = fn_path_join(dir, "steps.tsv");
    struct fn_metrics *m;
    assert_ok(fn_metrics_open(&m, path, "step", columns, 2, -1));
    assert_ok(fn_metrics_row(m, 1, (const double[]){0.1f, 0.5}));
    assert_ok(fn_metrics_row(m, 2, (const double[]){-1e30, NAN}));
    assert_ok(fn_metrics_row(m, 10, (const double[]){INFINITY, -NAN}));
    assert_ok(fn_metrics_close(&m));
    expect_text(path,
                "step\tloss\taccuracy\n1\t0.100000001\t0.500\n2\t-1e+30\tnan\n10\tinf\tnan\n");
    assert_ok(fn_metrics_open(&m, path, "step", columns, 2, 9));
    assert_ok(fn_metrics_row(m, 3, (const double[]){1, 1}));
    assert_ok(fn_metrics_sync(m));
    expect_text(path, "step\tloss\taccuracy\n1\t0.100000001\t0.500\n2\t-1e+30\tnan\n3\t1\t1.000\n");
    assert_ok(fn_metrics_close(&m));
    /* A torn last line is cut off; a torn header too. */
    assert_int_equal(truncate(path, 46), 0);
    assert_ok(fn_metrics_open(&m, path, "step", columns, 2, 9));
    assert_ok(fn_metrics_close(&m));
    expect_text(path, "step\tloss\taccuracy\n1\t0.100000001\t0.500\n");
    assert_int_equal(truncate(path, 10), 0);
    assert_ok(fn_metrics_open(&m, path, "step", columns, 2, 9));
    assert_ok(fn_metrics_close(&m));
    expect_text(path, "step\tloss\taccuracy\n");
    /* Not ours. */
    assert_int_equal(fn_metrics_open(&m, path, "step", columns, 1, 9), FN_EFORMAT);
    expect_text(path, "step\tloss\taccuracy\n");
    assert_ok(fn_file_write(path, "step\tloss\taccuracy\n1\t2\t3\nx\t1\t2\n", 32));
    assert_int_equal(fn_metrics_open(&m, path, "step", columns, 2, 9), FN_EFORMAT);
    assert_non_null(strstr(fn_err_text(FN_EFORMAT), "steps.tsv:3: "));
    /* A power cut: the length came to the disk, the bytes did not. */
    static const char holes[] = "step\tloss\taccuracy\n1\t2\t3\n2\t\0\0\0\0\0\0\n3\t1\t1\n\0\0\0";
    assert_ok(fn_file_write(path, holes, sizeof holes - 1));
    assert_ok(fn_metrics_open(&m, path, "step", columns, 2, 9));
    assert_ok(fn_metrics_close(&m));
    expect_text(path, "step\tloss\taccuracy\n1\t2\t3\n");
    /* A new run begins anew. */
    assert_ok(fn_metrics_open(&m, path, "step", columns, 2, -1));
    assert_ok(fn_metrics_close(&m));
    expect_text(path, "step\tloss\taccuracy\n");
    fn_metrics_close(&m);
    assert_ok(fn_remove_tree(dir));
    free(path);
    free(dir);
}

/* lfw_result.txt of the original: no header, step, accuracy, validation rate. */
static void without_header(void **state)
{
    (void)state;
    static const struct fn_metrics_column columns[] = {{"accuracy", 5}, {"val", 5}};
    char *dir = test_folder(), *path = fn_path_join(dir, "lfw_result.txt");
    struct fn_metrics *m;
    assert_ok(fn_metrics_open(&m, path, NULL, columns, 2, 5));
    assert_ok(fn_metrics_row(m, 0, (const double[]){0.5, 0}));
    assert_ok(fn_metrics_row(m, 1000, (const double[]){0.98123456, 0.7}));
    assert_ok(fn_metrics_close(&m));
    expect_text(path, "0\t0.50000\t0.00000\n1000\t0.98123\t0.70000\n");
    assert_ok(fn_metrics_open(&m, path, NULL, columns, 2, 0));
    assert_ok(fn_metrics_close(&m));
    expect_text(path, "0\t0.50000\t0.00000\n");
    assert_ok(fn_remove_tree(dir));
    free(path);
    free(dir);
}

/* A file size limit stands for a full disk: entries wait, and none is torn. */
static void full_disk(void **state)
{
    (void)state;
    char *dir = test_folder(), *path = fn_path_join(dir, "log");
    struct fn_append *a;
    struct rlimit old, small;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 25;
    assert_ok(fn_append_open(&a, path, 0));
    assert_ok(fn_append_entry(a, "0123456789", 10));
    assert_ok(fn_append_flush(a));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_ok(fn_append_entry(a, "abcdefghij", 10));
    assert_ok(fn_append_entry(a, "ABCDEFGHIJ", 10));
    int rc = fn_append_flush(a);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_not_equal(rc, FN_OK);
    expect_text(path, "0123456789");
    assert_ok(fn_append_flush(a));
    expect_text(path, "0123456789abcdefghijABCDEFGHIJ");
    assert_ok(fn_append_close(&a));
    assert_ok(fn_append_close(&a));
    assert_int_equal(fn_append_open(&a, path, 31), FN_ECORRUPT);
    assert_null(a);
    assert_ok(fn_append_open(&a, path, 12));
    assert_ok(fn_append_close(&a));
    expect_text(path, "0123456789ab");
    assert_ok(fn_remove_tree(dir));
    free(path);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc),     cmocka_unit_test(resume),         cmocka_unit_test(torn),
        cmocka_unit_test(metrics), cmocka_unit_test(without_header), cmocka_unit_test(full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
