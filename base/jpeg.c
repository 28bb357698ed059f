/* SPDX-License-Identifier: MIT */
/* JPEG through libjpeg(-turbo): one decompressor and one compressor per codec, reused for every
 * picture, fed from and writing to memory. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

#include "base/image_internal.h"

/* A progressive file may have any number of scans, each of which costs a pass over the whole
 * picture and may be a few bytes long. libjpeg's own tools refuse to write more than 100
 * (rdswitch.c, MAX_SCANS); usual encoders write about 10. The second limit holds the worst case,
 * scans of nearly no bytes over a picture of 100 megapixels, to seconds. */
#define MAX_SCANS 100
#define MAX_SCAN_PIXELS (20 * FN_IMAGE_MAX_PIXELS)
/* Coefficients of a progressive picture: 2 bytes for each sample of at most 4 components, so that
 * FN_IMAGE_MAX_PIXELS of every kind fit. */
#define MAX_COEFFICIENT_BYTES 1000000000L
/* Rows handed over at once; when decoding libjpeg gives at most one row group, of up to 4. */
#define ROWS 4
/* libjpeg-turbo decodes an MCU by its faster loop only where 512 bytes for each of its blocks are
 * left (jdhuff.c, BUFSIZE), and an MCU has at most 10 blocks. Bytes behind the picture, which may
 * be read but mean nothing, keep it in that loop to the end. */
#define SPARE_MAX (D_MAX_BLOCKS_IN_MCU * 512)
/* libjpeg-turbo's colour conversion writes past the caches where a row begins at a multiple of its
 * vectors (simd/x86_64/jdcolext-sse2.asm: 16 bytes, -avx2.asm: 32). Whoever then reads the row
 * waits for memory: a fifth of all decoding. So a row that would begin there is decoded elsewhere.
 */
#define STREAM_ALIGN 16
#define ROW_ALIGN 64
#define ROW_SHIFT 8 /* bytes behind a multiple of ROW_ALIGN: of no vector's size */

struct fn_jpeg {
    struct jpeg_decompress_struct in;
    struct jpeg_compress_struct out;
    int in_open, out_open;
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_destination_mgr target;
    struct jpeg_progress_mgr progress;
    jmp_buf failed;
    int code;        /* of the failure that jumped */
    int warnings;    /* of this picture */
    int orientation; /* 0: no EXIF seen */
    struct fn_bytes *written;
    uint8_t *lines; /* scratch: ROWS rows of 4 w, and behind them those of `hot` */
    size_t lines_cap;
    uint8_t *hot; /* ROWS rows of 3 w, hot_stride bytes apart, which stay in the caches */
    size_t hot_stride;
    size_t spare; /* of the source's bytes, how many lie behind the picture */
    /* Tables that a picture defines; libjpeg would keep them for the next one. */
    void *(*alloc_small)(j_common_ptr, int, size_t);
    size_t tables_used;
    _Alignas(16) unsigned char tables[4096];
};

static struct fn_jpeg *of(j_common_ptr cinfo)
{
    return cinfo->client_data;
}

_Noreturn static void give_up(struct fn_jpeg *jpeg, int code)
{
    jpeg->code = code;
    longjmp(jpeg->failed, 1);
}

/* What libjpeg refuses altogether, by what that means for the caller. */
static int code_of(int message)
{
    switch (message) {
    case JERR_OUT_OF_MEMORY:
        return FN_ENOMEM;
    case JERR_IMAGE_TOO_BIG:
    case JERR_WIDTH_OVERFLOW:
    case JERR_NO_BACKING_STORE:
        return FN_ELIMIT;
    case JERR_NO_SOI:
    case JERR_SOF_UNSUPPORTED:
    case JERR_BAD_PRECISION:
    case JERR_COMPONENT_COUNT:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_CCIR601_NOTIMPL:
    case JERR_FRACT_SAMPLE_NOTIMPL:
    case JERR_ARITH_NOTIMPL:
    case JERR_NOT_COMPILED:
    case JERR_NOTIMPL:
        return FN_EFORMAT;
    default:
        return FN_ECORRUPT;
    }
}

