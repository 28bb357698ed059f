/* SPDX-License-Identifier: MIT */
/* Numeric gradients of ref64. With L = sum of r out, r random, or an op's own loss,
 *
 *     dL/din = (L(in + h) - L(in - h)) / 2h,    h = 1e-5,
 *
 * must be what the backward pass says, to 1e-7 of the largest gradient. */
#ifndef FN_TESTS_OP_PROBE_H
#define FN_TESTS_OP_PROBE_H

#include "tests/op_check.h"

enum { FN_PROBE_INPUTS = 3 };

/* An op under test: its inputs as host arrays, and what its backward pass says of each. */
struct fn_probe {
    struct fn_check k; /* ref64 */
    const void *the_case;
    double *in[FN_PROBE_INPUTS], *analytic[FN_PROBE_INPUTS]; /* malloc'd; NULL after the last */
    size_t count[FN_PROBE_INPUTS];
};

/* L of the inputs as they are now. It ends with fn_probe_weighted, or frees the case's memory. */
typedef double fn_probe_loss(struct fn_probe *p);

void fn_probe_open(struct fn_probe *p, const void *the_case);
void fn_probe_input(struct fn_probe *p, int i, size_t count, double scale); /* random */
void fn_probe_close(struct fn_probe *p);

/* Compare every input, at elements spread over it. */
void fn_probe_check(struct fn_probe *p, const char *what, fn_probe_loss *loss);

/* A packed tensor with these numbers in it; host NULL: with r in it. */
struct fn_tensor fn_probe_tensor(struct fn_probe *p, int n, int h, int w, int c,
                                 const double *host);

/* Fails unless t, which held r (fn_probe_tensor of NULL), has had `gradient` added to it. */
void fn_probe_added(struct fn_probe *p, const char *what, const struct fn_tensor *t,
                    const double *gradient);

/* sum of r t; the case's memory is freed. */
double fn_probe_weighted(struct fn_probe *p, const struct fn_tensor *t);

#endif
