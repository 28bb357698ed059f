/* SPDX-License-Identifier: MIT */
/* JPEG to pictures, through libjpeg(-turbo): one decompressor per codec, reused for every picture,
 * fed from memory. */
#include <stdlib.h>
#include <string.h>

#include "base/image_internal.h"
#include "base/jpeg_errors.h"
#include "base/jpeg_huffman.h"

/* A progressive file may have any number of scans, each of which costs a pass over the whole
 * picture and may be a few bytes long. libjpeg's own tools refuse to write more than 100
 * (rdswitch.c, MAX_SCANS); usual encoders write about 10. The second limit holds the worst case,
 * scans of nearly no bytes over a picture of 100 megapixels, to seconds. */
#define MAX_SCANS 100
#define MAX_SCAN_PIXELS (20 * FN_IMAGE_MAX_PIXELS)
/* Coefficients of a progressive picture: 2 bytes for each sample of at most 4 components, so that
 * FN_IMAGE_MAX_PIXELS of every kind fit. */
#define MAX_COEFFICIENT_BYTES 1000000000L
/* Rows asked for at once; libjpeg gives at most one row group, of up to 4. */
#define ROWS 4
/* libjpeg-turbo's colour conversion writes past the caches where a row begins at a multiple of its
 * vectors (simd/x86_64/jdcolext-sse2.asm: 16 bytes, -avx2.asm: 32). Whoever then reads the row
 * waits for memory: a fifth of all decoding. So a row that would begin there is decoded elsewhere.
 */
#define STREAM_ALIGN 16
#define ROW_ALIGN 64
#define ROW_SHIFT 8 /* bytes behind a multiple of ROW_ALIGN: of no vector's size */

struct fn_jpeg {
    struct jpeg_decompress_struct in;
    int is_open;
    struct fn_jpeg_errors errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    int orientation; /* 0: no EXIF seen */
    uint8_t *lines;  /* scratch: ROWS rows of 4 w, and behind them those of `hot` */
    size_t lines_cap;
    uint8_t *hot; /* ROWS rows of 3 w, hot_stride bytes apart, which stay in the caches */
    size_t hot_stride;
    const uint8_t *data; /* of the last header */
    size_t bytes;
    struct fn_huffman *huffman;
    int libjpeg_only;
    enum { NOT_OURS, OURS, GIVEN_UP } huffman_state; /* of this picture's Huffman codes */
    /* Tables that a picture defines; libjpeg would keep them for the next one. */
    void *(*alloc_small)(j_common_ptr, int, size_t);
    size_t tables_used;
    _Alignas(16) unsigned char tables[4096];
};

static void source_nothing(j_decompress_ptr in)
{
    (void)in;
}

/* All bytes were there from the start: wanting more is a premature end, also when only the end
 * marker is missing. (libjpeg's own memory source makes one up.) */
static boolean source_fill(j_decompress_ptr in)
{
    fn_jpeg_give_up((j_common_ptr)in, fn_fail(FN_ECORRUPT, "JPEG: premature end of the data"));
}

static void source_skip(j_decompress_ptr in, long bytes)
{
    struct jpeg_source_mgr *source = in->src;
    if (bytes <= 0)
        return;
    if ((size_t)bytes > source->bytes_in_buffer)
        source_fill(in);
    source->next_input_byte += bytes;
    source->bytes_in_buffer -= (size_t)bytes;
}

/* APP1, read in place: libjpeg's saving of markers would copy and keep them. The first block that
 * calls itself Exif counts, as in Pillow. */
static boolean on_app1(j_decompress_ptr in)
{
    struct fn_jpeg *jpeg = in->client_data;
    struct jpeg_source_mgr *source = in->src;
    const uint8_t *p = source->next_input_byte;
    if (source->bytes_in_buffer < 2)
        source_fill(in);
    size_t bytes = (size_t)p[0] << 8 | p[1];
    if (bytes < 2)
        fn_jpeg_give_up((j_common_ptr)in, fn_fail(FN_ECORRUPT, "JPEG: Bogus marker length"));
    source_skip(in, (long)bytes);
    if (jpeg->orientation == 0 && bytes >= 8 && memcmp(p + 2, "Exif\0", 5) == 0)
        jpeg->orientation = fn_exif_orientation(p + 8, bytes - 8);
    return TRUE;
}

