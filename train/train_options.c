/* SPDX-License-Identifier: MIT */
/* The table of fn-train's options. */
#include "train/train_options.h"

#include <stdlib.h>
#include <string.h>

#include "train/train_options_parts.h"
#include "train/triplet_select.h"

/* Defaults of the originals (train_softmax.py, train_tripletloss.py) where they have the option. */
struct fn_train_options fn_train_values = {
    .data_path = "~/datasets/casia/casia_maxpy_mtcnnalign_182_160",
    .models_base_dir = "~/models/facenet",
    .logs_base_dir = "~/logs/facenet",
    .loss = "softmax",
    .device = "auto",
    .precision = "fp32",
    .model_def = "models.inception_resnet_v1",
    .image_size = 160,
    .embedding_size = 128,
    .batch_size = 90,
    .epoch_size = 1000,
    .max_epochs = 500,
    .seed = 666,
    .shuffle = "full",
    .validate_every = 5,
    .filter_percentile = 100,
    .keep = 1,
    .ema_decay = 0.9999,
    .bn_decay = 0.995,
    .center_alfa = 0.95,
    .norm_p = 1,
    .norm_hist_max = 10,
    .optimizer = "ADAGRAD",
    .learning_rate = 0.1,
    .decay_factor = 1,
    .decay_epochs = 100,
    .schedule_file = "data/learning_rate_schedule.txt",
    .people_per_batch = 45,
    .images_per_person = 40,
    .alpha = 0.2,
    .triplet_selection = "original",
    .mining = "offline",
    .margin = "none",
    .margin_scale = 64, /* ArcFace and CosFace both */
    .parts = 1,
    .lfw_dir = "",
    .lfw_pairs = "data/pairs.txt",
    .lfw_folds = 10,
    .lfw_batch = 100,
    .work_dir = "/data/",
    .log_dir = "/data/data/",
    .gpu_memory_fraction = 1,
    .num_gpus = 1,
};

static const char *const losses[] = {"softmax", "triplet", NULL};
static const char *const devices[] = {"auto", "ref", "cpu", "cuda", NULL};
static const char *const precisions[] = {"fp32", "bf16", NULL};
static const char *const shuffles[] = {"full", "window", NULL};
static const char *const margins[] = {"none", "arcface", "cosface", NULL};
static const char *const minings[] = {"offline", "online", NULL};
static const char *const optimizers[] = {"ADAGRAD", "ADADELTA", "ADAM", "RMSPROP", "MOM", NULL};

enum { MOST_BATCH = 65536 };

/* 0 stands for auto. */
static int read_batch(void *value, const char *text)
{
    char *end;
    const long long n = strtoll(text, &end, 10);
    const int is_auto = !strcmp(text, "auto");
    if (!is_auto && (text[0] < '0' || text[0] > '9' || *end || n < 1 || n > MOST_BATCH))
        return fn_fail(FN_EUSAGE, "neither auto nor a whole number from 1 to %d", MOST_BATCH);
    *(int64_t *)value = is_auto ? 0 : n;
    return FN_OK;
}

static void show_batch(const void *value, char *buf, size_t cap)
{
    const int64_t n = *(const int64_t *)value;
    if (n)
        snprintf(buf, cap, "%lld", (long long)n);
    else
        snprintf(buf, cap, "auto");
}

void fn_train_options_set_batch(int n)
{
    fn_train_values.batch_size = n;
}

/* clang-format off */
#define V(field) .value = &fn_train_values.field
#define TEXT(n, field, meta, h) \
    {.name = n, .kind = FN_ARG_STRING, V(field), .metavar = meta, .help = h}
#define CHOICE(n, field, list, h) \
    {.name = n, .kind = FN_ARG_CHOICE, V(field), .choices = list, .help = h}
#define FLAG(n, field, h) {.name = n, .kind = FN_ARG_FLAG, V(field), .help = h}
#define INT(n, field, lo, hi, h) \
    {.name = n, .kind = FN_ARG_INT, V(field), .min = lo, .max = hi, .help = h}
