/* SPDX-License-Identifier: MIT */
/* The folders of a run: <models>/<date-time> and <logs>/<date-time>, what describes the run in
 * them, and the lock that keeps a second process out. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "train/run_page.h"
#include "train/run_parts.h"

/* Whether two paths lead to one folder. */
static int same_folder(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Makes the pair of folders of this name: FN_EEXIST, without a trace, if one is another run's. */
static int make_pair(struct fn_run *r, const char *models, const char *logs, const char *name)
{
    free(r->folder);
    free(r->log_folder);
    r->folder = fn_path_join(models, name);
    r->log_folder = fn_path_join(logs, name);
    if (!r->folder || !r->log_folder)
        return FN_ENOMEM;
    if (mkdir(r->folder, 0777) < 0)
        return errno == EEXIST ? FN_EEXIST
                               : fn_fail_errno("cannot make the run's folder %s", r->folder);
    if (mkdir(r->log_folder, 0777) == 0 ||
        (errno == EEXIST && same_folder(r->folder, r->log_folder)))
        return FN_OK;
    int rc = errno == EEXIST ? FN_EEXIST
                             : fn_fail_errno("cannot make the run's folder %s", r->log_folder);
    rmdir(r->folder);
    return rc;
}

/* New folders named after this second, or one of the next: runs that start together share none,
 * also where only their logs stand side by side. */
static int make_folders(struct fn_run *r, const char *models, const char *logs)
{
    enum { TRIES = 60 };
    int rc = fn_mkdir_p(models);
    if (!rc)
        rc = fn_mkdir_p(logs);
    for (int i = 0; i < TRIES && !rc; i++) {
        char name[32];
        time_t now = time(NULL) + i;
        struct tm tm;
        localtime_r(&now, &tm);
        strftime(name, sizeof name, "%Y%m%d-%H%M%S", &tm);
        rc = make_pair(r, models, logs, name);
        if (rc == FN_OK) {
            r->name = strdup(name);
            rc = r->name ? fn_fsync_dir(models) : fn_fail(FN_ENOMEM, "no memory for a name");
            return rc ? rc : fn_fsync_dir(logs);
        }
        if (rc == FN_EEXIST)
            rc = FN_OK;
    }
    return rc ? rc
              : fn_fail(FN_EEXIST, "%s and %s: every name of the last minute is taken", models,
                        logs);
}

/* The run of a checkpoint: the folder around it, and the logs of its name. */
static int find_folder(struct fn_run *r, const char *logs)
{
    char *real = realpath(r->resumed, NULL), *slash = real ? strrchr(real, '/') : NULL;
    if (!slash || slash == real) {
        free(real);
        return fn_fail(FN_ENOENT, "%s is not inside a run's folder", r->resumed);
    }
    *slash = 0;
    r->folder = real;
    r->name = strdup(strrchr(real, '/') + 1);
    r->log_folder = r->name ? fn_path_join(logs, r->name) : NULL;
    return r->log_folder ? fn_mkdir_p(r->log_folder) : fn_fail(FN_ENOMEM, "no memory for a name");
}

static int lock_folder(struct fn_run *r)
{
    char *path = fn_path_join(r->folder, "lock");
    int rc = FN_OK;
    if (!path)
        return FN_ENOMEM;
    r->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (r->lock < 0)
        rc = fn_fail_errno("cannot open %s", path);
    else if (flock(r->lock, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
        rc = fn_fail(FN_EBUSY, "another fn-train is at work in %s", r->folder);
    free(path);
    return rc;
}

static int write_arguments(struct fn_run *r)
{
    struct fn_out *out = NULL;
    char *path = fn_path_join(r->log_folder, "arguments.txt");
    int rc = path ? fn_out_open(&out, path) : FN_ENOMEM;
    if (!rc) {
        fn_train_options_print(fn_out_stream(out));
        rc = fn_out_commit(out);
    }
    fn_out_close(&out);
    free(path);
    return rc;
}

static int write_revision(struct fn_run *r)
{
    struct fn_out *out = NULL;
    char *path = fn_path_join(r->log_folder, "revision_info.txt");
    int rc = path ? fn_out_open(&out, path) : FN_ENOMEM;
    if (!rc) {
        const struct fn_store_info *info = fn_store_get_info(r->store);
        FILE *f = fn_out_stream(out);
        fprintf(f, "fn-train version: %s\n", FN_VERSION);
        fprintf(f, "device: %s (%s)\n", r->be->name, r->be->info(r->dev)->device);
        fprintf(f, "equal bits depend on: %s\n", r->be->info(r->dev)->bits);
        fprintf(f, "store: %s, content %s\n", info->path, info->content_id);
        fprintf(f, "classes: %lu\n", (unsigned long)r->split->classes);
        fprintf(f, "training images: %zu\n", r->split->train.count);
        fprintf(f, "validation images: %zu\n", r->split->val.count);
        fprintf(f, "models: %s\n", r->folder);
        rc = fn_out_commit(out);
    }
    fn_out_close(&out);
    free(path);
    return rc;
}

/* A line of history. A log that cannot be written ends no run. */
int fn_run_note_start(struct fn_run *r, const char *what)
{
    char *path = fn_path_join(r->log_folder, FN_RUN_STARTS), stamp[32], *command;
    time_t now = time(NULL);
    struct tm tm;
    FILE *f = path ? fopen(path, "ae") : NULL;
    int rc = path ? FN_OK : FN_ENOMEM;
    if (!rc && !f)
        rc = fn_fail_errno("cannot open %s", path);
    if (!rc) {
        command = fn_train_options_command();
        gmtime_r(&now, &tm);
        strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &tm);
        if (fseeko(f, 0, SEEK_END) == 0 && ftello(f) == 0)
            fputs(FN_RUN_STARTS_TITLE, f);
        fprintf(f, "%llu\t%s\t%s\t%s\t", (unsigned long long)r->state.step, what, stamp,
                r->be->info(r->dev)->device);
        for (const char *c = command ? command : "?"; *c; c++) /* a line is a line */
            fputc(*c == '\n' || *c == '\t' ? ' ' : *c, f);
        fputc('\n', f);
        free(command);
        if (ferror(f))
            rc = fn_fail_errno("cannot write %s", path);
    }
    if (f && fclose(f) && !rc)
        rc = fn_fail_errno("cannot write %s", path);
    free(path);
    return fn_run_tolerate(r, rc);
}

int fn_run_folder_open(struct fn_run *r)
{
    char *models = fn_path_under(r->o->output_dir, r->o->models_base_dir);
    char *logs = fn_path_home(r->o->logs_base_dir);
    int rc = models && logs ? FN_OK : FN_ENOMEM;
    if (!rc)
        rc = r->resumed ? find_folder(r, logs) : make_folders(r, models, logs);
    if (!rc)
        rc = lock_folder(r);
    if (!rc)
        rc = write_arguments(r);
    if (!rc)
        rc = write_revision(r);
    if (!rc)
        rc = fn_run_note_start(r, r->resumed ? "resumed" : "begun");
    if (!rc) {
        fn_info("Model directory: %s", r->folder);
        fn_info("Log directory: %s", r->log_folder);
    }
    free(models);
    free(logs);
    return rc;
}

void fn_run_folder_close(struct fn_run *r)
{
    if (r->lock >= 0)
        close(r->lock);
    r->lock = -1;
    /* A run that ended before its first checkpoint leaves no empty folder. */
    if (r->folder && !r->resumed && !r->figures.steps) {
        char *path = fn_path_join(r->folder, "lock");
        if (path)
            unlink(path);
        free(path);
        rmdir(r->folder);
    }
    free(r->name);
    free(r->folder);
    free(r->log_folder);
}
