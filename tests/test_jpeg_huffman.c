/* SPDX-License-Identifier: MIT */
/* Our decoder of Huffman codes beside libjpeg's own: the same pixels, warnings and failures for
 * every kind of table, for blocks full and empty, for damage anywhere; and it is the one that
 * decodes what it should. */
#include <stdio.h>

#include <jpeglib.h>

#include "base/image_internal.h"
#include "base/jpeg_huffman.h"
#include "base/rng.h"
#include "tests/codec.h"

/* A JPEG as libjpeg makes it, of shapes under noise. */
struct kind {
    int w, h, quality, noise, sampling; /* sampling: of luma, (1..4) x 10 + (1..4) */
    enum { STANDARD, OPTIMIZED, CHANCE } tables;
    enum { BASELINE, RESTARTS, SCANS, PROGRESSIVE, ARITHMETIC, GREY, CMYK } how;
    int ours;
};

static uint64_t chance(uint64_t a, uint64_t b)
{
    return fn_rng(a, b, 0, FN_RNG_SAMPLE);
}

/* The standard table's symbols, in any order where `seed` is odd, with codes of any lengths that a
 * tree has: from a full level on, one code after the other is made a parent of two, but for one
 * leaf, the code of ones, that must stay free. */
static void shuffle_table(JHUFF_TBL *t, uint64_t seed)
{
    int counts[17] = {0}, symbols = 0, leaves = 2;
    for (int i = 1; i <= 16; i++)
        symbols += t->bits[i];
    for (int i = symbols - 1; i > 0 && seed % 2; i--) {
        uint64_t k = fn_rng_below(chance(seed, (uint64_t)i), (uint64_t)i + 1);
        UINT8 swap = t->huffval[i];
        t->huffval[i] = t->huffval[k];
        t->huffval[k] = swap;
    }
    counts[1] = 2;
    for (uint64_t i = 0; leaves < symbols + 1; i++) {
        int bits = 1 + (int)fn_rng_below(chance(seed + 1, i), 15);
        if (counts[bits] == 0)
            continue;
        counts[bits]--;
        counts[bits + 1] += 2;
        leaves++;
    }
    int longest = 16;
    while (counts[longest] == 0)
        longest--;
    counts[longest]--;
    for (int i = 1; i <= 16; i++)
        t->bits[i] = (UINT8)counts[i];
}

/* A scan for each component. */
static const jpeg_scan_info scans[] = {{1, {0}, 0, DCTSIZE2 - 1, 0, 0},
                                       {1, {1}, 0, DCTSIZE2 - 1, 0, 0},
                                       {1, {2}, 0, DCTSIZE2 - 1, 0, 0}};

static void set_up(struct jpeg_compress_struct *out, const struct kind *k, uint64_t seed)
{
    static const struct {
        J_COLOR_SPACE space;
        int components;
    } colours[] = {[GREY] = {JCS_GRAYSCALE, 1}, [CMYK] = {JCS_CMYK, 4}};
    out->image_width = (JDIMENSION)k->w;
    out->image_height = (JDIMENSION)k->h;
    out->input_components = k->how >= GREY ? colours[k->how].components : 3;
    out->in_color_space = k->how >= GREY ? colours[k->how].space : JCS_RGB;
    jpeg_set_defaults(out);
    jpeg_set_quality(out, k->quality, TRUE);
    out->comp_info[0].h_samp_factor = k->sampling / 10;
    out->comp_info[0].v_samp_factor = k->sampling % 10;
    out->optimize_coding = k->tables == OPTIMIZED;
    for (int i = 0; k->tables == CHANCE && i < 2; i++) {
        shuffle_table(out->dc_huff_tbl_ptrs[i], seed * 9 + (uint64_t)i * 2);
        shuffle_table(out->ac_huff_tbl_ptrs[i], seed * 9 + (uint64_t)i * 2 + 4);
    }
    out->restart_interval = k->how == RESTARTS ? 3 : 0;
    out->arith_code = k->how == ARITHMETIC;
    if (k->how == SCANS) {
        out->scan_info = scans;
        out->num_scans = 3;
    }
    if (k->how == PROGRESSIVE)
        jpeg_simple_progression(out);
}

