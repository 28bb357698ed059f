/* SPDX-License-Identifier: MIT */
/* Crop, flip, rotation of one example. */
#include "train/augment.h"

#include <string.h>

#include "base/rng.h"
#include "train/mirror.h"

/* floor(d / 2), also where d is negative: the smaller half comes before. */
static int half(int d)
{
    return d >= 0 ? d / 2 : -(-d / 2);
}

int fn_augment_plan(const struct fn_augment *augment, uint64_t pass, uint64_t position, int w,
                    int h, struct fn_augment_plan *plan)
{
    uint64_t seed = augment->seed;
    int dx = w - augment->size, dy = h - augment->size;
    plan->degrees = 0;
    plan->flip = 0;
    if (augment->random_rotate)
        plan->degrees =
            FN_ROTATE_DEGREES * (2 * fn_rng_unit(fn_rng(seed, pass, position, FN_RNG_ROTATE)) - 1);
    if (augment->random_flip)
        plan->flip = (int)fn_rng_below(fn_rng(seed, pass, position, FN_RNG_FLIP), 2);
    if (!augment->random_crop) {
        plan->x = half(dx);
        plan->y = half(dy);
        return FN_OK;
    }
    if (dx < 0 || dy < 0)
        return fn_fail(FN_EMISMATCH,
                       "a picture of %d x %d pixels is smaller than a random crop of %d", w, h,
                       augment->size);
    plan->x = (int)fn_rng_below(fn_rng(seed, pass, position, FN_RNG_CROP_X), (uint64_t)dx + 1);
    plan->y = (int)fn_rng_below(fn_rng(seed, pass, position, FN_RNG_CROP_Y), (uint64_t)dy + 1);
    return FN_OK;
}

/* Four bytes at a time, of which the next pixel overwrites the last; so the first pixel, whose
 * fourth byte may lie behind the picture, and the last one are copied alone. */
void fn_mirror_plain(uint8_t *to, const uint8_t *from, int pixels)
{
    const uint8_t *p = from + 3 * (pixels - 1);
    memcpy(to, p, 3);
    for (int i = 1; i < pixels - 1; i++) {
        to += 3;
        p -= 3;
        memcpy(to, p, 4);
    }
    if (pixels > 1)
        memcpy(to + 3, from, 3);
}

void fn_augment_row(const struct fn_augment_plan *plan, int size, int w, const uint8_t *from,
                    uint8_t *out)
{
    /* Columns [x0, x1) of the crop are picture, those before and after are padding. */
    int x0 = plan->x < 0 ? -plan->x : 0;
    int x1 = w - plan->x < size ? w - plan->x : size;
    int before = plan->flip ? size - x1 : x0, pixels = x1 - x0;
    if (!from || pixels < 1) {
        memset(out, 0, (size_t)size * 3);
        return;
    }
    from += (size_t)(plan->x + x0) * 3;
    memset(out, 0, (size_t)before * 3);
    if (plan->flip) {
        fn_mirror *fast = fn_mirror_ssse3(), *mirror = fast ? fast : fn_mirror_plain;
        mirror(out + before * 3, from, pixels);
    } else {
        memcpy(out + before * 3, from, (size_t)pixels * 3);
    }
    memset(out + (before + pixels) * 3, 0, (size_t)(size - before - pixels) * 3);
}

int fn_augment_apply(const struct fn_augment_plan *plan, int size, const struct fn_image *image,
                     struct fn_image *scratch, uint8_t *out)
{
    if (plan->degrees != 0) {
        int rc = fn_image_rotate(image, plan->degrees, scratch);
        if (rc != FN_OK)
            return rc;
        image = scratch;
    }
    for (int y = 0; y < size; y++, out += (size_t)size * 3) {
        int from = plan->y + y, inside = from >= 0 && from < image->h;
        fn_augment_row(plan, size, image->w,
                       inside ? image->rgb + (size_t)from * (size_t)image->w * 3 : NULL, out);
    }
    return FN_OK;
}
