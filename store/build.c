/* SPDX-License-Identifier: MIT */
/* The build folder: paths, lock, names, removal. */
#include "store/build.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

/* a, b and c in a row. fn_path_check has seen to it that they fit; what does not is cut. */
static char *join(char *buf, const char *a, const char *b, const char *c)
{
    const char *part[] = {a, b, c};
    size_t used = 0;
    for (int i = 0; i < 3; i++) {
        size_t bytes = strlen(part[i]), room = FN_PATH_MAX - 1 - used;
        bytes = bytes < room ? bytes : room;
        memcpy(buf + used, part[i], bytes);
        used += bytes;
    }
    buf[used] = 0;
    return buf;
}

static char *join_number(char *buf, const char *a, const char *b, uint64_t shard, const char *end)
{
    char name[64];
    snprintf(name, sizeof name, "shard-%05llu%s", (unsigned long long)shard, end);
    return join(buf, a, b, name);
}

char *fn_store_file(char *buf, const char *store, const char *name)
{
    return join(buf, store, "/", name);
}

char *fn_build_file(char *buf, const char *store, const char *name)
{
    return join(buf, store, "/build/", name);
}

char *fn_shard_file(char *buf, const char *store, uint64_t shard)
{
    return join_number(buf, store, "/", shard, ".mdb");
}

char *fn_build_shard_file(char *buf, const char *store, uint64_t shard)
{
    return join_number(buf, store, "/build/", shard, ".mdb");
}

char *fn_part_file(char *buf, const char *store, uint64_t shard)
{
    return join_number(buf, store, "/build/", shard, ".part");
}

char *fn_values_file(char *buf, const char *store, uint64_t shard)
{
    return join_number(buf, store, "/build/", shard, ".values");
}

char *fn_temporary_file(char *buf, const char *path)
{
    return join(buf, path, ".tmp", "");
}

int fn_path_check(const char *store)
{
    size_t bytes = strlen(store);
    if (bytes < 1)
        return fn_fail(FN_EUSAGE, "the path of the store is empty");
    if (bytes > FN_STORE_PATH_MAX)
        return fn_fail(FN_ELIMIT, "the path of the store has %zu bytes; at most %d", bytes,
                       FN_STORE_PATH_MAX);
    if (fn_is_file(store))
        return fn_fail(FN_EFORMAT, "%s is a file, not the folder of a store", store);
    return FN_OK;
}

/* The holder writes its process and machine into the file: a person can go and look. */
static int busy(const char *store, int fd)
{
    char who[128];
    ssize_t n = pread(fd, who, sizeof who - 1, 0);
    who[n > 0 ? n : 0] = 0;
    who[strcspn(who, "\n")] = 0;
    return fn_fail(FN_EBUSY, "%s is being written by %s; wait for it, or stop it and run again",
                   store, *who ? who : "another process");
}

static void sign(int fd)
{
    char host[64] = "?", who[128];
    gethostname(host, sizeof host - 1);
    int n = snprintf(who, sizeof who, "process %ld on %s\n", (long)getpid(), host);
    if (ftruncate(fd, 0) == 0 && n > 0 && pwrite(fd, who, (size_t)n, 0) != n)
        return; /* only a courtesy */
}

int fn_build_lock(const char *store, int shared, int *out)
{
    char path[FN_PATH_MAX];
    fn_build_file(path, store, "lock");
    *out = -1;
    for (;;) {
        int fd = shared ? open(path, O_RDONLY | O_CLOEXEC)
                        : open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        if (fd < 0)
            return fn_fail_errno("cannot open the lock file %s", path);
        struct flock lock = {.l_type = shared ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};
        if (fcntl(fd, F_OFD_SETLK, &lock) != 0) {
            int error = errno;
            int rc = FN_OK;
            if (error == EAGAIN || error == EACCES)
                rc = busy(store, fd);
            else if (!shared || (error != ENOLCK && error != EOPNOTSUPP))
                rc = fn_fail_errno("cannot lock %s", path);
            if (rc) {
                close(fd);
                return rc;
            }
        }
        /* The one who held it may have sealed the store and removed the folder meanwhile. */
        struct stat mine, there;
        if (fstat(fd, &mine) == 0 && stat(path, &there) == 0 && mine.st_ino == there.st_ino &&
            mine.st_dev == there.st_dev) {
            if (!shared)
                sign(fd);
            *out = fd;
            return FN_OK;
        }
        close(fd);
        if (shared)
            return FN_ENOENT;
    }
}

static int is_numbered(const char *name, const char *ending)
{
    if (strncmp(name, "shard-", 6) != 0)
        return 0;
    size_t digits = strspn(name + 6, "0123456789");
    return digits >= 5 && digits <= 18 && strcmp(name + 6 + digits, ending) == 0;
}

