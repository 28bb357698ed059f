/* SPDX-License-Identifier: MIT */
/* Reading fn-train's command line, and that of the run it resumes. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "train/checkpoint.h"
#include "train/net.h"
#include "train/train_options_parts.h"

/* What a run cannot change once it has begun. */
static const char *const bound[] = {"loss",
                                    "model_def",
                                    "image_size",
                                    "embedding_size",
                                    "batch_size",
                                    "epoch_size",
                                    "seed",
                                    "shuffle",
                                    "optimizer",
                                    "precision",
                                    "use_fixed_image_standardization",
                                    "validation_set_split_ratio",
                                    "min_nrof_val_images_per_class",
                                    "filter_filename",
                                    "filter_percentile",
                                    "filter_min_nrof_images_per_class",
                                    "people_per_batch",
                                    "images_per_person",
                                    "alpha",
                                    "triplet_selection",
                                    "mining",
                                    "margin",
                                    "margin_scale",
                                    "margin_size"};
/* Recorded as absolute paths, so that a run can be resumed from anywhere. lfw_dir: where it does
 * not stand below data_dir. */
static const char *const paths[] = {"store",         "data_dir", "lfw_pairs",
                                    "lfw_boxes",     "lfw_dir",  "learning_rate_schedule_file",
                                    "logs_base_dir", "work_dir", "filter_filename"};
/* Of this command, not of the run. */
static const char *const passing[] = {"resume", "threads", "no_graph", "selftest", "bench_loader",
                                      "report", "profile", "quiet",    "verbose",  "json"};

static struct fn_train_state recorded; /* its options' texts are pointed to by the values */
static const char **operands;
static char **merged;
static int typed_count;
static char **typed;    /* the process' own words */
static int upstream;    /* --data_dir without --data_path */
static char *own_store; /* of fn_train_options_set_store */

static int among(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(name, names[i]))
            return 1;
    return 0;
}
#define AMONG(name, names) among(name, names, sizeof(names) / sizeof *(names))

static int is_option(const struct fn_arg *a)
{
    return a->kind != FN_ARG_HEADING;
}

/* Value as text; NULL where there is none. */
static const char *text_of(const struct fn_arg *a, char *buf, size_t cap)
{
    switch (a->kind) {
    case FN_ARG_FLAG:
        return *(const int *)a->value ? "True" : "False"; /* as Python prints it */
    case FN_ARG_INT:
        snprintf(buf, cap, "%lld", (long long)*(const int64_t *)a->value);
        return buf;
    case FN_ARG_REAL:
        for (int digits = 6; digits <= 17; digits++) {
            snprintf(buf, cap, "%.*g", digits, *(const double *)a->value);
            if (strtod(buf, NULL) == *(const double *)a->value)
                break;
        }
        return buf;
    case FN_ARG_CHECKED:
        a->show(a->value, buf, cap);
        return buf;
    default:
        return *(const char *const *)a->value;
    }
}

void fn_train_options_print(FILE *out)
{
    for (const struct fn_arg *a = fn_train_args; a->name || !is_option(a); a++) {
        char buf[64];
        const char *text = is_option(a) ? text_of(a, buf, sizeof buf) : NULL;
        if (is_option(a) && !AMONG(a->name, passing))
            fprintf(out, "%s: %s\n", a->name, text ? text : "None");
    }
}

/* Text as it is recorded, malloc'd; NULL: out of memory. */
static char *recorded_text(const struct fn_arg *a, const char *text)
{
    int below = fn_train_values.data_dir && !upstream && !strcmp(a->name, "lfw_dir");
    char *cwd, *joined;
    if (!AMONG(a->name, paths) || below || !text[0] || text[0] == '/' || text[0] == '~')
        return strdup(text);
    cwd = getcwd(NULL, 0);
    joined = cwd ? fn_path_join(cwd, text) : strdup(text);
    free(cwd);
    return joined;
}

