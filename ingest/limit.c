/* SPDX-License-Identifier: MIT */
/* How many rejects are too many. */
#include "ingest/limit.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int fn_limit_check(void *value, const char *text)
{
    struct fn_limit *limit = value;
    char *end = NULL;
    errno = 0;
    double v = strtod(text, &end);
    int percent = end != text && strcmp(end, "%") == 0;
    int digit = text[0] >= '0' && text[0] <= '9';
    if (!digit || errno || !isfinite(v) || (!percent && (*end || v != floor(v))) ||
        (percent && v > 100))
        return fn_fail(FN_EUSAGE, "neither a number of rows nor a percentage from 0%% to 100%%");
    limit->percent = percent;
    limit->value = v;
    return FN_OK;
}

void fn_limit_show(const void *value, char *buf, size_t cap)
{
    const struct fn_limit *limit = value;
    snprintf(buf, cap, "%.15g%s", limit->value, limit->percent ? "%" : "");
}

char *fn_reject_list(const uint64_t rejected[FN_REJECT_COUNT], int most, char *buf, size_t cap)
{
    int used[FN_REJECT_COUNT] = {0};
    size_t at = 0;
    uint64_t left = rejected[0];
    buf[0] = '\0';
    for (int i = 0; i < most && left; i++) {
        int best = 0;
        for (int r = 1; r < FN_REJECT_COUNT; r++) {
            if (!used[r] && rejected[r] && (!best || rejected[r] > rejected[best]))
                best = r;
        }
        if (!best || at >= cap)
            break;
        used[best] = 1;
        left -= rejected[best];
        at += (size_t)snprintf(buf + at, cap - at, "%s%llu %s", at ? ", " : "",
                               (unsigned long long)rejected[best], fn_reject_name(best));
    }
    if (left && at < cap)
        snprintf(buf + at, cap - at, "%s%llu others", at ? ", " : "", (unsigned long long)left);
    return buf;
}

int fn_limit_judge(const struct fn_limit *limit, const struct fn_writer_counts *counts, int at_end)
{
    char shown[32], reasons[256];
    double bad = (double)counts->rejected[0], rows = (double)counts->rows;
    double most = limit->percent ? limit->value * rows / 100 : limit->value;
    if (bad <= most || (!at_end && counts->rows < FN_LIMIT_FROM_ROW))
        return FN_OK;
    fn_limit_show(limit, shown, sizeof shown);
    return fn_fail(
        FN_ELIMIT, "%llu of %llu rows were rejected (%.3g %%), more than --max-rejects %s: %s",
        (unsigned long long)counts->rejected[0], (unsigned long long)counts->rows, 100 * bad / rows,
        shown, fn_reject_list(counts->rejected, 3, reasons, sizeof reasons));
}
