/* SPDX-License-Identifier: MIT */
/* Every op of a device, compared with the plain loops of ref64 on small shapes, and how fast it is
 * on large ones: what a user's GPU is asked before it is trusted. */
#ifndef FN_KERNELS_SELFTEST_H
#define FN_KERNELS_SELFTEST_H

#include <stddef.h>

#include "kernels/op.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FN_SELFTEST_ROWS 64

struct fn_selftest_row {
    const char *op;        /* "conv 3x3 weights" */
    double error, allowed; /* largest difference, as a share of the largest magnitude */
    int retries;           /* algorithms that were found wrong, and passed over */
    double seconds;        /* of one call on the large shape; 0: not measured */
    double bytes, flops; /* of that call: least memory traffic; arithmetic, 0 where it is little */
};

/* options: those that `dev` was opened with. speed: measure, too (a few seconds); without, well
 * under a second. Ops whose algorithm the device chooses (convolutions) are tried again with its
 * next one while they disagree. rows: FN_SELFTEST_ROWS of them; *count: how many were filled.
 * FN_EDEVICE: an op disagrees, and the sentence says which and by how much; the rows up to it are
 * there. Other codes: an op failed. Scratch of `dev` is used, and given back: before a model. */
int fn_selftest(const struct fn_backend *be, struct fn_dev *dev,
                const struct fn_dev_options *options, int speed, struct fn_selftest_row *rows,
                size_t *count);

#ifdef __cplusplus
}
#endif
#endif