#define REAL(n, field, lo, hi, h) \
    {.name = n, .kind = FN_ARG_REAL, V(field), .min = lo, .max = hi, .help = h}
#define HEADING(h) {.kind = FN_ARG_HEADING, .name = "", .help = h}
enum { MANY = 1000000000 };

struct fn_arg fn_train_args[] = {
    HEADING("Where from, where to"),
    TEXT("store", store, "DIR", "the store to train on; without it, data_dir/data_path"),
    TEXT("data_dir", data_dir, "DIR",
         "base of data_path and lfw_dir; without a data_path, what to train on"),
    TEXT("data_path", data_path, "DIR",
         "the store to train on, below data_dir; or class folders, as the original has them: a "
         "store is made of them, once, by fn-ingest"),
    TEXT("work_dir", work_dir, "DIR",
         "such a store is made in its folder stores; without it, in that of models_base_dir"),
    TEXT("output_dir", output_dir, "DIR", "base of models_base_dir"),
    TEXT("models_base_dir", models_base_dir, "DIR",
         "a run's checkpoints go to a folder in it, named by date and time"),
    TEXT("logs_base_dir", logs_base_dir, "DIR",
         "a run's logs go to a folder of the same name in it"),
    TEXT("pretrained_model", pretrained_model, "FILE|RUN",
         "begin with these weights; a head or bottleneck of another size begins anew"),
    TEXT("resume", resume, "RUN", "go on with a run, by its folder of models, with its options"),
    TEXT("report", report, "RUN",
         "write the page of a run, RUN/report.html, from its logs, and do nothing else; a run in "
         "progress does so itself. RUN: its folder of models, or of logs"),

    HEADING("The run"),
    CHOICE("loss", loss, losses, "what is minimized"),
    CHOICE("device", device, devices, "what computes; auto takes the best there is"),
    CHOICE("precision", precision, precisions, "of activations; bf16 where the device has it"),
    FLAG("allow_tf32", allow_tf32,
         "let a GPU round what it multiplies in fp32 to 10 bits: faster, no longer exact"),
    FLAG("deterministic", deterministic,
         "on a GPU take only algorithms that give the same bits every time"),
    FLAG("no_graph", no_graph, "on a GPU start every operation by itself: slower, the same bits"),
    FLAG("profile", profile,
         "time every kind of operation and every layer for a few steps, and leave nothing"),
    FLAG("selftest", selftest,
         "compare all operations of the device with plain loops, print errors and speeds, and end"),
    TEXT("model_def", model_def, "NAME", "the network"),
    INT("image_size", image_size, 1, 2048, "side of the network's images in pixels"),
    INT("embedding_size", embedding_size, 1, 65536, "numbers in an embedding"),
    {.name = "batch_size", .kind = FN_ARG_CHECKED, V(batch_size), .metavar = "N|auto",
     .help = "images a batch; auto: as many as the device's memory holds",
     .check = read_batch, .show = show_batch},
    INT("epoch_size", epoch_size, 1, MANY, "batches an epoch"),
    INT("max_nrof_epochs", max_epochs, 1, MANY, "epochs to train"),
    INT("max_steps", max_steps, 0, MANY, "end after this many batches in all, 0 for no such limit"),
    INT("save_every_n_steps", save_every, 0, MANY,
         "save a checkpoint also within epochs, every so many batches; 0 for at their ends only"),
    INT("seed", seed, 0, MANY, "of everything random"),

