/* SPDX-License-Identifier: MIT */
/* Between args.c, args_value.c and args_help.c only. */
#ifndef FN_BASE_ARGS_INTERNAL_H
#define FN_BASE_ARGS_INTERNAL_H

#include "base/args.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The table's end: no name, and no heading either. */
int fn_arg_is_end(const struct fn_arg *arg);

/* Convert `text` by the option's kind and store it. FN_EUSAGE: the sentence names option, value and
 * what is wanted. `spelling`: "--size" or "-n". */
int fn_arg_store(struct fn_arg *arg, const char *spelling, const char *text);

/* Edit distance between two names: letters exchanged, inserted, left out or swapped with their
 * neighbour; '-' and '_' are one letter, and so are 'a' and 'A'. Looks at 63 bytes of each. */
unsigned fn_arg_distance(const char *a, const char *b);

/* Close enough to be what was meant: a third of the letters may be wrong. */
int fn_arg_is_near(const char *meant, unsigned distance);

/* What the option takes, for --help and messages: "N", "DIR", "jpeg|png". In buf or static. */
const char *fn_arg_metavar(const struct fn_arg *arg, char *buf, size_t cap);

/* The value that stands in the variable now; "" where there is none to show. */
void fn_arg_default(const struct fn_arg *arg, char *buf, size_t cap);

/* "a, b or c". */
void fn_arg_choices(const struct fn_arg *arg, char *buf, size_t cap);

#ifdef __cplusplus
}
#endif
#endif
