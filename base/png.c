/* SPDX-License-Identifier: MIT */
/* PNG through libpng, from and to memory. libpng's structures live for one picture; their memory is
 * kept from one to the next. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

#include "base/image_internal.h"

/* libpng needs state, zlib's windows (0.3 MB for writing) and seven rows, of at most 0.5 MB each.
 */
#define ARENA_LIMIT ((size_t)32 << 20)
#define ARENA_BLOCK ((size_t)512 << 10)

/* Memory that is handed out in order and taken back all at once. */
struct block {
    struct block *next;
    size_t cap, used; /* bytes at data */
    _Alignas(16) unsigned char data[];
};

struct fn_png {
    struct block *blocks, *current;
    size_t total; /* bytes in all blocks */
    png_structp png;
    jmp_buf failed;
    int code;     /* of the failure that jumped */
    int warnings; /* of this picture */
    const uint8_t *data;
    size_t bytes, at;
    struct fn_bytes *written;
};

static void arena_reset(struct fn_png *state)
{
    for (struct block *b = state->blocks; b; b = b->next)
        b->used = 0;
    state->current = state->blocks;
}

static struct block *arena_grow(struct fn_png *state, size_t bytes)
{
    size_t cap = bytes > ARENA_BLOCK ? bytes : ARENA_BLOCK;
    if (cap > ARENA_LIMIT || state->total > ARENA_LIMIT - cap)
        return NULL;
    struct block *b = malloc(sizeof *b + cap);
    if (!b)
        return NULL;
    *b = (struct block){.next = NULL, .cap = cap};
    struct block **end = &state->blocks;
    while (*end)
        end = &(*end)->next;
    *end = b;
    state->total += cap;
    return b;
}

static png_voidp arena_alloc(png_structp png, png_alloc_size_t wanted)
{
    struct fn_png *state = png_get_mem_ptr(png);
    if (wanted > ARENA_LIMIT) /* nor may the rounding wrap */
        return NULL;
    size_t bytes = (wanted + 15) & ~(size_t)15;
    struct block *b = state->current;
    while (b && b->cap - b->used < bytes)
        b = b->next;
    if (!b)
        b = arena_grow(state, bytes);
    if (!b)
        return NULL;
    state->current = b;
    void *p = b->data + b->used;
    b->used += bytes;
    return p;
}

static void arena_free(png_structp png, png_voidp p)
{
    (void)png;
    (void)p; /* with the next picture */
}

