/* SPDX-License-Identifier: MIT */
/* RecordIO files as inputs: index and list beside them, going on from any record, and damage: cut
 * at every byte, every bit flipped, lengths that lie. */
#include "tests/test.h"

#include "base/file.h"
#include "base/rng.h"
#include "ingest/input.h"
#include "ingest/recordio.h"
#include "ingest/tsv.h"
#include "tests/in_folder.h"
#include "tests/rec_writer.h"

/* Without the fsync of fn_file_write: thousands of files are written here. */
static void put_file(const char *name, const void *data, size_t bytes)
{
    FILE *f = fopen(path_of(name), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, bytes, f), bytes);
    assert_int_equal(fclose(f), 0);
}

static void write_text(const char *name, const char *text)
{
    put_file(name, text, strlen(text));
}

/* A file as insightface's: pictures 1 .. count with two labels, record 0, one record a class. */
struct file {
    struct fn_bytes rec, idx;
    uint64_t at[128], count; /* where each record begins, and how many there are */
};

static void add_record(struct file *f, uint64_t key, uint32_t n, const float *labels,
                       const void *image, size_t bytes)
{
    char line[64];
    f->at[f->count++] = f->rec.bytes;
    snprintf(line, sizeof line, "%llu\t%zu\n", (unsigned long long)key, f->rec.bytes);
    rec_put(&f->idx, line, strlen(line));
    rec_picture(&f->rec, key, n, labels, image, bytes);
}

static struct file make_file(size_t pictures)
{
    struct file f = {.count = 0};
    for (size_t i = 0; i < pictures; i++) {
        char image[64];
        float labels[2] = {(float)(i / 3), 1};
        int n = snprintf(image, sizeof image, "picture %zu%s", i + 1, i % 4 ? "" : " and more");
        memcpy(image + 8, i % 5 ? image + 8 : "\x0a\x23\xd7\xce", 4); /* some of two parts */
        add_record(&f, i + 1, 2, labels, image, (size_t)n);
    }
    float range[2] = {(float)pictures + 1, (float)pictures + 1 + (float)((pictures + 2) / 3)};
    add_record(&f, 0, 2, range, "", 0);
    for (size_t c = 0; c < (pictures + 2) / 3; c++)
        add_record(&f, pictures + 1 + c, 2, range, "", 0);
    return f;
}

static void free_file(struct file *f)
{
    fn_bytes_free(&f->rec);
    fn_bytes_free(&f->idx);
}

static void write_file(const struct file *f, int indexed)
{
    put_file("train.rec", f->rec.data, f->rec.bytes);
    unlink(path_of("train.idx"));
    if (indexed)
        put_file("train.idx", f->idx.data, f->idx.bytes);
}

struct counts {
    size_t pictures, blank, filtered, rejected, bytes;
    uint64_t next, line;
    char first[600], last[600]; /* "class/name" */
};

static void count_item(struct fn_input *s, struct fn_chunk *chunk, const struct fn_item *item,
                       struct counts *c)
{
    struct fn_row row = {0};
    struct fn_bytes scratch = {NULL, 0, 0};
    assert_int_equal(item->pos.offset, c->next); /* without a gap */
    assert_int_equal(item->pos.line, ++c->line);
    assert_true(item->pos.next > item->pos.offset);
    c->next = item->pos.next;
    if (item->kind != FN_ITEM_TODO) {
        assert_int_equal(item->kind, FN_ITEM_FILTERED);
        c->filtered++;
        return;
    }
    assert_ok(s->type->names(s, chunk, item, &row));
    if (!row.reject && !row.class_name) {
        c->blank++;
        return;
    }
    if (!row.reject)
        assert_ok(s->type->picture(s, item, &row, &scratch));
    if (row.reject) {
        c->rejected++;
        return;
    }
    assert_true(fn_name_ok(row.class_name, row.class_bytes));
    assert_true(fn_name_ok(row.name, row.name_bytes));
    uint8_t *copy = malloc(row.image_bytes); /* every byte is there */
    assert_non_null(copy);
    memcpy(copy, row.image, row.image_bytes);
    free(copy);
    c->bytes += row.image_bytes;
    char *text = c->pictures++ ? c->last : c->first;
    snprintf(text, sizeof c->last, "%.*s/%.*s", (int)row.class_bytes, row.class_name,
             (int)row.name_bytes, row.name);
}

