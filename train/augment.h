/* SPDX-License-Identifier: MIT */
/* One example: a decoded picture -> (rotate) -> random or centre crop -> (flip) -> u8 HWC in a
 * batch. Standardization is the device's affair.
 *
 *   rotate   uniform angle in [-10, 10) degrees, Pillow's bicubic, same size, black corners
 *   crop     size x size: random: uniform over all valid offsets; centre: starts at
 *            floor(difference / 2), and a smaller picture is padded with zeros, the smaller half
 * before flip     left-right, with probability 1/2
 *
 * Randomness is addressed: fn_rng(seed, pass, position, purpose). Any thread. */
#ifndef FN_TRAIN_AUGMENT_H
#define FN_TRAIN_AUGMENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/image.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fn_augment {
    int size;        /* pixels of the square that the network sees */
    int random_crop; /* else centre crop */
    int random_flip;
    int random_rotate;
    uint64_t seed;
};
#define FN_ROTATE_DEGREES 10.0 /* random_rotate_image of the original: uniform(-10, 10) */

/* What will happen to a picture of w x h pixels, known before it is decoded. */
struct fn_augment_plan {
    double degrees; /* 0: no rotation */
    int x, y;       /* of the crop's corner in the picture; negative: padding */
    int flip;
};

/* FN_EMISMATCH: the picture is smaller than a random crop. */
int fn_augment_plan(const struct fn_augment *augment, uint64_t pass, uint64_t position, int w,
                    int h, struct fn_augment_plan *plan);

/* image -> out, (size, size, 3) bytes. scratch holds the rotated picture (zeroed before its first
 * use, freed by the caller); without a rotation it is not touched. FN_ENOMEM only with one. */
int fn_augment_apply(const struct fn_augment_plan *plan, int size, const struct fn_image *image,
                     struct fn_image *scratch, uint8_t *out);

/* One row of the crop, (size, 3) bytes at `out`, from a picture's row of w pixels; NULL: the crop's
 * row lies outside the picture. Without a rotation, apply is this for every row. */
void fn_augment_row(const struct fn_augment_plan *plan, int size, int w, const uint8_t *from,
                    uint8_t *out);

#ifdef __cplusplus
}
#endif
#endif
