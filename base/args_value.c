/* SPDX-License-Identifier: MIT */
/* Texts to values and back, by the option's kind. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/args_internal.h"

/* Limits hold where they say something: both 0 is none, max < min no upper one. */
static int has_min(const struct fn_arg *arg)
{
    return arg->min != 0 || arg->max != 0;
}

static int has_max(const struct fn_arg *arg)
{
    return has_min(arg) && arg->max >= arg->min;
}

static int wrong(const struct fn_arg *arg, const char *spelling, const char *text, const char *want)
{
    if (has_max(arg))
        return fn_fail(FN_EUSAGE, "option %s: '%s' is not %s from %.15g to %.15g", spelling, text,
                       want, arg->min, arg->max);
    if (has_min(arg))
        return fn_fail(FN_EUSAGE, "option %s: '%s' is not %s of at least %.15g", spelling, text,
                       want, arg->min);
    return fn_fail(FN_EUSAGE, "option %s: '%s' is not %s", spelling, text, want);
}

static int within(const struct fn_arg *arg, double value)
{
    return !(has_min(arg) && value < arg->min) && !(has_max(arg) && value > arg->max);
}

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int store_int(struct fn_arg *arg, const char *spelling, const char *text)
{
    static const char want[] = "a whole number";
    char *end;
    errno = 0;
    /* strtoll alone would take leading blanks and "+-5". */
    if (!is_digit(text[text[0] == '-' || text[0] == '+']))
        return wrong(arg, spelling, text, want);
    long long value = strtoll(text, &end, 10);
    if (*end || errno == ERANGE || !within(arg, (double)value))
        return wrong(arg, spelling, text, want);
    *(int64_t *)arg->value = value;
    return FN_OK;
}

static int store_bytes(struct fn_arg *arg, const char *spelling, const char *text)
{
    static const char want[] = "a number of bytes, such as 65536, 64k, 512M, 4G or 1T,";
    static const char units[] = "kKmMgGtT";
    char *end;
    if (!is_digit(text[0]))
        return wrong(arg, spelling, text, want);
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    unsigned shift = 0;
    const char *unit = *end ? strchr(units, *end) : NULL;
    if (unit) {
        shift = 10 * (unsigned)((unit - units) / 2 + 1);
        end++;
    }
    if (*end)
        return wrong(arg, spelling, text, want);
    if (errno == ERANGE || value > UINT64_MAX >> shift)
        return fn_fail(FN_EUSAGE, "option %s: '%s' is more than 2^64 - 1 bytes", spelling, text);
    value <<= shift;
    if (!within(arg, (double)value))
        return wrong(arg, spelling, text, want);
    *(uint64_t *)arg->value = value;
    return FN_OK;
}

static int store_real(struct fn_arg *arg, const char *spelling, const char *text)
{
    /* These letters only: strtod would also take blanks, "inf", "nan" and hexadecimal. */
    char *end;
    double value = strtod(text, &end);
    if (!*text || text[strspn(text, "0123456789.eE+-")] || *end || !isfinite(value) ||
        !within(arg, value))
        return wrong(arg, spelling, text, "a finite number");
    *(double *)arg->value = value;
    return FN_OK;
}

static int store_choice(struct fn_arg *arg, const char *spelling, const char *text)
{
    const char *nearest = NULL;
    unsigned best = ~0U;
    for (const char *const *c = arg->choices; *c; c++) {
        if (strcmp(*c, text) == 0) {
            *(const char **)arg->value = *c;
            return FN_OK;
        }
        unsigned distance = fn_arg_distance(*c, text);
        if (distance < best && fn_arg_is_near(*c, distance)) {
            best = distance;
            nearest = *c;
        }
    }
    char list[400];
    fn_arg_choices(arg, list, sizeof list);
    if (nearest)
        return fn_fail(FN_EUSAGE, "option %s: '%s' is not one of %s; did you mean %s?", spelling,
                       text, list, nearest);
    return fn_fail(FN_EUSAGE, "option %s: '%s' is not one of %s", spelling, text, list);
}

/* What a default list holds is replaced, not added to. */
static int store_item(struct fn_arg *arg, const char *spelling, const char *text)
{
    struct fn_arg_list *list = arg->value;
    const char **old = arg->given ? list->items : NULL;
    size_t count = arg->given ? list->count : 0;
    const char **items = realloc(old, (count + 1) * sizeof *items);
    if (!items)
        return fn_fail(FN_ENOMEM, "option %s: out of memory", spelling);
    items[count] = text;
    list->items = items;
    list->count = count + 1;
    return FN_OK;
}

