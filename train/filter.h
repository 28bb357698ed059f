/* SPDX-License-Identifier: MIT */
/* Leaving out the pictures that lie farthest from the centre of their class: most of them are
 * somebody else (the original's --filter_filename, whose HDF5 file a table replaces).
 *
 *     distance<TAB>class<TAB>name        a header, then a row a picture; names as field.h has them
 *
 * distance: Euclidean, of the picture's embedding to the mean of its class's embeddings. */
#ifndef FN_TRAIN_FILTER_H
#define FN_TRAIN_FILTER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "store/store.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FN_FILTER_HEADER "distance\tclass\tname\n"

struct fn_filter_options {
    const char *path;
    double percentile;  /* --filter_percentile, 0 .. 100 */
    int64_t min_images; /* --filter_min_nrof_images_per_class */
};

struct fn_filter_result {
    double threshold;
    uint64_t rows;    /* of the file */
    uint64_t far;     /* of these, with distance >= threshold */
    uint64_t unknown; /* of these, not in the store */
    uint64_t dropped; /* pictures, with those of dropped classes */
    uint64_t classes; /* dropped: they lost a picture and have fewer than min_images */
};

/* *dropped: a byte a record of the store, nonzero: leave it out; malloc'd. FN_EUNSUPPORTED: an HDF5
 * file. FN_EFORMAT with file:line: not such a table. FN_EMISMATCH: none of the far pictures is in
 * the store. */
int fn_filter_read(uint8_t **dropped, struct fn_store *store,
                   const struct fn_filter_options *options, struct fn_filter_result *result);

/* The distance that `percentile` stands for: looked up, linearly between bin centres, in the
 * cumulative histogram of 100 bins from the least to the largest value (numpy's histogram and
 * interp). Even at 100 it is the centre of the last bin, as in the original: some pictures go.
 * values: `count` >= 1, finite. */
double fn_filter_threshold(const double *values, size_t count, double percentile);

#ifdef __cplusplus
}
#endif
#endif
