/* SPDX-License-Identifier: MIT */
/* Distributions in bins: how large the classes are, and the manifest's spreads. */
#include <stdio.h>
#include <stdlib.h>

#include "store/dump_internal.h"

enum { SPREAD_LINES = 20 };

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void name_bin(struct fn_dump_bin *bin, int kib)
{
    if (kib && (bin->from % 1024 || (bin->to + 1) % 1024))
        snprintf(bin->name, sizeof bin->name, "%g - %g KiB", (double)bin->from / 1024,
                 (double)(bin->to + 1) / 1024);
    else if (kib)
        snprintf(bin->name, sizeof bin->name, "%s - %s KiB", fn_dump_number(bin->from >> 10),
                 fn_dump_number((bin->to + 1) >> 10));
    else if (bin->from == bin->to)
        snprintf(bin->name, sizeof bin->name, "%s", fn_dump_number(bin->from));
    else
        snprintf(bin->name, sizeof bin->name, "%s - %s", fn_dump_number(bin->from),
                 fn_dump_number(bin->to));
}

/* One bin a size while sizes are few, else 1, 2, 3-4, 5-9, 10-19, 20-49, 50-99, ... */
static void make_bins(struct fn_dump_sizes *s)
{
    uint64_t least = s->each[0], most = s->each[s->count - 1];
    if (most - least < 12) {
        for (uint64_t n = least; n <= most; n++)
            s->bins[s->bin_count++] = (struct fn_dump_bin){.from = n, .to = n};
    } else {
        uint64_t edges[FN_DUMP_BINS + 1] = {1, 2, 3};
        int n = 3;
        for (uint64_t ten = 1; n < FN_DUMP_BINS && edges[n - 1] <= most; ten *= 10) {
            edges[n++] = 5 * ten;
            if (n < FN_DUMP_BINS)
                edges[n++] = 10 * ten;
            if (n < FN_DUMP_BINS)
                edges[n++] = 20 * ten;
        }
        for (int i = 0; i + 1 < n && edges[i] <= most; i++)
            if (edges[i + 1] > least)
                s->bins[s->bin_count++] =
                    (struct fn_dump_bin){.from = edges[i], .to = edges[i + 1] - 1};
    }
    for (uint32_t i = 0, b = 0; i < s->count; i++) {
        while (b + 1 < (uint32_t)s->bin_count && s->each[i] > s->bins[b].to)
            b++;
        s->bins[b].count++;
    }
    for (int i = 0; i < s->bin_count; i++)
        name_bin(&s->bins[i], 0);
}

int fn_dump_sizes_find(struct fn_store *store, struct fn_dump_sizes *s)
{
    uint32_t count = fn_store_get_info(store)->classes;
    *s = (struct fn_dump_sizes){.each = malloc((count + (size_t)1) * sizeof(uint64_t)),
                                .count = count};
    if (!s->each)
        return fn_fail(FN_ENOMEM, "no memory for %u class sizes", count);
    for (uint32_t label = 0; label < count; label++) {
        uint64_t first = 0;
        int rc = fn_index_span(store->index, label, &first, &s->each[label]);
        if (rc)
            return rc;
    }
    qsort(s->each, count, sizeof *s->each, compare_u64);
    if (count)
        make_bins(s);
    return FN_OK;
}

void fn_dump_sizes_free(struct fn_dump_sizes *s)
{
    free(s->each);
    s->each = NULL;
}

int fn_dump_spread(const uint64_t *spread, int bytes, struct fn_dump_bin bins[FN_DUMP_BINS])
{
    int first = FN_SPREAD_BINS, last = -1, step = 1, count = 0;
    for (int i = 0; i < FN_SPREAD_BINS; i++)
        if (spread[i]) {
            first = first < i ? first : i;
            last = i;
        }
    while (step < 4 && (last - first) / step >= SPREAD_LINES)
        step *= 2;
    first = first / step * step;
    for (int i = first; i <= last && count < FN_DUMP_BINS; i += step) {
        struct fn_dump_bin *bin = &bins[count];
        *bin = (struct fn_dump_bin){.from = fn_spread_from(i)};
        for (int k = i; k < i + step; k++)
            bin->count += spread[k];
        if (bin->from == fn_spread_from(i + step)) /* below 4 some bins hold no integer */
            continue;
        bin->to = fn_spread_from(i + step) - 1;
        name_bin(bin, bytes && i >= 4 * 10); /* four bins a power of two */
        count++;
    }
    return count;
}