/* Reads what is left; c->next and c->line say where that begins. */
static int read_all(struct fn_input *s, struct counts *c)
{
    struct fn_chunk *chunk = NULL;
    struct fn_budget budget;
    int rc;
    assert_ok(fn_budget_open(&budget, 3 * FN_TSV_ROW_MAX));
    assert_ok(fn_chunk_open(&chunk));
    do {
        fn_chunk_reset(chunk, &budget);
        rc = s->type->read(s, chunk, &budget);
        for (size_t i = 0; !rc && i < chunk->count; i++)
            count_item(s, chunk, &chunk->items[i], c);
    } while (!rc && chunk->count);
    fn_chunk_reset(chunk, &budget);
    assert_int_equal(budget.left, 3 * FN_TSV_ROW_MAX);
    fn_chunk_close(&chunk);
    fn_budget_close(&budget);
    return rc;
}

static int open_and_read(const char *path, struct counts *c)
{
    struct fn_input_options how = {"auto"};
    struct fn_input *s = NULL;
    memset(c, 0, sizeof *c);
    int rc = fn_input_open(&s, path, 0, &how);
    if (!rc) {
        assert_string_equal(s->type->kind, "recordio");
        rc = read_all(s, c);
    }
    fn_input_close(&s);
    return rc;
}

static void check_twelve(const char *path, const char *first, const char *last)
{
    struct counts c;
    assert_ok(open_and_read(path_of(path), &c));
    assert_int_equal(c.pictures, 12);
    assert_int_equal(c.blank, 5); /* record 0 and four classes */
    assert_int_equal(c.rejected + c.filtered, 0);
    assert_string_equal(c.first, first);
    assert_string_equal(c.last, last);
}

static void found_by_any_of_its_names(void **state)
{
    struct file f = make_file(12);
    (void)state;
    write_file(&f, 0);
    check_twelve("train.rec", "00000000/1", "00000003/12");
    write_file(&f, 1);
    check_twelve("train.rec", "00000000/1", "00000003/12");
    check_twelve("train.idx", "00000000/1", "00000003/12");
    check_twelve(".", "00000000/1", "00000003/12");
    write_text("train.lst", "1\t0\tw/Ann/1.jpg\n4\t1\tw/Bob/1.jpg\n7\t2\tw/Cy/1.jpg\n");
    check_twelve("train.lst", "Ann/1", "00000003/12"); /* the list has not all of them */
    write_text("train.lst", "1\tw/Ann/1.jpg\t0\n1\tw/Bob/1.jpg\t0\n");
    check_twelve(".", "00000000/1", "00000003/12"); /* it names nothing */
    assert_int_equal(unlink(path_of("train.lst")), 0);
    /* Under another name it is known by its content. */
    assert_int_equal(rename(path_of("train.rec"), path_of("faces.bin")), 0);
    check_twelve("faces.bin", "00000000/1", "00000003/12");
    char line[8192];
    snprintf(line, sizeof line, "cd '%s' && gzip -c faces.bin >train.rec.gz", folder);
    assert_int_equal(system(line), 0);
    check_twelve("train.rec.gz", "00000000/1", "00000003/12");
    snprintf(line, sizeof line,
             "cd '%s' && mkdir -p f && mv faces.bin f/train.rec && touch f/lfw.bin && "
             "echo 4,112,112 >f/property && tar cf f.tar f/property f/lfw.bin f/train.rec",
             folder);
    assert_int_equal(system(line), 0);
    check_twelve("f.tar", "00000000/1", "00000003/12");
    free_file(&f);
}

/* Keys count, not the numbers in the records; a record without one is left out. */
static void the_index_decides(void **state)
{
    struct file f = make_file(3);
    struct counts c;
    char text[256];
    (void)state;
    write_file(&f, 0);
    snprintf(text, sizeof text, "seven\t%llu\nbad/key\t%llu\n0\t%llu\n",
             (unsigned long long)f.at[0], (unsigned long long)f.at[2], (unsigned long long)f.at[3]);
    write_text("train.idx", text);
    assert_ok(open_and_read(path_of("train.rec"), &c));
    assert_string_equal(c.first, "00000000/seven");
    assert_int_equal(c.pictures, 1);
    assert_int_equal(c.filtered, 2); /* the second picture, the class */
    assert_int_equal(c.rejected, 1);
    assert_int_equal(c.blank, 1);
    /* Of another file: the record that it has is inside of one. */
    snprintf(text, sizeof text, "1\t0\n2\t%llu\n", (unsigned long long)f.at[1] + 4);
    write_text("train.idx", text);
    assert_int_equal(open_and_read(path_of("train.rec"), &c), FN_EMISMATCH);
    assert_non_null(strstr(fn_err_text(FN_EMISMATCH), "belongs to another file"));
    assert_int_equal(c.pictures, 1); /* what came before is taken */
    snprintf(text, sizeof text, "1\t0\n2\t%zu\n", f.rec.bytes);
    write_text("train.idx", text);
    assert_int_equal(open_and_read(path_of("train.rec"), &c), FN_ECORRUPT);
    assert_non_null(strstr(fn_err_text(FN_ECORRUPT), "is it still being copied?"));
    write_text("train.idx", "1\t4\n2\t0\n");
    assert_int_equal(open_and_read(path_of("train.rec"), &c), FN_EFORMAT);
    free_file(&f);
}

