/* SPDX-License-Identifier: MIT */
/* Class folders, the aligner's boxes, and faces cut and resized as the aligner's own pictures. */
#include <sys/stat.h>

#include "base/faces.h"
#include "base/file.h"
#include "base/json.h"
#include "tests/test.h"

static char *folder;

static int setup(void **state)
{
    (void)state;
    folder = test_folder();
    return folder == NULL;
}

static int teardown(void **state)
{
    (void)state;
    int rc = fn_remove_tree(folder);
    free(folder);
    return rc;
}

static const char *at(const char *name)
{
    static char path[4][4096];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

/* Not fn_file_write: hundreds of fsyncs take seconds. */
static void put(const char *name, const char *text)
{
    FILE *f = fopen(at(name), "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void test_tree_is_sorted_by_bytes(void **state)
{
    /* by bytes: digits, capitals, _, small letters, UTF-8; m.10 before m.2 */
    static const char *const classes[] = {"0", "B", "Zoe", "_", "a", "m.10", "m.2", "\xc3\xa9"};
    static const char *const files[] = {"A.jpg",      "B.JPG",    "a.PnG", "a_0001.jpeg",
                                        "a_0010.png", "a_01.png", "b.jpg"};
    struct fn_tree *tree;
    char name[512];
    (void)state;
    assert_ok(fn_mkdir_p(at("tree/empty")));
    for (size_t c = 8; c-- > 0;) {
        snprintf(name, sizeof name, "tree/%s", classes[c]);
        assert_ok(fn_mkdir_p(at(name)));
        for (size_t f = 7; f-- > 0;) {
            snprintf(name, sizeof name, "tree/%s/%s", classes[c], files[f]);
            put(name, "x");
        }
    }
    put("tree/beside.jpg", "x");                    /* 1 */
    put("tree/.hidden", "x");                       /* 2 */
    put("tree/a/.b.jpg", "x");                      /* 3 */
    put("tree/a/notes.txt", "x");                   /* 4 */
    put("tree/a/jpg", "x");                         /* 5 */
    put("tree/a/.jpg", "x");                        /* 6: hidden, and no name before the ending */
    assert_ok(fn_mkdir_p(at("tree/a/deeper.jpg"))); /* 7 */
    put("tree/a/deeper.jpg/c.jpg", "x");
    assert_int_equal(symlink("nowhere", at("tree/a/dead.jpg")), 0); /* 8 */
    assert_int_equal(symlink("../B/A.jpg", at("tree/a/linked.jpg")), 0);
    assert_int_equal(symlink("a", at("tree/linked")), 0);
    assert_int_equal(mkfifo(at("tree/0/pipe.jpg"), 0600), 0); /* 9 */
    assert_ok(fn_tree_open(&tree, at("tree")));
    assert_int_equal(tree->class_count, 10);
    assert_string_equal(tree->classes[5], "empty");
    assert_string_equal(tree->classes[6], "linked");
    for (size_t c = 0; c < 8; c++)
        assert_string_equal(tree->classes[c < 5 ? c : c + 2], classes[c]);
    assert_int_equal(tree->file_count, 8 * 7 + 1 + 8);
    /* class a is seen again through its link: what is left out there counts again */
    assert_int_equal(tree->left_out, 9 + 6);
    assert_true(tree->left && strlen(tree->left) > 0);
    assert_int_equal(tree->loose, 1); /* tree/beside.jpg */
    for (size_t f = 0; f < tree->file_count; f++) {
        const struct fn_tree_file *file = &tree->files[f];
        size_t n = strlen(tree->classes[file->class_index]);
        assert_memory_equal(file->path, tree->classes[file->class_index], n);
        assert_int_equal(file->path[n], '/');
        if (f > 0 && file->class_index == file[-1].class_index)
            assert_true(strcmp(file[-1].path, file->path) < 0);
        else if (f > 0)
            assert_true(file[-1].class_index < file->class_index);
    }
    assert_string_equal(tree->files[0].path, "0/A.jpg");
    assert_string_equal(tree->files[3].path, "0/a_0001.jpeg");
    fn_tree_close(&tree);
    assert_null(tree);
}

static void test_many_classes(void **state)
{
    enum { MANY = 300 }; /* past the first 256, where the lists grow */
    struct fn_tree *tree;
    char name[64];
    (void)state;
    assert_ok(fn_mkdir_p(at("many")));
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "many/c%d", i * 7919 % MANY);
        assert_int_equal(mkdir(at(name), 0777), 0);
        snprintf(name, sizeof name, "many/c%d/%040d.png", i * 7919 % MANY, i);
        put(name, "");
    }
    assert_ok(fn_tree_open(&tree, at("many")));
    assert_int_equal(tree->class_count, MANY);
    assert_int_equal(tree->file_count, MANY);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(tree->files[i].class_index, i);
    fn_tree_close(&tree);
}

static void test_no_tree(void **state)
{
    struct fn_tree *tree;
    (void)state;
    assert_int_equal(fn_tree_open(&tree, at("missing")), FN_ENOENT);
    assert_null(tree);
    assert_non_null(strstr(fn_err_text(FN_ENOENT), "missing"));
    put("plain", "x");
    assert_int_not_equal(fn_tree_open(&tree, at("plain")), FN_OK);
    assert_ok(fn_mkdir_p(at("bare")));
    assert_ok(fn_tree_open(&tree, at("bare")));
    assert_int_equal(tree->class_count + tree->file_count + tree->left_out, 0);
    fn_tree_close(&tree);
    fn_tree_close(&tree);
}

static void test_boxes(void **state)
{
    struct fn_boxes *boxes;
    struct fn_box box;
    (void)state;
    put("boxes.txt", "/data/out/Ann_Lee/Ann_Lee_0001.png 71 51 188 199\n"
                     "Bo/Bo_1.png 0 0 1 1\r\n"
                     "\n"
                     "Bo/Bo_2.png\n"
                     "  m.01/0-FaceId-0\t-3 4  500 600  \n"
                     "alone.jpg 1 2 3 4\n"
                     "St._John/St._John_0001 5 6 7 8\n"
                     "with blank/a b.png 9 9 10 10\n"
                     "with blank/no face.png\n"
                     "Bo/Bo_1.JPG 0 0 1 1\n"
                     "7/42 1 2 3 4\n"
                     "last/line.png 1 2 3 4");
    assert_ok(fn_boxes_open(&boxes, at("boxes.txt")));
    assert_int_equal(fn_boxes_count(boxes), 10); /* Bo_1 twice the same: one */
    assert_int_equal(fn_boxes_find(boxes, "Ann_Lee/Ann_Lee_0001.jpg", &box), FN_BOX_FOUND);
    assert_int_equal(box.x1, 71);
    assert_int_equal(box.y1, 51);
    assert_int_equal(box.x2, 188);
    assert_int_equal(box.y2, 199);
    assert_int_equal(fn_boxes_find(boxes, "Ann_Lee/Ann_Lee_0001", &box), FN_BOX_FOUND);
    assert_int_equal(fn_boxes_find(boxes, "/x/Ann_Lee/Ann_Lee_0001.JPEG", &box), FN_BOX_FOUND);
    assert_int_equal(fn_boxes_find(boxes, "Ann_Lee_0001.png", &box), FN_BOX_UNKNOWN);
    assert_int_equal(fn_boxes_find(boxes, "Ann_Lee/Ann_Lee_00011.png", &box), FN_BOX_UNKNOWN);
    assert_int_equal(fn_boxes_find(boxes, "Bo/Bo_2.jpg", &box), FN_BOX_NO_FACE);
    assert_int_equal(fn_boxes_find(boxes, "m.01/0-FaceId-0", &box), FN_BOX_FOUND);
    assert_int_equal(box.x1, -3);
    assert_int_equal(fn_boxes_find(boxes, "alone.png", &box), FN_BOX_FOUND);
    assert_int_equal(fn_boxes_find(boxes, "St._John/St._John_0001.png", &box), FN_BOX_FOUND);
    assert_int_equal(fn_boxes_find(boxes, "St._John/St", &box), FN_BOX_UNKNOWN);
    assert_int_equal(fn_boxes_find(boxes, "with blank/a b.jpg", &box), FN_BOX_FOUND);
    assert_int_equal(fn_boxes_find(boxes, "with blank/no face.jpg", &box), FN_BOX_NO_FACE);
    assert_int_equal(fn_boxes_find(boxes, "7/42", &box), FN_BOX_FOUND);
    assert_int_equal(fn_boxes_find(boxes, "last/line.png", &box), FN_BOX_FOUND);
    assert_int_equal(box.y2, 4);
    assert_int_equal(fn_boxes_find(boxes, "", &box), FN_BOX_UNKNOWN);
    fn_boxes_close(&boxes);
    fn_boxes_close(&boxes);
}

static void test_bad_boxes(void **state)
{
    static const struct {
        const char *text;
        int line;
        const char *says;
    } bad[] = {
        {"a/b.png 1 2 3\n", 1, "left, top, right, bottom"},
        {"a/a.png\na/b.png 1 2 3 4 5\n", 2, "left, top, right, bottom"},
        {"a/b.png 1\n", 1, "left, top, right, bottom"},
        {"1 2 3 4\n", 1, "left, top, right, bottom"},
        {"a/b.png 1 2 3.5 4\n", 1, "whole"},
        {"a/b.png 1 2 3 99999999999\n", 1, "whole"},
        {"a/b.png 5 2 5 4\n", 1, "empty box"},
        {"a/b.png 1 7 5 4\n", 1, "empty box"},
        {"\n\na/b.png 1 2 3 4\n\na/b.jpg 1 2 3 5\n", 5, "on line 3"},
        {"a/b.png\na/b.png 1 2 3 5\n", 2, "a/b"},
    };
    struct fn_boxes *boxes;
    char start[4200];
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put("bad.txt", bad[i].text);
        int rc = fn_boxes_open(&boxes, at("bad.txt"));
        assert_int_equal(rc, FN_EFORMAT);
        assert_null(boxes);
        snprintf(start, sizeof start, "%s:%d: ", at("bad.txt"), bad[i].line);
        if (!strstr(fn_err_text(rc), bad[i].says) || strncmp(fn_err_text(rc), start, strlen(start)))
            fail_msg("'%s' should begin with '%s' and say '%s'", fn_err_text(rc), start,
                     bad[i].says);
    }
    assert_int_equal(fn_boxes_open(&boxes, at("missing.txt")), FN_ENOENT);
    put("bad.txt", "");
    assert_ok(fn_boxes_open(&boxes, at("bad.txt")));
    assert_int_equal(fn_boxes_count(boxes), 0);
    struct fn_box box;
    assert_int_equal(fn_boxes_find(boxes, "a/b", &box), FN_BOX_UNKNOWN);
    fn_boxes_close(&boxes);
}

