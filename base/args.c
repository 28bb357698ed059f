/* SPDX-License-Identifier: MIT */
/* Parsing. The line is walked twice: first only to find --help, so that help shows the defaults and
 * not what the line would have set. */
#include "base/args.h"

#include <stdlib.h>
#include <string.h>

#include "base/args_internal.h"
#include "base/log.h"

int fn_arg_is_end(const struct fn_arg *arg)
{
    return !arg->name && (arg->kind != FN_ARG_HEADING || !arg->help);
}

/* '-' and '_' are one letter in long names. */
static char fold(char c)
{
    return c == '_' ? '-' : c;
}

static int same_name(const char *a, const char *b, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!a[i] || fold(a[i]) != fold(b[i]))
            return 0;
    return a[length] == '\0';
}

/* For a distance, a capital is no mistake either: what was meant is seen at once. */
static int differ(char a, char b)
{
    a = fold(a);
    b = fold(b);
    a = (char)(a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a);
    b = (char)(b >= 'A' && b <= 'Z' ? b - 'A' + 'a' : b);
    return a != b;
}

/* Optimal string alignment; three rows of the table are enough. */
unsigned fn_arg_distance(const char *a, const char *b)
{
    enum { MOST = 63 };
    unsigned row[3][MOST + 1];
    size_t na = strnlen(a, MOST), nb = strnlen(b, MOST);
    unsigned *above2 = row[0], *above = row[1], *here = row[2];
    for (size_t j = 0; j <= nb; j++)
        above[j] = (unsigned)j;
    for (size_t i = 1; i <= na; i++) {
        here[0] = (unsigned)i;
        for (size_t j = 1; j <= nb; j++) {
            unsigned best = above[j - 1] + (unsigned)differ(a[i - 1], b[j - 1]);
            if (above[j] + 1 < best)
                best = above[j] + 1;
            if (here[j - 1] + 1 < best)
                best = here[j - 1] + 1;
            if (i > 1 && j > 1 && !differ(a[i - 1], b[j - 2]) && !differ(a[i - 2], b[j - 1]) &&
                above2[j - 2] + 1 < best)
                best = above2[j - 2] + 1;
            here[j] = best;
        }
        unsigned *free_row = above2;
        above2 = above;
        above = here;
        here = free_row;
    }
    return above[nb];
}

int fn_arg_is_near(const char *meant, unsigned distance)
{
    size_t length = strlen(meant);
    return distance <= (length < 3 ? 0 : length < 6 ? 1 : length / 3);
}

static struct fn_arg *find_long(const struct fn_tool *tool, const char *name, size_t length)
{
    for (struct fn_arg *arg = tool->args; !fn_arg_is_end(arg); arg++)
        if (arg->kind != FN_ARG_HEADING && arg->name && same_name(arg->name, name, length))
            return arg;
    return NULL;
}

static struct fn_arg *find_letter(const struct fn_tool *tool, char letter)
{
    for (struct fn_arg *arg = tool->args; !fn_arg_is_end(arg); arg++)
        if (arg->kind != FN_ARG_HEADING && arg->letter == letter)
            return arg;
    return NULL;
}

/* The name that was probably meant: the nearest, or the only one that begins so. NULL: none. */
static const char *nearest(const struct fn_tool *tool, const char *name)
{
    const char *best = NULL, *longer = NULL;
    unsigned best_distance = ~0U;
    int begins = 0;
    static const char *const own[] = {"help", "version"};
    size_t own_count = sizeof own / sizeof own[0];
    size_t length = strlen(name);
    const struct fn_arg *arg = tool->args;
    for (size_t i = 0; i < own_count || !fn_arg_is_end(arg); i++) {
        const char *candidate = i < own_count ? own[i] : arg->name;
        int listed = i < own_count || (arg->kind != FN_ARG_HEADING && arg->name && arg->help);
        arg += i >= own_count;
        if (!listed)
            continue;
        unsigned distance = fn_arg_distance(candidate, name);
        if (distance < best_distance && fn_arg_is_near(candidate, distance)) {
            best_distance = distance;
            best = candidate;
        }
        if (length >= 2 && strlen(candidate) > length) {
            size_t i_same = 0;
            while (i_same < length && fold(candidate[i_same]) == fold(name[i_same]))
                i_same++;
            if (i_same == length) {
                begins++;
                longer = candidate;
            }
        }
    }
    return begins == 1 ? longer : best;
}

