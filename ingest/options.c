/* SPDX-License-Identifier: MIT */
/* fn-ingest's options. */
#include "ingest/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/image.h"
#include "store/writer.h"

static const char *const layouts[] = {"auto", "aligned7", "full6", NULL};
static const char *const codecs[] = {"jpeg", "png", "raw", "keep", NULL};
static const char *const dedupes[] = {"names", "pixels", NULL};

static struct fn_options o = {.store = "db",
                              .layout = "auto",
                              .codec = "jpeg",
                              .dedupe = "names",
                              .size = 182,
                              .quality = 95,
                              .max_rejects = FN_LIMIT_DEFAULT,
                              .shard_bytes = FN_SHARD_BYTES};

static struct fn_arg args[] = {
    {.kind = FN_ARG_HEADING, .name = "", .help = "What is made of it"},
    {.name = "store",
     .kind = FN_ARG_STRING,
     .value = &o.store,
     .metavar = "DIR",
     .help = "the store to make, or to go on with"},
    {.name = "size",
     .kind = FN_ARG_INT,
     .value = &o.size,
     .metavar = "PIXELS",
     .min = 0,
     .max = 65500,
     .help = "resize every picture to PIXELS x PIXELS; 0 keeps sizes as they come"},
    {.name = "codec",
     .kind = FN_ARG_CHOICE,
     .value = &o.codec,
     .choices = codecs,
     .help =
         "how pictures are stored: jpeg (4:2:0), png (lossless), raw, or keep (the bytes of the "
         "input where nothing of them need be changed)"},
    {.name = "quality",
     .kind = FN_ARG_INT,
     .value = &o.quality,
     .min = 1,
     .max = 100,
     .help = "of jpeg"},
    {.name = "shard-bytes",
     .kind = FN_ARG_BYTES,
     .value = &o.shard_bytes,
     .min = 1 << 20,
     .max = -1,
     .help = "begin a new file of the store after so many bytes"},
    {.name = "overwrite",
     .kind = FN_ARG_FLAG,
     .value = &o.overwrite,
     .help = "replace a store that is there already"},
    {.name = "dry-run",
     .kind = FN_ARG_FLAG,
     .value = &o.dry_run,
     .help = "read, check and convert everything, write nothing (duplicates are not looked for)"},

    {.kind = FN_ARG_HEADING, .name = "", .help = "What is read"},
    {.name = "layout",
     .kind = FN_ARG_CHOICE,
     .value = &o.layout,
     .choices = layouts,
     .help =
         "columns of a TSV: aligned7 (MID, rank, image URL, page URL, FaceID, rectangle, face), "
         "full6 (MID, name, rank, image URL, page URL, picture), or auto: the first rows show it"},
    {.name = "boxes",
     .kind = FN_ARG_STRING,
     .value = &o.boxes,
     .metavar = "FILE",
     .help = "the aligner's bounding boxes, `class/name x1 y1 x2 y2` a line: crop to them first"},
    {.name = "limit",
     .kind = FN_ARG_INT,
     .value = &o.limit,
     .metavar = "N",
     .min = 0,
     .max = -1,
     .help = "take the first N rows or files only; 0: all"},
    {.name = "max-rejects",
     .kind = FN_ARG_CHECKED,
     .value = &o.max_rejects,
     .metavar = "N|P%",
     .check = fn_limit_check,
     .show = fn_limit_show,
     .help = "stop when more rows than that cannot be taken (judged from row 1,000 on and at the "
             "end); the same command with a higher limit goes on from there"},

    {.kind = FN_ARG_HEADING, .name = "", .help = "What is left out"},
    {.name = "min-images",
     .kind = FN_ARG_INT,
     .value = &o.min_images,
     .metavar = "N",
     .min = 0,
     .max = -1,
     .help = "leave out classes with fewer pictures"},
    {.name = "max-per-class",
     .kind = FN_ARG_INT,
     .value = &o.max_per_class,
     .metavar = "N",
     .min = 0,
     .max = -1,
     .help = "keep the first N pictures of a class, in the order of the input; 0: all"},
    {.name = "dedupe",
     .kind = FN_ARG_CHOICE,
     .value = &o.dedupe,
     .choices = dedupes,
     .help = "what is a duplicate: a picture with class, name and bytes of an earlier one (names), "
             "or also one with the pixels of an earlier one in its class (pixels); the latter "
             "lists pictures that several classes share in DIR/conflicts.tsv, and keeps them"},
    {.name = "exclude",
     .kind = FN_ARG_STRING,
     .value = &o.exclude,
     .metavar = "FILE",
     .help =
         "leave out what the file lists: a class, class/record name, or MID <tab> path per line"},
    {.name = "keep",
     .kind = FN_ARG_STRING,
     .value = &o.keep,
     .metavar = "FILE",
     .help = "take only what the file lists, in the same form"},

    {.kind = FN_ARG_HEADING, .name = "", .help = "Many machines"},
    {.name = "part",
     .kind = FN_ARG_STRING,
     .value = &o.part,
     .metavar = "I/N",
     .help =
         "do the I-th of N parts of the INPUT and make the store DIR.I-of-N; auto: I and N as "
         "Slurm, Open MPI or another launcher numbers its tasks. Of a plain TSV only the part is "
         "read, of an archive or a compressed file all of it"},
    {.name = "join",
     .kind = FN_ARG_FLAG,
     .value = &o.join,
     .help = "the INPUTs are the stores of all parts: write them into the one store that a single "
             "run would have made"},

