/* SPDX-License-Identifier: MIT */
/* Reading safetensors: every number of the header is checked before it is used. */
#include "train/safetensors.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/file.h"
#include "base/json.h"
#include "train/safetensors_internal.h"

#define HEADER_MAX 100000000u /* bytes: the limit of the format's own library */

struct fn_safetensors {
    char *where;
    struct fn_map map;         /* of the file, if opened by path */
    const unsigned char *data; /* behind the header */
    uint64_t bytes;
    json_t *header;                  /* owns the names */
    const json_t *meta;              /* NULL: none */
    struct fn_named_tensor *tensors; /* in order of their place */
    const struct fn_named_tensor **by_name;
    size_t count;
};

static const struct {
    const char *name;
    size_t bytes;
} dtypes[FN_DTYPE_COUNT] = {
    [FN_DTYPE_F64] = {"F64", 8},   [FN_DTYPE_F32] = {"F32", 4}, [FN_DTYPE_F16] = {"F16", 2},
    [FN_DTYPE_BF16] = {"BF16", 2}, [FN_DTYPE_I64] = {"I64", 8}, [FN_DTYPE_I32] = {"I32", 4},
    [FN_DTYPE_I16] = {"I16", 2},   [FN_DTYPE_I8] = {"I8", 1},   [FN_DTYPE_U64] = {"U64", 8},
    [FN_DTYPE_U32] = {"U32", 4},   [FN_DTYPE_U16] = {"U16", 2}, [FN_DTYPE_U8] = {"U8", 1},
    [FN_DTYPE_BOOL] = {"BOOL", 1},
};

const char *fn_dtype_name(int dtype)
{
    return dtype >= 0 && dtype < FN_DTYPE_COUNT ? dtypes[dtype].name : "?";
}

size_t fn_dtype_bytes(int dtype)
{
    return dtype >= 0 && dtype < FN_DTYPE_COUNT ? dtypes[dtype].bytes : 0;
}

int fn_tensor_size(struct fn_named_tensor *t)
{
    t->count = 1;
    for (int i = 0; i < t->rank; i++)
        if (__builtin_mul_overflow(t->count, t->shape[i], &t->count))
            return 0;
    return !__builtin_mul_overflow(t->count, (uint64_t)fn_dtype_bytes(t->dtype), &t->bytes);
}

static int tensor_bad(const struct fn_safetensors *st, const char *name, const char *what)
{
    return fn_fail(FN_EFORMAT, "%s: tensor '%.100s': %s", st->where, name, what);
}

/* An array of whole numbers >= 0; *count: in, the most there may be; out, how many there are. */
static int numbers(const json_t *obj, const char *key, uint64_t *out, int *count)
{
    const json_t *array = json_object_get(obj, key);
    if (!json_is_array(array) || json_array_size(array) > (size_t)*count)
        return 0;
    *count = (int)json_array_size(array);
    for (int i = 0; i < *count; i++) {
        const json_t *v = json_array_get(array, (size_t)i);
        if (!json_is_integer(v) || json_integer_value(v) < 0)
            return 0;
        out[i] = (uint64_t)json_integer_value(v);
    }
    return 1;
}

static int read_tensor(const struct fn_safetensors *st, const char *name, const json_t *value,
                       struct fn_named_tensor *t)
{
    uint64_t offset[2];
    int two = 2;
    const char *dtype = json_string_value(json_object_get(value, "dtype"));
    if (!json_is_object(value) || !dtype)
        return tensor_bad(st, name, "no dtype");
    t->name = name;
    t->dtype = 0;
    while (t->dtype < FN_DTYPE_COUNT && strcmp(dtypes[t->dtype].name, dtype) != 0)
        t->dtype++;
    if (t->dtype == FN_DTYPE_COUNT)
        return fn_fail(FN_EUNSUPPORTED, "%s: tensor '%.100s' has the unknown dtype '%.20s'",
                       st->where, name, dtype);
    t->rank = FN_TENSOR_MAX_RANK;
    if (!numbers(value, "shape", t->shape, &t->rank))
        return tensor_bad(st, name, "its shape is not a list of at most 8 sizes");
    if (!fn_tensor_size(t))
        return tensor_bad(st, name, "its shape is larger than any memory");
    if (!numbers(value, "data_offsets", offset, &two) || two != 2 || offset[0] > offset[1])
        return tensor_bad(st, name, "its data_offsets are not a begin and an end");
    if (offset[1] > st->bytes)
        return fn_fail(FN_ECORRUPT,
                       "%s: cut short: tensor '%.100s' ends at byte %" PRIu64
                       " of the data, there are %" PRIu64,
                       st->where, name, offset[1], st->bytes);
    if (offset[1] - offset[0] != t->bytes)
        return tensor_bad(st, name, "its data_offsets do not fit its shape and dtype");
    t->data = st->data + offset[0];
    return FN_OK;
}

