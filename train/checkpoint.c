/* SPDX-License-Identifier: MIT */
/* Checkpoint folders: written whole, found, thinned out, loaded. */
#include "train/checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "train/checkpoint_parts.h"
#include "train/weights.h"

#define PREFIX "checkpoint-"
#define UNDER_WAY "checkpoint.tmp" /* one writer a run: the run's lock sees to that */

/* ---- names ---------------------------------------------------------------------------------- */
static char *folder_of(const char *run, uint64_t step)
{
    char name[64];
    snprintf(name, sizeof name, PREFIX "%08" PRIu64, step);
    return fn_path_join(run, name);
}

/* The step in a checkpoint's name; 0: it is none (1). */
static int parse_name(const char *name, uint64_t *step)
{
    char *end = NULL;
    const char *digits = name + strlen(PREFIX);
    if (strncmp(name, PREFIX, strlen(PREFIX)) != 0 || *digits < '0' || *digits > '9')
        return 0;
    *step = strtoull(digits, &end, 10);
    return *end == 0;
}

static int larger(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x < y) - (x > y);
}

/* Steps of all checkpoints of a run, newest first. */
static int list_steps(const char *run, uint64_t **steps, size_t *count)
{
    DIR *dir = opendir(run);
    size_t cap = 0;
    int rc = FN_OK;
    *steps = NULL;
    *count = 0;
    if (!dir)
        return fn_fail_errno("cannot list %s", run);
    for (const struct dirent *e = readdir(dir); e && !rc; e = readdir(dir)) {
        uint64_t step;
        if (!parse_name(e->d_name, &step))
            continue;
        if (*count == cap) {
            uint64_t *more = realloc(*steps, (cap = cap * 2 + 8) * sizeof *more);
            if (!more) {
                rc = fn_fail(FN_ENOMEM, "no memory to list %s", run);
                break;
            }
            *steps = more;
        }
        (*steps)[(*count)++] = step;
    }
    closedir(dir);
    if (*count)
        qsort(*steps, *count, sizeof **steps, larger);
    return rc;
}

static int is_checkpoint(const char *folder)
{
    char *info = fn_path_join(folder, FN_CHECKPOINT_INFO);
    int yes = info && fn_is_file(info);
    free(info);
    return yes;
}

int fn_checkpoint_find(const char *path, char **folder)
{
    uint64_t *steps = NULL;
    size_t count = 0;
    int rc;
    *folder = NULL;
    if (is_checkpoint(path)) {
        *folder = strdup(path);
        return *folder ? FN_OK : fn_fail(FN_ENOMEM, "no memory for a path");
    }
    rc = list_steps(path, &steps, &count);
    if (!rc && !count)
        rc =
            fn_fail(FN_ENOENT, "%s has no checkpoint: name a run's folder or one of its %s folders",
                    path, PREFIX "*");
    if (!rc) {
        *folder = folder_of(path, steps[0]);
        rc = *folder ? FN_OK : FN_ENOMEM;
    }
    free(steps);
    return rc;
}

/* In one step, by its name: killed half way, it is no checkpoint that lacks a file. */
static int remove_step(const char *run, uint64_t step)
{
    char *folder = folder_of(run, step), *temporary = fn_path_join(run, UNDER_WAY);
    int rc = folder && temporary ? fn_remove_tree(temporary) : FN_ENOMEM;
    if (!rc && rename(folder, temporary) != 0)
        rc = fn_fail_errno("cannot rename %s to %s", folder, temporary);
    if (!rc)
        rc = fn_remove_tree(temporary);
    free(folder);
    free(temporary);
    return rc;
}

int fn_checkpoint_cut(const char *run, uint64_t step)
{
    uint64_t *steps = NULL;
    size_t count = 0;
    int rc = list_steps(run, &steps, &count);
    for (size_t i = 0; i < count && !rc && steps[i] > step; i++)
        rc = remove_step(run, steps[i]);
    free(steps);
    return rc;
}

/* Older ones that are not kept. The new one stands, so a failure is no failure of saving. */
static void thin_out(const char *run, int kept, int64_t best)
{
    uint64_t *steps = NULL;
    size_t count = 0;
    int rc = list_steps(run, &steps, &count);
    for (size_t i = (size_t)kept; i < count && !rc; i++)
        if (best < 0 || steps[i] != (uint64_t)best)
            rc = remove_step(run, steps[i]);
    if (rc)
        fn_warn("an old checkpoint stays: %s", fn_err_text(rc));
    free(steps);
}

/* ---- writing -------------------------------------------------------------------------------- */
struct writer {
    struct fn_model *m;
    const struct fn_train_state *state;
    struct fn_record_text record;
    const char *folder;
    json_t *checksums;
};

/* Remember what a file's metadata say about its data. */
static int note_checksum(struct writer *w, const char *name, const char *path)
{
    struct fn_safetensors *st = NULL;
    const char *sum;
    int rc = fn_safetensors_open(&st, path);
    if (rc)
        return rc;
    sum = fn_safetensors_meta(st, "fn.xxh3");
    if (json_object_set_new(w->checksums, name, json_string(sum ? sum : "")))
        rc = fn_fail(FN_ENOMEM, "no memory for a checksum");
    fn_safetensors_close(&st);
    return rc;
}

