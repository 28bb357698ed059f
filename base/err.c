/* SPDX-License-Identifier: MIT */
/* One sentence per thread, kept in a fixed buffer: saying what went wrong never allocates. */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    SENTENCE = 1000, /* bytes; the header's promise */
    PREFIX = 300     /* what fn_fail_in may add to a sentence that is long already */
};

static _Thread_local char sentence[SENTENCE + 1];
static _Thread_local int said;

_Static_assert(sizeof((struct fn_err_note *)0)->text > SENTENCE, "a note holds any sentence");

const char *fn_strerror(int code)
{
    static const char *const names[FN_ERR_COUNT] = {
        [FN_OK] = "no error",
        [FN_EUSAGE] = "wrong usage",
        [FN_ENOMEM] = "out of memory",
        [FN_EIO] = "input/output error",
        [FN_ENOSPC] = "no space left",
        [FN_ENOENT] = "not found",
        [FN_EEXIST] = "exists already",
        [FN_EFORMAT] = "malformed data",
        [FN_ECORRUPT] = "damaged data",
        [FN_EVERSION] = "written by a newer version",
        [FN_ELIMIT] = "over a limit",
        [FN_EMISMATCH] = "mismatch",
        [FN_EBUSY] = "in use by another process",
        [FN_EUNSUPPORTED] = "not supported here",
        [FN_EDEVICE] = "device failure",
        [FN_EINTERRUPTED] = "interrupted",
        [FN_EINTERNAL] = "internal error",
    };
    if (code < 0 || code >= FN_ERR_COUNT || !names[code])
        return "unknown error";
    return names[code];
}

/* Where a cut at `limit` bytes leaves no half character of UTF-8 behind. */
static size_t whole_characters(const char *text, size_t limit)
{
    size_t end = limit;
    while (end > 0 && limit - end < 3 && ((unsigned char)text[end] & 0xc0) == 0x80)
        end--;
    return ((unsigned char)text[end] & 0xc0) == 0xc0 ? end : limit;
}

/* Make `text`, which may have been cut by snprintf, this thread's sentence. Control bytes come from
 * file names and damaged input; they would break the line or drive the terminal. */
static void say(const char *text, size_t length)
{
    if (length > SENTENCE)
        length = whole_characters(text, SENTENCE);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        sentence[i] = c < 0x20 || c == 0x7f ? '?' : text[i];
    }
    sentence[length] = '\0';
    said = 1;
}

/* Room for one byte more than a sentence shows say() that the text was cut. */
#define DRAFT (SENTENCE + 2)

int fn_fail(int code, const char *fmt, ...)
{
    char draft[DRAFT]; /* not `sentence`: the arguments may point into it */
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(draft, sizeof draft, fmt, ap);
    va_end(ap);
    say(draft, strlen(draft));
    return code;
}

int fn_fail_errno(const char *fmt, ...)
{
    int error = errno;
    char draft[DRAFT];
    char name[128];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(draft, sizeof draft, fmt, ap);
    va_end(ap);
    const char *reason = strerror_r(error, name, sizeof name);
    int code;
    switch (error) {
    case ENOSPC:
    case EDQUOT:
        code = FN_ENOSPC;
        break;
    case ENOMEM:
        code = FN_ENOMEM;
        break;
    case ENOENT:
        code = FN_ENOENT;
        break;
    case EEXIST:
        code = FN_EEXIST;
        break;
    default:
        code = FN_EIO;
    }
    /* A path can be longer than a sentence; the reason must not be what is cut. */
    size_t room = SENTENCE - 2 - strlen(reason);
    if (strlen(draft) > room)
        draft[whole_characters(draft, room)] = '\0';
    return fn_fail(code, "%s: %s", draft, reason);
}

int fn_fail_in(int code, const char *fmt, ...)
{
    if (code == FN_OK)
        return code;
    char draft[DRAFT];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(draft, sizeof draft, fmt, ap);
    va_end(ap);
    const char *text = fn_err_text(code);
    size_t room = SENTENCE - 2 - strlen(text);
    if (room < PREFIX || room > SENTENCE)
        room = PREFIX;
    if (strlen(draft) > room)
        draft[whole_characters(draft, room)] = '\0';
    return fn_fail(code, "%s: %s", draft, text);
}

const char *fn_err_text(int code)
{
    return said ? sentence : fn_strerror(code);
}

void fn_err_clear(void)
{
    said = 0;
    sentence[0] = '\0';
}

void fn_err_note_take(struct fn_err_note *note, int code)
{
    note->code = code;
    snprintf(note->text, sizeof note->text, "%s", fn_err_text(code));
}

int fn_err_note_raise(const struct fn_err_note *note)
{
    if (note->code != FN_OK)
        say(note->text, strlen(note->text));
    return note->code;
}