static void odd_records(void **state)
{
    struct file f = {.count = 0};
    struct counts c;
    float labels[4] = {0.5f, 3, 4, 5};
    (void)state;
    add_record(&f, 0, 0, labels + 1, "a picture", 9); /* number 0, as im2rec begins */
    add_record(&f, 1, 0, labels, "half a class", 12); /* rejected */
    add_record(&f, 2, 0, labels + 1, "", 0);          /* rejected: no picture */
    f.at[f.count++] = f.rec.bytes;
    rec_record(&f.rec, (const uint8_t *)"short", 5); /* rejected */
    add_record(&f, 5, 3, labels + 1, "three labels", 12);
    write_file(&f, 0);
    assert_ok(open_and_read(path_of("train.rec"), &c));
    assert_int_equal(c.rejected, 3);
    assert_int_equal(c.blank, 0);
    assert_string_equal(c.first, "00000003/0");
    assert_string_equal(c.last, "00000003/5");
    free_file(&f);
}

static void going_on_from_any_record(void **state)
{
    struct file f = make_file(20);
    struct fn_input_options how = {"auto"};
    (void)state;
    f.at[f.count] = f.rec.bytes;
    for (int indexed = 0; indexed <= 1; indexed++) {
        write_file(&f, indexed);
        for (uint64_t i = 0; i < f.count; i++) {
            struct fn_position pos = {0, i + 1, f.at[i], f.at[i + 1]};
            struct counts c = {.next = pos.next, .line = pos.line};
            struct fn_input *s = NULL;
            assert_ok(fn_input_open(&s, path_of("train.rec"), 0, &how));
            assert_ok(s->type->seek(s, &pos));
            assert_ok(read_all(s, &c));
            assert_int_equal(c.line, f.count);
            assert_int_equal(c.pictures, i < 19 ? 19 - i : 0);
            assert_int_equal(c.filtered + c.rejected, 0);
            if (c.pictures > 1)
                assert_string_equal(c.last, "00000006/20");
            fn_input_close(&s);
        }
        struct fn_position wrong = {0, 1, 0, f.at[1] + 4};
        struct fn_input *s = NULL;
        assert_ok(fn_input_open(&s, path_of("train.rec"), 0, &how));
        assert_int_equal(s->type->seek(s, &wrong), FN_EMISMATCH);
        fn_input_close(&s);
    }
    free_file(&f);
}

/* ---- damage ---- */

static void cut_at_every_byte(void **state)
{
    struct file f = make_file(8);
    struct counts c;
    size_t all = f.rec.bytes, whole = 0;
    (void)state;
    f.at[f.count] = all;
    for (f.rec.bytes = 0; f.rec.bytes < all; f.rec.bytes++) {
        whole += f.rec.bytes >= f.at[whole + 1];
        write_file(&f, 0);
        int rc = open_and_read(path_of("train.rec"), &c);
        if (f.rec.bytes < FN_RECORDIO_HEAD)
            assert_int_equal(rc, FN_EFORMAT);
        else /* between two records nobody can know */
            assert_int_equal(rc, f.rec.bytes == f.at[whole] ? FN_OK : FN_ECORRUPT);
        if (rc == FN_ECORRUPT)
            assert_non_null(strstr(fn_err_text(rc), "it is cut short"));
        assert_int_equal(c.line, whole); /* what came before is taken */
        if (f.rec.bytes < FN_RECORDIO_HEAD)
            continue;
        write_file(&f, 1); /* but the index does */
        assert_int_equal(open_and_read(path_of("train.rec"), &c), FN_ECORRUPT);
    }
    free_file(&f);
}

