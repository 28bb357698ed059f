/* SPDX-License-Identifier: MIT */
/* fn-eval: the LFW evaluation of a trained network. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/args.h"
#include "base/log.h"
#include "kernels/start.h"
#include "train/eval_page.h"
#include "train/infer_args.h"
#include "train/lfw_run.h"

struct options {
    struct fn_common common;
    struct fn_infer_args infer;
    const char *store, *lfw_dir, *boxes, *pairs, *report;
    int64_t folds, metric;
    int flip, subtract_mean;
};

static struct options o = {
    .pairs = "data/pairs.txt", /* as in validate_on_lfw of the original */
    .infer = {.device = "auto", .precision = "fp32", .batch = 100, .workers = 1},
    .folds = 10};

static int typed_count;
static char **typed; /* the process' own words */

static struct fn_arg args[] = {
    FN_INFER_ARGS(&o.infer),
    {.name = "lfw_dir",
     .kind = FN_ARG_STRING,
     .value = &o.lfw_dir,
     .metavar = "TREE",
     .help = "class folders with the pictures: name/name_0001.jpg or .png"},
    {.name = "boxes",
     .kind = FN_ARG_STRING,
     .value = &o.boxes,
     .metavar = "FILE",
     .help = "the aligner's bounding_boxes file: crop to it, then straight to the image size"},
    {.name = "store",
     .kind = FN_ARG_STRING,
     .value = &o.store,
     .metavar = "DIR",
     .help = "a store with the pictures, instead of --lfw_dir"},
    {.name = "lfw_pairs",
     .kind = FN_ARG_STRING,
     .value = &o.pairs,
     .metavar = "FILE",
     .help = "the pairs"},
    {.name = "lfw_nrof_folds",
     .kind = FN_ARG_INT,
     .value = &o.folds,
     .min = 2,
     .max = 1000000,
     .help = "folds of the cross validation"},
    {.name = "lfw_batch_size",
     .kind = FN_ARG_INT,
     .value = &o.infer.batch,
     .min = 1,
     .max = 65536,
     .help = "images a batch"},
    {.name = "lfw_distance_metric",
     .kind = FN_ARG_INT,
     .value = &o.metric,
     .max = 1,
     .help = "0: squared Euclidean, 1: angle"},
    {.name = "lfw_use_flipped_images",
     .kind = FN_ARG_FLAG,
     .value = &o.flip,
     .help = "append the embedding of the mirrored picture"},
    {.name = "lfw_subtract_mean",
     .kind = FN_ARG_FLAG,
     .value = &o.subtract_mean,
     .help = "subtract the mean of the other folds' embeddings"},
    {.name = "distance_metric", .kind = FN_ARG_INT, .value = &o.metric, .max = 1},
    {.name = "use_flipped_images", .kind = FN_ARG_FLAG, .value = &o.flip},
    {.name = "subtract_mean", .kind = FN_ARG_FLAG, .value = &o.subtract_mean},
    {.name = "report",
     .kind = FN_ARG_STRING,
     .value = &o.report,
     .metavar = "FILE.html",
     .help = "write a page to look at in a browser: ROC, distances, folds, the hardest pairs"},
    FN_COMMON_ARGS(&o.common),
    {.kind = FN_ARG_FLAG},
};

static const struct fn_tool tool = {
    .name = "fn-eval",
    .synopsis = "--model FILE|RUN (--lfw_dir TREE [--boxes FILE] | --store DIR) --lfw_pairs FILE\n"
                "[options] LFW_DIR MODEL",
    .purpose =
        "Evaluates a network on pairs of faces as LFW prescribes: accuracy, validation rate, "
        "AUC and EER over K folds.",
    .epilog =
        "Pictures of a tree without --boxes are taken as they are, cropped at the centre or\n"
        "padded: they must be aligned already. The names of the original's validate_on_lfw.py\n"
        "are taken, too: --distance_metric, --use_flipped_images, --subtract_mean.\n"
        "Exit: 0 done, 1 failed, 2 misuse, 130 interrupted.\n",
    .args = args,
    .min_operands = 0,
    .max_operands = 2,
    .operand_name = "LFW_DIR MODEL",
};

