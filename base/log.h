/* SPDX-License-Identifier: MIT */
/* What a tool tells a person: everything here goes to stderr; stdout is for data.
 * Any thread may call any of it (one lock inside). */
#ifndef FN_BASE_LOG_H
#define FN_BASE_LOG_H

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

enum fn_log_level { FN_LOG_QUIET = 0, FN_LOG_NORMAL, FN_LOG_VERBOSE };

/* Set once by a tool's main: its name (static string; put before warnings and errors) and level. */
void fn_log_setup(const char *tool, enum fn_log_level level);
enum fn_log_level fn_log_level(void);

/* Control bytes, which come with the names of files, are printed as '?' (but newline and tab). */
void fn_info(const char *fmt, ...) FN_PRINTF(1, 2);    /* a line; not with --quiet */
void fn_verbose(const char *fmt, ...) FN_PRINTF(1, 2); /* a line; only with --verbose */
void fn_warn(const char *fmt, ...) FN_PRINTF(1, 2);    /* "tool: warning: ..."; always */
void fn_error(const char *fmt, ...) FN_PRINTF(1, 2);   /* "tool: ..."; always */

/* One line of progress. On a terminal it is redrawn in place, at most 6 times a second, and cut at
 * the terminal's width; elsewhere it is an ordinary line, at most one every `every_s` seconds.
 * Quiet: nothing. `last` nonzero: print now, and end the line; what follows begins anew. Lines of
 * fn_info and others never break into it. Cheap enough for every row: a clock is read, nothing is
 * formatted. */
void fn_progress(double every_s, int last, const char *fmt, ...) FN_PRINTF(3, 4);

/* Seconds since some fixed moment, monotonic. */
double fn_now(void);

/* Human-readable sizes and times into buf, which is returned: "11.7 kB", "1.2 GB" (powers of 1000);
 * "3.2 s", "42 s", "3 min 20 s", "2 h 05 min", "3 d 4 h"; "?" for a time that is none. */
char *fn_human_bytes(double bytes, char *buf, size_t cap);
char *fn_human_time(double seconds, char *buf, size_t cap);

#ifdef __cplusplus
}
#endif
#endif
