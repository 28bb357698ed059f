/* SPDX-License-Identifier: MIT */
/* Inputs: rows cut from a stream exactly as they stand there, wherever chunks, blocks and long
 * rows fall; going on from any row; compressed files and archives; trees. */
#include "tests/test.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/rng.h"
#include "ingest/input.h"
#include "ingest/tsv.h"
#include "tests/in_folder.h"

#define HEAD "m.01\t0\tu\tp\tFaceId-0\tAAAAAAAAAAAAAAAAAAAAAA==\t/9j/4AAQSkZJRgABAQ==\n"

static const char *write_file(const char *name, const void *data, size_t bytes)
{
    const char *path = path_of(name);
    assert_ok(fn_file_write(path, data, bytes));
    return path;
}

/* 1 when the program is there and did its work. */
static int shell(const char *command)
{
    char line[8192];
    snprintf(line, sizeof line, "cd '%s' && (%s) 2>/dev/null", folder, command);
    return system(line) == 0;
}

/* Reads the source to its end and compares every item with the text at its place. Rows must follow
 * one another without a gap. Returns their number. */
static size_t check_rows(struct fn_input *s, const char *text, size_t bytes, uint64_t offset,
                         uint64_t line)
{
    struct fn_chunk *chunk = NULL;
    struct fn_budget budget;
    size_t rows = 0;
    assert_ok(fn_budget_open(&budget, 3 * FN_TSV_ROW_MAX));
    assert_ok(fn_chunk_open(&chunk));
    for (;;) {
        fn_chunk_reset(chunk, &budget);
        assert_ok(s->type->read(s, chunk, &budget));
        if (chunk->count == 0)
            break;
        for (size_t i = 0; i < chunk->count; i++, rows++) {
            const struct fn_item *item = &chunk->items[i];
            assert_int_equal(item->pos.offset, offset);
            assert_int_equal(item->pos.line, ++line);
            const char *lf = memchr(text + offset, '\n', bytes - offset);
            size_t end = lf ? (size_t)(lf - text) + 1 : bytes;
            assert_int_equal(item->pos.next, end);
            if (end - offset > FN_TSV_ROW_MAX) {
                assert_int_equal(item->kind, FN_ITEM_REJECT);
                assert_int_equal(item->reason, FN_REJECT_LONG_ROW);
            } else {
                assert_int_equal(item->kind, FN_ITEM_TODO);
                assert_int_equal(item->bytes, end - offset);
                assert_memory_equal(chunk->in.data + item->at, text + offset, item->bytes);
            }
            offset = end;
        }
    }
    assert_int_equal(offset, bytes);
    fn_chunk_reset(chunk, &budget);
    assert_int_equal(budget.left, 3 * FN_TSV_ROW_MAX); /* all was given back */
    fn_chunk_close(&chunk);
    fn_budget_close(&budget);
    return rows;
}

static struct fn_input *open_source(const char *path)
{
    struct fn_input_options how = {"auto"};
    struct fn_input *s = NULL;
    assert_ok(fn_input_open(&s, path, 0, &how));
    return s;
}

/* Lines of many lengths: blank ones, tiny ones, some larger than a chunk, NUL bytes, CR LF. */
static char *make_text(size_t bytes, uint64_t seed, int last_newline, size_t *rows)
{
    char *text = malloc(bytes);
    assert_non_null(text);
    size_t at = sizeof HEAD - 1, n = 0;
    memcpy(text, HEAD, at);
    *rows = 1;
    while (at < bytes) {
        uint64_t bits = fn_rng(seed, n++, 0, FN_RNG_SAMPLE);
        static const size_t most[] = {1, 3, 60, 5000, 20000, 300000, 900000, 2};
        size_t length = (size_t)fn_rng_below(fn_rng(seed, n, 1, FN_RNG_SAMPLE), most[bits % 8]);
        length = length < bytes - at - 1 ? length : bytes - at - 1;
        for (size_t i = 0; i < length; i++)
            text[at + i] = (char)("abc\tdefgh\0\rxyz"[(at + i * 7) % 14]);
        at += length;
        text[at++] = '\n';
        (*rows)++;
    }
    if (!last_newline) {
        text[bytes - 1] = 'x';
        text[bytes - 2] = 'x';
    }
    return text;
}

