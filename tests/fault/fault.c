/* SPDX-License-Identifier: MIT */
/* Which call is the one: configuration, counting, verdict. */
#include "tests/fault/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *const kind_names[FAULT_KINDS] = {
    [FAULT_OPEN] = "open",     [FAULT_READ] = "read",     [FAULT_WRITE] = "write",
    [FAULT_SYNC] = "sync",     [FAULT_RENAME] = "rename", [FAULT_TRUNCATE] = "truncate",
    [FAULT_UNLINK] = "unlink", [FAULT_MKDIR] = "mkdir",   [FAULT_MAP] = "map",
    [FAULT_ALLOC] = "alloc",   [FAULT_MEMORY] = "memory",
};

enum { KILL_ = -1, INT_ = -2, SHORT_ = -3 };
static const struct {
    const char *name;
    int error;
} whats[] = {{"EIO", EIO},       {"ENOSPC", ENOSPC}, {"EINTR", EINTR}, {"ENOMEM", ENOMEM},
             {"EACCES", EACCES}, {"EMFILE", EMFILE}, {"EROFS", EROFS}, {"EDQUOT", EDQUOT},
             {"KILL", KILL_},    {"INT", INT_},      {"SHORT", SHORT_}};

static struct {
    unsigned kinds; /* bits */
    uint64_t n;
    int what, later; /* later: all that come after it, too */
    const char *under, *report;
} config;
static atomic_uint_fast64_t calls;
static atomic_int hit;

static void stop(const char *why)
{
    (void)!write(STDERR_FILENO, why, strlen(why));
    _exit(99);
}

static void parse_kinds(const char *text, size_t bytes)
{
    for (const char *end = text + bytes; text < end;) {
        size_t n = strcspn(text, ",:");
        int found = 0;
        for (int i = 0; i < FAULT_KINDS; i++)
            if (strlen(kind_names[i]) == n && strncmp(kind_names[i], text, n) == 0) {
                config.kinds |= 1u << i;
                found = 1;
            }
        if (!found)
            stop("FN_FAULT: no such kind of call\n");
        text += n + 1;
    }
}

static void parse_what(const char *text)
{
    size_t n = strcspn(text, "+");
    config.later = text[n] == '+';
    for (size_t i = 0; i < sizeof whats / sizeof whats[0]; i++)
        if (strlen(whats[i].name) == n && strncmp(whats[i].name, text, n) == 0) {
            config.what = whats[i].error;
            return;
        }
    stop("FN_FAULT: no such failure\n");
}

__attribute__((constructor)) static void start(void)
{
    const char *text = getenv("FN_FAULT");
    config.under = getenv("FN_FAULT_UNDER");
    config.report = getenv("FN_FAULT_REPORT");
    if (!text)
        return;
    const char *colon = strchr(text, ':'), *second = colon ? strchr(colon + 1, ':') : NULL;
    if (!colon || !second)
        stop("FN_FAULT: want KINDS:N:WHAT\n");
    parse_kinds(text, (size_t)(colon - text));
    parse_what(second + 1);
    config.n = strtoull(colon + 1, NULL, 10);
}

/* Plain calls of the kernel: nothing here may come back to this library, or ask for memory. */
static void say(const char *text)
{
    long fd = config.report ? syscall(SYS_openat, AT_FDCWD, config.report,
                                      O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)
                            : -1;
    if (fd < 0)
        return;
    (void)!syscall(SYS_write, fd, text, strlen(text));
    syscall(SYS_close, fd);
}

__attribute__((destructor)) static void end(void)
{
    char text[64];
    if (!config.kinds)
        return;
    snprintf(text, sizeof text, "calls %llu\n", (unsigned long long)atomic_load(&calls));
    say(text);
}

const char *fault_path(char *buf, int dir, const char *path)
{
    char link[32];
    ssize_t n = 0;
    buf[0] = 0;
    if (!path || path[0] != '/') {
        if (dir == AT_FDCWD && path)
            snprintf(link, sizeof link, "/proc/self/cwd");
        else
            snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
        n = readlink(link, buf, 4000);
        if (n < 0)
            return "";
        buf[n] = 0;
    }
    if (path)
        snprintf(buf + n, (size_t)(4096 - n), "%s%s", n ? "/" : "", path);
    return buf;
}

static int is_system(const char *path)
{
    static const char *const folders[] = {"/proc/", "/sys/", "/dev/", "/etc/",
                                          "/usr/",  "/lib",  "/var/"};
    if (strncmp(path, "/dev/shm/", 9) == 0)
        return 0; /* memory as a disk: campaigns are run there */
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        if (strncmp(path, folders[i], strlen(folders[i])) == 0)
            return 1;
    return path[0] != '/'; /* a pipe, a socket */
}

int fault_wants(enum fault_kind kind)
{
    return config.kinds >> kind & 1;
}

enum fault_verdict fault_at(enum fault_kind kind, int dir, const char *path)
{
    char full[4096] = "", text[4200];
    if (!fault_wants(kind) || (!path && dir >= 0 && dir <= STDERR_FILENO))
        return FAULT_NONE;
    int memory = kind == FAULT_ALLOC || kind == FAULT_MEMORY;
    if (!memory) {
        int error = errno;
        fault_path(full, dir, path);
        errno = error;
        if (is_system(full) || (config.under && !strstr(full, config.under)))
            return FAULT_NONE;
    }
    uint64_t now = atomic_fetch_add(&calls, 1) + 1;
    if (!config.n || now < config.n || (now > config.n && !config.later))
        return FAULT_NONE;
    if (!atomic_exchange(&hit, 1)) {
        snprintf(text, sizeof text, "hit %s %s\n", kind_names[kind], full);
        say(text);
    }
    if (config.what == KILL_)
        kill(getpid(), SIGKILL);
    if (config.what == INT_) {
        kill(getpid(), SIGINT);
        return FAULT_NONE;
    }
    if (config.what == SHORT_)
        return FAULT_SHORT_;
    errno = config.what;
    return FAULT_FAIL;
}
