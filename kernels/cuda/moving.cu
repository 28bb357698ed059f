/* SPDX-License-Identifier: MIT */
/* Moving statistics of batch normalization: moving = decay moving + (1 - decay) batch, the variance
 * times n / (n - 1). A block a layer (111 of them, 32 to 512 channels). Does nothing when
 * check_finite met a bad value in this step. */
#include "kernels/cuda/device.h"

__global__ void __launch_bounds__(FN_THREADS)
    moving_kernel(const fn_moving_group *__restrict__ groups, size_t trained, float *w,
                  const float *__restrict__ batch, double decay, const fn_k_state *state)
{
    if (state->step.bad)
        return;
    const fn_moving_group group = groups[blockIdx.x];
    for (int k = (int)threadIdx.x; k < 2 * group.c; k += FN_THREADS) {
        const size_t at = group.begin + (size_t)k;
        const double fed = batch[at - trained] * (k < group.c ? 1 : group.unbias);
        w[at] = (float)(decay * w[at] + (1 - decay) * fed);
    }
}

int fn_k_update_moving(const fn_k_queue *q, const fn_moving_group *groups, size_t group_count,
                       size_t trained, float *w, const float *batch, double decay)
{
    if (group_count == 0)
        return 0;
    return fn_launch(moving_kernel, dim3((unsigned)group_count), dim3(FN_THREADS), q->stream,
                     groups, trained, w, batch, decay, q->state);
}
