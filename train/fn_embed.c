/* SPDX-License-Identifier: MIT */
/* fn-embed: pictures in, embeddings out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/args.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "kernels/start.h"
#include "train/class_distance.h"
#include "train/embed.h"
#include "train/embed_inputs.h"
#include "train/field.h"
#include "train/infer_args.h"
#include "train/npy.h"

struct options {
    struct fn_common common;
    struct fn_infer_args infer;
    const char *output, *store, *boxes, *class_distance;
    int flip;
};

static struct options o = {
    .infer = {.device = "auto", .precision = "fp32", .batch = 32, .workers = 1}};

static struct fn_arg args[] = {
    FN_INFER_ARGS(&o.infer),
    {.name = "output",
     .letter = 'o',
     .kind = FN_ARG_STRING,
     .value = &o.output,
     .metavar = "FILE.npy",
     .help = "where the embeddings go: float32 (n, d); beside it FILE.tsv: row, class, name"},
    {.name = "store",
     .kind = FN_ARG_STRING,
     .value = &o.store,
     .metavar = "DIR",
     .help = "embed all records of a store, in order of id"},
    {.name = "class_distance",
     .kind = FN_ARG_STRING,
     .value = &o.class_distance,
     .metavar = "FILE.tsv",
     .help = "also write how far each embedding lies from the mean of its class's: what "
             "--filter_filename of fn-train reads"},
    {.name = "boxes",
     .kind = FN_ARG_STRING,
     .value = &o.boxes,
     .metavar = "FILE",
     .help = "the aligner's bounding_boxes file: crop to it, then straight to the image size"},
    {.name = "use_flipped_images",
     .kind = FN_ARG_FLAG,
     .value = &o.flip,
     .help = "append the embedding of the mirrored picture"},
    {.name = "batch_size",
     .kind = FN_ARG_INT,
     .value = &o.infer.batch,
     .min = 1,
     .max = 65536,
     .help = "images a batch"},
    FN_COMMON_ARGS(&o.common),
    {.kind = FN_ARG_FLAG},
};

static const struct fn_tool tool = {
    .name = "fn-embed",
    .synopsis = "--model FILE|RUN -o FILE.npy (--store DIR | IMAGE|TREE...)",
    .purpose =
        "Computes the embeddings of faces: one row of float32 numbers a picture, of length 1.",
    .epilog =
        "A picture is cropped at the centre, or padded, to the image size. One that cannot be\n"
        "read is named and left out.\n"
        "Exit: 0 done, 1 failed, 2 misuse, 130 interrupted.\n",
    .args = args,
    .min_operands = 0,
    .max_operands = -1,
    .operand_name = "IMAGE|TREE",
};

/* "out.npy" -> "out.tsv"; another name gets .tsv appended. */
static char *tsv_path(void)
{
    size_t bytes = strlen(o.output);
    char *path = malloc(bytes + 5);
    if (!path)
        return NULL;
    if (bytes > 4 && !strcmp(o.output + bytes - 4, ".npy"))
        bytes -= 4;
    memcpy(path, o.output, bytes);
    memcpy(path + bytes, ".tsv", 5);
    return path;
}

/* Three files, none of them a stream: the head of a .npy counts its rows, and is written last. */
static int check_outputs(void)
{
    char *table = tsv_path();
    int rc = table ? FN_OK : fn_fail(FN_ENOMEM, "no memory for a path");
    if (!rc && strcmp(o.output, "-") == 0)
        rc = fn_fail(FN_EUSAGE, "-o -: embeddings go to a file, not to standard output");
    else if (!rc && o.class_distance &&
             (!strcmp(o.class_distance, table) || !strcmp(o.class_distance, o.output)))
        rc = fn_fail(FN_EUSAGE, "--class_distance %s: -o writes a file of that name",
                     o.class_distance);
    free(table);
    return rc;
}

static int check_options(size_t count)
{
    if (!o.infer.model)
        return fn_fail(FN_EUSAGE, "no --model: name a safetensors file or a run's folder");
    if (!o.output)
        return fn_fail(FN_EUSAGE, "no -o: name the .npy file to write");
    if (!o.store == !count)
        return fn_fail(FN_EUSAGE, o.store ? "--store and pictures exclude each other"
                                          : "nothing to embed: give --store, or pictures or trees");
    if (o.boxes && o.store)
        return fn_fail(FN_EUSAGE, "--boxes is for pictures: those in a store are cropped already");
    return check_outputs();
}

struct output {
    struct fn_embed_inputs *inputs;
    struct fn_npy *npy;
    struct fn_out *tsv;
    size_t dims;
    uint64_t rows, unreadable;
    uint8_t *left_out; /* [inputs->count]: 1: it has no row */
    double begin;
};

