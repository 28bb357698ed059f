/* SPDX-License-Identifier: MIT */
/* Where the loader's pictures come from: rows of a record, as many as a crop needs; picture files,
 * with and without boxes. */
#include "tests/loader_rig.h"

/* A crop that decodes only the rows it needs is the crop of the whole picture. */
static void only_rows(void **state)
{
    struct place *p = *state;
    static const struct fn_augment kinds[] = {
        {20, 1, 1, 0, 3}, {20, 0, 1, 0, 3}, {24, 1, 0, 0, 3}, {25, 0, 1, 0, 3}, {41, 0, 1, 0, 3}};
    struct fn_source *source = store_source(p->store);
    struct fn_fetch *fetch;
    struct fn_reader *reader;
    struct fn_codec *codec;
    struct fn_image whole = {0}, rotated = {0};
    uint8_t *want = malloc(41 * 41 * 3), *got = malloc(41 * 41 * 3);
    assert_ok(fn_fetch_open(&fetch, source));
    assert_ok(fn_reader_open(&reader, p->store));
    assert_ok(fn_codec_open(&codec));
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (uint64_t id = 0; id < RECORDS; id++) {
            const struct fn_augment *a = &kinds[k];
            struct fn_record rec;
            struct fn_augment_plan plan;
            assert_ok(fn_reader_get(reader, id, &rec));
            assert_ok(fn_augment_plan(a, k, id, rec.w, rec.h, &plan));
            assert_ok(fn_record_decode(codec, &rec, &whole));
            assert_ok(fn_augment_apply(&plan, a->size, &whole, &rotated, want));
            memset(got, 0xee, 41 * 41 * 3);
            assert_ok(fn_fetch_example(fetch, id, a, k, id, got));
            assert_memory_equal(got, want, (size_t)a->size * (size_t)a->size * 3);
        }
    fn_image_free(&whole);
    fn_codec_close(&codec);
    fn_reader_close(&reader);
    fn_fetch_close(&fetch);
    fn_source_close(&source);
    free(want);
    free(got);
}

static const char *const paths[] = {"A/A_0001.jpg", "A/A_0002.png", "B/B_0001.jpg", "B/B_0009.jpg",
                                    "B/text.jpg"};

/* The first three of them, 30 to 32 pixels wide; the fourth is missing, the last no picture. The
 * tree's path is malloc'd. */
static char *write_tree(const struct place *p, struct fn_codec *codec)
{
    char *root = fn_path_join(p->dir, "tree"), path[4096];
    struct fn_image im = {0};
    struct fn_bytes bytes = {0};
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%c", root, paths[i][0]);
        assert_ok(fn_mkdir_p(path));
        make_picture(&im, (uint64_t)i, 30 + i, 24);
        assert_ok(i == 1 ? fn_png_encode(codec, &im, 1, &bytes)
                         : fn_jpeg_encode(codec, &im, 95, 1, &bytes));
        snprintf(path, sizeof path, "%s/%s", root, paths[i]);
        assert_ok(fn_file_write(path, bytes.data, bytes.bytes));
    }
    snprintf(path, sizeof path, "%s/B/text.jpg", root);
    assert_ok(fn_file_write(path, "not a picture", 13));
    fn_bytes_free(&bytes);
    fn_image_free(&im);
    return root;
}

/* All five as one batch; the rig is open afterwards, and the batch not released. */
static void read_all(struct rig *r, struct fn_source *source, struct fn_batch *b)
{
    static uint64_t ids[] = {0, 1, 2, 3, 4};
    static const struct fn_examples e = {ids, NULL, 5};
    static const struct fn_list l = {1, 0, &e};
    struct fn_loader_job j = job(fn_list_order(&l), 0, 0);
    j.on_bad = FN_BAD_MARK;
    rig_open(r, source, 2, 2, BATCH);
    assert_ok(fn_loader_start(r->loader, &j));
    assert_ok(fn_loader_next(r->loader, b));
    assert_int_equal(b->count, 5);
    assert_true(b->ids[0] == 0 && b->ids[1] == 1);
    assert_true(b->ids[3] == FN_NO_ID && b->ids[4] == FN_NO_ID);
}

static void files(void **state)
{
    struct fn_codec *codec;
    struct fn_source *source;
    struct fn_image im = {0};
    struct rig r;
    struct fn_batch b;
    char *root;
    assert_ok(fn_codec_open(&codec));
    root = write_tree(*state, codec);
    assert_ok(fn_source_files(&source, root, paths, 5, NULL, 0));
    read_all(&r, source, &b);
    assert_true(b.ids[2] == 2);
    /* The centre of what the decoder gives. */
    make_picture(&im, 1, 31, 24);
    for (size_t y = 0; y < SIZE; y++)
        assert_memory_equal(b.images + ((SIZE + y) * SIZE) * 3, im.rgb + ((y + 2) * 31 + 5) * 3,
                            SIZE * 3);
    rig_close(&r);
    free(root);
    fn_image_free(&im);
    fn_codec_close(&codec);
}

/* Cropped to the box, resized straight to the size; no face, no picture. */
static void boxes(void **state)
{
    static const char text[] = "A/A_0001.png 1 2 30 24\nA/A_0002.png 3 4 28 20\nB/B_0001.png\n";
    const struct place *p = *state;
    char *root, *path = fn_path_join(p->dir, "boxes.txt");
    struct fn_codec *codec;
    struct fn_source *source;
    struct fn_boxes *list;
    struct fn_image im = {0}, face = {0};
    struct rig r;
    struct fn_batch b;
    assert_ok(fn_codec_open(&codec));
    root = write_tree(p, codec);
    assert_ok(fn_file_write(path, text, strlen(text)));
    assert_ok(fn_boxes_open(&list, path));
    assert_ok(fn_source_files(&source, root, paths, 5, list, SIZE));
    read_all(&r, source, &b);
    assert_true(b.ids[2] == FN_NO_ID);
    make_picture(&im, 1, 31, 24);
    assert_ok(fn_image_crop(&im, 3, 4, 28, 20, &face));
    assert_ok(fn_image_resize(codec, &face, SIZE, SIZE, &im));
    assert_memory_equal(b.images + SIZE * SIZE * 3, im.rgb, SIZE * SIZE * 3);
    rig_close(&r);
    fn_boxes_close(&list);
    free(path);
    free(root);
    fn_image_free(&im);
    fn_image_free(&face);
    fn_codec_close(&codec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_rows),
        cmocka_unit_test(files),
        cmocka_unit_test(boxes),
    };
    return cmocka_run_group_tests(tests, rig_set_up, rig_tear_down);
}
