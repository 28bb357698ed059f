/* SPDX-License-Identifier: MIT */
/* classes.tsv: what the rows of the head mean. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "train/field.h"
#include "train/split.h"

#define HEADER "label\tclass\ttraining_images\tvalidation_images\n"
#define CLASSES_MAX_BYTES ((size_t)1 << 32)

static int new_list(struct fn_class_list **out, uint32_t count)
{
    size_t n = count ? count : 1;
    struct fn_class_list *l = calloc(1, sizeof *l);
    *out = l;
    if (l) {
        l->count = count;
        l->name = calloc(n, sizeof *l->name);
        l->train = calloc(n, sizeof *l->train);
        l->val = calloc(n, sizeof *l->val);
    }
    if (l && l->name && l->train && l->val)
        return FN_OK;
    fn_class_list_close(out);
    return fn_fail(FN_ENOMEM, "no memory for the names of %u classes", count);
}

int fn_class_list_of(struct fn_class_list **out, const struct fn_split *split,
                     const struct fn_store *store)
{
    int rc = new_list(out, split->classes);
    for (uint32_t i = 0; rc == FN_OK && i < split->classes; i++) {
        const struct fn_split_class *c = &split->kept[i];
        const char *name;
        rc = fn_store_class_name(store, c->store_label, &name);
        if (rc == FN_OK && !((*out)->name[i] = strdup(name)))
            rc = fn_fail(FN_ENOMEM, "no memory for the name of class %u", i);
        (*out)->train[i] = c->train;
        (*out)->val[i] = c->val;
    }
    if (rc != FN_OK)
        fn_class_list_close(out);
    return rc;
}

void fn_class_list_close(struct fn_class_list **list)
{
    struct fn_class_list *l = *list;
    if (!l)
        return;
    for (uint32_t i = 0; l->name && i < l->count; i++)
        free(l->name[i]);
    free(l->name);
    free(l->train);
    free(l->val);
    free(l);
    *list = NULL;
}

int fn_class_list_write(const struct fn_class_list *list, const char *path)
{
    struct fn_out *out;
    int rc = fn_out_open(&out, path);
    if (rc != FN_OK)
        return rc;
    FILE *f = fn_out_stream(out);
    fputs(HEADER, f);
    for (uint32_t i = 0; rc == FN_OK && i < list->count; i++) {
        json_t *name = fn_json_bytes(list->name[i], strlen(list->name[i]));
        if (name)
            fprintf(f, "%u\t%s\t%" PRIu64 "\t%" PRIu64 "\n", i, json_string_value(name),
                    list->train[i], list->val[i]);
        else
            rc = fn_fail(FN_ENOMEM, "%s: out of memory", path);
        json_decref(name);
    }
    if (rc == FN_OK)
        rc = fn_out_commit(out);
    fn_out_close(&out);
    return rc;
}

static int read_row(struct fn_class_list *l, uint32_t i, char *row, const char *path)
{
    uint64_t label;
    char *number = fn_field_next(&row), *name = fn_field_next(&row), *train = fn_field_next(&row),
         *val = fn_field_next(&row);
    if (!fn_field_whole(number, &label) || label != i || !name || !fn_field_name(name) ||
        !fn_field_whole(train, &l->train[i]) || !fn_field_whole(val, &l->val[i]) || row)
        return fn_fail(FN_EFORMAT, "%s:%u: want label %u, a class name and two numbers of images",
                       path, i + 2, i);
    if (!(l->name[i] = strdup(name)))
        return fn_fail(FN_ENOMEM, "%s: out of memory", path);
    return FN_OK;
}

static int read_rows(struct fn_class_list **out, char *text, size_t bytes, const char *path)
{
    size_t lines = 0;
    if (strncmp(text, HEADER, strlen(HEADER)) != 0)
        return fn_fail(FN_EFORMAT, "%s:1: not a list of classes", path);
    for (size_t i = 0; i < bytes; i++)
        lines += text[i] == '\n';
    if (text[bytes - 1] != '\n' || strlen(text) != bytes || lines - 1 > INT32_MAX)
        return fn_fail(FN_EFORMAT, "%s: cut short, or not text", path);
    int rc = new_list(out, (uint32_t)(lines - 1));
    char *row = text + strlen(HEADER);
    for (uint32_t i = 0; rc == FN_OK && i < (*out)->count; i++) {
        char *end = strchr(row, '\n');
        *end = 0;
        rc = read_row(*out, i, row, path);
        row = end + 1;
    }
    return rc;
}

int fn_class_list_read(struct fn_class_list **out, const char *path)
{
    unsigned char *text;
    size_t bytes;
    *out = NULL;
    int rc = fn_file_read(path, CLASSES_MAX_BYTES, &text, &bytes);
    if (rc != FN_OK)
        return rc;
    rc = read_rows(out, (char *)text, bytes, path);
    free(text);
    if (rc != FN_OK)
        fn_class_list_close(out);
    return rc;
}

int fn_class_list_compare(const struct fn_class_list *a, const char *have,
                          const struct fn_class_list *b, const char *want)
{
    for (uint32_t i = 0; i < a->count && i < b->count; i++) {
        if (strcmp(a->name[i], b->name[i]) != 0)
            return fn_fail(FN_EMISMATCH, "class %u of %s is '%s', of %s '%s'", i, have, a->name[i],
                           want, b->name[i]);
        if (a->train[i] != b->train[i] || a->val[i] != b->val[i])
            return fn_fail(FN_EMISMATCH,
                           "class %u ('%s') has %" PRIu64 " training and %" PRIu64
                           " validation images in %s, %" PRIu64 " and %" PRIu64 " in %s",
                           i, a->name[i], a->train[i], a->val[i], have, b->train[i], b->val[i],
                           want);
    }
    if (a->count != b->count)
        return fn_fail(FN_EMISMATCH, "%s has %u classes, %s %u", have, a->count, want, b->count);
    return FN_OK;
}