static void every_bit_flipped(void **state)
{
    struct file f = make_file(8);
    struct counts c;
    (void)state;
    write_file(&f, 0);
    assert_ok(open_and_read(path_of("train.rec"), &c));
    size_t bytes = c.bytes, silent = 0;
    for (size_t i = 0, record = 0; i < f.rec.bytes; i++) {
        record += record + 1 < f.count && i >= f.at[record + 1];
        int head = i - f.at[record] < FN_RECORDIO_HEAD;
        for (int bit = 0; bit < 8; bit++) {
            f.rec.data[i] ^= (uint8_t)(1 << bit);
            write_file(&f, i % 2);
            int rc = open_and_read(path_of("train.rec"), &c);
            f.rec.data[i] ^= (uint8_t)(1 << bit);
            if (rc == FN_OK) {
                assert_int_equal(c.next, f.rec.bytes);
                assert_true(c.line + 1 >= f.count && c.line <= f.count + 1);
                /* One record is lost at most, and its neighbours are not. */
                assert_true(c.pictures + c.blank + c.filtered + 2 >= f.count);
            }
            int said = rc || c.rejected || c.filtered || c.bytes != bytes;
            silent += !said;
            if (head && !said)
                fail_msg("a flip of bit %d of byte %zu, in the head of record %zu, was not noticed",
                         bit, i, record + 1);
        }
    }
    printf("%zu of %zu flips are in labels, numbers and pictures, which no checksum covers\n",
           silent, 8 * f.rec.bytes);
    free_file(&f);
}

/* The index and the list, flipped: anything but a crash or a name that cannot be one. */
static void every_bit_of_the_index_flipped(void **state)
{
    struct file f = make_file(8);
    struct counts c;
    (void)state;
    for (size_t i = 0; i < f.idx.bytes; i++) {
        for (int bit = 0; bit < 8; bit++) {
            f.idx.data[i] ^= (uint8_t)(1 << bit);
            write_file(&f, 1);
            int rc = open_and_read(path_of("train.rec"), &c);
            f.idx.data[i] ^= (uint8_t)(1 << bit);
            if (rc == FN_OK)
                assert_int_equal(c.pictures + c.blank + c.rejected + c.filtered, f.count);
        }
    }
    free_file(&f);
}

/* Something else between two records, shorter and longer than any buffer. */
static void rubbish_between_records(void **state)
{
    static const size_t lengths[] = {4, 4096, FN_CHUNK_BYTES - 4, FN_CHUNK_BYTES, 3 << 20};
    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct file f = {.count = 0};
        struct counts c;
        float label = 1;
        uint8_t *rubbish = malloc(lengths[i]);
        assert_non_null(rubbish);
        for (size_t b = 0; b < lengths[i]; b++)
            rubbish[b] = (uint8_t)(fn_rng(i, b, 0, FN_RNG_SAMPLE) & 0x7f); /* never the magic */
        add_record(&f, 1, 0, &label, "first", 5);
        rec_put(&f.rec, rubbish, lengths[i]);
        add_record(&f, 2, 0, &label, "second", 6);
        rec_put(&f.rec, rubbish, lengths[i]); /* and behind the last one */
        for (int indexed = 0; indexed <= 1; indexed++) {
            write_file(&f, indexed);
            assert_ok(open_and_read(path_of("train.rec"), &c));
            assert_int_equal(c.pictures, 2);
            assert_int_equal(c.rejected, 2);
            assert_int_equal(c.next, f.rec.bytes);
        }
        free(rubbish);
        free_file(&f);
    }
}

/* Lengths that lie, the longest record that is taken, and longer ones. */
static void long_records(void **state)
{
    static const size_t lengths[] = {300000, FN_TSV_ROW_MAX - 100, FN_TSV_ROW_MAX + FN_CHUNK_BYTES,
                                     FN_TSV_ROW_MAX + 9999999};
    float label = 1;
    struct counts c;
    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct file f = {.count = 0};
        uint8_t *image = calloc(lengths[i], 1);
        assert_non_null(image);
        add_record(&f, 1, 0, &label, "first", 5);
        add_record(&f, 2, 0, &label, image, lengths[i]);
        add_record(&f, 3, 0, &label, "third", 5);
        write_file(&f, 1);
        assert_ok(open_and_read(path_of("train.rec"), &c));
        assert_int_equal(c.pictures, i < 2 ? 3 : 2);
        assert_int_equal(c.rejected, i < 2 ? 0 : 1);
        assert_string_equal(c.last, "00000001/3");
        free(image);
        free_file(&f);
    }
    struct file f = make_file(60);
    memset(f.rec.data + f.at[7] + 4, 0xff, 3); /* record 8 would have 512 MiB */
    f.rec.data[f.at[7] + 7] = 0x1f;
    write_file(&f, 0);
    assert_ok(open_and_read(path_of("train.rec"), &c));
    assert_int_equal(c.pictures, 59);
    assert_int_equal(c.rejected, 1);
    free_file(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_by_any_of_its_names),
        cmocka_unit_test(the_index_decides),
        cmocka_unit_test(odd_records),
        cmocka_unit_test(going_on_from_any_record),
        cmocka_unit_test(cut_at_every_byte),
        cmocka_unit_test(every_bit_flipped),
        cmocka_unit_test(every_bit_of_the_index_flipped),
        cmocka_unit_test(rubbish_between_records),
        cmocka_unit_test(long_records),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