static int check_options(const char **operands, size_t count)
{
    if (count == 1)
        return fn_fail(FN_EUSAGE, "one operand: LFW_DIR and MODEL go together");
    if (count == 2 && (o.lfw_dir || o.infer.model || o.store))
        return fn_fail(FN_EUSAGE, "LFW_DIR MODEL and --lfw_dir, --store or --model exclude each "
                                  "other");
    if (count == 2) {
        o.lfw_dir = operands[0];
        o.infer.model = operands[1];
    }
    if (!o.infer.model)
        return fn_fail(FN_EUSAGE, "no --model: name a safetensors file or a run's folder");
    if (!o.lfw_dir == !o.store)
        return fn_fail(FN_EUSAGE, "give either --lfw_dir or --store");
    if (o.boxes && o.store)
        return fn_fail(FN_EUSAGE, "--boxes is for --lfw_dir: pictures in a store are cropped "
                                  "already");
    return FN_OK;
}

static void say(const char *fmt, double value)
{
    if (isfinite(value))
        printf(fmt, value);
    else
        printf("does not exist");
}

/* The lines of the original's validate_on_lfw. */
static void print_result(const struct fn_lfw_result *r)
{
    printf("Accuracy: %2.5f+-%2.5f\n", r->accuracy, r->accuracy_std);
    printf("Validation rate: ");
    say("%2.5f", r->val);
    printf("+-");
    say("%2.5f", r->val_std);
    printf(" @ FAR=");
    say("%2.5f", r->far);
    printf("\nArea Under Curve (AUC): ");
    say("%1.3f", r->auc);
    printf("\nEqual Error Rate (EER): ");
    say("%1.3f", r->eer);
    printf("\n");
    if (r->note[0])
        fn_info("%s", r->note);
}

static int print_json(const struct fn_lfw_run *run, const struct fn_lfw_result *r)
{
    json_t *json = fn_lfw_run_json(run, r);
    int rc = json ? fn_json_print(json) : fn_fail(FN_ENOMEM, "no memory for the result");
    json_decref(json);
    return rc;
}

static int put_page(const struct fn_infer *infer, const struct fn_lfw_run *run,
                    const struct fn_lfw_result *result)
{
    char *command = fn_args_command(&tool, typed_count, typed);
    const struct fn_eval_page page = {.model = o.infer.model,
                                      .pairs = o.pairs,
                                      .pictures = o.store ? o.store : o.lfw_dir,
                                      .device = infer->be->info(infer->dev)->device,
                                      .command = command,
                                      .flip = o.flip,
                                      .run = run,
                                      .result = result};
    int rc = command ? fn_eval_page(&page, o.report)
                     : fn_fail(FN_ENOMEM, "no memory for the command line");
    if (!rc)
        fn_info("%s: open it in a browser", o.report);
    free(command);
    return rc;
}

static int evaluate(struct fn_infer *infer, const struct fn_infer_options *options)
{
    const struct fn_lfw_run_options run_options = {o.pairs,
                                                   o.lfw_dir,
                                                   o.boxes,
                                                   o.store,
                                                   infer->file->record.image_size,
                                                   {(int)o.metric, o.subtract_mean, (int)o.folds}};
    const struct fn_embed_options embed = {infer->file->record.per_image, o.flip,
                                           (int)o.infer.workers};
    struct fn_lfw_run *run = NULL;
    struct fn_lfw_result result;
    int rc = fn_lfw_run_open(&run, &run_options);
    memset(&result, 0, sizeof result);
    if (!rc)
        rc = fn_infer_open(infer, options);
    if (!rc)
        rc = fn_lfw_run_attach(run, infer->exec, &embed);
    if (!rc)
        rc = fn_lfw_run_evaluate(run, &result);
    if (!rc && o.common.json)
        rc = print_json(run, &result);
    else if (!rc)
        print_result(&result);
    if (!rc && o.report)
        rc = put_page(infer, run, &result);
    fn_lfw_result_free(&result);
    fn_lfw_run_close(&run);
    return rc;
}

static int run(void)
{
    const struct fn_infer_options options = fn_infer_args_options(&o.infer, &o.common, args);
    struct fn_infer infer;
    int rc = fn_infer_file(&infer, &options);
    if (rc)
        return rc;
    rc = evaluate(&infer, &options);
    fn_infer_close(&infer);
    return rc;
}

int main(int argc, char **argv)
{
    const char **operands = NULL;
    size_t count = 0;
    int rc;
    typed_count = argc;
    typed = argv;
    fn_start(argv);
    fn_signals_setup();
    fn_log_setup(tool.name, FN_LOG_NORMAL);
    rc = fn_args_parse(&tool, argc, argv, &operands, &count);
    if (!rc)
        rc = check_options(operands, count);
    if (!rc) {
        fn_tool_level(&tool, &o.common);
        rc = run();
    }
    fn_args_free(&tool, &operands);
    return fn_tool_exit(&tool, rc);
}
