/* SPDX-License-Identifier: MIT */
/* Flipped bits, missing ends and pages of zeros: every one is reported, none crashes.
 * FN_DAMAGE_FLIPS and FN_DAMAGE_CUTS set how many (tests/long/store_flips.sh asks for many more);
 * every page has its turn. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "store/index.h"
#include "store/manifest.h"
#include "store/verify.h"
#include "tests/store_rows.h"

static char *folder, store_path[4200];
static const struct make rows = {
    .rows = 1500, .classes = 20, .pictures = 1, .odd = 1, .shard_bytes = 1 << 18, .min_images = 3};

struct range { /* bytes [from, to) of a file */
    char file[256];
    uint64_t from, to;
};
static struct range all[64], delicate[64];
static size_t all_count, delicate_count;

static char *path_of(const char *file)
{
    static char path[4600];
    snprintf(path, sizeof path, "%s/%s", store_path, file);
    return path;
}

static void add(struct range *list, size_t *count, const char *file, uint64_t from, uint64_t to)
{
    assert_true(*count < 64);
    snprintf(list[*count].file, sizeof list->file, "%s", file);
    list[*count].from = from;
    list[(*count)++].to = to;
}

/* All bytes; and those that a program would stumble over: tree pages, index, manifest. */
static void list_ranges(void)
{
    struct fn_index *index = NULL;
    struct fn_manifest *manifest = NULL;
    DIR *dir = opendir(store_path);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        struct stat st;
        if (e->d_name[0] != '.' && stat(path_of(e->d_name), &st) == 0)
            add(all, &all_count, e->d_name, 0, (uint64_t)st.st_size);
    }
    closedir(dir);
    assert_ok(fn_manifest_load(&manifest, store_path));
    assert_ok(
        fn_index_open(&index, path_of("index.bin"), manifest->index_bytes, manifest->index_sum));
    assert_true(manifest->shard_count >= 2);
    for (uint64_t i = 0; i < manifest->shard_count; i++) {
        struct fn_index_shard facts;
        char name[32];
        snprintf(name, sizeof name, "shard-%05" PRIu64 ".mdb", i);
        assert_ok(fn_index_shard(index, i, &facts));
        add(delicate, &delicate_count, name, 0, 2 * FN_PAGE);
        add(delicate, &delicate_count, name, facts.tree_at, facts.file_bytes);
    }
    add(delicate, &delicate_count, "index.bin", 0, manifest->index_bytes);
    add(delicate, &delicate_count, "manifest.json", 0, manifest->bytes);
    fn_index_close(&index);
    fn_manifest_free(&manifest);
}

static int setup(void **state)
{
    (void)state;
    folder = test_folder();
    snprintf(store_path, sizeof store_path, "%s/db", folder);
    make_store(&rows, store_path, NULL);
    list_ranges();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    int rc = fn_remove_tree(folder);
    free(folder);
    return rc;
}

static void count_bad(void *context, const struct fn_verify_bad *bad)
{
    (void)context;
    assert_non_null(bad->file);
    assert_true(strlen(bad->text) > 10);
}

/* Use everything of a store as a program would, not asking whether it is whole. 1: it said so. */
static int read_all(void)
{
    struct fn_store *store = NULL;
    struct fn_reader *reader = NULL;
    struct fn_record rec;
    struct fn_codec *codec = NULL;
    struct fn_image image = {0};
    int refused = 0;
    if (fn_store_open(&store, store_path) != FN_OK)
        return 1;
    const struct fn_store_info *info = fn_store_get_info(store);
    assert_ok(fn_reader_open(&reader, store));
    assert_ok(fn_codec_open(&codec));
    for (uint64_t id = 0; id < info->records; id++) {
        int rc = fn_reader_get(reader, id, &rec);
        refused |= rc != FN_OK;
        if (!rc)
            refused |= fn_record_decode(codec, &rec, &image) != FN_OK;
    }
    for (uint32_t label = 0; label < info->classes; label++) {
        const char *name;
        const uint64_t *ids;
        uint64_t count;
        refused |= fn_store_class_name(store, label, &name) != FN_OK;
        refused |= fn_store_members(store, label, &ids, &count) != FN_OK;
    }
    fn_image_free(&image);
    fn_codec_close(&codec);
    fn_reader_close(&reader);
    fn_store_close(&store);
    return refused;
}

static uint64_t findings(void)
{
    struct fn_verify verify = {.threads = 2, .bad = count_bad};
    int rc = fn_store_verify(store_path, &verify);
    return rc ? 1 : verify.bad_count;
}

static uint64_t how_many(const char *name, uint64_t normally)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : normally;
}

static const struct range *pick(uint64_t i, uint64_t *at)
{
    struct range *list = i % 2 ? all : delicate;
    size_t count = i % 2 ? all_count : delicate_count;
    if (i % 2) { /* by bytes: most of them are pictures */
        uint64_t total = 0;
        for (size_t k = 0; k < count; k++)
            total += list[k].to - list[k].from;
        uint64_t byte = fn_rng_below(fn_rng(11, i, 0, 920), total);
        for (size_t k = 0; k < count; k++) {
            if (byte < list[k].to - list[k].from) {
                *at = list[k].from + byte;
                return &list[k];
            }
            byte -= list[k].to - list[k].from;
        }
    }
    struct range *range = &list[fn_rng_below(fn_rng(11, i, 1, 920), count)];
    *at = range->from + fn_rng_below(fn_rng(11, i, 2, 920), range->to - range->from);
    return range;
}

