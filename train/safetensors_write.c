/* SPDX-License-Identifier: MIT */
/* Writing safetensors: header, then data in place, then the data's checksum into the header. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/file.h"
#include "base/json.h"
#include "train/safetensors_internal.h"

#define DATA_ALIGN 64u
#define NO_SUM "0000000000000000" /* stands in the header until the data are written */

struct write {
    const char *path;
    struct fn_named_tensor *tensors; /* copies, wider elements first */
    size_t *index;                   /* where each stood in the caller's list */
    size_t count;
    char *header;
    size_t header_bytes; /* padded */
    size_t sum_at;       /* in the header */
};

/* Wider elements first, else the caller's order: all are aligned without padding. */
static int sort_tensors(struct write *w, const struct fn_named_tensor *tensors, size_t count)
{
    w->tensors = calloc(count ? count : 1, sizeof *w->tensors);
    w->index = calloc(count ? count : 1, sizeof *w->index);
    if (!w->tensors || !w->index)
        return fn_fail(FN_ENOMEM, "%s: no memory for %zu tensors", w->path, count);
    for (size_t size = 8; size >= 1; size /= 2)
        for (size_t i = 0; i < count; i++) {
            struct fn_named_tensor *t = &w->tensors[w->count];
            if (fn_dtype_bytes(tensors[i].dtype) != size)
                continue;
            *t = tensors[i];
            w->index[w->count++] = i;
            if (t->rank < 0 || t->rank > FN_TENSOR_MAX_RANK || !fn_tensor_size(t))
                return fn_fail(FN_EINTERNAL, "%s: tensor '%s' has an impossible shape", w->path,
                               t->name);
        }
    if (w->count != count)
        return fn_fail(FN_EINTERNAL, "%s: a tensor of unknown dtype", w->path);
    return FN_OK;
}

static json_t *tensor_json(const struct fn_named_tensor *t, uint64_t begin)
{
    json_t *shape = json_array();
    for (int i = 0; i < t->rank; i++)
        json_array_append_new(shape, json_integer((json_int_t)t->shape[i]));
    return json_pack("{s:s, s:o, s:[I,I]}", "dtype", fn_dtype_name(t->dtype), "shape", shape,
                     "data_offsets", (json_int_t)begin, (json_int_t)(begin + t->bytes));
}

static json_t *meta_json(const struct fn_meta *meta, size_t count)
{
    json_t *obj = json_object();
    int bad = json_object_set_new(obj, FN_SAFETENSORS_SUM, json_string(NO_SUM));
    for (size_t i = 0; i < count; i++)
        if (strcmp(meta[i].key, FN_SAFETENSORS_SUM) != 0) /* copied from another file */
            bad |= json_object_set_new(obj, meta[i].key, json_string(meta[i].value));
    if (bad) {
        json_decref(obj);
        return NULL;
    }
    return obj;
}

/* The header's JSON, padded with blanks so that the data begin aligned. */
static int make_header(struct write *w, const struct fn_meta *meta, size_t meta_count)
{
    int rc = FN_OK;
    uint64_t begin = 0;
    char *text = NULL;
    json_t *root = json_object(), *m = meta_json(meta, meta_count);
    if (!m || json_object_set_new(root, "__metadata__", m) != 0)
        rc = fn_fail(FN_EINTERNAL, "%s: metadata that are not UTF-8, or no memory", w->path);
    for (size_t i = 0; rc == FN_OK && i < w->count; i++) {
        const struct fn_named_tensor *t = &w->tensors[i];
        if (json_object_get(root, t->name))
            rc = fn_fail(FN_EINTERNAL, "%s: two tensors called '%s'", w->path, t->name);
        else if (json_object_set_new(root, t->name, tensor_json(t, begin)) != 0)
            rc = fn_fail(FN_EINTERNAL, "%s: a name that is not UTF-8, or no memory", w->path);
        begin += t->bytes;
    }
    if (rc == FN_OK && !(text = fn_json_dump(root, JSON_COMPACT)))
        rc = fn_fail(FN_ENOMEM, "%s: no memory for the header", w->path);
    if (rc == FN_OK) {
        size_t bytes = strlen(text);
        w->header_bytes = (8 + bytes + DATA_ALIGN - 1) / DATA_ALIGN * DATA_ALIGN - 8;
        if (!(w->header = malloc(w->header_bytes))) {
            rc = fn_fail(FN_ENOMEM, "%s: no memory for the header", w->path);
        } else {
            memset(w->header, ' ', w->header_bytes);
            memcpy(w->header, text, bytes);
            /* It is the first member of the first object. */
            w->sum_at = (size_t)(strstr(text, FN_SAFETENSORS_SUM "\":\"") - text) +
                        strlen(FN_SAFETENSORS_SUM "\":\"");
        }
    }
    free(text);
    json_decref(root);
    return rc;
}

