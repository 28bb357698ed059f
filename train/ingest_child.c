/* SPDX-License-Identifier: MIT */
#include "train/ingest_child.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

extern char **environ;

/* malloc'd path of the fn-ingest in the folder of this program; NULL: there is none. */
static char *beside_us(void)
{
    char *self = realpath("/proc/self/exe", NULL), *path = NULL;
    if (self) {
        *strrchr(self, '/') = 0;
        path = fn_path_join(self, "fn-ingest");
    }
    free(self);
    if (path && access(path, X_OK) == 0)
        return path;
    free(path);
    return NULL;
}

/* Its stdout is our stderr: stdout is for our own data. A process group of its own: Ctrl-C reaches
 * us alone and is passed on once; a second one would end it before it has saved. */
static int spawn(const char *program, char *const argv[], pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    int rc = posix_spawn_file_actions_init(&actions);
    if (rc)
        return rc;
    rc = posix_spawnattr_init(&attr);
    if (!rc) {
        rc = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
        if (!rc)
            rc = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP);
        if (!rc)
            rc = posix_spawnattr_setpgroup(&attr, 0);
        if (!rc)
            rc = posix_spawnp(pid, program, &actions, &attr, argv, environ);
        posix_spawnattr_destroy(&attr);
    }
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

/* Its exit status; -1: it ended by a signal. */
static int wait_for(pid_t pid)
{
    const struct timespec nap = {0, 20000000};
    int status, passed_on = 0;
    pid_t got;
    while ((got = waitpid(pid, &status, WNOHANG)) == 0 || (got < 0 && errno == EINTR)) {
        if (fn_interrupted() && !passed_on) {
            kill(pid, SIGINT);
            passed_on = 1;
        }
        nanosleep(&nap, NULL);
    }
    return got == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int outcome(int status, const char *tree, const char *store)
{
    if (status == 0)
        return FN_OK;
    if (status == 130 || fn_interrupted())
        return fn_fail(FN_EINTERRUPTED,
                       "interrupted while %s was stored; the same command goes on from there",
                       tree);
    return fn_fail(FN_EFORMAT,
                   "fn-ingest made no store of %s, and said why above: correct that, or call "
                   "'fn-ingest --size 0 --codec keep --store %s %s' with the options it needs, "
                   "then this again",
                   tree, store, tree);
}

int fn_ingest_child(const char *tree, const char *store, const struct fn_common *common)
{
    char *beside = beside_us(), threads[24], program[] = "fn-ingest", size[] = "--size=0";
    char codec[] = "--codec=keep", into[] = "--store", level[16] = "", end[] = "--";
    char *argv[12], **at = argv;
    pid_t pid = 0;
    int rc;
    snprintf(level, sizeof level, "%s",
             common->quiet     ? "--quiet"
             : common->verbose ? "--verbose"
                               : "");
    snprintf(threads, sizeof threads, "--threads=%lld", (long long)common->threads);
    *at++ = program;
    *at++ = size;
    *at++ = codec;
    if (common->threads)
        *at++ = threads;
    if (level[0])
        *at++ = level;
    *at++ = into;
    *at++ = (char *)(uintptr_t)store; /* posix_spawn changes nothing of its arguments */
    *at++ = end;
    *at++ = (char *)(uintptr_t)tree;
    *at = NULL;
    rc = spawn(beside ? beside : program, argv, &pid);
    free(beside);
    if (rc) {
        errno = rc;
        return rc == ENOENT ? fn_fail(FN_ENOENT,
                                      "there is no fn-ingest beside this program or in PATH to "
                                      "store %s with",
                                      tree)
                            : fn_fail_errno("cannot run fn-ingest");
    }
    return outcome(wait_for(pid), tree, store);
}