static int unknown_long(const struct fn_tool *tool, const char *name, size_t length)
{
    char copy[64];
    snprintf(copy, sizeof copy, "%.*s", (int)(length < sizeof copy ? length : sizeof copy - 1),
             name);
    int no = strncmp(copy, "no-", 3) == 0 || strncmp(copy, "no_", 3) == 0;
    const char *meant = nearest(tool, copy);
    if (meant)
        return fn_fail(FN_EUSAGE, "unknown option --%.*s; did you mean --%s?", (int)length, name,
                       meant);
    if (no && (meant = nearest(tool, copy + 3)) != NULL) {
        const struct fn_arg *arg = find_long(tool, meant, strlen(meant));
        if (arg && arg->kind == FN_ARG_FLAG)
            return fn_fail(FN_EUSAGE, "unknown option --%.*s; did you mean --no-%s?", (int)length,
                           name, meant);
    }
    return fn_fail(FN_EUSAGE, "unknown option --%.*s", (int)length, name);
}

struct walk {
    const struct fn_tool *tool;
    int argc;
    char **argv;
    int at;    /* next word */
    int apply; /* 0: only look for --help and --version */
    const char **operands;
    size_t count;
};

/* Whether a word is one of this tool's long options; such a word is hardly a value. */
static int is_known_long(const struct fn_tool *tool, const char *word)
{
    if (strncmp(word, "--", 2) != 0)
        return 0;
    size_t length = strcspn(word + 2, "=");
    return length == 0 || find_long(tool, word + 2, length) || strcmp(word, "--help") == 0 ||
           strcmp(word, "--version") == 0;
}

/* The value of an option: after the '=', or the next word. */
static int take_value(struct walk *w, struct fn_arg *arg, const char *spelling, const char *text)
{
    if (!text) {
        char buf[64];
        const char *want = fn_arg_metavar(arg, buf, sizeof buf);
        if (w->at >= w->argc)
            return fn_fail(FN_EUSAGE, "option %s wants a value (%s), and the line ends there",
                           spelling, want);
        if (is_known_long(w->tool, w->argv[w->at]))
            return fn_fail(FN_EUSAGE,
                           "option %s wants a value (%s), but %s follows; if that is the value, "
                           "write %s=%s",
                           spelling, want, w->argv[w->at], spelling, w->argv[w->at]);
        text = w->argv[w->at++];
    }
    return w->apply ? fn_arg_store(arg, spelling, text) : FN_OK;
}

static void set_flag(const struct walk *w, struct fn_arg *arg, int value)
{
    if (w->apply) {
        *(int *)arg->value = value;
        arg->given++;
    }
}

static int show_help(const struct walk *w)
{
    if (w->apply)
        return FN_OK;
    fn_args_help(w->tool, stdout);
    return FN_ARGS_DONE;
}

static int show_version(const struct walk *w)
{
    if (w->apply)
        return FN_OK;
    printf("%s %s\n", w->tool->name, FN_VERSION);
    return FN_ARGS_DONE;
}

static int walk_long(struct walk *w, const char *word)
{
    const char *name = word + 2;
    size_t length = strcspn(name, "=");
    const char *text = name[length] ? name + length + 1 : NULL;
    struct fn_arg *arg = find_long(w->tool, name, length);
    int value = 1;
    if (!arg && length > 3 && (strncmp(name, "no-", 3) == 0 || strncmp(name, "no_", 3) == 0)) {
        arg = find_long(w->tool, name + 3, length - 3);
        if (arg && arg->kind != FN_ARG_FLAG)
            return fn_fail(FN_EUSAGE, "unknown option --%.*s: --%s takes a value, it has no 'no'",
                           (int)length, name, arg->name);
        value = 0;
    }
    int help = !arg && same_name("help", name, length);
    int version = !arg && same_name("version", name, length);
    if (!arg && !help && !version)
        return unknown_long(w->tool, name, length);
    if (!arg || arg->kind == FN_ARG_FLAG) {
        if (text)
            return fn_fail(FN_EUSAGE, "option --%.*s takes no value, but '%s' was given",
                           (int)length, name, text);
        if (!arg)
            return help ? show_help(w) : show_version(w);
        set_flag(w, arg, value);
        return FN_OK;
    }
    char spelling[80];
    snprintf(spelling, sizeof spelling, "--%s", arg->name);
    return take_value(w, arg, spelling, text);
}