static int by_place(const void *a, const void *b)
{
    const struct fn_named_tensor *x = a, *y = b;
    const char *p = x->data, *q = y->data;
    if (p != q)
        return p < q ? -1 : 1;
    /* An empty tensor stands before the one that begins at its place. */
    if ((x->bytes == 0) != (y->bytes == 0))
        return x->bytes == 0 ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int by_name(const void *a, const void *b)
{
    const struct fn_named_tensor *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* Neither overlaps nor gaps: the format's rule, and what makes hidden data impossible. */
static int check_places(const struct fn_safetensors *st)
{
    const unsigned char *at = st->data;
    for (size_t i = 0; i < st->count; i++) {
        const struct fn_named_tensor *t = &st->tensors[i];
        if ((const unsigned char *)t->data != at)
            return tensor_bad(st, t->name, "its data overlap another tensor's, or leave a gap");
        at += t->bytes;
    }
    if (at != st->data + st->bytes)
        return fn_fail(FN_EFORMAT, "%s: %zu bytes behind the last tensor", st->where,
                       (size_t)(st->data + st->bytes - at));
    return FN_OK;
}

static int check_meta(struct fn_safetensors *st, const json_t *value)
{
    const char *key;
    json_t *v;
    if (!json_is_object(value))
        return fn_fail(FN_EFORMAT, "%s: __metadata__ is not an object", st->where);
    json_object_foreach((json_t *)value, key, v) if (!json_is_string(v)) return fn_fail(
        FN_EFORMAT, "%s: __metadata__ '%.100s' is not a string", st->where, key);
    st->meta = value;
    return FN_OK;
}

static int read_header(struct fn_safetensors *st)
{
    const char *key;
    json_t *value;
    if (!json_is_object(st->header))
        return fn_fail(FN_EFORMAT, "%s: not a safetensors file: its header is no JSON object",
                       st->where);
    size_t n = json_object_size(st->header);
    st->tensors = calloc(n ? n : 1, sizeof *st->tensors);
    st->by_name = calloc(n ? n : 1, sizeof *st->by_name);
    if (!st->tensors || !st->by_name)
        return fn_fail(FN_ENOMEM, "%s: no memory for %zu tensors", st->where, n);
    json_object_foreach(st->header, key, value)
    {
        int rc = strcmp(key, "__metadata__") == 0
                     ? check_meta(st, value)
                     : read_tensor(st, key, value, &st->tensors[st->count++]);
        if (rc != FN_OK)
            return rc;
    }
    qsort(st->tensors, st->count, sizeof *st->tensors, by_place);
    for (size_t i = 0; i < st->count; i++)
        st->by_name[i] = &st->tensors[i];
    qsort(st->by_name, st->count, sizeof *st->by_name, by_name);
    return check_places(st);
}

static uint64_t little64(const unsigned char *p)
{
    uint64_t v = 0;
    for (int i = 7; i >= 0; i--)
        v = v << 8 | p[i];
    return v;
}

static int parse(struct fn_safetensors *st, const unsigned char *data, size_t bytes)
{
    if (bytes < 8)
        return fn_fail(FN_EFORMAT, "%s: not a safetensors file: only %zu bytes", st->where, bytes);
    uint64_t header = little64(data);
    if (header > HEADER_MAX)
        return fn_fail(FN_EFORMAT,
                       "%s: not a safetensors file: a header of %" PRIu64
                       " bytes, the format allows %u",
                       st->where, header, HEADER_MAX);
    if (header > bytes - 8)
        return fn_fail(FN_ECORRUPT,
                       "%s: cut short: a header of %" PRIu64 " bytes, the file has %zu", st->where,
                       header, bytes);
    st->data = data + 8 + header;
    st->bytes = bytes - 8 - header;
    int rc = fn_json_parse((const char *)data + 8, header, st->where, &st->header);
    if (rc == FN_EFORMAT)
        return fn_fail_in(rc, "not a safetensors file");
    return rc == FN_OK ? read_header(st) : rc;
}

static int start(struct fn_safetensors **out, const char *where)
{
    struct fn_safetensors *st = calloc(1, sizeof *st);
    *out = NULL;
    if (!st || !(st->where = strdup(where))) {
        free(st);
        return fn_fail(FN_ENOMEM, "no memory to read %s", where);
    }
    *out = st;
    return FN_OK;
}

int fn_safetensors_parse(struct fn_safetensors **st, const void *data, size_t bytes,
                         const char *where)
{
    int rc = start(st, where);
    if (rc == FN_OK)
        rc = parse(*st, data, bytes);
    if (rc != FN_OK)
        fn_safetensors_close(st);
    return rc;
}

int fn_safetensors_open(struct fn_safetensors **st, const char *path)
{
    int rc = start(st, path);
    if (rc == FN_OK)
        rc = fn_map_open(&(*st)->map, path);
    if (rc == FN_OK)
        rc = parse(*st, (*st)->map.data, (*st)->map.bytes);
    if (rc != FN_OK)
        fn_safetensors_close(st);
    return rc;
}

void fn_safetensors_close(struct fn_safetensors **st)
{
    if (!*st)
        return;
    json_decref((*st)->header);
    free((*st)->tensors);
    free((*st)->by_name);
    fn_map_close(&(*st)->map);
    free((*st)->where);
    free(*st);
    *st = NULL;
}

size_t fn_safetensors_count(const struct fn_safetensors *st)
{
    return st->count;
}

const struct fn_named_tensor *fn_safetensors_at(const struct fn_safetensors *st, size_t i)
{
    return &st->tensors[i];
}

const struct fn_named_tensor *fn_safetensors_find(const struct fn_safetensors *st, const char *name)
{
    struct fn_named_tensor wanted = {.name = name};
    const struct fn_named_tensor *key = &wanted;
    const struct fn_named_tensor *const *found =
        bsearch(&key, st->by_name, st->count, sizeof *st->by_name, by_name);
    return found ? *found : NULL;
}

const char *fn_safetensors_meta(const struct fn_safetensors *st, const char *key)
{
    return json_string_value(json_object_get(st->meta, key));
}

int fn_safetensors_verify(const struct fn_safetensors *st)
{
    char have[17];
    const char *want = fn_safetensors_meta(st, FN_SAFETENSORS_SUM);
    if (!want)
        return FN_OK;
    snprintf(have, sizeof have, "%016" PRIx64, (uint64_t)XXH3_64bits(st->data, st->bytes));
    if (strcmp(have, want) != 0)
        return fn_fail(FN_ECORRUPT, "%s: damaged: its data have checksum %s, want %.32s", st->where,
                       have, want);
    return FN_OK;
}