static void on_progress(j_common_ptr cinfo)
{
    struct fn_jpeg *jpeg = cinfo->client_data;
    uint64_t scans = (uint64_t)jpeg->in.input_scan_number;
    uint64_t pixels = (uint64_t)jpeg->in.image_width * jpeg->in.image_height;
    if (scans > MAX_SCANS || scans * pixels > MAX_SCAN_PIXELS)
        fn_jpeg_give_up(cinfo, fn_fail(FN_ELIMIT, "JPEG: too many scans (%llu over %llu pixels)",
                                       (unsigned long long)scans, (unsigned long long)pixels));
}

/* libjpeg keeps quantization and Huffman tables in permanent memory from picture to picture, and a
 * picture that defines none would be decoded with its predecessor's. They are kept here instead,
 * and forgotten when a new picture begins. */
static void *alloc_small(j_common_ptr cinfo, int pool, size_t bytes)
{
    struct fn_jpeg *jpeg = cinfo->client_data;
    size_t rounded = (bytes + 15) & ~(size_t)15;
    if (pool != JPOOL_PERMANENT || rounded > sizeof jpeg->tables - jpeg->tables_used)
        return jpeg->alloc_small(cinfo, pool, bytes);
    void *p = jpeg->tables + jpeg->tables_used;
    jpeg->tables_used += rounded;
    return p;
}

static void forget_tables(struct fn_jpeg *jpeg)
{
    struct jpeg_decompress_struct *in = &jpeg->in;
    memset(in->quant_tbl_ptrs, 0, sizeof in->quant_tbl_ptrs);
    memset(in->dc_huff_tbl_ptrs, 0, sizeof in->dc_huff_tbl_ptrs);
    memset(in->ac_huff_tbl_ptrs, 0, sizeof in->ac_huff_tbl_ptrs);
    jpeg->tables_used = 0;
}

static int create(struct fn_jpeg *jpeg)
{
    struct jpeg_decompress_struct *in = &jpeg->in;
    in->err = fn_jpeg_errors_begin(&jpeg->errors);
    if (setjmp(jpeg->errors.failed))
        return jpeg->errors.code;
    in->client_data = jpeg;
    jpeg_create_decompress(in);
    jpeg->is_open = 1;
    in->mem->max_memory_to_use = MAX_COEFFICIENT_BYTES;
    jpeg->alloc_small = in->mem->alloc_small;
    in->mem->alloc_small = alloc_small;
    in->src = &jpeg->source;
    in->progress = &jpeg->progress;
    jpeg_set_marker_processor(in, JPEG_APP0 + 1, on_app1);
    return FN_OK;
}

int fn_jpeg_open(struct fn_jpeg **out)
{
    struct fn_jpeg *jpeg = calloc(1, sizeof *jpeg);
    *out = jpeg;
    if (!jpeg)
        return fn_fail(FN_ENOMEM, "no memory to read JPEGs");
    jpeg->source = (struct jpeg_source_mgr){.init_source = source_nothing,
                                            .fill_input_buffer = source_fill,
                                            .skip_input_data = source_skip,
                                            .resync_to_restart = jpeg_resync_to_restart,
                                            .term_source = source_nothing};
    jpeg->progress.progress_monitor = on_progress;
    int rc = fn_huffman_open(&jpeg->huffman);
    if (rc == FN_OK)
        rc = create(jpeg);
    if (rc)
        fn_jpeg_close(out);
    return rc;
}

void fn_jpeg_close(struct fn_jpeg **out)
{
    struct fn_jpeg *jpeg = *out;
    if (!jpeg)
        return;
    if (jpeg->is_open)
        jpeg_destroy_decompress(&jpeg->in);
    fn_huffman_close(&jpeg->huffman);
    free(jpeg->lines);
    free(jpeg);
    *out = NULL;
}

int fn_jpeg_header(struct fn_jpeg *jpeg, const uint8_t *data, size_t bytes,
                   struct fn_image_info *info)
{
    struct jpeg_decompress_struct *in = &jpeg->in;
    jpeg_abort_decompress(in); /* whatever the last picture left behind */
    forget_tables(jpeg);
    jpeg->errors.warnings = 0;
    jpeg->orientation = 0;
    jpeg->source.next_input_byte = jpeg->data = data;
    jpeg->source.bytes_in_buffer = jpeg->bytes = bytes;
    if (setjmp(jpeg->errors.failed))
        return jpeg->errors.code;
    jpeg_read_header(in, TRUE);
    if (in->num_components != 1 && in->num_components != 3 && in->num_components != 4)
        return fn_fail(FN_EFORMAT, "JPEG: %d components; 1, 3 or 4 are taken", in->num_components);
    info->format = FN_IMAGE_JPEG;
    info->w = (int)in->image_width;
    info->h = (int)in->image_height;
    info->orientation = jpeg->orientation ? jpeg->orientation : 1;
    return FN_OK;
}

