/* SPDX-License-Identifier: MIT */
/* fn-train: a store in, a trained network out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "kernels/start.h"
#include "train/bench_loader.h"
#include "train/run.h"
#include "train/run_page.h"
#include "train/run_profile.h"

/* A line a figure on stdout, or all of it as JSON. */
static int report(const struct fn_run *run, int as_json)
{
    json_t *summary = fn_run_summary(run), *value;
    const char *key;
    int rc = summary ? FN_OK : fn_fail(FN_ENOMEM, "no memory for the summary");
    if (!rc && as_json)
        rc = fn_json_print(summary);
    else if (!rc)
        json_object_foreach(summary, key, value)
        {
            if (json_is_string(value))
                printf("%s: %s\n", key, json_string_value(value));
            else if (json_is_integer(value))
                printf("%s: %lld\n", key, (long long)json_integer_value(value));
            else if (json_is_real(value))
                printf("%s: %.5g\n", key, json_real_value(value));
        }
    json_decref(summary);
    return rc;
}

static int train(const struct fn_train_options *o, const char *checkpoint)
{
    struct fn_run *run = NULL;
    struct fn_err_note end;
    int rc = fn_run_open(&run, o, checkpoint);
    if (!rc)
        rc = fn_run_train(run);
    if (!rc)
        rc = report(run, o->common.json);
    fn_err_note_take(&end, rc);
    fn_run_close(&run); /* on a full disk this fails, too: not what the reader should hear of */
    return fn_err_note_raise(&end);
}

static int print_path(const char *path)
{
    json_t *json = json_pack("{s:o}", "report", fn_json_bytes(path, strlen(path)));
    int rc = json ? fn_json_print(json) : fn_fail(FN_ENOMEM, "no memory for the summary");
    json_decref(json);
    return rc;
}

/* --report: a page of what is there already. */
static int put_page(const struct fn_train_options *o)
{
    char *path = NULL;
    int rc = fn_run_page_of(o->report, &path);
    if (!rc && o->common.json)
        rc = print_path(path);
    else if (!rc && !o->common.quiet)
        printf("%s: open it in a browser\n", path);
    free(path);
    return rc;
}

int main(int argc, char **argv)
{
    const struct fn_train_options *o = NULL;
    char *checkpoint = NULL;
    int rc;
    fn_start(argv);
    fn_signals_setup();
    fn_log_setup(fn_train_tool()->name, FN_LOG_NORMAL);
    rc = fn_train_options_parse(argc, argv, &o, &checkpoint);
    if (!rc) {
        fn_tool_level(fn_train_tool(), &o->common);
        rc = o->selftest       ? fn_run_selftest(o)
             : o->bench_loader ? fn_bench_loader(o, stdout)
             : o->profile      ? fn_run_profile(o, stdout)
             : o->report       ? put_page(o)
                               : train(o, checkpoint);
    }
    fn_train_options_free();
    free(checkpoint);
    return fn_tool_exit(fn_train_tool(), rc);
}
