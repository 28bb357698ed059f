/* SPDX-License-Identifier: MIT */
/* The way from a picture's bytes to a face. */
#include "base/faces.h"

#include <string.h>
#include <strings.h>

#include "base/image_internal.h"

size_t fn_picture_ending(const char *name, size_t bytes)
{
    static const char *const endings[] = {".jpg", ".jpeg", ".png"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t n = strlen(endings[i]);
        if (bytes > n && strncasecmp(name + bytes - n, endings[i], n) == 0)
            return n;
    }
    return 0;
}

static int check_box(const struct fn_box *box, const struct fn_image *im)
{
    if (box->x1 >= 0 && box->y1 >= 0 && box->x1 < box->x2 && box->y1 < box->y2 &&
        box->x2 <= im->w && box->y2 <= im->h)
        return FN_OK;
    return fn_fail(FN_EMISMATCH, "the box %d %d %d %d does not lie inside the picture (%d x %d)",
                   box->x1, box->y1, box->x2, box->y2, im->w, im->h);
}

int fn_face_prepare(struct fn_codec *codec, const uint8_t *data, size_t bytes,
                    const struct fn_box *box, int size, struct fn_face_scratch *scratch,
                    struct fn_image *out)
{
    struct fn_image *im = &scratch->decoded;
    scratch->warnings = 0;
    int rc = fn_image_decode(codec, data, bytes, 0, im, &scratch->warnings);
    if (rc == FN_OK && box)
        rc = check_box(box, im);
    if (rc)
        return rc;
    struct fn_box whole = {0, 0, im->w, im->h};
    struct fn_box b = box ? *box : whole;
    int w = b.x2 - b.x1, h = b.y2 - b.y1;
    if (w == im->w && h == im->h && (size == 0 || (w == size && h == size))) {
        struct fn_image swap = *out;
        *out = *im;
        *im = swap;
        return FN_OK;
    }
    /* Cropping is looking at a part: no copy is made of it. */
    size_t stride = (size_t)im->w * 3;
    struct fn_view view = {im->rgb + (size_t)b.y1 * stride + (size_t)b.x1 * 3, w, h, stride};
    return fn_resize_view(codec->resizer, &view, size ? size : w, size ? size : h, out);
}

void fn_face_scratch_free(struct fn_face_scratch *scratch)
{
    if (scratch)
        fn_image_free(&scratch->decoded);
}
