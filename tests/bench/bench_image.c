/* SPDX-License-Identifier: MIT */
/* What a picture costs: decode, resize, encode, and the chain of them that ingest is made of.
 *
 *     bench_image [IMAGE [SIZE]]      default: a drawn 250 x 250 JPEG (quality 90), 182
 *
 * A line a step: microseconds of processor time (the least of several runs on one core, which
 * others on the machine change little), images/s, and the cost as a share of the decode. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/faces.h"
#include "base/file.h"
#include "base/image_internal.h"
#include "base/rng.h"

struct bench {
    struct fn_codec *codec;
    const uint8_t *data;
    size_t bytes;
    int size;
    struct fn_image decoded, face, turned;
    struct fn_face_scratch scratch;
    struct fn_bytes out;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void check(int rc)
{
    if (rc == FN_OK)
        return;
    fprintf(stderr, "bench_image: %s\n", fn_err_text(rc));
    exit(1);
}

static int decode(struct bench *b)
{
    return fn_image_decode(b->codec, b->data, b->bytes, 0, &b->decoded, NULL);
}

static int resize(struct bench *b)
{
    return fn_image_resize(b->codec, &b->decoded, b->size, b->size, &b->face);
}

static int resize_plain(struct bench *b)
{
    fn_resizer_use(b->codec->resizer, &fn_resize_plain);
    int rc = resize(b);
    fn_resizer_use(b->codec->resizer, NULL);
    return rc;
}

static int resize_avx2(struct bench *b)
{
    fn_resizer_use(b->codec->resizer, fn_resize_avx2()); /* NULL: the best there is */
    int rc = resize(b);
    fn_resizer_use(b->codec->resizer, NULL);
    return rc;
}

static int encode(struct bench *b)
{
    return fn_jpeg_encode(b->codec, &b->face, 95, 1, &b->out);
}

static int encode_png(struct bench *b)
{
    return fn_png_encode(b->codec, &b->face, 6, &b->out);
}

static int rotate(struct bench *b)
{
    return fn_image_rotate(&b->face, 7.5, &b->turned);
}

static int chain(struct bench *b)
{
    int rc = fn_face_prepare(b->codec, b->data, b->bytes, NULL, b->size, &b->scratch, &b->face);
    return rc ? rc : encode(b);
}

/* Seconds of one call: the least mean of runs of 20 ms. */
static double measure(struct bench *b, int (*step)(struct bench *))
{
    double least = 1e9, end = now() + 0.4;
    check(step(b)); /* warm */
    for (int run = 0; run < 3 || now() < end; run++) {
        double start = now(), took;
        int n = 0;
        do {
            check(step(b));
            n++;
        } while ((took = now() - start) < 0.02);
        least = took / n < least ? took / n : least;
    }
    return least;
}

static void draw(struct bench *b, struct fn_bytes *jpeg)
{
    struct fn_image im = {0};
    check(fn_image_reserve(&im, 250, 250));
    for (int y = 0; y < 250; y++)
        for (int x = 0; x < 250; x++)
            for (int c = 0; c < 3; c++) {
                size_t i = (size_t)(y * 250 + x) * 3 + (size_t)c;
                int wave = (x * x / (90 + 20 * c) + y * y / 70) % 400;
                wave = wave < 200 ? wave : 400 - wave;
                im.rgb[i] = (uint8_t)(20 + wave + (int)(fn_rng(0, i, 0, FN_RNG_SAMPLE) & 7));
            }
    check(fn_jpeg_encode(b->codec, &im, 90, 1, jpeg));
    fn_image_free(&im);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*step)(struct bench *);
    } steps[] = {
        {"decode", decode},
        {"resize", resize},
        {"resize, AVX2", resize_avx2},
        {"resize, plain", resize_plain},
        {"encode JPEG", encode},
        {"encode PNG", encode_png},
        {"rotate", rotate},
        {"decode + resize + encode", chain},
    };
    struct bench b = {.size = argc > 2 ? atoi(argv[2]) : 182};
    struct fn_bytes drawn = {0};
    unsigned char *file = NULL;
    check(fn_codec_open(&b.codec));
    if (argc > 1) {
        check(fn_file_read(argv[1], (size_t)1 << 30, &file, &b.bytes));
        b.data = file;
    } else {
        draw(&b, &drawn);
        b.data = drawn.data;
        b.bytes = drawn.bytes;
    }
    check(decode(&b));
    printf("%s, %d x %d, %zu bytes, to %d x %d\n", argc > 1 ? argv[1] : "drawn", b.decoded.w,
           b.decoded.h, b.bytes, b.size, b.size);
    double first = 0;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        double seconds = measure(&b, steps[i].step);
        first = i ? first : seconds;
        printf("%-26s %9.1f us %9.0f images/s %6.2f decodes\n", steps[i].name, seconds * 1e6,
               1 / seconds, seconds / first);
    }
    fn_codec_close(&b.codec);
    fn_face_scratch_free(&b.scratch);
    fn_image_free(&b.decoded);
    fn_image_free(&b.face);
    fn_image_free(&b.turned);
    fn_bytes_free(&b.out);
    fn_bytes_free(&drawn);
    free(file);
    return 0;
}
