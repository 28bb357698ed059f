/* SPDX-License-Identifier: MIT */
/* A picture's bytes -> the record's payload: decode, check, crop, resize, encode. */
#ifndef FN_INGEST_CONVERT_H
#define FN_INGEST_CONVERT_H

#include <stddef.h>
#include <stdint.h>

#include "base/faces.h"
#include "base/image.h"
#include "store/store.h"
#include "store/writer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What is made of every picture. `keep` leaves a JPEG or PNG as it came where nothing of it need be
 * changed (no box, right size or any, upright), and encodes the others in the format they came in.
 */
enum fn_convert_codec { FN_CONVERT_JPEG, FN_CONVERT_PNG, FN_CONVERT_RAW, FN_CONVERT_KEEP };

#define FN_CONVERT_PNG_LEVEL                                                                       \
    4 /* half the time of zlib's default 6 for 2 % more bytes of a face                            \
       */

struct fn_convert {
    enum fn_convert_codec codec;
    int size;    /* pixels a side; 0: as it came */
    int quality; /* of JPEG, 1..100; chroma 4:2:0 */
    int pixels;  /* 1: fn_converted.pixels too */
};
/* By name: jpeg png raw keep; FN_EUSAGE. */
int fn_convert_codec_named(const char *name, enum fn_convert_codec *codec);

struct fn_converted {
    int codec; /* enum fn_codec_id */
    int w, h;
    int warnings;           /* of the decoder */
    uint64_t pixels;        /* fn_pixels_hash before encoding, or 0 */
    const uint8_t *payload; /* the converter's, until its next use; of a kept picture: `data` */
    size_t bytes;
};

struct fn_converter; /* one a thread */
int fn_converter_open(struct fn_converter **converter);
void fn_converter_close(struct fn_converter **converter);

/* FN_OK; or, where the picture is at fault, *reject is its reason, the thread's sentence says why
 * and FN_OK is returned too. Other codes: no memory. box may be NULL. */
int fn_convert_picture(struct fn_converter *converter, const struct fn_convert *how,
                       const uint8_t *data, size_t bytes, const struct fn_box *box,
                       struct fn_converted *out, int *reject);

#ifdef __cplusplus
}
#endif
#endif
