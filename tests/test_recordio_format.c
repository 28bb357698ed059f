/* SPDX-License-Identifier: MIT */
/* RecordIO's bytes: records of one part and of many, frames that are none, headers of pictures. */
#include "tests/test.h"

#include <math.h>

#include "base/rng.h"
#include "ingest/recordio.h"
#include "tests/rec_writer.h"

/* Data with the magic at many places, aligned and not, comes back whole. */
static void parts_are_joined(void **state)
{
    (void)state;
    int most = 0;
    for (uint64_t seed = 0; seed < 400; seed++) {
        uint8_t data[96];
        size_t bytes = (size_t)fn_rng_below(fn_rng(seed, 0, 0, FN_RNG_SAMPLE), sizeof data + 1);
        for (size_t i = 0; i < bytes; i++)
            data[i] = (uint8_t)fn_rng(seed, i, 1, FN_RNG_SAMPLE);
        for (uint64_t k = 0; k < seed % 8 && bytes >= 4; k++) {
            size_t at = (size_t)fn_rng_below(fn_rng(seed, k, 2, FN_RNG_SAMPLE), bytes - 3);
            memcpy(data + (k % 2 ? at : at & ~(size_t)3), "\x0a\x23\xd7\xce", 4);
        }
        struct fn_bytes rec = {NULL, 0, 0};
        int parts = rec_record(&rec, data, bytes);
        most = parts > most ? parts : most;
        for (size_t cut = 0; cut < rec.bytes; cut++)
            assert_int_equal(fn_recordio_frame(rec.data, cut).state, FN_RECORDIO_MORE);
        struct fn_recordio_frame frame = fn_recordio_frame(rec.data, rec.bytes);
        assert_int_equal(frame.state, FN_RECORDIO_WHOLE);
        assert_int_equal(frame.bytes, rec.bytes);
        assert_int_equal(frame.parts, parts);
        assert_int_equal(frame.data_bytes, bytes);
        fn_recordio_join(rec.data, &frame);
        assert_memory_equal(rec.data + FN_RECORDIO_HEAD, data, bytes);
        fn_bytes_free(&rec);
    }
    assert_true(most > 5);
}

static void frames_that_are_none(void **state)
{
    struct fn_bytes rec = {NULL, 0, 0};
    (void)state;
    /* A middle part, a last part, a flag of no meaning: nothing there, next head at 12. */
    for (uint32_t flag = 2; flag < 8; flag++) {
        rec.bytes = 0;
        rec_part(&rec, flag, (const uint8_t *)"abcd", 4);
        rec_part(&rec, 0, (const uint8_t *)"x", 1);
        struct fn_recordio_frame frame = fn_recordio_frame(rec.data, rec.bytes);
        assert_int_equal(frame.state, FN_RECORDIO_DAMAGED);
        assert_int_equal(frame.bytes, 12);
        frame = fn_recordio_frame(rec.data, 19); /* half of the next head */
        assert_int_equal(frame.state, FN_RECORDIO_DAMAGED);
        assert_int_equal(frame.bytes, 0);
    }
    /* A first part that is followed by a whole record. */
    rec.bytes = 0;
    rec_part(&rec, 1, (const uint8_t *)"abcd", 4);
    rec_part(&rec, 0, (const uint8_t *)"x", 1);
    assert_int_equal(fn_recordio_frame(rec.data, rec.bytes).bytes, 12);
    /* A length that reaches over the next record, and one that ends nowhere. */
    rec.data[7] = 0;
    rec.data[4] = 20;
    assert_int_equal(fn_recordio_frame(rec.data, rec.bytes).state, FN_RECORDIO_DAMAGED);
    assert_int_equal(fn_recordio_frame(rec.data, rec.bytes).bytes, 12);
    rec.data[7] = 0x1f;
    assert_int_equal(fn_recordio_frame(rec.data, 12).state, FN_RECORDIO_MORE);
    assert_int_equal(fn_recordio_frame(rec.data, rec.bytes).state, FN_RECORDIO_DAMAGED);
    fn_bytes_free(&rec);
}

static void pictures_and_labels(void **state)
{
    struct fn_bytes rec = {NULL, 0, 0};
    struct fn_recordio_picture p;
    float labels[3] = {5, 6, 7};
    uint32_t number;
    (void)state;
    for (uint32_t n = 0; n < 4; n++) {
        rec.bytes = 0;
        rec_picture(&rec, 0x123456789aULL, n, labels, "JPEG", 4);
        size_t bytes = rec.bytes - FN_RECORDIO_HEAD;
        assert_ok(fn_recordio_parse(rec.data + FN_RECORDIO_HEAD, bytes, &p));
        assert_true(p.label >= 5 && p.label <= 5);
        assert_int_equal(p.labels, n);
        assert_int_equal(p.id, 0x123456789aULL);
        assert_int_equal(p.image_bytes, 4);
        assert_memory_equal(rec.data + FN_RECORDIO_HEAD + p.image_at, "JPEG", 4);
        for (size_t cut = 0; cut < 24 + 4 * n; cut++)
            assert_int_equal(fn_recordio_parse(rec.data + FN_RECORDIO_HEAD, cut, &p), FN_EFORMAT);
    }
    memset(rec.data + FN_RECORDIO_HEAD, 0xff, 4); /* 2^32 - 1 labels */
    assert_int_equal(fn_recordio_parse(rec.data + FN_RECORDIO_HEAD, 40, &p), FN_EFORMAT);
    fn_bytes_free(&rec);

    static const float good[] = {0, -0.0f, 1, 85741, 16777215};
    for (size_t i = 0; i < 5; i++) {
        assert_ok(fn_recordio_class(good[i], &number));
        assert_true((float)number >= good[i] && (float)number <= good[i]);
    }
    const float bad[] = {-1, 0.5f, 16777216, 1e30f, -1e30f, NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(fn_recordio_class(bad[i], &number), FN_EFORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_joined),
        cmocka_unit_test(frames_that_are_none),
        cmocka_unit_test(pictures_and_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