static int is_store_name(const char *name)
{
    static const char *const names[] = {
        "manifest.json", "provenance.json", "index.bin", "rejects.tsv",
        "conflicts.tsv", "build",           NULL};
    for (int i = 0; names[i]; i++)
        if (strcmp(name, names[i]) == 0)
            return 1;
    return is_numbered(name, ".mdb");
}

/* Calls visit for each name in a folder but "." and "..". */
static int each_name(const char *folder, void *context, int (*visit)(void *, const char *))
{
    DIR *dir = opendir(folder);
    if (!dir)
        return fn_fail_errno("cannot look into %s", folder);
    int rc = FN_OK;
    errno = 0;
    for (struct dirent *entry; !rc && (entry = readdir(dir)) != NULL; errno = 0)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            rc = visit(context, entry->d_name);
    if (!rc && errno)
        rc = fn_fail_errno("cannot look into %s", folder);
    closedir(dir);
    return rc;
}

static int check_name(void *context, const char *name)
{
    const char *store = context;
    if (is_store_name(name) || name[0] == '.') /* a file manager's or a network file system's own */
        return FN_OK;
    return fn_fail(FN_EFORMAT, "%s holds %s, which is no part of a store; give an empty folder",
                   store, name);
}

int fn_store_names_check(const char *store)
{
    return each_name(store, (void *)(uintptr_t)store, check_name);
}

static int remove_file(const char *folder, const char *name)
{
    char path[FN_PATH_MAX];
    fn_store_file(path, folder, name);
    if (unlink(path) != 0 && errno != ENOENT)
        return fn_fail_errno("cannot remove %s", path);
    return FN_OK;
}

static int remove_part(void *context, const char *name)
{
    return is_store_name(name) && strcmp(name, "build") != 0 ? remove_file(context, name) : FN_OK;
}

int fn_store_files_remove(const char *store)
{
    int rc = remove_file(store, "manifest.json");
    if (!rc)
        rc = fn_fsync_dir(store); /* from here on it is no sealed store, whatever happens */
    return rc ? rc : each_name(store, (void *)(uintptr_t)store, remove_part);
}

static int is_ours(void *context, const char *name)
{
    (void)context;
    return is_store_name(name) && strcmp(name, "build") != 0 ? FN_EEXIST : FN_OK;
}

int fn_store_files_any(const char *store)
{
    return each_name(store, NULL, is_ours) == FN_EEXIST;
}

static int remove_built(void *context, const char *name)
{
    return strcmp(name, "lock") == 0 ? FN_OK : remove_file(context, name);
}

int fn_build_empty(const char *store)
{
    char folder[FN_PATH_MAX];
    fn_store_file(folder, store, "build");
    int rc = each_name(folder, folder, remove_built);
    return rc ? rc : fn_fsync_dir(folder);
}

int fn_build_remove(const char *store)
{
    char folder[FN_PATH_MAX];
    fn_store_file(folder, store, "build");
    int rc = fn_build_empty(store);
    if (!rc)
        rc = remove_file(folder, "lock");
    if (!rc && rmdir(folder) != 0)
        rc = fn_fail_errno("cannot remove %s", folder);
    return rc ? rc : fn_fsync_dir(store);
}

/* The highest number of build/shard-N.mdb, or -1. */
static int highest(void *context, const char *name)
{
    int64_t *number = context;
    if (is_numbered(name, ".mdb")) {
        int64_t n = strtoll(name + 6, NULL, 10);
        *number = n > *number ? n : *number;
    }
    return FN_OK;
}

int fn_build_resume(const char *store, int readonly, struct fn_build_db **db,
                    struct fn_build_state *state)
{
    char folder[FN_PATH_MAX], path[FN_PATH_MAX];
    int64_t number = -1;
    *db = NULL;
    int rc = each_name(fn_store_file(folder, store, "build"), &number, highest);
    for (; !rc && number >= 0; number--) {
        fn_build_shard_file(path, store, (uint64_t)number);
        struct stat st;
        if (stat(path, &st) != 0)
            return fn_fail(FN_ECORRUPT, "%s is missing: the shard being written was lost", path);
        if (readonly && st.st_size <= 2 * sysconf(_SC_PAGESIZE))
            continue; /* no commit yet, perhaps not even whole */
        rc = fn_build_db_open(db, path, readonly);
        if (!rc)
            rc = fn_state_get(*db, path, state);
        if (!rc && state->shard != (uint64_t)number)
            rc = fn_fail(FN_ECORRUPT, "%s has the journal of shard %llu", path,
                         (unsigned long long)state->shard);
        if (rc != FN_ENOENT)
            break;
        fn_build_db_close(db); /* begun, never committed to: what counts is the shard before */
        rc = readonly ? FN_OK : remove_file(folder, strrchr(path, '/') + 1);
    }
    if (rc)
        fn_build_db_close(db);
    return rc ? rc : number < 0 ? FN_ENOENT : FN_OK;
}
