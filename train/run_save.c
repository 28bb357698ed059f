/* SPDX-License-Identifier: MIT */
/* A run's checkpoints: saved, and gone back to. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "train/run_page.h"
#include "train/run_parts.h"

int fn_run_save(struct fn_run *r, int must)
{
    double begin = fn_now();
    char took[32];
    int rc;
    json_decref(r->state.options);
    r->state.options = fn_train_options_json();
    if (!r->state.options)
        return fn_fail(FN_ENOMEM, "no memory for the checkpoint's options, or one of them is not "
                                  "UTF-8");
    r->record.step = (int64_t)r->state.step;
    rc = fn_run_log_sync(r);
    if (!rc)
        rc = fn_checkpoint_write(r->model, &r->record, &r->state, r->classes, r->folder,
                                 FN_CHECKPOINT_KEPT);
    if ((rc == FN_ENOSPC || rc == FN_EIO) && !must) {
        fn_warn("no checkpoint of step %llu: %s; training goes on, the last checkpoint stands",
                (unsigned long long)r->state.step, fn_err_text(rc));
        return FN_OK;
    }
    if (rc)
        return rc;
    r->saved = 1;
    r->figures.save_s = fn_now() - begin;
    r->figures.all_save_s += r->figures.save_s;
    fn_info("Saved checkpoint of step %llu in %s", (unsigned long long)r->state.step,
            fn_human_time(r->figures.save_s, took, sizeof took));
    return fn_run_put_page(r, must);
}

int fn_run_put_page(struct fn_run *r, int must)
{
    enum { SHARE = 100 }; /* one part in so many of the time, however often checkpoints come */
    double now = fn_now();
    char *path;
    int rc;
    if (!must && now - r->page_done < SHARE * r->page_s)
        return FN_OK;
    path = fn_path_join(r->folder, FN_RUN_PAGE);
    rc = path ? fn_run_page(r->log_folder, path) : FN_ENOMEM;
    r->page_done = fn_now();
    r->page_s = r->page_done - now;
    free(path);
    return rc ? fn_run_tolerate(r, FN_EIO) : FN_OK; /* no page is worth a run */
}

/* The first parameter that holds a value that is not finite. */
static const char *bad_parameter(struct fn_run *r)
{
    const struct fn_net *net = r->net;
    for (size_t i = 0; i < net->param_count; i++) {
        const struct fn_net_param *p = &net->params[i];
        float *values = malloc(p->count * sizeof *values);
        int bad = values && fn_model_get(r->model, FN_ARENA_W, i, values, FN_F32) == FN_OK;
        size_t k = 0;
        while (bad && k < p->count && isfinite(values[k]))
            k++;
        free(values);
        if (bad && k < p->count)
            return p->name;
    }
    return "a parameter";
}

int fn_run_check_weights(struct fn_run *r, enum fn_why *why)
{
    const struct fn_params *p = &r->model->params;
    double losses[FN_LOSS_COUNT];
    int rc = r->be->check_finite(r->dev, p->w, p->total);
    if (!rc)
        rc = r->be->losses_post(r->dev, 0);
    if (!rc)
        rc = r->be->losses_wait(r->dev, 0, losses);
    if (rc || losses[FN_LOSS_BAD] == 0)
        return rc;
    fn_warn("after step %llu %.0f weights are not finite (%s): they are not saved",
            (unsigned long long)r->state.step, losses[FN_LOSS_BAD], bad_parameter(r));
    *why = FN_WHY_DIVERGED;
    return FN_OK;
}

int fn_run_restore(struct fn_run *r, const char *folder)
{
    struct fn_train_state state;
    int rc = fn_checkpoint_state(folder, &state);
    if (rc)
        return rc;
    memcpy(state.backend, r->state.backend, sizeof state.backend);
    memcpy(state.bits, r->state.bits, sizeof state.bits);
    memcpy(state.precision, r->state.precision, sizeof state.precision);
    fn_train_state_free(&r->state);
    r->state = state;
    return fn_checkpoint_load(folder, r->model);
}

int fn_run_go_back(struct fn_run *r)
{
    char *folder = NULL;
    int rc;
    if (r->state.went_back)
        return fn_fail(FN_ELIMIT,
                       "three steps in a row were not finite again after going back to a "
                       "checkpoint: try a lower --learning_rate");
    rc = fn_checkpoint_find(r->folder, &folder);
    if (rc)
        return fn_fail(FN_ELIMIT, "three steps in a row were not finite, and there is no "
                                  "checkpoint yet: try a lower --learning_rate");
    fn_warn("three steps in a row were not finite: going back to %s, once", folder);
    rc = fn_run_restore(r, folder);
    r->state.went_back = 1;
    r->saved = 1; /* it is where the run stands now */
    r->bad_in_row = 0;
    if (!rc) { /* what was logged since is cut off, as on resume */
        const char *resumed = r->resumed;
        rc = fn_run_log_close(r);
        r->resumed = folder;
        if (!rc)
            rc = fn_run_log_open(r);
        r->resumed = resumed;
    }
    if (!rc)
        rc = fn_run_note_start(r, "went back");
    free(folder);
    return rc ? rc : r->loss->feed(r);
}
