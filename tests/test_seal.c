/* SPDX-License-Identifier: MIT */
/* Interruptions: a store's bytes do not depend on how often and where its making was cut short.
 * ctest labels: threads */
#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/log.h"
#include "store/build.h"
#include "tests/store_rows.h"

static char *folder;

static int setup(void **state)
{
    (void)state;
    folder = test_folder();
    return folder ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    int rc = fn_remove_tree(folder);
    free(folder);
    return rc;
}

static char *in_folder(const char *name)
{
    static char path[4][4200];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

static void same_file(const char *a, const char *b, const char *name)
{
    unsigned char *x, *y;
    size_t xn, yn;
    char path[4300];
    snprintf(path, sizeof path, "%s/%s", a, name);
    assert_ok(fn_file_read(path, (size_t)1 << 30, &x, &xn));
    snprintf(path, sizeof path, "%s/%s", b, name);
    assert_ok(fn_file_read(path, (size_t)1 << 30, &y, &yn));
    if (xn != yn || memcmp(x, y, xn) != 0)
        fail_msg("%s differs between %s and %s", name, a, b);
    free(x);
    free(y);
}

/* All files but provenance.json, and no others. */
static void same_store(const char *a, const char *b)
{
    int files = 0, others = 0;
    DIR *dir = opendir(a);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        if (e->d_name[0] != '.' && strcmp(e->d_name, "provenance.json") != 0) {
            same_file(a, b, e->d_name);
            files++;
        }
    closedir(dir);
    dir = opendir(b);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        others += e->d_name[0] != '.' && strcmp(e->d_name, "provenance.json") != 0;
    closedir(dir);
    assert_int_equal(files, others);
}

static const struct make odd_rows = {.rows = 2500,
                                     .classes = 30,
                                     .least = 200,
                                     .most = 6000,
                                     .odd = 1,
                                     .shard_bytes = 1 << 20,
                                     .min_images = 20};

/* Write until row `stop`, committing now and then. Ends without closing anything if `die`. */
static void write_some(const struct make *make, const char *path, uint64_t stop, uint64_t seed,
                       int die)
{
    struct fn_store_content content = make_content(make);
    struct fn_writer *writer = NULL;
    struct fn_writer_counts counts;
    struct fn_position from;
    struct make_row row = {0};
    assert_ok(fn_writer_open(&writer, path, &content, 0, &from, &counts));
    assert_int_equal(counts.rows, from.line);
    for (uint64_t i = from.line; i < make->rows && i < stop; i++) {
        make_row(make, i, &row);
        assert_ok(make_put(writer, &row));
        if (fn_rng(seed, i, 0, 910) % 40 == 0)
            assert_ok(fn_writer_flush(writer));
    }
    make_row_free(&row);
    if (die)
        raise(SIGKILL);
    fn_writer_close(&writer);
}

static void test_closed_and_opened(void **state)
{
    (void)state;
    make_store(&odd_rows, in_folder("a"), NULL);
    for (uint64_t i = 1; i < 40; i++)
        write_some(&odd_rows, in_folder("b"), fn_rng(1, i, 0, 911) % odd_rows.rows, i, 0);
    make_store(&odd_rows, in_folder("b"), NULL);
    same_store(in_folder("a"), in_folder("b"));
}

/* A child that writes and is killed at a row, or after some time, also while it seals. */
static int run_child(const char *path, uint64_t seed, int sealing)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (sealing)
            make_store(&odd_rows, path, NULL);
        else
            write_some(&odd_rows, path, fn_rng(seed, 0, 0, 912) % odd_rows.rows, seed, 1);
        _exit(0);
    }
    if (sealing) {
        usleep((useconds_t)(fn_rng(seed, 1, 0, 912) % (uint64_t)sealing));
        kill(child, SIGKILL);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void test_killed(void **state)
{
    (void)state;
    const char *rounds =
        getenv("FN_SEAL_ROUNDS"); /* tests/long/store_kills.sh asks for many more */
    uint64_t kills = 0;
    make_store(&odd_rows, in_folder("a"), NULL);
    for (uint64_t round = 0; round < (rounds ? strtoull(rounds, NULL, 10) : 6); round++) {
        char path[4200];
        snprintf(path, sizeof path, "%s", in_folder("b"));
        for (uint64_t i = 0; i < 6; i++)
            kills += !run_child(path, round * 100 + i, 0);
        int limit = 60000; /* microseconds; longer and longer, so that it ends on any machine */
        for (uint64_t i = 50; !fn_is_file(in_folder("b/manifest.json")); i++, limit += 20000)
            kills += !run_child(path, round * 100 + i, limit);
        make_store(&odd_rows, in_folder("c"), NULL); /* the same in one go, in between */
        struct fn_store_content content = make_content(&odd_rows);
        struct fn_writer *writer = NULL;
        struct fn_writer_counts counts;
        struct fn_position from;
        assert_int_equal(fn_writer_open(&writer, in_folder("b"), &content, 0, &from, &counts),
                         FN_EEXIST);
        same_store(in_folder("a"), in_folder("b"));
        same_store(in_folder("b"), in_folder("c"));
        assert_ok(fn_remove_tree(in_folder("b")));
        assert_ok(fn_remove_tree(in_folder("c")));
    }
    printf("%" PRIu64 " kills: the same bytes\n", kills);
}

/* A disk that takes no more: a sentence, and the next run goes on from what was committed. */
static void test_write_fails(void **state)
{
    (void)state;
    make_store(&odd_rows, in_folder("a"), NULL);
    for (rlim_t limit = 200000; limit < 2200000; limit += 250000) {
        char path[4200];
        int status = 0;
        snprintf(path, sizeof path, "%s", in_folder("b"));
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            struct fn_store_content content = make_content(&odd_rows);
            struct fn_writer *writer = NULL;
            struct fn_writer_counts counts;
            struct fn_position from;
            struct fn_seal_result sealed;
            struct make_row row = {0};
            const struct rlimit files = {limit, limit};
            signal(SIGXFSZ, SIG_IGN);
            setrlimit(RLIMIT_FSIZE, &files);
            int rc = fn_writer_open(&writer, path, &content, 0, &from, &counts);
            for (uint64_t i = from.line; i < odd_rows.rows && !rc; i++) {
                make_row(&odd_rows, i, &row);
                rc = make_put(writer, &row);
                if (!rc && i % 50 == 0)
                    rc = fn_writer_flush(writer);
            }
            if (!rc)
                rc = fn_writer_seal(writer, NULL, &sealed);
            int said = !rc || strlen(fn_err_text(rc)) > 20;
            fn_writer_close(&writer);
            /* A later limit finds it sealed. */
            _exit(rc == FN_OK || rc == FN_EEXIST || (rc == FN_EIO && said) ? 0 : 1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    if (!fn_is_file(in_folder("b/manifest.json")))
        make_store(&odd_rows, in_folder("b"), NULL);
    same_store(in_folder("a"), in_folder("b"));
}

static void test_refusals(void **state)
{
    (void)state;
    struct make make = {.rows = 50, .classes = 3, .least = 100, .most = 200};
    struct fn_store_content content = make_content(&make);
    struct fn_writer *writer = NULL, *second = NULL;
    struct fn_writer_counts counts;
    struct fn_position from;
    struct fn_store *store = NULL;
    char path[4200];
    snprintf(path, sizeof path, "%s", in_folder("db"));
    assert_int_equal(fn_store_open(&store, path), FN_ENOENT);
    assert_ok(fn_writer_open(&writer, path, &content, 0, &from, &counts));
    assert_int_equal(fn_writer_open(&second, path, &content, 0, &from, &counts), FN_EBUSY);
    assert_non_null(strstr(fn_err_text(FN_EBUSY), "process "));
    assert_int_equal(fn_store_open(&store, path), FN_EBUSY);
    fn_writer_close(&writer);
    assert_int_equal(fn_store_open(&store, path), FN_EFORMAT);
    assert_non_null(strstr(fn_err_text(FN_EFORMAT), content.command));
    struct fn_store_content other = content;
    other.size = 160;
    assert_int_equal(fn_writer_open(&writer, path, &other, 0, &from, &counts), FN_EMISMATCH);
    assert_non_null(strstr(fn_err_text(FN_EMISMATCH), "size 182"));
    other = content;
    other.inputs = "[{\"kind\": \"another\"}]";
    assert_int_equal(fn_writer_open(&writer, path, &other, 0, &from, &counts), FN_EMISMATCH);
    other = content;
    other.selection = "{\"exclude\": \"0123\"}";
    assert_int_equal(fn_writer_open(&writer, path, &other, 0, &from, &counts), FN_EMISMATCH);
    assert_non_null(strstr(fn_err_text(FN_EMISMATCH), "exclude"));
    make_store(&make, path, NULL);
    assert_int_equal(fn_writer_open(&writer, path, &content, 0, &from, &counts), FN_EEXIST);
    assert_int_equal(fn_writer_open(&writer, path, &other, 0, &from, &counts), FN_EMISMATCH);
    assert_ok(fn_writer_open(&writer, path, &other, 1, &from, &counts)); /* overwrite */
    assert_int_equal(counts.rows, 0);
    fn_writer_close(&writer);
    assert_int_equal(fn_store_open(&store, path), FN_EFORMAT);
}

static void test_foreign_folder(void **state)
{
    (void)state;
    struct make make = {.rows = 5, .classes = 3, .least = 100, .most = 200};
    struct fn_store_content content = make_content(&make);
    struct fn_writer *writer = NULL;
    struct fn_writer_counts counts;
    struct fn_position from;
    assert_ok(fn_mkdir_p(in_folder("db")));
    assert_ok(fn_file_write(in_folder("db/thesis.tex"), "x", 1));
    for (int overwrite = 0; overwrite < 2; overwrite++)
        assert_int_equal(
            fn_writer_open(&writer, in_folder("db"), &content, overwrite, &from, &counts),
            FN_EFORMAT);
    assert_true(fn_is_file(in_folder("db/thesis.tex")));
    assert_false(fn_is_dir(in_folder("db/build")));
    assert_int_equal(unlink(in_folder("db/thesis.tex")), 0);
    make_store(&make, in_folder("db"), NULL);
    /* A store that lost its manifest is not built over. */
    assert_int_equal(unlink(in_folder("db/manifest.json")), 0);
    assert_int_equal(fn_writer_open(&writer, in_folder("db"), &content, 0, &from, &counts),
                     FN_EFORMAT);
    assert_true(fn_is_file(in_folder("db/shard-00000.mdb")));
    assert_ok(fn_writer_open(&writer, in_folder("db"), &content, 1, &from, &counts));
    assert_false(fn_is_file(in_folder("db/shard-00000.mdb")));
    fn_writer_close(&writer);
}

static void test_misuse(void **state)
{
    (void)state;
    struct make make = {.rows = 5, .classes = 3, .least = 100, .most = 200};
    struct fn_store_content content = make_content(&make);
    struct fn_writer *writer = NULL;
    struct fn_writer_counts counts;
    struct fn_position from, pos = {.line = 1};
    struct fn_seal_result result;
    struct fn_new_record rec = {"a", "b", 1, 1, FN_CODEC_RAW, 1, 1, (const uint8_t *)"rgb",
                                3,   0,   0};
    assert_ok(fn_writer_open(&writer, in_folder("db"), &content, 0, &from, &counts));
    struct fn_new_record bad = rec;
    bad.class_name = "/";
    assert_int_equal(fn_writer_add(writer, &pos, &bad), FN_EUSAGE);
    bad = rec;
    bad.payload_bytes = 0;
    assert_int_equal(fn_writer_add(writer, &pos, &bad), FN_EUSAGE);
    bad = rec;
    bad.w = 2;
    assert_int_equal(fn_writer_add(writer, &pos, &bad), FN_EUSAGE);
    bad.codec = 9;
    assert_int_equal(fn_writer_add(writer, &pos, &bad), FN_EUSAGE);
    assert_int_equal(fn_writer_reject(writer, &pos, 0, ""), FN_EUSAGE);
    assert_int_equal(fn_writer_pass(writer, &pos, 7), FN_EUSAGE);
    assert_ok(fn_writer_add(writer, &pos, &rec)); /* misuse breaks nothing */
    assert_ok(fn_writer_seal(writer, NULL, &result));
    assert_int_equal(result.records, 1);
    assert_int_equal(fn_writer_seal(writer, NULL, &result), FN_EUSAGE);
    fn_writer_close(&writer);
}

static void test_rejects_in_order(void **state)
{
    (void)state;
    unsigned char *text;
    size_t bytes;
    unsigned input = 0;
    uint64_t line = 0, rows = 0, collisions = 0;
    make_store(&odd_rows, in_folder("db"), NULL);
    assert_ok(fn_file_read(in_folder("db/rejects.tsv"), 1 << 24, &text, &bytes));
    char *at = strchr((char *)text, '\n') + 1;
    while (*at) {
        unsigned this_input;
        uint64_t this_line, offset;
        char reason[64];
        assert_int_equal(sscanf(at, "%u\t%" SCNu64 "\t%" SCNu64 "\t%63s\t", &this_input, &this_line,
                                &offset, reason),
                         4);
        assert_true(this_input > input || (this_input == input && this_line > line));
        assert_int_equal(offset, (this_line - 1) * 1000);
        input = this_input;
        line = this_line;
        collisions += strcmp(reason, "name_collision") == 0;
        if (strcmp(reason, "name_collision") != 0)
            assert_non_null(strstr(at, "a bad letter\\x09at byte 5\n"));
        rows++;
        at = strchr(at, '\n') + 1;
    }
    assert_true(rows > 100 && collisions > 20);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_closed_and_opened, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_write_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_foreign_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(test_misuse, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rejects_in_order, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
