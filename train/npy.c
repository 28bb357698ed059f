/* SPDX-License-Identifier: MIT */
/* The .npy writer: a header of fixed length, filled in when the number of rows is known. */
#include "train/npy.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define HEADER_BYTES 128u /* a multiple of 64, with room for any two sizes */

struct fn_npy {
    struct fn_out *out;
    char *path;
    size_t cols;
    uint64_t rows;
};

/* Magic, version 1.0, u16 length of what follows, a Python dict padded with blanks, a newline. */
static void make_header(char header[HEADER_BYTES], uint64_t rows, size_t cols)
{
    char text[HEADER_BYTES];
    size_t rest = HEADER_BYTES - 10;
    int n = snprintf(text, sizeof text,
                     "{'descr': '<f4', 'fortran_order': False, 'shape': (%llu, %zu), }",
                     (unsigned long long)rows, cols);
    memset(header, ' ', HEADER_BYTES);
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    header[8] = (char)(rest & 0xff);
    header[9] = (char)(rest >> 8);
    memcpy(header + 10, text, (size_t)n);
    header[HEADER_BYTES - 1] = '\n';
}

int fn_npy_open(struct fn_npy **npy, const char *path, size_t cols)
{
    char header[HEADER_BYTES];
    assert(cols >= 1);
    struct fn_npy *n = calloc(1, sizeof *n);
    *npy = n;
    if (!n || !(n->path = strdup(path))) {
        fn_npy_close(npy);
        return fn_fail(FN_ENOMEM, "%s: out of memory", path);
    }
    n->cols = cols;
    int rc = fn_out_open(&n->out, path);
    if (rc != FN_OK) {
        fn_npy_close(npy);
        return rc;
    }
    make_header(header, 0, cols);
    fwrite(header, 1, sizeof header, fn_out_stream(n->out)); /* errors are found at commit */
    return FN_OK;
}

int fn_npy_rows(struct fn_npy *npy, const float *rows, size_t count)
{
    if (fwrite(rows, npy->cols * sizeof *rows, count, fn_out_stream(npy->out)) != count)
        return fn_fail_errno("%s: cannot write row %llu", npy->path, (unsigned long long)npy->rows);
    npy->rows += count;
    return FN_OK;
}

int fn_npy_commit(struct fn_npy *npy)
{
    char header[HEADER_BYTES];
    FILE *f = fn_out_stream(npy->out);
    make_header(header, npy->rows, npy->cols);
    if (fflush(f) == 0 && fseeko(f, 0, SEEK_SET) != 0)
        return fn_fail_errno("%s: cannot go back to its header", npy->path);
    fwrite(header, 1, sizeof header, f);
    return fn_out_commit(npy->out);
}

int fn_npy_map(struct fn_map *map, const char *path, uint64_t rows, size_t cols, const float **data)
{
    int rc = fn_map_open(map, path);
    if (rc != FN_OK)
        return rc;
    if (map->bytes != HEADER_BYTES + rows * cols * sizeof **data)
        return fn_fail(FN_EFORMAT, "%s: has not the %llu rows of %zu that were written to it", path,
                       (unsigned long long)rows, cols);
    *data = (const float *)(const void *)(map->data + HEADER_BYTES);
    return FN_OK;
}

void fn_npy_close(struct fn_npy **npy)
{
    if (!*npy)
        return;
    fn_out_close(&(*npy)->out);
    free((*npy)->path);
    free(*npy);
    *npy = NULL;
}