static void rows_of_all_sizes(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 6; seed++) {
        size_t bytes = 3000000 + (size_t)seed * 77777, rows;
        char *text = make_text(bytes, seed, seed % 2 == 0, &rows);
        struct fn_input *s = open_source(write_file("rows.tsv", text, bytes));
        size_t found = check_rows(s, text, bytes, 0, 0);
        if (seed % 2 == 0)
            assert_int_equal(found, rows);
        fn_input_close(&s);
        free(text);
    }
}

static void only_blank_lines_after_the_first(void **state)
{
    size_t bytes = sizeof HEAD - 1 + 600000;
    char *text = malloc(bytes);
    (void)state;
    assert_non_null(text);
    memset(text, '\n', bytes);
    memcpy(text, HEAD, sizeof HEAD - 1);
    struct fn_input *s = open_source(write_file("blank.tsv", text, bytes));
    assert_int_equal(check_rows(s, text, bytes, 0, 0), 600001);
    fn_input_close(&s);
    free(text);
}

/* The longest row that is taken, one byte more, far more, and one without an end. */
static void long_rows(void **state)
{
    static const size_t lengths[] = {FN_TSV_ROW_MAX, FN_TSV_ROW_MAX + 1, FN_TSV_ROW_MAX + 9999999};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        for (int ended = 0; ended <= 1; ended++) {
            size_t head = sizeof HEAD - 1, bytes = head + lengths[i] + (ended ? head : 0);
            char *text = malloc(bytes);
            assert_non_null(text);
            memcpy(text, HEAD, head);
            memset(text + head, 'A', lengths[i]);
            if (ended) {
                text[head + lengths[i] - 1] = '\n';
                memcpy(text + head + lengths[i], HEAD, head);
            }
            struct fn_input *s = open_source(write_file("long.tsv", text, bytes));
            assert_int_equal(check_rows(s, text, bytes, 0, 0), ended ? 3 : 2);
            fn_input_close(&s);
            free(text);
        }
    }
}

static void going_on_from_any_row(void **state)
{
    size_t bytes = 2000000, rows;
    char *text = make_text(bytes, 9, 0, &rows);
    const char *path = write_file("resume.tsv", text, bytes);
    uint64_t line = 0, offset = 0;
    (void)state;
    while (offset < bytes) {
        const char *lf = memchr(text + offset, '\n', bytes - offset);
        struct fn_position pos = {0, ++line, offset, lf ? (uint64_t)(lf - text) + 1 : bytes};
        offset = pos.next;
        if (line % 7 != 1 && offset < bytes)
            continue;
        struct fn_input *s = open_source(path);
        assert_ok(s->type->seek(s, &pos));
        check_rows(s, text, bytes, offset, line);
        fn_input_close(&s);
    }
    /* In the middle of a row, and behind the end: not the same input. */
    struct fn_input *s = open_source(path);
    struct fn_position wrong = {0, 1, 0, 30};
    assert_int_equal(s->type->seek(s, &wrong), FN_EMISMATCH);
    wrong.next = bytes + 1;
    assert_int_equal(s->type->seek(s, &wrong), FN_EMISMATCH);
    fn_input_close(&s);
    free(text);
}

