/* SPDX-License-Identifier: MIT */
/* Ops under test: run one case on a backend, keep what came out, compare it with the same case on
 * ref64.
 *
 *     static void run_thing(struct fn_check *c, const void *the_case)
 *     {
 *         struct fn_tensor x = fn_check_tensor(c, shape, 1, 0);     random, the same for every
 * backend assert_ok(c->backend->thing(c->dev, &x, ...)); fn_check_keep_tensor(c, "x", &x); with the
 * channels outside the slice
 *     }
 *     fn_check_case("cpu", "thing 3x5x7", run_thing, &the_case, (struct fn_tolerance){1e-6, 1e-5,
 * 0});
 *
 * Random numbers are functions of (stream, element): floats, so that every backend starts from the
 * same ones. All that a case allocates is freed after it. Everything here fails the running cmocka
 * test by itself. */
#ifndef FN_TESTS_OP_CHECK_H
#define FN_TESTS_OP_CHECK_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/op.h"

enum { FN_CHECK_BLOCKS = 64, FN_CHECK_KEPT = 48 };

/* One array that a case left behind. */
struct fn_kept {
    char name[32];
    double *value;
    size_t count;
};

/* An opened backend and what the running case has made. */
struct fn_check {
    const struct fn_backend *backend;
    struct fn_dev *dev;
    struct {
        void *data;
        int kind; /* enum fn_mem */
    } block[FN_CHECK_BLOCKS];
    int blocks;
    struct fn_kept kept[FN_CHECK_KEPT];
    int kept_count;
};

/* A value may differ from ref64's by `share` of the array's largest magnitude plus `relative` of
 * its own, plus `absolute` where exact results are 0 and others are what is left of larger numbers.
 */
struct fn_tolerance {
    double share, relative, absolute;
};

typedef void fn_check_run(struct fn_check *c, const void *the_case);

/* The backends to hold against ref64: those of FN_TEST_BACKENDS (names with commas between), else
 * all; one that does not open is skipped aloud, once, unless it was asked for. NULL after the last.
 */
const char *fn_check_backend(int i);

/* Open by name; 0: it cannot be opened here (the sentence is fn_err_text's). */
int fn_check_open(struct fn_check *c, const char *name, int threads);
void fn_check_reset(struct fn_check *c); /* forget the case: free its memory, drop what it kept */
void fn_check_close(struct fn_check *c);

/* Run on ref64 once and on `backend` twice: the two must be the same bits, and near ref64. */
void fn_check_case(const char *backend, const char *what, fn_check_run *run, const void *the_case,
                   struct fn_tolerance tolerance);
/* The same for every backend of fn_check_backend. */
void fn_check_all(const char *what, fn_check_run *run, const void *the_case,
                  struct fn_tolerance tolerance);

/* Fails, with the worst element, where a kept array of `got` is not that of `want`. */
void fn_check_same(const char *what, const struct fn_check *got, const struct fn_check *want,
                   struct fn_tolerance tolerance);

/* Device memory (bytes), or of kind FN_MEM_HOST, freed by fn_check_reset. */
void *fn_check_alloc(struct fn_check *c, size_t bytes, int kind);

/* Uniform in [-1, 1), a float: element i of a stream. */
double fn_check_random(int stream, size_t i);

/* malloc'd host array of count random numbers, times scale, plus shift (all rounded to float). */
double *fn_check_host(size_t count, int stream, double scale, double shift);

/* A view of c channels from c0 of a new buffer with ctotal; all of the buffer is filled from the
 * stream. */
struct fn_tensor fn_check_slice(struct fn_check *c, int n, int h, int w, int channels, int c0,
                                int ctotal, int stream);
/* The same, packed. */
struct fn_tensor fn_check_tensor(struct fn_check *c, int n, int h, int w, int channels, int stream);
/* Rows (n, 1, 1, d), times scale. */
struct fn_tensor fn_check_rows(struct fn_check *c, int n, int d, int stream, double scale);
/* A vector of param scalars, random times scale plus shift; or from a host array. */
void *fn_check_vector(struct fn_check *c, size_t count, int stream, double scale, double shift);
void *fn_check_vector_of(struct fn_check *c, const double *host, size_t count);

/* Scratch for the ops of the case. */
void fn_check_workspace(struct fn_check *c, size_t bytes);

/* Keep: the whole buffer behind a view; rows; a vector; every loss since the last time. */
void fn_check_keep_tensor(struct fn_check *c, const char *name, const struct fn_tensor *t);
void fn_check_keep_rows(struct fn_check *c, const char *name, const struct fn_tensor *t);
void fn_check_keep_vector(struct fn_check *c, const char *name, const void *data, size_t count);
void fn_check_keep_losses(struct fn_check *c);
/* Host arrays: a copy is kept. */
void fn_check_keep(struct fn_check *c, const char *name, const double *value, size_t count);

/* Export to a malloc'd host array: the view alone. */
double *fn_check_read(struct fn_check *c, const struct fn_tensor *t);
double *fn_check_read_vector(struct fn_check *c, const void *data, size_t count);
/* Post and wait. */
void fn_check_losses(struct fn_check *c, double losses[FN_LOSS_COUNT]);

#endif
