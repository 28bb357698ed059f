/* SPDX-License-Identifier: MIT */
/* Triplets of one batch, chosen from the distances of its own embeddings (online mining): no second
 * pass through the network, no list of triplets to be gathered.
 *
 * Every ordered pair of different rows with one label is an anchor a and a positive p. d being
 * squared distances, its negative n is, of all rows with another label,
 *
 *     semi-hard  the nearest with d(a,n) > d(a,p), else the farthest (as TensorFlow's
 *                triplet_semihard_loss)
 *     hard       for each anchor only its farthest positive, and the nearest (batch-hard of Hermans
 *                et al., In Defense of the Triplet Loss)
 *
 * the first of equals. Loss, over all T triplets: mean of max(d(a,p) - d(a,n) + alpha, 0). Each
 * gradient is a sum of differences of embeddings, so those of all rows are one product
 *
 *     de = C e,   2 / T being added for each triplet with a positive hinge to C(a,n), C(p,p) and
 *                 C(n,a), and taken from C(a,p), C(p,a) and C(n,n)
 *
 * whose coefficients are whole numbers times 2 / T: they do not depend on any order of summation.
 */
#ifndef FN_TRAIN_TRIPLET_ONLINE_H
#define FN_TRAIN_TRIPLET_ONLINE_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/op.h"
#include "train/exec.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fn_online_figures {
    uint64_t pairs;       /* anchors with a positive: ordered pairs, or (hard) anchors */
    uint64_t triplets;    /* of these, with a negative */
    uint64_t active;      /* of these, with a positive hinge */
    uint64_t not_finite;  /* distances; nothing is chosen then, and the loss is NAN */
    double loss;          /* mean hinge; 0 where there is no triplet */
    double mean_distance; /* of two different rows, squared */
};

/* d2: (n, n). coefficients: (n, n), written. rows: anchor, positive, negative of every triplet,
 * room for 3 n (n - 1), or NULL. rule: FN_SELECT_SEMI_HARD or FN_SELECT_HARD. Cannot fail. */
void fn_triplet_online(const float *d2, const int32_t *labels, size_t n, int rule, double alpha,
                       float *coefficients, int32_t *rows, struct fn_online_figures *figures);

/* What a training step of an exec (FN_HEAD_TRIPLET) needs for it. */
struct fn_online {
    int rule;
    const int32_t *labels; /* of the batch, on the host; set before each step, borrowed during it */
    float *d2, *coefficients;         /* (n, n) on the host */
    struct fn_tensor matrix;          /* (n, n) on the device */
    struct fn_online_figures figures; /* of the last step */
};
/* Memory of the host and the device for batches of n. FN_ENOMEM. */
int fn_online_open(struct fn_online **online, const struct fn_backend *be, struct fn_dev *dev,
                   size_t n, int rule);
void fn_online_close(struct fn_online **online, const struct fn_backend *be, struct fn_dev *dev);
uint64_t fn_online_bytes(size_t n, size_t scalar); /* of both */

/* From the prelogits of a training exec to figures and, with `backward`, the gradient of the
 * prelogits. Waits for the distances. The device's losses get nothing: the figures are them. */
int fn_loss_online(struct fn_exec *exec, struct fn_online *online, double alpha, int backward);
/* FN_LOSS_TRIPLET, ACTIVE and SPREAD of a step. */
void fn_online_losses(const struct fn_online_figures *figures, double losses[FN_LOSS_COUNT]);

#ifdef __cplusplus
}
#endif
#endif
