/* SPDX-License-Identifier: MIT */
/* What every test includes: cmocka, the folder of real data, a scratch folder. */
#ifndef FN_TESTS_TEST_H
#define FN_TESTS_TEST_H

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"

/* Fails with our own sentence, not with a number. */
#define assert_ok(call)                                                                            \
    do {                                                                                           \
        int test_rc_ = (call);                                                                     \
        if (test_rc_ != FN_OK)                                                                     \
            fail_msg("%s: %s", #call, fn_err_text(test_rc_));                                      \
    } while (0)

/* Path of a file of the real data, in a static buffer (four take turns); NULL where the folder is
 * missing. FN_TEST_DATA, else ../shared/data beside the project. */
static inline const char *test_data(const char *name)
{
    static char path[4][4096];
    static int turn;
    const char *dir = getenv("FN_TEST_DATA");
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", dir ? dir : FN_SOURCE_DIR "/../shared/data",
             name);
    return access(path[turn], R_OK) == 0 ? path[turn] : NULL;
}

/* At the start of a test that needs real data: skips, aloud, where it is missing. */
#define need_data(name)                                                                            \
    do {                                                                                           \
        if (!test_data(name)) {                                                                    \
            printf("SKIPPED %s: no %s (set FN_TEST_DATA)\n", __func__, name);                      \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

/* A new empty folder under $TMPDIR or /tmp; malloc'd path. Remove it with fn_remove_tree. */
static inline char *test_folder(void)
{
    const char *tmp = getenv("TMPDIR");
    char path[4096];
    snprintf(path, sizeof path, "%s/fn-test-XXXXXX", tmp ? tmp : "/tmp");
    return mkdtemp(path) ? strdup(path) : NULL;
}

/* The near end of a new pseudo-terminal; skips, aloud, where there are none (a chroot without
 * /dev/pts). */
static inline int test_terminal(void)
{
    int end = posix_openpt(O_RDWR | O_NOCTTY);
    if (end < 0 || grantpt(end) || unlockpt(end) || access(ptsname(end), R_OK | W_OK)) {
        printf("SKIPPED: no pseudo-terminals here (/dev/pts)\n");
        skip();
    }
    return end;
}

#endif
