/* SPDX-License-Identifier: MIT */
/* Rows for store tests: row i is the same wherever and whenever it is made. Mostly records, some
 * rejects, blanks, duplicates and collisions. */
#ifndef FN_TESTS_STORE_ROWS_H
#define FN_TESTS_STORE_ROWS_H

#include <inttypes.h>

#include "base/file.h"
#include "base/image.h"
#include "base/rng.h"
#include "store/store.h"
#include "store/writer.h"
#include "tests/test.h"

struct make {
    uint64_t rows;
    uint64_t classes;
    size_t least, most; /* payload bytes of made-up pictures */
    uint64_t shard_bytes;
    uint64_t min_images;
    int pictures; /* 1: real little PNGs, so that they decode */
    int odd;      /* 1: rejects, blanks, duplicates and collisions among the rows */
};

enum { MAKE_RECORD, MAKE_REJECT, MAKE_SKIP, MAKE_FILTER };

struct make_row {
    int kind;
    struct fn_position pos;
    struct fn_new_record rec;
    char class_name[64], name[64];
    struct fn_bytes payload;
    struct fn_image image;
    struct fn_codec *codec;
};

static inline void make_row_free(struct make_row *row)
{
    fn_bytes_free(&row->payload);
    fn_image_free(&row->image);
    fn_codec_close(&row->codec);
}

/* The picture that content number n has. */
static inline void make_payload(const struct make *make, uint64_t n, struct make_row *row)
{
    if (make->pictures) {
        int w = 8 + (int)(n % 5), h = 9 + (int)(n % 3);
        if (!row->codec)
            assert_ok(fn_codec_open(&row->codec));
        assert_ok(fn_image_reserve(&row->image, w, h));
        for (size_t i = 0; i < (size_t)w * (size_t)h * 3; i++)
            row->image.rgb[i] = (uint8_t)fn_rng(7, n, i, 900);
        assert_ok(fn_png_encode(row->codec, &row->image, 1, &row->payload));
        row->rec.codec = FN_CODEC_PNG;
        row->rec.w = w;
        row->rec.h = h;
    } else {
        size_t bytes =
            make->least + (size_t)fn_rng_below(fn_rng(7, n, 0, 901), make->most - make->least + 1);
        assert_ok(fn_bytes_reserve(&row->payload, bytes + 8));
        for (size_t i = 0; i < bytes; i += 8) {
            uint64_t word = fn_rng(7, n, i, 902);
            memcpy(row->payload.data + i, &word, 8);
        }
        row->payload.bytes = bytes;
        row->rec.codec = FN_CODEC_JPEG;
        row->rec.w = row->rec.h = 182;
    }
    row->rec.payload = row->payload.data;
    row->rec.payload_bytes = row->payload.bytes;
}

static inline void make_row(const struct make *make, uint64_t i, struct make_row *row)
{
    uint64_t dice = fn_rng(7, i, 0, 903) % 100, of = i, content = i;
    row->kind = MAKE_RECORD;
    if (make->odd && dice < 4)
        row->kind = MAKE_REJECT;
    else if (make->odd && dice < 5)
        row->kind = MAKE_SKIP;
    else if (make->odd && dice < 6)
        row->kind = MAKE_FILTER;
    else if (make->odd && dice < 10 && i)
        of = content = i - 1 - fn_rng(7, i, 1, 903) % (i < 50 ? i : 50); /* same name, same bytes */
    else if (make->odd && dice < 13 && i)
        of = i - 1 - fn_rng(7, i, 1, 903) % (i < 50 ? i : 50); /* same name, other bytes */
    row->pos = (struct fn_position){.input = (uint32_t)(i * 2 / (make->rows ? make->rows : 1)),
                                    .line = i + 1,
                                    .offset = i * 1000,
                                    .next = i * 1000 + 1000};
    snprintf(row->class_name, sizeof row->class_name, "m.%" PRIu64,
             fn_rng(7, of, 2, 903) % make->classes);
    snprintf(row->name, sizeof row->name, "%" PRIu64 "-FaceId-%" PRIu64, of % 1000, of / 1000);
    row->rec = (struct fn_new_record){.class_name = row->class_name,
                                      .name = row->name,
                                      .class_bytes = strlen(row->class_name),
                                      .name_bytes = strlen(row->name)};
    if (row->kind == MAKE_RECORD)
        make_payload(make, content, row);
}

static inline int make_put(struct fn_writer *writer, struct make_row *row)
{
    switch (row->kind) {
    case MAKE_REJECT:
        return fn_writer_reject(writer, &row->pos, FN_REJECT_BASE64, "a bad letter\tat byte 5");
    case MAKE_SKIP:
        return fn_writer_pass(writer, &row->pos, FN_PASS_SKIPPED);
    case MAKE_FILTER:
        return fn_writer_pass(writer, &row->pos, FN_PASS_FILTERED);
    default:
        return fn_writer_add(writer, &row->pos, &row->rec);
    }
}

static inline struct fn_store_content make_content(const struct make *make)
{
    return (struct fn_store_content){.size = make->pictures ? 0 : 182,
                                     .codec = make->pictures ? "keep" : "jpeg",
                                     .quality = make->pictures ? 0 : 95,
                                     .shard_bytes = make->shard_bytes,
                                     .min_images = make->min_images,
                                     .inputs = "[{\"kind\": \"made\"}]",
                                     .command = "fn-ingest --store there made.tsv"};
}

/* All rows, from where the folder is, and sealed. */
static inline void make_store(const struct make *make, const char *path,
                              struct fn_seal_result *result)
{
    struct fn_store_content content = make_content(make);
    struct fn_writer *writer = NULL;
    struct fn_writer_counts counts;
    struct fn_position from;
    struct fn_seal_result sealed;
    struct make_row row = {0};
    assert_ok(fn_writer_open(&writer, path, &content, 0, &from, &counts));
    for (uint64_t i = from.line; i < make->rows; i++) {
        make_row(make, i, &row);
        assert_ok(make_put(writer, &row));
    }
    assert_ok(fn_writer_seal(writer, "{\"made\": \"by a test\"}", result ? result : &sealed));
    fn_writer_close(&writer);
    make_row_free(&row);
}

#endif
