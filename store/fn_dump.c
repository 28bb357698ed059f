/* SPDX-License-Identifier: MIT */
/* fn-dump: shows what is in a store. */
#include <locale.h>
#include <string.h>

#include "base/cpus.h"
#include "base/log.h"
#include "store/dump_internal.h"

static struct fn_dump dump = {.format = "png", .rows = 6, .cols = 8};

static const char *const formats[] = {"png", "jpg", "keep", NULL};

enum {
    OPTION_CLASS = 1,
    OPTION_OUTPUT = 2,
    OPTION_FORMAT = 4,
    OPTION_GRID = 8,
    OPTION_SEED = 16,
    OPTION_REJECTS = 32
};

static struct fn_arg args[] = {
    {.kind = FN_ARG_HEADING, .name = "", .help = "Options of single commands"},
    {.name = "class",
     .kind = FN_ARG_STRING,
     .value = &dump.class_name,
     .metavar = "NAME",
     .help = "list, export, sheet: only the pictures of this class"},
    {.name = "output",
     .letter = 'o',
     .kind = FN_ARG_STRING,
     .value = &dump.output,
     .metavar = "FILE",
     .help = "show: write the picture there, as PNG or JPEG if FILE ends so, else as it is stored; "
             "'-' is standard output"},
    {.name = "format",
     .kind = FN_ARG_CHOICE,
     .value = &dump.format,
     .choices = formats,
     .help = "export: png is lossless; keep gives the stored bytes"},
    {.name = "rows",
     .kind = FN_ARG_INT,
     .value = &dump.rows,
     .min = 1,
     .max = 200,
     .help = "sheet: rows of pictures"},
    {.name = "cols",
     .kind = FN_ARG_INT,
     .value = &dump.cols,
     .min = 1,
     .max = 200,
     .help = "sheet: pictures a row"},
    {.name = "seed",
     .kind = FN_ARG_INT,
     .value = &dump.seed,
     .min = 0,
     .max = 9e15,
     .help = "sheet, report: another number, other pictures"},
    {.name = "rejects",
     .kind = FN_ARG_FLAG,
     .value = &dump.rejects,
     .help = "sheet: pictures that were rejected, as far as the store has them: those that lost "
             "against another of their name"},
    FN_COMMON_ARGS(&dump.common),
    {0},
};

static const struct command {
    const char *name;
    const char *operand; /* what it is called; NULL: none is taken */
    int options;
    int (*run)(struct fn_dump *d);
} commands[] = {
    {"stats", NULL, 0, fn_dump_stats},
    {"list", NULL, OPTION_CLASS, fn_dump_list},
    {"show", "ID or CLASS/NAME", OPTION_OUTPUT, fn_dump_show},
    {"export", "DIR", OPTION_CLASS | OPTION_FORMAT, fn_dump_export},
    {"verify", NULL, 0, fn_dump_verify},
    {"sheet", "FILE.png", OPTION_CLASS | OPTION_GRID | OPTION_SEED | OPTION_REJECTS, fn_dump_sheet},
    {"rejects", NULL, 0, fn_dump_rejects},
    {"report", "DIR or FILE.html", OPTION_SEED, fn_dump_report},
    {"diff", "STORE2", 0, fn_dump_diff},
};

