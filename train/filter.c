/* SPDX-License-Identifier: MIT */
#include "train/filter.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "train/field.h"

enum { BINS = 100, LINE_MAX_BYTES = 4096 };

double fn_filter_threshold(const double *values, size_t count, double percentile)
{
    double low = values[0], high = values[0], edge[BINS + 1], sum = 0, cdf[BINS];
    double centre[BINS], want = percentile * 0.01;
    uint64_t bin[BINS] = {0};
    int at = 0;
    for (size_t i = 1; i < count; i++) {
        low = fmin(low, values[i]);
        high = fmax(high, values[i]);
    }
    if (low == high) { /* numpy's range of one value */
        low -= 0.5;
        high += 0.5;
    }
    if (low == high) /* a value so large that half of one is nothing to it */
        return low;
    for (int i = 0; i < BINS; i++)
        edge[i] = low + i * ((high - low) / BINS);
    edge[BINS] = high;
    for (size_t i = 0; i < count; i++) {
        int k = (int)((values[i] - low) / (high - low) * BINS);
        k = k < 0 ? 0 : k >= BINS ? BINS - 1 : k;
        k -= k > 0 && values[i] < edge[k];
        k += k < BINS - 1 && values[i] >= edge[k + 1];
        bin[k]++;
    }
    for (int i = 0; i < BINS; i++) {
        sum += (double)bin[i];
        cdf[i] = sum / (double)count;
        centre[i] = edge[i] / 2 + edge[i + 1] / 2; /* their sum may be too large */
    }
    if (want < cdf[0])
        return centre[0];
    while (at + 1 < BINS && cdf[at + 1] <= want) /* the last of equal ones */
        at++;
    if (at == BINS - 1)
        return centre[BINS - 1];
    return centre[at] +
           (want - cdf[at]) * ((centre[at + 1] - centre[at]) / (cdf[at + 1] - cdf[at]));
}

/* ---- the table ------------------------------------------------------------------------------ */
struct table {
    const char *path;
    struct fn_map map;
    size_t at;
    uint64_t line; /* of the row that was read last */
    char row[LINE_MAX_BYTES];
    double distance; /* its fields */
    const char *class_name, *name;
};

static int bad_row(const struct table *t)
{
    return fn_fail(FN_EFORMAT,
                   "%s:%" PRIu64
                   ": want a distance, a class and a name, with tabs between (fn-embed "
                   "--class_distance writes such a file)",
                   t->path, t->line);
}

/* FN_OK: a row; FN_TABLE_END. */
#define FN_TABLE_END (-1)
static int next_row(struct table *t)
{
    const char *begin = (const char *)t->map.data + t->at, *end;
    size_t left = t->map.bytes - t->at, bytes;
    char *row = t->row, *distance, *class_name, *name, *rest;
    if (!left)
        return FN_TABLE_END;
    t->line++;
    end = memchr(begin, '\n', left);
    bytes = end ? (size_t)(end - begin) : left;
    if (!end || bytes >= sizeof t->row || memchr(begin, 0, bytes))
        return bad_row(t);
    memcpy(t->row, begin, bytes);
    t->row[bytes] = 0;
    t->at += bytes + 1;
    distance = fn_field_next(&row);
    class_name = fn_field_next(&row);
    name = fn_field_next(&row);
    if (!name || row || !fn_field_name(class_name) || !fn_field_name(name))
        return bad_row(t);
    t->distance = strtod(distance, &rest);
    if (rest == distance || *rest || !isfinite(t->distance) || t->distance < 0)
        return bad_row(t);
    t->class_name = class_name;
    t->name = name;
    return FN_OK;
}

static void rewind_table(struct table *t)
{
    t->at = strlen(FN_FILTER_HEADER);
    t->line = 1;
}

static int open_table(struct table *t, const char *path)
{
    static const char hdf5[] = "\x89HDF\r\n\x1a\n";
    int rc = fn_map_open(&t->map, path);
    t->path = path;
    if (rc)
        return rc;
    if (t->map.bytes >= strlen(hdf5) && !memcmp(t->map.data, hdf5, strlen(hdf5)))
        return fn_fail(FN_EUNSUPPORTED,
                       "%s is an HDF5 file, which is not read here: 'fn-embed --model RUN --store "
                       "DB -o E.npy --class_distance FILE.tsv' writes a table of distances for "
                       "--filter_filename",
                       path);
    rewind_table(t);
    if (t->map.bytes < t->at || memcmp(t->map.data, FN_FILTER_HEADER, t->at) != 0)
        return bad_row(t);
    return FN_OK;
}

