/* SPDX-License-Identifier: MIT */
/* Numbers, bars and choices for fn-dump. */
#include <inttypes.h>
#include <langinfo.h>
#include <stdio.h>
#include <string.h>

#include "store/dump_internal.h"

#define TURNS 8

const char *fn_dump_number(uint64_t value)
{
    static char texts[TURNS][32];
    static int turn;
    char digits[24], *text = texts[turn = (turn + 1) % TURNS];
    int n = snprintf(digits, sizeof digits, "%" PRIu64, value);
    char *at = text;
    for (int i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0)
            *at++ = ',';
        *at++ = digits[i];
    }
    *at = 0;
    return text;
}

const char *fn_dump_count(uint64_t value, const char *noun)
{
    static char texts[TURNS][96];
    static int turn;
    char *text = texts[turn = (turn + 1) % TURNS];
    const char *plural = value == 1 ? "" : strcmp(noun, "class") == 0 ? "es" : "s";
    snprintf(text, sizeof texts[0], "%s %s%s", fn_dump_number(value), noun, plural);
    return text;
}

const char *fn_dump_bar(uint64_t value, uint64_t most, int cells)
{
    static char text[4 * 128];
    static const char *const eighths[] = {"",       "\u258f", "\u258e", "\u258d", "\u258c",
                                          "\u258b", "\u258a", "\u2589", "\u2588"};
    int blocks = strcmp(nl_langinfo(CODESET), "UTF-8") == 0, used = 0;
    cells = cells < 100 ? cells : 100;
    double length = most ? (double)value / (double)most * cells : 0;
    int units = (int)(length * 8 + 0.5);
    units = value && !units ? 1 : units; /* what is there is seen */
    if (!blocks) {
        int n = (units + 4) / 8;
        n = value && !n ? 1 : n;
        memset(text, '#', (size_t)n);
        text[n] = 0;
        return text;
    }
    text[0] = 0;
    for (; units > 0; units -= 8)
        used +=
            snprintf(text + used, sizeof text - (size_t)used, "%s", eighths[units < 8 ? units : 8]);
    return text;
}

int fn_dump_commonest(const uint64_t *rejected)
{
    int best = 0;
    for (int i = 1; i < FN_REJECT_COUNT; i++)
        if (rejected[i] && (!best || rejected[i] > rejected[best]))
            best = i;
    return best;
}

int fn_dump_writable(void)
{
    return !ferror(stdout);
}

int fn_dump_choose(const struct fn_dump *d, struct fn_store *store, struct fn_dump_ids *chosen)
{
    uint32_t label = 0;
    *chosen = (struct fn_dump_ids){.count = fn_store_get_info(store)->records};
    if (!d->class_name)
        return FN_OK;
    int rc = fn_store_class_find(store, d->class_name, &label);
    return rc ? fn_fail_in(rc, "%s", d->store)
              : fn_store_members(store, label, &chosen->ids, &chosen->count);
}
