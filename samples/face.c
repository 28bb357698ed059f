/* SPDX-License-Identifier: MIT */
/* Drawing a face: every sample point asks the layers from front to back which of them covers it. */
#include "samples/face.h"

#include <math.h>

#include "base/rng.h"

enum { SAMPLES = 2 }; /* a side: four samples a pixel */

struct draw {
    uint64_t seed, a, b;
};

static double unit(struct draw *d)
{
    return fn_rng_unit(fn_rng(d->seed, d->a, d->b++, FN_RNG_SAMPLE));
}

static double between(struct draw *d, double lo, double hi)
{
    return lo + (hi - lo) * unit(d);
}

/* Between -1 and 1, mostly near 0. */
static double around(struct draw *d)
{
    return (unit(d) + unit(d) + unit(d)) / 1.5 - 1;
}

static struct fn_colour mix(struct fn_colour a, struct fn_colour b, double t)
{
    return (struct fn_colour){a.r + (b.r - a.r) * t, a.g + (b.g - a.g) * t, a.b + (b.b - a.b) * t};
}

static struct fn_colour shade(struct fn_colour a, double t)
{
    return (struct fn_colour){a.r * t, a.g * t, a.b * t};
}

static void identity_colours(struct fn_identity *id, struct draw *d)
{
    static const struct fn_colour skins[] = {{.98, .85, .74}, {.94, .76, .62}, {.85, .64, .47},
                                             {.71, .49, .33}, {.52, .34, .23}, {.37, .24, .17}};
    static const struct fn_colour hairs[] = {{.09, .07, .06}, {.25, .15, .09}, {.44, .27, .14},
                                             {.78, .61, .34}, {.60, .22, .10}, {.72, .72, .71}};
    static const struct fn_colour eyes[] = {
        {.25, .14, .07}, {.42, .27, .12}, {.29, .42, .22}, {.27, .46, .63}, {.42, .48, .50}};
    double s = between(d, 0, 4.999);
    int i = (int)s;
    id->skin = mix(skins[i], skins[i + 1], s - i);
    id->hair = hairs[(int)between(d, 0, 5.999)];
    id->hair = shade(id->hair, between(d, .8, 1.15));
    id->eye = eyes[(int)between(d, 0, 4.999)];
    id->lips = mix(shade(id->skin, .85), (struct fn_colour){.72, .25, .28}, between(d, .25, .8));
    id->frame = mix((struct fn_colour){.08, .08, .09}, (struct fn_colour){.55, .2, .12}, unit(d));
}

void fn_identity_make(struct fn_identity *id, uint64_t seed, uint64_t who)
{
    struct draw d = {seed, who, 0};
    *id = (struct fn_identity){0};
    id->head_w = between(&d, .245, .315);
    id->head_h = between(&d, .335, .40);
    id->jaw = between(&d, .12, .52);
    id->cheek = between(&d, 1.9, 2.7);
    id->eye_y = between(&d, -.085, -.03);
    id->eye_gap = between(&d, .095, .135);
    id->eye_w = between(&d, .042, .062);
    id->eye_h = between(&d, .018, .034);
    id->eye_tilt = between(&d, -.22, .22);
    id->iris = between(&d, .017, .024);
    id->brow_y = between(&d, .05, .085);
    id->brow_w = between(&d, .055, .085);
    id->brow_thick = between(&d, .006, .019);
    id->brow_tilt = between(&d, -.28, .28);
    id->nose_w = between(&d, .032, .068);
    id->nose_len = between(&d, .09, .16);
    id->mouth_y = between(&d, .165, .215);
    id->mouth_w = between(&d, .07, .125);
    id->lip = between(&d, .010, .026);
    id->hairline = between(&d, .58, .92);
    id->parting = between(&d, -.8, .8);
    id->hair_side = between(&d, -.15, .42);
    id->hair_volume = between(&d, 1.04, 1.24);
    id->fringe = between(&d, 0, .16);
    id->ear = between(&d, .03, .055);
    id->glasses = unit(&d) < .25;
    id->glasses_round = between(&d, 2, 4);
    id->beard = unit(&d) < .22;
    id->moustache = unit(&d) < .2;
    id->bald = unit(&d) < .1;
    id->mole = unit(&d) < .3;
    id->mole_x = between(&d, -.14, .14);
    id->mole_y = between(&d, .04, .24);
    identity_colours(id, &d);
}