    HEADING("Pictures"),
    FLAG("random_crop", random_crop, "crop at random; without, at the centre"),
    FLAG("random_flip", random_flip, "mirror at random"),
    FLAG("random_rotate", random_rotate, "rotate by up to 10 degrees at random"),
    FLAG("use_fixed_image_standardization", fixed,
         "(x - 127.5) / 128; without, by each image's mean and deviation"),
    INT("nrof_preprocess_threads", workers, 0, 1024,
         "threads that read and decode pictures, 0 for 4 with a GPU and 1 without"),
    CHOICE("shuffle", shuffle, shuffles,
           "order of the pictures: full, or window for a store on a disk or network that is slow "
           "at random reads: blocks of 256 neighbours, mixed 128 blocks at a time"),
    FLAG("bench_loader", bench_loader,
         "measure how fast this store can be read and decoded, and train nothing"),
    REAL("validation_set_split_ratio", split_ratio, 0, 0.999999,
         "share of every class's images that is kept for validation"),
    REAL("min_nrof_val_images_per_class", min_val, 0, MANY,
         "classes with fewer training images are left out of a split"),
    INT("validate_every_n_epochs", validate_every, 1, MANY,
         "validate after every so many epochs, and at the end"),
    TEXT("filter_filename", filter_filename, "FILE",
         "leave out the pictures farthest from their class's centre, by the table that fn-embed "
         "--class_distance writes"),
    REAL("filter_percentile", filter_percentile, 0, 100,
         "which part of the pictures to keep with it; even 100 leaves out the very last"),
    INT("filter_min_nrof_images_per_class", filter_min_images, 0, MANY,
         "leave out classes that have fewer images after losing some to it"),

    HEADING("Loss and optimizer"),
    REAL("keep_probability", keep, 1e-6, 1, "of dropout before the bottleneck"),
    REAL("weight_decay", weight_decay, 0, 1, "L2 on all kernels"),
    REAL("center_loss_factor", center_factor, 0, MANY, "of the center loss"),
    REAL("center_loss_alfa", center_alfa, 0, 1, "how much of a center stays in an update"),
    REAL("prelogits_norm_loss_factor", norm_factor, 0, MANY, "of the norm of the prelogits"),
    REAL("prelogits_norm_p", norm_p, 1, MANY, "which norm that is"),
    REAL("prelogits_hist_max", norm_hist_max, 1e-9, MANY,
         "largest prelogit in the histogram of them"),
    CHOICE("optimizer", optimizer, optimizers, "the optimizer"),
    REAL("learning_rate", learning_rate, 0, 0,
         "the rate; 0 or less: from the schedule file"),
    TEXT("learning_rate_schedule_file", schedule_file, "FILE",
         "lines of 'epoch: rate'; a rate of - ends training"),
    INT("learning_rate_decay_epochs", decay_epochs, 1, MANY,
         "epochs between two steps of the rate's decay"),
    REAL("learning_rate_decay_factor", decay_factor, 1e-9, 1000, "of the rate at such a step"),
    REAL("moving_average_decay", ema_decay, 0, 0.9999999,
         "of the weights' moving averages, 0 for none"),
    REAL("batch_norm_decay", bn_decay, 0, 0.9999999,
         "of batch norm's moving statistics; smaller for short runs"),

    HEADING("Beyond the originals; all off by default"),
    CHOICE("margin", margin, margins,
           "the head answers by angle, and the loss wants the right class ahead by a margin: "
           "arcface of the angle, cosface of its cosine"),
    REAL("margin_scale", margin_scale, 1e-3, 10000, "what the cosines are multiplied by"),
    REAL("margin_size", margin_size, 0, 3,
         "the margin; without it the papers': 0.5 radians for arcface, 0.35 for cosface"),
    REAL("label_smoothing", label_smoothing, 0, 0.999,
         "this share of the target goes to all classes alike"),
    INT("warmup_steps", warmup_steps, 0, MANY,
        "the rate grows to its value, evenly, over so many batches"),
    INT("cosine_steps", cosine_steps, 0, MANY,
        "after that it falls along half a cosine until this batch; on top of the schedule file "
        "and the decay"),
    REAL("cosine_floor", cosine_floor, 0, 1, "which share of the rate is left then"),
    INT("gradient_accumulation", parts, 1, 65536,
        "compute a batch in so many parts, one after the other, in the memory of one; only batch "
        "norm differs: each part is normalized by itself"),
    REAL("clip_gradient_norm", clip, 0, 0,
         "scale the gradient down to this norm where it is larger, all parameters together, "
         "without weight decay; 0 for never"),
    TEXT("trainable", trainable, "REGEX",
         "train the parameters whose names (fn-train prints some when none fits) it finds itself "
         "in, as '^(last_|logits)'; the others stay, and their batch norm is that of evaluation"),