static unsigned long make(const struct kind *k, uint64_t seed, unsigned char **jpeg)
{
    struct jpeg_error_mgr errors;
    struct jpeg_compress_struct out = {.err = jpeg_std_error(&errors)};
    unsigned long bytes = 0;
    jpeg_create_compress(&out);
    jpeg_mem_dest(&out, jpeg, &bytes);
    set_up(&out, k, seed);
    jpeg_start_compress(&out, TRUE);
    size_t samples = (size_t)k->w * (size_t)out.input_components;
    JSAMPLE *row = malloc(samples);
    assert_non_null(row);
    while (out.next_scanline < out.image_height) {
        uint64_t y = out.next_scanline;
        for (uint64_t x = 0; x < samples; x++) {
            uint64_t noise = fn_rng(seed, y, x, FN_RNG_SAMPLE) % (uint64_t)(1 + k->noise);
            row[x] = (JSAMPLE)((x + y * 2) / 3 % (256 - (uint64_t)k->noise) + noise);
        }
        jpeg_write_scanlines(&out, &row, 1);
    }
    jpeg_finish_compress(&out);
    jpeg_destroy_compress(&out);
    free(row);
    return bytes;
}

static void put(void *context, int y, int rows, const uint8_t *rgb)
{
    const struct fn_image *whole = context;
    size_t row = (size_t)whole->w * 3;
    assert_memory_equal(rgb, whole->rgb + (size_t)y * row, (size_t)rows * row);
}

/* Decodes a copy that ends where its block ends, both ways, and compares. *ours: ours saw it
 * through to its end; *rows_ours: as rows, after which nothing is read. */
static int compare(const uint8_t *data, size_t bytes, int *ours, int *rows_ours)
{
    struct fn_image mine = {0}, theirs = {0};
    int warnings[2] = {0}, rc, same;
    *rows_ours = 0;
    uint8_t *block = malloc(bytes);
    char text[256];
    assert_non_null(block);
    memcpy(block, data, bytes);
    rc = fn_image_decode(codec, block, bytes, 0, &mine, &warnings[0]);
    snprintf(text, sizeof text, "%s", fn_err_text(rc));
    *ours = rc == FN_OK && fn_jpeg_was_ours(codec->jpeg);
    fn_jpeg_use_libjpeg(codec->jpeg, 1);
    same = rc == fn_image_decode(codec, block, bytes, 0, &theirs, &warnings[1]);
    fn_jpeg_use_libjpeg(codec->jpeg, 0);
    assert_true(same);
    if (rc == FN_OK) {
        assert_int_equal(warnings[0], warnings[1]);
        assert_int_equal(mine.w, theirs.w);
        assert_int_equal(mine.h, theirs.h);
        assert_memory_equal(mine.rgb, theirs.rgb, (size_t)mine.w * (size_t)mine.h * 3);
        const struct fn_rows want = {mine.w, mine.h, 0, mine.h, put, &theirs};
        assert_ok(fn_image_decode_rows(codec, block, bytes, &want));
        *rows_ours = fn_jpeg_was_ours(codec->jpeg);
    } else {
        assert_string_equal(text, fn_err_text(rc));
    }
    free(block);
    fn_image_free(&mine);
    fn_image_free(&theirs);
    return rc;
}

static const struct kind kinds[] = {
    {182, 182, 95, 20, 22, STANDARD, BASELINE, 1},   {182, 182, 95, 20, 11, STANDARD, BASELINE, 1},
    {182, 182, 100, 255, 22, STANDARD, BASELINE, 1}, {64, 64, 100, 255, 11, STANDARD, BASELINE, 1},
    {182, 182, 1, 200, 22, STANDARD, BASELINE, 1},   {90, 70, 50, 0, 22, STANDARD, BASELINE, 1},
    {90, 70, 80, 9, 21, OPTIMIZED, BASELINE, 1},     {90, 70, 80, 90, 12, OPTIMIZED, BASELINE, 1},
    {90, 70, 100, 255, 41, OPTIMIZED, BASELINE, 1},  {1, 1, 90, 1, 22, OPTIMIZED, BASELINE, 1},
    {90, 70, 100, 255, 22, CHANCE, BASELINE, 1},     {90, 70, 90, 60, 22, CHANCE, BASELINE, 1},
    {90, 70, 70, 30, 11, CHANCE, BASELINE, 1},       {90, 70, 99, 200, 11, CHANCE, BASELINE, 1},
    {90, 70, 90, 60, 11, STANDARD, GREY, 1},         {90, 70, 90, 60, 11, CHANCE, GREY, 1},
    {90, 70, 90, 60, 11, OPTIMIZED, CMYK, 1},        {90, 70, 90, 60, 22, STANDARD, RESTARTS, 0},
    {90, 70, 90, 60, 22, STANDARD, SCANS, 0},        {90, 70, 90, 60, 22, STANDARD, PROGRESSIVE, 0},
    {90, 70, 90, 60, 22, STANDARD, ARITHMETIC, 0},   {2049, 2048, 30, 3, 22, STANDARD, BASELINE, 0},
    {2048, 2048, 30, 3, 22, STANDARD, BASELINE, 1},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void same_pixels(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < KINDS; i++)
        for (uint64_t seed = 0; seed < (kinds[i].tables == CHANCE ? 40u : 2u); seed++) {
            unsigned char *jpeg = NULL;
            unsigned long bytes = make(&kinds[i], seed, &jpeg);
            int ours, rows;
            assert_ok(compare(jpeg, bytes, &ours, &rows));
            if (ours != (kinds[i].ours && FN_HUFFMAN_FITS))
                fail_msg("kind %d is decoded by %s", (int)i, ours ? "ours" : "libjpeg");
            free(jpeg);
        }
}

