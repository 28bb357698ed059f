/* SPDX-License-Identifier: MIT */
/* pairs.txt: lines of names and numbers. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "store/store.h"
#include "train/lfw.h"

#define NUMBER_DIGITS 9 /* name_%04d with up to nine digits: fits uint32_t */
#define BLANKS " \t\r\v\f"

struct word {
    char *text;
    size_t bytes;
};

/* Splits [from, to) at any of `separators`; blanks around a word do not belong to it and empty
 * words do not count. Returns the number of words, at most 5 of which are stored. */
static int split(char *from, char *to, const char *separators, struct word word[5])
{
    int count = 0;
    while (from < to) {
        char *end = from;
        while (end < to && !(*end && strchr(separators, *end)))
            end++;
        char *a = from, *b = end;
        while (a < b && *a && strchr(BLANKS, *a))
            a++;
        while (a < b && b[-1] && strchr(BLANKS, b[-1]))
            b--;
        if (a < b) {
            if (count < 5)
                word[count] = (struct word){a, (size_t)(b - a)};
            count++;
        }
        from = end + 1;
    }
    return count;
}

static int is_number(const struct word *w)
{
    for (size_t i = 0; i < w->bytes; i++)
        if (w->text[i] < '0' || w->text[i] > '9')
            return 0;
    return w->bytes <= NUMBER_DIGITS;
}

static int is_pair(const struct word *word, int count)
{
    return count == 3   ? is_number(&word[1]) && is_number(&word[2])
           : count == 4 ? is_number(&word[1]) && is_number(&word[3])
                        : 0;
}

static int bad_line(const char *where, uint32_t line, const struct word *word, int count)
{
    if (count != 3 && count != 4)
        return fn_fail(FN_EFORMAT, "%s:%u: %d words, want 'name i j' or 'name1 i name2 j'", where,
                       line, count);
    const struct word *bad = !is_number(&word[1]) ? &word[1] : &word[count - 1];
    return fn_fail(FN_EFORMAT, "%s:%u: '%.*s' is not the number of a picture", where, line,
                   (int)(bad->bytes < 60 ? bad->bytes : 60), bad->text);
}

/* The words end with NULs after this: `text` is the parser's own copy. */
static int take_pair(struct fn_pair_line *pair, struct word *word, int count, const char *where,
                     uint32_t line)
{
    int second = count == 3 ? 0 : 2;
    for (int side = 0; side < 2; side++) {
        struct word *name = &word[side * second];
        struct word *number = &word[side == 0 ? 1 : count - 1];
        if (!fn_name_ok(name->text, name->bytes))
            return fn_fail(FN_EFORMAT, "%s:%u: the name of person %d cannot be that of a folder",
                           where, line, side + 1);
        number->text[number->bytes] = 0;
        pair->number[side] = (uint32_t)strtoul(number->text, NULL, 10);
    }
    for (int side = 0; side < 2; side++) {
        struct word *name = &word[side * second];
        name->text[name->bytes] = 0;
        pair->name[side] = name->text;
    }
    pair->same = count == 3;
    pair->line = line;
    return FN_OK;
}

static int parse_line(struct fn_pairs *p, char *from, char *to, uint32_t line)
{
    struct word word[5];
    /* Tabs first: then a name may have blanks inside. */
    int count = split(from, to, "\t", word);
    if (!is_pair(word, count))
        count = split(from, to, BLANKS, word);
    if (count == 0)
        return FN_OK;
    if (line == 1 && (!is_pair(word, count) || is_number(&word[0])))
        return FN_OK; /* the header */
    if (!is_pair(word, count))
        return bad_line(p->where, line, word, count);
    return take_pair(&p->pair[p->count++], word, count, p->where, line);
}

static int parse(struct fn_pairs *p, size_t bytes)
{
    char *end = p->text + bytes, *from = p->text;
    for (uint32_t line = 1; from < end; line++) {
        char *stop = memchr(from, '\n', (size_t)(end - from));
        if (!stop)
            stop = end;
        int rc = parse_line(p, from, stop, line);
        if (rc != FN_OK)
            return rc;
        from = stop + 1;
    }
    if (p->count == 0)
        return fn_fail(FN_EFORMAT, "%s: not one pair in it", p->where);
    return FN_OK;
}

int fn_pairs_parse(struct fn_pairs **pairs, const char *text, size_t bytes, const char *where)
{
    int rc = FN_OK;
    size_t lines = 1;
    struct fn_pairs *p = calloc(1, sizeof *p);
    *pairs = NULL;
    for (size_t i = 0; i < bytes; i++)
        lines += text[i] == '\n';
    if (bytes > FN_PAIRS_MAX_BYTES)
        rc = fn_fail(FN_ELIMIT, "%s: %zu bytes, a pairs file has at most %u", where, bytes,
                     FN_PAIRS_MAX_BYTES);
    else if (!p || !(p->where = strdup(where)) || !(p->text = malloc(bytes + 1)) ||
             !(p->pair = calloc(lines, sizeof *p->pair)))
        rc = fn_fail(FN_ENOMEM, "no memory for the %zu lines of %s", lines, where);
    if (rc == FN_OK) {
        if (bytes)
            memcpy(p->text, text, bytes);
        p->text[bytes] = 0;
        rc = parse(p, bytes);
    }
    if (rc == FN_OK)
        *pairs = p;
    else
        fn_pairs_close(&p);
    return rc;
}

int fn_pairs_open(struct fn_pairs **pairs, const char *path)
{
    unsigned char *data;
    size_t bytes;
    *pairs = NULL;
    int rc = fn_file_read(path, FN_PAIRS_MAX_BYTES, &data, &bytes);
    if (rc != FN_OK)
        return fn_fail_in(rc, "the pairs, --lfw_pairs");
    rc = fn_pairs_parse(pairs, (const char *)data, bytes, path);
    free(data);
    return rc;
}

void fn_pairs_close(struct fn_pairs **pairs)
{
    if (!*pairs)
        return;
    free((*pairs)->pair);
    free((*pairs)->text);
    free((*pairs)->where);
    free(*pairs);
    *pairs = NULL;
}
