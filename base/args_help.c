/* SPDX-License-Identifier: MIT */
/* --help: options in one column, sentences wrapped in the next. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/args_internal.h"

enum {
    NARROWEST = 80,
    WIDEST = 100,
    LABEL_MOST = 30 /* a longer option gets a line of its own */
};

static size_t page_columns(FILE *out)
{
    struct winsize size;
    size_t columns = NARROWEST;
    int fd = fileno(out);
    if (fd >= 0 && isatty(fd) && ioctl(fd, TIOCGWINSZ, &size) == 0)
        columns = size.ws_col;
    return columns < NARROWEST ? NARROWEST : columns > WIDEST ? WIDEST : columns;
}

/* Print words from column `at` on, lines starting at column `indent`. Ends the line. */
static void wrap(FILE *out, const char *text, size_t at, size_t indent, size_t columns)
{
    int first = 1;
    for (;;) {
        text += strspn(text, " ");
        size_t bytes = strcspn(text, " ");
        if (bytes == 0)
            break;
        size_t width = 0;
        for (size_t i = 0; i < bytes; i++)
            width += ((unsigned char)text[i] & 0xc0) != 0x80;
        if (!first && at + 1 + width > columns) {
            fprintf(out, "\n%*s", (int)indent, "");
            at = indent;
            first = 1;
        }
        fprintf(out, "%s%.*s", first ? "" : " ", (int)bytes, text);
        at += width + !first;
        text += bytes;
        first = 0;
    }
    fputc('\n', out);
}

/* "  -q, --quiet" or "      --size N". A flag that is on is listed by what turns it off. */
static size_t label_of(const struct fn_arg *arg, char *buf, size_t cap)
{
    char metavar[64];
    const char *value = fn_arg_metavar(arg, metavar, sizeof metavar);
    char letter[5] = "    ";
    if (arg->letter)
        snprintf(letter, sizeof letter, "-%c, ", arg->letter);
    int on = arg->kind == FN_ARG_FLAG && arg->value && *(const int *)arg->value;
    int n = snprintf(buf, cap, "  %s--%s%s%s%s", letter, on ? "[no-]" : "", arg->name,
                     *value ? " " : "", value);
    return n > 0 ? (size_t)n : 0;
}

static void option(FILE *out, const struct fn_arg *arg, size_t indent, size_t columns)
{
    char label[160], value[200], metavar[64], choices[300], text[1200];
    size_t at = label_of(arg, label, sizeof label);
    fn_arg_default(arg, value, sizeof value);
    choices[0] = '\0';
    /* A short list of choices stands in the label already. */
    if (arg->kind == FN_ARG_CHOICE && !strchr(fn_arg_metavar(arg, metavar, sizeof metavar), '|'))
        fn_arg_choices(arg, choices, sizeof choices);
    const char *several = arg->kind == FN_ARG_LIST ? "; may be given several times" : "";
    snprintf(text, sizeof text, "%s%s%s%s%s%s%s", arg->help, several, *choices ? ": " : "", choices,
             *value ? " (default: " : "", value, *value ? ")" : "");
    fputs(label, out);
    if (at + 2 > indent) {
        fputc('\n', out);
        at = 0;
    }
    fprintf(out, "%*s", (int)(indent - at), "");
    wrap(out, text, indent, indent, columns);
}

static void usage(FILE *out, const struct fn_tool *tool)
{
    const char *line = tool->synopsis ? tool->synopsis : "";
    const char *before = "usage:";
    do {
        size_t length = strcspn(line, "\n");
        fprintf(out, "%s %s%s%.*s\n", before, tool->name, length ? " " : "", (int)length, line);
        before = "      ";
        line += length;
    } while (*line++);
}

static int letter_is_free(const struct fn_tool *tool, char letter)
{
    for (const struct fn_arg *arg = tool->args; !fn_arg_is_end(arg); arg++)
        if (arg->kind != FN_ARG_HEADING && arg->letter == letter)
            return 0;
    return 1;
}

void fn_args_help(const struct fn_tool *tool, FILE *out)
{
    const struct fn_arg own[] = {
        {.name = "help",
         .letter = letter_is_free(tool, 'h') ? 'h' : '\0',
         .kind = FN_ARG_FLAG,
         .help = "print this and exit"},
        {.name = "version", .kind = FN_ARG_FLAG, .help = "print the version and exit"},
    };
    size_t columns = page_columns(out);
    size_t indent = 0;
    char label[160];
    for (const struct fn_arg *arg = tool->args; !fn_arg_is_end(arg); arg++) {
        if (arg->kind == FN_ARG_HEADING || !arg->help)
            continue;
        size_t width = label_of(arg, label, sizeof label) + 2;
        if (width > indent && width <= LABEL_MOST + 2)
            indent = width;
    }
    if (indent < 18)
        indent = 18; /* "      --version" */

    usage(out, tool);
    if (tool->purpose) {
        fputc('\n', out);
        wrap(out, tool->purpose, 0, 0, columns);
    }
    int headed = 0;
    for (const struct fn_arg *arg = tool->args; !fn_arg_is_end(arg); arg++) {
        if (arg->kind == FN_ARG_HEADING) {
            if (arg->help)
                fprintf(out, "\n%s:\n", arg->help);
            headed = 1;
        } else if (arg->help) {
            if (!headed)
                fprintf(out, "\nOptions:\n");
            headed = 1;
            option(out, arg, indent, columns);
        }
    }
    if (!headed)
        fprintf(out, "\nOptions:\n");
    option(out, &own[0], indent, columns);
    option(out, &own[1], indent, columns);
    if (tool->epilog) {
        size_t length = strlen(tool->epilog);
        fprintf(out, "\n%s%s", tool->epilog,
                length && tool->epilog[length - 1] == '\n' ? "" : "\n");
    }
}
