/* SPDX-License-Identifier: MIT */
/* Whole training runs inside a test: a small store, its options, what the run says. */
#ifndef FN_TESTS_RUN_RIG_H
#define FN_TESTS_RUN_RIG_H

#include "base/file.h"
#include "base/log.h"
#include "tests/make_store.h"
#include "train/run_parts.h"

#define RUN_RIG_SAID (1 << 16)

struct run_rig {
    char *dir;
    struct fn_train_options *o; /* the process's one struct: set fields between runs */
    struct fn_run *run;
    char said[RUN_RIG_SAID]; /* stderr of the last run */
};

/* Options of every run; more are set in r->o. argv stays: the options point into it. */
static inline void run_rig_open(struct run_rig *r, const int *images, int classes,
                                int damaged_every)
{
    static char store[4200], models[4200], logs[4200];
    static char *argv[] = {(char *)(uintptr_t) "fn-train",
                           store,
                           models,
                           logs,
                           (char *)(uintptr_t) "--model_def=shrunken",
                           (char *)(uintptr_t) "--image_size=80",
                           (char *)(uintptr_t) "--batch_size=6",
                           (char *)(uintptr_t) "--embedding_size=16",
                           (char *)(uintptr_t) "--epoch_size=100",
                           (char *)(uintptr_t) "--max_nrof_epochs=1",
                           (char *)(uintptr_t) "--max_steps=12",
                           (char *)(uintptr_t) "--save_every_n_steps=4",
                           (char *)(uintptr_t) "--optimizer=ADAM",
                           (char *)(uintptr_t) "--learning_rate=0.01",
                           (char *)(uintptr_t) "--keep_probability=0.8",
                           (char *)(uintptr_t) "--random_crop",
                           (char *)(uintptr_t) "--random_flip",
                           (char *)(uintptr_t) "--threads=1",
                           NULL};
    const struct fn_train_options *o;
    char *checkpoint, *db;
    memset(r, 0, sizeof *r);
    assert_non_null(r->dir = test_folder());
    snprintf(store, sizeof store, "--store=%s/db", r->dir);
    snprintf(models, sizeof models, "--models_base_dir=%s/models", r->dir);
    snprintf(logs, sizeof logs, "--logs_base_dir=%s/logs", r->dir);
    db = fn_path_join(r->dir, "db");
    make_store(&(struct make_store){db, images, classes, 88, 88, FN_CODEC_JPEG, damaged_every});
    free(db);
    assert_ok(fn_train_options_parse((int)(sizeof argv / sizeof *argv) - 1, argv, &o, &checkpoint));
    r->o = (struct fn_train_options *)(uintptr_t)o;
}

static inline void run_rig_close(struct run_rig *r)
{
    assert_ok(fn_remove_tree(r->dir));
    free(r->dir);
    fn_train_options_free();
}

/* Trains, with stderr in r->said; `before` (or NULL) is called with the open run. checkpoint: to go
 * on from, or NULL. The run stays open for questions. Returns fn_run_train's code. */
static inline int run_rig_train(struct run_rig *r, const char *checkpoint,
                                void (*before)(struct fn_run *run))
{
    FILE *file = tmpfile();
    int old = dup(2), rc;
    size_t got;
    assert_true(file && old >= 0 && dup2(fileno(file), 2) == 2);
    fn_log_setup("test", FN_LOG_NORMAL);
    rc = fn_run_open(&r->run, r->o, checkpoint);
    if (!rc && before)
        before(r->run);
    if (!rc)
        rc = fn_run_train(r->run);
    assert_true(dup2(old, 2) == 2);
    close(old);
    rewind(file);
    got = fread(r->said, 1, sizeof r->said - 1, file);
    r->said[got] = 0;
    fclose(file);
    return rc;
}

static inline void run_rig_says(const struct run_rig *r, const char *text)
{
    if (!strstr(r->said, text))
        fail_msg("'%s' is not said in:\n%s", text, r->said);
}

/* All weights of the open run, malloc'd; *count of them. */
static inline float *run_rig_weights(const struct run_rig *r, size_t *count)
{
    const struct fn_net *net = r->run->net;
    float *all, *at;
    *count = 0;
    for (size_t i = 0; i < net->param_count; i++)
        *count += net->params[i].count;
    assert_non_null(all = at = malloc(*count * sizeof *all));
    for (size_t i = 0; i < net->param_count; i++) {
        assert_ok(fn_model_get(r->run->model, FN_ARENA_W, i, at, FN_F32));
        at += net->params[i].count;
    }
    return all;
}

/* A table of a closed run's log folder, malloc'd. */
static inline char *run_rig_table(const char *log_folder, const char *name)
{
    char *path = fn_path_join(log_folder, name), *text;
    unsigned char *data = NULL;
    size_t bytes;
    assert_ok(fn_file_read(path, 1 << 24, &data, &bytes));
    assert_non_null(text = strdup((const char *)data));
    free(data);
    free(path);
    return text;
}

#endif
