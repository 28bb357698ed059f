/* SPDX-License-Identifier: MIT */
/* A main for fuzz targets where libFuzzer is not: feeds them every file of the folders and files
 * named on the command line, in the order of their names. A crash is the failure; so is a folder
 * that is missing or empty, since a replay of nothing proves nothing. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "tests/fuzz/fuzz.h"

static int complain(int rc)
{
    fprintf(stderr, "replay: %s\n", fn_err_text(rc));
    return rc;
}

static int replay_file(const char *path, size_t *count)
{
    unsigned char *data = NULL, *exact = NULL;
    size_t bytes = 0;
    int rc = fn_file_read(path, SIZE_MAX, &data, &bytes);
    if (rc != FN_OK)
        goto out;
    /* A block of just this size: the sanitizer sees a read of the byte behind it. */
    exact = malloc(bytes ? bytes : 1);
    if (!exact) {
        rc = fn_fail(FN_ENOMEM, "%s: out of memory", path);
        goto out;
    }
    memcpy(exact, data, bytes);
    LLVMFuzzerTestOneInput(exact, bytes);
    ++*count;
out:
    free(exact);
    free(data);
    return rc == FN_OK ? rc : complain(rc);
}

static int no_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int replay_folder(const char *path, size_t *count)
{
    struct dirent **entries = NULL;
    int n = scandir(path, &entries, no_hidden, alphasort);
    if (n < 0)
        return complain(fn_fail_errno("%s: cannot list the folder", path));
    int rc = n > 0 ? FN_OK : complain(fn_fail(FN_ENOENT, "%s: the folder is empty", path));
    for (int i = 0; i < n; i++) {
        char *file = rc == FN_OK ? fn_path_join(path, entries[i]->d_name) : NULL;
        if (rc == FN_OK)
            rc = file ? replay_file(file, count) : complain(FN_ENOMEM);
        free(file);
        free(entries[i]);
    }
    free(entries);
    return rc;
}

int main(int argc, char **argv)
{
    size_t count = 0;
    int rc = FN_OK;
    if (argc < 2) {
        fprintf(stderr, "usage: %s FOLDER|FILE...\n", argv[0]);
        return 2;
    }
    for (int i = 1; i < argc && rc == FN_OK; i++)
        rc = fn_is_dir(argv[i]) ? replay_folder(argv[i], &count) : replay_file(argv[i], &count);
    printf("%zu inputs replayed\n", count);
    return rc != FN_OK || fclose(stdout) != 0;
}
