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
#include "train/run_parts.h"

/* A new folder named after this second, or one of the next. */
static int make_folder(struct fn_run *r, const char *base)
{
    enum { TRIES = 60 };
    int rc = fn_mkdir_p(base);
    for (int i = 0; i < TRIES && !rc; i++) {
        char name[32];
        time_t now = time(NULL) + i;
        struct tm tm;
        localtime_r(&now, &tm);
        strftime(name, sizeof name, "%Y%m%d-%H%M%S", &tm);
        free(r->folder);
        r->folder = fn_path_join(base, name);
        if (!r->folder)
            return FN_ENOMEM;
        if (mkdir(r->folder, 0777) == 0) {
            r->name = strdup(name);
            return r->name ? FN_OK : fn_fail(FN_ENOMEM, "no memory for a name");
        }
        if (errno != EEXIST)
            rc = fn_fail_errno("cannot make the run's folder %s", r->folder);
    }
    return rc ? rc : fn_fail(FN_EEXIST, "%s: every name of the last minute is taken", base);
}

/* The run of a checkpoint: the folder around it. */
static int find_folder(struct fn_run *r)
{
    char *real = realpath(r->resumed, NULL), *slash = real ? strrchr(real, '/') : NULL;
    if (!slash || slash == real) {
        free(real);
        return fn_fail(FN_ENOENT, "%s is not inside a run's folder", r->resumed);
    }
    *slash = 0;
    r->folder = real;
    r->name = strdup(strrchr(real, '/') + 1);
    return r->name ? FN_OK : fn_fail(FN_ENOMEM, "no memory for a name");
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
        rc = fn_out_commit(out);
    }
    fn_out_close(&out);
    free(path);
    return rc;
}

int fn_run_folder_open(struct fn_run *r)
{
    char *models = fn_path_under(r->o->output_dir, r->o->models_base_dir);
    char *logs = fn_path_home(r->o->logs_base_dir);
    int rc = models && logs ? FN_OK : FN_ENOMEM;
    if (!rc)
        rc = r->resumed ? find_folder(r) : make_folder(r, models);
    if (!rc)
        rc = lock_folder(r);
    if (!rc) {
        r->log_folder = fn_path_join(logs, r->name);
        rc = r->log_folder ? fn_mkdir_p(r->log_folder) : FN_ENOMEM;
    }
    if (!rc)
        rc = write_arguments(r);
    if (!rc)
        rc = write_revision(r);
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
