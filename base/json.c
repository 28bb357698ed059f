/* SPDX-License-Identifier: MIT */
/* jansson with sentences. */
#include "base/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/utf8.h"

/* Whoever builds an object from twenty members does not ask twenty times whether there was memory,
 * and jansson's parser calls a lack of it bad syntax. So it is noted where it happens, for
 * fn_json_dump to refuse an object with holes. */
static _Thread_local int denied;

static void *json_alloc(size_t bytes)
{
    void *p = malloc(bytes);
    denied |= !p;
    return p;
}

__attribute__((constructor)) static void set_alloc(void)
{
    json_set_alloc_funcs(json_alloc, free);
}

int fn_json_parse(const char *text, size_t bytes, const char *where, json_t **out)
{
    json_error_t error;
    int before = denied, lacking;
    denied = 0;
    *out = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
    lacking = denied;
    denied = before;
    if (*out && !lacking)
        return FN_OK;
    json_decref(*out); /* read with holes */
    *out = NULL;
    if (lacking)
        return fn_fail(FN_ENOMEM, "%s: out of memory while reading %zu bytes of JSON", where,
                       bytes);
    return fn_fail(FN_EFORMAT, "%s:%d:%d: not valid JSON: %s", where, error.line, error.column,
                   error.text);
}

int fn_json_load(const char *path, size_t limit, json_t **out)
{
    unsigned char *text = NULL;
    size_t bytes = 0;
    *out = NULL;
    int rc = fn_file_read(path, limit, &text, &bytes);
    if (rc == FN_OK)
        rc = fn_json_parse((const char *)text, bytes, path, out);
    free(text);
    return rc;
}

static const char *type_name(json_type type)
{
    static const char *const name[] = {
        [JSON_OBJECT] = "an object",    [JSON_ARRAY] = "an array", [JSON_STRING] = "a string",
        [JSON_INTEGER] = "an integer",  [JSON_REAL] = "a number",  [JSON_TRUE] = "true or false",
        [JSON_FALSE] = "true or false", [JSON_NULL] = "null",
    };
    return name[type];
}

static int fits(const json_t *value, json_type type)
{
    if (type == JSON_REAL)
        return json_is_number(value);
    if (type == JSON_TRUE || type == JSON_FALSE)
        return json_is_boolean(value);
    return json_typeof(value) == type;
}

int fn_json_member(const json_t *obj, const char *key, json_type type, const char *where,
                   json_t **out)
{
    *out = NULL;
    if (!json_is_object(obj))
        return fn_fail(FN_EFORMAT, "%s: want an object with a member \"%s\"", where, key);
    json_t *value = json_object_get(obj, key);
    if (!value)
        return fn_fail(FN_EFORMAT, "%s: no member \"%s\"", where, key);
    if (!fits(value, type))
        return fn_fail(FN_EFORMAT, "%s: member \"%s\" is %s, want %s", where, key,
                       type_name(json_typeof(value)), type_name(type));
    *out = value;
    return FN_OK;
}

int fn_json_int(const json_t *obj, const char *key, const char *where, int64_t *out)
{
    json_t *value;
    int rc = fn_json_member(obj, key, JSON_INTEGER, where, &value);
    if (rc == FN_OK)
        *out = json_integer_value(value);
    return rc;
}

int fn_json_real(const json_t *obj, const char *key, const char *where, double *out)
{
    json_t *value;
    int rc = fn_json_member(obj, key, JSON_REAL, where, &value);
    if (rc == FN_OK)
        *out = json_number_value(value);
    return rc;
}

int fn_json_string(const json_t *obj, const char *key, const char *where, const char **out)
{
    json_t *value;
    int rc = fn_json_member(obj, key, JSON_STRING, where, &value);
    if (rc == FN_OK)
        *out = json_string_value(value);
    return rc;
}

json_t *fn_json_bytes(const char *bytes, size_t count)
{
    static const char hex[] = "0123456789abcdef";
    if (count > (SIZE_MAX - 1) / 4)
        return NULL;
    char *text = malloc(4 * count + 1);
    if (!text)
        return NULL;
    const unsigned char *s = (const unsigned char *)bytes;
    size_t used = 0;
    for (size_t i = 0; i < count;) {
        size_t n = fn_utf8_length(s + i, count - i);
        if (n == 0 || s[i] == 0) { /* a NUL byte would be JSON, but many a reader stops there */
            text[used++] = '\\';
            text[used++] = 'x';
            text[used++] = hex[s[i] >> 4];
            text[used++] = hex[s[i] & 15];
            i++;
        } else {
            if (s[i] == '\\')
                text[used++] = '\\';
            memcpy(text + used, s + i, n);
            used += n;
            i += n;
        }
    }
    json_t *value = json_stringn(text, used);
    free(text);
    return value;
}

char *fn_json_dump(const json_t *value, size_t flags)
{
    char *text = json_dumps(value, flags);
    if (denied) {
        free(text);
        text = NULL;
    }
    denied = 0;
    if (!text)
        fn_fail(FN_ENOMEM, "out of memory while writing JSON");
    return text;
}

char *fn_json_text(const json_t *value)
{
    char *text = fn_json_dump(value, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    size_t length = text ? strlen(text) : 0;
    char *longer = text ? realloc(text, length + 2) : NULL;
    if (!longer) {
        free(text);
        fn_fail(FN_ENOMEM, "out of memory while writing JSON");
        return NULL;
    }
    memcpy(longer + length, "\n", 2);
    return longer;
}

int fn_json_print(const json_t *value)
{
    const size_t flags = JSON_SORT_KEYS | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15);
    char *text = fn_json_dump(value, flags);
    if (!text)
        return FN_ENOMEM;
    int rc = FN_OK;
    errno = 0;
    /* A reader that has gone is no failure of ours; fn_tool_exit() looks at the stream again. */
    if ((fputs(text, stdout) < 0 || fputc('\n', stdout) < 0 || fflush(stdout) != 0) &&
        errno != EPIPE)
        rc = fn_fail_errno("cannot write to standard output");
    free(text);
    return rc;
}
