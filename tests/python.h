/* SPDX-License-Identifier: MIT */
/* Comparisons with Python libraries: $FN_PYTHON (else python3) runs a script of tests/python. */
#ifndef FN_TESTS_PYTHON_H
#define FN_TESTS_PYTHON_H

#include "tests/test.h"

static inline const char *python(void)
{
    const char *path = getenv("FN_PYTHON");
    return path && path[0] ? path : "python3";
}

/* 1: the modules ("numpy, torch") can be imported. */
static inline int python_has(const char *modules)
{
    char command[1024];
    snprintf(command, sizeof command, "'%s' -c 'import %s' >/dev/null 2>&1", python(), modules);
    return system(command) == 0;
}

/* At the start of a test that needs Python modules: skips, aloud, where they are missing. */
#define need_python(modules)                                                                       \
    do {                                                                                           \
        if (!python_has(modules)) {                                                                \
            printf("SKIPPED %s: %s cannot import %s (set FN_PYTHON)\n", __func__, python(),        \
                   modules);                                                                       \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

/* Runs tests/python/<script> with an argument; its exit status. */
static inline int python_run(const char *script, const char *argument)
{
    char command[8192];
    snprintf(command, sizeof command, "'%s' '%s/tests/python/%s' '%s'", python(), FN_SOURCE_DIR,
             script, argument);
    return system(command);
}

#endif