json_t *fn_train_options_json(void)
{
    json_t *o = json_object();
    for (const struct fn_arg *a = fn_train_args; o && (a->name || !is_option(a)); a++) {
        char buf[64], *record;
        const char *text = is_option(a) ? text_of(a, buf, sizeof buf) : NULL;
        int bad;
        if (!text || AMONG(a->name, passing))
            continue;
        record = recorded_text(a, text);
        bad = !record || json_object_set_new(o, a->name, json_string(record));
        free(record);
        if (bad) {
            json_decref(o);
            return NULL;
        }
    }
    return o;
}

int fn_train_options_given(const char *name)
{
    for (const struct fn_arg *a = fn_train_args; a->name || !is_option(a); a++)
        if (is_option(a) && !strcmp(a->name, name))
            return a->given;
    return 0;
}

/* What is of softmax training alone. The original's triplet script does not know these flags; one
 * that did nothing would be taken for one that works. */
static int check_triplet(struct fn_train_options *o)
{
    const struct {
        const char *name;
        int used;
    } others[] = {
        {"random_rotate", o->random_rotate},
        {"shuffle window", !strcmp(o->shuffle, "window")},
        {"center_loss_factor", o->center_factor > 0},
        {"prelogits_norm_loss_factor", o->norm_factor > 0},
        {"validation_set_split_ratio", o->split_ratio > 0},
        {"margin", strcmp(o->margin, "none") != 0},
        {"label_smoothing", o->label_smoothing > 0},
        {"gradient_accumulation", o->parts > 1},
        {"lfw_distance_metric", o->lfw_metric != 0},
        {"lfw_use_flipped_images", o->lfw_flip},
        {"lfw_subtract_mean", o->lfw_subtract_mean},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (others[i].used)
            return fn_fail(FN_EUSAGE, "--%s is for --loss softmax: triplet training has none of it",
                           others[i].name);
    if (o->batch_size % 3)
        return fn_fail(FN_EUSAGE,
                       "--batch_size %lld must be divisible by 3 with --loss triplet: a batch is "
                       "anchors, positives and negatives",
                       (long long)o->batch_size);
    if (!fn_train_options_given("lfw_batch_size") &&
        o->batch_size) /* the original knows one batch size only */
        o->lfw_batch = o->batch_size;
    return FN_OK;
}

static int check_bases(struct fn_train_options *o)
{
    int rc;
    if (o->selftest) /* nothing else is asked for */
        return FN_OK;
    if (!o->store && !o->data_dir && !fn_train_options_given("data_path"))
        return fn_fail(FN_EUSAGE,
                       "nothing to train on: give --store DIR (fn-ingest makes one), or --data_dir "
                       "and --data_path");
    if (fn_net_min_image(o->model_def) < 0)
        return fn_fail(FN_EUSAGE,
                       "--model_def %s: there is models.inception_resnet_v1 (and models.shrunken, "
                       "for tests); the other networks of the original are not built",
                       o->model_def);
    rc = fn_train_options_check_extra(o);
    if (rc)
        return rc;
    return !strcmp(o->loss, "triplet") ? check_triplet(o) : FN_OK;
}

/* "--name=value" of a recorded option, malloc'd; "" for one that is not known here any more. */
static char *as_argument(const char *name, const char *value)
{
    const struct fn_arg *a = fn_train_args;
    size_t cap = strlen(name) + strlen(value) + 8;
    char *text = malloc(cap);
    while ((a->name || !is_option(a)) && !(is_option(a) && !strcmp(a->name, name)))
        a++;
    if (!text)
        return NULL;
    if (!a->name)
        text[0] = 0;
    else if (a->kind == FN_ARG_FLAG)
        snprintf(text, cap, "--%s%s", !strcmp(value, "True") ? "" : "no-", name);
    else
        snprintf(text, cap, "--%s=%s", name, value);
    return text;
}

static int check_bound(const json_t *options)
{
    for (const struct fn_arg *a = fn_train_args; a->name || !is_option(a); a++) {
        char buf[64], *record;
        const char *was, *is;
        int differs;
        if (!is_option(a) || !AMONG(a->name, bound))
            continue;
        was = json_string_value(json_object_get(options, a->name));
        is = text_of(a, buf, sizeof buf);
        record = is ? recorded_text(a, is) : NULL;
        if (is && !record)
            return fn_fail(FN_ENOMEM, "no memory for the run's options");
        differs = was && record && strcmp(was, record) != 0;
        free(record);
        if (differs)
            return fn_fail(FN_EMISMATCH,
                           "--%s was %s when this run began and cannot become %s: begin a new run, "
                           "with --pretrained_model to keep the weights",
                           a->name, was, is);
    }
    return FN_OK;
}

/* Recorded options first, then the command line's own: the later one counts. */
static int parse_merged(int argc, char **argv)
{
    size_t count = 0, most = json_object_size(recorded.options) + (size_t)argc + 1;
    const char *name;
    json_t *value;
    int rc;
    merged = calloc(most, sizeof *merged);
    if (!merged)
        return fn_fail(FN_ENOMEM, "no memory for the run's options");
    merged[count++] = strdup(argv[0]);
    json_object_foreach(recorded.options, name, value)
    {
        char *text = as_argument(name, json_string_value(value) ? json_string_value(value) : "");
        if (text && !text[0])
            free(text);
        else
            merged[count++] = text;
    }
    for (int i = 1; i < argc; i++)
        merged[count++] = strdup(argv[i]);
    for (size_t i = 0; i < count; i++)
        if (!merged[i])
            return fn_fail(FN_ENOMEM, "no memory for the run's options");
    fn_args_free(fn_train_tool(), &operands);
    for (struct fn_arg *a = fn_train_args; a->name || !is_option(a); a++)
        a->given = 0;
    rc = fn_args_parse(fn_train_tool(), (int)count, merged, &operands, &count);
    return rc ? rc : check_bound(recorded.options);
}

int fn_train_options_parse(int argc, char **argv, const struct fn_train_options **options,
                           char **checkpoint)
{
    size_t count = 0;
    int rc = fn_args_parse(fn_train_tool(), argc, argv, &operands, &count);
    *options = &fn_train_values;
    *checkpoint = NULL;
    typed_count = argc;
    typed = argv;
    if (!rc && fn_train_values.report)
        return FN_OK;
    if (!rc && fn_train_values.resume) {
        rc = fn_checkpoint_find(fn_train_values.resume, checkpoint);
        if (!rc)
            rc = fn_checkpoint_state(*checkpoint, &recorded);
        if (!rc)
            rc = parse_merged(argc, argv);
    }
    upstream =
        !fn_train_values.store && fn_train_values.data_dir && !fn_train_options_given("data_path");
    return rc ? rc : check_bases(&fn_train_values);
}

char *fn_train_options_command(void)
{
    return fn_args_command(fn_train_tool(), typed_count, typed);
}

void fn_train_options_free(void)
{
    fn_args_free(fn_train_tool(), &operands);
    for (size_t i = 0; merged && merged[i]; i++)
        free(merged[i]);
    free(merged);
    merged = NULL;
    fn_train_state_free(&recorded);
    free(own_store);
    own_store = NULL;
}

char *fn_train_options_data(void)
{
    const struct fn_train_options *o = &fn_train_values;
    if (o->store)
        return fn_path_home(o->store);
    return upstream ? fn_path_home(o->data_dir) : fn_path_under(o->data_dir, o->data_path);
}

char *fn_train_options_lfw(void)
{
    const struct fn_train_options *o = &fn_train_values;
    return fn_path_under(upstream ? NULL : o->data_dir, o->lfw_dir);
}

int fn_train_options_set_store(const char *path)
{
    char *copy = strdup(path);
    if (!copy)
        return fn_fail(FN_ENOMEM, "no memory for the store's path");
    free(own_store);
    fn_train_values.store = own_store = copy;
    return FN_OK;
}

char *fn_path_home(const char *path)
{
    const char *home = getenv("HOME");
    if (path[0] != '~' || (path[1] && path[1] != '/') || !home)
        return fn_path_join(NULL, path);
    return path[1] ? fn_path_join(home, path + 2) : fn_path_join(NULL, home);
}

char *fn_path_under(const char *base, const char *path)
{
    char *expanded = fn_path_home(path), *from = base ? fn_path_home(base) : NULL, *joined;
    if (!expanded || (base && !from)) {
        free(expanded);
        free(from);
        return NULL;
    }
    joined = fn_path_join(from, expanded);
    free(expanded);
    free(from);
    return joined;
}
