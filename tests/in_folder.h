/* SPDX-License-Identifier: MIT */
/* A folder for a group of tests, removed after it, and the paths in it. */
#ifndef FN_TESTS_IN_FOLDER_H
#define FN_TESTS_IN_FOLDER_H

#include "base/file.h"
#include "tests/test.h"

static char *folder;

static inline int set_up(void **state)
{
    (void)state;
    folder = test_folder();
    return folder ? 0 : -1;
}

static inline int tear_down(void **state)
{
    (void)state;
    int rc = fn_remove_tree(folder);
    free(folder);
    return rc;
}

/* Of a file in it; the fourth path after this one takes its place. */
static inline const char *path_of(const char *name)
{
    static char path[4][4096];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

#endif