static int read_distances(struct table *t, double **distances, uint64_t *count)
{
    size_t lines = 0;
    int rc;
    for (size_t i = 0; i < t->map.bytes; i++)
        lines += t->map.data[i] == '\n';
    *count = 0;
    *distances = malloc(lines * sizeof **distances);
    if (!*distances)
        return fn_fail(FN_ENOMEM, "no memory for the distances of %s", t->path);
    while ((rc = next_row(t)) == FN_OK)
        (*distances)[(*count)++] = t->distance;
    if (rc != FN_TABLE_END)
        return rc;
    return *count ? FN_OK : fn_fail(FN_EFORMAT, "%s has no row", t->path);
}

/* ---- the records ---------------------------------------------------------------------------- */
/* Marks the far pictures; counts by class what it lost. */
static int drop_far(struct table *t, struct fn_store *store, uint8_t *dropped, uint64_t *lost,
                    struct fn_filter_result *result)
{
    struct fn_reader *reader = NULL;
    struct fn_record rec;
    int rc = fn_reader_open(&reader, store), row = FN_OK;
    rewind_table(t);
    while (!rc && (row = next_row(t)) == FN_OK) {
        if (t->distance < result->threshold)
            continue;
        result->far++;
        rc = fn_reader_find(reader, t->class_name, t->name, &rec);
        if (rc == FN_ENOENT) {
            result->unknown++;
            rc = FN_OK;
        } else if (!rc && !dropped[rec.id]) {
            dropped[rec.id] = 1;
            lost[rec.label]++;
            result->dropped++;
        }
    }
    fn_reader_close(&reader);
    return rc || row == FN_TABLE_END ? rc : row;
}

static int drop_classes(const struct fn_store *store, uint8_t *dropped, const uint64_t *lost,
                        int64_t min_images, struct fn_filter_result *result)
{
    uint32_t classes = fn_store_get_info(store)->classes;
    int rc = FN_OK;
    for (uint32_t label = 0; label < classes && !rc; label++) {
        const uint64_t *ids;
        uint64_t count;
        if (!lost[label])
            continue;
        rc = fn_store_members(store, label, &ids, &count);
        if (rc || (int64_t)(count - lost[label]) >= min_images)
            continue;
        result->classes++;
        result->dropped += count - lost[label];
        for (uint64_t i = 0; i < count; i++)
            dropped[ids[i]] = 1;
    }
    return rc;
}

int fn_filter_read(uint8_t **dropped, struct fn_store *store, const struct fn_filter_options *o,
                   struct fn_filter_result *result)
{
    const struct fn_store_info *info = fn_store_get_info(store);
    struct table *t = calloc(1, sizeof *t);
    uint64_t *lost = calloc((size_t)info->classes + 1, sizeof *lost);
    double *distances = NULL;
    int rc;
    memset(result, 0, sizeof *result);
    *dropped = calloc((size_t)info->records + 1, 1);
    rc = t && lost && *dropped ? open_table(t, o->path)
                               : fn_fail(FN_ENOMEM, "no memory for %s", o->path);
    if (!rc)
        rc = read_distances(t, &distances, &result->rows);
    if (!rc) {
        result->threshold = fn_filter_threshold(distances, (size_t)result->rows, o->percentile);
        rc = drop_far(t, store, *dropped, lost, result);
    }
    if (!rc && result->far && result->unknown == result->far)
        rc = fn_fail(FN_EMISMATCH,
                     "none of the %" PRIu64 " pictures that %s leaves out is in %s: it was made "
                     "of other pictures",
                     result->far, o->path, info->path);
    if (!rc)
        rc = drop_classes(store, *dropped, lost, o->min_images, result);
    if (t)
        fn_map_close(&t->map);
    free(t);
    free(lost);
    free(distances);
    if (rc) {
        free(*dropped);
        *dropped = NULL;
    }
    return rc;
}
