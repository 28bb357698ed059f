/* SPDX-License-Identifier: MIT */
#include "train/class_distance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "train/field.h"
#include "train/filter.h"
#include "train/npy.h"

struct centres {
    uint32_t *label; /* [inputs] */
    uint32_t classes;
    double *sum;     /* (classes, dims); then means */
    uint64_t *count; /* [classes] */
};

static void add_rows(struct centres *c, const uint8_t *left_out, uint64_t count, const float *rows,
                     size_t dims)
{
    for (uint64_t i = 0; i < count; i++) {
        double *sum = c->sum + (size_t)c->label[i] * dims;
        if (left_out[i])
            continue;
        for (size_t k = 0; k < dims; k++)
            sum[k] += rows[k];
        c->count[c->label[i]]++;
        rows += dims;
    }
    for (uint32_t l = 0; l < c->classes; l++)
        for (size_t k = 0; k < dims && c->count[l]; k++)
            c->sum[(size_t)l * dims + k] /= (double)c->count[l];
}

static double distance(const float *row, const double *centre, size_t dims)
{
    double sum = 0;
    for (size_t k = 0; k < dims; k++)
        sum += (row[k] - centre[k]) * (row[k] - centre[k]);
    return sqrt(sum);
}

static int write_rows(FILE *f, const struct centres *c, struct fn_embed_inputs *in,
                      const uint8_t *left_out, const float *rows, size_t dims)
{
    struct fn_input_name name;
    int rc = FN_OK;
    fputs(FN_FILTER_HEADER, f);
    for (uint64_t i = 0; i < in->count && !rc; i++) {
        if (left_out[i])
            continue;
        rc = fn_embed_inputs_name(in, i, &name);
        if (rc)
            break;
        fprintf(f, "%.9g\t", distance(rows, c->sum + (size_t)c->label[i] * dims, dims));
        fn_field_put(f, name.class_name, name.class_bytes);
        putc('\t', f);
        fn_field_put(f, name.name, name.name_bytes);
        putc('\n', f);
        rows += dims;
    }
    return rc;
}

int fn_class_distance_write(const char *path, struct fn_embed_inputs *in, const uint8_t *left_out,
                            const char *npy, size_t dims)
{
    struct centres c = {NULL, 0, NULL, NULL};
    struct fn_map map = {NULL, 0};
    struct fn_out *out = NULL;
    const float *rows = NULL;
    uint64_t count = 0;
    int rc = fn_embed_inputs_labels(in, &c.label, &c.classes);
    for (uint64_t i = 0; i < in->count; i++)
        count += !left_out[i];
    if (!rc)
        rc = fn_npy_map(&map, npy, count, dims, &rows);
    if (!rc) {
        c.sum = calloc((size_t)c.classes * dims, sizeof *c.sum);
        c.count = calloc(c.classes, sizeof *c.count);
        if (!c.sum || !c.count)
            rc = fn_fail(FN_ENOMEM, "no memory for the centres of %u classes", c.classes);
    }
    if (!rc) {
        add_rows(&c, left_out, in->count, rows, dims);
        rc = fn_out_open(&out, path);
    }
    if (!rc)
        rc = write_rows(fn_out_stream(out), &c, in, left_out, rows, dims);
    if (!rc)
        rc = fn_out_commit(out);
    fn_out_close(&out);
    fn_map_close(&map);
    free(c.label);
    free(c.sum);
    free(c.count);
    return rc;
}