static void test_real_boxes(void **state)
{
    struct fn_boxes *boxes;
    struct fn_box box;
    (void)state;
    need_data("bounding_boxes-part.txt");
    assert_ok(fn_boxes_open(&boxes, test_data("bounding_boxes-part.txt")));
    assert_int_equal(fn_boxes_count(boxes), 5894);
    assert_int_equal(fn_boxes_find(boxes, "lfw/Aaron_Sorkin/Aaron_Sorkin_0002.jpg", &box),
                     FN_BOX_FOUND);
    assert_int_equal(box.x1, 54);
    assert_int_equal(box.y2, 204);
    fn_boxes_close(&boxes);
}

/* ---- faces against the aligner's ---- */

static struct fn_box box_of(const json_t *c, const char *key)
{
    const json_t *v = json_object_get(c, key);
    assert_int_equal(json_array_size(v), 4);
    return (struct fn_box){(int)json_integer_value(json_array_get(v, 0)),
                           (int)json_integer_value(json_array_get(v, 1)),
                           (int)json_integer_value(json_array_get(v, 2)),
                           (int)json_integer_value(json_array_get(v, 3))};
}

static void check_face(struct fn_codec *codec, const json_t *c, const uint8_t *data, size_t bytes)
{
    static const struct {
        const char *png, *box;
        int size;
    } kinds[] = {{"png_182", "box_m44", 182}, {"png_160", "box_m32", 160}};
    for (size_t k = 0; k < 2; k++) {
        struct fn_face_scratch scratch = {0};
        struct fn_image want = {0}, got = {0};
        struct fn_box box = box_of(c, kinds[k].box);
        unsigned char *png;
        size_t png_bytes;
        char name[512];
        const char *file = json_string_value(json_object_get(c, kinds[k].png));
        snprintf(name, sizeof name, "mtcnn/align/%s", file);
        assert_ok(fn_file_read(test_data(name), 1 << 24, &png, &png_bytes));
        assert_ok(fn_face_prepare(codec, png, png_bytes, NULL, 0, &scratch, &want));
        assert_ok(fn_face_prepare(codec, data, bytes, &box, kinds[k].size, &scratch, &got));
        assert_int_equal(got.w, want.w);
        assert_int_equal(got.h, want.h);
        assert_memory_equal(got.rgb, want.rgb, (size_t)got.w * (size_t)got.h * 3);
        free(png);
        fn_face_scratch_free(&scratch);
        fn_image_free(&want);
        fn_image_free(&got);
    }
}