/* The same rows, however they are wrapped; and again from the middle. */
static void wrapped(void **state)
{
    static const struct {
        const char *command, *file, *says;
    } ways[] = {
        {"gzip -kf w.tsv", "w.tsv.gz", "TSV, gzip, layout aligned7"},
        {"cat w.tsv | split -b 700000 - p. && for f in p.*; do gzip -c $f; done >many.gz",
         "many.gz", "TSV, gzip"},
        {"bzip2 -kf w.tsv", "w.tsv.bz2", "TSV, bzip2"},
        {"xz -kf -T1 -0 w.tsv", "w.tsv.xz", "TSV, xz"},
        {"zstd -qkf w.tsv", "w.tsv.zst", "TSV, zstd"},
        {"tar cf w.tar w.tsv", "w.tar", ": w.tsv, layout"},
        {"mkdir -p d && cp w.tsv d && tar czf w.tgz d", "w.tgz", " + gzip: d/w.tsv, layout"},
        {"python3 -c 'import zipfile as z; f = z.ZipFile(\"w.zip\", \"w\", z.ZIP_DEFLATED); "
         "f.write(\"w.tsv\"); f.close()'",
         "w.zip", "ZIP"},
        {"split -n l/2 w.tsv h. && mkdir -p e && mv h.aa h.ab e && touch e/.x && tar --sort=name "
         "-cf e.tar e",
         "e.tar", "TSV"},
        {"cp w.tsv misnamed.zip", "misnamed.zip", "TSV, layout"},
    };
    size_t bytes = 2500000, rows;
    char *text = make_text(bytes, 3, 1, &rows);
    (void)state;
    write_file("w.tsv", text, bytes);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        if (!shell(ways[i].command)) {
            printf("SKIPPED %s: '%s' failed\n", ways[i].file, ways[i].command);
            continue;
        }
        struct fn_input *s = open_source(path_of(ways[i].file));
        if (!strstr(s->described, ways[i].says))
            fail_msg("%s: '%s' is not in '%s'", ways[i].file, ways[i].says, s->described);
        assert_int_equal(check_rows(s, text, bytes, 0, 0), rows);
        fn_input_close(&s);

        uint64_t line = 0, offset = 0;
        while (offset < bytes / 2) {
            offset =
                (uint64_t)((const char *)memchr(text + offset, '\n', bytes - offset) - text) + 1;
            line++;
        }
        s = open_source(path_of(ways[i].file));
        struct fn_position pos = {0, line, 0, offset};
        assert_ok(s->type->seek(s, &pos));
        assert_int_equal(check_rows(s, text, bytes, offset, line), rows - line);
        fn_input_close(&s);
    }
    free(text);
}

static int read_all(struct fn_input *s, size_t *rows)
{
    struct fn_chunk *chunk = NULL;
    struct fn_budget budget;
    int rc;
    *rows = 0;
    assert_ok(fn_budget_open(&budget, 3 * FN_TSV_ROW_MAX));
    assert_ok(fn_chunk_open(&chunk));
    do {
        fn_chunk_reset(chunk, &budget);
        rc = s->type->read(s, chunk, &budget);
        *rows += rc ? 0 : chunk->count;
    } while (!rc && chunk->count);
    fn_chunk_close(&chunk);
    fn_budget_close(&budget);
    return rc;
}

static void wrapped_and_damaged(void **state)
{
    struct fn_input_options how = {"auto"};
    struct fn_input *s = NULL;
    size_t bytes = 4000000, rows;
    char *text = make_text(bytes, 5, 1, &rows);
    (void)state;
    for (size_t i = sizeof HEAD; i < bytes; i++) /* nothing to compress: the first MiB is there */
        text[i] = text[i] == '\n' ? '\n' : (char)("ABCDEFGHIJKLMNOP"[fn_rng(1, i, 0, 1) & 15]);
    write_file("d.tsv", text, bytes);
    if (shell("gzip -kf d.tsv && head -c 1500000 d.tsv.gz >cut.gz")) {
        s = open_source(path_of("cut.gz"));
        assert_int_equal(read_all(s, &rows), FN_ECORRUPT);
        assert_non_null(strstr(fn_err_text(FN_ECORRUPT), "cut.gz: damaged, or it ends early"));
        fn_input_close(&s);
    }
    if (shell(": | gzip >empty.gz")) {
        assert_int_equal(fn_input_open(&s, path_of("empty.gz"), 0, &how), FN_EFORMAT);
        assert_non_null(strstr(fn_err_text(FN_EFORMAT), "is empty"));
    }
    if (shell("mkdir -p none && tar cf none.tar none")) {
        assert_int_equal(fn_input_open(&s, path_of("none.tar"), 0, &how), FN_EFORMAT);
        assert_non_null(strstr(fn_err_text(FN_EFORMAT), "is empty"));
    }
    if (shell("mkdir -p words && seq 9 >words/list.txt && tar czf words.tgz words")) {
        assert_int_equal(fn_input_open(&s, path_of("words.tgz"), 0, &how), FN_EFORMAT);
        assert_non_null(strstr(fn_err_text(FN_EFORMAT), "neither class folders"));
        assert_non_null(strstr(fn_err_text(FN_EFORMAT), "(1 entry, the first is words/list.txt"));
    }
    write_file("junk.gz", "\x1f\x8b junk that is no gzip file at all", 36);
    assert_int_not_equal(fn_input_open(&s, path_of("junk.gz"), 0, &how), FN_OK);
    assert_null(s);
    free(text);
}

