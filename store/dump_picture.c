/* SPDX-License-Identifier: MIT */
/* A record's picture as the bytes of a file, in the format wanted. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "store/dump_internal.h"

#define EXPORT_QUALITY 95 /* where a JPEG has to be made from something else */
#define EXPORT_LEVEL 6    /* zlib's default */

const char *fn_dump_ending(const char *format, int codec)
{
    if (strcmp(format, "keep") == 0)
        return codec == FN_CODEC_JPEG ? "jpg" : "png";
    return format;
}

int fn_dump_picture(struct fn_codec *codec, const struct fn_record *rec, const char *ending,
                    struct fn_image *image, struct fn_bytes *made, const uint8_t **data,
                    size_t *bytes)
{
    int jpg = strcmp(ending, "jpg") == 0;
    if ((jpg && rec->codec == FN_CODEC_JPEG) || (!jpg && rec->codec == FN_CODEC_PNG)) {
        *data = rec->payload;
        *bytes = rec->payload_bytes;
        return FN_OK;
    }
    int rc = fn_record_decode(codec, rec, image);
    if (!rc)
        rc = jpg ? fn_jpeg_encode(codec, image, EXPORT_QUALITY, 1, made)
                 : fn_png_encode(codec, image, EXPORT_LEVEL, made);
    *data = made->data;
    *bytes = made->bytes;
    return rc;
}

int fn_dump_put(const char *path, const uint8_t *data, size_t bytes)
{
    if (strcmp(path, "-") != 0)
        return fn_file_write(path, data, bytes);
    if (isatty(STDOUT_FILENO))
        return fn_fail(FN_EUSAGE, "a picture is nothing for a terminal: name a file, or pipe it");
    if (fwrite(data, 1, bytes, stdout) == bytes && !fflush(stdout))
        return FN_OK;
    return errno == EPIPE ? FN_OK /* the reader has gone: looked at when the tool ends */
                          : fn_fail_errno("cannot write to standard output");
}