/* A file of a plain tar: headers of 512 bytes, the size in octal at 124. NULL: not there. */
static const uint8_t *in_tar(const struct fn_map *tar, const char *name, size_t *bytes)
{
    for (size_t p = 0; p + 512 <= tar->bytes && tar->data[p];) {
        const char *header = (const char *)tar->data + p;
        *bytes = strtoul(header + 124, NULL, 8);
        if (strncmp(header, name, 100) == 0)
            return tar->data + p + 512;
        p += 512 + (*bytes + 511) / 512 * 512;
    }
    return NULL;
}

/* Those pictures whose crops are there as PNG. */
static void test_faces_equal_the_aligners(void **state)
{
    struct fn_codec *codec;
    struct fn_map tar;
    json_t *json, *c;
    size_t i, bytes = 0, seen = 0;
    (void)state;
    need_data("mtcnn/align/align.json");
    need_data("lfw-part.tar");
    assert_ok(fn_json_load(test_data("mtcnn/align/align.json"), 1 << 24, &json));
    assert_ok(fn_codec_open(&codec));
    assert_ok(fn_map_open(&tar, test_data("lfw-part.tar")));
    json_array_foreach(json, i, c)
    {
        char name[256];
        if (!json_object_get(c, "png_182"))
            continue;
        snprintf(name, sizeof name, "lfw/%s", json_string_value(json_object_get(c, "image")));
        const uint8_t *data = in_tar(&tar, name, &bytes);
        assert_non_null(data);
        check_face(codec, c, data, bytes);
        seen++;
    }
    assert_int_equal(seen, 2);
    fn_map_close(&tar);
    fn_codec_close(&codec);
    json_decref(json);
}