void fn_view_make(struct fn_view *v, uint64_t seed, uint64_t who, uint64_t n)
{
    struct draw d = {seed + 1, who, n << 16};
    *v = (struct fn_view){0};
    v->x = .5 + .035 * around(&d);
    v->y = .51 + .035 * around(&d);
    v->scale = 1 + .08 * around(&d);
    v->roll = .16 * around(&d);
    v->yaw = .8 * around(&d);
    v->pitch = .7 * around(&d);
    v->light_x = between(&d, -1, 1);
    v->light_y = between(&d, -1, .3);
    v->light = between(&d, .25, .62);
    v->ambient = between(&d, .50, .74);
    v->tint =
        (struct fn_colour){between(&d, .92, 1.06), between(&d, .95, 1.02), between(&d, .90, 1.06)};
    v->smile = between(&d, -.35, 1);
    v->open = unit(&d) < .35 ? between(&d, .2, 1) : 0;
    v->lids = unit(&d) < .06 ? .12 : between(&d, .7, 1.15);
    v->brows = .016 * around(&d);
    struct fn_colour grey = {.55, .55, .56};
    v->back0 = mix((struct fn_colour){unit(&d), unit(&d), unit(&d)}, grey, .45);
    v->back1 = mix(v->back0, (struct fn_colour){unit(&d), unit(&d), unit(&d)}, .5);
    v->cloth = (struct fn_colour){unit(&d), unit(&d), unit(&d)};
    v->noise = fn_rng(seed, who, n, FN_RNG_SAMPLE);
}

static int in_ellipse(double x, double y, double cx, double cy, double rx, double ry)
{
    double u = (x - cx) / rx, v = (y - cy) / ry;
    return u * u + v * v < 1;
}

/* < 1 inside the head blown up by `grow`. */
static double head(const struct fn_identity *id, double x, double y, double grow)
{
    double h = id->head_h * grow, t = y / h;
    double w = id->head_w * grow * (t > 0 ? 1 - id->jaw * t * t : 1);
    return pow(fabs(x) / (w > .01 ? w : .01), id->cheek) + pow(fabs(t), id->cheek);
}

/* Where hair ends over the forehead at x: y of the hairline. */
static double hairline(const struct fn_identity *id, double x)
{
    double u = x / id->head_w - id->parting;
    return -id->head_h * id->hairline + id->fringe * (1 - exp(-3 * u * u)) +
           .10 * (x / id->head_w) * (x / id->head_w);
}

static int eye(const struct fn_identity *id, const struct fn_view *v, double x, double y,
               double side, struct fn_colour *c)
{
    double cx = side * id->eye_gap, t = id->eye_tilt * side;
    double u = x - cx, w = y - id->eye_y + t * u;
    double h = id->eye_h * v->lids, lid = h * (1 - pow(fabs(u) / id->eye_w, 2));
    if (fabs(u) > id->eye_w * 1.12 || fabs(w) > h + .012)
        return 0;
    if (fabs(u) < id->eye_w && fabs(w) < lid) {
        double gx = u - .012 * v->yaw, r = sqrt(gx * gx + w * w);
        double gleam = hypot(gx + .3 * id->iris, w + .35 * id->iris);
        if (gleam < .22 * id->iris)
            *c = (struct fn_colour){1, 1, 1};
        else if (r < .45 * id->iris)
            *c = (struct fn_colour){.04, .03, .03};
        else if (r < id->iris)
            *c = shade(id->eye, r > .85 * id->iris ? .6 : 1);
        else
            *c = (struct fn_colour){.95, .95, .94};
        return 1;
    }
    if (w < 0 && fabs(u) < id->eye_w * 1.1 && w > -lid - .011) { /* lashes */
        *c = shade(id->hair, .35);
        return 1;
    }
    return 0;
}