int fn_arg_store(struct fn_arg *arg, const char *spelling, const char *text)
{
    int rc = FN_OK;
    switch (arg->kind) {
    case FN_ARG_INT:
        rc = store_int(arg, spelling, text);
        break;
    case FN_ARG_BYTES:
        rc = store_bytes(arg, spelling, text);
        break;
    case FN_ARG_REAL:
        rc = store_real(arg, spelling, text);
        break;
    case FN_ARG_STRING:
        *(const char **)arg->value = text;
        break;
    case FN_ARG_CHOICE:
        rc = store_choice(arg, spelling, text);
        break;
    case FN_ARG_LIST:
        rc = store_item(arg, spelling, text);
        break;
    case FN_ARG_CHECKED:
        fn_err_clear();
        rc = arg->check(arg->value, text);
        rc = fn_fail_in(rc, "option %s: '%s'", spelling, text);
        break;
    case FN_ARG_HEADING:
    case FN_ARG_FLAG:
        rc = fn_fail(FN_EINTERNAL, "option %s takes no value", spelling);
    }
    if (rc == FN_OK)
        arg->given++;
    return rc;
}

void fn_arg_choices(const struct fn_arg *arg, char *buf, size_t cap)
{
    size_t used = 0;
    buf[0] = '\0';
    for (const char *const *c = arg->choices; c && *c && used < cap; c++) {
        const char *between = c == arg->choices ? "" : c[1] ? ", " : " or ";
        int n = snprintf(buf + used, cap - used, "%s%s", between, *c);
        used += n > 0 ? (size_t)n : 0;
    }
}

const char *fn_arg_metavar(const struct fn_arg *arg, char *buf, size_t cap)
{
    enum { SHORT = 24 };
    if (arg->metavar)
        return arg->metavar;
    switch (arg->kind) {
    case FN_ARG_INT:
        return "N";
    case FN_ARG_BYTES:
        return "BYTES";
    case FN_ARG_REAL:
        return "X";
    case FN_ARG_CHOICE: {
        size_t used = 0;
        for (const char *const *c = arg->choices; *c && used <= SHORT && used < cap; c++) {
            int n = snprintf(buf + used, cap - used, "%s%s", c == arg->choices ? "" : "|", *c);
            used += n > 0 ? (size_t)n : 0;
        }
        return used <= SHORT ? buf : "NAME";
    }
    case FN_ARG_FLAG:
    case FN_ARG_HEADING:
        return "";
    default:
        return "TEXT";
    }
}

void fn_arg_default(const struct fn_arg *arg, char *buf, size_t cap)
{
    buf[0] = '\0';
    if (!arg->value)
        return;
    switch (arg->kind) {
    case FN_ARG_FLAG:
        snprintf(buf, cap, "%s", *(const int *)arg->value ? "on" : "");
        break;
    case FN_ARG_INT:
        snprintf(buf, cap, "%lld", (long long)*(const int64_t *)arg->value);
        break;
    case FN_ARG_BYTES: {
        static const char units[] = {0, 'k', 'M', 'G', 'T', 0};
        uint64_t value = *(const uint64_t *)arg->value;
        size_t u = 0;
        for (; value && value % 1024 == 0 && u < 4; u++)
            value /= 1024;
        snprintf(buf, cap, "%llu%s", (unsigned long long)value, (char[]){units[u], 0});
        break;
    }
    case FN_ARG_REAL: { /* the shortest text that gives this value again */
        double value = *(const double *)arg->value;
        for (int digits = 6; digits <= 17; digits++) {
            snprintf(buf, cap, "%.*g", digits, value);
            if (strtod(buf, NULL) == value)
                break;
        }
        break;
    }
    case FN_ARG_STRING:
    case FN_ARG_CHOICE: {
        const char *text = *(const char *const *)arg->value;
        snprintf(buf, cap, "%s", text ? text : "");
        break;
    }
    case FN_ARG_CHECKED:
        if (arg->show)
            arg->show(arg->value, buf, cap);
        break;
    case FN_ARG_HEADING:
    case FN_ARG_LIST:
        break;
    }
}