static void on_error(j_common_ptr cinfo)
{
    char text[JMSG_LENGTH_MAX];
    int code = code_of(cinfo->err->msg_code);
    cinfo->err->format_message(cinfo, text);
    give_up(of(cinfo), fn_fail(code, "JPEG: %s", text));
}

/* Warnings after which the pixels are not those that were encoded. The rest (extraneous bytes, odd
 * markers) is met in sound files too. */
static int is_damage(int message)
{
    return message == JWRN_HIT_MARKER || message == JWRN_HUFF_BAD_CODE ||
           message == JWRN_ARITH_BAD_CODE || message == JWRN_MUST_RESYNC ||
           message == JWRN_BOGUS_PROGRESSION || message == JWRN_JPEG_EOF;
}

static void on_message(j_common_ptr cinfo, int level)
{
    struct fn_jpeg *jpeg = of(cinfo);
    if (level >= 0)
        return; /* a trace */
    jpeg->warnings++;
    if (is_damage(cinfo->err->msg_code)) {
        char text[JMSG_LENGTH_MAX];
        cinfo->err->format_message(cinfo, text);
        give_up(jpeg, fn_fail(FN_ECORRUPT, "JPEG: %s", text));
    }
}

static void on_print(j_common_ptr cinfo)
{
    (void)cinfo;
}

static void source_nothing(j_decompress_ptr in)
{
    (void)in;
}

/* All bytes were there from the start: wanting more is a premature end, also when only the end
 * marker is missing. (libjpeg's own memory source makes one up.) */
static boolean source_fill(j_decompress_ptr in)
{
    give_up(of((j_common_ptr)in), fn_fail(FN_ECORRUPT, "JPEG: premature end of the data"));
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
    struct fn_jpeg *jpeg = of((j_common_ptr)in);
    struct jpeg_source_mgr *source = in->src;
    const uint8_t *p = source->next_input_byte;
    if (source->bytes_in_buffer < 2)
        source_fill(in);
    size_t bytes = (size_t)p[0] << 8 | p[1];
    if (bytes < 2)
        ERREXIT(in, JERR_BAD_LENGTH);
    source_skip(in, (long)bytes);
    if (jpeg->orientation == 0 && bytes >= 8 && memcmp(p + 2, "Exif\0", 5) == 0)
        jpeg->orientation = fn_exif_orientation(p + 8, bytes - 8);
    return TRUE;
}

static void on_progress(j_common_ptr cinfo)
{
    struct fn_jpeg *jpeg = of(cinfo);
    uint64_t scans = (uint64_t)jpeg->in.input_scan_number;
    uint64_t pixels = (uint64_t)jpeg->in.image_width * jpeg->in.image_height;
    if (scans > MAX_SCANS || scans * pixels > MAX_SCAN_PIXELS)
        give_up(jpeg, fn_fail(FN_ELIMIT, "JPEG: too many scans (%llu over %llu pixels)",
                              (unsigned long long)scans, (unsigned long long)pixels));
}

/* libjpeg keeps quantization and Huffman tables in permanent memory from picture to picture, and a
 * picture that defines none would be decoded with its predecessor's. They are kept here instead,
 * and forgotten when a new picture begins. */
