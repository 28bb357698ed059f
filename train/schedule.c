/* SPDX-License-Identifier: MIT */
/* The learning rate schedule file, and staircase decay. */
#include "train/schedule.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define SCHEDULE_MAX_BYTES (1u << 20)
#define EPOCH_MAX 1000000000L

struct rule {
    int64_t epoch;
    double rate; /* 0: end */
};

struct fn_schedule {
    char *where;
    struct rule *rules; /* in the order of the file */
    size_t count;
};

/* Both ends of [*from, *to) without blanks. */
static void trim(const char **from, const char **to)
{
    while (*from < *to && strchr(" \t\r\v\f", **from))
        ++*from;
    while (*from < *to && strchr(" \t\r\v\f", (*to)[-1]))
        --*to;
}

/* Copies a field into buf as a string; 0: it is too long or has a NUL inside. */
static int field(const char *from, const char *to, char *buf, size_t cap)
{
    trim(&from, &to);
    size_t bytes = (size_t)(to - from);
    if (bytes >= cap || memchr(from, 0, bytes))
        return 0;
    memcpy(buf, from, bytes);
    buf[bytes] = 0;
    return 1;
}

static int parse_rule(const char *line, const char *end, const char *where, size_t number,
                      struct rule *rule)
{
    char epoch[32], rate[64], *rest;
    const char *colon = memchr(line, ':', (size_t)(end - line));
    if (!colon)
        return fn_fail(FN_EFORMAT, "%s:%zu: no colon, want 'epoch: rate'", where, number);
    if (!field(line, colon, epoch, sizeof epoch) || strspn(epoch, "0123456789") != strlen(epoch) ||
        !epoch[0] || strlen(epoch) > 10 || (rule->epoch = strtol(epoch, NULL, 10)) > EPOCH_MAX)
        return fn_fail(FN_EFORMAT, "%s:%zu: the epoch must be a whole number from 0 to %ld", where,
                       number, EPOCH_MAX);
    if (!field(colon + 1, end, rate, sizeof rate) || !rate[0])
        return fn_fail(FN_EFORMAT, "%s:%zu: no rate after the colon, want 'epoch: rate'", where,
                       number);
    if (strcmp(rate, "-") == 0) {
        rule->rate = 0;
        return FN_OK;
    }
    rule->rate = strtod(rate, &rest);
    /* strtod also reads "inf", "nan" and hexadecimal numbers, which nobody means here. */
    if (*rest || strspn(rate, "0123456789.eE+-") != strlen(rate) || !isfinite(rule->rate))
        return fn_fail(FN_EFORMAT, "%s:%zu: '%s' is no learning rate, want a number or '-'", where,
                       number, rate);
    if (rule->rate <= 0)
        rule->rate = 0;
    return FN_OK;
}

static size_t count_lines(const char *text, size_t bytes)
{
    size_t lines = 1;
    for (size_t i = 0; i < bytes; i++)
        lines += text[i] == '\n';
    return lines;
}

static int parse_lines(struct fn_schedule *s, const char *text, size_t bytes)
{
    const char *end = text + bytes;
    size_t number = 0;
    for (const char *line = text; line < end; number++) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        const char *next = stop ? stop + 1 : end;
        if (!stop)
            stop = end;
        const char *comment = memchr(line, '#', (size_t)(stop - line));
        if (comment)
            stop = comment;
        trim(&line, &stop);
        if (line < stop) {
            int rc = parse_rule(line, stop, s->where, number + 1, &s->rules[s->count]);
            if (rc != FN_OK)
                return rc;
            s->count++;
        }
        line = next;
    }
    if (s->count == 0)
        return fn_fail(FN_EFORMAT, "%s: no line 'epoch: rate' in it", s->where);
    return FN_OK;
}

int fn_schedule_parse(struct fn_schedule **schedule, const char *text, size_t bytes,
                      const char *where)
{
    int rc = FN_OK;
    struct fn_schedule *s = calloc(1, sizeof *s);
    *schedule = NULL;
    if (!s || !(s->where = strdup(where)) ||
        !(s->rules = calloc(count_lines(text, bytes), sizeof *s->rules)))
        rc = fn_fail(FN_ENOMEM, "no memory for the learning rate schedule %s", where);
    else
        rc = parse_lines(s, text, bytes);
    if (rc == FN_OK)
        *schedule = s;
    else
        fn_schedule_close(&s);
    return rc;
}

int fn_schedule_open(struct fn_schedule **schedule, const char *path)
{
    unsigned char *data;
    size_t bytes;
    *schedule = NULL;
    int rc = fn_file_read(path, SCHEDULE_MAX_BYTES, &data, &bytes);
    if (rc != FN_OK)
        return fn_fail_in(rc, "the rates, --learning_rate_schedule_file (--learning_rate is not "
                              "above 0)");
    rc = fn_schedule_parse(schedule, (const char *)data, bytes, path);
    free(data);
    return rc;
}

void fn_schedule_close(struct fn_schedule **schedule)
{
    if (!*schedule)
        return;
    free((*schedule)->where);
    free((*schedule)->rules);
    free(*schedule);
    *schedule = NULL;
}

int fn_schedule_rate(const struct fn_schedule *schedule, int64_t epoch, double *rate)
{
    const struct rule *found = NULL;
    for (size_t i = 0; i < schedule->count; i++)
        if (schedule->rules[i].epoch <= epoch)
            found = &schedule->rules[i];
    if (!found)
        return fn_fail(FN_EFORMAT, "%s: no line for epoch %lld, the first is for epoch %lld",
                       schedule->where, (long long)epoch, (long long)schedule->rules[0].epoch);
    *rate = found->rate;
    return FN_OK;
}

double fn_staircase(double rate, double factor, int64_t decay_epochs, int64_t epoch_size,
                    uint64_t step)
{
    assert(decay_epochs >= 1 && epoch_size >= 1);
    /* The quotient in double, as TensorFlow's exponential_decay computes it. */
    return rate * pow(factor, floor((double)step / ((double)decay_epochs * (double)epoch_size)));
}

double fn_ramp_share(const struct fn_ramp *ramp, uint64_t step)
{
    const double pi = 3.14159265358979323846;
    double t;
    if (step < (uint64_t)ramp->warmup)
        return (double)(step + 1) / (double)ramp->warmup;
    if (!ramp->cosine)
        return 1;
    assert(ramp->cosine > ramp->warmup);
    t = (double)(step - (uint64_t)ramp->warmup) / (double)(ramp->cosine - ramp->warmup);
    return ramp->floor + (1 - ramp->floor) * (1 + cos(pi * (t < 1 ? t : 1))) / 2;
}
