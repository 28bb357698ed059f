/* SPDX-License-Identifier: MIT */
/* Pictures to JPEG: one compressor per codec, reused for every picture, writing to memory. */
#include <stdlib.h>

#include "base/image_internal.h"
#include "base/jpeg_errors.h"

#define ROWS 4 /* handed over at once */

struct fn_jpeg_writer {
    struct jpeg_compress_struct out;
    int is_open;
    struct fn_jpeg_errors errors;
    struct jpeg_destination_mgr target;
    struct fn_bytes *written;
};

static void target_start(j_compress_ptr out)
{
    struct fn_jpeg_writer *jpeg = out->client_data;
    out->dest->next_output_byte = jpeg->written->data;
    out->dest->free_in_buffer = jpeg->written->cap;
}

static boolean target_full(j_compress_ptr out)
{
    struct fn_jpeg_writer *jpeg = out->client_data;
    size_t full = jpeg->written->cap;
    int rc = fn_bytes_reserve(jpeg->written, full * 2);
    if (rc)
        fn_jpeg_give_up((j_common_ptr)out, rc);
    out->dest->next_output_byte = jpeg->written->data + full;
    out->dest->free_in_buffer = jpeg->written->cap - full;
    return TRUE;
}

static void target_end(j_compress_ptr out)
{
    struct fn_jpeg_writer *jpeg = out->client_data;
    struct fn_bytes *written = jpeg->written;
    written->bytes = written->cap - out->dest->free_in_buffer;
}

static int create(struct fn_jpeg_writer *jpeg)
{
    struct jpeg_compress_struct *out = &jpeg->out;
    out->err = fn_jpeg_errors_begin(&jpeg->errors);
    if (setjmp(jpeg->errors.failed))
        return jpeg->errors.code;
    out->client_data = jpeg;
    jpeg_create_compress(out);
    jpeg->is_open = 1;
    out->dest = &jpeg->target;
    return FN_OK;
}

int fn_jpeg_writer_open(struct fn_jpeg_writer **jpeg)
{
    struct fn_jpeg_writer *j = calloc(1, sizeof *j);
    *jpeg = j;
    if (!j)
        return fn_fail(FN_ENOMEM, "no memory to write JPEGs");
    j->target = (struct jpeg_destination_mgr){.init_destination = target_start,
                                              .empty_output_buffer = target_full,
                                              .term_destination = target_end};
    int rc = create(j);
    if (rc)
        fn_jpeg_writer_close(jpeg);
    return rc;
}

void fn_jpeg_writer_close(struct fn_jpeg_writer **jpeg)
{
    if (!*jpeg)
        return;
    if ((*jpeg)->is_open)
        jpeg_destroy_compress(&(*jpeg)->out);
    free(*jpeg);
    *jpeg = NULL;
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

int fn_jpeg_write(struct fn_jpeg_writer *jpeg, const struct fn_image *im, int quality,
                  int subsample, struct fn_bytes *written)
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
    if (setjmp(jpeg->errors.failed))
        return jpeg->errors.code;
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
