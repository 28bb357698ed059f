/* SPDX-License-Identifier: MIT */
/* LFW's pairs: the file, and the pictures it names, in a tree or a store. */
#include "train/lfw.h"

#include "base/file.h"
#include "tests/make_store.h"

static struct fn_pairs *parse(const char *text)
{
    struct fn_pairs *p;
    assert_ok(fn_pairs_parse(&p, text, strlen(text), "pairs.txt"));
    return p;
}

static void check_pair(const struct fn_pairs *p, size_t i, const char *a, uint32_t na,
                       const char *b, uint32_t nb, int same)
{
    assert_true(i < p->count);
    assert_string_equal(p->pair[i].name[0], a);
    assert_string_equal(p->pair[i].name[1], b);
    assert_int_equal(p->pair[i].number[0], na);
    assert_int_equal(p->pair[i].number[1], nb);
    assert_int_equal(p->pair[i].same, same);
}

static void lines(void **state)
{
    (void)state;
    struct fn_pairs *p =
        parse("10\t300\nA_B\t1\t4\r\n\nC 0002 D\t17  \n  E\t1\tE\t2\nF G\t1\tH I\t2");
    assert_int_equal(p->count, 4);
    check_pair(p, 0, "A_B", 1, "A_B", 4, 1);
    check_pair(p, 1, "C", 2, "D", 17, 0);
    check_pair(p, 2, "E", 1, "E", 2, 0); /* written with two names: a different pair */
    check_pair(p, 3, "F G", 1, "H I", 2, 0);
    assert_int_equal(p->pair[1].line, 4);
    fn_pairs_close(&p);
    fn_pairs_close(&p);
    p = parse("A 1 2\nB 1 2\n"); /* no header */
    assert_int_equal(p->count, 2);
    fn_pairs_close(&p);
    p = parse("10 300 300\nB 1 2\n"); /* a header of three numbers is no pair */
    assert_int_equal(p->count, 1);
    fn_pairs_close(&p);
    p = parse("words\n12 1 2\n"); /* but a person may be called 12 */
    check_pair(p, 0, "12", 1, "12", 2, 1);
    fn_pairs_close(&p);
}

static void bad_lines(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
        size_t bytes;
    } bad[] = {
        {"", "pairs.txt: not one pair", 0},
        {"10 300\n\n", "pairs.txt: not one pair", 0},
        {"1\nA 1\n", "pairs.txt:2: 2 words", 0},
        {"1\nA 1 2\nA 1 B 2 C\n", "pairs.txt:3: 5 words", 0},
        {"1\nA 1 B 2 C 3 D 4\n", "pairs.txt:2: 8 words", 0},
        {"1\nA x 2\n", "pairs.txt:2: 'x' is not the number", 0},
        {"1\nA 1 -2\n", "pairs.txt:2: '-2' is not the number", 0},
        {"1\nA 1 B 1234567890\n", "pairs.txt:2: '1234567890' is not the number", 0},
        {"1\nA/../B 1 2\n", "pairs.txt:2: the name of person 1", 0},
        {"1\nA 1 .. 2\n", "pairs.txt:2: the name of person 2", 0},
        {"1\nA\0B 1 2\n", "pairs.txt:2: the name of person 1", 10},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fn_pairs *p = (void *)&bad;
        size_t bytes = bad[i].bytes ? bad[i].bytes : strlen(bad[i].text);
        int rc = fn_pairs_parse(&p, bad[i].text, bytes, "pairs.txt");
        assert_null(p);
        if (rc != FN_EFORMAT || !strstr(fn_err_text(rc), bad[i].says))
            fail_msg("'%s' gives %d '%s', want '%s'", bad[i].text, rc, fn_err_text(rc),
                     bad[i].says);
    }
}

static void touch(const char *root, const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", root, folder);
    assert_ok(fn_mkdir_p(path));
    snprintf(path, sizeof path, "%s/%s/%s", root, folder, name);
    assert_ok(fn_file_write(path, "x", 1));
}

