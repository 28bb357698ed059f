/* SPDX-License-Identifier: MIT */
/* u8 images -> the first layer's input: y = (x - mean) * scale, with mean and scale fixed or from
 * the image itself. */
#include <math.h>

#include "kernels/ref/ref.h"

/* Population mean and standard deviation over all pixels and channels of one image. */
static void image_stats(const uint8_t *image, size_t count, double *mean, double *stddev)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++)
        sum += image[i];
    *mean = sum / (double)count;
    for (size_t i = 0; i < count; i++)
        squares += (image[i] - *mean) * (image[i] - *mean);
    *stddev = sqrt(squares / (double)count);
}

int fn_ref_standardize(struct fn_dev *dev, const uint8_t *images, int per_image, int mirror,
                       const struct fn_tensor *y)
{
    (void)dev;
    assert(y->c == 3);
    const size_t w = (size_t)y->w, rows = (size_t)y->h, count = rows * w * 3;
    for (size_t n = 0; n < (size_t)y->n; n++) {
        const uint8_t *image = images + n * count;
        double mean = 127.5, divisor = 128;
        if (per_image) {
            double stddev, least = 1 / sqrt((double)count); /* of a flat image */
            image_stats(image, count, &mean, &stddev);
            divisor = stddev > least ? stddev : least;
        }
        for (size_t row = 0; row < rows; row++) {
            for (size_t col = 0; col < w; col++) {
                const uint8_t *from = image + (row * w + (mirror ? w - 1 - col : col)) * 3;
                fn_real *to = fn_ref_pixel(y, (n * rows + row) * w + col);
                for (size_t c = 0; c < 3; c++)
                    to[c] = (fn_real)((from[c] - mean) / divisor);
            }
        }
    }
    return FN_OK;
}
