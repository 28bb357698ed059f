/* SPDX-License-Identifier: MIT */
/* state.json: where a run stands, as text. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "train/checkpoint_parts.h"

enum { FORMAT = 1 };
#define STATE_MAX_BYTES (1u << 30) /* millions of triplets can be under way */

void fn_train_state_free(struct fn_train_state *state)
{
    if (state->options)
        json_decref(state->options);
    state->options = NULL;
    free(state->triplets);
    state->triplets = NULL;
    state->triplet_rows = 0;
}

/* The triplets under way as an array. NULL: out of memory. */
static json_t *triplets_json(const struct fn_train_state *s)
{
    json_t *a = json_array();
    for (size_t i = 0; a && i < s->triplet_rows; i++)
        if (json_array_append_new(a, json_integer(s->triplets[i]))) {
            json_decref(a);
            return NULL;
        }
    return a;
}

static int put_group(json_t *o, const struct fn_train_state *s)
{
    int bad = json_object_set_new(o, "group", json_integer(s->group)) ||
              json_object_set_new(o, "group_batches", json_integer(s->group_batches));
    return bad || json_object_set_new(o, "triplets", triplets_json(s));
}

/* Trailing zeros are left out: most epochs fill the lower bins. */
static int put_prelogits(json_t *o, const struct fn_train_state *s)
{
    json_t *a = json_array();
    int bad = !a, used = FN_PRELOGITS_BINS;
    while (used > 0 && !s->prelogits[used - 1])
        used--;
    for (int i = 0; i < used && !bad; i++)
        bad = json_array_append_new(a, json_integer((json_int_t)s->prelogits[i]));
    if (!bad)
        return json_object_set_new(o, "prelogits_hist", a);
    json_decref(a);
    return bad;
}

/* Paths may hold any bytes; jansson wants UTF-8. */
static int set_text(json_t *o, const char *key, const char *text)
{
    return json_object_set_new(o, key, fn_json_bytes(text, strlen(text)));
}

int fn_state_write(const char *path, const struct fn_train_state *s, const json_t *checksums)
{
    json_t *o = json_object();
    char *text = NULL;
    int bad = !o, rc = FN_OK;
    if (o) {
        bad |= json_object_set_new(o, "format", json_integer(FORMAT));
        bad |= json_object_set_new(o, "step", json_integer((json_int_t)s->step));
        bad |= json_object_set_new(o, "epoch", json_integer(s->epoch));
        bad |= json_object_set_new(o, "batch", json_integer(s->batch));
        bad |= json_object_set_new(o, "validated", json_integer(s->validated));
        bad |= json_object_set_new(o, "seed", json_integer((json_int_t)s->seed));
        bad |= set_text(o, "content_id", s->content_id);
        bad |= set_text(o, "backend", s->backend);
        bad |= set_text(o, "bits", s->bits);
        bad |= set_text(o, "precision", s->precision);
        bad |= json_object_set_new(o, "average_xent", json_real(s->average_xent));
        bad |= json_object_set_new(o, "average_total", json_real(s->average_total));
        bad |= json_object_set_new(o, "decay", json_real(s->decay));
        bad |= put_group(o, s);
        bad |= put_prelogits(o, s);
        bad |= json_object_set_new(o, "best_step", json_integer(s->best_step));
        bad |= json_object_set_new(o, "best_accuracy", json_real(s->best_accuracy));
        bad |= json_object_set_new(o, "went_back", json_integer(s->went_back));
        bad |=
            json_object_set_new(o, "options", s->options ? json_incref(s->options) : json_object());
        bad |= json_object_set(o, "checksums", (json_t *)(uintptr_t)checksums);
    }
    if (!bad)
        text = fn_json_text(o);
    rc = text ? fn_file_write(path, text, strlen(text))
              : fn_fail(FN_ENOMEM, "no memory for %s", path);
    free(text);
    json_decref(o);
    return rc;
}

static int get_text(const json_t *o, const char *key, const char *where, char *out, size_t cap)
{
    const char *text = NULL;
    int rc = fn_json_string(o, key, where, &text);
    if (!rc && strlen(text) >= cap)
        return fn_fail(FN_EFORMAT, "%s: %s is too long", where, key);
    if (!rc)
        snprintf(out, cap, "%s", text);
    return rc;
}

static int get_count(const json_t *o, const char *key, const char *where, int64_t *out)
{
    int rc = fn_json_int(o, key, where, out);
    if (!rc && *out < 0)
        return fn_fail(FN_EFORMAT, "%s: %s is %" PRId64, where, key, *out);
    return rc;
}

