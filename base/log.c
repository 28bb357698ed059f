/* SPDX-License-Identifier: MIT */
/* Lines for a person, on stderr. While a line of progress stands unfinished on a terminal, every
 * other line first wipes it and draws it anew below. */
#include "base/log.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 512 }; /* bytes kept of a line of progress */
static const double redraw_s =
    1.0 / 6.0; /* often enough for the eye, too seldom to cost anything */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *tool_name; /* under lock */
static atomic_int level_now = FN_LOG_NORMAL;
static char progress[LINE];              /* under lock: what stands there, "" if nothing */
static size_t progress_columns;          /* under lock */
static double progress_time = -HUGE_VAL; /* under lock: when it was last printed */

void fn_log_setup(const char *tool, enum fn_log_level level)
{
    pthread_mutex_lock(&lock);
    tool_name = tool;
    pthread_mutex_unlock(&lock);
    atomic_store(&level_now, (int)level);
}

enum fn_log_level fn_log_level(void)
{
    return (enum fn_log_level)atomic_load(&level_now);
}

double fn_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Control bytes, which come with names of strangers, would drive the terminal. */
static void tame(char *text, const char *taken)
{
    for (; *text; text++)
        if (((unsigned char)*text < 0x20 || *text == 0x7f) && !strchr(taken, *text))
            *text = '?';
}

/* Characters, which is columns for all scripts but the wide ones. */
static size_t columns_of(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

/* Cut so that the line does not wrap: '\r' goes back to the start of the last row only. */
static void cut_to_columns(char *text, size_t columns)
{
    size_t n = 0;
    for (; *text; text++) {
        n += ((unsigned char)*text & 0xc0) != 0x80;
        if (n > columns) {
            *text = '\0';
            return;
        }
    }
}

static size_t terminal_columns(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1)
        return size.ws_col;
    return 80;
}

static void wipe_progress(void)
{
    if (progress[0])
        fprintf(stderr, "\r%*s\r", (int)progress_columns, "");
}

static void line_of(const char *kind, const char *fmt, va_list ap) FN_PRINTF(2, 0);
static void line_of(const char *kind, const char *fmt, va_list ap)
{
    char small[1024];
    char *text = small, *large = NULL;
    va_list again;
    va_copy(again, ap);
    int length = vsnprintf(small, sizeof small, fmt, ap);
    if (length >= (int)sizeof small && (large = malloc((size_t)length + 1)) != NULL) {
        vsnprintf(large, (size_t)length + 1, fmt, again);
        text = large;
    }
    va_end(again);
    tame(text, "\n\t");
    pthread_mutex_lock(&lock);
    wipe_progress();
    const char *name = kind && tool_name ? tool_name : "";
    fprintf(stderr, "%s%s%s%s\n", name, *name ? ": " : "", kind ? kind : "", text);
    if (progress[0])
        fputs(progress, stderr);
    pthread_mutex_unlock(&lock);
    free(large);
}

void fn_info(const char *fmt, ...)
{
    if (fn_log_level() < FN_LOG_NORMAL)
        return;
    va_list ap;
    va_start(ap, fmt);
    line_of(NULL, fmt, ap);
    va_end(ap);
}

void fn_verbose(const char *fmt, ...)
{
    if (fn_log_level() < FN_LOG_VERBOSE)
        return;
    va_list ap;
    va_start(ap, fmt);
    line_of(NULL, fmt, ap);
    va_end(ap);
}

void fn_warn(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    line_of("warning: ", fmt, ap);
    va_end(ap);
}

void fn_error(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    line_of("", fmt, ap);
    va_end(ap);
}

/* Under the lock. The remains of a longer line are overwritten with spaces, which every terminal
 * understands. */
static void draw_progress(char *text, int last)
{
    cut_to_columns(text, terminal_columns() - 1);
    size_t columns = columns_of(text);
    if (columns < progress_columns)
        fprintf(stderr, "\r%s%*s\r%s%s", text, (int)(progress_columns - columns), "", text,
                last ? "\n" : "");
    else
        fprintf(stderr, "\r%s%s", text, last ? "\n" : "");
    memcpy(progress, text, strlen(text) + 1);
    progress_columns = columns;
    if (last) {
        progress[0] = '\0';
        progress_columns = 0;
    }
}

void fn_progress(double every_s, int last, const char *fmt, ...)
{
    if (fn_log_level() < FN_LOG_NORMAL)
        return;
    pthread_mutex_lock(&lock);
    int terminal = isatty(STDERR_FILENO);
    double now = fn_now();
    if (last || now - progress_time >= (terminal ? redraw_s : every_s)) {
        char text[LINE];
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        tame(text, "");
        if (terminal)
            draw_progress(text, last);
        else
            fprintf(stderr, "%s\n", text);
        progress_time = last ? -HUGE_VAL : now; /* the next line begins something new */
    }
    pthread_mutex_unlock(&lock);
}

char *fn_human_bytes(double bytes, char *buf, size_t cap)
{
    static const char *const unit[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    size_t u = 0;
    /* What would be rounded to 1000.0 is written in the next unit. */
    for (; u + 1 < sizeof unit / sizeof unit[0] && fabs(bytes) >= (u ? 999.95 : 999.5); u++)
        bytes /= 1000;
    snprintf(buf, cap, u ? "%.1f %s" : "%.0f %s", bytes, unit[u]);
    return buf;
}

char *fn_human_time(double seconds, char *buf, size_t cap)
{
    if (!(seconds >= 0) || seconds > 1e15) {
        snprintf(buf, cap, "?");
        return buf;
    }
    if (seconds < 9.95) {
        snprintf(buf, cap, "%.1f s", seconds);
        return buf;
    }
    long long s = llround(seconds);
    if (s < 60)
        snprintf(buf, cap, "%lld s", s);
    else if (s < 3600)
        snprintf(buf, cap, "%lld min %lld s", s / 60, s % 60);
    else if (s < 86400)
        snprintf(buf, cap, "%lld h %02lld min", s / 3600, s % 3600 / 60);
    else
        snprintf(buf, cap, "%lld d %lld h", s / 86400, s % 86400 / 3600);
    return buf;
}
