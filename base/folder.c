/* SPDX-License-Identifier: MIT */
/* Folders and paths. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

int fn_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int fn_is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

int fn_mkdir_p(const char *path)
{
    if (!*path)
        return fn_fail(FN_ENOENT, "cannot make a folder without a name");
    char *part = strdup(path);
    int rc = FN_OK;
    if (!part)
        return fn_fail(FN_ENOMEM, "%s: out of memory", path);
    for (char *end = part; rc == FN_OK && *end;) {
        end += strspn(end, "/");
        end += strcspn(end, "/");
        char kept = *end;
        *end = '\0';
        if (mkdir(part, 0777) != 0) {
            int error = errno; /* mkdir may also say EROFS or EACCES of a folder that exists */
            if (!fn_is_dir(part)) {
                errno = error;
                rc = fn_fail_errno("%s: cannot make the folder", part);
            }
        } else {
            rc = fn_fsync_parent(part); /* or what is put into it goes with it at a power cut */
        }
        *end = kept;
    }
    free(part);
    return rc;
}

int fn_fsync_dir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fn_fail_errno("%s: cannot open the folder", path);
    int rc = FN_OK;
    /* EINVAL: a file system that keeps its folders in order without being asked. */
    if (fsync(fd) != 0 && errno != EINVAL)
        rc = fn_fail_errno("%s: cannot write the folder to disk", path);
    close(fd);
    return rc;
}

int fn_fsync_parent(const char *path)
{
    char *folder = strdup(path);
    if (!folder)
        return fn_fail(FN_ENOMEM, "%s: out of memory", path);
    size_t length = strlen(folder);
    while (length > 1 && folder[length - 1] == '/')
        folder[--length] = '\0';
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = '\0';
    int rc = fn_fsync_dir(slash ? folder : ".");
    free(folder);
    return fn_fail_in(rc, "%s: the folder that holds it", path);
}

const char *fn_path_last(const char *path, char *buf, size_t cap)
{
    size_t end = strlen(path), start;
    while (end > 1 && path[end - 1] == '/')
        end--;
    for (start = end; start > 0 && (path[start - 1] != '/' || end == 1); start--)
        ;
    snprintf(buf, cap, "%.*s", (int)(end - start), path + start);
    return buf;
}

char *fn_path_join(const char *a, const char *b)
{
    size_t na = a && b[0] != '/' ? strlen(a) : 0;
    while (na > 1 && a[na - 1] == '/')
        na--;
    int slash = na > 0 && a[na - 1] != '/';
    size_t nb = strlen(b);
    char *path = malloc(na + (size_t)slash + nb + 1);
    if (!path) {
        fn_fail(FN_ENOMEM, "%s: out of memory", b);
        return NULL;
    }
    if (na > 0)
        memcpy(path, a, na);
    if (slash)
        path[na] = '/';
    memcpy(path + na + slash, b, nb + 1);
    return path;
}

/* One open folder a level: deeper than anything of ours, and within 1024 open files. */
enum { MAX_DEPTH = 200 };

static int remove_entry(int parent, const char *name, const char *root, int depth);

static int remove_contents(DIR *dir, const char *root, int depth)
{
    /* Some file systems skip entries when others are removed meanwhile: go round until a round
     * finds nothing. */
    for (int found = 1; found;) {
        found = 0;
        rewinddir(dir);
        for (;;) {
            errno = 0;
            struct dirent *entry = readdir(dir);
            if (!entry && errno)
                return fn_fail_errno("%s: cannot list a folder in it", root);
            if (!entry)
                break;
            if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                continue;
            int rc = remove_entry(dirfd(dir), entry->d_name, root, depth + 1);
            if (rc != FN_OK)
                return rc;
            found = 1;
        }
    }
    return FN_OK;
}

/* Names are looked up in an open folder and links are not followed, so nobody can lead the removal
 * elsewhere by exchanging a folder for a link meanwhile. */
static int remove_entry(int parent, const char *name, const char *root, int depth)
{
    if (depth > MAX_DEPTH)
        return fn_fail(FN_ELIMIT, "%s: holds folders more than %d deep", root, MAX_DEPTH);
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        if (errno == ENOENT)
            return FN_OK;
        if (errno != ENOTDIR && errno != ELOOP)
            return fn_fail_errno("%s: cannot open the folder %s", root, name);
        if (unlinkat(parent, name, 0) != 0 && errno != ENOENT)
            return fn_fail_errno("%s: cannot remove %s", root, name);
        return FN_OK;
    }
    DIR *dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return fn_fail_errno("%s: cannot list the folder %s", root, name);
    }
    int rc = remove_contents(dir, root, depth);
    closedir(dir);
    if (rc == FN_OK && unlinkat(parent, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
        rc = fn_fail_errno("%s: cannot remove the folder %s", root, name);
    return rc;
}

int fn_remove_tree(const char *path)
{
    char *name = strdup(path);
    if (!name)
        return fn_fail(FN_ENOMEM, "%s: out of memory", path);
    /* "link/" would be what the link points to. */
    size_t length = strlen(name);
    while (length > 0 && name[length - 1] == '/')
        name[--length] = '\0';
    const char *slash = strrchr(name, '/');
    const char *last = slash ? slash + 1 : name;
    int rc;
    if (*last == '\0' || strcmp(last, ".") == 0 || strcmp(last, "..") == 0)
        rc = fn_fail(FN_EINTERNAL, "'%s': will not be removed, give the folder by its name", path);
    else
        rc = remove_entry(AT_FDCWD, name, path, 0);
    free(name);
    return rc;
}