/* Adobe's inverted CMYK, as Pillow reads it, with or without Adobe's marker:
 * k = stored K, c = 255 - stored C; R = max(0, k - c k / 255), the division rounded. */
static void cmyk_to_rgb(const uint8_t *cmyk, size_t pixels, uint8_t *rgb)
{
    for (size_t i = 0; i < pixels; i++, cmyk += 4, rgb += 3) {
        int k = cmyk[3];
        for (int c = 0; c < 3; c++) {
            int product = (255 - cmyk[c]) * k + 128;
            int v = k - (((product >> 8) + product) >> 8);
            rgb[c] = (uint8_t)(v < 0 ? 0 : v);
        }
    }
}

/* Scratch for the picture at hand. */
static int reserve_lines(struct fn_jpeg *jpeg)
{
    size_t w = jpeg->in.image_width, cmyk = w * 4 * ROWS;
    size_t stride = (w * 3 + ROW_ALIGN - 1) / ROW_ALIGN * ROW_ALIGN;
    size_t bytes = cmyk + ROW_ALIGN + ROW_SHIFT + stride * ROWS;
    if (bytes > jpeg->lines_cap) {
        free(jpeg->lines);
        jpeg->lines = malloc(bytes);
        jpeg->lines_cap = jpeg->lines ? bytes : 0;
    }
    if (!jpeg->lines)
        return fn_fail(FN_ENOMEM, "no memory for rows of %zu bytes", bytes);
    uint8_t *behind = jpeg->lines + cmyk;
    jpeg->hot = behind + (ROW_ALIGN - (uintptr_t)behind % ROW_ALIGN) + ROW_SHIFT;
    jpeg->hot_stride = stride;
    return FN_OK;
}

/* ---- Huffman codes: ours, or libjpeg's ---- */
/* jpegint.h, of which these two members have stood first since version 6. */
struct jpeg_entropy_decoder {
    void (*start_pass)(j_decompress_ptr in);
    boolean (*decode_mcu)(j_decompress_ptr in, JBLOCKROW *blocks);
};

/* FALSE is libjpeg's "not yet": what asked for rows then gets none. */
static boolean decode_mcu(j_decompress_ptr in, JBLOCKROW *blocks)
{
    struct fn_jpeg *jpeg = in->client_data;
    if (jpeg->huffman_state == OURS && !fn_huffman_mcu(jpeg->huffman, blocks))
        jpeg->huffman_state = GIVEN_UP;
    return jpeg->huffman_state == OURS;
}

static void decode_ourselves(struct fn_jpeg *jpeg)
{
    if (!FN_HUFFMAN_FITS || jpeg->libjpeg_only || !fn_huffman_begin(jpeg->huffman, &jpeg->in))
        return;
    jpeg->in.entropy->decode_mcu = decode_mcu;
    jpeg->huffman_state = OURS;
}

/* `ours`: with our decoder where it can. */
static void start(struct fn_jpeg *jpeg, int ours)
{
    struct jpeg_decompress_struct *in = &jpeg->in;
    in->out_color_space = in->num_components == 4 ? JCS_CMYK : JCS_RGB;
    in->dct_method = JDCT_ISLOW;
    in->do_fancy_upsampling = TRUE;
    jpeg_start_decompress(in);
    jpeg->huffman_state = NOT_OURS;
    if (ours)
        decode_ourselves(jpeg);
}

/* What our decoder does not take to the end begins anew, and is libjpeg's altogether. */
static int again(struct fn_jpeg *jpeg)
{
    struct fn_image_info info;
    jpeg->huffman_state = NOT_OURS;
    return fn_jpeg_header(jpeg, jpeg->data, jpeg->bytes, &info);
}

/* At most ROWS of the next rows to `rgb`, `stride` bytes apart, none at or below `end`; their
 * number, 0 where our decoder gave up. A failure inside libjpeg jumps out of it. */
