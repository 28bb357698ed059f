/* SPDX-License-Identifier: MIT */
/* Errors: one enum, one name for each code, one sentence per thread.
 *
 * Every function that can fail returns an int: FN_OK (0) or one of the codes below. The function
 * that notices a failure says it once, with fn_fail(); functions above it pass the code on, or add
 * where it happened with fn_fail_in(). Only a tool's main file prints the sentence. A sentence says
 * what is wrong, where, and what to do about it. */
#ifndef FN_BASE_ERR_H
#define FN_BASE_ERR_H

#include <stdarg.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define FN_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#else
#define FN_PRINTF(fmt, first)
#endif

enum fn_err {
    FN_OK = 0,
    FN_EUSAGE,       /* the caller of a tool gave options that make no sense: exit 2 */
    FN_ENOMEM,       /* an allocation failed */
    FN_EIO,          /* the operating system refused to read, write, open, map, rename */
    FN_ENOSPC,       /* the disk is full, or a quota is */
    FN_ENOENT,       /* no such file, class, record, tensor */
    FN_EEXIST,       /* it is there already and would be overwritten */
    FN_EFORMAT,      /* the bytes are not what they should be: wrong kind of file, bad syntax */
    FN_ECORRUPT,     /* the bytes were right once: a checksum differs, a file is cut short */
    FN_EVERSION,     /* written by a newer version than this one */
    FN_ELIMIT,       /* larger, or more, than a stated limit */
    FN_EMISMATCH,    /* two things that must agree do not: store and checkpoint, shape and model */
    FN_EBUSY,        /* another process holds it */
    FN_EUNSUPPORTED, /* valid, but not available here: a device, a codec, a precision */
    FN_EDEVICE,      /* a compute library or device reported a failure */
    FN_EINTERRUPTED, /* a signal asked to stop; all that was done is saved: exit 130 */
    FN_EINTERNAL,    /* a promise of this program to itself is broken */
    FN_ERR_COUNT
};

/* Short English name of a code ("out of memory"), never NULL. Any thread. */
const char *fn_strerror(int code);

/* Set this thread's sentence and return code, so that `return fn_fail(FN_EFORMAT, "...", ...)`
 * reads well. The sentence has no newline and no full stop at its end; it is cut at 1,000 bytes,
 * and control bytes in it (of a file name, of damaged input) become '?'. The arguments may be parts
 * of this thread's earlier sentence. errno is read before anything else happens. */
int fn_fail(int code, const char *fmt, ...) FN_PRINTF(2, 3);

/* The same for a failed system call: ": <strerror(errno)>" is appended, and the code is FN_ENOSPC,
 * FN_ENOMEM, FN_ENOENT, FN_EEXIST or FN_EIO after errno. */
int fn_fail_errno(const char *fmt, ...) FN_PRINTF(1, 2);

/* Put "<formatted text>: " before this thread's sentence and return code unchanged.
 * code FN_OK is returned as it is and nothing is changed. */
int fn_fail_in(int code, const char *fmt, ...) FN_PRINTF(2, 3);

/* This thread's sentence, or the name of `code` if none was said since fn_err_clear().
 * Valid until the thread's next fn_fail. */
const char *fn_err_text(int code);
void fn_err_clear(void);

/* Carry a failure from one thread to another: the worker fills a note, the joiner raises it. */
struct fn_err_note {
    int code;
    char text[1024];
};
void fn_err_note_take(struct fn_err_note *note, int code); /* from this thread's sentence */
int fn_err_note_raise(const struct fn_err_note *note);     /* sets the sentence, returns the code */

#ifdef __cplusplus
}
#endif
#endif