_Noreturn static void on_error(png_structp png, png_const_charp text)
{
    struct fn_png *state = png_get_error_ptr(png);
    int code = strstr(text, "emory") ? FN_ENOMEM : FN_ECORRUPT;
    state->code = fn_fail(state->code ? state->code : code, "PNG: %s", text);
    longjmp(state->failed, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    struct fn_png *state = png_get_error_ptr(png);
    (void)text;
    state->warnings++;
}

static void on_read(png_structp png, png_bytep to, size_t bytes)
{
    struct fn_png *state = png_get_io_ptr(png);
    if (bytes > state->bytes - state->at)
        png_error(png, "premature end of the data");
    memcpy(to, state->data + state->at, bytes);
    state->at += bytes;
}

static void on_write(png_structp png, png_bytep from, size_t bytes)
{
    struct fn_bytes *out = ((struct fn_png *)png_get_io_ptr(png))->written;
    if (bytes > SIZE_MAX - out->bytes || fn_bytes_reserve(out, out->bytes + bytes))
        png_error(png, "out of memory");
    memcpy(out->data + out->bytes, from, bytes);
    out->bytes += bytes;
}

static void on_flush(png_structp png)
{
    (void)png;
}

int fn_png_open(struct fn_png **png)
{
    *png = calloc(1, sizeof **png);
    return *png ? FN_OK : fn_fail(FN_ENOMEM, "no memory for a PNG codec");
}

void fn_png_close(struct fn_png **png)
{
    if (!*png)
        return;
    for (struct block *b = (*png)->blocks, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(*png);
    *png = NULL;
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Own walk over the chunks: an eXIf may stand behind the pixels, and the size is wanted before
 * anything is allocated. Checksums are libpng's business, when the pixels are read. */
int fn_png_header(struct fn_png *state, const uint8_t *data, size_t bytes,
                  struct fn_image_info *info)
{
    enum { SIGNATURE = 8, IHDR = 13, FRAME = 12 }; /* frame: length, type, CRC */
    if (bytes < SIGNATURE + IHDR + FRAME)
        return fn_fail(FN_ECORRUPT, "PNG: premature end of the data");
    if (get32(data + SIGNATURE) != IHDR || memcmp(data + SIGNATURE + 4, "IHDR", 4) != 0)
        return fn_fail(FN_ECORRUPT, "PNG: does not begin with its header chunk");
    uint32_t w = get32(data + SIGNATURE + 8), h = get32(data + SIGNATURE + 12);
    int rc = fn_image_check_size(w, h, UINT64_MAX);
    if (rc)
        return rc;
    *info = (struct fn_image_info){FN_IMAGE_PNG, (int)w, (int)h, 1};
    for (size_t at = SIGNATURE + IHDR + FRAME; bytes - at >= FRAME;) {
        size_t length = get32(data + at);
        const uint8_t *type = data + at + 4;
        if (length > bytes - at - FRAME || memcmp(type, "IEND", 4) == 0)
            break;
        if (memcmp(type, "eXIf", 4) == 0)
            info->orientation = fn_exif_orientation(data + at + 8, length);
        at += length + FRAME;
    }
    state->data = data;
    state->bytes = bytes;
    return FN_OK;
}

/* Every colour type to packed RGB: the high byte of 16 bits, alpha and tRNS dropped, no gamma. */
static void want_rgb(png_structp png, png_infop info)
{
    int type = png_get_color_type(png, info);
    if (type == PNG_COLOR_TYPE_PALETTE)
        png_set_palette_to_rgb(png);
    if (type == PNG_COLOR_TYPE_GRAY)
        png_set_expand_gray_1_2_4_to_8(png);
    png_set_strip_16(png);
    if (!(type & PNG_COLOR_MASK_COLOR))
        png_set_gray_to_rgb(png);
    png_set_strip_alpha(png);
}

static void read_picture(struct fn_png *state, struct fn_image *out)
{
    png_structp png = state->png;
    png_infop info = png_create_info_struct(png);
    if (!info)
        png_error(png, "out of memory");
    png_set_read_fn(png, state, on_read);
    png_set_user_limits(png, FN_IMAGE_MAX_SIDE, FN_IMAGE_MAX_SIDE);
    png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    png_set_benign_errors(png, 1);
    /* Everything but IHDR, PLTE, tRNS, IDAT, IEND: read past, checksum looked at. */
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_read_info(png, info);
    want_rgb(png, info);
    int passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    size_t row = (size_t)out->w * 3;
    if (png_get_image_width(png, info) != (png_uint_32)out->w ||
        png_get_image_height(png, info) != (png_uint_32)out->h ||
        png_get_rowbytes(png, info) != row)
        png_error(png, "rows of an unexpected size");
    while (passes--)
        for (size_t y = 0; y < (size_t)out->h; y++)
            png_read_row(png, out->rgb + y * row, NULL);
    png_read_end(png, NULL);
}

int fn_png_pixels(struct fn_png *state, struct fn_image *out, int *warnings)
{
    uint32_t w = get32(state->data + 16), h = get32(state->data + 20);
    int rc = fn_image_reserve(out, (int)w, (int)h);
    if (rc)
        return rc;
    arena_reset(state);
    state->code = state->warnings = 0;
    state->at = 0;
    if (setjmp(state->failed))
        return state->code;
    state->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, state, on_error, on_warning, state,
                                          arena_alloc, arena_free);
    if (!state->png)
        return fn_fail(FN_ENOMEM, "PNG: libpng does not start");
    read_picture(state, out);
    *warnings = state->warnings;
    return FN_OK;
}

static void write_picture(struct fn_png *state, const struct fn_image *im, int level)
{
    png_structp png = state->png;
    png_infop info = png_create_info_struct(png);
    if (!info)
        png_error(png, "out of memory");
    png_set_write_fn(png, state, on_write, on_flush);
    png_set_user_limits(png, FN_IMAGE_MAX_SIDE, FN_IMAGE_MAX_SIDE);
    png_set_IHDR(png, info, (png_uint_32)im->w, (png_uint_32)im->h, 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_BASE, PNG_FILTER_TYPE_BASE);
    png_set_compression_level(png, level);
    png_write_info(png, info);
    for (size_t y = 0; y < (size_t)im->h; y++)
        png_write_row(png, im->rgb + y * (size_t)im->w * 3);
    png_write_end(png, info);
}

int fn_png_write(struct fn_png *state, const struct fn_image *im, int level, struct fn_bytes *out)
{
    if (im->w < 1 || im->h < 1 || im->w > FN_IMAGE_MAX_SIDE || im->h > FN_IMAGE_MAX_SIDE)
        return fn_fail(FN_ELIMIT, "a PNG of %d x %d pixels; sides go from 1 to %d", im->w, im->h,
                       FN_IMAGE_MAX_SIDE);
    int rc = fn_bytes_reserve(out, 4096);
    if (rc)
        return rc;
    arena_reset(state);
    state->code = state->warnings = 0;
    state->written = out;
    out->bytes = 0;
    if (setjmp(state->failed))
        return state->code;
    state->png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, state, on_error, on_warning,
                                           state, arena_alloc, arena_free);
    if (!state->png)
        return fn_fail(FN_ENOMEM, "PNG: libpng does not start");
    write_picture(state, im, level);
    return FN_OK;
}