static int brow(const struct fn_identity *id, const struct fn_view *v, double x, double y,
                double side)
{
    double u = (x - side * (id->eye_gap + .008)) * side;
    double t = u / id->brow_w;
    double mid = id->eye_y - id->brow_y - v->brows - .014 * (1 - t * t) + id->brow_tilt * u;
    return fabs(t) < 1 && fabs(y - mid) < id->brow_thick * (1.1 - .55 * t * (t > 0));
}

static int mouth(const struct fn_identity *id, const struct fn_view *v, double x, double y,
                 struct fn_colour *c)
{
    double w = id->mouth_w * (1 + .18 * v->smile), t = x / w;
    if (fabs(t) >= 1)
        return 0;
    double bend = id->mouth_y - .035 * v->smile * (t * t - .4);
    double arch = 1 - t * t, gap = .030 * v->open * arch;
    double d = y - bend;
    if (fabs(d) < gap) {
        *c = d < -.2 * gap ? (struct fn_colour){.93, .92, .88} : (struct fn_colour){.32, .08, .09};
        return 1;
    }
    if (d <= -gap && d > -gap - id->lip * arch * (1 - .35 * exp(-60 * t * t))) {
        *c = shade(id->lips, .86);
        return 1;
    }
    if (d >= gap && d < gap + 1.25 * id->lip * arch) {
        *c = id->lips;
        return 1;
    }
    if (fabs(d) < .004) {
        *c = shade(id->lips, .55);
        return 1;
    }
    return 0;
}

static int glasses(const struct fn_identity *id, double x, double y)
{
    double p = id->glasses_round, rx = .078, ry = .058, ex = fabs(x) - id->eye_gap;
    double f = pow(fabs(ex) / rx, p) + pow(fabs(y - id->eye_y) / ry, p);
    double g = pow(fabs(ex) / (rx - .011), p) + pow(fabs(y - id->eye_y) / (ry - .011), p);
    if (f < 1 && g > 1)
        return 1;
    return fabs(y - id->eye_y + .012) < .006 && (ex < -rx + .004 || ex > rx) &&
           fabs(x) < id->head_w * 1.0;
}

/* How much of the skin's colour shows: the nose by its shadow, the cheeks by their roundness. */
static double relief(const struct fn_identity *id, const struct fn_view *v, double x, double y)
{
    double top = id->eye_y + .01, tip = top + id->nose_len, s = 1;
    double u = x - .035 * v->yaw;
    if (y > top && y < tip) {
        double w = id->nose_w * (.35 + .65 * (y - top) / id->nose_len);
        double side = u / w;
        if (fabs(side) < 1)
            s += .10 * side * v->light_x * -1 + .05 * (1 - side * side);
    }
    if (in_ellipse(fabs(u), y, id->nose_w * .55, tip - .002, id->nose_w * .30, .009))
        s *= .55;
    if (in_ellipse(u, y, 0, tip + .006, id->nose_w * .9, .012))
        s *= .86;
    return s;
}

static struct fn_colour face_colour(const struct fn_identity *id, const struct fn_view *v, double x,
                                    double y, double depth)
{
    double ix = x - .05 * v->yaw * depth, iy = y - .035 * v->pitch * depth; /* turned features */
    struct fn_colour c;
    if (id->glasses && glasses(id, ix, iy))
        return id->frame;
    if (eye(id, v, ix, iy, -1, &c) || eye(id, v, ix, iy, 1, &c) || mouth(id, v, ix, iy, &c))
        return c;
    if (brow(id, v, ix, iy, -1) || brow(id, v, ix, iy, 1))
        return shade(id->hair, .8);
    c = shade(id->skin, relief(id, v, ix, iy));
    if (id->mole && in_ellipse(ix, iy, id->mole_x, id->mole_y, .009, .009))
        return shade(id->skin, .4);
    double under = iy - id->mouth_y;
    if (id->beard && (under > .005 + .1 * exp(-90 * ix * ix) * (under < .06) || fabs(ix) > .16) &&
        iy > .07 + .05 * cos(ix * 14))
        c = mix(c, id->hair, .8);
    double wide = ix / (1.2 * id->mouth_w + .02), droop = id->mouth_y - .036 + .030 * wide * wide;
    if (id->moustache && fabs(wide) < 1 && fabs(iy - droop) < .017 * (1 - .75 * wide * wide))
        c = mix(c, id->hair, .85);
    double blush = exp(-(pow(fabs(ix) - .16, 2) + pow(iy - .08, 2)) / .004);
    return mix(c, (struct fn_colour){.86, .42, .38}, .14 * blush);
}