static void *alloc_small(j_common_ptr cinfo, int pool, size_t bytes)
{
    struct fn_jpeg *jpeg = of(cinfo);
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

static void target_start(j_compress_ptr out)
{
    struct fn_jpeg *jpeg = of((j_common_ptr)out);
    out->dest->next_output_byte = jpeg->written->data;
    out->dest->free_in_buffer = jpeg->written->cap;
}

static boolean target_full(j_compress_ptr out)
{
    struct fn_jpeg *jpeg = of((j_common_ptr)out);
    size_t full = jpeg->written->cap;
    int rc = fn_bytes_reserve(jpeg->written, full * 2);
    if (rc)
        give_up(jpeg, rc);
    out->dest->next_output_byte = jpeg->written->data + full;
    out->dest->free_in_buffer = jpeg->written->cap - full;
    return TRUE;
}

static void target_end(j_compress_ptr out)
{
    struct fn_bytes *written = of((j_common_ptr)out)->written;
    written->bytes = written->cap - out->dest->free_in_buffer;
}

static int open_both(struct fn_jpeg *jpeg)
{
    jpeg->errors.error_exit = on_error;
    jpeg->errors.emit_message = on_message;
    jpeg->errors.output_message = on_print;
    jpeg->in.err = jpeg->out.err = &jpeg->errors;
    if (setjmp(jpeg->failed))
        return jpeg->code;
    jpeg->in.client_data = jpeg->out.client_data = jpeg;
    jpeg_create_decompress(&jpeg->in);
    jpeg->in_open = 1;
    jpeg_create_compress(&jpeg->out);
    jpeg->out_open = 1;
    jpeg->in.mem->max_memory_to_use = MAX_COEFFICIENT_BYTES;
    jpeg->alloc_small = jpeg->in.mem->alloc_small;
    jpeg->in.mem->alloc_small = alloc_small;
    jpeg->in.src = &jpeg->source;
    jpeg->in.progress = &jpeg->progress;
    jpeg->out.dest = &jpeg->target;
    jpeg_set_marker_processor(&jpeg->in, JPEG_APP0 + 1, on_app1);
    return FN_OK;
}

int fn_jpeg_open(struct fn_jpeg **out)
{
    struct fn_jpeg *jpeg = calloc(1, sizeof *jpeg);
    *out = jpeg;
    if (!jpeg)
        return fn_fail(FN_ENOMEM, "no memory for a JPEG codec");
    jpeg_std_error(&jpeg->errors);
    jpeg->source = (struct jpeg_source_mgr){.init_source = source_nothing,
                                            .fill_input_buffer = source_fill,
                                            .skip_input_data = source_skip,
                                            .resync_to_restart = jpeg_resync_to_restart,
                                            .term_source = source_nothing};
    jpeg->target = (struct jpeg_destination_mgr){.init_destination = target_start,
                                                 .empty_output_buffer = target_full,
                                                 .term_destination = target_end};
    jpeg->progress.progress_monitor = on_progress;
    int rc = open_both(jpeg);
    if (rc)
        fn_jpeg_close(out);
    return rc;
}

void fn_jpeg_close(struct fn_jpeg **out)
{
    struct fn_jpeg *jpeg = *out;
    if (!jpeg)
        return;
    if (jpeg->in_open)
        jpeg_destroy_decompress(&jpeg->in);
    if (jpeg->out_open)
        jpeg_destroy_compress(&jpeg->out);
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
    jpeg->warnings = 0;
    jpeg->orientation = 0;
    jpeg->source.next_input_byte = data;
    jpeg->source.bytes_in_buffer = bytes;
    if (setjmp(jpeg->failed))
        return jpeg->code;
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

static void start(struct jpeg_decompress_struct *in)
{
    in->out_color_space = in->num_components == 4 ? JCS_CMYK : JCS_RGB;
    in->dct_method = JDCT_ISLOW;
    in->do_fancy_upsampling = TRUE;
    jpeg_start_decompress(in);
}

/* At most ROWS of the next rows to `rgb`, `stride` bytes apart, none at or below `end`; their
 * number. A failure inside libjpeg jumps out of it. */
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

int fn_jpeg_pixels(struct fn_jpeg *jpeg, struct fn_image *out, int *warnings)
{
    struct jpeg_decompress_struct *in = &jpeg->in;
    size_t row = (size_t)in->image_width * 3;
    int rc = fn_image_reserve(out, (int)in->image_width, (int)in->image_height);
    if (rc == FN_OK)
        rc = reserve_lines(jpeg);
    if (rc)
        return rc;
    if (setjmp(jpeg->failed)) {
        jpeg_abort_decompress(in); /* a progressive picture's coefficients may be large */
        return jpeg->code;
    }
    start(in);
    while (in->output_scanline < in->output_height)
        read_rows(jpeg, in->output_height, out->rgb + in->output_scanline * row, row);
    jpeg_finish_decompress(in); /* reads up to the end marker, or fails */
    *warnings = jpeg->warnings;
    return FN_OK;
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

int fn_jpeg_rows(struct fn_jpeg *jpeg, const struct fn_rows *want)
{
    struct jpeg_decompress_struct *in = &jpeg->in;
    const JDIMENSION end = (JDIMENSION)want->y + (JDIMENSION)want->rows;
    int ended, rc = reserve_lines(jpeg);
    if (rc)
        return rc;
    if (setjmp(jpeg->failed)) {
        jpeg_abort_decompress(in);
        return jpeg->code;
    }
    jpeg->spare = want->spare < SPARE_MAX ? want->spare : SPARE_MAX;
    if (in->arith_code || jpeg_has_multiple_scans(in))
        jpeg->spare = 0; /* markers stand between what is decoded */
    jpeg->source.bytes_in_buffer += jpeg->spare;
    start(in);
    skip_rows(jpeg, (JDIMENSION)want->y);
    while (in->output_scanline < end) {
        int y = (int)in->output_scanline,
            n = (int)read_rows(jpeg, end, jpeg->hot, jpeg->hot_stride);
        for (int i = 0; i < n; i++)
            want->put(want->context, y + i, 1, jpeg->hot + (size_t)i * jpeg->hot_stride);
    }
    ended = jpeg->source.bytes_in_buffer < jpeg->spare;
    jpeg_abort_decompress(in);
    return ended ? fn_fail(FN_ECORRUPT, "JPEG: premature end of the data") : FN_OK;
}

static void write_rows(struct jpeg_compress_struct *out, const struct fn_image *im)
{
    while (out->next_scanline < out->image_height) {
        JSAMPROW rows[ROWS];
        JDIMENSION left = out->image_height - out->next_scanline;
        JDIMENSION n = left < ROWS ? left : ROWS;
        for (JDIMENSION i = 0; i < n; i++)
            rows[i] = im->rgb + (out->next_scanline + i) * (size_t)im->w * 3;
        jpeg_write_scanlines(out, rows, n);
    }
}

int fn_jpeg_write(struct fn_jpeg *jpeg, const struct fn_image *im, int quality, int subsample,
                  struct fn_bytes *written)
{
    struct jpeg_compress_struct *out = &jpeg->out;
    if (im->w < 1 || im->h < 1 || im->w > FN_IMAGE_MAX_SIDE || im->h > FN_IMAGE_MAX_SIDE)
        return fn_fail(FN_ELIMIT, "a JPEG of %d x %d pixels; sides go from 1 to %d", im->w, im->h,
                       FN_IMAGE_MAX_SIDE);
    int rc = fn_bytes_reserve(written, 4096);
    if (rc)
        return rc;
    jpeg->written = written;
    written->bytes = 0;
    jpeg_abort_compress(out);
    if (setjmp(jpeg->failed))
        return jpeg->code;
    out->image_width = (JDIMENSION)im->w;
    out->image_height = (JDIMENSION)im->h;
    out->input_components = 3;
    out->in_color_space = JCS_RGB;
    jpeg_set_defaults(out);
    jpeg_set_quality(out, quality, TRUE);
    out->comp_info[0].h_samp_factor = out->comp_info[0].v_samp_factor = subsample ? 2 : 1;
    out->optimize_coding = FALSE;
    out->dct_method = JDCT_ISLOW;
    jpeg_start_compress(out, TRUE);
    write_rows(out, im);
    jpeg_finish_compress(out);
    return FN_OK;
}