/* More than one letter may be a long name with one dash. */
static int unknown_letter(const struct fn_tool *tool, const char *word, char letter)
{
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word + 1, "="), word + 1);
    const char *meant = word[2] ? nearest(tool, name) : NULL;
    if (meant)
        return fn_fail(FN_EUSAGE, "unknown option %s; did you mean --%s?", word, meant);
    if (word[2])
        return fn_fail(FN_EUSAGE, "unknown option -%c in %s", letter, word);
    return fn_fail(FN_EUSAGE, "unknown option %s", word);
}

/* "-q", "-qv", "-o FILE", "-oFILE". */
static int walk_letters(struct walk *w, const char *word)
{
    for (const char *p = word + 1; *p; p++) {
        struct fn_arg *arg = find_letter(w->tool, *p);
        char spelling[] = {'-', *p, '\0'};
        if (!arg && *p == 'h')
            return show_help(w);
        if (!arg)
            return unknown_letter(w->tool, word, *p);
        if (arg->kind != FN_ARG_FLAG)
            return take_value(w, arg, spelling, p[1] ? p + 1 : NULL);
        set_flag(w, arg, 1);
    }
    return FN_OK;
}

static int walk_line(struct walk *w)
{
    int ended = 0; /* after "--" everything is an operand */
    w->at = 1;
    w->count = 0;
    while (w->at < w->argc) {
        const char *word = w->argv[w->at++];
        int rc = FN_OK;
        if (ended || word[0] != '-' || word[1] == '\0')
            w->operands[w->count++] = word;
        else if (strcmp(word, "--") == 0)
            ended = 1;
        else if (word[1] == '-')
            rc = walk_long(w, word);
        else
            rc = walk_letters(w, word);
        if (rc != FN_OK)
            return rc;
    }
    return FN_OK;
}

static int check_operands(const struct fn_tool *tool, const char **operands, size_t count)
{
    const char *name = tool->operand_name ? tool->operand_name : "operand";
    size_t min = tool->min_operands > 0 ? (size_t)tool->min_operands : 0;
    if (count < min) {
        if (count == 0 && min == 1)
            return fn_fail(FN_EUSAGE, "no %s was given", name);
        return fn_fail(FN_EUSAGE, "want at least %zu operands (%s), got %zu", min, name, count);
    }
    if (tool->max_operands >= 0 && count > (size_t)tool->max_operands) {
        if (tool->max_operands == 0)
            return fn_fail(FN_EUSAGE, "'%s' is not an option, and nothing else is taken",
                           operands[0]);
        return fn_fail(FN_EUSAGE, "'%s' is one operand too many: at most %d (%s) can be given",
                       operands[tool->max_operands], tool->max_operands, name);
    }
    return FN_OK;
}

int fn_args_parse(const struct fn_tool *tool, int argc, char **argv, const char ***operands,
                  size_t *count)
{
    *count = 0;
    *operands = calloc(argc > 0 ? (size_t)argc : 1, sizeof **operands);
    if (!*operands)
        return fn_fail(FN_ENOMEM, "out of memory for %d arguments", argc);
    for (struct fn_arg *arg = tool->args; !fn_arg_is_end(arg); arg++)
        arg->given = 0;
    struct walk w = {.tool = tool, .argc = argc, .argv = argv, .operands = *operands};
    int rc = walk_line(&w);
    w.apply = 1;
    if (rc == FN_OK)
        rc = walk_line(&w);
    if (rc == FN_OK)
        rc = check_operands(tool, w.operands, w.count);
    if (rc == FN_OK)
        *count = w.count;
    return rc;
}

void fn_args_free(const struct fn_tool *tool, const char ***operands)
{
    for (struct fn_arg *arg = tool->args; !fn_arg_is_end(arg); arg++) {
        if (arg->kind == FN_ARG_LIST && arg->given) {
            struct fn_arg_list *list = arg->value;
            free(list->items);
            *list = (struct fn_arg_list){0};
            arg->given = 0;
        }
    }
    free(*operands);
    *operands = NULL;
}