static JDIMENSION read_rows(struct fn_jpeg *jpeg, JDIMENSION end, uint8_t *rgb, size_t stride)
{
    struct jpeg_decompress_struct *in = &jpeg->in;
    int is_cmyk = in->out_color_space == JCS_CMYK;
    size_t w = in->output_width;
    JSAMPROW rows[ROWS];
    JDIMENSION left = end - in->output_scanline, n = left < ROWS ? left : ROWS;
    for (JDIMENSION i = 0; i < n; i++) {
        uint8_t *to = rgb + i * stride;
        int streams = (uintptr_t)to % STREAM_ALIGN == 0;
        rows[i] = is_cmyk   ? jpeg->lines + i * w * 4
                  : streams ? jpeg->hot + i * jpeg->hot_stride
                            : to;
    }
    n = jpeg_read_scanlines(in, rows, n);
    for (JDIMENSION i = 0; i < n; i++) {
        uint8_t *to = rgb + i * stride;
        if (is_cmyk)
            cmyk_to_rgb(rows[i], w, to);
        else if (rows[i] != to)
            memcpy(to, rows[i], w * 3);
    }
    return n;
}

static int pixels(struct fn_jpeg *jpeg, int ours, struct fn_image *out)
{
    struct jpeg_decompress_struct *in = &jpeg->in;
    const size_t row = (size_t)in->image_width * 3;
    if (setjmp(jpeg->errors.failed)) {
        jpeg_abort_decompress(in); /* a progressive picture's coefficients may be large */
        return jpeg->errors.code;
    }
    start(jpeg, ours);
    while (in->output_scanline < in->output_height)
        if (!read_rows(jpeg, in->output_height, out->rgb + in->output_scanline * row, row))
            return FN_ECORRUPT;
    if (jpeg->huffman_state == OURS) {
        size_t bytes = fn_huffman_end(jpeg->huffman);
        if (bytes == 0)
            return FN_ECORRUPT; /* libjpeg may have something to say about bytes too many */
        source_skip(in, (long)bytes);
    }
    jpeg_finish_decompress(in); /* reads up to the end marker, or fails */
    return FN_OK;
}

int fn_jpeg_pixels(struct fn_jpeg *jpeg, struct fn_image *out, int *warnings)
{
    int rc = fn_image_reserve(out, (int)jpeg->in.image_width, (int)jpeg->in.image_height);
    if (rc == FN_OK)
        rc = reserve_lines(jpeg);
    if (rc)
        return rc;
    rc = pixels(jpeg, 1, out);
    if (rc && jpeg->huffman_state != NOT_OURS && (rc = again(jpeg)) == FN_OK)
        rc = pixels(jpeg, 0, out);
    *warnings = jpeg->errors.warnings;
    return rc;
}

/* Rows that nobody wants. Before libjpeg-turbo 2.1 its function for it was not always exact. */
static void skip_rows(struct fn_jpeg *jpeg, JDIMENSION rows)
{
#if defined(LIBJPEG_TURBO_VERSION_NUMBER) && LIBJPEG_TURBO_VERSION_NUMBER >= 2001000
    if (rows > 0)
        jpeg_skip_scanlines(&jpeg->in, rows);
#else
    while (jpeg->in.output_scanline < rows)
        read_rows(jpeg, rows, jpeg->hot, jpeg->hot_stride);
#endif
}

/* *next: the first row not put yet. */
static int rows(struct fn_jpeg *jpeg, int ours, const struct fn_rows *want, int *next)
{
    struct jpeg_decompress_struct *in = &jpeg->in;
    const JDIMENSION end = (JDIMENSION)want->y + (JDIMENSION)want->rows;
    if (setjmp(jpeg->errors.failed)) {
        jpeg_abort_decompress(in);
        return jpeg->errors.code;
    }
    start(jpeg, ours);
    skip_rows(jpeg, (JDIMENSION)*next);
    while (in->output_scanline < end) {
        int n = (int)read_rows(jpeg, end, jpeg->hot, jpeg->hot_stride);
        if (n == 0)
            return FN_ECORRUPT;
        for (int i = 0; i < n; i++, ++*next)
            want->put(want->context, *next, 1, jpeg->hot + (size_t)i * jpeg->hot_stride);
    }
    jpeg_abort_decompress(in);
    return FN_OK;
}

int fn_jpeg_rows(struct fn_jpeg *jpeg, const struct fn_rows *want)
{
    int next = want->y, rc = reserve_lines(jpeg);
    if (rc)
        return rc;
    rc = rows(jpeg, 1, want, &next);
    if (rc && jpeg->huffman_state != NOT_OURS && (rc = again(jpeg)) == FN_OK)
        rc = rows(jpeg, 0, want, &next);
    return rc;
}

void fn_jpeg_use_libjpeg(struct fn_jpeg *jpeg, int only)
{
    jpeg->libjpeg_only = only;
}

int fn_jpeg_was_ours(const struct fn_jpeg *jpeg)
{
    return jpeg->huffman_state == OURS;
}
