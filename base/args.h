/* SPDX-License-Identifier: MIT */
/* Command lines: one table says everything. It parses, prints --help with the defaults as they
 * stand in the variables, finds the nearest option for a typo, and takes '-' and '_' alike in long
 * names. `--name value`, `--name=value`, `-n value`, `-nvalue`; `--flag`, `--no-flag`, `-fg` for
 * two flags; `--` ends options. Given twice, the last one holds. A long name may not be
 * abbreviated. */
#ifndef FN_BASE_ARGS_H
#define FN_BASE_ARGS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

enum fn_arg_kind {
    FN_ARG_HEADING, /* no option: `help` is a heading in --help */
    FN_ARG_FLAG,    /* int *: 0 or 1 */
    FN_ARG_INT,     /* int64_t *: decimal, within [min, max] */
    FN_ARG_BYTES,   /* uint64_t *: decimal with optional k, M, G, T (powers of 1024) */
    FN_ARG_REAL,    /* double *: within [min, max], finite */
    FN_ARG_STRING,  /* const char **: points into argv */
    FN_ARG_CHOICE,  /* const char **: one of `choices`, a NULL-terminated list */
    FN_ARG_LIST,    /* struct fn_arg_list *: may be given several times */
    FN_ARG_CHECKED /* int (*check)(void *value, const char *text): own syntax, e.g. "5%" or "i/n" */
};

struct fn_arg_list {
    const char **items; /* pointers into argv; freed by fn_args_free */
    size_t count;
};

struct fn_arg {
    const char *name; /* long name, in its documented spelling, without "--" */
    char letter;      /* one-letter form or 0 */
    enum fn_arg_kind kind;
    void *value;         /* where it goes; what stands there before parsing is the default */
    const char *metavar; /* "N", "DIR", ...; NULL: from the kind */
    const char *help;    /* one sentence; wrapped when printed; NULL: accepted but not listed */
    double min, max;     /* INT, REAL, BYTES; both 0: no limits; max < min: no upper one */
    const char *const *choices;
    int (*check)(void *value, const char *text); /* CHECKED: FN_OK or FN_EUSAGE + sentence */
    void (*show)(const void *value, char *buf, size_t cap); /* CHECKED: the default for --help */
    int given; /* set by the parser: how often it was given */
};

struct fn_tool {
    const char *name;               /* "fn-dump" */
    const char *synopsis;           /* lines after "usage: fn-dump ", '\n' between alternatives */
    const char *purpose;            /* a sentence or two */
    const char *epilog;             /* examples, exit codes; printed as it is; or NULL */
    struct fn_arg *args;            /* ends with a row of zeros */
    int min_operands, max_operands; /* max < 0: any number */
    const char *operand_name;       /* for messages: "INPUT" */
};

/* The options every tool has; put FN_COMMON_ARGS(&common) into the table. */
struct fn_common {
    int64_t threads; /* 0: all cores */
    int quiet, verbose, json;
};
#define FN_COMMON_ARGS(c)                                                                          \
    {.kind = FN_ARG_HEADING, .name = "", .help = "Common"},                                        \
        {.name = "threads",                                                                        \
         .kind = FN_ARG_INT,                                                                       \
         .value = &(c)->threads,                                                                   \
         .max = 1024,                                                                              \
         .help = "compute threads, 0 for one per core"},                                           \
        {.name = "quiet",                                                                          \
         .letter = 'q',                                                                            \
         .kind = FN_ARG_FLAG,                                                                      \
         .value = &(c)->quiet,                                                                     \
         .help = "say nothing but warnings and errors"},                                           \
        {.name = "verbose",                                                                        \
         .letter = 'v',                                                                            \
         .kind = FN_ARG_FLAG,                                                                      \
         .value = &(c)->verbose,                                                                   \
         .help = "say more"},                                                                      \
    {                                                                                              \
        .name = "json", .kind = FN_ARG_FLAG, .value = &(c)->json,                                  \
        .help = "print the summary as one JSON object on stdout, and nothing else there"           \
    }

/* Parse. Operands are moved to the front of *operands (malloc'd array of pointers into argv, freed
 * by fn_args_free). Returns FN_OK, or FN_EUSAGE with a sentence that names the option and, for an
 * unknown one, the nearest known. `--help` and `--version` print to stdout and return FN_ARGS_DONE:
 * for fn_tool_exit, after fn_args_free. */
#define FN_ARGS_DONE (-1)
int fn_args_parse(const struct fn_tool *tool, int argc, char **argv, const char ***operands,
                  size_t *count);
void fn_args_free(const struct fn_tool *tool, const char ***operands);

void fn_args_help(const struct fn_tool *tool, FILE *out);

/* The command line as one could type it again: words that a shell would not take as they are stand
 * in quotes. malloc'd; NULL: out of memory. */
char *fn_args_command(const struct fn_tool *tool, int argc, char **argv);

/* One word of such a line, for a message that says what to type: `word` where it needs no quotes,
 * else in quotes in buf; `word` as it is where cap bytes would not do (4 times its length and 3).
 */
const char *fn_args_word(const char *word, char *buf, size_t cap);

/* Messages from here on are as many as the options say. */
void fn_tool_level(const struct fn_tool *tool, const struct fn_common *common);

/* End of every main: prints the sentence for rc on stderr ("fn-dump: ..."; for FN_EUSAGE also "try
 * 'fn-dump --help'"), checks that stdout was written completely (a closed pipe is no error), and
 * returns the exit status: 0, 1, 2 (FN_EUSAGE) or 130 (FN_EINTERRUPTED). */
int fn_tool_exit(const struct fn_tool *tool, int rc);

/* First thing in a main. Install handlers: SIGINT and SIGTERM set a flag that fn_interrupted()
 * reads (a second one ends the process at once), SIGPIPE is ignored so that writing returns EPIPE.
 * Calls that wait are restarted after a signal, but poll() is not: wait in it where input may be
 * slow. A standard stream that is closed is opened on /dev/null, so that no file gets its number.
 */
void fn_signals_setup(void);
int fn_interrupted(void);

#ifdef __cplusplus
}
#endif
#endif