static void tree(void **state)
{
    (void)state;
    char *dir = test_folder(), *list = fn_path_join(dir, "boxes.txt");
    struct fn_lfw *lfw;
    struct fn_boxes *boxes;
    touch(dir, "A", "A_0001.jpg");
    touch(dir, "A", "A_0001.png");
    touch(dir, "A", "A_0002.png");
    touch(dir, "B", "B_0001.jpg");
    touch(dir, "B", "B_12345.jpg");
    struct fn_pairs *p = parse("1 5\nA 1 2\nA 1 B 1\nA 3 B 1\nC 1 2\nB 12345 A 2\nA 3 4\n");
    assert_ok(fn_lfw_from_tree(&lfw, p, dir, NULL));
    assert_int_equal(lfw->images, 4);
    assert_string_equal(lfw->paths[0], "A/A_0001.jpg"); /* .jpg before .png */
    assert_string_equal(lfw->paths[1], "A/A_0002.png");
    assert_string_equal(lfw->paths[2], "B/B_0001.jpg");
    assert_string_equal(lfw->paths[3], "B/B_12345.jpg");
    assert_int_equal(lfw->pairs, 3);
    assert_int_equal(lfw->skipped, 3);
    assert_int_equal(lfw->missing, 4);
    assert_string_equal(lfw->first_missing[0], "A/A_0003.jpg");
    assert_string_equal(lfw->first_missing[2], "C/C_0002.jpg");
    static const uint32_t want[] = {0, 1, 0, 2, 3, 1};
    assert_memory_equal(lfw->pair, want, sizeof want);
    assert_memory_equal(lfw->same, "\1\0\0", 3);
    assert_ok(fn_lfw_drop(lfw, (const uint8_t *)"\0\0\1\0")); /* B_0001 cannot be read */
    assert_int_equal(lfw->pairs, 2);
    assert_int_equal(lfw->skipped, 4);
    assert_int_equal(fn_lfw_drop(lfw, (const uint8_t *)"\0\1\0\0"), FN_ENOENT);
    fn_lfw_close(&lfw);
    fn_lfw_close(&lfw);
    /* A picture without a face in the boxes file is as good as missing. */
    const char *text = "A/A_0001.png 1 1 5 5\nA/A_0002.png 1 1 5 5\nB/B_0001.png\n";
    assert_ok(fn_file_write(list, text, strlen(text)));
    assert_ok(fn_boxes_open(&boxes, list));
    assert_ok(fn_lfw_from_tree(&lfw, p, dir, boxes));
    assert_int_equal(lfw->pairs, 1);
    assert_int_equal(lfw->skipped, 5);
    fn_lfw_close(&lfw);
    fn_boxes_close(&boxes);
    fn_pairs_close(&p);
    p = parse("1 1\nX 1 2\n");
    assert_int_equal(fn_lfw_from_tree(&lfw, p, dir, NULL), FN_ENOENT);
    assert_non_null(strstr(fn_err_text(FN_ENOENT), "the first missing is X/X_0001.jpg"));
    assert_null(lfw);
    assert_ok(fn_remove_tree(dir));
    assert_int_equal(fn_lfw_from_tree(&lfw, p, dir, NULL), FN_ENOENT);
    fn_pairs_close(&p);
    free(list);
    free(dir);
}

static void store(void **state)
{
    (void)state;
    static const int images[] = {3, 1};
    char *dir = test_folder(), *path = fn_path_join(dir, "db");
    struct fn_store *db;
    struct fn_lfw *lfw;
    make_store(&(struct make_store){path, images, 2, 8, 8, FN_CODEC_RAW, 0});
    assert_ok(fn_store_open(&db, path));
    struct fn_pairs *p = parse("1 4\nperson000 3 1\nperson000 1 person001 1\nperson001 1 2\n"
                               "nobody 1 2\nperson000 2 3\n");
    assert_ok(fn_lfw_from_store(&lfw, p, db));
    assert_true(lfw->images == 4 && lfw->pairs == 3 && lfw->skipped == 2 && lfw->missing == 3);
    static const uint32_t want[] = {0, 1, 1, 2, 3, 0};
    assert_memory_equal(lfw->pair, want, sizeof want);
    for (size_t i = 0; i < 4; i++) {
        static const char *const names[] = {"person000_0003", "person000_0001", "person001_0001",
                                            "person000_0002"};
        struct fn_reader *reader;
        struct fn_record rec;
        assert_ok(fn_reader_open(&reader, db));
        assert_ok(fn_reader_get(reader, lfw->ids[i], &rec));
        assert_true(rec.name_bytes == 14 && memcmp(rec.name, names[i], 14) == 0);
        fn_reader_close(&reader);
    }
    assert_string_equal(lfw->first_missing[0], "person001/person001_0002");
    fn_lfw_close(&lfw);
    fn_pairs_close(&p);
    p = parse("1 1\nX 1 2\n");
    assert_int_equal(fn_lfw_from_store(&lfw, p, db), FN_ENOENT);
    assert_non_null(strstr(fn_err_text(FN_ENOENT), "the first missing is X/X_0001"));
    fn_pairs_close(&p);
    fn_store_close(&db);
    assert_ok(fn_remove_tree(dir));
    free(path);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
        cmocka_unit_test(bad_lines),
        cmocka_unit_test(tree),
        cmocka_unit_test(store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
