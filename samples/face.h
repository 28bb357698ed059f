/* SPDX-License-Identifier: MIT */
/* Drawn faces: an identity is a set of shapes and colours, a view of it a pose, a light and an
 * expression. Both are functions of numbers, so the same numbers draw the same bytes anywhere. */
#ifndef FN_SAMPLES_FACE_H
#define FN_SAMPLES_FACE_H

#include <stdint.h>

#include "base/image.h"

struct fn_colour {
    double r, g, b; /* 0..1 */
};

/* Lengths are in units of the picture's side; the face's own axes have x to the right, y down, and
 * their origin between the eyes and the mouth. */
struct fn_identity {
    double head_w, head_h, jaw, cheek; /* half width, half height, taper, roundness */
    double eye_y, eye_gap, eye_w, eye_h, eye_tilt, iris;
    double brow_y, brow_w, brow_thick, brow_tilt;
    double nose_w, nose_len;
    double mouth_y, mouth_w, lip;
    double hairline, parting, hair_side, hair_volume, fringe;
    double ear;
    int glasses, beard, moustache, mole, bald;
    double mole_x, mole_y, glasses_round;
    struct fn_colour skin, hair, eye, lips, frame;
};

struct fn_view {
    double x, y, scale, roll; /* place in the picture, size factor, radians */
    double yaw, pitch;        /* -1..1: where the face turns */
    double light_x, light_y, light, ambient;
    struct fn_colour tint;
    double smile, open, lids, brows; /* expression */
    struct fn_colour back0, back1, cloth;
    uint64_t noise;
};

/* Who: any number. */
void fn_identity_make(struct fn_identity *id, uint64_t seed, uint64_t who);
/* The n-th picture of a person. */
void fn_view_make(struct fn_view *view, uint64_t seed, uint64_t who, uint64_t n);
/* size x size pixels, 2 x 2 samples a pixel. */
int fn_face_draw(const struct fn_identity *id, const struct fn_view *view, int size,
                 struct fn_image *out);

#endif