static struct fn_colour lit(struct fn_colour c, const struct fn_identity *id,
                            const struct fn_view *v, double x, double y)
{
    double nx = x / (id->head_w * 1.25), ny = y / (id->head_h * 1.25), n2 = nx * nx + ny * ny;
    double nz = sqrt(n2 < 1 ? 1 - n2 : 0);
    double norm = sqrt(v->light_x * v->light_x + v->light_y * v->light_y + 1);
    double dot = (nx * v->light_x + ny * v->light_y + nz) / norm;
    return shade(c, v->ambient + v->light * (dot > 0 ? dot : 0));
}

static int hair_front(const struct fn_identity *id, double x, double y)
{
    if (id->bald || head(id, x, y, id->hair_volume) >= 1)
        return 0;
    return y < hairline(id, x) || (fabs(x) > id->head_w * .86 && y < id->hair_side * .4);
}

static struct fn_colour sample(const struct fn_identity *id, const struct fn_view *v, double px,
                               double py)
{
    double dx = (px - v->x) / v->scale, dy = (py - v->y) / v->scale;
    double x = cos(v->roll) * dx + sin(v->roll) * dy, y = cos(v->roll) * dy - sin(v->roll) * dx;
    double h = head(id, x, y, 1), ear_y = id->eye_y + .03;
    if (hair_front(id, x, y)) {
        double strand = .95 + .06 * sin(120 * x + 5 * sin(9 * y + 20 * x));
        return lit(shade(id->hair, strand), id, v, x, y);
    }
    if (h < 1)
        return lit(face_colour(id, v, x, y, 1 - h), id, v, x, y);
    if (in_ellipse(fabs(x), y, id->head_w * .99, ear_y, id->ear, id->ear * 1.7))
        return lit(shade(id->skin, .88), id, v, x, y);
    if (!id->bald && y < id->hair_side && head(id, x, y * (y > 0 ? .8 : 1), id->hair_volume) < 1)
        return lit(shade(id->hair, .75), id, v, x, y);
    if (fabs(x) < id->head_w * .5 && y > 0 && y < id->head_h * 1.25)
        return lit(shade(id->skin, .78), id, v, x * .5, y * .4);
    if (y > id->head_h * 1.02 && in_ellipse(x, y, 0, id->head_h + .32, .48, .24))
        return shade(v->cloth, v->ambient + .3 * v->light);
    return mix(v->back0, v->back1, py);
}

static uint8_t to_u8(double value)
{
    return (uint8_t)(value < 0 ? 0 : value > 1 ? 255 : value * 255 + .5);
}

int fn_face_draw(const struct fn_identity *id, const struct fn_view *view, int size,
                 struct fn_image *out)
{
    int rc = fn_image_reserve(out, size, size);
    if (rc)
        return rc;
    for (int y = 0; y < size; y++) {
        for (int x = 0; x < size; x++) {
            struct fn_colour sum = {0, 0, 0};
            for (int k = 0; k < SAMPLES * SAMPLES; k++) {
                struct fn_colour c = sample(id, view, (x + (k % SAMPLES + .5) / SAMPLES) / size,
                                            (y + (k / SAMPLES + .5) / SAMPLES) / size);
                sum.r += c.r, sum.g += c.g, sum.b += c.b;
            }
            uint8_t *p = out->rgb + 3 * ((size_t)y * (size_t)size + (size_t)x);
            double grain =
                .02 *
                (fn_rng_unit(fn_rng(view->noise, (uint64_t)y, (uint64_t)x, FN_RNG_SAMPLE)) - .5);
            double n = SAMPLES * SAMPLES;
            p[0] = to_u8(sum.r / n * view->tint.r + grain);
            p[1] = to_u8(sum.g / n * view->tint.g + grain);
            p[2] = to_u8(sum.b / n * view->tint.b + grain);
        }
    }
    return FN_OK;
}