static int write_tensors(struct writer *w, const char *name, int arena)
{
    char *path = fn_path_join(w->folder, name);
    int rc = FN_ENOMEM;
    if (!path)
        return rc;
    if (arena >= 0)
        rc = fn_weights_save(w->m, arena, (int64_t)w->state->step, path, w->record.meta,
                             FN_RECORD_KEYS);
    else
        rc = fn_slots_write(w->m, path);
    if (!rc)
        rc = note_checksum(w, name, path);
    free(path);
    return rc;
}

static int write_all(struct writer *w, const struct fn_class_list *classes)
{
    char *path = fn_path_join(w->folder, FN_CHECKPOINT_CLASSES);
    char *info = fn_path_join(w->folder, FN_CHECKPOINT_INFO);
    int rc = path && info && w->checksums ? FN_OK : fn_fail(FN_ENOMEM, "no memory for a path");
    if (!rc)
        rc = write_tensors(w, FN_CHECKPOINT_MODEL, FN_ARENA_W);
    if (!rc && w->m->params.ema)
        rc = write_tensors(w, FN_CHECKPOINT_EMA, FN_ARENA_EMA);
    if (!rc)
        rc = write_tensors(w, FN_CHECKPOINT_STATE, -1);
    if (!rc && classes)
        rc = fn_class_list_write(classes, path);
    if (!rc)
        rc = fn_state_write(info, w->state, w->checksums);
    free(path);
    free(info);
    return rc;
}

/* `from` takes the place of `to`, in one step where the file system can. */
static int put_in_place(const char *from, const char *to)
{
    if (rename(from, to) == 0)
        return FN_OK;
    if (errno != ENOTEMPTY && errno != EEXIST)
        return fn_fail_errno("cannot rename %s to %s", from, to);
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE) == 0)
        return fn_remove_tree(from);
    if (fn_remove_tree(to) != FN_OK)
        return fn_fail_errno("cannot replace %s", to);
    return rename(from, to) == 0 ? FN_OK : fn_fail_errno("cannot rename %s to %s", from, to);
}

int fn_checkpoint_write(struct fn_model *m, const struct fn_model_record *record,
                        const struct fn_train_state *state, const struct fn_class_list *classes,
                        const char *run, int kept)
{
    char *temporary = fn_path_join(run, UNDER_WAY), *folder = folder_of(run, state->step);
    struct writer w = {.m = m, .state = state, .folder = temporary, .checksums = json_object()};
    int rc = temporary && folder ? FN_OK : fn_fail(FN_ENOMEM, "no memory for a path");
    fn_record_write(record, &w.record);
    if (!rc)
        rc = fn_remove_tree(temporary);
    if (!rc)
        rc = fn_mkdir_p(temporary);
    if (!rc)
        rc = write_all(&w, classes);
    if (!rc)
        rc = fn_fsync_dir(temporary);
    if (!rc)
        rc = put_in_place(temporary, folder);
    if (!rc)
        rc = fn_fsync_dir(run);
    if (!rc)
        thin_out(run, kept, state->best_step);
    json_decref(w.checksums);
    free(temporary);
    free(folder);
    return rc;
}

/* ---- loading -------------------------------------------------------------------------------- */
static int open_checked(const char *folder, const char *name, const json_t *checksums, char **path,
                        struct fn_safetensors **st)
{
    const char *want = json_string_value(json_object_get(checksums, name));
    const char *have;
    int rc;
    *path = fn_path_join(folder, name);
    if (!*path)
        return FN_ENOMEM;
    rc = fn_safetensors_open(st, *path);
    if (!rc)
        rc = fn_safetensors_verify(*st);
    if (rc)
        return rc;
    have = fn_safetensors_meta(*st, "fn.xxh3");
    if (!want || !have || strcmp(want, have) != 0)
        return fn_fail(FN_ECORRUPT, "%s is not the file that %s was written with", *path,
                       FN_CHECKPOINT_INFO);
    return FN_OK;
}

/* Weights by the one rule, into W; the moving averages take the way through W, too. */
static int load_weights(const char *folder, const char *name, const json_t *checksums,
                        struct fn_model *m, int to_ema)
{
    struct fn_safetensors *st = NULL;
    struct fn_weights_report report;
    char *path = NULL;
    int rc = open_checked(folder, name, checksums, &path, &st);
    if (!rc)
        rc = fn_weights_load(m, st, path, FN_WEIGHTS_ALL, &report);
    if (!rc && to_ema)
        rc = fn_model_copy_to_ema(m);
    fn_safetensors_close(&st);
    free(path);
    return rc;
}

int fn_checkpoint_load(const char *folder, struct fn_model *m)
{
    struct fn_train_state state;
    struct fn_safetensors *st = NULL;
    json_t *checksums = NULL;
    char *path = NULL;
    int rc = fn_state_read(folder, &state, &checksums);
    if (rc)
        return rc;
    if (m->params.ema && !json_object_get(checksums, FN_CHECKPOINT_EMA))
        rc = fn_fail(FN_EMISMATCH, "%s has no moving averages", folder);
    if (!rc && m->params.ema)
        rc = load_weights(folder, FN_CHECKPOINT_EMA, checksums, m, 1);
    if (!rc)
        rc = load_weights(folder, FN_CHECKPOINT_MODEL, checksums, m, 0);
    if (!rc)
        rc = open_checked(folder, FN_CHECKPOINT_STATE, checksums, &path, &st);
    if (!rc)
        rc = fn_slots_read(m, st, path);
    fn_safetensors_close(&st);
    free(path);
    json_decref(checksums);
    fn_train_state_free(&state);
    return rc;
}