/* Bytes changed, mostly behind the headers; and the picture cut. */
static void same_damage(void **state)
{
    int ours, rows, all = 0, taken = 0, given_up = 0;
    (void)state;
    for (uint64_t i = 0; i < KINDS; i++) {
        unsigned char *jpeg = NULL;
        unsigned long bytes = make(&kinds[i], i, &jpeg);
        for (uint64_t k = 0; k < 150 && kinds[i].w < 2000; k++) {
            uint64_t at = chance(i, k) % bytes, head = bytes > 700 ? 600 : 0;
            unsigned char was = jpeg[at];
            if (k % 4 && at < head)
                at += head;
            was = jpeg[at];
            jpeg[at] ^= (unsigned char)(1u << (k % 8));
            unsigned long cut = k % 5 ? bytes : bytes - chance(i, k + 1000) % (bytes / 2 + 1);
            int rc = compare(jpeg, cut, &ours, &rows);
            all++;
            taken += rc == FN_OK && ours;
            given_up += rc == FN_OK && !ours && kinds[i].ours;
            jpeg[at] = was;
        }
        free(jpeg);
    }
    if (FN_HUFFMAN_FITS && (taken < all / 3 || given_up < 20))
        fail_msg("of %d damaged pictures ours decoded %d, and left %d good ones", all, taken,
                 given_up);
}

/* Where the segment after the one at `at` begins. */
static size_t next_segment(const unsigned char *jpeg, size_t at)
{
    return at + 2u + jpeg[at + 2] * 256u + jpeg[at + 3];
}

static size_t behind(const unsigned char *jpeg, unsigned char marker)
{
    size_t at = 2;
    while (jpeg[at + 1] != marker)
        at = next_segment(jpeg, at);
    return next_segment(jpeg, at);
}

/* Makes every fifth symbol of the tables one with `bits` bits of coefficient. */
static void widen(unsigned char *jpeg, unsigned char bits)
{
    for (size_t at = 2; jpeg[at + 1] != 0xda; at = next_segment(jpeg, at))
        for (size_t i = at + 21; jpeg[at + 1] == 0xc4 && i < next_segment(jpeg, at); i += 5)
            jpeg[i] = (unsigned char)((jpeg[i] & (jpeg[at + 4] & 16 ? 0xf0 : 0)) | bits);
}

/* Blocks whose codes run over the last coefficient, which no encoder makes: a scan of chance under
 * a header that fits it; some with coefficients wider than those of 8-bit samples. */
static void same_nonsense(void **state)
{
    int ours, rows, taken = 0, taken_rows = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 600; seed++) {
        const struct kind kind = {40, 40, 90, 9, 22, seed % 2 ? CHANCE : STANDARD, BASELINE, 1};
        unsigned char *jpeg = NULL;
        make(&kind, seed, &jpeg);
        if (seed % 3 == 0)
            widen(jpeg, seed % 2 ? 15 : 11);
        size_t scan = behind(jpeg, 0xda), longer = scan + 6000;
        uint8_t *data = malloc(longer);
        assert_non_null(data);
        memcpy(data, jpeg, scan);
        for (size_t i = scan; i < longer - 2; i++)
            data[i] = (uint8_t)(chance(seed, i) % 255);
        memcpy(data + longer - 2, "\xff\xd9", 2);
        taken += compare(data, longer, &ours, &rows) == FN_OK;
        taken_rows += rows;
        free(data);
        free(jpeg);
    }
    if (FN_HUFFMAN_FITS && (taken < 10 || taken_rows < 10))
        fail_msg("libjpeg takes %d, ours %d", taken, taken_rows);
}

static void see(void *context, const char *file, const uint8_t *data, size_t bytes)
{
    int ours, rows;
    (void)file;
    assert_ok(compare(data, bytes, &ours, &rows));
    *(int *)context += ours;
}

static void real(void **state)
{
    int all_ours = 0;
    (void)state;
    need_data(ACCEPTED);
    each_accepted(see, &all_ours);
    assert_true(!FN_HUFFMAN_FITS || all_ours > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_pixels), cmocka_unit_test(same_damage),
                                       cmocka_unit_test(same_nonsense), cmocka_unit_test(real)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
