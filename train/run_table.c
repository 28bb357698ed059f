/* SPDX-License-Identifier: MIT */
/* Tables of a run, summed up row by row from a mapped file. */
#include "train/run_table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

static size_t count_rows(const char *text, const char *end)
{
    size_t rows = 0;
    for (const char *stop; text < end && (stop = memchr(text, '\n', (size_t)(end - text))) != NULL;
         text = stop + 1)
        rows++;
    return rows;
}

/* Cell from `at` to a tab or `end`; *next: behind it. */
static size_t cell(const char *at, const char *end, const char **next)
{
    const char *tab = memchr(at, '\t', (size_t)(end - at));
    *next = tab ? tab + 1 : end;
    return (size_t)((tab ? tab : end) - at);
}

static void read_header(struct fn_run_table *t, const char *line, const char *end)
{
    while (line < end && t->columns < FN_RUN_TABLE_COLUMNS) {
        const char *next;
        size_t bytes = cell(line, end, &next);
        snprintf(t->column[t->columns++].name, sizeof t->column[0].name, "%.*s", (int)bytes, line);
        line = next;
    }
}

static int reserve(struct fn_run_table *t, const char *path)
{
    for (size_t c = 0; c < t->columns; c++) {
        struct fn_run_column *col = &t->column[c];
        col->mean = malloc(3 * t->points * sizeof *col->mean);
        if (!col->mean)
            return fn_fail(FN_ENOMEM, "no memory to read %s", path);
        col->low = col->mean + t->points;
        col->high = col->low + t->points;
    }
    return FN_OK;
}

/* A row into point p; counts[]: finite rows of the point so far. */
static void add_row(struct fn_run_table *t, size_t p, const char *line, const char *end,
                    size_t counts[FN_RUN_TABLE_COLUMNS])
{
    for (size_t c = 0; c < t->columns; c++) {
        struct fn_run_column *col = &t->column[c];
        const char *next = end;
        char number[48] = "nan";
        if (line < end)
            snprintf(number, sizeof number, "%.*s", (int)cell(line, end, &next), line);
        line = next;
        double value = strtod(number, NULL);
        col->last = value;
        if (!isfinite(value)) {
            col->bad++;
            continue;
        }
        size_t n = counts[c]++;
        col->mean[p] = n ? col->mean[p] + (value - col->mean[p]) / (double)(n + 1) : value;
        col->low[p] = n ? fmin(col->low[p], value) : value;
        col->high[p] = n ? fmax(col->high[p], value) : value;
    }
}

static void read_rows(struct fn_run_table *t, const char *text, const char *end)
{
    size_t counts[FN_RUN_TABLE_COLUMNS], last = t->points;
    for (size_t row = 0; row < t->rows; row++) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t p = (size_t)((uint64_t)row * t->points / t->rows);
        if (p != last) {
            memset(counts, 0, sizeof counts);
            for (size_t c = 0; c < t->columns; c++)
                t->column[c].mean[p] = t->column[c].low[p] = t->column[c].high[p] = NAN;
            last = p;
        }
        add_row(t, p, text, stop, counts);
        text = stop + 1;
    }
}

int fn_run_table_read(struct fn_run_table *t, const char *path, size_t most,
                      const char *const *names)
{
    struct fn_map map;
    memset(t, 0, sizeof *t);
    for (; names && names[t->columns]; t->columns++)
        snprintf(t->column[t->columns].name, sizeof t->column[0].name, "%s", names[t->columns]);
    if (!fn_is_file(path))
        return FN_OK;
    int rc = fn_map_open(&map, path);
    if (rc)
        return rc;
    const char *text = (const char *)map.data, *end = text + map.bytes;
    const char *stop = names || !map.bytes ? NULL : memchr(text, '\n', map.bytes);
    if (stop) {
        read_header(t, text, stop);
        text = stop + 1;
    }
    t->rows = t->columns ? count_rows(text, end) : 0;
    t->points = t->rows < most ? t->rows : most;
    rc = t->points ? reserve(t, path) : FN_OK;
    if (!rc && t->points)
        read_rows(t, text, end);
    fn_map_close(&map);
    if (rc)
        fn_run_table_free(t);
    return rc;
}

const struct fn_run_column *fn_run_table_column(const struct fn_run_table *t, const char *name)
{
    for (size_t c = 0; c < t->columns && t->points; c++)
        if (strcmp(t->column[c].name, name) == 0)
            return &t->column[c];
    return NULL;
}

void fn_run_table_free(struct fn_run_table *t)
{
    for (size_t c = 0; c < t->columns; c++)
        free(t->column[c].mean);
    memset(t, 0, sizeof *t);
}
