/* SPDX-License-Identifier: MIT */
/* The scalars of a step, on their way to the device as a kernel's argument: no copy from host
 * memory that would have to stay as it is until then. One thread. */
#include "kernels/cuda/device.h"

__global__ void step_kernel(fn_k_step step, fn_k_state *state)
{
    state->step = step;
}

int fn_k_step_begin(const fn_k_queue *q, const fn_k_step *step)
{
    return fn_launch(step_kernel, dim3(1), dim3(1), q->stream, *step, q->state);
}