static void pipes(void **state)
{
    size_t bytes = 1500000, rows;
    char *text = make_text(bytes, 4, 0, &rows);
    char command[8192];
    (void)state;
    snprintf(command, sizeof command, "%s", write_file("p.tsv", text, bytes));
    assert_int_equal(mkfifo(path_of("pipe"), 0600), 0);
    assert_true(shell("(dd if=p.tsv bs=1000 status=none >pipe) &"));
    struct fn_input *s = open_source(path_of("pipe"));
    assert_int_equal(s->bytes, 0);
    check_rows(s, text, bytes, 0, 0);
    fn_input_close(&s);
    free(text);
}

static void trees(void **state)
{
    struct fn_input_options how = {"auto"};
    struct fn_input *s = NULL;
    (void)state;
    assert_true(shell("mkdir -p t/b t/a t/empty && printf 1 >t/b/2.jpg && printf 22 >t/b/10.PNG && "
                      "printf 333 >t/a/x.jpeg && printf 4 >t/a/notes.txt && : >t/a/z.jpg"));
    s = open_source(path_of("t"));
    assert_string_equal(s->type->kind, "tree");
    assert_non_null(strstr(s->described, "tree of 4 pictures in 3 folders; 1 other"));
    struct fn_chunk *chunk = NULL;
    struct fn_budget budget;
    struct fn_bytes scratch = {0};
    static const char *const want[] = {"a/x 3", "a/z 0", "b/10 2", "b/2 1"};
    assert_ok(fn_budget_open(&budget, 0));
    assert_ok(fn_chunk_open(&chunk));
    struct fn_position second = {0, 1, 0, 1};
    for (size_t from = 0; from < 2; from++) {
        fn_chunk_reset(chunk, &budget);
        if (from)
            assert_ok(s->type->seek(s, &second));
        assert_ok(s->type->read(s, chunk, &budget));
        assert_int_equal(chunk->count, 4 - from);
        for (size_t i = 0; i < chunk->count; i++) {
            struct fn_row row = {0};
            char text[600];
            assert_int_equal(chunk->items[i].pos.offset, i + from);
            assert_ok(s->type->names(s, chunk, &chunk->items[i], &row));
            assert_ok(s->type->picture(s, &chunk->items[i], &row, &scratch));
            snprintf(text, sizeof text, "%.*s/%.*s %zu", (int)row.class_bytes, row.class_name,
                     (int)row.name_bytes, row.name, row.image_bytes);
            assert_string_equal(text, want[i + from]);
            assert_int_equal(row.reject, row.image_bytes ? 0 : FN_REJECT_EMPTY);
        }
    }
    assert_true(shell("rm t/b/2.jpg")); /* gone since: that file's affair */
    struct fn_row row = {0};
    assert_ok(s->type->picture(s, &chunk->items[2], &row, &scratch));
    assert_int_equal(row.reject, FN_REJECT_IO);
    fn_input_close(&s);
    fn_chunk_close(&chunk);
    fn_budget_close(&budget);
    fn_bytes_free(&scratch);
    assert_true(shell("mkdir -p nothing"));
    assert_int_equal(fn_input_open(&s, path_of("nothing"), 0, &how), FN_EFORMAT);
    assert_int_equal(fn_input_open(&s, path_of("nowhere"), 0, &how), FN_ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_all_sizes),
        cmocka_unit_test(only_blank_lines_after_the_first),
        cmocka_unit_test(long_rows),
        cmocka_unit_test(going_on_from_any_row),
        cmocka_unit_test(wrapped),
        cmocka_unit_test(wrapped_and_damaged),
        cmocka_unit_test(pipes),
        cmocka_unit_test(trees),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