static void test_prepare(void **state)
{
    struct fn_face_scratch scratch = {0};
    struct fn_image im = {0}, want = {0}, got = {0};
    struct fn_bytes png = {0};
    struct fn_codec *codec;
    (void)state;
    assert_ok(fn_codec_open(&codec));
    assert_ok(fn_image_reserve(&im, 40, 30));
    for (int i = 0; i < 40 * 30 * 3; i++)
        im.rgb[i] = (uint8_t)(i * 7 + i / 120);
    assert_ok(fn_png_encode(codec, &im, 3, &png));
    for (int round = 0; round < 3; round++) { /* whatever the scratch holds */
        struct fn_box whole = {0, 0, 40, 30}, part = {3, 4, 38, 30}, square = {5, 5, 25, 25};
        assert_ok(fn_face_prepare(codec, png.data, png.bytes, NULL, 0, &scratch, &got));
        assert_memory_equal(got.rgb, im.rgb, 40 * 30 * 3);
        assert_ok(fn_face_prepare(codec, png.data, png.bytes, &whole, 0, &scratch, &got));
        assert_memory_equal(got.rgb, im.rgb, 40 * 30 * 3);
        assert_ok(fn_face_prepare(codec, png.data, png.bytes, &part, 0, &scratch, &got));
        assert_ok(fn_image_crop(&im, 3, 4, 38, 30, &want));
        assert_int_equal(got.w, 35);
        assert_memory_equal(got.rgb, want.rgb, 35 * 26 * 3);
        assert_ok(fn_face_prepare(codec, png.data, png.bytes, &part, 51, &scratch, &got));
        struct fn_image resized = {0};
        assert_ok(fn_image_resize(codec, &want, 51, 51, &resized));
        assert_memory_equal(got.rgb, resized.rgb, 51 * 51 * 3);
        fn_image_free(&resized);
        assert_ok(fn_face_prepare(codec, png.data, png.bytes, &square, 20, &scratch, &got));
        assert_ok(fn_image_crop(&im, 5, 5, 25, 25, &want));
        assert_memory_equal(got.rgb, want.rgb, 20 * 20 * 3);
        static const struct fn_box outside[] = {{0, 0, 41, 30}, {0, 0, 40, 31}, {-1, 0, 9, 9},
                                                {0, -1, 9, 9},  {9, 9, 9, 12},  {9, 9, 8, 12}};
        for (size_t i = 0; i < 6; i++)
            assert_int_equal(
                fn_face_prepare(codec, png.data, png.bytes, &outside[i], 9, &scratch, &got),
                FN_EMISMATCH);
        assert_int_equal(fn_face_prepare(codec, png.data, 50, NULL, 9, &scratch, &got),
                         FN_ECORRUPT);
    }
    fn_codec_close(&codec);
    fn_bytes_free(&png);
    fn_image_free(&im);
    fn_image_free(&want);
    fn_image_free(&got);
    fn_face_scratch_free(&scratch);
}

static void test_endings(void **state)
{
    (void)state;
    assert_int_equal(fn_picture_ending("a.jpg", 5), 4);
    assert_int_equal(fn_picture_ending("a.JpEg", 6), 5);
    assert_int_equal(fn_picture_ending("a.b.PNG", 7), 4);
    assert_int_equal(fn_picture_ending(".png", 4), 0);
    assert_int_equal(fn_picture_ending("apng", 4), 0);
    assert_int_equal(fn_picture_ending("a.gif", 5), 0);
    assert_int_equal(fn_picture_ending("", 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree_is_sorted_by_bytes),
        cmocka_unit_test(test_many_classes),
        cmocka_unit_test(test_no_tree),
        cmocka_unit_test(test_boxes),
        cmocka_unit_test(test_bad_boxes),
        cmocka_unit_test(test_real_boxes),
        cmocka_unit_test(test_faces_equal_the_aligners),
        cmocka_unit_test(test_prepare),
        cmocka_unit_test(test_endings),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
