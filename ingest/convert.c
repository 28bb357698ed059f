/* SPDX-License-Identifier: MIT */
/* Pictures to payloads, by the functions of base that evaluation uses too. */
#include "ingest/convert.h"

#include <stdlib.h>
#include <string.h>

#include "store/format.h"

static const char *const codec_names[] = {"jpeg", "png", "raw", "keep"};

struct fn_converter {
    struct fn_codec *codec;
    struct fn_face_scratch scratch;
    struct fn_image face;
    struct fn_bytes encoded;
};

int fn_convert_codec_named(const char *name, enum fn_convert_codec *codec)
{
    for (int i = 0; i < (int)(sizeof codec_names / sizeof codec_names[0]); i++) {
        if (strcmp(name, codec_names[i]) == 0) {
            *codec = (enum fn_convert_codec)i;
            return FN_OK;
        }
    }
    return fn_fail(FN_EUSAGE, "no codec is called '%s'", name);
}

int fn_converter_open(struct fn_converter **converter)
{
    struct fn_converter *c = calloc(1, sizeof *c);
    int rc = c ? fn_codec_open(&c->codec) : fn_fail(FN_ENOMEM, "no memory for a codec");
    if (rc)
        fn_converter_close(&c);
    *converter = c;
    return rc;
}

void fn_converter_close(struct fn_converter **converter)
{
    struct fn_converter *c = *converter;
    if (!c)
        return;
    fn_codec_close(&c->codec);
    fn_face_scratch_free(&c->scratch);
    fn_image_free(&c->face);
    fn_bytes_free(&c->encoded);
    free(c);
    *converter = NULL;
}

/* The reject reason that a decoder's failure is, 0 for one that is not the picture's fault. */
static int reason_of(int rc)
{
    switch (rc) {
    case FN_EFORMAT:
        return FN_REJECT_NOT_IMAGE;
    case FN_ECORRUPT:
        return FN_REJECT_IMAGE_DAMAGED;
    case FN_ELIMIT:
        return FN_REJECT_IMAGE_LIMIT;
    case FN_EMISMATCH:
        return FN_REJECT_BOX;
    default:
        return 0;
    }
}

/* May the source's own bytes stand as payload? They were decoded without complaint. */
static int can_keep(const struct fn_convert *how, const struct fn_image_info *info,
                    const struct fn_box *box)
{
    return !box && info->orientation == 1 &&
           (how->size == 0 || (info->w == how->size && info->h == how->size));
}

static int encode(struct fn_converter *c, enum fn_convert_codec codec, int quality,
                  struct fn_converted *out)
{
    int rc = FN_OK;
    if (codec == FN_CONVERT_RAW) {
        out->codec = FN_CODEC_RAW;
        out->payload = c->face.rgb;
        out->bytes = (size_t)out->w * (size_t)out->h * 3;
        return FN_OK;
    }
    out->codec = codec == FN_CONVERT_PNG ? FN_CODEC_PNG : FN_CODEC_JPEG;
    rc = codec == FN_CONVERT_PNG
             ? fn_png_encode(c->codec, &c->face, FN_CONVERT_PNG_LEVEL, &c->encoded)
             : fn_jpeg_encode(c->codec, &c->face, quality, 1, &c->encoded);
    out->payload = c->encoded.data;
    out->bytes = c->encoded.bytes;
    return rc;
}

int fn_convert_picture(struct fn_converter *c, const struct fn_convert *how, const uint8_t *data,
                       size_t bytes, const struct fn_box *box, struct fn_converted *out,
                       int *reject)
{
    enum fn_convert_codec codec = how->codec;
    struct fn_image_info info = {FN_IMAGE_UNKNOWN, 0, 0, 1};
    int rc = FN_OK;
    *reject = 0;
    if (codec == FN_CONVERT_KEEP)
        rc = fn_image_probe(c->codec, data, bytes, &info);
    if (!rc)
        rc = fn_face_prepare(c->codec, data, bytes, box, how->size, &c->scratch, &c->face);
    if (rc) {
        *reject = reason_of(rc);
        return *reject ? FN_OK : rc;
    }
    out->warnings = c->scratch.warnings;
    out->w = c->face.w;
    out->h = c->face.h;
    out->pixels = how->pixels ? fn_pixels_hash(out->w, out->h, c->face.rgb) : 0;
    if (codec == FN_CONVERT_KEEP) {
        codec = info.format == FN_IMAGE_PNG ? FN_CONVERT_PNG : FN_CONVERT_JPEG;
        if (can_keep(how, &info, box)) {
            out->codec = codec == FN_CONVERT_PNG ? FN_CODEC_PNG : FN_CODEC_JPEG;
            out->payload = data;
            out->bytes = bytes;
            return FN_OK;
        }
    }
    return encode(c, codec, how->quality, out);
}
