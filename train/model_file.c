/* SPDX-License-Identifier: MIT */
/* Finding a trained network on disk, and its record of how it wants its pictures. */
#include "train/model_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "train/checkpoint.h"
#include "train/weights.h"

#define RECORD_FORMAT "1"
/* What published networks of this kind were trained with (davidsandberg/facenet, 2018). */
enum { PUBLISHED_SIZE = 160 };

static const char *const keys[FN_RECORD_KEYS] = {
    "fn.format",  "fn.network", "fn.image_size", "fn.standardization", "fn.colour", "fn.embedding",
    "fn.classes", "fn.step",    "format"};

void fn_record_write(const struct fn_model_record *r, struct fn_record_text *text)
{
    size_t cap = sizeof text->values[0];
    snprintf(text->values[0], cap, RECORD_FORMAT);
    snprintf(text->values[1], cap, "%s", r->network);
    snprintf(text->values[2], cap, "%d", r->image_size);
    snprintf(text->values[3], cap, "%s", r->per_image ? "per_image" : "fixed");
    snprintf(text->values[4], cap, "RGB");
    snprintf(text->values[5], cap, "%d", r->embedding);
    snprintf(text->values[6], cap, "%d", r->classes);
    snprintf(text->values[7], cap, "%lld", (long long)r->step);
    snprintf(text->values[8], cap, "pt"); /* PyTorch's layouts, as other tools mark it */
    for (int i = 0; i < FN_RECORD_KEYS; i++)
        text->meta[i] = (struct fn_meta){keys[i], text->values[i]};
}

static int whole_number(const struct fn_model_file *f, const char *key, int64_t *out)
{
    const char *text = fn_safetensors_meta(f->st, key);
    char *end = NULL;
    long long value = text ? strtoll(text, &end, 10) : 0;
    if (!text || end == text || *end || value < 0)
        return fn_fail(FN_EFORMAT, "%s: its record says %s = %s", f->path, key,
                       text ? text : "nothing");
    *out = value;
    return FN_OK;
}

static int read_record(struct fn_model_file *f)
{
    struct fn_model_record *r = &f->record;
    const char *format = fn_safetensors_meta(f->st, "fn.format");
    const char *network, *standardization, *colour;
    int64_t size = 0;
    int rc = fn_weights_sizes(f->st, f->path, &r->embedding, &r->classes);
    if (rc)
        return rc;
    snprintf(r->network, sizeof r->network, "inception_resnet_v1");
    r->image_size = PUBLISHED_SIZE;
    if (!format)
        return FN_OK;
    if (strcmp(format, RECORD_FORMAT) != 0)
        return fn_fail(FN_EVERSION, "%s: its record has format %s, this program knows %s", f->path,
                       format, RECORD_FORMAT);
    network = fn_safetensors_meta(f->st, "fn.network");
    standardization = fn_safetensors_meta(f->st, "fn.standardization");
    colour = fn_safetensors_meta(f->st, "fn.colour");
    if (!network || !standardization || !colour)
        return fn_fail(FN_EFORMAT, "%s: its record is not complete", f->path);
    if (strcmp(colour, "RGB") != 0)
        return fn_fail(FN_EMISMATCH, "%s: trained on %s pictures; all pictures here are RGB",
                       f->path, colour);
    r->per_image = !strcmp(standardization, "per_image");
    if (!r->per_image && strcmp(standardization, "fixed") != 0)
        return fn_fail(FN_EMISMATCH, "%s: a standardization called %s is not known here", f->path,
                       standardization);
    snprintf(r->network, sizeof r->network, "%s", network);
    rc = whole_number(f, "fn.image_size", &size);
    r->image_size = size > 0 && size <= 65536 ? (int)size : 0;
    if (!rc && !r->image_size)
        rc = fn_fail(FN_EFORMAT, "%s: its record says images of %lld pixels", f->path,
                     (long long)size);
    if (!rc)
        rc = whole_number(f, "fn.step", &r->step);
    r->known = !rc;
    return rc;
}

/* The weights' path of what was named. */
static int locate(struct fn_model_file *f, const char *path, int ema)
{
    const char *name = ema ? FN_CHECKPOINT_EMA : FN_CHECKPOINT_MODEL;
    char *weights = NULL;
    int rc;
    if (!fn_is_dir(path)) {
        if (ema)
            return fn_fail(FN_ENOENT,
                           "%s is a file alone: moving averages stand in checkpoints, name the run "
                           "or the checkpoint's folder",
                           path);
        f->path = strdup(path);
        return f->path ? FN_OK : fn_fail(FN_ENOMEM, "no memory for a path");
    }
    rc = fn_checkpoint_find(path, &f->folder);
    if (rc)
        return rc;
    weights = fn_path_join(f->folder, name);
    f->path = weights;
    if (!weights)
        return FN_ENOMEM;
    if (ema && !fn_is_file(weights))
        return fn_fail(FN_ENOENT, "%s has no moving averages: it was trained without", f->folder);
    return FN_OK;
}

int fn_model_file_open(struct fn_model_file **out, const char *path, int ema)
{
    struct fn_model_file *f = calloc(1, sizeof *f);
    int rc;
    *out = NULL;
    if (!f)
        return fn_fail(FN_ENOMEM, "no memory to open %s", path);
    rc = locate(f, path, ema);
    if (!rc)
        rc = fn_safetensors_open(&f->st, f->path);
    if (!rc)
        rc = read_record(f);
    if (rc)
        fn_model_file_close(&f);
    *out = f;
    return rc;
}

void fn_model_file_close(struct fn_model_file **file)
{
    struct fn_model_file *f = file ? *file : NULL;
    if (!f)
        return;
    fn_safetensors_close(&f->st);
    free(f->path);
    free(f->folder);
    free(f);
    *file = NULL;
}

int fn_model_file_agree(struct fn_model_file *f, const struct fn_preprocessing *told)
{
    struct fn_model_record *r = &f->record;
    if (!r->known) {
        r->image_size = told->image_size >= 0 ? told->image_size : r->image_size;
        r->per_image = told->per_image >= 0 ? told->per_image : r->per_image;
        fn_info("%s does not say how it was trained: taken as %d pixels, %s standardization, RGB",
                f->path, r->image_size, r->per_image ? "per-image" : "fixed");
        return FN_OK;
    }
    if (told->image_size >= 0 && told->image_size != r->image_size)
        return fn_fail(FN_EMISMATCH, "%s was trained on images of %d pixels, not %d", f->path,
                       r->image_size, told->image_size);
    if (told->per_image >= 0 && told->per_image != r->per_image)
        return fn_fail(FN_EMISMATCH, "%s was trained with %s standardization, not %s", f->path,
                       r->per_image ? "per-image" : "fixed",
                       told->per_image ? "per-image" : "fixed");
    return FN_OK;
}