    {.kind = FN_ARG_HEADING, .name = "", .help = "Damage"},
    {.name = "repair",
     .kind = FN_ARG_FLAG,
     .value = &o.repair,
     .help = "the INPUT is a damaged store: rewrite it from what still verifies, and list what is "
             "gone in INPUT.lost.tsv, with its place in the input it came from. The new store "
             "takes the place of the old one, which stays as INPUT.damaged; or it goes to --store. "
             "Needs as much disk as the store"},

    FN_COMMON_ARGS(&o.common),
    {0},
};

static const struct fn_tool tool = {
    .name = "fn-ingest",
    .synopsis = "[OPTIONS] INPUT...",
    .purpose =
        "Turn faces into a store, once. Several INPUTs, of any kinds, are read one after another; "
        "what "
        "one is is found by its content. What cannot be taken is listed in DIR/rejects.tsv with "
        "line, byte offset and reason. An interrupted run goes on with the same command.",
    .epilog =
        "Inputs, plain or compressed by gzip, bzip2, xz, zstd, lz4 or lzip; - is stdin:\n"
        "  a face TSV, or one in a tar or zip     class: MID; name: rank-FaceID\n"
        "  a folder of class folders              class/name.jpg (.jpeg, .png)\n"
        "  a tar or zip of such a folder          the last two parts of every path\n"
        "  RecordIO: train.rec, or its folder     class: label, or folder in train.lst;\n"
        "                                         name: key in train.idx\n"
        "\n"
        "Examples:\n"
        "  fn-ingest msceleb.tsv                       -> db, 182 x 182 JPEG\n"
        "  fn-ingest --store lfw --codec png --size 160 --boxes bounding_boxes.txt lfw_raw\n"
        "  srun -n 8 fn-ingest --part auto msceleb.tsv && fn-ingest --join db.*-of-8\n"
        "  fn-ingest --keep clean_list.txt --min-images 20 msceleb.tsv.gz\n"
        "  fn-ingest --size 112 --codec keep faces_emore            (train.rec, train.idx)\n"
        "  fn-ingest --store all lfw.tgz more.zip own_pictures\n"
        "  fn-dump db verify || fn-ingest --repair db\n"
        "\n"
        "Exit status: 0 done, 1 failed, 2 misuse, 130 interrupted (what was done is saved).\n",
    .args = args,
    .min_operands = 1,
    .max_operands = -1,
    .operand_name = "INPUT",
};

/* Each part gets a store of its own beside the others. */
static int check_part(struct fn_options *options)
{
    if (!options->part)
        return FN_OK;
    if (options->input_count != 1 || options->limit)
        return fn_fail(FN_EUSAGE, "--part takes one INPUT, and no --limit");
    int rc = fn_share_parse(options->part, &options->share);
    if (rc)
        return rc;
    size_t bytes = strlen(options->store) + 32;
    options->part_store = malloc(bytes);
    if (!options->part_store)
        return fn_fail(FN_ENOMEM, "no memory for the command line");
    snprintf(options->part_store, bytes, "%s.%u-of-%u", options->store, options->share.number,
             options->share.of);
    options->store = options->part_store;
    return FN_OK;
}

/* What a store is like was said when its parts were made. */
static int check_join(void)
{
    static const char *const taken[] = {"store", "overwrite", "join",    "threads", "json",
                                        "quiet", "verbose",   "version", "help"};
    for (const struct fn_arg *arg = args; arg->name; arg++) {
        int ok = !arg->given;
        for (size_t i = 0; i < sizeof taken / sizeof *taken && !ok; i++)
            ok = strcmp(arg->name, taken[i]) == 0;
        if (!ok)
            return fn_fail(FN_EUSAGE, "--join takes no --%s: the parts say what the store is like",
                           arg->name);
    }
    return FN_OK;
}

/* A store says itself what it was asked to be; only where that is lost the same options do. */
static int check_repair(struct fn_options *options)
{
    static const char *const content[] = {"size",       "codec",         "quality", "shard-bytes",
                                          "min-images", "max-per-class", "dedupe"};
    static const char *const taken[] = {"store", "overwrite", "repair",  "threads", "json",
                                        "quiet", "verbose",   "version", "help"};
    if (options->input_count != 1)
        return fn_fail(FN_EUSAGE, "--repair takes one INPUT, the damaged store");
    for (const struct fn_arg *arg = args; arg->name; arg++) {
        int ok = !arg->given;
        for (size_t i = 0; i < sizeof taken / sizeof *taken && !ok; i++)
            ok = strcmp(arg->name, taken[i]) == 0;
        for (size_t i = 0; i < sizeof content / sizeof *content && !ok; i++)
            options->content_given |= ok = strcmp(arg->name, content[i]) == 0;
        if (!ok)
            return fn_fail(FN_EUSAGE, "--repair takes no --%s", arg->name);
        if (arg->given && strcmp(arg->name, "store") == 0)
            options->store_given = 1;
    }
    if (options->overwrite && !options->store_given)
        return fn_fail(FN_EUSAGE, "--repair takes --overwrite only along with --store");
    return FN_OK;
}

int fn_options_parse(struct fn_options *options, int argc, char **argv,
                     const struct fn_tool **tool_out)
{
    *tool_out = &tool;
    int rc = fn_args_parse(&tool, argc, argv, &o.inputs, &o.input_count);
    *options = o;
    if (!rc)
        rc = check_part(options);
    if (!rc && options->join)
        rc = check_join();
    if (!rc && options->repair)
        rc = check_repair(options);
    if (rc)
        return rc;
    options->command = fn_args_command(&tool, argc, argv);
    return options->command ? FN_OK : fn_fail(FN_ENOMEM, "no memory for the command line");
}

void fn_options_free(struct fn_options *options)
{
    fn_args_free(&tool, &options->inputs);
    free(options->part_store);
    options->part_store = NULL;
    free(options->command);
    options->command = NULL;
}