static int put_rows(void *context, uint64_t first, size_t count, const float *rows,
                    const uint8_t *bad)
{
    struct output *out = context;
    FILE *tsv = fn_out_stream(out->tsv);
    double seconds;
    for (size_t i = 0; i < count; i++) {
        struct fn_input_name name;
        int rc;
        if (bad[i]) {
            out->unreadable++;
            out->left_out[first + i] = 1;
            continue;
        }
        rc = fn_embed_inputs_name(out->inputs, first + i, &name);
        if (!rc)
            rc = fn_npy_rows(out->npy, rows + i * out->dims, 1);
        if (rc)
            return rc;
        fprintf(tsv, "%llu\t", (unsigned long long)out->rows++);
        fn_field_put(tsv, name.class_name, name.class_bytes);
        putc('\t', tsv);
        fn_field_put(tsv, name.name, name.name_bytes);
        putc('\n', tsv);
    }
    seconds = fn_now() - out->begin;
    fn_progress(10, first + count == out->inputs->count, "%llu of %llu pictures, %.1f images/s",
                (unsigned long long)(first + count), (unsigned long long)out->inputs->count,
                (double)(first + count) / (seconds > 0 ? seconds : 1));
    return FN_OK;
}

static int report(const struct output *out)
{
    double seconds = fn_now() - out->begin;
    json_t *json;
    int rc = FN_OK;
    if (out->unreadable)
        fn_warn("%llu pictures could not be read and are left out",
                (unsigned long long)out->unreadable);
    if (!o.common.json) {
        fn_info("%llu embeddings of %zu numbers in %s", (unsigned long long)out->rows, out->dims,
                o.output);
        return FN_OK;
    }
    json = json_pack("{s:I, s:I, s:I, s:f, s:f}", "embeddings", (json_int_t)out->rows, "dims",
                     (json_int_t)out->dims, "unreadable", (json_int_t)out->unreadable, "seconds",
                     seconds, "images_per_second", (double)out->rows / (seconds > 0 ? seconds : 1));
    rc = json ? fn_json_print(json) : fn_fail(FN_ENOMEM, "no memory for the summary");
    json_decref(json);
    return rc;
}

static int embed_all(struct fn_infer *infer, struct fn_embed_inputs *inputs)
{
    const struct fn_embed_options options = {infer->file->record.per_image, o.flip,
                                             (int)o.infer.workers};
    struct output out = {.inputs = inputs, .begin = fn_now()};
    struct fn_order order = fn_embed_count_order(&inputs->count);
    struct fn_embed *embed = NULL;
    char *path = tsv_path();
    int rc = path ? FN_OK : fn_fail(FN_ENOMEM, "no memory for a path");
    out.left_out = calloc(inputs->count, 1);
    if (!rc && !out.left_out)
        rc = fn_fail(FN_ENOMEM, "no memory for %llu pictures", (unsigned long long)inputs->count);
    if (!rc)
        rc = fn_embed_open(&embed, infer->exec, inputs->source, &options);
    if (!rc) {
        out.dims = fn_embed_dims(embed);
        rc = fn_npy_open(&out.npy, o.output, out.dims);
    }
    if (!rc)
        rc = fn_out_open(&out.tsv, path);
    if (!rc) {
        fputs("row\tclass\tname\n", fn_out_stream(out.tsv));
        rc = fn_embed_run(embed, &order, put_rows, &out);
    }
    if (!rc && !out.rows)
        rc = fn_fail(FN_ECORRUPT, "none of the %llu pictures could be read",
                     (unsigned long long)inputs->count);
    if (!rc)
        rc = fn_npy_commit(out.npy);
    if (!rc)
        rc = fn_out_commit(out.tsv);
    if (!rc && o.class_distance)
        rc = fn_class_distance_write(o.class_distance, inputs, out.left_out, o.output, out.dims);
    if (!rc)
        rc = report(&out);
    fn_out_close(&out.tsv);
    fn_npy_close(&out.npy);
    fn_embed_close(&embed);
    free(out.left_out);
    free(path);
    return rc;
}

static int run(const char **operands, size_t count)
{
    struct fn_infer_options options = fn_infer_args_options(&o.infer, &o.common, args);
    struct fn_embed_inputs inputs;
    struct fn_infer infer;
    int rc = fn_infer_file(&infer, &options);
    if (rc)
        return rc;
    rc = fn_embed_inputs_open(&inputs, o.store, operands, count, o.boxes,
                              infer.file->record.image_size);
    if (rc) {
        fn_infer_close(&infer);
        return rc;
    }
    if (inputs.count < (uint64_t)options.batch)
        options.batch = (int)inputs.count;
    rc = fn_infer_open(&infer, &options);
    if (!rc)
        rc = embed_all(&infer, &inputs);
    fn_embed_inputs_close(&inputs);
    fn_infer_close(&infer);
    return rc;
}

int main(int argc, char **argv)
{
    const char **operands = NULL;
    size_t count = 0;
    int rc;
    fn_start(argv);
    fn_signals_setup();
    fn_log_setup(tool.name, FN_LOG_NORMAL);
    rc = fn_args_parse(&tool, argc, argv, &operands, &count);
    if (!rc)
        rc = check_options(count);
    if (!rc) {
        fn_tool_level(&tool, &o.common);
        rc = run(operands, count);
    }
    fn_args_free(&tool, &operands);
    return fn_tool_exit(&tool, rc);
}