static const struct fn_tool tool = {
    .name = "fn-dump",
    .synopsis = "STORE [stats]\n"
                "STORE list [--class NAME]\n"
                "STORE show ID|CLASS/NAME [-o FILE]\n"
                "STORE export DIR [--class NAME] [--format png|jpg|keep]\n"
                "STORE verify\n"
                "STORE sheet FILE.png [--class NAME | --rejects] [--rows N] [--cols N] [--seed N]\n"
                "STORE rejects\n"
                "STORE report DIR|FILE.html [--seed N]\n"
                "diff STORE STORE2",
    .purpose = "Shows what is in a store that fn-ingest made.",
    .epilog =
        "Commands:\n"
        "  stats    counts, sizes, and how large the classes are (also of an unfinished store)\n"
        "  list     a line for each record: id, label, class, name, width, height, codec, bytes,\n"
        "           checksum, with tabs between\n"
        "  show     one record: what is known of it, or its picture\n"
        "  export   a folder for each class, with its pictures\n"
        "  verify   checks every checksum and decodes every picture; what is bad is named\n"
        "  sheet    a contact sheet to look at\n"
        "  rejects  what was not taken, and why (also of an unfinished store)\n"
        "  report   a page to look at in a browser: what is in the store as charts, faces of some\n"
        "           classes, what was not taken and why; FILE.html, or DIR/report.html\n"
        "  diff     what STORE2 has otherwise, a line for each record: < only in STORE, > only in\n"
        "           STORE2, ~ the same picture in another class, ! another picture\n"
        "\n"
        "Exit: 0 done; 1 failed, something is damaged, or stores differ; 2 misuse; 130 "
        "interrupted.\n",
    .args = args,
    .min_operands = 1,
    .max_operands = 3,
    .operand_name = "STORE",
};

static int option_of(const char *name)
{
    return strcmp(name, "class") == 0                               ? OPTION_CLASS
           : strcmp(name, "output") == 0                            ? OPTION_OUTPUT
           : strcmp(name, "format") == 0                            ? OPTION_FORMAT
           : strcmp(name, "rejects") == 0                           ? OPTION_REJECTS
           : strcmp(name, "seed") == 0                              ? OPTION_SEED
           : strcmp(name, "rows") == 0 || strcmp(name, "cols") == 0 ? OPTION_GRID
                                                                    : 0;
}

/* An option that the command would not look at is a misunderstanding. */
static int check_options(const struct command *command)
{
    for (const struct fn_arg *arg = args; arg->name; arg++)
        if (arg->given && option_of(arg->name) & ~command->options)
            return fn_fail(FN_EUSAGE, "%s takes no --%s", command->name, arg->name);
    return FN_OK;
}

static int is_command(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(commands[i].name, name) == 0)
            return 1;
    return 0;
}

/* `diff STORE STORE2` is the order one thinks of; a store that is called diff keeps its name. */
static void diff_comes_second(const char **operands, size_t count)
{
    if (count != 3 || strcmp(operands[0], "diff") != 0 || is_command(operands[1]))
        return;
    operands[0] = operands[1];
    operands[1] = "diff";
}

static int find_command(const char **operands, size_t count, const struct command **command)
{
    const char *name = count > 1 ? operands[1] : "stats";
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(commands[i].name, name) == 0)
            *command = &commands[i];
    if (!*command && strcmp(operands[0], "diff") == 0)
        return fn_fail(FN_EUSAGE, "diff wants STORE and STORE2");
    if (!*command)
        return fn_fail(FN_EUSAGE,
                       "there is no command '%s': stats, list, show, export, verify, sheet, "
                       "rejects, report or diff",
                       name);
    if ((*command)->operand && count < 3)
        return fn_fail(FN_EUSAGE, "%s wants %s", name, (*command)->operand);
    if (!(*command)->operand && count > 2)
        return fn_fail(FN_EUSAGE, "%s takes nothing behind it, not '%s'", name, operands[2]);
    return check_options(*command);
}

int main(int argc, char **argv)
{
    const char **operands = NULL;
    const struct command *command = NULL;
    size_t count = 0;
    setlocale(LC_CTYPE, "");
    fn_signals_setup();
    fn_log_setup(tool.name, FN_LOG_NORMAL);
    int rc = fn_args_parse(&tool, argc, argv, &operands, &count);
    if (!rc)
        diff_comes_second(operands, count);
    if (!rc)
        rc = find_command(operands, count, &command);
    if (!rc) {
        fn_tool_level(&tool, &dump.common);
        dump.store = operands[0];
        dump.operand = command->operand ? operands[2] : NULL;
        dump.threads = dump.common.threads ? (int)dump.common.threads : fn_cpu_count();
        rc = command->run(&dump);
    }
    fn_args_free(&tool, &operands);
    return fn_tool_exit(&tool, rc);
}