    HEADING("Triplets"),
    INT("people_per_batch", people_per_batch, 1, MANY, "people in a sampled group"),
    INT("images_per_person", images_per_person, 1, MANY, "images of each, at most"),
    REAL("alpha", alpha, -4, 4, "margin between positive and negative"),
    CHOICE("triplet_selection", triplet_selection, fn_selection_names,
           "original: any negative within the margin, anchors of the first people_per_batch "
           "people; vgg: the same, anchors of all; semi-hard: farther than the positive; hard: "
           "the nearest. Online: semi-hard (every pair's nearest that is farther than the "
           "positive) or hard (every anchor's farthest positive and nearest negative)"),
    CHOICE("mining", mining, minings,
           "online: people_per_batch x images_per_person images are a batch, and the loss is over "
           "triplets of it, without a second pass through the network"),

    HEADING("Evaluation on LFW, after every epoch"),
    TEXT("lfw_dir", lfw_dir, "DIR",
         "class folders or a store with the pictures, below data_dir; empty for no evaluation"),
    TEXT("lfw_pairs", lfw_pairs, "FILE", "the pairs"),
    TEXT("lfw_boxes", lfw_boxes, "FILE",
         "the aligner's bounding_boxes file for class folders: crop, then straight to the "
         "image size"),
    INT("lfw_nrof_folds", lfw_folds, 2, MANY, "folds of the cross validation"),
    INT("lfw_batch_size", lfw_batch, 1, 65536, "images a batch in validation and evaluation"),
    INT("lfw_distance_metric", lfw_metric, 0, 1, "0: squared Euclidean, 1: angle"),
    FLAG("lfw_use_flipped_images", lfw_flip, "append the embedding of the mirrored picture"),
    FLAG("lfw_subtract_mean", lfw_subtract_mean,
         "subtract the mean of the other folds' embeddings"),

    HEADING("Logs"),
    FLAG("log_histograms", log_histograms, "histograms of weights and gradients in TensorBoard"),

    HEADING("Accepted and not used"),
    REAL("gpu_memory_fraction", gpu_memory_fraction, 0, 1, "memory is planned exactly"),
    INT("num_gpus", num_gpus, 0, 1024, "one GPU is used"),
    TEXT("log_dir", log_dir, "DIR", "of the original's container"),
    FN_COMMON_ARGS(&fn_train_values.common),
    {.kind = FN_ARG_FLAG},
};
/* clang-format on */

static const struct fn_tool tool = {
    .name = "fn-train",
    .synopsis = "--store DIR [options]\n--resume RUN [options]",
    .purpose = "Trains Inception-ResNet-v1 to embed faces. Everything needed to go on is saved "
               "after every epoch and at an interruption; a resumed run ends with the same bits.",
    .epilog = "Data-wait: share of the steps' time spent waiting for the loader (more\n"
              "--nrof_preprocess_threads help). Host-wait, on a GPU: share in which it stood\n"
              "still between two steps for another reason (a larger batch helps).\n\n"
              "Ctrl-C finishes the batch, saves, and says how to go on; twice ends at once.\n"
              "Exit: 0 done, 1 failed, 2 misuse, 130 interrupted after saving.\n",
    .args = fn_train_args,
    .min_operands = 0,
    .max_operands = 0,
    .operand_name = "",
};

const struct fn_tool *fn_train_tool(void)
{
    return &tool;
}
