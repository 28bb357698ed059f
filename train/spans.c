/* SPDX-License-Identifier: MIT */
/* Offsets for buffers with lifetimes. */
#include "train/spans.h"

#include <stdint.h>
#include <stdlib.h>

static size_t rounded(size_t bytes)
{
    return (bytes + FN_SPAN_ALIGN - 1) / FN_SPAN_ALIGN * FN_SPAN_ALIGN;
}

static int larger_first(const void *a, const void *b)
{
    const struct fn_span *x = *(struct fn_span *const *)a, *y = *(struct fn_span *const *)b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x < y ? -1 : x > y; /* qsort is not stable: equal plans for equal nets */
}

static int meet(const struct fn_span *a, const struct fn_span *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* placed: `count` spans by offset. The smallest gap among those alive with `s`, else their end. */
static size_t find_gap(struct fn_span *const *placed, size_t count, const struct fn_span *s)
{
    size_t end = 0, best = SIZE_MAX, best_gap = SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        const struct fn_span *p = placed[i];
        if (!meet(p, s))
            continue;
        if (p->offset > end && p->offset - end >= s->bytes && p->offset - end < best_gap) {
            best = end;
            best_gap = p->offset - end;
        }
        if (p->offset + rounded(p->bytes) > end)
            end = p->offset + rounded(p->bytes);
    }
    return best == SIZE_MAX ? end : best;
}

int fn_spans_place(struct fn_span *spans, size_t count, size_t *bytes)
{
    struct fn_span **order = malloc((count + 1) * sizeof *order);
    struct fn_span **placed = malloc((count + 1) * sizeof *placed);
    size_t used = 0, done = 0, total = 0;
    int rc = FN_OK;
    if (!order || !placed) {
        rc = fn_fail(FN_ENOMEM, "no memory for the plan of %zu buffers", count);
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        spans[i].offset = 0;
        if (spans[i].first >= 0 && spans[i].bytes)
            order[used++] = &spans[i];
    }
    qsort(order, used, sizeof *order, larger_first);
    for (size_t i = 0; i < used; i++) {
        struct fn_span *s = order[i];
        size_t at = done++;
        s->offset = find_gap(placed, at, s);
        while (at > 0 && placed[at - 1]->offset > s->offset) {
            placed[at] = placed[at - 1];
            at--;
        }
        placed[at] = s;
        if (s->offset + rounded(s->bytes) > total)
            total = s->offset + rounded(s->bytes);
    }
    *bytes = total;
out:
    free(order);
    free(placed);
    return rc;
}
