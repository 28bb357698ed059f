/* SPDX-License-Identifier: MIT */
/* What libfn_cuda.so exports. */
#include "kernels/module.h"
#include "kernels/cuda/cuda.h"

const struct fn_module fn_module = FN_MODULE(fn_backend_cuda);
