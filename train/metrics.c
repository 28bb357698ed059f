/* SPDX-License-Identifier: MIT */
/* TSV files that grow by a row and can be cut back to a key. */
#include "train/metrics.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "train/append.h"

struct fn_metrics {
    struct fn_append *file;
    struct fn_metrics_column column[FN_METRICS_MAX_COLUMNS];
    size_t count;
};

#define CELL_BYTES 340 /* -DBL_MAX with 17 decimals, and a tab */

/* malloc'd "key TAB name ... NEWLINE"; "" without a key. */
static char *make_header(const char *key, const struct fn_metrics_column *columns, size_t count)
{
    size_t bytes = 2 + (key ? strlen(key) : 0), at = 0;
    for (size_t i = 0; i < count; i++)
        bytes += 1 + strlen(columns[i].name);
    char *text = malloc(bytes);
    if (!text)
        return NULL;
    text[0] = 0;
    if (!key)
        return text;
    at += (size_t)snprintf(text, bytes, "%s", key);
    for (size_t i = 0; i < count; i++)
        at += (size_t)snprintf(text + at, bytes - at, "\t%s", columns[i].name);
    snprintf(text + at, bytes - at, "\n");
    return text;
}

/* Bytes of the file to keep: the header and the whole rows with a key <= last. */
static int find_cut(const char *path, const char *header, int64_t last, uint64_t *keep)
{
    struct fn_map map;
    size_t at = strlen(header), line = at ? 2 : 1;
    int rc = fn_map_open(&map, path);
    *keep = 0;
    if (rc != FN_OK)
        return rc;
    const char *text = (const char *)map.data, *end = text + map.bytes;
    if (map.bytes < at) { /* killed before the header was written */
        fn_map_close(&map);
        return FN_OK;
    }
    if (at && memcmp(text, header, at) != 0)
        rc = fn_fail(FN_EFORMAT, "%s: has other columns than this version writes: move it away",
                     path);
    while (rc == FN_OK && text + at < end) {
        char number[24];
        const char *row = text + at, *stop = memchr(row, '\n', (size_t)(end - row));
        if (!stop)
            break;
        size_t digits = 0;
        while (digits < sizeof number - 1 && row + digits < stop && row[digits] >= '0' &&
               row[digits] <= '9')
            digits++;
        memcpy(number, row, digits);
        number[digits] = 0;
        if (memchr(row, 0, (size_t)(stop - row)))
            break; /* a power cut: the file had grown, its bytes had not come */
        if (digits == 0 || digits > 18 || (row[digits] != '\t' && row + digits != stop))
            rc = fn_fail(FN_EFORMAT, "%s:%zu: does not begin with a whole number", path, line);
        else if (strtoll(number, NULL, 10) > last)
            break;
        at = (size_t)(stop - text) + 1;
        line++;
    }
    *keep = at;
    fn_map_close(&map);
    return rc;
}

int fn_metrics_open(struct fn_metrics **metrics, const char *path, const char *key,
                    const struct fn_metrics_column *columns, size_t count, int64_t last)
{
    uint64_t keep = 0;
    int rc = FN_OK;
    assert(count <= FN_METRICS_MAX_COLUMNS);
    char *header = make_header(key, columns, count);
    struct fn_metrics *m = calloc(1, sizeof *m);
    *metrics = NULL;
    if (!header || !m)
        rc = fn_fail(FN_ENOMEM, "%s: out of memory", path);
    if (rc == FN_OK && last >= 0 && fn_is_file(path))
        rc = find_cut(path, header, last, &keep);
    if (rc == FN_OK)
        rc = fn_append_open(&m->file, path, keep);
    if (rc == FN_OK && keep == 0 && header[0])
        rc = fn_append_entry(m->file, header, strlen(header));
    if (rc == FN_OK) {
        memcpy(m->column, columns, count * sizeof *columns);
        m->count = count;
        *metrics = m;
    } else if (m) {
        struct fn_err_note note;
        fn_err_note_take(&note, rc);
        fn_metrics_close(&m); /* its own failure would hide the first */
        rc = fn_err_note_raise(&note);
    }
    free(header);
    return rc;
}

int fn_metrics_row(struct fn_metrics *metrics, int64_t key, const double *values)
{
    char row[32 + FN_METRICS_MAX_COLUMNS * CELL_BYTES];
    size_t at = (size_t)snprintf(row, sizeof row, "%lld", (long long)key);
    assert(key >= 0);
    for (size_t i = 0; i < metrics->count; i++) {
        int decimals = metrics->column[i].decimals;
        double v = values[i];
        if (isnan(v)) /* without the sign that some libraries print */
            at += (size_t)snprintf(row + at, sizeof row - at, "\tnan");
        else if (decimals < 0)
            at += (size_t)snprintf(row + at, sizeof row - at, "\t%.9g", v);
        else
            at += (size_t)snprintf(row + at, sizeof row - at, "\t%.*f",
                                   decimals < 17 ? decimals : 17, v);
    }
    row[at++] = '\n';
    return fn_append_entry(metrics->file, row, at);
}

int fn_metrics_flush(struct fn_metrics *metrics)
{
    return fn_append_flush(metrics->file);
}

int fn_metrics_sync(struct fn_metrics *metrics)
{
    return fn_append_sync(metrics->file);
}

int fn_metrics_close(struct fn_metrics **metrics)
{
    if (!*metrics)
        return FN_OK;
    int rc = fn_append_close(&(*metrics)->file);
    free(*metrics);
    *metrics = NULL;
    return rc;
}
