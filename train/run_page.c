/* SPDX-License-Identifier: MIT */
/* The page of a run. */
#include "train/run_page.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "train/checkpoint.h"
#include "train/run_page_parts.h"
#include "train/train_options.h"

static void make_lead(const struct fn_run_logs *l, char *lead, size_t cap)
{
    char loss[32], model[96], store[512], images[64], classes[64];
    fn_run_logs_value(l->arguments, "loss", loss, sizeof loss);
    fn_run_logs_value(l->arguments, "model_def", model, sizeof model);
    fn_run_logs_value(l->revision, "store", store, sizeof store);
    fn_run_logs_value(l->revision, "training images", images, sizeof images);
    fn_run_logs_value(l->revision, "classes", classes, sizeof classes);
    store[strcspn(store, ",")] = 0;
    int n = snprintf(lead, cap, "A network (%s) learns faces, %s loss, on %s", model, loss,
                     *store ? store : "a store");
    if (*images && n > 0 && (size_t)n < cap)
        snprintf(lead + n, cap - (size_t)n, ": %s images of %s classes", images, classes);
    strncat(lead, ".", cap - strlen(lead) - 1);
}

int fn_run_page(const char *logs, const char *path)
{
    struct fn_run_logs l;
    char lead[800], name[256];
    int rc = fn_run_logs_read(&l, logs);
    if (!rc) {
        make_lead(&l, lead, sizeof lead);
        rc = fn_html_open(&l.html, path, "Training run", fn_path_last(logs, name, sizeof name),
                          lead);
    }
    if (!rc) {
        fn_run_page_tiles(&l);
        fn_run_page_learning(&l);
        fn_run_page_speed(&l);
        fn_run_page_facts(&l);
        rc = fn_html_commit(l.html, "fn-train");
    }
    fn_html_close(&l.html);
    fn_run_logs_free(&l);
    return rc;
}

/* The folder of logs that a checkpoint of the run recorded, malloc'd. */
static int find_logs(const char *run, char **logs)
{
    struct fn_train_state state;
    char *folder = NULL, *real = NULL, *base = NULL;
    int rc = fn_checkpoint_find(run, &folder);
    memset(&state, 0, sizeof state);
    *logs = NULL;
    if (rc && fn_is_dir(run))
        rc = fn_fail(FN_ENOENT,
                     "%s has no checkpoint yet that says where the run's logs are: name "
                     "its folder of logs",
                     run);
    if (!rc)
        rc = fn_checkpoint_state(folder, &state);
    if (!rc) {
        const char *text = json_string_value(json_object_get(state.options, "logs_base_dir"));
        real = realpath(folder, NULL);
        char *slash = real ? strrchr(real, '/') : NULL;
        if (slash)
            *slash = 0; /* the checkpoint's own name */
        slash = real ? strrchr(real, '/') : NULL;
        base = text ? fn_path_home(text) : NULL;
        *logs = base && slash ? fn_path_join(base, slash + 1) : NULL;
        rc = *logs ? FN_OK : fn_fail(FN_ENOENT, "%s does not say where its logs are", folder);
    }
    fn_train_state_free(&state);
    free(folder);
    free(real);
    free(base);
    return rc;
}

int fn_run_page_of(const char *run, char **path)
{
    char *own = fn_path_join(run, "arguments.txt"), *logs = NULL;
    int rc = own ? FN_OK : FN_ENOMEM;
    *path = NULL;
    if (!rc && fn_is_file(own))
        rc = (logs = fn_path_join(NULL, run)) ? FN_OK : FN_ENOMEM;
    else if (!rc)
        rc = find_logs(run, &logs);
    if (!rc)
        rc = (*path = fn_path_join(run, FN_RUN_PAGE)) ? FN_OK : FN_ENOMEM;
    if (!rc)
        rc = fn_run_page(logs, *path);
    free(own);
    free(logs);
    return rc;
}
