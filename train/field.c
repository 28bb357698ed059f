/* SPDX-License-Identifier: MIT */
#include "train/field.h"

#include <stdlib.h>
#include <string.h>

#include "store/store.h"

void fn_field_put(FILE *f, const char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c < 32 || c == 127 || c == '\\')
            fprintf(f, "\\x%02x", c);
        else
            putc(c, f);
    }
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int fn_field_name(char *text)
{
    char *to = text;
    for (char *from = text; *from; from++) {
        if (*from != '\\') {
            *to++ = *from;
        } else if (from[1] == '\\') {
            *to++ = *++from;
        } else if (from[1] == 'x' && hex(from[2]) >= 0 && hex(from[3]) >= 0) {
            *to++ = (char)(hex(from[2]) << 4 | hex(from[3]));
            from += 3;
        } else {
            return 0;
        }
    }
    *to = 0;
    return fn_name_ok(text, (size_t)(to - text)) && strlen(text) == (size_t)(to - text);
}

int fn_field_whole(const char *text, uint64_t *value)
{
    if (!text || strspn(text, "0123456789") != strlen(text) || !*text || strlen(text) > 18)
        return 0;
    *value = strtoull(text, NULL, 10);
    return 1;
}

char *fn_field_next(char **row)
{
    char *begin = *row;
    if (!begin)
        return NULL;
    *row = strchr(begin, '\t');
    if (*row)
        *(*row)++ = 0;
    return begin;
}
