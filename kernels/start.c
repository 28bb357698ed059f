/* SPDX-License-Identifier: MIT */
#include "kernels/start.h"

#include <stdlib.h>
#include <unistd.h>

void fn_start(char **argv)
{
#ifdef FN_HAVE_ONEDNN
    /* Some 20 microseconds: longer than threads of one op wait for each other on a free machine. */
    if (getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY"))
        return;
    if (setenv("GOMP_SPINCOUNT", "1000", 1) == 0)
        (void)execv("/proc/self/exe", argv);
#else
    (void)argv;
#endif
}
