/* SPDX-License-Identifier: MIT */
/* libjpeg's errors as ours: both ends of the codec jump out of the library to their own setjmp. */
#ifndef FN_BASE_JPEG_ERRORS_H
#define FN_BASE_JPEG_ERRORS_H

#include <setjmp.h>
#include <stddef.h>
#include <stdio.h>

#include <jpeglib.h>

#ifdef __cplusplus
extern "C" {
#endif

struct fn_jpeg_errors {
    struct jpeg_error_mgr manager; /* must stand first: libjpeg knows this one only */
    jmp_buf failed;                /* to be set before libjpeg is called */
    int code;                      /* of the failure that jumped, with its sentence set */
    int warnings;                  /* counted; whoever begins a picture sets it to 0 */
};
/* The manager to give to libjpeg's objects. A warning that the pixels are not those that were
 * encoded (bad codes, a premature end) is a failure; others are counted. */
struct jpeg_error_mgr *fn_jpeg_errors_begin(struct fn_jpeg_errors *errors);

/* Ends what libjpeg is doing, from one of its callbacks. */
__attribute__((noreturn)) void fn_jpeg_give_up(j_common_ptr cinfo, int code);

#ifdef __cplusplus
}
#endif
#endif
