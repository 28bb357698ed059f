/* SPDX-License-Identifier: MIT */
/* What every main does beside its work: signals, processors, the exit. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/args.h"
#include "base/log.h"

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    if (interrupted) { /* the person insists: end as if we had never asked for it */
        signal(number, SIG_DFL);
        raise(number);
    }
    interrupted = 1;
}

void fn_signals_setup(void)
{
    /* A file that got the number of a closed standard stream would receive our messages. Opened for
     * the wrong direction, so that using it still is an error. */
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            (void)!open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);

    struct sigaction action;
    memset(&action, 0, sizeof action);
    sigemptyset(&action.sa_mask);
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
}

int fn_interrupted(void)
{
    return interrupted;
}

/* Whether the reader at the other end of our pipe has gone. */
static int stdout_is_abandoned(void)
{
    struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return poll(&p, 1, 0) == 1 && (p.revents & POLLERR);
}

static int close_stdout(void)
{
    int lost = ferror(stdout);
    errno = 0;
    if (fflush(stdout) != 0)
        lost = 1;
    int reason = errno;
    if (lost && (reason == EPIPE || stdout_is_abandoned()))
        return FN_OK;
    /* EBADF after a flush without a failure: it was closed from the start and never used. */
    if (!lost && fclose(stdout) != 0 && errno != EBADF) {
        lost = 1;
        reason = errno;
    }
    if (!lost)
        return FN_OK;
    if (!reason) /* it was an earlier write that failed, and no one asked why */
        return fn_fail(FN_EIO, "cannot write all to standard output: what takes it may be full");
    errno = reason;
    return fn_fail_errno("cannot write to standard output");
}

void fn_tool_level(const struct fn_tool *tool, const struct fn_common *common)
{
    fn_log_setup(tool->name, common->quiet     ? FN_LOG_QUIET
                             : common->verbose ? FN_LOG_VERBOSE
                                               : FN_LOG_NORMAL);
}

int fn_tool_exit(const struct fn_tool *tool, int rc)
{
    fn_log_setup(tool->name, fn_log_level());
    if (rc == FN_ARGS_DONE)
        rc = FN_OK;
    if (rc != FN_OK)
        fn_error("%s", fn_err_text(rc));
    if (rc == FN_EUSAGE)
        fprintf(stderr, "try '%s --help'\n", tool->name);
    int stdout_rc = close_stdout();
    if (stdout_rc != FN_OK && rc == FN_OK) {
        rc = stdout_rc;
        fn_error("%s", fn_err_text(rc));
    }
    switch (rc) {
    case FN_OK:
        return 0;
    case FN_EUSAGE:
        return 2;
    case FN_EINTERRUPTED:
        return 130;
    default:
        return 1;
    }
}

/* Append one word, in single quotes where a shell would take it apart. */
static char *append_word(char *to, const char *word)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "-_./=:,+@%";
    if (*word && word[strspn(word, plain)] == '\0')
        return stpcpy(to, word);
    *to++ = '\'';
    for (; *word; word++) {
        if (*word == '\'')
            to = stpcpy(to, "'\\''");
        else
            *to++ = *word;
    }
    *to++ = '\'';
    *to = '\0';
    return to;
}

const char *fn_args_word(const char *word, char *buf, size_t cap)
{
    if (cap < 4 * strlen(word) + 3)
        return word;
    append_word(buf, word);
    return buf;
}

char *fn_args_command(const struct fn_tool *tool, int argc, char **argv)
{
    size_t bytes = strlen(tool->name) + 1;
    for (int i = 1; i < argc; i++)
        bytes += 4 * strlen(argv[i]) + 4;
    char *line = malloc(bytes), *at = line;
    if (!line)
        return NULL;
    at = stpcpy(at, tool->name);
    for (int i = 1; i < argc; i++) {
        *at++ = ' ';
        at = append_word(at, argv[i]);
    }
    return line;
}