static void flip(const char *path, uint64_t at, unsigned bit)
{
    uint8_t byte;
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
    byte ^= (uint8_t)(1u << bit);
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
    close(fd);
}

static void overwrite(const char *path, uint64_t at, const void *data, size_t bytes)
{
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, data, bytes, (off_t)at), (ssize_t)bytes);
    close(fd);
}

static void test_flips(void **state)
{
    (void)state;
    uint64_t n = how_many("FN_DAMAGE_FLIPS", 200), refused = 0;
    assert_int_equal(findings(), 0);
    assert_int_equal(read_all(), 0);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t at = 0;
        const struct range *range = pick(i, &at);
        unsigned bit = (unsigned)(fn_rng(11, i, 3, 920) % 8);
        flip(path_of(range->file), at, bit);
        refused += (uint64_t)read_all();
        if (!findings())
            fail_msg("bit %u of byte %" PRIu64 " of %s: not reported", bit, at, range->file);
        flip(path_of(range->file), at, bit);
    }
    assert_int_equal(findings(), 0);
    printf("%" PRIu64 " flipped bits: all reported by verify, %" PRIu64 " also by reading\n", n,
           refused);
}

static void test_cuts(void **state)
{
    (void)state;
    uint64_t n = how_many("FN_DAMAGE_CUTS", 24);
    for (uint64_t i = 0; i < n; i++) {
        unsigned char *data;
        size_t bytes;
        const struct range *range = &all[i % all_count];
        char *path = strdup(path_of(range->file));
        if (strcmp(range->file, "provenance.json") != 0) {
            assert_ok(fn_file_read(path, (size_t)1 << 30, &data, &bytes));
            uint64_t left = i < all_count ? 0 : fn_rng_below(fn_rng(12, i, 0, 920), bytes);
            assert_int_equal(truncate(path, (off_t)left), 0);
            read_all();
            if (!findings())
                fail_msg("%s cut to %" PRIu64 " of %zu bytes: not reported", range->file, left,
                         bytes);
            assert_ok(fn_file_write(path, data, bytes));
            free(data);
        }
        free(path);
    }
    assert_int_equal(findings(), 0);
}

/* A page that reads as zeros: a hole left by a full disk, or by a copy whose end was
 * allocated and never written. */
static void test_zeroed_pages(void **state)
{
    (void)state;
    static const uint8_t zeros[FN_PAGE];
    int zeroed = 0;
    for (size_t i = 0; i < all_count; i++) {
        const struct range *range = &all[i];
        unsigned char *data;
        size_t bytes;
        char *path = fn_path_join(store_path, range->file);
        assert_ok(fn_file_read(path, (size_t)1 << 30, &data, &bytes));
        for (size_t at = 0; at < bytes; at += FN_PAGE) {
            size_t n = bytes - at < FN_PAGE ? bytes - at : FN_PAGE;
            if (!memcmp(data + at, zeros, n) || !strcmp(range->file, "provenance.json"))
                continue;
            overwrite(path, at, zeros, n);
            read_all();
            if (!findings())
                fail_msg("%s with zeros from byte %zu on: not reported", range->file, at);
            overwrite(path, at, data + at, n);
            zeroed++;
        }
        free(data);
        free(path);
    }
    assert_true(zeroed > 0);
    assert_int_equal(findings(), 0);
    printf("%d pages zeroed: all reported\n", zeroed);
}

/* Every record but the damaged one can still be read and is not reported. */
static void test_one_record(void **state)
{
    (void)state;
    struct fn_store *store = NULL;
    struct fn_reader *reader = NULL;
    struct fn_record rec;
    unsigned char *data;
    size_t bytes;
    assert_ok(fn_store_open(&store, store_path));
    assert_ok(fn_reader_open(&reader, store));
    assert_ok(fn_reader_get(reader, 5, &rec));
    uint8_t wanted[32];
    memcpy(wanted, rec.payload, sizeof wanted);
    fn_reader_close(&reader);
    fn_store_close(&store);
    assert_ok(fn_file_read(path_of("shard-00000.mdb"), (size_t)1 << 30, &data, &bytes));
    const unsigned char *at = memmem(data, bytes, wanted, sizeof wanted);
    assert_non_null(at);
    flip(path_of("shard-00000.mdb"), (uint64_t)(at - data) + 20, 3);
    assert_ok(fn_store_open(&store, store_path));
    assert_ok(fn_reader_open(&reader, store));
    for (uint64_t id = 0; id < fn_store_get_info(store)->records; id++)
        assert_int_equal(fn_reader_get(reader, id, &rec), id == 5 ? FN_ECORRUPT : FN_OK);
    assert_int_equal(fn_reader_get(reader, 5, &rec), FN_ECORRUPT);
    assert_non_null(strstr(fn_err_text(FN_ECORRUPT), "record 5 (shard-00000.mdb"));
    fn_reader_close(&reader);
    fn_store_close(&store);
    assert_int_equal(findings(), 2); /* the file's checksum, and the record */
    flip(path_of("shard-00000.mdb"), (uint64_t)(at - data) + 20, 3);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flips),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_zeroed_pages),
        cmocka_unit_test(test_one_record),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