static void put(FILE *f, const void *data, size_t bytes, XXH3_state_t *sum)
{
    if (bytes == 0)
        return;
    fwrite(data, 1, bytes, f); /* errors are found at commit */
    if (sum)
        XXH3_64bits_update(sum, data, bytes);
}

static int put_data(struct write *w, FILE *f, XXH3_state_t *sum,
                    int (*fill)(void *context, size_t index, void *buffer), void *context)
{
    int rc = FN_OK;
    uint64_t largest = 0;
    void *buffer = NULL;
    for (size_t i = 0; i < w->count; i++)
        if (!w->tensors[i].data && w->tensors[i].bytes > largest)
            largest = w->tensors[i].bytes;
    if (largest && !fill)
        return fn_fail(FN_EINTERNAL, "%s: tensors without data", w->path);
    if (largest && !(buffer = malloc(largest)))
        return fn_fail(FN_ENOMEM, "%s: no memory for a tensor of %" PRIu64 " bytes", w->path,
                       largest);
    for (size_t i = 0; rc == FN_OK && i < w->count; i++) {
        const struct fn_named_tensor *t = &w->tensors[i];
        if (!t->data && t->bytes)
            rc = fill(context, w->index[i], buffer);
        if (rc == FN_OK)
            put(f, t->data ? t->data : buffer, t->bytes, sum);
    }
    free(buffer);
    return rc;
}

static int write_file(struct write *w, struct fn_out *out, XXH3_state_t *sum,
                      int (*fill)(void *context, size_t index, void *buffer), void *context)
{
    unsigned char length[8];
    char hex[17];
    FILE *f = fn_out_stream(out);
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)((uint64_t)w->header_bytes >> 8 * i);
    put(f, length, sizeof length, NULL);
    put(f, w->header, w->header_bytes, NULL);
    XXH3_64bits_reset(sum);
    int rc = put_data(w, f, sum, fill, context);
    if (rc != FN_OK)
        return rc;
    snprintf(hex, sizeof hex, "%016" PRIx64, (uint64_t)XXH3_64bits_digest(sum));
    /* A stream that has failed already stays failed: the commit says so. */
    if (fflush(f) == 0 && fseeko(f, (off_t)(8 + w->sum_at), SEEK_SET) != 0)
        return fn_fail_errno("%s: cannot go back to its header", w->path);
    put(f, hex, 16, NULL);
    return fn_out_commit(out);
}

int fn_safetensors_write(const char *path, const struct fn_named_tensor *tensors, size_t count,
                         const struct fn_meta *meta, size_t meta_count,
                         int (*fill)(void *context, size_t index, void *buffer), void *context)
{
    struct write w = {.path = path};
    struct fn_out *out = NULL;
    XXH3_state_t *sum = XXH3_createState();
    int rc = sum ? FN_OK : fn_fail(FN_ENOMEM, "%s: no memory for a checksum", path);
    if (rc == FN_OK)
        rc = sort_tensors(&w, tensors, count);
    if (rc == FN_OK)
        rc = make_header(&w, meta, meta_count);
    if (rc == FN_OK)
        rc = fn_out_open(&out, path);
    if (rc == FN_OK)
        rc = write_file(&w, out, sum, fill, context);
    fn_out_close(&out);
    XXH3_freeState(sum);
    free(w.header);
    free(w.tensors);
    free(w.index);
    return rc;
}
