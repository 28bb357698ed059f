/* SPDX-License-Identifier: MIT */
/* A new folder in the place of an old one. A marker in the new one says, until the old one has its
 * last name, how far the swap is: the two could not be told apart otherwise. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "ingest/repair.h"

#define MARKER ".repaired" /* names with a dot are nobody's business in a store */

static int there(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static int sync_parent(const char *path)
{
    char *copy = strdup(path), *slash = copy ? strrchr(copy, '/') : NULL;
    if (!copy)
        return fn_fail(FN_ENOMEM, "no memory to rename %s", path);
    if (slash)
        slash[slash == copy ? 1 : 0] = 0;
    int rc = fn_fsync_dir(slash ? copy : ".");
    free(copy);
    return rc;
}

static int move(const char *from, const char *to)
{
    if (rename(from, to) != 0)
        return fn_fail_errno("cannot rename %s to %s", from, to);
    return sync_parent(to);
}

static int unmark(const char *store)
{
    char marker[FN_PATH_MAX];
    if (unlink(fn_store_file(marker, store, MARKER)) != 0 && errno != ENOENT)
        return fn_fail_errno("cannot remove %s", marker);
    return FN_OK;
}

int fn_repair_swap(const char *store, const char *made, const char *aside)
{
    char marker[FN_PATH_MAX];
    if (there(aside))
        return fn_fail(FN_EEXIST,
                       "%s is in the way: what an earlier repair put aside. Remove it if it is no "
                       "longer needed, and run the same command again",
                       aside);
    int rc = fn_file_write(fn_store_file(marker, made, MARKER), "", 0);
    if (rc)
        return rc;
    if (renameat2(AT_FDCWD, made, AT_FDCWD, store, RENAME_EXCHANGE) == 0) {
        rc = sync_parent(store);
        if (!rc)
            rc = move(made, aside);
    } else if (errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP) {
        rc = move(store, aside);
        if (!rc)
            rc = move(made, store);
    } else {
        rc = fn_fail_errno("cannot exchange %s and %s", made, store);
    }
    return rc ? rc : unmark(store);
}

int fn_repair_swap_settle(const char *store, const char *made, const char *aside, int *ready,
                          int *done)
{
    char path[FN_PATH_MAX];
    int rc = FN_OK;
    *ready = *done = 0;
    if (!there(store) && there(aside) && there(fn_store_file(path, made, MARKER))) {
        rc = move(made, store);
        *done = 1;
    } else if (there(fn_store_file(path, store, MARKER))) {
        if (there(made))
            rc = move(made, aside);
        *done = 1;
    } else {
        *ready = there(fn_store_file(path, made, "manifest.json")) &&
                 !there(fn_store_file(path, made, "build"));
    }
    return rc || !*done ? rc : unmark(store);
}
