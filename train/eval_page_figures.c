/* SPDX-License-Identifier: MIT */
/* ROC and hardest pairs from distances. */
#include <stdlib.h>

#include "train/eval_page.h"

struct measured {
    double distance;
    int same;
};

static int compare(const void *a, const void *b)
{
    double x = ((const struct measured *)a)->distance, y = ((const struct measured *)b)->distance;
    return (x > y) - (x < y);
}

size_t fn_eval_roc(const double *distance, const uint8_t *same, size_t pairs,
                   double far[FN_ROC_POINTS], double tar[FN_ROC_POINTS], size_t *n_same,
                   size_t *n_diff)
{
    enum { EVERY = FN_ROC_POINTS / 2 };
    struct measured *m = malloc((pairs + 1) * sizeof *m);
    size_t accepted[2] = {0, 0}, points = 1;
    *n_same = *n_diff = 0;
    if (!m)
        return 0;
    for (size_t i = 0; i < pairs; i++) {
        m[i] = (struct measured){distance[i], same[i] != 0};
        *(same[i] ? n_same : n_diff) += 1;
    }
    qsort(m, pairs, sizeof *m, compare);
    far[0] = tar[0] = 0;
    for (size_t i = 0; i < pairs && *n_same && *n_diff; i++) {
        accepted[m[i].same]++;
        if (i + 1 < pairs && m[i + 1].distance == m[i].distance)
            continue; /* no threshold lies between them */
        double x = (double)accepted[0] / (double)*n_diff;
        double y = (double)accepted[1] / (double)*n_same;
        double seen = 4.0 / EVERY;
        if (points > 1 && x == far[points - 1]) { /* straight up: its end is enough */
            tar[points - 1] = y;
            continue;
        }
        if (points >= EVERY && i + 1 < pairs && x - far[points - 1] < seen &&
            y - tar[points - 1] < seen)
            continue;
        if (points < FN_ROC_POINTS) {
            far[points] = x;
            tar[points++] = y;
        }
    }
    free(m);
    return points;
}

size_t fn_eval_hardest(const double *distance, const uint8_t *same, size_t pairs, int kind,
                       size_t most, uint32_t *hardest)
{
    size_t count = 0;
    for (size_t p = 0; p < pairs; p++) {
        size_t at = count;
        if ((same[p] != 0) != kind)
            continue;
        while (at > 0 && (kind ? distance[hardest[at - 1]] < distance[p]
                               : distance[hardest[at - 1]] > distance[p]))
            at--;
        if (at == most)
            continue;
        size_t last = count < most ? count++ : most - 1;
        for (size_t k = last; k > at; k--)
            hardest[k] = hardest[k - 1];
        hardest[at] = (uint32_t)p;
    }
    return count;
}