/* Absent in checkpoints of a program that knew no triplets. */
static int get_group(const json_t *o, const char *where, struct fn_train_state *s)
{
    json_t *a = NULL;
    int rc = FN_OK;
    if (!json_object_get(o, "group"))
        return FN_OK;
    rc = get_count(o, "group", where, &s->group);
    if (!rc)
        rc = get_count(o, "group_batches", where, &s->group_batches);
    if (!rc)
        rc = fn_json_member(o, "triplets", JSON_ARRAY, where, &a);
    if (rc || !json_array_size(a))
        return rc;
    s->triplet_rows = json_array_size(a);
    s->triplets = malloc(s->triplet_rows * sizeof *s->triplets);
    if (!s->triplets)
        return fn_fail(FN_ENOMEM, "no memory for the triplets of %s", where);
    for (size_t i = 0; i < s->triplet_rows; i++) {
        json_int_t row = json_integer_value(json_array_get(a, i));
        if (row < 0 || row > INT32_MAX || s->triplet_rows % 3)
            return fn_fail(FN_EFORMAT, "%s: triplets has values that are none", where);
        s->triplets[i] = (int32_t)row;
    }
    return FN_OK;
}

/* Absent in checkpoints of a program that did not count them. */
static int get_prelogits(const json_t *o, const char *where, struct fn_train_state *s)
{
    const json_t *a = json_object_get(o, "prelogits_hist");
    for (size_t i = 0; i < json_array_size(a); i++) {
        json_int_t count = json_integer_value(json_array_get(a, i));
        if (i >= FN_PRELOGITS_BINS || count < 0)
            return fn_fail(FN_EFORMAT, "%s: prelogits_hist is none", where);
        s->prelogits[i] = (uint64_t)count;
    }
    return FN_OK;
}

static int read_fields(const json_t *o, const char *path, struct fn_train_state *s)
{
    int64_t step = 0, seed = 0, validated = 0, went_back = 0;
    json_t *options = NULL;
    int rc = get_count(o, "step", path, &step);
    if (!rc)
        rc = get_count(o, "epoch", path, &s->epoch);
    if (!rc)
        rc = get_count(o, "batch", path, &s->batch);
    if (!rc)
        rc = get_count(o, "validated", path, &validated);
    if (!rc)
        rc = fn_json_int(o, "seed", path, &seed);
    if (!rc)
        rc = fn_json_int(o, "best_step", path, &s->best_step);
    if (!rc)
        rc = fn_json_int(o, "went_back", path, &went_back);
    if (!rc)
        rc = get_text(o, "content_id", path, s->content_id, sizeof s->content_id);
    if (!rc)
        rc = get_text(o, "backend", path, s->backend, sizeof s->backend);
    if (!rc)
        rc = get_text(o, "bits", path, s->bits, sizeof s->bits);
    if (!rc)
        rc = get_text(o, "precision", path, s->precision, sizeof s->precision);
    if (!rc)
        rc = fn_json_real(o, "average_xent", path, &s->average_xent);
    if (!rc)
        rc = fn_json_real(o, "average_total", path, &s->average_total);
    if (!rc)
        rc = fn_json_real(o, "decay", path, &s->decay);
    if (!rc)
        rc = fn_json_real(o, "best_accuracy", path, &s->best_accuracy);
    if (!rc)
        rc = get_group(o, path, s);
    if (!rc)
        rc = get_prelogits(o, path, s);
    if (!rc)
        rc = fn_json_member(o, "options", JSON_OBJECT, path, &options);
    s->step = (uint64_t)step;
    s->seed = (uint64_t)seed;
    s->validated = validated != 0;
    s->went_back = went_back != 0;
    s->options = json_incref(options);
    return rc;
}

int fn_state_read(const char *folder, struct fn_train_state *s, json_t **checksums)
{
    char *path = fn_path_join(folder, FN_CHECKPOINT_INFO);
    json_t *o = NULL, *sums = NULL;
    int64_t format = 0;
    int rc;
    memset(s, 0, sizeof *s);
    if (!path)
        return FN_ENOMEM;
    rc = fn_json_load(path, STATE_MAX_BYTES, &o);
    if (!rc)
        rc = fn_json_int(o, "format", path, &format);
    if (!rc && format > FORMAT)
        rc = fn_fail(FN_EVERSION, "%s: format %" PRId64 ", this program knows up to %d", path,
                     format, FORMAT);
    if (!rc)
        rc = read_fields(o, path, s);
    if (!rc)
        rc = fn_json_member(o, "checksums", JSON_OBJECT, path, &sums);
    if (!rc && checksums)
        *checksums = json_incref(sums);
    if (rc)
        fn_train_state_free(s);
    json_decref(o);
    free(path);
    return rc;
}

int fn_checkpoint_state(const char *folder, struct fn_train_state *state)
{
    return fn_state_read(folder, state, NULL);
}
