/* SPDX-License-Identifier: MIT */
/* What libjpeg says, in our codes and sentences. */
#include "base/jpeg_errors.h"

#include <jerror.h>

#include "base/err.h"

static struct fn_jpeg_errors *of(j_common_ptr cinfo)
{
    return (struct fn_jpeg_errors *)cinfo->err;
}

void fn_jpeg_give_up(j_common_ptr cinfo, int code)
{
    of(cinfo)->code = code;
    longjmp(of(cinfo)->failed, 1);
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
    fn_jpeg_give_up(cinfo, fn_fail(code, "JPEG: %s", text));
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
    if (level >= 0)
        return; /* a trace */
    of(cinfo)->warnings++;
    if (is_damage(cinfo->err->msg_code)) {
        char text[JMSG_LENGTH_MAX];
        cinfo->err->format_message(cinfo, text);
        fn_jpeg_give_up(cinfo, fn_fail(FN_ECORRUPT, "JPEG: %s", text));
    }
}

static void on_print(j_common_ptr cinfo)
{
    (void)cinfo;
}

struct jpeg_error_mgr *fn_jpeg_errors_begin(struct fn_jpeg_errors *errors)
{
    jpeg_std_error(&errors->manager);
    errors->manager.error_exit = on_error;
    errors->manager.emit_message = on_message;
    errors->manager.output_message = on_print;
    return &errors->manager;
}
